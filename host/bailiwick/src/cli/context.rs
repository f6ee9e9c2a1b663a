//! What every command works with: the ops directory, the state directory, and where it prints.
//!
//! Knows: where files are. Must not know: what a command does with them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bailiwick_engine::quarantine::Quarantine;
use bailiwick_policy::lock::{LockState, store};
use bailiwick_policy::ops::{Environment, Ops};

use super::args::Global;
use super::fail;
use super::out::Out;

/// How long a command that reads waits for one that changes the ops directory.
const PATIENCE: Duration = Duration::from_secs(5);

/// What every command works with.
pub(super) struct Context {
    pub(super) environment: Environment,
    pub(super) dir: Option<PathBuf>,
    pub(super) state: Option<PathBuf>,
    pub(super) out: Out,
}

impl Context {
    pub(super) fn new(global: Global) -> Self {
        let environment = Environment::read();
        let dir = environment.ops_dir(global.dir.as_deref());
        Self { environment, dir, state: global.state, out: Out::new(global.color) }
    }

    /// The ops directory and what people have accepted in it, both from one moment.
    pub(super) fn ops_and_lock(&self) -> anyhow::Result<(Ops, LockState)> {
        self.settle();
        let _hold = self.dir.as_deref().and_then(|dir| store::lock_shared(dir, PATIENCE));
        let ops = Ops::load(self.dir.as_deref(), self.environment.home.as_deref())?;
        let lock_state = LockState::load(self.dir.as_deref())?;
        Ok((ops, lock_state))
    }

    /// The directory with the lock.
    pub(super) fn ops_dir(&self) -> anyhow::Result<&Path> {
        self.dir.as_deref().ok_or_else(|| {
            fail::usage(
                "there is no ops directory, and only an ops directory has components of its own",
                "name one with --dir DIR; it holds fleet.toml and policy.toml",
            )
        })
    }

    /// Finishes what an earlier command was interrupted in. If that fails, the component that it was about is refused
    /// until it succeeds; other components are not affected.
    pub(super) fn settle(&self) {
        let Some(dir) = &self.dir else { return };
        match store::finish_interrupted(dir, PATIENCE) {
            Ok(false) => {}
            Ok(true) => {
                self.out.say("warning: an earlier command was interrupted while it accepted a component; now finished")
            }
            Err(error) => {
                let error = anyhow::Error::new(error);
                self.out.say(&format!(
                    "warning: an earlier command was interrupted while it accepted a component: {error:#}"
                ));
            }
        }
    }

    pub(super) fn state_folder(&self) -> anyhow::Result<PathBuf> {
        let state = self.environment.state_dir(self.state.as_deref(), self.dir.as_deref());
        state.ok_or_else(|| fail::usage("no directory for the journal: HOME is not set", "name one with --state DIR"))
    }

    pub(super) fn journal_folder(&self) -> anyhow::Result<PathBuf> {
        Ok(self.state_folder()?.join("journal"))
    }

    /// The folder of a journal that exists.
    pub(super) fn journal(&self) -> anyhow::Result<PathBuf> {
        use bailiwick_core::encode::ShownPath as _;
        let folder = self.journal_folder()?;
        if folder.join("journal.jsonl").exists() {
            return Ok(folder);
        }
        let message = format!("there is no journal in {}", folder.shown());
        Err(fail::usage(message, "`bailiwick check` creates one; --state DIR names another directory"))
    }

    pub(super) fn quarantine(&self) -> anyhow::Result<Quarantine> {
        Ok(Quarantine::at(&self.state_folder()?))
    }
}
