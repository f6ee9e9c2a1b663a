//! The command line. It is thin: everything that needs no terminal is in the other crates.
//!
//! A command is a file with its options (`Args`), its `run`, and a line in the table below.

mod args;
mod change;
mod check;
mod commands;
mod confirm;
mod consent;
mod context;
mod doctor;
mod fail;
mod fleet;
mod gate;
mod help;
mod history;
mod inspect;
mod journal;
mod limits;
mod lock;
mod man;
mod new;
mod out;
mod pack;
mod page;
mod quarantine;
mod replay;
mod review;
mod shell;
mod test;
mod verify;
mod wit;

use std::process::ExitCode;

use crate::report::exit::ExitCode as Exit;
use clap::FromArgMatches;

use self::args::Args;
use self::context::Context;

commands::commands! {
    "Check" {
        /// Check targets with the probes that policy grants
        Check(check::Args) => check::run;
        /// Print every action that can reach a target, and why
        ///
        /// For each target: what runs on it, the author's reason, and the line of policy that allows it.
        Review(review::Args) => review::run;
        /// Show the metrics of a target over time
        ///
        /// For each metric: first and last value, change in 7 days, and a sparkline. The values are those of the runs in the journal.
        Trend(history::Trend) => history::trend;
        /// Check targets, verify applied changes, record the result
        ///
        /// Changes nothing on a target.
        Rounds(args::Rounds) => change::rounds;
    }
    "Changes" {
        /// Let a fix propose a change, and show the difference
        ///
        /// A plan changes nothing on the target. It is stored under its digest, which `apply` takes.
        Plan(args::Plan) => change::plan;
        /// Apply a plan, verify it, and roll it back if it fails
        ///
        /// At a terminal it shows the plan and asks. With --approval it accepts an approver's signature. Otherwise the policy has to
        /// allow an unattended change. Exit code 3: not applied; 5: rolled back; 6: the rollback failed (stuck), or the change is
        /// unfinished (open).
        Apply(args::Apply) => change::apply;
        /// Roll back a change
        ///
        /// If an object was edited after the change, the rollback is refused, and the difference is shown.
        Rollback(args::Rollback) => change::rollback;
        /// List changes and their state
        Changes(args::Changes) => change::changes;
        /// Check what interrupted changes left on targets
        ///
        /// Changes nothing on a target.
        Recover(args::Recover) => change::recover;
        /// Apply, roll back and re-apply a fix on a staging target
        ///
        /// An unattended change needs a recent rehearsal.
        Rehearse(args::Rehearse) => change::rehearse;
        /// Stop all changes on all targets now
        ///
        /// A running change is left as it is, or rolled back if policy.toml has `hold-on-stop = false`. `bailiwick resume` allows
        /// changes again.
        Stop(args::Stop) => change::stop;
        /// Allow changes again after `stop`
        ///
        /// Asks for confirmation at a terminal. There is no --yes. With --clock it confirms the system clock instead.
        Resume(args::Resume) => change::resume;
        /// Allow changes on a target after a failed rollback
        ///
        /// Repair the target first. Asks for the target's name at a terminal. There is no --yes.
        Unblock(args::Unblock) => change::unblock;
        /// Show, install and verify the gate of a target
        ///
        /// A gate is a script that a person installs on the target. It lists every action of the target's grants, and refuses all
        /// others. sshd and sudo run it for two SSH keys, one for checks and one for changes.
        Gate(gate::Args) => gate::run;
    }
    "Components" {
        /// Show what a component can do here, and accept it
        Add(consent::Add) => consent::add;
        /// Accept a new version or new actions of a component
        Approve(consent::Approve) => consent::approve;
        /// Revoke a component; its digest stays blocked
        Revoke(consent::Revoke) => consent::revoke_command;
        /// List or verify accepted components (bailiwick.lock)
        Lock(lock::Args) => lock::run;
        /// List components blocked after their process crashed
        Quarantine(quarantine::Quarantine) => quarantine::list;
        /// Let a quarantined component run again
        ///
        /// Asks for the component's id at a terminal; with --yes it asks nothing.
        Unquarantine(quarantine::Unquarantine) => quarantine::unquarantine;
        /// Show digest, interface (world), imports and manifest
        Inspect(inspect::Args) => inspect::run;
        /// Create a new probe project
        New(new::Args) => new::run;
        /// Run a component's test cases offline, or record one
        ///
        /// A case (cases/NAME.toml) holds the answers of a target and the findings that must follow. The component runs in its sandbox as
        /// in `check`, on these answers. Without --record no target is contacted.
        Test(test::Args) => test::run;
        /// Embed the manifest in the component: one .wasm file
        Pack(pack::Args) => pack::run;
        /// Write the WIT interface files for a manifest
        ///
        /// For toolchains that import all of the WIT interface.
        Wit(wit::Args) => wit::run;
        /// Print the resource limits of components
        ///
        /// For each limit: its value, what it bounds, what happens when it is reached, and who can change it.
        Limits(limits::Args) => limits::run;
    }
    "Records" {
        /// List, show, verify and prune the journal
        Journal(journal::Args) => journal::run;
        /// Replay recorded runs and compare the reports
        ///
        /// The component that ran gets the grant, parameters, clock and answers of the journal, in its sandbox as in `check`. No target
        /// is contacted, and neither fleet nor policy is read. Exit code 7: a report differs; 4: a run cannot be replayed.
        Replay(replay::Args) => replay::run;
        /// Rebuild the metrics database (used by `trend`)
        History(history::Args) => history::run;
    }
    "Setup" {
        /// Import targets from the SSH configuration
        Fleet(fleet::Args) => fleet::run;
        /// Check this installation, or prove its sandbox
        ///
        /// Checks kernel, files, keys, pinned host keys, journal and clock. Changes nothing, and sends nothing to a target. Exit code 1:
        /// warnings; 2: problems.
        Doctor(doctor::Args) => doctor::run;
        /// Print the JSON Schema of `check --format json`
        Schema(shell::Schema) => shell::schema;
        /// Print a completion script for a shell
        Completions(shell::Completions) => shell::completions;
        /// Write the manual pages
        Man(man::Args) => man::run;
        /// Print the help of a command or a topic
        ///
        /// The topics are pages of reference: every key of a file, and every exit code.
        Help(help::Args) => help::run;
    }
}

