//! `bailiwick stop` and `bailiwick release`: everything stands still, until a person at a terminal says otherwise.

use std::io::{self, IsTerminal};

use crate::report::exit::ExitCode as Exit;
use bailiwick_change::clock::{Clock as _, System};
use bailiwick_change::state::ChangeStatus;
use bailiwick_change::stop::{Stop, Switch};
use bailiwick_core::encode::ShownPath as _;
use bailiwick_journal::Event;

use super::desk;
use crate::cli::args;
use crate::cli::{Context, fail, quarantine};

/// Puts the kill switch on. The file first: the journal may be somebody else's at the moment.
pub(crate) fn stop(context: &Context, args: &args::change::Stop) -> anyhow::Result<Exit> {
    let why = args.why.join(" ");
    let why = if why.trim().is_empty() { "no reason given" } else { why.trim() };
    if !fail::is_reason(why) {
        return Err(fail::usage(fail::reason(), "say it shorter"));
    }
    let switch = Stop::at(&context.state_folder()?);
    let (epoch, fresh) = switch.engage(why, 0)?;
    context.out.text(&format!(
        "stopped: nothing is changed on any target until somebody runs `bailiwick release` ({})",
        switch.file().shown()
    ))?;
    if !fresh {
        return Ok(Exit::Fine);
    }
    let who = desk::who(context);
    let written =
        desk::log(context).and_then(|mut log| Ok(log.write(Event::Stopped { epoch, who, why: why.to_owned() })?));
    if let Err(error) = written {
        // It is on all the same.
        context.out.say(&format!("warning: the journal does not say so: {error:#}"));
    }
    Ok(Exit::Fine)
}

/// Releases the kill switch, a target, a component, or the clock.
pub(crate) fn release(context: &Context, args: &args::change::Release) -> anyhow::Result<Exit> {
    let Some(name) = &args.name else {
        return if args.clock { clock(context, args) } else { switch(context, args) };
    };
    let log = desk::read(context)?;
    let stuck =
        log.changes.values().find(|course| course.target.as_str() == name && course.stage == ChangeStatus::Stuck);
    let Some(stuck) = stuck else { return quarantine::release(context, args, name) };
    let (change, target) = (stuck.id.clone(), stuck.target.clone());
    let why = stuck.why.clone().unwrap_or_default();
    context.out.say(&format!("{target} is left alone because change {change} is stuck: {why}"));
    let question = format!(
        "Somebody has looked, and {target} is as it should be. To let changes happen there again, type {target}:"
    );
    let why = confirmed(context, args, &question, target.as_str())?;
    let who = desk::who(context);
    desk::log(context)?.write(Event::Released { change, who, why })?;
    context.out.text(&format!("{target} may be changed again"))?;
    Ok(Exit::Fine)
}

fn switch(context: &Context, args: &args::change::Release) -> anyhow::Result<Exit> {
    let switch = Stop::at(&context.state_folder()?);
    match switch.read() {
        Switch::Off { .. } => {
            return Err(fail::usage(
                "nothing is stopped",
                "`bailiwick release TARGET` releases a target on which a change is stuck",
            ));
        }
        Switch::On { why, .. } => context.out.say(&format!("everything is stopped: {why}")),
    }
    let why = confirmed(context, args, "To let changes happen again, type release:", "release")?;
    let mut log = desk::log(context)?;
    let epoch = switch.release(log.ledger().stop_epoch)?;
    log.write(Event::Resumed { epoch, who: desk::who(context), why })?;
    context.out.text("changes may happen again")?;
    Ok(Exit::Fine)
}

fn clock(context: &Context, args: &args::change::Release) -> anyhow::Result<Exit> {
    let clock = System.read();
    let mut log = desk::log(context)?;
    if let Err(error) = log.ledger().watch.judge(&clock) {
        context.out.say(&format!("the clock is not believed: {error}"));
    } else {
        return Err(fail::usage("the clock is believed as it is", "nothing has to be released"));
    }
    let question = format!("If it is {} now, type yes:", clock.wall.strftime("%Y-%m-%d %H:%M:%S UTC"));
    let why = confirmed(context, args, &question, "yes")?;
    log.write(Event::ClockConfirmed { clock, who: desk::who(context), why })?;
    context.out.text("the clock is believed again, and days count from here")?;
    Ok(Exit::Fine)
}

/// A person at a terminal types a word. There is no flag for it: nobody else is asked.
fn confirmed(context: &Context, args: &args::change::Release, question: &str, word: &str) -> anyhow::Result<String> {
    let why = args.why.as_deref().map(str::trim).filter(|why| !why.is_empty()).unwrap_or("no reason given");
    if !fail::is_reason(why) {
        return Err(fail::usage(fail::reason(), "say it shorter"));
    }
    if args.yes || !io::stdin().is_terminal() {
        return Err(fail::usage(
            "this is released by a person at a terminal, and by nobody else",
            "run it in a terminal, without --yes",
        ));
    }
    context.out.say(question);
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    if line.trim() != word {
        return Err(fail::usage("nothing was released", format!("type {word} to release it")));
    }
    Ok(why.to_owned())
}
