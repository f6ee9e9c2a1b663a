//! Grants of many components on many targets, from text to finite lists.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Result, anyhow};
use bailiwick_core::fleet::{Fleet, HostKey};
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::ComponentId;
use bailiwick_core::source::{Problems, Source};
use bailiwick_core::{fleet, manifest};
use bailiwick_policy::grant::Grant;
use bailiwick_policy::policy::{Assignments, Policy};
use bailiwick_policy::{grant, policy};

/// Sets that targets belong to, each component being granted on all of them.
const TAGS: usize = 5;

/// Files of a fleet with this many targets, and this many components on each.
pub(crate) struct Files {
    fleet: Source,
    policy: Source,
    manifests: BTreeMap<ComponentId, Manifest>,
}

impl Files {
    pub(crate) fn new(targets: u32, components: usize) -> Result<Self> {
        let mut manifests = BTreeMap::new();
        let mut names = Vec::new();
        for index in 0..components {
            let text = manifest_toml(index);
            let manifest = manifest::parse(&Source::embedded("manifest.toml", &text)).map_err(rendered)?;
            names.push(format!("{:?}", manifest.id.as_str()));
            manifests.insert(manifest.id.clone(), manifest);
        }
        let fleet = Source::embedded("fleet.toml", &fleet_toml(targets)?);
        let policy = Source::embedded("policy.toml", &policy_toml(&names.join(", ")));
        Ok(Self { fleet, policy, manifests })
    }

    pub(crate) fn read(&self) -> Result<(Fleet, Policy)> {
        Ok((
            fleet::parse(&self.fleet, Path::new("/"), None).map_err(rendered)?,
            policy::parse(&self.policy).map_err(rendered)?,
        ))
    }

    pub(crate) fn resolve(&self, fleet: &Fleet, policy: &Policy) -> Result<Assignments> {
        policy::resolve(policy, fleet, &self.manifests).map_err(rendered)
    }

    /// Every grant, handed to `each`; gives their number.
    pub(crate) fn compute(&self, fleet: &Fleet, policy: &Policy, all: &Assignments, each: fn(&Grant)) -> usize {
        let mut count = 0;
        for (name, components) in all {
            for (id, assignment) in components {
                if let (Some(manifest), Some(target)) = (self.manifests.get(id), fleet.targets.get(name)) {
                    each(&grant::compute(manifest, target, assignment, grant::Exclusions::from(policy)));
                    count += 1;
                }
            }
        }
        count
    }
}

fn rendered(problems: Problems) -> anyhow::Error {
    anyhow!("{}", problems.0.iter().map(|problem| problem.render(false)).collect::<String>())
}

/// A verb without object, a slot for one unit, a slot for several files, two settings.
fn manifest_toml(index: usize) -> String {
    format!(
        r#"
[component]
id = "probe-{index:02}"
version = "1.0.0"
world = "bailiwick:ops/probe@0.1.0"
title = "t"
[[use]]
verb = ["system.load", "system.memory"]
why = "w"
[[slot]]
name = "unit"
verb = ["services.status", "services.logs"]
default = "cron.service"
why = "w"
[[slot]]
name = "files"
verb = ["files.stat"]
many = true
why = "w"
[param.warn]
default = 1.0
about = "a"
[param.ignore]
default = []
about = "a"
"#
    )
}

fn fleet_toml(targets: u32) -> Result<String> {
    let mut text = String::new();
    for index in 0..targets {
        let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
        blob.extend([0; 28]);
        blob.extend(index.to_be_bytes());
        let [_, high, middle, low] = index.to_be_bytes();
        writeln!(
            text,
            "[targets.host{index:04}]\naddress = \"10.{high}.{middle}.{low}\"\nuser = \"bw-read\"\n\
             identity = \"/etc/key\"\nhost-key = \"{}\"\ntags = [\"all\", \"set{}\"]",
            HostKey::from_blob(blob)?,
            index as usize % TAGS,
        )?;
    }
    text += "[never.fw01]\naddresses = [\"192.0.2.1\"]\nwhy = \"w\"\n";
    Ok(text)
}

fn policy_toml(components: &str) -> String {
    let mut text = String::new();
    for tag in 0..TAGS {
        text += &format!(
            "[[grant]]\ncomponent = [{components}]\non = [\"tag:set{tag}\"]\nbind.unit = \"unit{tag}.service\"\n\
             bind.files = [\"/var/a{tag}\", \"/var/b\", \"/var/c\"]\nparam.warn = {tag}.5\n"
        );
    }
    text + "[[never]]\nunits = [\"postgresql*\", \"trading-*\"]\nwhy = \"w\"\n\
            [[never]]\nverbs = [\"services.logs\"]\nunits = [\"unit3.service\"]\nwhy = \"w\"\n\
            [[never]]\nfiles = [\"/etc/ssh/*\", \"/var/b\"]\nwhy = \"w\"\n"
}
