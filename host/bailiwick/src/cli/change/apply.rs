//! `bailiwick apply` and `bailiwick rollback`.

use std::io::Read as _;
use std::path::Path;

use crate::report::change as report;
use crate::report::exit::ExitCode as Exit;
use bailiwick_change::Approval;
use bailiwick_core::model::ChangeId;
use bailiwick_core::source::open_regular;

use super::executor::{Executor, SignedStatement};
use super::session::{self, Session};
use crate::cli::args;
use crate::cli::args::Format;
use crate::cli::{Context, confirm, fail};

/// How many letters of a digest a person types.
const TYPED: usize = 8;
/// Maximum size of a statement or a signature.
const BYTES_MAX: u64 = 16 << 10;

pub(crate) fn apply(context: &Context, args: &args::Apply) -> anyhow::Result<Exit> {
    let session = Session::open(context, 1)?;
    let (plan, digest) = session.store.plan(&args.plan)?;
    session.target(plan.target.as_str())?;
    let mut signed = None;
    let approval = match &args.approval {
        Some(file) => {
            let (statement, signature) = read_signed(file)?;
            signed = Some((statement.clone(), signature.clone()));
            Approval::Signed { statement, signature, approvers: session.approvers()? }
        }
        None if confirm::is_terminal() => {
            context.out.say(&report::plan(&plan, &digest));
            let first = digest.get(..TYPED).unwrap_or(&digest);
            let question = format!("To apply this plan on {} now, type {first}:", plan.target);
            if !confirm::typed(context, &question, first)? {
                return Err(fail::usage(
                    "the answer does not match, so nothing was done",
                    format!("run `bailiwick apply {first}` again, and type {first}"),
                ));
            }
            Approval::Terminal
        }
        None => {
            let grant = session.ops.grant(&plan.fix, &plan.target);
            Approval::Unattended { allowed: grant.is_some_and(|grant| grant.unattended) }
        }
    };
    let mut log = session::open_log(context)?;
    let executor = Executor { context, session: &session, plan: &plan, digest: &digest, signed };
    match executor.apply(&mut log, approval)? {
        Some(outcome) => executor.print(&outcome, args.format),
        None => Ok(Exit::Stuck),
    }
}

pub(crate) fn rollback(context: &Context, args: &args::Rollback) -> anyhow::Result<Exit> {
    let change = ChangeId::new(&args.change)
        .map_err(|error| fail::usage(error.to_string(), "`bailiwick changes` lists all changes"))?;
    let session = Session::open(context, 1)?;
    let mut log = session::open_log(context)?;
    let Some(state) = log.change(&change) else {
        return Err(fail::usage(
            format!("the journal has no change {change}"),
            "`bailiwick changes` lists all changes",
        ));
    };
    let (plan, digest) = session.store.plan(&state.plan)?;
    session.target(plan.target.as_str())?;
    let executor = Executor { context, session: &session, plan: &plan, digest: &digest, signed: None };
    let Some(outcome) = executor.roll_back(&mut log, &change, Approval::Terminal)? else { return Ok(Exit::Stuck) };
    let exit = executor.print(&outcome, Format::Table)?;
    // The operator has asked for the rollback, so it is a success.
    Ok(if exit == Exit::RolledBack { Exit::Fine } else { exit })
}

/// A statement, and the signature under it.
pub(super) fn read_signed(file: &Path) -> anyhow::Result<SignedStatement> {
    if file.extension().is_none_or(|extension| extension != "sig") {
        let message = "an approval must be a file STATEMENT.sig, with STATEMENT beside it";
        return Err(fail::usage(message, "`ssh-keygen -Y sign` writes such a file"));
    }
    Ok((read(&file.with_extension(""))?, read(file)?))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
