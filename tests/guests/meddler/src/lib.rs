//! A fix that does what its parameter names: its reports and its actions differ, so that tests see what notices it.

use std::sync::atomic::{AtomicU32, Ordering};

use bailiwick_guest::target::Entry;
use bailiwick_guest::{
    Decision, Failure, Finding, Fix, Report, StageFailure, Target, Unit, commands_change, containers_change, files,
    files_change, services_change,
};

struct Meddler;

/// How often this instance has been entered: nothing may be left of an earlier run.
static ENTERED: AtomicU32 = AtomicU32::new(0);

impl Fix for Meddler {
    fn plan(target: &Target) -> Result<Decision, Failure> {
        let before = ENTERED.fetch_add(1, Ordering::Relaxed);
        let (file, lines) = (target.slot("file")?, target.slot("lines")?);
        match target.params().text("what")?.as_str() {
            "honest" => {
                let found = files::read(target, &file)?;
                if found.bytes == b"wanted = yes\n" {
                    return Ok(Decision::nothing("it is as it should be"));
                }
                files_change::write(target, &file, "wanted")?;
                Ok(Decision::propose("the file is not as it should be").because(&found))
            }
            "refuse" => Ok(Decision::refuse("a change here would hide it", "the team of the source")),
            "everything" => Ok(Decision::propose(letters(&everything(target)))),
            "propose-nothing" => Ok(Decision::propose("trust me")),
            "stage-and-refuse" => {
                files_change::write(target, &file, "wanted")?;
                Ok(Decision::refuse("not mine", "another team"))
            }
            "stage-and-nothing" => {
                files_change::write(target, &file, "wanted")?;
                Ok(Decision::nothing("all is well"))
            }
            "one-file-twice" => {
                files_change::write(target, &file, "wanted")?;
                let again = [
                    files_change::write(target, &file, "wanted"),
                    files_change::set_aside(target, &file),
                    files_change::write_computed(target, &file, b"wanted = no\n"),
                ];
                Ok(Decision::propose(letters(&again)))
            }
            "other-names" => {
                let entry = |key: &str| Entry { key: key.to_owned(), literal: String::new() };
                let tried = [
                    files_change::write(target, &file, "line"),
                    files_change::write(target, &file, "other"),
                    files_change::write(target, &file, ""),
                    files_change::write(target, &entry(&file.literal), "wanted"),
                    files_change::write(target, &entry("file=wanted"), "wanted"),
                    files_change::set_aside(target, &entry("/etc/shadow")),
                    files_change::ensure_line(target, &lines, "wanted"),
                    services_change::reload(target, &entry("units")),
                    services_change::reload(target, &entry("ssh.service")),
                ];
                files_change::write(target, &file, "wanted")?;
                Ok(Decision::propose(letters(&tried)))
            }
            "computed" => computed(target, &file, b"made = here\n"),
            "computed-hidden" => computed(target, &file, b"made = \x1b[2Khere\n"),
            "computed-bytes" => computed(target, &file, b"\xff\xfe"),
            "computed-empty" => computed(target, &file, b""),
            "computed-large" => computed(target, &file, &vec![b'x'; (64 << 10) + 1]),
            "many" => {
                let units = target.slots("units");
                let tried: Vec<_> = units.iter().map(|unit| services_change::reload(target, unit)).collect();
                Ok(Decision::propose(letters(&tried)))
            }
            "remember" => {
                files_change::write(target, &file, "wanted")?;
                Ok(Decision::propose(["entered ", &before.to_string(), " times before"].concat()))
            }
            "trap" => {
                files_change::write(target, &file, "wanted")?;
                core::arch::wasm32::unreachable()
            }
            _ => Err(Failure::new("there is no such behaviour")),
        }
    }

    fn verify(target: &Target) -> Result<Report, Failure> {
        let before = ENTERED.fetch_add(1, Ordering::Relaxed);
        if target.params().text("what")? == "everything" {
            return Ok(Finding::ok("stages", "", letters(&everything(target))).into());
        }
        // Whatever the file holds.
        Ok(Finding::ok("applied", "", "all is well, trust me").metric("before", before, Unit::Count).into())
    }
}

fn computed(target: &Target, file: &Entry, bytes: &[u8]) -> Result<Decision, Failure> {
    let tried = [files_change::write_computed(target, file, bytes)];
    if tried.iter().any(Result::is_err) {
        files_change::write(target, file, "wanted")?;
    }
    Ok(Decision::propose(letters(&tried)))
}

/// Every changing verb once.
fn everything(target: &Target) -> Vec<Result<(), StageFailure>> {
    let one = |slot: &str| Entry { key: slot.to_owned(), literal: slot.to_owned() };
    let (file, lines, unit) = (one("file"), one("lines"), one("units/0"));
    vec![
        files_change::write(target, &file, "wanted"),
        files_change::write_computed(target, &file, b"x\n"),
        files_change::set_aside(target, &file),
        files_change::ensure_line(target, &lines, "line"),
        files_change::remove_line(target, &lines, "line"),
        services_change::reload(target, &unit),
        services_change::restart(target, &unit),
        services_change::enable(target, &unit),
        services_change::start(target, &unit),
        containers_change::restart(target, &one("container")),
        commands_change::run(target, &one("command")),
    ]
}

/// One letter each: taken, refused, wrong phase, exhausted.
fn letters(tried: &[Result<(), StageFailure>]) -> String {
    use bailiwick_guest::StageError;
    let letter = |tried: &Result<(), StageFailure>| match tried.as_ref().map_err(StageFailure::error) {
        Ok(()) => 't',
        Err(StageError::Refused) => 'r',
        Err(StageError::WrongPhase) => 'w',
        Err(StageError::Exhausted) => 'x',
    };
    tried.iter().map(letter).collect()
}

bailiwick_guest::export_fix!(Meddler);
