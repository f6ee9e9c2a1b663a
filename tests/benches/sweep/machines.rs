//! Real sshd, the ops directory that grants the built-in probes on them, and the same as a plan for the bare client.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use bailiwick_tests::fleet::{Entry, fleet_toml};
use bailiwick_tests::sshd::{Options, Sshd, user};
use tempfile::TempDir;

use crate::bare::Machine;
use crate::relay::{self, Count};

/// All that need nothing bound, and the two that a unit makes complete.
const POLICY: &str = include_str!("../policy.toml");

/// How clients get to the machines.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// As they would.
    Straight,
    /// Through relays that count.
    Counted,
}

/// The machines, removed with the value.
pub(crate) struct Machines {
    dir: TempDir,
    servers: Vec<Sshd>,
    strings: usize,
    relayed: Count,
}

impl Machines {
    pub(crate) fn start(count: usize, program: &Path) -> Result<Self> {
        let config = ["UseDNS no", "LogLevel INFO", "PrintMotd no"].map(str::to_owned).to_vec();
        let options = Options { config, ..Options::default() };
        let servers = (0..count).map(|_| Sshd::start(&options)).collect::<Result<Vec<_>>>()?;
        let mut all = Self { dir: tempfile::tempdir()?, servers, strings: 0, relayed: Count::default() };
        for way in [Way::Straight, Way::Counted] {
            all.strings = all.write(way, program)?;
        }
        Ok(all)
    }

    /// Writes an ops directory, and the plan that `review --wire` makes of it. Gives the number of exec strings.
    fn write(&self, way: Way, program: &Path) -> Result<usize> {
        let ops = self.ops(way);
        fs::create_dir(&ops)?;
        let (mut entries, mut plan) = (Vec::new(), Vec::new());
        for (index, server) in self.servers.iter().enumerate() {
            let address = match way {
                Way::Straight => server.address(),
                Way::Counted => relay::start(server.address(), &self.relayed)?,
            };
            let name = format!("host{index:03}");
            let host_key = server.host_key("ed25519")?.to_owned();
            let entry = Entry::at(&name, address, &server.user_key())?.text("host-key", &host_key);
            entries.push(entry.with("tags", "[\"bench\"]"));
            let machine =
                Machine { address, user: user()?, identity: server.user_key(), host_key, strings: Vec::new() };
            plan.push((name, machine));
        }
        fs::write(ops.join("fleet.toml"), fleet_toml(&entries, &[]))?;
        fs::write(ops.join("policy.toml"), POLICY)?;

        let review = Command::new(program).args(["review", "--wire", "--dir"]).arg(&ops).output()?;
        ensure!(review.status.success(), "review: {}", String::from_utf8_lossy(&review.stderr));
        let mut strings: HashMap<String, Vec<String>> = HashMap::new();
        for line in String::from_utf8(review.stdout)?.lines() {
            let (name, string) = line.split_once('\t').context("a line of `review --wire`")?;
            strings.entry(name.to_owned()).or_default().push(string.to_owned());
        }
        let mut all = 0;
        let mut machines = Vec::new();
        for (name, mut machine) in plan {
            machine.strings = strings.remove(&name).context("a target without exec strings")?;
            all += machine.strings.len();
            machines.push(machine);
        }
        fs::write(self.plan(way), serde_json::to_vec(&machines)?)?;
        Ok(all)
    }

    pub(crate) fn ops(&self, way: Way) -> PathBuf {
        self.dir.path().join(format!("{way:?}"))
    }

    pub(crate) fn plan(&self, way: Way) -> PathBuf {
        self.dir.path().join(format!("{way:?}.json"))
    }

    pub(crate) fn count(&self) -> usize {
        self.servers.len()
    }

    /// Exec strings of all machines.
    pub(crate) fn strings(&self) -> usize {
        self.strings
    }

    /// Bytes that the relays have passed on.
    pub(crate) fn relayed(&self) -> u64 {
        self.relayed.load(Ordering::Relaxed)
    }
}
