//! apt's simulation on Debian 12, by an unprivileged account, and the output of other systems.

use super::*;
use crate::host::packages;

const APT: &str = include_str!("../packages/apt-dist-upgrade.txt");

#[test]
fn what_was_recorded() {
    insta::assert_debug_snapshot!(packages::pending(&answer(0, APT, "")).unwrap());
}

#[test]
fn security_is_told_by_the_archive() {
    let origin = |origins: &str| {
        let line = format!("Inst a [1] (2 {origins} [amd64]) []\n");
        packages::pending(&answer(0, &line, "W: a warning\n")).unwrap()[0].security
    };
    for yes in [
        "Debian-Security:12/stable-security",
        "Debian:12.15/oldstable, Debian-Security:12/oldstable-security",
        "Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security",
        "UbuntuESMApps:22.04/jammy-apps-security",
    ] {
        assert!(origin(yes), "{yes}");
    }
    for no in ["Debian:12.15/oldstable", "Security Tools:1/stable", "packages.example.org/security stable:stable"] {
        assert!(!origin(no), "{no}");
    }
}

#[test]
fn only_apts_own_lines_are_read() {
    let new =
        packages::pending(&answer(0, "Inst linux-image-6.1.0-40 (6.1.1-1 Debian:12/stable [amd64])\n", "")).unwrap();
    assert_eq!((new[0].installed.as_deref(), new[0].candidate.as_str()), (None, "6.1.1-1"));
    assert_eq!(good(Verb::PackagesPending, 0, "Remv old [1]\nPurg older [1]\n"), "[]");
    for text in [
        "Welcome to db01!\n",
        "Inst\n",
        "Inst a\n",
        "Inst a [1]\n",
        "Inst a [1] (2)\n",
        "Inst a [1] (2 [amd64])\n",
        "Inst a [1] 2 Debian:12/stable [amd64]\n",
        "Inst a [1 (2 Debian:12/stable [amd64])\n",
        "Inst a\u{202e} [1] (2 Debian:12/stable [amd64])\n",
        "Die folgenden Pakete werden aktualisiert\n",
    ] {
        assert_eq!(parse(Verb::PackagesPending, &answer(0, text, "")), Err(Garbled), "{text}");
    }
    let missing = "/usr/bin/env: 'apt-get': No such file or directory\n";
    assert_eq!(parse(Verb::PackagesPending, &answer(127, "", missing)), Err(Unsupported), "dnf, apk");
    let broken = "E: Unmet dependencies. Try 'apt --fix-broken install' with no packages\n";
    assert_eq!(parse(Verb::PackagesPending, &answer(100, "", broken)), Err(Garbled));
    let locked = "E: Could not open file /var/lib/dpkg/status - open (13: Permission denied)\n";
    assert_eq!(parse(Verb::PackagesPending, &answer(100, "", locked)), Err(NotPermitted));
}

#[test]
fn lists_have_three_ages_and_each_may_be_unknown() {
    let stamps = "1795295885,/var/lib/apt/lists\n1795320764,/var/lib/apt/lists/partial\n";
    let stderr = "stat: cannot statx '/var/lib/apt/periodic/update-success-stamp': No such file or directory\n";
    let info = packages::lists(&answer(1, stamps, stderr)).unwrap();
    assert_eq!((info.changed, info.tried, info.succeeded), (Some(1_795_295_885), Some(1_795_320_764), None));
    for (status, stdout, stderr, error) in [
        (1, "", "stat: cannot statx '/var/lib/apt/lists': No such file or directory\n", Unsupported),
        (1, "", "stat: unrecognized option: format=%Y,%n\nBusyBox v1.36.1\n", Unsupported),
        (1, "", "stat: cannot statx '/var/lib/apt/lists': Permission denied\n", NotPermitted),
        (0, "1,/var/lib/apt/lists\n1,/var/lib/apt/lists\n", "", Garbled),
        (0, "-1,/var/lib/apt/lists\n", "", Garbled),
        (0, "1,/etc/shadow\n", "", Garbled),
        (2, "1,/var/lib/apt/lists\n", "", Garbled),
    ] {
        assert_eq!(parse(Verb::PackagesLists, &answer(status, stdout, stderr)), Err(error), "{stdout}{stderr}");
    }
}
