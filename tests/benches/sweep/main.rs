//! `cargo bench -p bailiwick-tests --bench sweep`: a sweep over real sshd against a bare russh client that runs the same exec strings.
//!
//! Both are one child process with a runtime of one thread, one connection per target and up to eight channels on it,
//! with the same algorithms, window and socket options. Bailiwick adds the workers, the journal and the report. Rounds
//! alternate, and a ratio is the median over pairs of neighbours, so that a busy machine disturbs both alike.
//!
//! `BENCH_TARGETS` (default `10,50`), `BENCH_ROUNDS` (default 7) and `BENCH_PROGRAM` (another build of `bailiwick`) change what is
//! measured. With `BENCH_BEFORE` (an older build), a third client runs in each round, and the last column is the ratio of this build to
//! the older one. `cargo test --benches` runs one round over two targets, to see that it works.

mod bare;
mod child;
mod machines;
mod relay;
#[path = "../stats/mod.rs"]
mod stats;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use self::child::Spent;
use self::machines::{Machines, Way};
use self::stats::{load, median, range, seconds, setting};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [bare::ARGUMENT, plan] => bare::main(Path::new(plan)),
        // How test runners ask what there is.
        args if args.contains(&"--list") => Ok(()),
        args if args.contains(&"--bench") => {
            let sizes: String = setting("BENCH_TARGETS", "10,50".to_owned());
            for size in sizes.split(',') {
                compare(size.trim().parse()?, setting("BENCH_ROUNDS", 7))?;
            }
            Ok(())
        }
        _ => compare(2, 1),
    }
}

/// The two clients on one set of machines.
struct Contest {
    program: PathBuf,
    before: Option<PathBuf>,
    machines: Machines,
}

impl Contest {
    fn bailiwick(&self, way: Way) -> Result<Spent> {
        self.check(&self.program, "state", way)
    }

    /// The older build, with a journal and a module cache of its own.
    fn before(&self, way: Way) -> Result<Option<Spent>> {
        self.before.as_ref().map(|program| self.check(program, "state-before", way)).transpose()
    }

    fn check(&self, program: &Path, state: &str, way: Way) -> Result<Spent> {
        let dir = self.machines.ops(way);
        let mut check = Command::new(program);
        check.args(["check", "--format", "json", "--jobs", "64", "--dir"]).arg(&dir);
        let (spent, answer) = child::run(check.arg("--state").arg(dir.join(state)))?;
        // 1: findings; 4: a probe could not check, as where there is no systemd. That all targets were reached is checked below.
        ensure!(matches!(spent.code, Some(0 | 1 | 4)), "bailiwick check ended with {:?}", spent.code);
        let report: serde_json::Value = serde_json::from_slice(&answer)?;
        for what in ["unseen", "refused"] {
            let count = report.pointer(&format!("/summary/targets/{what}")).and_then(serde_json::Value::as_u64);
            ensure!(count == Some(0), "{count:?} targets {what}: {}", String::from_utf8_lossy(&answer));
        }
        let faults = report.pointer("/summary/runs/fault").and_then(serde_json::Value::as_u64);
        ensure!(faults == Some(0), "{faults:?} faults: {}", String::from_utf8_lossy(&answer));
        Ok(spent)
    }

    fn bare(&self, way: Way) -> Result<Spent> {
        let mut bare = Command::new(std::env::current_exe()?);
        let (spent, answer) = child::run(bare.arg(bare::ARGUMENT).arg(self.machines.plan(way)))?;
        let done: usize = String::from_utf8(answer)?.trim().parse().context("the bare client's count")?;
        ensure!(spent.code == Some(0) && done == self.machines.strings(), "the bare client ran {done} strings");
        Ok(spent)
    }

