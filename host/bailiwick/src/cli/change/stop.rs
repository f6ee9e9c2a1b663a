//! `bailiwick stop`, `resume` and `unblock`: all changes stop, until an operator at a terminal allows them again.

use crate::report::exit::ExitCode as Exit;
use bailiwick_change::clock::{Clock as _, System};
use bailiwick_change::state::{ChangeState, ChangeStatus};
use bailiwick_change::stop::{Stop, Switch};
use bailiwick_core::encode::ShownPath as _;
use bailiwick_journal::Event;

use super::session;
use crate::cli::args;
use crate::cli::{Context, confirm, fail};

/// Puts the kill switch on. The file comes first, because another program may hold the journal at the moment.
pub(crate) fn stop(context: &Context, args: &args::Stop) -> anyhow::Result<Exit> {
    let why = args.why.join(" ");
    let why = confirm::reason(Some(&why))?;
    let switch = Stop::at(&context.state_folder()?);
    let (epoch, fresh) = switch.engage(why, 0)?;
    context.out.text(&format!(
        "stopped: no target is changed until an operator runs `bailiwick resume` ({})",
        switch.file().shown()
    ))?;
    if !fresh {
        return Ok(Exit::Fine);
    }
    let who = session::who(context);
    let written = session::open_log(context)
        .and_then(|mut log| Ok(log.write(Event::Stopped { epoch, who, why: why.to_owned() })?));
    if let Err(error) = written {
        // The switch is on all the same.
        context.out.say(&format!("warning: the stop is not in the journal: {error:#}"));
    }
    Ok(Exit::Fine)
}

/// Puts the kill switch off, or confirms the clock.
pub(crate) fn resume(context: &Context, args: &args::Resume) -> anyhow::Result<Exit> {
    let why = args.why.as_deref();
    if args.clock { resume_clock(context, why) } else { resume_changes(context, why) }
}

fn resume_changes(context: &Context, why: Option<&str>) -> anyhow::Result<Exit> {
    let switch = Stop::at(&context.state_folder()?);
    match switch.read() {
        Switch::Off { .. } => {
            return Err(fail::usage(
                "changes are not stopped, so there is nothing to resume",
                "`bailiwick changes` lists changes; after a failed rollback, `bailiwick unblock TARGET` allows changes on a target",
            ));
        }
        Switch::On { why, .. } => context.out.say(&format!("all changes are stopped: {why}")),
    }
    let why = confirmed(context, "resume", why, "To allow changes again, type resume:", "resume")?;
    let mut log = session::open_log(context)?;
    let epoch = switch.resume(log.ledger().stop_epoch)?;
    log.write(Event::Resumed { epoch, who: session::who(context), why })?;
    context.out.text("changes are allowed again")?;
    Ok(Exit::Fine)
}

fn resume_clock(context: &Context, why: Option<&str>) -> anyhow::Result<Exit> {
    let clock = System.read();
    let mut log = session::open_log(context)?;
    let Err(error) = log.ledger().watch.judge(&clock) else {
        return Err(fail::usage("the system clock does not look wrong", "there is nothing to confirm"));
    };
    context.out.say(&format!("the system clock looks wrong: {error}"));
    let question = format!("If it is {} now, type yes:", clock.wall.strftime("%Y-%m-%d %H:%M:%S UTC"));
    let why = confirmed(context, "resume --clock", why, &question, "yes")?;
    log.write(Event::ClockConfirmed { clock, who: session::who(context), why })?;
    context.out.text("the system clock is confirmed; the days of the budget count from here")?;
    Ok(Exit::Fine)
}

/// Allows changes on a target again on which one is stuck.
pub(crate) fn unblock(context: &Context, args: &args::Unblock) -> anyhow::Result<Exit> {
    let ledger = session::read_ledger(context)?;
    let is_it = |state: &&ChangeState| state.target.as_str() == args.target && state.status == ChangeStatus::Stuck;
    let Some(stuck) = ledger.changes.values().find(is_it) else {
        // Its fleet may be gone: what is stuck is in the journal.
        if let Ok((ops, _)) = context.ops_and_lock()
            && !ops.knows(&args.target)
        {
            let (message, hint) = ops.fleet.unknown(&args.target);
            return Err(fail::usage(message, hint));
        }
        return Err(fail::usage(
            format!("no change is stuck on the target `{}`", args.target.escape_default()),
            "`bailiwick changes` lists changes and their states",
        ));
    };
    let (change, target) = (stuck.id.clone(), stuck.target.clone());
    let reason = stuck.why.clone().unwrap_or_default();
    context.out.say(&format!("changes on {target} are blocked, because change {change} is stuck: {reason}"));
    let question =
        format!("If you have checked that {target} is as it should be, type {target} to allow changes there again:");
    let why = confirmed(context, "unblock", args.why.as_deref(), &question, target.as_str())?;
    let who = session::who(context);
    session::open_log(context)?.write(Event::Unblocked { change, who, why })?;
    context.out.text(&format!("changes on {target} are allowed again"))?;
    Ok(Exit::Fine)
}

/// The reason of an operator who types a word at a terminal. There is no flag that replaces the typing.
fn confirmed(
    context: &Context,
    command: &str,
    why: Option<&str>,
    question: &str,
    word: &str,
) -> anyhow::Result<String> {
    let why = confirm::reason(why)?;
    if !confirm::is_terminal() {
        return Err(fail::usage(
            format!("`bailiwick {command}` needs a person at a terminal, and stdin is not one"),
            format!("run `bailiwick {command}` in a terminal"),
        ));
    }
    if !confirm::typed(context, question, word)? {
        return Err(fail::usage(
            "the answer does not match, so nothing was changed",
            format!("type {word} to confirm"),
        ));
    }
    Ok(why.to_owned())
}
