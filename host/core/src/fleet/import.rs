//! Converts the user's OpenSSH files to pinned entries, once, for a person to read.
//!
//! Knows: what `ssh -G` and `ssh-keygen -F` print. Must not know: how to run them; the caller passes them as [`Openssh`]. What
//! `fleet.toml` cannot express becomes a comment that names it and the next step. An incomplete entry is commented out as a
//! whole, so that the rest can be used. No ProxyCommand is ever run. `ssh -G` itself evaluates the file, and runs what `Match
//! exec` names: import is only for the user's own files.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use super::host_key::KINDS;
use super::{Address, HostKey, UserName};
use crate::encode;
use crate::encode::ShownPath as _;
use crate::model::TargetName;

/// The OpenSSH tools and files of this machine.
pub trait Openssh {
    /// What `ssh -G HOST` prints with this configuration.
    ///
    /// # Errors
    /// `NotFound` when there is no `ssh`; anything else when it fails for this host.
    fn effective(&self, config: &Path, host: &str) -> io::Result<String>;

    /// What `ssh-keygen -F NAME` prints for this file; empty if the file is absent or does not know the name.
    ///
    /// # Errors
    /// `NotFound` when there is no `ssh-keygen`.
    fn known(&self, file: &Path, name: &str) -> io::Result<String>;

    /// A file's text. `~/` stands for the user's home.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, file: &Path) -> io::Result<String>;

    /// The files that an `Include` pattern stands for.
    fn include(&self, pattern: &str) -> Vec<PathBuf>;
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The configuration cannot be read.
    #[error("cannot read {}", path.shown())]
    Config {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// It names no host.
    #[error("{} names no host; name the hosts to import", path.shown())]
    NoHosts {
        /// The file.
        path: PathBuf,
    },
    /// OpenSSH's client is not installed.
    #[error("cannot run {tool}")]
    Tool {
        /// The program.
        tool: &'static str,
        /// The reason.
        source: io::Error,
    },
}

/// Maximum number of jumps to one target. More is a loop or a mistake.
const JUMPS_MAX: usize = 8;

/// Writes `fleet.toml` entries for these hosts, or for every host that the configuration names without a wildcard.
/// `known_hosts` replaces the files that the configuration names, if it is not empty.
///
/// # Errors
/// When the configuration cannot be read or names no host, or OpenSSH's client is not installed.
pub fn import(
    config: &Path,
    known_hosts: &[PathBuf],
    hosts: &[String],
    openssh: &dyn Openssh,
) -> Result<String, ImportError> {
    let mut all = hosts.to_vec();
    if all.is_empty() {
        let text = openssh.read(config).map_err(|source| ImportError::Config { path: config.to_owned(), source })?;
        named(&text, openssh, 0, &mut all);
        if all.is_empty() {
            return Err(ImportError::NoHosts { path: config.to_owned() });
        }
    }
    let mut importer = Importer { config, known_hosts, openssh, drafts: Vec::new(), under_way: Vec::new() };
    for host in &all {
        importer.add(host, &Spec::plain(host), None, 0)?;
    }
    importer.twins();
    importer.orphans();
    Ok(importer.render())
}

/// Host names of a configuration, without patterns.
fn named(text: &str, openssh: &dyn Openssh, depth: usize, hosts: &mut Vec<String>) {
    for line in text.lines() {
        let mut words = line.trim().splitn(2, |c: char| c.is_ascii_whitespace() || c == '=');
        let (keyword, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let values = rest.split_ascii_whitespace().map(|word| word.trim_matches('"')).filter(|word| *word != "=");
        if keyword.eq_ignore_ascii_case("host") {
            for host in values.filter(|host| !host.contains(['*', '?', '!'])) {
                if !hosts.iter().any(|known| known == host) {
                    hosts.push(host.to_owned());
                }
            }
        } else if keyword.eq_ignore_ascii_case("include") && depth < JUMPS_MAX {
            for file in values.flat_map(|pattern| openssh.include(pattern)) {
                if let Ok(text) = openssh.read(&file) {
                    named(&text, openssh, depth + 1, hosts);
                }
            }
        }
    }
}

/// `[user@]host[:port]`, as in ProxyJump.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spec {
    user: Option<String>,
    host: String,
    port: Option<String>,
}

impl Spec {
    fn plain(host: &str) -> Self {
        Self { user: None, host: host.to_owned(), port: None }
    }

