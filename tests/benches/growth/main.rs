//! `cargo bench -p bailiwick-tests --bench growth`: how the cost of a sweep grows with the number of targets.
//!
//! The targets are one process that speaks the real SSH protocol on addresses of 127.0.0.0/8, each with a host key of its
//! own. It answers every exec string with what this machine answered to it once. Its cost is not counted.
//!
//! `BENCH_TARGETS` (default `10,100,1000`) and `BENCH_ROUNDS` (default 3) change what is measured. `cargo test --benches`
//! runs one round over five targets, to see that it works.

#[path = "../sweep/child.rs"]
mod child;
mod memory;
mod simulated;
#[path = "../stats/mod.rs"]
mod stats;

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use self::simulated::Simulated;
use self::stats::{load, median, range, seconds, setting};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [simulated::ARGUMENT, plan] => simulated::main(plan.as_ref()),
        // How test runners ask what there is.
        args if args.contains(&"--list") => Ok(()),
        args if args.contains(&"--bench") => {
            let sizes: String = setting("BENCH_TARGETS", "10,100,1000".to_owned());
            let sizes = sizes.split(',').map(|size| size.trim().parse()).collect::<Result<Vec<_>, _>>()?;
            growth(&sizes, setting("BENCH_ROUNDS", 3))
        }
        _ => growth(&[5], 1),
    }
}

/// The cost of one size: the median of its rounds.
struct Row {
    targets: f64,
    wall: f64,
    cpu: f64,
    broker_mib: f64,
    all_mib: f64,
}

fn growth(sizes: &[usize], rounds: usize) -> Result<()> {
    let program: PathBuf = setting("BENCH_PROGRAM", env!("CARGO_BIN_EXE_bailiwick-under-test").into());
    let before = load();
    let rows = sizes.iter().map(|&size| row(&program, size, rounds)).collect::<Result<Vec<_>>>()?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "\ngrowth: ten probes on simulated targets, {rounds} rounds, load {before} before, {} after\n",
        load()
    )?;
    writeln!(
        out,
        "{:>8}{:>10}{:>10}{:>14}{:>14}{:>16}{:>16}",
        "targets", "wall", "CPU", "CPU each", "broker", "all processes", "memory each"
    )?;
    for row in &rows {
        writeln!(
            out,
            "{:>8}{:>8.2} s{:>8.2} s{:>11.2} ms{:>10.1} MiB{:>12.1} MiB{:>12.1} KiB",
            row.targets,
            row.wall,
            row.cpu,
            row.cpu * 1e3 / row.targets,
            row.broker_mib,
            row.all_mib,
            row.all_mib * 1024.0 / row.targets
        )?;
    }
    if let [first, .., last] = rows.as_slice() {
        let more = last.targets - first.targets;
        writeln!(
            out,
            "\neach further target: {:.2} ms of CPU, {:.1} KiB of memory; {:.0} times the targets cost {:.1} times the CPU and {:.1} times the memory",
            (last.cpu - first.cpu) * 1e3 / more,
            (last.all_mib - first.all_mib) * 1024.0 / more,
            last.targets / first.targets,
            last.cpu / first.cpu,
            last.all_mib / first.all_mib
        )?;
    }
    writeln!(
        out,
        "CPU is the client's with its workers; memory is the largest sum of proportional set sizes, sampled."
    )?;
    Ok(())
}

fn row(program: &PathBuf, targets: usize, rounds: usize) -> Result<Row> {
    let simulated = Simulated::start(targets, program)?;
    let (mut walls, mut cpus, mut brokers, mut alls) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // The first warms up, and is not counted.
    for round in 0..=rounds {
        let mut check = Command::new(program);
        check.args(["check", "--format", "json", "--dir"]).arg(simulated.ops());
        check.arg("--state").arg(simulated.ops().join("state"));
        let sampler = memory::Sampler::start(simulated.ops());
        let (spent, answer) = child::run(&mut check)?;
        let peak = sampler.finish();
        // 1: findings; 4: a probe could not check, as where there is no systemd.
        ensure!(matches!(spent.code, Some(0 | 1 | 4)), "bailiwick check ended with {:?}", spent.code);
        let report: serde_json::Value = serde_json::from_slice(&answer)?;
        let count = |what: &str| report.pointer(&format!("/summary/{what}")).and_then(serde_json::Value::as_u64);
        ensure!(count("targets/total") == Some(targets as u64), "{:?} targets", count("targets/total"));
        for what in ["targets/unseen", "targets/refused", "runs/fault"] {
            ensure!(count(what) == Some(0), "{what}: {:?}", count(what));
        }
        if round > 0 {
            walls.push(seconds(spent.wall));
            cpus.push(seconds(spent.user + spent.system));
            // The sampler may miss the moment; the kernel does not.
            brokers.push(peak.broker_mib.max(spent.peak_mib));
            alls.push(peak.all_mib);
        }
    }
    let (low, high) = range(&walls);
    writeln!(std::io::stderr(), "{targets} targets: wall {low:.2}–{high:.2} s")?;
    #[expect(clippy::cast_precision_loss, reason = "thousands at most")]
    let targets = targets as f64;
    Ok(Row { targets, wall: median(&walls), cpu: median(&cpus), broker_mib: median(&brokers), all_mib: median(&alls) })
}
