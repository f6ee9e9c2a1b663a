//! Cases: recorded answers, and the findings that a component must report for them. The component runs in its sandbox,
//! through the broker, as in a sweep; only the transport is replaced by the recorded answers.
//!
//! Knows: `cases/*.toml`. Must not know: any network. A new case is recorded from a run of a sweep, after grant, consent,
//! redaction and journal.

mod case;
mod diff;
mod project;
mod record;
mod text;
mod verdict;

use std::sync::Arc;

pub use self::case::Case;
pub use self::diff::diff;
pub use self::project::{Project, ProjectError};
pub use self::record::{RecordError, Recording};
pub use self::verdict::Verdict;
use crate::broker::{Broker, TargetSession};
use crate::run::{Inputs, OnTarget, RunResult, WorkerHandle};
use bailiwick_core::limits::Limits;
use bailiwick_core::manifest::Manifest;
use bailiwick_journal::{Journal, RunEnd};
use bailiwick_sandbox as sandbox;
use bailiwick_sandbox::LoadError;
use bailiwick_sandbox::client::Worker;
use bailiwick_transport::Connection;

/// Why a component's cases cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum CasesError {
    /// It is not a component that this host runs.
    #[error("the component is refused")]
    Inspect(#[from] sandbox::InspectError),
    /// Its imports do not match its manifest.
    #[error("the component is refused")]
    Imports(#[from] sandbox::ImportError),
    /// It cannot be compiled.
    #[error("the component cannot be loaded")]
    Load(#[from] LoadError),
}

/// The end of a run as a case writes it, so that two ends can be compared line by line.
#[must_use]
pub fn written(end: &RunEnd) -> String {
    let expected = match end {
        RunEnd::Report(report) => case::Expected::Findings(verdict::as_written(report)),
        RunEnd::CouldNotCheck { reason, error } => {
            let reason = Some(reason.for_encoder().to_owned());
            case::Expected::Failure(case::RawFailure { error: *error, reason })
        }
        RunEnd::Decided(_) => return "# it returned a plan\n".to_owned(),
        RunEnd::Fault(fault) => return format!("# it broke: {fault}\n"),
    };
    text::expected(&expected)
}

/// Runs the cases of one component.
#[derive(Debug)]
pub struct Runner {
    worker: WorkerHandle,
    broker: Arc<Broker>,
}

impl Runner {
    /// Checks and loads a component. `program` is the worker's executable, or none for this one. Runs are recorded in
    /// `journal`.
    ///
    /// # Errors
    /// When the component is refused or cannot be loaded.
    pub async fn new(
        program: Option<&std::path::Path>,
        manifest: &Manifest,
        bytes: &[u8],
        journal: Arc<Journal>,
    ) -> Result<Self, CasesError> {
        let limits = Limits::asked(&manifest.limits);
        let inspected = sandbox::inspect(bytes, &limits)?;
        let history = manifest.history.is_some();
        let rules = manifest.rules.as_ref();
        let links =
            sandbox::check_component(&inspected, manifest.world, &manifest.verbs(), &manifest.wasi(), history, rules)?;
        let worker = Worker::load(program, bytes, &links, limits).await?;
        Ok(Self { worker: worker.into(), broker: Arc::new(Broker::new(journal)) })
    }

    /// Runs the component on one case.
    pub async fn run(&self, case: &Case) -> Verdict {
        let session = |on: &case::On| Arc::new(TargetSession::new(Connection::Recorded(on.answers.clone())));
        let targets = case.targets.iter().map(|on| OnTarget {
            grant: Arc::clone(&on.grant),
            session: session(on),
            earlier: on.earlier.clone(),
        });
        let inputs = Inputs { targets: targets.collect(), now_ms: case.now_ms, phase: case.phase };
        let RunResult { end, calls, staged, .. } = self.worker.run(&self.broker, 0, &inputs).await;
        let asked: Vec<_> = calls.into_iter().filter_map(|call| Some((call.target, call.action?))).collect();
        Verdict::new(case, &end, &asked, &staged)
    }
}
