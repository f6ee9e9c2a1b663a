//! `bailiwick gate`.

use std::fmt::Write as _;
use std::path::Path;

use crate::report::exit::ExitCode as Exit;
use anyhow::Context as _;
use bailiwick_core::encode;
use bailiwick_core::fleet::{Access, Gate, Ssh, Target};
use bailiwick_core::gate_protocol::{GateFacts, Request};
use bailiwick_policy::gate;
use bailiwick_policy::gate::{Account, Accounts, Credential, Difference, Expected, Install, Paths, Script, compare};
use bailiwick_policy::ops::Ops;
use bailiwick_transport::gate::inspect;
use bailiwick_transport::ssh;

use clap::Subcommand;

use super::{Context, fail};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the gate as it would be installed now
    Show {
        /// The target
        target: String,
    },
    /// Print the script that installs the gate
    InstallScript {
        /// The target
        target: String,
    },
    /// Compare the installed gate with the current policy
    Verify {
        /// The target
        target: String,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let (Command::Show { target: name } | Command::InstallScript { target: name } | Command::Verify { target: name }) =
        &args.command;
    let (ops, _) = context.ops_and_lock()?;
    if let Some(never) = ops.fleet.never.get(name.as_str()) {
        context.out.text(&format!("{name} is a never-host ({}: {}) and has no gate\n", never.place, never.why))?;
        return Ok(Exit::Refused);
    }
    let Some(target) = ops.fleet.targets.get(name.as_str()) else {
        let (message, hint) = ops.fleet.unknown(name);
        return Err(fail::usage(message, hint));
    };
    let (Access::Ssh(ssh), Some(gate)) = (&target.access, target.gate()) else { return Err(no_gate(target)) };
    let paths = Paths::default();
    let (script, listed) = gate::current_script(&ops, target, ssh.user.as_str(), gate, &paths)
        .with_context(|| format!("no gate can be made for `{name}`"))?;
    if matches!(args.command, Command::Show { .. }) {
        context.out.text(&script.text)?;
        return Ok(Exit::Fine);
    }
    let agent = context.environment.agent.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let accounts = runtime.block_on(accounts(target, ssh, gate, listed.connects, agent.as_deref()))?;
    let approvers = approvers(&ops)?;
    if matches!(args.command, Command::InstallScript { .. }) {
        let install = Install { target: name.clone(), script, accounts, approvers, paths };
        context.out.text(&gate::install_script(&install)?.0)?;
        return Ok(Exit::Fine);
    }
    let settings = ssh::Settings { agent, ..ssh::Settings::default() };
    let (facts, installed) = runtime.block_on(ask(&ops, target, &settings))?;
    runtime.shutdown_background();
    let expected = Expected { script: &script, accounts: &accounts, approvers: approvers.as_deref(), paths: &paths };
    let differences = compare(&expected, &facts, &installed)?;
    context.out.text(&comparison(name, &script, &facts, &differences))?;
    Ok(if differences.is_empty() { Exit::Fine } else { Exit::Findings })
}

/// Why there can be no change on a target, and what the operator has to write.
pub(super) fn no_gate(target: &Target) -> anyhow::Error {
    let name = &target.name;
    if target.place.source.is_built_in() {
        return fail::usage(
            format!("without an ops directory no change is possible on {name}"),
            "`bailiwick fleet import > fleet.toml` in an empty directory makes one; --dir DIR names another",
        );
    }
    match target.access {
        Access::Local => fail::usage(
            format!("{name} is this machine ({}), and only a target over SSH can have a gate", target.place),
            "replace `local = true` by `address`, `user`, `identity` and `host-key`, so that it is reached over SSH",
        ),
        Access::Ssh(_) => fail::usage(
            format!("{name} has no gate, so no change is possible there ({})", target.place),
            format!(
                "add [targets.{name}.gate] with `user` and `identity` to fleet.toml, then run `bailiwick gate install-script {name}`"
            ),
        ),
    }
}

/// The two accounts of the gate, with the credentials of the fleet.
async fn accounts(
    target: &Target,
    ssh: &Ssh,
    gate: &Gate,
    connects: Vec<std::net::SocketAddr>,
    agent: Option<&Path>,
) -> anyhow::Result<Accounts> {
    let read = ssh::public_half(&ssh.credential, agent).await?;
    let change = ssh::public_half(&gate.credential(), agent).await?;
    let credential = match &gate.certificate {
        None => Credential::Key(change),
        // The CA signs for many targets, so the certificate must name this one.
        Some(_) => Credential::Authority { key: change, principal: format!("{}@{}", gate.user.as_str(), target.name) },
    };
    Ok(Accounts {
        read: Account { user: ssh.user.as_str().to_owned(), credential: Credential::Key(read) },
        change: Account { user: gate.user.as_str().to_owned(), credential },
        from: gate.from.as_ref().map(ToString::to_string),
        connects,
    })
}

/// Who may approve bytes that a component has computed.
fn approvers(ops: &Ops) -> anyhow::Result<Option<String>> {
    // A mistake in the file is reported here, not on the target after an approver has signed.
    Ok(ops.approvers()?.map(|(source, _)| source.text().to_owned()))
}

async fn ask(ops: &Ops, target: &Target, settings: &ssh::Settings) -> anyhow::Result<(GateFacts, Vec<u8>)> {
    let session = ssh::connect(&ops.fleet, target, settings).await?;
    let answers = inspect(&session, &[Request::Gate, Request::Installed]).await;
    session.close().await;
    let mut answers = answers.context("its gate was not asked")?.into_iter();
    let facts = answers.next().map(|answer| GateFacts::read(&answer.stdout)).context("no answer")??;
    let installed = answers.next().context("no answer")?.stdout;
    Ok((facts, installed))
}

/// The result as text.
fn comparison(name: &str, script: &Script, facts: &GateFacts, differences: &[Difference]) -> String {
    let mut text = String::new();
    if let Some(why) = &facts.disabled {
        let _ = writeln!(text, "{name} accepts no change now: {}", encode::terminal(why, 200));
    }
    if let Some(change) = &facts.open {
        let _ = writeln!(text, "{name}: change {change} is open");
    }
    for difference in differences {
        let reported = encode::terminal(&difference.found, 200);
        let _ = writeln!(
            text,
            "DIFFERS  {}\n    expected {}\n    found    {reported}",
            difference.what, difference.expected
        );
    }
    if differences.is_empty() {
        let _ = writeln!(text, "the gate of {name} matches its grant: list {}", script.list);
    } else {
        let count = differences.len();
        let _ = writeln!(
            text,
            "\n{}; next: bailiwick gate install-script {name}, read it, run it on the target as root",
            encode::counted(count, "difference")
        );
    }
    text
}
