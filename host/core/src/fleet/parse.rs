//! The parser of `fleet.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::{Access, Address, Credential, Fleet, Gate, HostKey, NeverHost, Ssh, Target, UserName};
use crate::model::{Tag, TargetName};
use crate::read_toml::read_toml;
use crate::source::{Problem, Problems, Source};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFleet {
    #[serde(default)]
    targets: BTreeMap<Spanned<String>, Spanned<RawTarget>>,
    #[serde(default)]
    never: BTreeMap<Spanned<String>, RawNever>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawTarget {
    #[serde(default)]
    local: bool,
    address: Option<Spanned<String>>,
    port: Option<Spanned<u16>>,
    user: Option<Spanned<String>>,
    identity: Option<Spanned<String>>,
    agent_key: Option<Spanned<String>>,
    host_key: Option<Spanned<String>>,
    jump: Option<Spanned<String>>,
    #[serde(default)]
    tags: Vec<Spanned<String>>,
    gate: Option<Spanned<RawGate>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGate {
    user: Spanned<String>,
    identity: Spanned<String>,
    certificate: Option<Spanned<String>>,
    from: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawNever {
    #[serde(default)]
    addresses: Vec<Spanned<String>>,
    host_key: Option<Spanned<String>>,
    #[serde(default)]
    host_keys: Vec<Spanned<String>>,
    why: Spanned<String>,
}

/// Reads a fleet. `base` is the folder that relative key paths start from, `home` what `~/` stands for.
///
/// # Errors
/// All mistakes in the file, each with its place.
pub fn parse(source: &Source, base: &Path, home: Option<&Path>) -> Result<Fleet, Problems> {
    let raw: RawFleet = read_toml(source, Some(super::reference))?;
    let mut reader = Reader { source, base, home, problems: Problems::default() };
    let mut fleet = Fleet::default();
    for (name, never) in &raw.never {
        if let Some(never) = reader.never(name, never) {
            fleet.never.insert(never.name.clone(), never);
        }
    }
    for (name, target) in &raw.targets {
        if let Some(target) = reader.target(name, target) {
            fleet.targets.insert(target.name.clone(), target);
        }
    }
    reader.jumps(&raw, &fleet);
    reader.shared_keys(&raw, &fleet);
    reader.problems.or(fleet)
}

/// Where a host key comes from.
const KEYSCAN: &str = "`ssh-keyscan HOST` prints HOST and its keys, of which one is written here without HOST; compare it on the machine itself";

struct Reader<'a> {
    source: &'a Source,
    base: &'a Path,
    home: Option<&'a Path>,
    problems: Problems,
}

impl Reader<'_> {
    /// Parses one text. A mistake is added with its place.
    fn take<T, E: std::fmt::Display>(
        &mut self,
        text: &Spanned<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.problems.take(self.source, text, parse)
    }

    /// Parses a public key; `hint` names the command that prints it.
    fn key(&mut self, text: &Spanned<String>, hint: &str) -> Option<HostKey> {
        let before = self.problems.0.len();
        let key = self.take(text, HostKey::new);
        if let Some(problem) = self.problems.0.get_mut(before) {
            problem.hint = Some(hint.to_owned());
        }
        key
    }

    fn missing(&mut self, name: &Spanned<String>, key: &str, example: &str) {
        let message = format!("target `{}` has no `{key}`", name.get_ref());
        self.problems.push(Problem::at(self.source.at(name.span()), message).hint(format!("add {key} = {example}")));
    }

    fn never(&mut self, name: &Spanned<String>, raw: &RawNever) -> Option<NeverHost> {
        let parsed = self.take(name, TargetName::new);
        let addresses: Vec<Address> = raw.addresses.iter().filter_map(|a| self.take(a, Address::new)).collect();
        let keys = raw.host_key.iter().chain(&raw.host_keys);
        let host_keys: Vec<HostKey> = keys.filter_map(|key| self.key(key, KEYSCAN)).collect();
        if raw.addresses.is_empty() && raw.host_key.is_none() && raw.host_keys.is_empty() {
            let message = format!(
                "never-host `{}` has neither an address nor a key, so it could be reached under another name",
                name.get_ref()
            );
            self.problems.push(
                Problem::at(self.source.at(name.span()), message)
                    .hint("add addresses = [\"10.0.0.1\"], and host-keys with all that `ssh-keyscan` shows"),
            );
        }
        if raw.why.get_ref().trim().is_empty() {
            let place = self.source.at(raw.why.span());
            self.problems.push(
                Problem::at(place, "a never-host needs a reason").hint("write one sentence: every refusal shows it"),
            );
        }
        Some(NeverHost {
            name: parsed?,
            addresses,
            host_keys,
            why: raw.why.get_ref().clone(),
            place: self.source.at(name.span()),
        })
    }

    fn target(&mut self, name: &Spanned<String>, raw: &Spanned<RawTarget>) -> Option<Target> {
        let parsed = self.take(name, TargetName::new);
        let raw = raw.get_ref();
        let tags: BTreeSet<Tag> = raw.tags.iter().filter_map(|tag| self.take(tag, Tag::new)).collect();
        let access = if raw.local { self.local(name, raw) } else { self.ssh(name, raw).map(Box::new).map(Access::Ssh) };
        Some(Target { name: parsed?, access: access?, tags, place: self.source.at(name.span()) })
    }

    fn local(&mut self, name: &Spanned<String>, raw: &RawTarget) -> Option<Access> {
        let texts = [&raw.address, &raw.user, &raw.identity, &raw.agent_key, &raw.host_key, &raw.jump];
        let spare = texts.into_iter().flatten().map(Spanned::span).next();
        let spare = spare.or_else(|| raw.port.as_ref().map(Spanned::span));
        match (spare, &raw.gate) {
            (None, None) => Some(Access::Local),
            (None, Some(gate)) => {
                let message = format!("target `{}` is this machine, so it cannot have a gate", name.get_ref());
                let hint = "remove this table with its keys; only a target over SSH can have a gate";
                self.problems.push(Problem::at(self.source.at(gate.span()), message).hint(hint));
                None
            }
            (Some(span), _) => {
                let message = format!("target `{}` is this machine and has no address, user or key", name.get_ref());
                self.problems.push(Problem::at(self.source.at(span), message).hint("remove this line, or `local`"));
                None
            }
        }
    }

    fn ssh(&mut self, name: &Spanned<String>, raw: &RawTarget) -> Option<Ssh> {
        let address = match &raw.address {
            Some(text) => self.take(text, Address::new),
            None => {
                self.missing(name, "address", "\"10.0.0.1\", or local = true for this machine");
                None
            }
        };
        let user = match &raw.user {
            Some(text) => self.take(text, UserName::new),
            None => {
                self.missing(name, "user", "\"bw-read\"");
                None
            }
        };
        let host_key = match &raw.host_key {
            Some(text) => Some(self.key(text, KEYSCAN)?),
            None => None,
        };
        let credential = self.credential(name, raw);
        let jump = match &raw.jump {
            Some(text) => Some(self.take(text, TargetName::new)?),
            None => None,
        };
        let gate = match &raw.gate {
            Some(gate) => Some(self.gate(gate.get_ref(), raw)?),
            None => None,
        };
        let port = raw.port.as_ref().map_or(22, |port| *port.get_ref());
        Some(Ssh { address: address?, port, user: user?, credential: credential?, host_key, jump, gate })
    }

    /// Checks that account and key for changes are used for nothing else, so that a stolen key for checks cannot change
    /// anything.
    fn gate(&mut self, raw: &RawGate, target: &RawTarget) -> Option<Gate> {
        let user = self.take(&raw.user, UserName::new);
        let identity = self.path(&raw.identity);
        let certificate = match &raw.certificate {
            Some(text) => Some(self.path(text)?),
            None => None,
        };
        let from = match &raw.from {
            Some(text) => Some(self.take(text, Address::new)?),
            None => None,
        };
        let same = |one: &Spanned<String>, other: &Option<Spanned<String>>| {
            other.as_ref().is_some_and(|other| other.get_ref() == one.get_ref())
        };
        let mut wrong = |at: &Spanned<String>, what: &str, hint: &str| {
            self.problems.push(Problem::at(self.source.at(at.span()), what).hint(hint));
        };
        if same(&raw.user, &target.user) {
            wrong(
                &raw.user,
                "the account for changes is the same as the account for checks",
                "`bailiwick gate install-script` makes one of each; such as user = \"bw-change\"",
            );
        }
        if same(&raw.identity, &target.identity) {
            let hint = "make one for changes: ssh-keygen -t ed25519 -f ~/.ssh/bw_change";
            wrong(&raw.identity, "the key for changes is the same as the key for checks", hint);
        }
        Some(Gate { user: user?, identity: identity?, certificate, from })
    }

    fn credential(&mut self, name: &Spanned<String>, raw: &RawTarget) -> Option<Credential> {
        match (&raw.identity, &raw.agent_key) {
            (Some(path), None) => Some(Credential::KeyFile(self.path(path)?)),
            (None, Some(key)) => self.key(key, "`ssh-add -L` prints the keys of the agent").map(Credential::Agent),
            (None, None) => {
                self.missing(name, "identity", "\"~/.ssh/id_ed25519\", or agent-key = \"ssh-ed25519 AAAA…\"");
                None
            }
            (Some(_), Some(key)) => {
                let message = format!("target `{}` has both `identity` and `agent-key`", name.get_ref());
                self.problems.push(Problem::at(self.source.at(key.span()), message).hint("keep one of the two"));
                None
            }
        }
    }

    fn path(&mut self, text: &Spanned<String>) -> Option<PathBuf> {
        let path = key_file(text.get_ref(), self.base, self.home);
        if path.is_none() {
            let place = self.source.at(text.span());
            self.problems
                .push(Problem::at(place, "`~` cannot be expanded: HOME is not set").hint("write the path in full"));
        }
        path
    }

    /// Checks that each jump exists, uses SSH and is not part of a loop. A target behind a jump needs an IP address, because
    /// the jump host would resolve a name.
    fn jumps(&mut self, raw: &RawFleet, fleet: &Fleet) {
        for (name, target) in &raw.targets {
            let Some(jump) = &target.get_ref().jump else {
                continue;
            };
            let place = self.source.at(jump.span());
            let Some(here) = fleet.targets.get(name.get_ref().as_str()) else {
                continue;
            };
            let mut seen = BTreeSet::from([&here.name]);
            let mut at = here;
            while let Access::Ssh(ssh) = &at.access {
                let Some(next) = &ssh.jump else { break };
                let mut hint = "`jump` must name another target of this file";
                let message = match fleet.targets.get(next) {
                    // Its own mistake is already reported, or the target does not exist.
                    None if raw.targets.keys().any(|k| k.get_ref() == next.as_str()) => break,
                    None => format!("jump host `{next}` is not a target"),
                    Some(through) if matches!(through.access, Access::Local) => {
                        format!("jump host `{next}` is this machine")
                    }
                    Some(through) if !seen.insert(&through.name) => {
                        hint = "remove one of these `jump` lines; the last target of a chain is reached directly";
                        format!("the jumps of `{}` lead in a circle", name.get_ref())
                    }
                    Some(through) => {
                        at = through;
                        continue;
                    }
                };
                self.problems.push(Problem::at(place.clone(), message).hint(hint));
                break;
            }
            if let Access::Ssh(ssh) = &here.access
                && matches!(ssh.address, Address::Name(_))
            {
                let message = format!("`{}` lies behind a jump host and needs an IP address", name.get_ref());
                let hint =
                    "write an IP address in `address`; Bailiwick cannot check a name that the jump host resolves";
                self.problems.push(Problem::at(place, message).hint(hint));
            }
        }
    }

    /// Refuses two targets with the same key: they are one machine, or clones that cannot be distinguished.
    fn shared_keys(&mut self, raw: &RawFleet, fleet: &Fleet) {
        let mut owner: BTreeMap<&HostKey, &TargetName> = BTreeMap::new();
        for target in fleet.targets.values() {
            let Access::Ssh(ssh) = &target.access else {
                continue;
            };
            let Some(key) = &ssh.host_key else { continue };
            let Some(first) = owner.insert(key, &target.name) else {
                continue;
            };
            let span = raw.targets.iter().find(|(name, _)| name.get_ref() == target.name.as_str());
            let span = span.and_then(|(_, raw)| raw.get_ref().host_key.as_ref()).map(Spanned::span);
            let place = self.source.at(span.unwrap_or(0..0));
            let message = format!("targets `{first}` and `{}` pin the same host key", target.name);
            self.problems.push(
                Problem::at(place, message).hint("keep one name for a machine; give a cloned machine keys of its own"),
            );
        }
    }
}

/// Resolves the path of a key file: `~/` is the home directory, another relative path starts at the ops directory. None if
/// there is no home directory.
#[must_use]
pub fn key_file(text: &str, base: &Path, home: Option<&Path>) -> Option<PathBuf> {
    match text.strip_prefix("~/") {
        Some(rest) => Some(home?.join(rest)),
        None => Some(base.join(text)),
    }
}
