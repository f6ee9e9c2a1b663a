//! `bailiwick recover`: what is true of changes that have no end.

use crate::report::change as report;
use crate::report::exit::ExitCode as Exit;
use bailiwick_change::recover as find_out;

use super::desk::{self, Room};
use crate::cli::Context;

pub(crate) fn recover(context: &Context, _: &crate::cli::args::Recover) -> anyhow::Result<Exit> {
    let room = Room::open(context, 1)?;
    let mut log = desk::log(context)?;
    let open: Vec<_> =
        log.ledger().open().map(|open| (open.id.clone(), open.plan.clone(), open.target.clone())).collect();
    if open.is_empty() {
        context.out.text("every change has an end; `bailiwick changes` lists them")?;
        return Ok(Exit::Fine);
    }
    let runtime = desk::runtime()?;
    let mut needed = false;
    for (change, plan, target) in open {
        let plan = match room.store.plan(&plan) {
            Ok((plan, _)) => Some(plan),
            Err(error) => {
                context.out.say(&format!("{change}: {error}"));
                None
            }
        };
        let target = match room.target(target.as_str()) {
            Ok(target) => target,
            Err(error) => {
                context.out.say(&format!("{change}: {error}"));
                needed = true;
                continue;
            }
        };
        let mut hands = room.hands(target);
        let found = runtime.block_on(async {
            let found = find_out(&mut log, &mut hands, plan.as_ref(), &change).await;
            hands.talk.close().await;
            found
        })?;
        if let Some(found) = found {
            needed |= found.end.is_none() || found.end == Some(bailiwick_journal::End::Stuck);
            context.out.text(&report::found(&found))?;
        }
    }
    Ok(if needed { Exit::Stuck } else { Exit::Fine })
}
