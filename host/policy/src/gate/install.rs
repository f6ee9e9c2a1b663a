//! The script that a person reads and runs as root on the target. It contains every file in full, checks before it installs,
//! and removes its part of sshd's configuration again if sshd does not apply it.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{Access, Accounts, KeyError, Paths, Script};

/// The home directory of the accounts that the script creates. It belongs to root and is empty.
const HOMES: &str = "/var/lib/bailiwick-home";

/// Everything that is installed.
#[derive(Debug, Clone)]
pub struct Install {
    /// The target's name.
    pub target: String,
    /// The gate.
    pub script: Script,
    /// The accounts that may connect.
    pub accounts: Accounts,
    /// Who may approve computed content: an `allowed_signers` file.
    pub approvers: Option<String>,
    /// The paths on the target.
    pub paths: Paths,
}

/// Returns the install script, and the files for sshd and sudo that it contains.
///
/// # Errors
/// When an account, a key or an address is not plain.
pub fn install_script(install: &Install) -> Result<(String, Access), KeyError> {
    let Install { target, script, accounts, approvers, paths } = install;
    let (access, unit) = (accounts.files(paths)?, boot_unit(paths));
    let mut files = vec![
        ("gate", script.text.as_str()),
        ("sudoers", &access.sudoers),
        ("read-keys", &access.read_keys),
        ("change-keys", &access.change_keys),
        ("sshd", &access.sshd),
        ("boot-unit", &unit),
    ];
    if let Some(approvers) = approvers {
        files.push(("approvers", approvers));
    }
    let (read, change) = (&accounts.read.user, &accounts.change.user);
    let Paths { gate, config, state, keys, sshd_config, sudoers, logger, sudo, sshd, boot_unit, .. } = paths;
    let mut text = format!(
        "#!/bin/sh\n\
         # Installs the gate of {target}. Read it, then run it as root on {target}.\n\
         #\n\
         # It creates the accounts {read} and {change} if they do not exist, and installs these files, all owned by root:\n\
         #   {gate}\n#   {keys}/{read}\n#   {keys}/{change}\n#   {sshd_config}\n#   {sudoers}\n#   {boot_unit}\n#   {config}/\n#   {state}/\n\
         # To uninstall: remove these and reload sshd.\n\n\
         set -eu\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C\nexport PATH LC_ALL\numask 022\n\
         if [ \"$(id -u)\" != 0 ]; then\n    echo 'error: run it as root' >&2\n    exit 1\nfi\n\
         stage=$(mktemp -d)\ntrap 'rm -rf -- \"$stage\"' EXIT\n\n"
    );
    for (name, value) in [
        ("TARGET", target),
        ("READ", read),
        ("CHANGE", change),
        ("GATE", gate),
        ("CONFIG", config),
        ("STATE", state),
        ("KEYS", keys),
        ("SSHD_CONFIG", sshd_config),
        ("SUDOERS", sudoers),
        ("LOGGER", logger),
        ("SUDO", sudo),
        ("SSHD", sshd),
        ("BOOT_UNIT", boot_unit),
        ("HOMES", &HOMES.to_owned()),
    ] {
        let _ = writeln!(text, "{name}='{}'", plain(value)?);
    }
    let mut check = String::new();
    for (name, content) in files {
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(content.as_bytes()));
        let bytes = content.len();
        let end = if content.ends_with('\n') { "" } else { "\n" };
        let _ = write!(
            text,
            "\n# === {name} {}\nhead -c {bytes} >\"$stage/{name}\" <<'END-OF-{digest}'\n{content}{end}END-OF-{digest}\n",
            "=".repeat(100_usize.saturating_sub(name.len()))
        );
        let _ = writeln!(check, "    check {name} {digest}");
    }
    let _ = write!(text, "\ncheck_all() {{\n{check}}}\n\n");
    text += include_str!("install.sh");
    Ok((text, access))
}

/// A reboot removes the timer that rolls a change back, but not the record of the change.
pub(super) fn boot_unit(paths: &Paths) -> String {
    let Paths { gate, state, .. } = paths;
    format!(
        "[Unit]\nDescription=Roll back a Bailiwick change that was open when this machine went down\n\
         ConditionPathExists={state}/open\nAfter=multi-user.target\n\n\
         [Service]\nType=oneshot\nExecStart={gate} boot\n\n[Install]\nWantedBy=multi-user.target\n"
    )
}

fn plain(text: &str) -> Result<&str, KeyError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.');
    if !text.is_empty() && text.bytes().all(fits) { Ok(text) } else { Err(KeyError::new(text)) }
}
