//! Every command of README.md, in order, in one clean directory, with a host of the lab as the target `web01`.
//!
//! nas01, because no other test installs a gate there. The account that README calls `bw-read` is a new one: the gate takes its
//! shell, and the lab needs the shell of its own `bw-read`.

use anyhow::{Context, Result, ensure};
use bailiwick_policy::gate::Paths;
use bailiwick_tests::lab::Lab;
use bailiwick_tests::readme::{Block, NEEDS_THE_LAB, Target, Workplace, blocks, commands_shown, page};
use bailiwick_tests::sshd::keygen;

use crate::PROGRAM;

const HOST: &str = "nas01";
const ADDRESS: &str = "10.77.0.30:22";
/// The file of README's example.
const FILE: &str = "/var/lib/app/import.tmp";

/// The account that README's fleet has, with a shell, as before there is a gate; and the fault of its example. An earlier run of
/// this test has used the change that the gate allows in a day.
fn prepare(lab: &Lab, user: &str, public_key: &str) -> Result<()> {
    let state = Paths::default().state;
    let script = format!(
        "set -eu
        rm -rf '{state}'
        useradd --system --no-create-home --home-dir / --shell /bin/sh {user}
        printf '%s\\n' '{public_key}' >/etc/ssh/authorized_keys.d/{user}
        mkdir -p /var/lib/app
        echo half >{FILE}
        touch --date='2 days ago' {FILE}"
    );
    lab.enter(HOST, &["sh", "-c", &script])?;
    Ok(())
}

/// Content, owner, mode and time of the file, or that there is none.
fn file(lab: &Lab) -> Result<String> {
    let script = format!("sha256sum {FILE} && stat --format='%a %U %G %s %Y' {FILE} || echo none");
    lab.enter(HOST, &["sh", "-c", &script])
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn every_command_of_the_readme_works_in_order_and_the_fix_is_rolled_back() -> Result<()> {
    let lab = Lab::find(PROGRAM)?;
    let keys = tempfile::tempdir()?;
    let key = keys.path().join("key");
    let user = format!("bw-readme-{}", std::process::id());
    prepare(&lab, &user, &keygen("ed25519", &key)?)?;
    let before = file(&lab)?;
    let host_key = lab.host_key(HOST)?;
    let target = Target { address: ADDRESS.parse()?, user, key, host_key };
    let mut workplace = Workplace::new(target, &lab.command());

    let (page, mut commands) = (page(), 0);
    // What the reader puts into the place of README's capital letters.
    let (mut plan, mut change) = (None::<String>, None::<String>);
    for block in blocks(&page) {
        let Block::Command { section, line } = &block else {
            workplace.follow(&block);
            continue;
        };
        commands += 1;
        if section != NEEDS_THE_LAB {
            workplace.follow(&block);
        } else if line.ends_with("> gate.sh") {
            workplace.run(line, &[0]);
            lab.enter_with(HOST, &["sh"], &workplace.work().join("gate.sh"))?;
        } else if line.starts_with("bailiwick plan ") {
            let printed = workplace.run(line, &[0]);
            ensure!(printed.contains(&format!("1. sets {FILE} aside")), "{printed}");
            let digest = printed.strip_prefix("plan ").and_then(|rest| rest.split_whitespace().next());
            plan = Some(digest.context(printed.clone())?.to_owned());
        } else if line.ends_with(" PLAN") {
            let digest = plan.as_deref().context("apply before plan")?;
            let printed = workplace.run_at_a_terminal(&line.replace("PLAN", digest), &digest[..8]);
            ensure!(printed.contains("applied and verified") && file(&lab)?.trim() == "none", "{printed}");
            let id = printed.split_whitespace().find(|word| word.starts_with("c-"));
            change = Some(id.context(printed.clone())?.to_owned());
        } else if line.ends_with(" CHANGE") {
            let printed =
                workplace.run(&line.replace("CHANGE", change.as_deref().context("rollback before apply")?), &[0]);
            ensure!(file(&lab)? == before, "{printed}");
            change = None;
        } else {
            workplace.run(line, &[0]);
        }
    }
    ensure!(commands == commands_shown(&page), "{commands} commands were run\n{}", workplace.transcript());
    ensure!(plan.is_some() && change.is_none(), "nothing was rolled back\n{}", workplace.transcript());
    Ok(())
}
