//! Bound words: what a shell, a terminal or a file system would read as more than a name.

use anyhow::{Context, Result, ensure};
use bailiwick_core::model::{ComponentId, SlotName, TargetName, Verb};
use bailiwick_core::verbs::{Part, spec};

use super::{contract, mistakes, refused, refused_anywhere};

#[test]
fn what_is_plain_is_bound() {
    assert_eq!(mistakes("nginx.service", "/etc/hostname"), Vec::<String>::new());
}

/// What a shell reads as more than a letter.
const SHELL: &[&str] = &[
    "; id",
    ";id",
    "$(id)",
    "`id`",
    "|id",
    "&&id",
    "&",
    ">x",
    "<x",
    ">>x",
    "${IFS}",
    "$IFS",
    "\n id",
    "\r\nid",
    "'",
    "\"",
    "\\",
    "!",
    "!!",
    "#",
    "(",
    ")",
    "{a,b}",
    "\u{a0}",
    "\u{2009}",
    " ",
    "\t",
    "\0",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{85}",
    "^",
    "[a]",
    "*",
    "?",
    "~",
    "a b",
    "\u{feff}",
];

#[test]
fn ar01_what_a_shell_reads_is_not_a_literal() -> Result<()> {
    for value in SHELL {
        refused_anywhere(value).with_context(|| format!("{value:?}"))?;
    }
    Ok(())
}

#[test]
fn ar03_no_literal_is_an_option() -> Result<()> {
    for value in
        ["-", "--", "-x", "-oProxyCommand=id", "--file=/etc/shadow", "-rf", "=ls", "+x", "@x", "%x", ":x", ",x"]
    {
        refused(&format!("{value}.service"), value)?;
        refused(value, &format!("{value}/x"))?;
    }
    // Where a literal is a word of its own it begins with a letter, a digit, `_`, `.` or `/`: no program takes that for an
    // option. Where it is the end of one, it cannot begin another.
    for &verb in Verb::ALL {
        let holes: Vec<_> = spec(verb).template().iter().collect();
        for hole in holes {
            if let Part::Option(option) | Part::OptionField(option, _) = hole {
                ensure!(option.starts_with('-') && option.ends_with('='), "{verb}: {option}");
            }
        }
    }
    Ok(())
}

#[test]
fn ar18_a_literal_is_short() -> Result<()> {
    let long = "a".repeat(2 << 20);
    refused(&format!("{long}.service"), &format!("/{long}"))?;
    refused(&format!("{}.service", "a".repeat(249)), &format!("/{}", "a".repeat(256)))?;
    ensure!(
        mistakes(&format!("{}.service", "a".repeat(248)), &format!("/{}", "a".repeat(255))).is_empty(),
        "256 bytes are"
    );
    Ok(())
}

#[test]
fn fs02_what_shows_other_processes_or_secrets_is_never_a_file() -> Result<()> {
    let places = [
        "/proc/self/root/etc/shadow",
        "/proc/1/environ",
        "/proc/self/mem",
        "/proc/self/fd/3",
        "/proc",
        "/dev/mem",
        "/dev/fd/3",
        "/dev/stdin",
        "/dev/zero",
        "/sys/kernel/debug",
        "/sys/firmware/efi/efivars",
        "/etc/shadow",
        "/etc/shadow-",
        "/etc/gshadow",
        "/etc/sudoers",
        "/etc/sudoers.d/x",
        "/etc/ssh/ssh_host_ed25519_key",
        "/root/.ssh/id_ed25519",
        "/home/a/.ssh/id_rsa",
        "/run/credentials/x",
        "/run/secrets/x",
        "/var/run/secrets/x",
        "/etc/ssl/private/x.key",
        "/etc/krb5.keytab",
        "/etc/mtab",
    ];
    for place in places {
        refused("-", place).with_context(|| place.to_owned())?;
        // In every spelling.
        for spelt in [format!("/{place}"), format!("{place}/"), place.replacen('/', "/./", 1), format!("/x/..{place}")]
        {
            refused("-", &spelt).with_context(|| spelt.clone())?;
        }
    }
    Ok(())
}

#[test]
fn fs03_what_is_not_plain_ascii_is_not_a_name() -> Result<()> {
    let values = [
        "\0",
        "\n",
        "\r",
        "\t",
        "\u{7f}",
        "\u{80}",
        "\u{9b}",
        "\u{202e}",
        "\u{2066}",
        "\u{2028}",
        "\u{ff0f}",
        "\u{2215}",
        "\u{2044}",
        "\u{e9}",
        "e\u{301}",
        "\u{fffd}",
        "\u{200b}",
        "\u{ad}",
        "\u{e0041}",
        "\u{430}",
    ];
    for value in values {
        refused_anywhere(value).with_context(|| format!("{value:?}"))?;
    }
    Ok(())
}

#[test]
fn fs04_nothing_is_expanded() -> Result<()> {
    for value in ["~root/.ssh/id_ed25519", "~", "$HOME", "${HOME}", "*", "?", "[a]", "{a,b}", "=ls", "-", "~/x"] {
        refused(value, value)?;
        refused(&format!("{value}.service"), &format!("/srv/../{value}"))?;
    }
    for value in ["$HOME", "*", "?", "[a]", "{a,b}"] {
        refused_anywhere(value)?;
    }
    // `%h` stays what it is: the plain tier has no program that reads it.
    ensure!(mistakes("a%h.service", "/srv/%h").is_empty());
    Ok(())
}

#[test]
fn fs11_a_name_that_was_not_utf8_cannot_be_asked_for() -> Result<()> {
    // No verb lists names, and U+FFFD, which replaces invalid bytes, is not in the grammar.
    refused("a\u{fffd}.service", "/srv/a\u{fffd}")?;
    let (parameters, _) = contract()?;
    ensure!(!parameters.iter().any(|(name, _)| name.contains("path") || name.contains("dir")));
    Ok(())
}

#[test]
fn fs16_no_name_of_a_component_or_target_is_a_path() -> Result<()> {
    for name in
        ["../../.ssh/x", "..", ".", "a/b", "a/", "/a", "CON.", "COM\u{b9}", "a\\b", "a:b", "", "A", "\u{430}", "a\0"]
    {
        ensure!(ComponentId::new(name).is_err() && SlotName::new(name).is_err(), "{name:?}");
        ensure!(TargetName::new(name).is_err() || name == "a.b", "{name:?}");
    }
    Ok(())
}
