//! What the commands about changes share: who asks, the journal, the rules, and the doors to a target.

use std::sync::Arc;

use bailiwick::change::ledger::{Ledger, LedgerError};
use bailiwick::change::log::Log;
use bailiwick::encode;
use bailiwick::journal::ReadError;

use crate::cli::{Context, check};

/// The account of whoever asks, as the journal has it: their own word, and their number, which is not.
pub(super) fn who(context: &Context) -> String {
    let uid = rustix::process::getuid().as_raw();
    let named = context.surroundings.user.as_deref().filter(|user| user.len() <= 64 && encode::is_plain(user));
    named.map_or_else(|| format!("uid {uid}"), |user| format!("{user} (uid {uid})"))
}

/// The journal, open for writing, with all that it says.
pub(super) fn log(context: &Context) -> anyhow::Result<Log> {
    let (journal, recovery) = check::open(context)?;
    if let Some(recovery) = recovery {
        context.out.say(&check::told(&recovery, &journal));
    }
    Ok(Log::open(Arc::new(journal))?)
}

/// What the journal says, without writing to it.
pub(super) fn read(context: &Context) -> anyhow::Result<Ledger> {
    match Ledger::read(&context.journal_folder()?) {
        Ok(ledger) => Ok(ledger),
        // Where there is none, nothing was ever changed.
        Err(LedgerError::Read(ReadError::Io { source, .. })) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(Ledger::default())
        }
        Err(error) => Err(error.into()),
    }
}
