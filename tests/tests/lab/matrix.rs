//! Every probe and every fault of the lab: what each fault changes in what each probe reports, as a golden.
//!
//! A cell is a probe's worst severity on a target and the codes of the findings that have it. Numbers and titles are not in it, because
//! they differ between labs. The test fails if a fault changes a target that it does not concern, and if a fault is
//! switched off and still seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::World;
use bailiwick_policy::library::Library;
use bailiwick_tests::lab::{Lab, ProbeResult, faults};

use crate::PROGRAM;

const COLLECTORS: &[&str] = &["collect01", "collect02", "collect03", "collect04"];
const PROMETHEUS: &str = "mon01";
/// They report nothing in their first minute, and they remember earlier values: they run in the first round only.
const TRENDS: [&str; 3] = ["database-growth", "disk-growth", "memory-trend"];

/// One switch of the lab, and the targets that it concerns.
struct Switch {
    host: &'static str,
    name: &'static str,
    argument: Option<&'static str>,
    /// The lab boots with it on: the repair is tested.
    repair: bool,
    /// Targets that may see it; the host itself is one.
    seen_on: &'static [&'static str],
    /// Why no probe sees it.
    unseen: Option<&'static str>,
}

impl Switch {
    const fn with_argument(self, argument: &'static str) -> Self {
        Self { argument: Some(argument), ..self }
    }
    const fn seen_on(self, seen_on: &'static [&'static str]) -> Self {
        Self { seen_on, ..self }
    }
    const fn unseen(self, why: &'static str) -> Self {
        Self { unseen: Some(why), ..self }
    }
    fn concerns(&self, target: &str) -> bool {
        self.host == target || self.seen_on.contains(&target)
    }
    fn title(&self) -> String {
        format!("{}{}", self.name, if self.repair { " off" } else { "" })
    }
}

const fn on(host: &'static str, name: &'static str) -> Switch {
    Switch { host, name, argument: None, repair: false, seen_on: &[], unseen: None }
}
const fn off(host: &'static str, name: &'static str) -> Switch {
    Switch { repair: true, ..on(host, name) }
}

/// Faults that are on at the same time, no two of them seen by the same target, and their minimum time in seconds.
type Round = (u64, &'static [Switch]);

const ROUNDS: &[Round] = &[
    (
        85, // the trends need this long
        &[
            on("db01", "disk-growth").with_argument("2000000"),
            on("mon01", "memory-leak"),
            on("source", "feeds-403").seen_on(COLLECTORS),
            on("nas01", "backup-stale"),
            off("agent01", "containers-well"),
        ],
    ),
    (
        8,
        &[
            on("db01", "job-failing"),
            on("mon01", "prometheus-down"),
            on("collect01", "stale-file"),
            on("collect02", "full-disk"),
            on("collect03", "inodes-full"),
            on("collect04", "corrupt-output"),
            on("nas01", "backup-shrunk"),
            on("agent01", "container-down"),
        ],
    ),
    (
        45, // feeds are late after half a minute
        &[
            on("db01", "lock-held").seen_on(COLLECTORS),
            on("mon01", "cert-expiring"),
            on("nas01", "unit-busy"),
            on("agent01", "container-unhealthy"),
        ],
    ),
    (
        45,
        &[
            on("db01", "database-down").seen_on(COLLECTORS),
            on("mon01", "rule-broken"),
            on("nas01", "logged-in"),
            on("agent01", "load-high"),
        ],
    ),
    (
        45, // one error a second, and one an hour over a day is what is warned from
        &[
            on("db01", "long-transaction"),
            on("mon01", "rules-present"),
            on("collect01", "reboot-required"),
            on("collect02", "failed-service"),
            on("collect03", "log-errors"),
            on("collect04", "flapping-service"),
            on("nas01", "unexpected-listener"),
            on("agent01", "memory-low"),
        ],
    ),
    (
        8,
        &[
            on("db01", "replication-lag"),
            on("mon01", "alert-firing"),
            on("collect01", "dpkg-lock").unseen("what is asked needs no lock"),
            on("collect02", "updates-pending"),
            on("collect03", "clock-skew"),
            on("collect04", "clock-kept"),
            on("nas01", "lists-old"),
        ],
    ),
    (
        8,
        &[
            on("db01", "standby-down"),
            on("mon01", "config-broken"),
            on("collect01", "passwords-on"),
            on("collect02", "unmounted"),
            on("collect03", "unit-disabled"),
            on("collect04", "log-unrotated"),
            on("nas01", "slow-host").with_argument("200").unseen("slow is not a failure"),
        ],
    ),
    (
        45,
        &[
            on("db01", "exporter-unconnected").seen_on(&[PROMETHEUS]),
            on("source", "source-down").seen_on(COLLECTORS),
            on("agent01", "container-errors"),
        ],
    ),
    (10, &[off("db01", "exporter-broken").seen_on(&[PROMETHEUS])]),
    (
        10,
        &[
            on("db01", "connections-many"),
            on("collect01", "file-left-over"),
            on("collect02", "target-down").seen_on(&[PROMETHEUS]),
            on("collect03", "crashed-service"),
        ],
    ),
    (45, &[on("collect04", "collector-stuck")]),
    (
        15, // Prometheus scrapes every five seconds and waits for ten
        &[
            on("db01", "fsync-off"),
            on("nas01", "host-down").seen_on(&[PROMETHEUS]),
            on("collect01", "host-key-changed"),
        ],
    ),
];

/// Cells by probe and target; `every probe` where the target could not be reached.
type Cells = BTreeMap<(String, String), String>;

struct Watch<'a> {
    lab: &'a Lab,
    probes: Vec<&'a str>,
}

