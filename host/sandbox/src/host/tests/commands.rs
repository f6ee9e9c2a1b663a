//! An operator's program: its output is returned, and a program that did not run is distinguished.

use super::*;
use crate::host::commands;

#[test]
fn a_program_may_say_what_it_likes() {
    for (stdout, stderr) in [("", ""), ("all pools are healthy\n", ""), ("no line end", "and this\n")] {
        for status in [0, 1, 3, 125, 255] {
            let output = commands::run(&answer(status, stdout, stderr)).unwrap();
            assert_eq!((output.exit_status, output.stdout.as_str()), (Some(status), stdout));
            assert_eq!(output.stderr, stderr);
        }
    }
    let killed = |stdout: &[u8]| {
        let (stdout, stderr) = (stdout.into(), b"\xff".to_vec());
        commands::run(&Answer { stdout, stderr, exit: Exit::Signal, timing: None })
    };
    let output = killed(b"half").unwrap();
    assert_eq!((output.exit_status, output.stdout.as_str(), output.stderr.as_str()), (None, "half", "\u{fffd}"));
    for noise in [&b"\xff 9 half"[..], b"\x1f\x8b\x08\0 9\n", b"9\0"] {
        assert_eq!(killed(noise).unwrap_err(), Garbled);
    }
}

#[test]
fn tg07_what_did_not_run_found_nothing() {
    for (status, stderr, error) in [
        (127, "/usr/bin/env: 'zpool': No such file or directory\n", Unsupported),
        (126, "/usr/bin/env: '/etc/hosts': Permission denied\n", NotPermitted),
        (1, "sudo: a password is required\n", NotPermitted),
        (1, "sudo: a terminal is required to read the password; either use the -S option\n", NotPermitted),
        (1, "Sorry, user bw is not allowed to execute '/usr/sbin/zpool status -x' as root on db01.\n", NotPermitted),
        (1, "bw is not in the sudoers file.\n", NotPermitted),
        (1, "sudo: zpool: command not found\n", Unsupported),
    ] {
        assert_eq!(parse(Verb::CommandsRun, &answer(status, "", stderr)), Err(error), "{stderr}");
    }
    // The program's own output, although sudo ran it.
    assert!(commands::run(&answer(1, "a pool is degraded\n", "sudo: unable to resolve host db01\n")).is_ok());
    assert!(commands::run(&answer(1, "", "sudo: unable to resolve host db01\n")).is_ok());
}
