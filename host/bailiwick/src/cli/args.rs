//! What can be said on the command line.

use std::path::PathBuf;

use bailiwick_core::limits;
use clap::builder::styling::Styles;
use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand, ValueEnum};

mod change;
mod consent;

pub(super) use change::{Apply, Changes, Plan, PlanCommand, Rehearse, Resume, Rollback, Rounds, Stop, Unblock};
pub(super) use consent::{Add, Answer, Approve, Lock, LockCommand, Revoke};

/// Run health probes from people you do not know, on production machines, safely.
///
/// Probes are WebAssembly components. Each gets a bailiwick on each machine: a finite list of literal actions, which
/// `bailiwick review` prints before anything runs. With no ops directory, `bailiwick check` looks at this machine with
/// the built-in probes.
#[derive(Debug, Parser)]
#[command(name = "bailiwick", version, styles = Styles::plain(), max_term_width = 100, after_help = EXIT_CODES)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,

    /// Ops directory, with fleet.toml and policy.toml [default: $BAILIWICK_DIR, else ., else the XDG config directory's
    /// bailiwick; if none holds a fleet.toml: this machine]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,

    /// Where the journal is kept [default: $BAILIWICK_STATE, else the ops directory's `state`, else the XDG state
    /// directory's bailiwick]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,

    /// Colour: `auto` is for terminals only, and never with NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: Color,

    /// Tell on stderr what the program itself does
    #[arg(long, global = true)]
    pub(super) debug: bool,
}

/// The end of `--help`; a test holds it against the list in `report::exit`.
const EXIT_CODES: &str = "\
Exit codes (the highest that applies):
  0   fine
  1   findings at or over the threshold
  2   usage, or an invalid file
  3   a target or component was refused
  4   a target could not be looked at, or a probe broke
  5   verify failed, rolled back
  6   stuck: rollback failed, a person is needed
  7   a case or a replay does not come out as recorded
  8   a component waits for a person: accept or approve it
  70  a bug in bailiwick";

