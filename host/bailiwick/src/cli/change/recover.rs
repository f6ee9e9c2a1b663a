//! `bailiwick recover`: find out the state of open changes.

use crate::report::change as report;
use crate::report::exit::ExitCode as Exit;
use bailiwick_change::recover as recover_change;

use super::session::{self, Session};
use crate::cli::Context;

pub(crate) fn recover(context: &Context, _: &crate::cli::args::Recover) -> anyhow::Result<Exit> {
    let session = Session::open(context, 1)?;
    let mut log = session::open_log(context)?;
    let open: Vec<_> =
        log.ledger().open().map(|open| (open.id.clone(), open.plan.clone(), open.target.clone())).collect();
    if open.is_empty() {
        context.out.text("no change is open; `bailiwick changes` lists all changes")?;
        return Ok(Exit::Fine);
    }
    let runtime = session::runtime()?;
    let mut needs_person = false;
    for (change, plan, target) in open {
        let plan = match session.store.plan(&plan) {
            Ok((plan, _)) => Some(plan),
            Err(error) => {
                context.out.say(&format!("{change}: {error}"));
                None
            }
        };
        let target = match session.target(target.as_str()) {
            Ok(target) => target,
            Err(error) => {
                context.out.say(&format!("{change}: {error}"));
                needs_person = true;
                continue;
            }
        };
        let mut gate = session.gate(target);
        let recovered = runtime.block_on(async {
            let recovered = recover_change(&mut log, &mut gate, plan.as_ref(), &change).await;
            gate.transport.close().await;
            recovered
        })?;
        if let Some(recovered) = recovered {
            needs_person |= recovered.end.is_none() || recovered.end == Some(bailiwick_journal::End::Stuck);
            context.out.text(&report::recovered(&recovered))?;
        }
    }
    Ok(if needs_person { Exit::Stuck } else { Exit::Fine })
}