    fn parse(text: &str) -> Self {
        let text = text.strip_prefix("ssh://").unwrap_or(text);
        let (user, rest) = text.rsplit_once('@').map_or((None, text), |(user, rest)| (Some(user.to_owned()), rest));
        let bracketed = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (host, port) = match bracketed {
            Some((host, after)) => (host, after.strip_prefix(':')),
            // A second colon makes it an IPv6 address.
            None => {
                rest.split_once(':').filter(|(_, port)| !port.contains(':')).map_or((rest, None), |(h, p)| (h, Some(p)))
            }
        };
        Self { user, host: host.to_owned(), port: port.map(str::to_owned) }
    }
}

/// An entry that is being built.
struct Draft {
    spec: Spec,
    /// The previous target in a chain of jumps.
    before: Option<TargetName>,
    name: Option<TargetName>,
    fields: Vec<(&'static str, String)>,
    key: Option<HostKey>,
    jump: Option<TargetName>,
    /// Comments above the entry.
    notes: Vec<String>,
    /// Reasons to comment the entry out.
    lacks: Vec<String>,
}

struct Importer<'a> {
    config: &'a Path,
    known_hosts: &'a [PathBuf],
    openssh: &'a dyn Openssh,
    drafts: Vec<Draft>,
    /// Hosts that are being added now, to detect a loop of jumps.
    under_way: Vec<String>,
}

impl Importer<'_> {
    /// Adds a host and its jumps. None if it has no valid name.
    fn add(
        &mut self,
        shown: &str,
        spec: &Spec,
        before: Option<&TargetName>,
        depth: usize,
    ) -> Result<Option<TargetName>, ImportError> {
        if let Some(same) = self.drafts.iter().find(|d| d.spec == *spec && d.before.as_ref() == before) {
            return Ok(same.name.clone());
        }
        let mut draft = Draft {
            spec: spec.clone(),
            before: before.cloned(),
            name: None,
            fields: Vec::new(),
            key: None,
            jump: None,
            notes: Vec::new(),
            lacks: Vec::new(),
        };
        draft.name = self.name(&spec.host, &mut draft.lacks);
        match self.openssh.effective(self.config, &spec.host) {
            Ok(text) => {
                self.under_way.push(spec.host.clone());
                self.fill(&mut draft, &Effective(text), before, depth)?;
                self.under_way.pop();
            }
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                return Err(ImportError::Tool { tool: "ssh", source });
            }
            Err(_) => draft.lacks.push(format!("`ssh -G {shown}` fails; run it to see why")),
        }
        let name = draft.name.clone();
        self.drafts.push(draft);
        Ok(name)
    }

    fn name(&self, host: &str, lacks: &mut Vec<String>) -> Option<TargetName> {
        let mapped = host.to_ascii_lowercase().replace(['_', ':'], "-");
        let Ok(name) = TargetName::new(&mapped) else {
            lacks.push("the name does not match `[a-z0-9][a-z0-9.-]{0,63}`; rename it".into());
            return None;
        };
        if self.drafts.iter().any(|draft| draft.name.as_ref() == Some(&name)) {
            lacks.push(format!(
                "`{name}` is already the name of an entry that connects differently; keep one of the two"
            ));
        }
        Some(name)
    }

    fn fill(
        &mut self,
        draft: &mut Draft,
        effective: &Effective,
        before: Option<&TargetName>,
        depth: usize,
    ) -> Result<(), ImportError> {
        let hostname = effective.first("hostname").unwrap_or(&draft.spec.host).to_owned();
        let port = draft.spec.port.clone().or_else(|| effective.first("port").map(str::to_owned));
        let port = port.unwrap_or_else(|| "22".into());
        let user = draft.spec.user.clone().or_else(|| effective.first("user").map(str::to_owned)).unwrap_or_default();
        draft.jump = match before {
            Some(before) => Some(before.clone()),
            None => self.jump(draft, effective, depth)?,
        };
        match Address::new(&hostname) {
            Ok(Address::Name(_)) if draft.jump.is_some() => draft.lacks.push(format!(
                "address is the name {hostname}; behind a jump host it must be the IP address that it has there"
            )),
            Ok(address) => draft.fields.push(("address", quoted(&address.to_string()))),
            Err(error) => draft.lacks.push(format!("address {hostname}: {error}")),
        }
        match port.parse::<u16>() {
            Ok(22) => {}
            Ok(port) => draft.fields.push(("port", port.to_string())),
            Err(_) => draft.lacks.push(format!("port {port} is none")),
        }
        match UserName::new(&user) {
            Ok(user) => draft.fields.push(("user", quoted(user.as_str()))),
            Err(error) => draft.lacks.push(format!("user {user}: {error}")),
        }
        self.identity(draft, effective);
        self.host_key(draft, effective, &hostname, &port)?;
        if let Some(command) = effective.first("proxycommand") {
            draft.lacks.push(format!(
                "it is reached through ProxyCommand `{command}`, which is never run; name a jump host as a target and \
                 add jump = \"…\""
            ));
        }
        Ok(())
    }

    /// Adds a chain of jumps, and returns the last one.
    fn jump(
        &mut self,
        draft: &mut Draft,
        effective: &Effective,
        depth: usize,
    ) -> Result<Option<TargetName>, ImportError> {
        let chain = effective.first("proxyjump").filter(|chain| !chain.eq_ignore_ascii_case("none"));
        let Some(chain) = chain else { return Ok(None) };
        if depth == JUMPS_MAX {
            draft.lacks.push(format!("more than {JUMPS_MAX} jumps lead there"));
            return Ok(None);
        }
        let mut before = None;
        for hop in chain.split(',') {
            let spec = Spec::parse(hop);
            // `Host *` with a ProxyJump matches the jump host too.
            if self.under_way.contains(&spec.host) {
                draft.lacks.push(format!("its jump host {hop} jumps through itself; remove it from that ProxyJump"));
                return Ok(None);
            }
            before = self.add(hop, &spec, before.as_ref(), depth + 1)?;
            if before.is_none() {
                draft.lacks.push(format!("its jump host {hop} has no valid name"));
                return Ok(None);
            }
        }
        Ok(before)
    }

    fn identity(&self, draft: &mut Draft, effective: &Effective) {
        let files: Vec<&str> = effective.all("identityfile").collect();
        // Only ssh expands tokens such as %h, and a relative path would depend on the working directory.
        let usable = |file: &&str| (file.starts_with('/') || file.starts_with("~/")) && !file.contains('%');
        for file in files.iter().copied().filter(usable) {
            if self.openssh.read(Path::new(file)).is_ok() {
                draft.fields.push(("identity", quoted(file)));
                return;
            }
            // Only the public half exists. The private half is in the agent, or on a hardware token.
            let public = self.openssh.read(Path::new(&format!("{file}.pub")));
            if let Some(key) = public.ok().and_then(|text| HostKey::new(&text).ok()) {
                draft.fields.push(("agent-key", quoted(&key.to_string())));
                return;
            }
        }
        let files = if files.is_empty() { "no IdentityFile".to_owned() } else { files.join(", ") };
        draft.lacks.push(format!(
            "no key file exists ({files}); add identity = \"PATH\", or agent-key = \"…\" as `ssh-add -L` prints it"
        ));
    }

    fn host_key(
        &self,
        draft: &mut Draft,
        effective: &Effective,
        hostname: &str,
        port: &str,
    ) -> Result<(), ImportError> {
        let name = effective.first("hostkeyalias").unwrap_or(hostname);
        let name = if port == "22" || effective.first("hostkeyalias").is_some() {
            name.to_owned()
        } else {
            format!("[{name}]:{port}")
        };
        let theirs = ["userknownhostsfile", "globalknownhostsfile"];
        let theirs = theirs.iter().filter_map(|key| effective.first(key)).flat_map(str::split_ascii_whitespace);
        let files: Vec<PathBuf> =
            if self.known_hosts.is_empty() { theirs.map(PathBuf::from).collect() } else { self.known_hosts.to_vec() };
        let (mut keys, mut revoked) = (BTreeSet::new(), BTreeSet::new());
        for file in &files {
            let known =
                self.openssh.known(file, &name).map_err(|source| ImportError::Tool { tool: "ssh-keygen", source })?;
            collect(&known, &mut keys, &mut revoked);
        }
        let rank = |key: &&HostKey| KINDS.iter().position(|kind| *kind == key.kind());
        match keys.difference(&revoked).min_by_key(rank) {
            Some(key) => {
                draft.notes.push(format!("{} {}", key.kind(), key.fingerprint()));
                draft.fields.push(("host-key", quoted(&key.to_string())));
                draft.key = Some(key.clone());
            }
            // The entry is not commented out: without a pin it is refused until it has one.
            None => draft.notes.push(format!(
                "known_hosts has no usable key for {name}; nothing connects until one is pinned: run `ssh-keyscan -p \
                 {port} {hostname}`, compare its fingerprint with the machine's console, add host-key = \"…\""
            )),
        }
        Ok(())
    }

    /// Comments out a machine that has two names, which `fleet.toml` would refuse.
    fn twins(&mut self) {
        let mut seen: Vec<(HostKey, String)> = Vec::new();
        for draft in self.drafts.iter_mut().filter(|draft| draft.lacks.is_empty()) {
            let Some(key) = &draft.key else { continue };
            match seen.iter().find(|(other, _)| other == key) {
                Some((_, first)) => draft.lacks.push(format!("it has the host key of {first}: one machine, one name")),
                None => seen.push((key.clone(), draft.spec.host.clone())),
            }
        }
    }

    /// Comments out entries whose jump is commented out.
    fn orphans(&mut self) {
        loop {
            let gone: Vec<TargetName> =
                self.drafts.iter().filter(|d| !d.lacks.is_empty()).filter_map(|d| d.name.clone()).collect();
            let standing = |name: &TargetName, all: &[Draft]| {
                !gone.contains(name) || all.iter().any(|d| d.lacks.is_empty() && d.name.as_ref() == Some(name))
            };
            let lost = self.drafts.iter().position(|draft| {
                draft.lacks.is_empty() && draft.jump.as_ref().is_some_and(|jump| !standing(jump, &self.drafts))
            });
            let Some(draft) = lost.and_then(|index| self.drafts.get_mut(index)) else { return };
            let jump = draft.jump.as_ref().map(ToString::to_string).unwrap_or_default();
            draft.lacks.push(format!("its jump host {jump} is incomplete"));
        }
    }

    fn render(&self) -> String {
        let mut text = String::from(
            "# Written by `bailiwick fleet import`; nothing reads OpenSSH's files after this.\n\
             # A host-key is what known_hosts has: as trustworthy as the connection on which it was first accepted.\n",
        );
        for draft in &self.drafts {
            text.push('\n');
            for note in draft.notes.iter().chain(&draft.lacks) {
                let _ = writeln!(text, "# {}: {}", clean(&draft.spec.host), clean(note));
            }
            let off = if draft.lacks.is_empty() { "" } else { "# " };
            let name = draft.name.as_ref().map_or_else(|| "NAME".to_owned(), ToString::to_string);
            let _ = writeln!(text, "{off}[targets.{}]", quoted(&name));
            for (key, value) in &draft.fields {
                let _ = writeln!(text, "{off}{key} = {value}");
            }
            if let Some(jump) = &draft.jump {
                let _ = writeln!(text, "{off}jump = {}", quoted(jump.as_str()));
            }
        }
        text
    }
}

