//! stdout is data, stderr is everything else.

use std::io::{self, IsTerminal, Write};

use bailiwick_core::encode;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::args::Color;

/// Where a command prints.
pub(super) struct Out {
    color: Color,
}

impl Out {
    pub(super) fn new(color: Color) -> Self {
        Self { color }
    }

    /// Prints text, with a newline at its end if it has none. Nothing in it drives the terminal (TX01).
    pub(super) fn text(&self, text: &str) -> anyhow::Result<()> {
        self.styled(&encode::lines(text))
    }

    /// The same for text with colours of ours, of which every part has been encoded.
    pub(super) fn styled(&self, text: &str) -> anyhow::Result<()> {
        self.bytes(text.as_bytes())?;
        if text.is_empty() || text.ends_with('\n') { Ok(()) } else { self.bytes(b"\n") }
    }

    /// Prints bytes as they are.
    #[expect(clippy::unused_self, reason = "printing goes through the value that knows how")]
    pub(super) fn bytes(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        Ok(stdout.flush()?)
    }

    /// Says something to the person at the terminal. Nothing in it drives that (TX01).
    pub(super) fn say(&self, text: &str) {
        self.say_styled(&encode::lines(text));
    }

    /// The same for text with colours of ours, of which every part has been encoded.
    #[expect(clippy::unused_self, reason = "as above")]
    pub(super) fn say_styled(&self, text: &str) {
        // Nobody is left to hear that stderr is closed.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    pub(super) fn color_stdout(&self) -> bool {
        self.color(io::stdout().is_terminal())
    }

    pub(super) fn color_stderr(&self) -> bool {
        self.color(io::stderr().is_terminal())
    }

    fn color(&self, terminal: bool) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    /// Columns of the terminal on stdout; 80 if it is none.
    #[expect(clippy::unused_self, reason = "as above")]
    pub(super) fn width(&self) -> usize {
        rustix::termios::tcgetwinsize(io::stdout()).map_or(80, |size| usize::from(size.ws_col)).max(60)
    }
}

/// Our own log, on stderr. Libraries stay at warnings: what they would say more could hold what targets said (TX10).
pub(super) fn logging(debug: bool) {
    let ours = if debug { LevelFilter::DEBUG } else { LevelFilter::WARN };
    let filter = Targets::new().with_target("bailiwick", ours).with_default(LevelFilter::ERROR);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false).without_time();
    tracing_subscriber::registry().with(filter).with(layer).init();
}