/// What to print below clap's error for a command that has another name now.
pub(super) fn renamed(error: &clap::Error) -> Option<&'static str> {
    let name = error.get(ContextKind::InvalidSubcommand)?;
    let is_old = matches!(name, ContextValue::String(name) if name == "release");
    is_old.then_some(
        "hint: `release` is now `bailiwick resume` (after a stop), `bailiwick unblock TARGET` (after a stuck change) or \
         `bailiwick unquarantine COMPONENT`",
    )
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Look at the targets with the probes that policy grants there
    Check(Check),
    /// Print all that anything could ever do: every action, literally, and why it is there
    Review(Review),
    /// Print every limit: how much, what it bounds, what happens when it is reached, and who may change it
    Limits(Limits),
    /// List the components whose workers died, and which are held
    Quarantine(Quarantine),
    /// Let a quarantined component run again
    ///
    /// Asks for the component's id at a terminal; with --yes it asks nothing.
    Unquarantine(Unquarantine),
    /// Make a plan of what a fix would change on a target
    ///
    /// Prints the plan as a difference, and stores it under its digest. A plan changes nothing on the target.
    Plan(Plan),
    /// Apply a plan, verify it, and roll it back if it fails
    ///
    /// At a terminal it prints the plan and asks for confirmation. With --approval it accepts an approver's signature. Otherwise policy
    /// must allow unattended changes. Exit code 3: denied, 5: rolled back, 6: stuck or open.
    Apply(Apply),
    /// Roll back a change
    ///
    /// Possible at any time. It is denied if an object was edited after the change; then it prints the difference.
    Rollback(Rollback),
    /// Find out the state of open changes after a crash
    ///
    /// Reads the journal, the gates and the objects, and changes nothing on a target.
    Recover,
    /// Apply, roll back and re-apply a fix on a staging target
    ///
    /// Policy allows unattended changes only by a fix with a recent successful rehearsal.
    Rehearse(Rehearse),
    /// List changes and their status
    Changes(Changes),
    /// Check all targets and verify all applied changes
    ///
    /// Changes nothing on a target, and records the result of the day in the journal.
    Rounds(Rounds),
    /// Stop all changes on all targets now
    ///
    /// A change that is under way is rolled back, or left open with `[change] hold-on-stop = true`. `bailiwick resume` allows changes again.
    Stop(Stop),
    /// Allow changes again after `stop`
    ///
    /// Asks for confirmation at a terminal; no flag replaces it. With --clock it confirms the system clock instead.
    Resume(Resume),
    /// Allow changes on a target again after a stuck change
    ///
    /// Repair the target first. Asks for the target's name at a terminal; no flag replaces it.
    Unblock(Unblock),
    /// Begin a probe: a folder with its sources, that builds, tests and packs with the commands in its README
    New(New),
    /// Write the contract, as far as a manifest asks for it, for toolchains that import all they are given
    Wit(Wit),
    /// Show what a component's file is: digest, world, imports down to the function
    Inspect(Inspect),
    /// Show what a component could ever do here, and accept it if you agree
    Add(Add),
    /// Agree to a held version, or to what policy or fleet have added
    Approve(Approve),
    /// End an acceptance; the bytes must not come back
    Revoke(Revoke),
    /// List what is accepted, or check that it is still so
    Lock(Lock),
    /// Check a component against its manifest, and seal both into one file
    Pack(Pack),
    /// Put a component to its cases, offline; or record a new one from a live target
    ///
    /// A case (cases/NAME.toml) holds a target's answers and the findings they must lead to. The component runs in its
    /// sandbox as in `check`; only the answers are played back, and nothing is reached.
    Test(Test),
    /// Run recorded runs again on what was recorded, offline, and hold the reports against one another
    ///
    /// The component that ran then gets the grant, settings, clock and answers that stand in the journal, in its sandbox as
    /// in `check`. Nothing is reached, and neither fleet nor policy is read. Exit code 7: a report differs; 4: a run cannot be
    /// replayed.
    Replay(Replay),
    /// Write the list of machines
    Fleet {
        #[command(subcommand)]
        command: Fleet,
    },
    /// Show, install and verify what holds a target to its grant
    ///
    /// A gate is a script that a person installs on the target. It lists every action of the target's grants; sshd and sudo run it
    /// for two keys, one that looks and one that changes, and it does nothing that it does not list.
    Gate {
        #[command(subcommand)]
        command: Gate,
    },
    /// Read the record of what happened
    Journal {
        #[command(subcommand)]
        command: Journal,
    },
    /// Show how a target's numbers went: first, last, change of the last week, and a line
    ///
    /// The numbers are those of the runs in the journal. Only what components report as metrics is there.
    Trend(Trend),
    /// Look after the numbers that `trend` shows and components are told of
    History {
        #[command(subcommand)]
        command: History,
    },
    /// Check this installation: kernel, files, keys, pins, journal, clock
    ///
    /// Nothing is changed, and nothing is sent to a target. Exit code 1: warnings, 2: problems.
    Doctor(Doctor),
    /// Print the JSON Schema of `check --format json`
    Schema,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Only this target; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub(super) target: Vec<String>,

    /// Only this probe; may be given more than once
    #[arg(long, value_name = "ID")]
    pub(super) probe: Vec<String>,

    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Rendering,

    /// Write it into a file as well, whole or not at all; may be given more than once: --write textfile=/var/lib/x/bailiwick.prom
    #[arg(long, value_name = "FORMAT=FILE", value_parser = Write::parse)]
    pub(super) write: Vec<Write>,

    /// Targets that are looked at at once
    #[arg(long, value_name = "N", default_value_t = limits::JOBS, value_parser = clap::value_parser!(u64).range(1..=limits::JOBS_MAX))]
    pub(super) jobs: u64,

    /// Longest wait for a target in each step of a connection: TCP, handshake, login
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(super) connect_timeout: u16,

    /// The least severity that makes the exit code 1
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub(super) fail_on: FailOn,

    /// Refuse to run a component where the kernel cannot lock its worker down in every way [policy.toml: `[worker]
    /// require-lockdown = true`]
    #[arg(long)]
    pub(super) require_lockdown: bool,

    /// Every finding, with metrics and the actions it rests on
    #[arg(long, short)]
    pub(super) verbose: bool,
}

/// Where else a sweep goes.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) format: Rendering,
    pub(super) file: PathBuf,
}