/// Keys that `ssh-keygen -F` printed. A revoked key is left out, and so is the key of a certificate authority, which is not a
/// host's key.
fn collect(known: &str, keys: &mut BTreeSet<HostKey>, revoked: &mut BTreeSet<HostKey>) {
    for line in known.lines().filter(|line| !line.starts_with('#')) {
        let (marker, rest) = match line.strip_prefix('@') {
            Some(marked) => marked.split_once(' ').map_or((marked, ""), |(marker, rest)| (marker, rest)),
            None => ("", line),
        };
        let Some((_, key)) = rest.trim_start().split_once(' ') else { continue };
        let Ok(key) = HostKey::new(key) else { continue };
        match marker {
            "" => drop(keys.insert(key)),
            "revoked" => drop(revoked.insert(key)),
            _ => {}
        }
    }
}

/// `ssh -G`: a lower-case keyword and its value on each line.
struct Effective(String);

impl Effective {
    fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.0.lines().filter_map(move |line| line.split_once(' ').filter(|(k, _)| *k == key).map(|(_, value)| value))
    }

    fn first(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }
}

/// A TOML string in which every invisible character is escaped.
fn quoted(text: &str) -> String {
    if encode::is_plain(text) {
        return toml::Value::String(text.to_owned()).to_string();
    }
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if encode::is_plain(c.encode_utf8(&mut [0; 4])) => c.to_string(),
        c => format!("\\U{:08x}", u32::from(c)),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

/// A text of the configuration on one line, for a comment.
fn clean(text: &str) -> String {
    encode::harmless(text, 400)
}