/// A connection, a worker and a local program take descriptors; the usual soft limit of 1,024 is for programs that use
/// `select`. Best effort: the hard limit stays.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// A core file would hold answers of targets before their redaction, and keys (TX10).
fn no_core_files() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Runs the command line of this process.
pub(crate) fn main() -> ExitCode {
    // A worker is started with this single argument, and must not parse any other.
    if std::env::args_os().nth(1).is_some_and(|word| word == bailiwick_sandbox::worker::ARGUMENT) {
        return bailiwick_sandbox::worker::main();
    }
    let args = help::tree().try_get_matches().and_then(|matches| Args::from_arg_matches(&matches));
    let args = match args {
        Ok(args) => args,
        Err(error) => {
            let out = out::Out::new(args::Color::Auto);
            let error = args::nearest_first(error);
            // Help and version are errors too, with code 0. A closed pipe is not a mistake.
            let text = help::without_trailing_spaces(&error.render().to_string());
            if error.use_stderr() {
                out.say(text.trim_end_matches('\n'));
            } else {
                let _ = out.text(&text);
            }
            if let Some(hint) = args::renamed(&error) {
                out.say(hint);
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code()));
        }
    };
    out::logging(args.global.debug);
    raise_file_limit();
    no_core_files();
    let context = Context::new(args.global);
    args.command.run(&context).unwrap_or_else(|error| {
        let exit = fail::report(&error, &context.out);
        if let Some(hint) = fail::file_hint(&error, &args.command.word()) {
            context.out.say(&format!("\nhint: {hint}"));
        }
        exit.into()
    })
}