impl Write {
    fn parse(text: &str) -> Result<Self, String> {
        let (format, file) = text.split_once('=').ok_or("it is FORMAT=FILE, such as junit=report.xml")?;
        let format = Rendering::from_str(format, false).map_err(|_| {
            let known: Vec<_> = Rendering::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
            let known: Vec<_> = known.iter().map(|value| value.get_name()).collect();
            format!("there is no format `{}`; there are: {}", format.escape_default(), known.join(", "))
        })?;
        if file.is_empty() {
            return Err("the file's name is missing".to_owned());
        }
        Ok(Self { format, file: file.into() })
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Review {
    /// A target or a component [default: everything]
    #[arg(value_name = "TARGET|COMPONENT")]
    pub(super) name: Option<String>,

    /// Only the byte strings that can reach a target: its name, a tab, the string
    #[arg(long, conflicts_with = "format")]
    pub(super) wire: bool,

    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Limits {
    /// A component [default: what holds for every one that policy does not name]
    #[arg(value_name = "COMPONENT")]
    pub(super) component: Option<String>,

    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Quarantine {
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Unquarantine {
    /// The component
    #[arg(value_name = "COMPONENT")]
    pub(super) component: String,

    /// The reason, for the record
    #[arg(long, value_name = "TEXT")]
    pub(super) why: Option<String>,

    /// Do not ask for confirmation; required without a terminal
    #[arg(long)]
    pub(super) yes: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct New {
    /// What the component is to be called: small letters, digits and hyphens
    pub(super) name: String,

    /// The language
    #[arg(long, value_name = "LANGUAGE")]
    pub(super) lang: Lang,

    /// The folder to make, or an empty one; the ops directory is of no interest here [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Lang {
    /// Rust, with the SDK
    Rust,
    /// JavaScript, in QuickJS
    Js,
    /// Python, in CPython
    Python,
    /// C, with the contract's bindings
    C,
    /// None: checks in manifest.toml, for the built-in interpreter
    Toml,
}

#[derive(Debug, clap::Args)]
pub(super) struct Wit {
    /// What is asked for
    #[arg(long, value_name = "FILE", default_value = "manifest.toml")]
    pub(super) manifest: PathBuf,

    /// The folder to write; files of an earlier `wit` in it are renewed, nobody else's [default: wit beside the manifest]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Inspect {
    /// A component's file; its manifest is the one sealed into it, or beside it (same name, .toml)
    pub(super) file: PathBuf,

    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// Run the hostile components that are part of this program against this installation, here and now, and tell what
    /// stopped each; exit code 0 only if every attempt was stopped
    #[arg(long)]
    pub(super) prove: bool,

    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Pack {
    /// The component, as its compiler made it
    pub(super) file: PathBuf,

    /// What it asks for [default: FILE's name with .toml, else ./manifest.toml]
    #[arg(long, value_name = "FILE")]
    pub(super) manifest: Option<PathBuf>,

    /// Where to write it; only an earlier packing of the same component is written over [default: ./ID.wasm]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,

    /// Take out what only debuggers read: names, producers, debugging information
    #[arg(long)]
    pub(super) strip: bool,

    /// Sign it too, with an Ed25519 key as ssh-keygen stores it, without a passphrase; writes OUT.sig
    #[arg(long, value_name = "KEYFILE")]
    pub(super) sign: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Test {
    /// A component's file, or the folder with its manifest.toml; there ID.wasm, target/probe.wasm, dist/ID.wasm and
    /// ../dist/ID.wasm are looked for, and the one written last is taken
    #[arg(value_name = "DIR|FILE", default_value = ".")]
    pub(super) path: PathBuf,

    /// Only these cases [default: all]
    #[arg(value_name = "CASE")]
    pub(super) cases: Vec<String>,

    /// The component [default: as above]
    #[arg(long, value_name = "FILE")]
    pub(super) component: Option<PathBuf>,

    /// What it asks for [default: DIR/manifest.toml; for a FILE what is sealed in, else beside it]
    #[arg(long, value_name = "FILE")]
    pub(super) manifest: Option<PathBuf>,

    /// Where the cases are [default: cases/ in DIR or beside FILE]
    #[arg(long, value_name = "DIR")]
    pub(super) case_dir: Option<PathBuf>,

    /// Run it on a target of the ops directory, as `check` would, and write what was asked, answered and found to
    /// cases/NAME.toml, which must not be there yet
    #[arg(long, value_name = "NAME", requires = "target", conflicts_with = "cases")]
    pub(super) record: Option<String>,

    /// The target to record from
    #[arg(long, value_name = "NAME", requires = "record")]
    pub(super) target: Option<String>,

    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["number", "last", "component"]))]
pub(super) struct Replay {
    /// A run's number, or a sweep's: all its runs; `bailiwick journal list` shows them
    #[arg(value_name = "RUN|SWEEP")]
    pub(super) number: Option<u64>,

    /// The latest sweep
    #[arg(long)]
    pub(super) last: bool,

    /// All runs of this component
    #[arg(long, value_name = "ID", requires = "since")]
    pub(super) component: Option<String>,

    /// Those that began on this day or at this time, or later: 2026-11-01, or 2026-11-01T12:00:00Z; days are UTC
    #[arg(long, value_name = "DATE", requires = "component")]
    pub(super) since: Option<String>,

    /// Instead of what ran, run this component, and show line by line what it would have said
    #[arg(long, value_name = "NEW.wasm")]
    pub(super) with: Option<PathBuf>,

    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

#[derive(Debug, Subcommand)]
pub(super) enum Gate {
    /// Print the script as it would be installed today
    Show {
        /// The target
        target: String,
    },
    /// Print a script that installs it, for a person to read and to run as root on the target
    InstallScript {
        /// The target
        target: String,
    },
    /// Compare what is installed with what the grant says today
    Verify {
        /// The target
        target: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Fleet {
    /// Turn ssh_config and known_hosts into pinned fleet entries, for a person to read
    ///
    /// ssh_config is read through `ssh -G`, which runs the commands of `Match exec` lines in it. Nothing connects. The
    /// entries go to stdout; from then on neither file is read again.
    Import {
        /// Hosts as you type them after `ssh` [default: every Host of the file without a wildcard]
        #[arg(value_name = "HOST")]
        hosts: Vec<String>,

        /// The configuration [default: ~/.ssh/config]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,

        /// The known host keys [default: what ssh itself would read]
        #[arg(long, value_name = "FILE")]
        known_hosts: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Journal {
    /// List the latest runs
    List {
        /// How many
        #[arg(long, value_name = "N", default_value = "20")]
        last: usize,
    },
    /// Show all that is recorded of a run: asked, granted, sent, answered, ended
    Show {
        /// The run's number
        run: u64,
    },
    /// Check that the journal is what was written, and say where it is not
    ///
    /// It is held against every anchor of policy.toml: targets are connected to, and what they took is read back.
    Verify {
        /// Read no policy and reach no anchor: only this machine's own word
        #[arg(long)]
        offline: bool,
    },
    /// Let evidence go that policy does not keep any longer: `[retention]` in policy.toml
    ///
    /// Entries stay, and the chain with them; what goes is written down first, so that it is told as pruned, not as
    /// missing.
    Prune {
        /// Only tell what would go
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Trend {
    /// The target
    #[arg(value_name = "TARGET")]
    pub(super) target: String,

    /// Only this metric, such as used-percent [default: all]
    #[arg(value_name = "METRIC")]
    pub(super) metric: Option<String>,

    /// Only numbers of this component
    #[arg(long, value_name = "ID")]
    pub(super) component: Option<String>,

    /// Only numbers of findings with this code
    #[arg(long, value_name = "CODE")]
    pub(super) code: Option<String>,

    /// Only numbers of findings about this, such as a mount point
    #[arg(long, value_name = "TEXT")]
    pub(super) subject: Option<String>,

    /// From when on: so many hours, days or weeks back (48h, 35d, 8w), or a date (2026-11-01)
    #[arg(long, value_name = "WHEN", default_value = "35d")]
    pub(super) since: String,

    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

#[derive(Debug, Subcommand)]
pub(super) enum History {
    /// Make the database again from the journal
    Rebuild,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// For programs, with a versioned format
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Rendering {
    /// For people
    Table,
    /// For programs, with a versioned format
    Json,
    /// For a ticket or a chat
    Markdown,
    /// A page that loads nothing
    Html,
    /// JUnit XML, for whatever shows the tests of a build
    Junit,
    /// A Nagios plugin's output; the exit code is then a plugin's too: 0 ok, 1 warning, 2 critical, 3 unknown
    Nagios,
    /// SARIF 2.1.0
    Sarif,
    /// Metrics for the textfile collector of Prometheus' node exporter
    Textfile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// Not being able to tell counts too
    Unknown,
    /// Warnings and worse
    Warning,
    /// Critical findings only
    Critical,
    /// Findings never decide
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On terminals
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}