impl Watch<'_> {
    fn check(&self) -> Result<Cells> {
        let results = self.lab.check(&[], &self.probes)?.results();
        Ok(results.into_iter().map(|ProbeResult { component, target, words }| ((component, target), words)).collect())
    }

    /// The cells after `least`, as soon as two checks in a row agree.
    fn settled(&self, least: Duration) -> Result<Cells> {
        let begun = Instant::now();
        let mut before = self.check()?;
        loop {
            std::thread::sleep(Duration::from_secs(if begun.elapsed() < least { 6 } else { 1 }));
            let now = self.check()?;
            if now == before && begun.elapsed() >= least {
                return Ok(now);
            }
            ensure!(
                begun.elapsed() < least + Duration::from_secs(60),
                "never twice the same: {:#?}",
                changes(&before, &now)
            );
            before = now;
        }
    }

    /// Waits until the cells are again those of the booted lab.
    fn back_to(&self, booted: &Cells) -> Result<()> {
        let begun = Instant::now();
        loop {
            let now = self.check()?;
            let left = changes(booted, &now);
            if left.is_empty() {
                return Ok(());
            }
            ensure!(begun.elapsed() < Duration::from_secs(60), "switched off, and still seen: {left:#?}");
            std::thread::sleep(Duration::from_secs(2));
        }
    }
}

/// The cells that differ now, for the probes that ran; a target that is not reached has one cell.
fn changes(booted: &Cells, now: &Cells) -> Cells {
    let different = now.iter().filter(|(key, words)| booted.get(*key) != Some(words));
    different.map(|(key, words)| (key.clone(), words.clone())).collect()
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn what_each_probe_reports_under_each_fault() -> Result<()> {
    every_fault_is_switched()?;
    let library = Library::built_in()?;
    let is_probe = |manifest: &&Manifest| manifest.world == World::Probe;
    let probes: Vec<&str> = library
        .components()
        .values()
        .map(|file| &file.manifest)
        .filter(is_probe)
        .map(|manifest| manifest.id.as_str())
        .collect();
    let lab = Lab::find(PROGRAM)?;
    let all = Watch { lab: &lab, probes: probes.clone() };
    // As it boots, two containers are sick, and no probe would show a third.
    let _well = lab.fault("agent01", "containers-well", None)?;
    let booted = all.settled(Duration::from_secs(100))?;
    let mut seen: Vec<(&Switch, Cells)> = Vec::new();
    for (number, (least_s, round)) in ROUNDS.iter().enumerate() {
        eprintln!("round {number}: {}", round.iter().map(Switch::title).collect::<Vec<_>>().join(", "));
        let asked = probes.iter().copied().filter(|probe| number == 0 || !TRENDS.contains(probe)).collect();
        let watch = Watch { lab: &lab, probes: asked };
        if number > 0 {
            // The log entries of one fault must not affect the next.
            for host in COLLECTORS.iter().chain(&["db01", "mon01"]) {
                lab.enter(host, &["journalctl", "--quiet", "--rotate", "--vacuum-time=1s"])?;
            }
            watch.back_to(&booted).with_context(|| format!("before round {number}"))?;
        }
        let on = round.iter().map(|it| match it.repair {
            true => lab.repair(it.host, it.name),
            false => lab.fault(it.host, it.name, it.argument),
        });
        let _guards = on.collect::<Result<Vec<_>>>()?;
        let now = watch.settled(Duration::from_secs(*least_s))?;
        let mut changed = changes(&booted, &now);
        for switch in *round {
            let (mine, others) = changed.into_iter().partition(|((_, target), _)| switch.concerns(target));
            changed = others;
            seen.push((switch, mine));
        }
        ensure!(changed.is_empty(), "round {number}: no fault is about these: {changed:#?}");
    }
    seen.sort_by_key(|(switch, _)| switch.title());
    let page = page(&probes, &booted, &seen)?;
    let mut wrong = Vec::new();
    for (switch, cells) in &seen {
        match switch.unseen {
            Some(why) if !cells.is_empty() => {
                wrong.push(format!("{} is seen, though {why}: {cells:#?}", switch.title()))
            }
            None if cells.is_empty() => wrong.push(format!("no probe sees {}", switch.title())),
            _ => {}
        }
    }
    wrong.extend(every_probe_was_well_and_sick(&probes, &booted, &seen));
    ensure!(wrong.is_empty(), "{page}\n{}", wrong.join("\n"));
    ensure!(lab.touched_the_firewall()? == 0);
    insta::assert_snapshot!(page);
    Ok(())
}

/// Without a lab: the golden has the current probes and faults.
#[test]
fn the_golden_has_every_probe_and_every_fault() -> Result<()> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/lab/snapshots/lab__matrix__what_each_probe_reports_under_each_fault.snap");
    let golden = std::fs::read_to_string(golden)?;
    let library = Library::built_in()?;
    let probes =
        library.components().values().map(|file| &file.manifest).filter(|manifest| manifest.world == World::Probe);
    for probe in probes {
        ensure!(golden.contains(&format!("\n\n{}\n    ", probe.id)), "no row of {}", probe.id);
    }
    for switch in ROUNDS.iter().flat_map(|(_, round)| *round) {
        let argument = switch.argument.map(|it| format!(" {it}")).unwrap_or_default();
        let column = format!("  {}{argument} on {}", switch.title(), switch.host);
        ensure!(
            golden.contains(&column),
            "no column of `{column}`: tests/lab/scenarios -E 'test(/^matrix::/)' makes it"
        );
    }
    every_fault_is_switched()
}

