//! Compares what is installed on a target with the current grant.
//!
//! Knows: what the gate reports as root. Must not know: how it was asked. Not answered: a target that has been taken over,
//! whose gate can report anything. The gate protects the target, not the controller.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::install::boot_unit;
use bailiwick_core::gate_protocol::GateFacts;

use super::{Accounts, KeyError, Paths, Script};
use bailiwick_core::model::Tainted;

/// What sshd must report for both accounts (`sshd -T -C user=…`), each option by name. An option without a value here is
/// checked below.
pub(super) const SSHD: [(&str, Option<&str>); 18] = [
    ("authorizedkeysfile", None),
    ("authenticationmethods", Some("publickey")),
    ("passwordauthentication", Some("no")),
    ("kbdinteractiveauthentication", Some("no")),
    ("permituserenvironment", Some("no")),
    ("permituserrc", Some("no")),
    ("permittty", Some("no")),
    ("permittunnel", Some("no")),
    ("x11forwarding", Some("no")),
    ("allowagentforwarding", Some("no")),
    ("allowstreamlocalforwarding", Some("no")),
    ("gatewayports", Some("no")),
    ("permitlisten", Some("none")),
    ("disableforwarding", None),
    ("allowtcpforwarding", None),
    ("permitopen", None),
    ("acceptenv", None),
    ("forcecommand", Some("none")),
];

/// The expected installation.
#[derive(Debug)]
pub struct Expected<'e> {
    /// The gate's script, as it would be generated now.
    pub script: &'e Script,
    /// The accounts that may connect.
    pub accounts: &'e Accounts,
    /// Who may approve computed content.
    pub approvers: Option<&'e str>,
    /// The paths on the target.
    pub paths: &'e Paths,
}

/// One thing that differs from what is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs, in words of this program.
    pub what: String,
    /// The expected value.
    pub expected: String,
    /// The value that the target reports.
    pub found: Tainted,
}

/// Returns the differences. An empty list means that the installation is as expected.
///
/// # Errors
/// When the expected files cannot be generated.
pub fn compare(expected: &Expected<'_>, facts: &GateFacts, installed: &[u8]) -> Result<Vec<Difference>, KeyError> {
    let text = String::from_utf8_lossy(installed);
    let installed = Installed::read(&text);
    let mut differences = Vec::new();
    let mut expect = |what: String, expected: &str, reported: Option<&str>| {
        if reported != Some(expected) {
            let found = Tainted::new(reported.unwrap_or("nothing"));
            differences.push(Difference { what, expected: expected.to_owned(), found });
        }
    };
    let Expected { script, accounts, approvers, paths } = expected;
    expect("its list".to_owned(), &script.list, Some(&facts.list));
    expect("its script".to_owned(), &script.digest(), Some(&facts.script));

    let access = accounts.files(paths)?;
    let (read, change) = (accounts.read.user.as_str(), accounts.change.user.as_str());
    let file = |mode: &str, content: &str| {
        format!("{mode} 0 0 {}", data_encoding::HEXLOWER.encode(&Sha256::digest(content.as_bytes())))
    };
    let keys = |user: &str| format!("{}/{user}", paths.keys);
    let config = |name: &str| format!("{}/{name}", paths.config);
    let approvers = approvers.map_or_else(|| "missing".to_owned(), |text| file("644", text));
    for (path, wanted) in [
        (paths.gate.clone(), file("755", &script.text)),
        (paths.sudoers.clone(), file("440", &access.sudoers)),
        (keys(read), file("644", &access.read_keys)),
        (keys(change), file("644", &access.change_keys)),
        (paths.sshd_config.clone(), file("644", &access.sshd)),
        (paths.boot_unit.clone(), file("644", &boot_unit(paths))),
        (config("approvers"), approvers),
    ] {
        expect(format!("{path} (mode, owner, group, SHA-256)"), &wanted, installed.value("file", &path));
    }
    expect(format!("{} (mode, owner, group)", paths.config), "755 0 0", installed.value("folder", &paths.config));
    expect(format!("{} (mode, owner, group)", paths.state), "700 0 0", installed.value("folder", &paths.state));
    for path in [&paths.gate, &paths.sudoers, &keys(read), &paths.sshd_config] {
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let mode = installed.value("folder", folder);
        // An account that can write to a folder can replace the files in it.
        let safe = mode.is_some_and(|mode| is_roots(mode, 3));
        expect(format!("{folder} (only root may write)"), "yes", if safe { Some("yes") } else { mode });
    }
    expect("sudo's check of its file".to_owned(), "good", installed.alone("sudoers"));
    // Without systemd, there is no unit to enable.
    if installed.alone("boot") != Some("without") {
        expect("the unit at boot".to_owned(), "enabled", installed.alone("boot"));
    }

    for user in [read, change] {
        let account = installed.value("account", user);
        let (shell, home) = account.and_then(|account| account.split_once(' ')).unwrap_or_default();
        expect(format!("{user}: its shell"), "/bin/sh", Some(shell));
        // An rc file in the account's home would run before the gate.
        let safe = home.is_empty() || is_roots(home, 2);
        expect(format!("{user}: root owns its home"), "yes", if safe { Some("yes") } else { Some(home) });
        for (name, value) in SSHD {
            let values = installed.sshd(user, name);
            let wanted = value.map_or_else(|| sshd_of(name, user == read, accounts, paths), str::to_owned);
            match name {
                "acceptenv" => {
                    let odd = values.iter().find(|value| !matches!(**value, "LANG" | "LC_*"));
                    expect(
                        format!("{user}: variables that sshd accepts"),
                        "LANG, LC_* at most",
                        odd.copied().or(Some("LANG, LC_* at most")),
                    );
                }
                // No forwarding is allowed at all, so a target of forwarding has no effect.
                "permitopen" if wanted == "any" => {}
                _ => expect(format!("{user}: sshd's {name}"), &wanted, values.first().copied()),
            }
        }
    }
    Ok(differences)
}

