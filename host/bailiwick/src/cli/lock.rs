//! `bailiwick lock`: lists accepted components, and verifies them.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode;
use bailiwick_engine::consent::verify::{Verified, verify};
use bailiwick_engine::consent::waiting;
use bailiwick_policy::lock::{LockError, LockState};
use clap::Subcommand;
use jiff::Timestamp;

use super::args::Format;
use super::{Context, page};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Verify digests, imports and grants of accepted components
    Verify {
        /// Output format
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: Format,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        None => list(context),
        Some(Command::Verify { format }) => check(context, *format),
    }
}

fn list(context: &Context) -> anyhow::Result<Exit> {
    context.settle();
    let dir = context.ops_dir()?;
    let lock_state = LockState::load(Some(dir))?;
    let waits: BTreeMap<_, _> = waiting(dir, &lock_state).into_iter().collect();
    let lock = match lock_state {
        LockState::Missing => {
            context.out.text("there is no bailiwick.lock: nothing from components/ is accepted")?;
            return Ok(Exit::Fine);
        }
        LockState::Invalid(unusable) => return Err(unusable.into()),
        LockState::Valid(lock) => lock,
    };
    let mut text = String::new();
    for (id, component) in &lock.components {
        writeln!(text, "{id} {}  sha256:{}", component.facts.version, component.facts.digest)?;
        writeln!(text, "  accepted {}", page::recorded_by(&component.record))?;
        if let Some(signer) = &component.facts.signer {
            writeln!(text, "  signed by {signer}")?;
        }
        if let Some(version) = waits.get(id) {
            writeln!(
                text,
                "  WAITING  {version} asks for more: `bailiwick approve {id}` shows the difference, and asks"
            )?;
        }
        for (target, accepted) in &component.grants {
            let actions: Vec<_> = accepted.actions.iter().map(String::as_str).collect();
            writeln!(
                text,
                "  on {target}: {}",
                if actions.is_empty() { "nothing".to_owned() } else { actions.join(", ") }
            )?;
        }
    }
    for (digest, revoked) in &lock.revoked {
        let what = revoked.component.as_ref().map(|(id, version)| format!("{id} {version}  ")).unwrap_or_default();
        writeln!(text, "REVOKED {what}sha256:{digest}\n  {}", page::recorded_by(&revoked.record))?;
    }
    if text.is_empty() {
        text.push_str("nothing is accepted\n");
    }
    context.out.text(&text)?;
    Ok(Exit::Fine)
}

fn check(context: &Context, format: Format) -> anyhow::Result<Exit> {
    let (ops, lock_state) = context.ops_and_lock()?;
    if let LockState::Invalid(LockError::Invalid(problems)) = &lock_state {
        for problem in problems {
            context.out.say_styled(&format!("{}\n", problem.render(context.out.color_stderr())));
        }
    }
    let verified = verify(&ops, &lock_state, Timestamp::now());
    match format {
        Format::Json => context.out.text(&encode::to_json(&verified)?)?,
        Format::Table => context.out.page(&table(&verified)?)?,
    }
    Ok(match (&verified.unusable, verified.is_fine()) {
        (Some(_), _) => Exit::Usage,
        (None, true) => Exit::Fine,
        (None, false) => Exit::Refused,
    })
}

fn table(verified: &Verified) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    if let Some(why) = &verified.unusable {
        writeln!(text, "UNUSABLE  {why}")?;
    }
    for row in &verified.components {
        let version = row.version.as_deref().unwrap_or("-");
        match &row.refused {
            Some(why) => writeln!(text, "REFUSED   {} {version}: {why}", row.component)?,
            None => writeln!(
                text,
                "ok        {} {version}: bytes, manifest, imports and limits are as accepted",
                row.component
            )?,
        }
        for target in &row.targets {
            let (name, actions) = (&target.target, target.actions);
            match &target.refused {
                Some(why) => writeln!(text, "  REFUSED on {name}: {why}")?,
                None if row.refused.is_some() => writeln!(text, "  refused on {name}")?,
                None => writeln!(text, "  ok      on {name}: {}", encode::counted(actions, "action"))?,
            }
        }
    }
    for gone in &verified.revoked {
        let what = gone.component.as_deref().unwrap_or("never accepted here");
        writeln!(text, "revoked   {what} sha256:{}", gone.digest)?;
    }
    if text.is_empty() {
        text.push_str("nothing is accepted, and nothing in components/ waits to be accepted\n");
    }
    Ok(text)
}
