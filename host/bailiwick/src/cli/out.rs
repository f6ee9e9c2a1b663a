//! Output: stdout is for data, stderr for everything else.

use std::io::{self, IsTerminal, Write};

use bailiwick_core::{encode, wrap};
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

    /// Prints text, and adds a newline if it has none at its end. No character in it can control the terminal (TX01).
    pub(super) fn text(&self, text: &str) -> anyhow::Result<()> {
        self.styled(&encode::lines(text))
    }

    /// The same for text that is read rather than copied: no line is wider than the terminal, or than 80 columns where there is none.
    pub(super) fn page(&self, text: &str) -> anyhow::Result<()> {
        self.text(&wrap::page(text, self.width()))
    }

    /// The same for text with colours, of which every part has been encoded.
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

    /// Prints a message on stderr. No character in it can control the terminal (TX01).
    pub(super) fn say(&self, text: &str) {
        self.say_styled(&encode::lines(text));
    }

    /// The same for text with colours, of which every part has been encoded.
    #[expect(clippy::unused_self, reason = "as above")]
    pub(super) fn say_styled(&self, text: &str) {
        // If stderr is closed, there is no place to report it.
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

    /// Columns of the terminal on stdout. 80 if stdout is not a terminal.
    #[expect(clippy::unused_self, reason = "as above")]
    pub(super) fn width(&self) -> usize {
        rustix::termios::tcgetwinsize(io::stdout()).map_or(wrap::COLUMNS, |size| usize::from(size.ws_col)).max(60)
    }
}

/// The debug log on stderr. Libraries stay at warnings, because their messages could contain answers of targets (TX10).
pub(super) fn logging(debug: bool) {
    let ours = if debug { LevelFilter::DEBUG } else { LevelFilter::WARN };
    let filter = Targets::new().with_target("bailiwick", ours).with_default(LevelFilter::ERROR);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false).without_time();
    tracing_subscriber::registry().with(filter).with(layer).init();
}