/// The options that depend on the account.
fn sshd_of(name: &str, reads: bool, accounts: &Accounts, paths: &Paths) -> String {
    let connects = reads && !accounts.connects.is_empty();
    match name {
        "authorizedkeysfile" => format!("{}/%u", paths.keys),
        "disableforwarding" => if connects { "no" } else { "yes" }.to_owned(),
        "allowtcpforwarding" => if connects { "local" } else { "no" }.to_owned(),
        "permitopen" if connects => {
            let all: Vec<_> = accounts.connects.iter().map(ToString::to_string).collect();
            all.join(" ")
        }
        _ => "any".to_owned(),
    }
}

/// True if `MODE OWNER …` shows that only root can write.
fn is_roots(mode: &str, words: usize) -> bool {
    let all: Vec<_> = mode.split(' ').collect();
    let mode = all.first().and_then(|mode| u32::from_str_radix(mode, 8).ok());
    all.len() == words && mode.is_some_and(|mode| mode & 0o022 == 0) && all.get(1) == Some(&"0")
}

/// Lines of the form KIND NAME REST.
struct Installed<'t> {
    lines: BTreeMap<(&'t str, &'t str), &'t str>,
    sshd: Vec<(&'t str, &'t str, &'t str)>,
}

impl<'t> Installed<'t> {
    fn read(text: &'t str) -> Self {
        let (mut lines, mut sshd) = (BTreeMap::new(), Vec::new());
        for line in text.lines() {
            let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
            let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
            if kind == "sshd" {
                let (key, value) = value.split_once(' ').unwrap_or((value, ""));
                sshd.push((name, key, value));
            } else {
                lines.insert((kind, name), value);
            }
        }
        Self { lines, sshd }
    }

    fn value(&self, kind: &str, name: &str) -> Option<&'t str> {
        self.lines.iter().find(|((k, n), _)| (*k, *n) == (kind, name)).map(|(_, value)| *value)
    }

    fn alone(&self, kind: &str) -> Option<&'t str> {
        self.lines.keys().find(|(k, _)| *k == kind).map(|(_, name)| *name)
    }

    fn sshd(&self, user: &str, key: &str) -> Vec<&'t str> {
        self.sshd.iter().filter(|(u, k, _)| (*u, *k) == (user, key)).map(|(.., value)| *value).collect()
    }
}