    /// TCP payload per target, both ways together: ours, theirs.
    fn bytes(&self) -> Result<(f64, f64)> {
        #[expect(clippy::cast_precision_loss, reason = "byte counts far below 2^52")]
        let per_target = |bytes: u64| bytes as f64 / self.machines.count() as f64;
        let start = self.machines.relayed();
        self.bailiwick(Way::Counted)?;
        let middle = self.machines.relayed();
        self.bare(Way::Counted)?;
        Ok((per_target(middle - start), per_target(self.machines.relayed() - middle)))
    }
}

fn compare(targets: usize, rounds: usize) -> Result<()> {
    let program: PathBuf = setting("BENCH_PROGRAM", env!("CARGO_BIN_EXE_bailiwick-under-test").into());
    let machines = Machines::start(targets, &program)?;
    let before: String = setting("BENCH_BEFORE", String::new());
    let contest = Contest { program, before: (!before.is_empty()).then(|| before.into()), machines };
    // Also warms both up.
    let bytes = contest.bytes()?;
    contest.before(Way::Straight)?;
    let load_before = load();
    let (mut ours, mut theirs, mut olds) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            olds.extend(contest.before(Way::Straight)?);
        }
        // Who goes second finds warmer machines: take turns.
        if round % 2 == 0 {
            ours.push(contest.bailiwick(Way::Straight)?);
            theirs.push(contest.bare(Way::Straight)?);
        } else {
            theirs.push(contest.bare(Way::Straight)?);
            ours.push(contest.bailiwick(Way::Straight)?);
            olds.extend(contest.before(Way::Straight)?);
        }
    }
    if ours.is_empty() {
        bail!("no rounds");
    }
    let strings = contest.machines.strings();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "\nsweep: {targets} sshd, {strings} exec strings, {rounds} rounds, load {load_before} before and {} after\n",
        load()
    )?;
    writeln!(
        out,
        "{:22}{:>12}{:>12}{:>10}{:>16}  by the older build",
        "", "bailiwick", "bare russh", "ratio", "ratios"
    )?;
    let mut row = |what: &str, value_of: fn(&Spent) -> f64, unit: &str| {
        let (a, b): (Vec<f64>, Vec<f64>) = (ours.iter().map(value_of).collect(), theirs.iter().map(value_of).collect());
        let ratios: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a / b).collect();
        let (low, high) = range(&ratios);
        let (ours, theirs) = (format!("{:.2} {unit}", median(&a)), format!("{:.2} {unit}", median(&b)));
        let olds: Vec<f64> = a.iter().zip(olds.iter().map(value_of)).map(|(new, old)| new / old).collect();
        let older = if olds.is_empty() { "-".to_owned() } else { format!("{:.2}", median(&olds)) };
        let spread = format!("{low:.2}–{high:.2}");
        writeln!(out, "{what:22}{ours:>12}{theirs:>12}{:>10.2}{spread:>16}  {older:>18}", median(&ratios))
    };
    row("wall", |spent| seconds(spent.wall), "s")?;
    row("client CPU", |spent| seconds(spent.user + spent.system), "s")?;
    row("  user", |spent| seconds(spent.user), "s")?;
    row("  system", |spent| seconds(spent.system), "s")?;
    row("peak RSS, largest", |spent| spent.peak_mib, "MiB")?;
    let kib = |bytes: f64| format!("{:.1} KiB", bytes / 1024.0);
    writeln!(out, "{:22}{:>12}{:>12}{:>10.2}", "wire per target", kib(bytes.0), kib(bytes.1), bytes.0 / bytes.1)?;
    let walls = |spent: &[Spent]| {
        let (low, high) = range(&spent.iter().map(|spent| seconds(spent.wall)).collect::<Vec<_>>());
        format!("{low:.2}–{high:.2} s")
    };
    writeln!(out, "\nnoise: wall {} and {}. CPU is the client's, with its workers.", walls(&ours), walls(&theirs))?;
    writeln!(out, "wire: TCP payload, both ways, counted by a relay in a round that is not timed.")?;
    Ok(())
}