fn every_fault_is_switched() -> Result<()> {
    let known: BTreeSet<String> = faults()?.into_iter().collect();
    let switched: BTreeSet<String> = ROUNDS.iter().flat_map(|(_, round)| *round).map(|it| it.name.to_owned()).collect();
    ensure!(known == switched, "the lab's faults and these differ: {:?}", known.symmetric_difference(&switched));
    Ok(())
}

fn every_probe_was_well_and_sick(probes: &[&str], booted: &Cells, seen: &[(&Switch, Cells)]) -> Vec<String> {
    let all = || booted.iter().chain(seen.iter().flat_map(|(_, cells)| cells));
    let ever =
        |probe: &str, is: fn(char) -> bool| all().any(|((probe_id, _), words)| probe_id == probe && is(letter(words)));
    let never_well: Vec<_> = probes.iter().filter(|probe| !ever(probe, |it| it == 'o')).collect();
    let never_sick: Vec<_> = probes.iter().filter(|probe| !ever(probe, |it| matches!(it, 'w' | 'c'))).collect();
    let never = [("well", never_well), ("sick", never_sick)];
    never.into_iter().filter(|(_, none)| !none.is_empty()).map(|(what, it)| format!("never {what}: {it:?}")).collect()
}

fn letter(words: &str) -> char {
    match words.split([' ', ':']).next() {
        Some("could") => '?',
        Some("fault") => '!',
        first => first.and_then(|word| word.chars().next()).unwrap_or('?'),
    }
}

/// The matrix, then each cell in words.
fn page(probes: &[&str], booted: &Cells, seen: &[(&Switch, Cells)]) -> Result<String> {
    let mut page = String::from(
        "A letter is the worst result of a probe under a fault, where it differs from the result without the fault:\n\
         o ok, w warning, c critical, u unknown, ? could not check, ! component fault. The first column is the lab as\n\
         it boots, with its containers repaired.\n\n",
    );
    for (number, (switch, _)) in seen.iter().enumerate() {
        let argument = switch.argument.map(|it| format!(" {it}")).unwrap_or_default();
        let why = switch.unseen.map(|why| format!(": not seen, {why}")).unwrap_or_default();
        writeln!(page, "{:>2}  {}{argument} on {}{why}", number + 1, switch.title(), switch.host)?;
    }
    let worst = |cells: &Cells, probe: &str| {
        let letters = cells.iter().filter(|((probe_id, _), _)| probe_id == probe).map(|(_, words)| letter(words));
        letters.max_by_key(|letter| ['o', 'u', '?', 'w', 'c', '!'].iter().position(|known| known == letter))
    };
    let digits = |digit: fn(usize) -> usize| (1..=seen.len()).map(|n| digit(n).to_string()).collect::<String>();
    write!(page, "\n{:28}{}\n{:28}{}\n", "", digits(|n| n / 10), "", digits(|n| n % 10))?;
    for probe in probes {
        let row: String = seen.iter().map(|(_, cells)| worst(cells, probe).unwrap_or('.')).collect();
        writeln!(page, "{probe:26}{} {row}", worst(booted, probe).unwrap_or(' '))?;
    }
    let all = probes.iter().copied().chain([ProbeResult::EVERY_PROBE]);
    for probe in all {
        writeln!(page, "\n{probe}")?;
        let mut by_words: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for ((_, target), words) in booted.iter().filter(|((probe_id, _), _)| probe_id == probe) {
            by_words.entry(words).or_default().push(target);
        }
        for (words, targets) in by_words {
            writeln!(page, "    {:24}{words} on {}", "as the lab boots", targets.join(", "))?;
        }
        for (switch, cells) in seen {
            let mut by_words: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for ((_, target), words) in cells.iter().filter(|((probe_id, _), _)| probe_id == probe) {
                by_words.entry(words).or_default().push(target);
            }
            for (words, targets) in by_words {
                writeln!(page, "    {:24}{words} on {}", switch.title(), targets.join(", "))?;
            }
        }
    }
    Ok(page)
}
