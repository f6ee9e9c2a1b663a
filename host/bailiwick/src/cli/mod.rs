//! The command line. Thin: what can be decided without a terminal is decided in the library.

mod args;
mod change;
mod check;
mod confirm;
mod consent;
mod doctor;
mod fail;
mod fleet;
mod gate;
mod history;
mod inspect;
mod journal;
mod limits;
mod lock;
mod new;
mod out;
mod quarantine;
mod pack;
mod page;
mod replay;
mod review;
mod test;
mod verify;
mod wit;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::report::exit::ExitCode as Exit;
use bailiwick_engine::quarantine::Quarantine;
use bailiwick_policy::lock::{LockState, store};
use bailiwick_policy::ops::{Environment, Ops};
use clap::{CommandFactory, Parser};

use self::args::{Args, Command};
use self::out::Out;

/// How long a reader waits for somebody who changes the ops directory.
const PATIENCE: Duration = Duration::from_secs(5);

/// What every command works with.
struct Context {
    environment: Environment,
    dir: Option<PathBuf>,
    state: Option<PathBuf>,
    out: Out,
}

impl Context {
    /// The ops directory and what people have agreed to in it, both from one moment.
    fn ops_and_lock(&self) -> anyhow::Result<(Ops, LockState)> {
        self.settle();
        let _hold = self.dir.as_deref().and_then(|dir| store::lock_shared(dir, PATIENCE));
        let ops = Ops::load(self.dir.as_deref(), self.environment.home.as_deref())?;
        let lock_state = LockState::load(self.dir.as_deref())?;
        Ok((ops, lock_state))
    }

    /// The directory that a lock stands in.
    fn ops_dir(&self) -> anyhow::Result<&Path> {
        self.dir.as_deref().ok_or_else(|| {
            fail::usage(
                "there is no ops directory, and only one of those has components of its own",
                "name one with --dir DIR; it holds fleet.toml and policy.toml",
            )
        })
    }

    /// Finishes what an earlier command was stopped in. If that cannot be, the component that it was about is refused
    /// until it can; nothing else is held up by it.
    fn settle(&self) {
        let Some(dir) = &self.dir else { return };
        match store::finish_interrupted(dir, PATIENCE) {
            Ok(false) => {}
            Ok(true) => self.out.say("warning: an earlier command was stopped while it accepted a component; finished"),
            Err(error) => {
                let error = anyhow::Error::new(error);
                self.out
                    .say(&format!("warning: an earlier command was stopped while it accepted a component: {error:#}"));
            }
        }
    }

    fn state_folder(&self) -> anyhow::Result<PathBuf> {
        let state = self.environment.state_dir(self.state.as_deref(), self.dir.as_deref());
        state.ok_or_else(|| {
            fail::usage("there is no place for the journal: HOME is not set", "name one with --state DIR")
        })
    }

    fn journal_folder(&self) -> anyhow::Result<PathBuf> {
        Ok(self.state_folder()?.join("journal"))
    }

    fn quarantine(&self) -> anyhow::Result<Quarantine> {
        Ok(Quarantine::at(&self.state_folder()?))
    }
}

/// A connection, a worker and a local program take descriptors; the usual soft limit of 1,024 is for programs that use
/// `select`. Best effort: the hard limit stays.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// A core file would hold what targets said before the redactor had it, and keys (TX10).
fn no_core_files() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Runs the command line of this process.
pub(crate) fn main() -> ExitCode {
    // A worker is started with this one word and nothing else; it must not read any other.
    if std::env::args_os().nth(1).is_some_and(|word| word == bailiwick_sandbox::worker::ARGUMENT) {
        return bailiwick_sandbox::worker::main();
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version come as errors too, with code 0; a closed pipe is nobody's mistake.
            let _ = error.print();
            if let Some(hint) = args::renamed(&error) {
                Out::new(args::Color::Auto).say(hint);
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code()));
        }
    };
    out::logging(args.debug);
    raise_file_limit();
    no_core_files();
    let environment = Environment::read();
    let dir = environment.ops_dir(args.dir.as_deref());
    let context = Context { environment, dir, state: args.state, out: Out::new(args.color) };
    let result = match args.command {
        Command::Check(args) => {
            return check::run(&context, &args).unwrap_or_else(|error| fail::report(&error, &context.out).into());
        }
        Command::Review(args) => review::run(&context, &args),
        Command::Quarantine(args) => quarantine::list(&context, &args),
        Command::Unquarantine(args) => quarantine::unquarantine(&context, &args),
        Command::Plan(args) => change::plan(&context, &args),
        Command::Apply(args) => change::apply(&context, &args),
        Command::Rollback(args) => change::rollback(&context, &args),
        Command::Recover => change::recover(&context),
        Command::Rehearse(args) => change::rehearse(&context, &args),
        Command::Changes(args) => change::changes(&context, &args),
        Command::Rounds(args) => change::rounds(&context, &args),
        Command::Stop(args) => change::stop(&context, &args),
        Command::Resume(args) => change::resume(&context, &args),
        Command::Unblock(args) => change::unblock(&context, &args),
        Command::Limits(args) => limits::run(&context, &args),
        Command::New(args) => new::run(&context, &args),
        Command::Wit(args) => wit::run(&context, &args),
        Command::Inspect(args) => inspect::run(&context, &args),
        Command::Add(args) => consent::add(&context, &args),
        Command::Approve(args) => consent::approve(&context, &args),
        Command::Revoke(args) => consent::revoke_command(&context, &args),
        Command::Lock(args) => lock::run(&context, &args),
        Command::Pack(args) => pack::run(&context, &args),
        Command::Test(args) => test::run(&context, &args),
        Command::Replay(args) => replay::run(&context, &args),
        Command::Fleet { command } => fleet::run(&context, command),
        Command::Gate { command } => gate::run(&context, &command),
        Command::Journal { command } => journal::run(&context, command),
        Command::Trend(args) => history::trend(&context, &args),
        Command::History { command } => history::run(&context, &command),
        Command::Doctor(args) => doctor::run(&context, &args),
        Command::Schema => context.out.text(crate::report::json::SCHEMA).map(|()| Exit::Fine),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "bailiwick", &mut script);
            context.out.bytes(&script).map(|()| Exit::Fine)
        }
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => fail::report(&error, &context.out).into(),
    }
}
