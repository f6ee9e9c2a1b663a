//! The commands of README.md, in order, in one clean directory, with a real sshd as the target `web01`.
//!
//! All but one section, which needs systemd on the target. The lab follows the whole page (`tests/tests/lab/readme.rs`).

use bailiwick_tests::readme::{Block, NEEDS_THE_LAB, Target, Workplace, blocks, commands_shown, page};
use bailiwick_tests::sshd::{Sshd, user};

use crate::PROGRAM;

#[test]
fn every_command_of_the_readme_works_in_order() {
    let sshd = Sshd::plain().unwrap();
    let target = Target {
        address: sshd.address(),
        user: user().unwrap(),
        key: sshd.user_key(),
        host_key: sshd.host_key("ed25519").unwrap().to_owned(),
    };
    let mut workplace = Workplace::new(target, &format!("#!/bin/sh\nexec '{PROGRAM}' \"$@\"\n"));
    let page = page();
    let (mut commands, mut left) = (0, 0);
    for block in blocks(&page) {
        let counts = usize::from(matches!(block, Block::Command { .. }));
        if block.section() == NEEDS_THE_LAB {
            left += counts;
        } else {
            commands += counts;
            workplace.follow(&block);
        }
    }
    assert!(left > 0, "README.md has no section {NEEDS_THE_LAB:?}");
    assert_eq!(commands + left, commands_shown(&page), "{}", workplace.transcript());
}
