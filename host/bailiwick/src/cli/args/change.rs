//! The arguments of the commands about changes. None of them approves a change without a person, a signature or policy (AG13).

use std::path::PathBuf;

use bailiwick_core::limits;
use clap::Subcommand;

use super::{Format, LAST_MAX, number};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(in crate::cli) struct Plan {
    #[command(subcommand)]
    pub(in crate::cli) command: Option<PlanCommand>,

    /// The fix
    #[arg(value_name = "FIX", required = true)]
    pub(in crate::cli) fix: Option<String>,

    /// The target
    #[arg(long, value_name = "NAME", required = true)]
    pub(in crate::cli) target: Option<String>,

    /// Print the plan as JSON, exactly as it is stored
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PlanCommand {
    /// Show a plan, or print the text an approver signs
    Show {
        /// The plan's digest, or at least its first 8 characters
        digest: String,

        /// Print the plan as JSON, exactly as it is stored
        #[arg(long, conflicts_with = "statement")]
        json: bool,

        /// Print the text (statement) that an approver signs
        ///
        /// The approver signs it with:
        ///
        /// ssh-keygen -Y sign -n bailiwick-plan -f KEY FILE
        #[arg(long, requires = "hours")]
        statement: bool,

        /// How long the approval is valid: 1h to 336h, such as 8h
        ///
        /// Required with --statement.
        #[arg(long = "for", value_name = "HOURS", value_parser = hours)]
        hours: Option<u32>,
    },
}

/// `8h`. An approval that is valid for more than two weeks is rejected.
fn hours(text: &str) -> Result<u32, String> {
    let hours = text.strip_suffix('h').and_then(|hours| hours.parse().ok());
    let maximum = u32::try_from(bailiwick_change::approval::VALID_HOURS_MAX).unwrap_or(u32::MAX);
    hours
        .filter(|hours| (1..=maximum).contains(hours))
        .ok_or_else(|| format!("must be between 1h and {maximum}h, such as 8h"))
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Apply {
    /// The plan's digest, or at least its first 8 characters
    #[arg(value_name = "PLAN")]
    pub(in crate::cli) plan: String,

    /// Signature STATEMENT.sig; STATEMENT in the same folder
    ///
    /// STATEMENT is the output of `bailiwick plan show PLAN --statement --for 8h`, and STATEMENT.sig an approver's signature of it.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) approval: Option<PathBuf>,

    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(in crate::cli) format: Format,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Rollback {
    /// The change's id, such as c-20261122-1f0c9a3e
    #[arg(value_name = "CHANGE")]
    pub(in crate::cli) change: String,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Rehearse {
    /// The fix
    #[arg(value_name = "FIX")]
    pub(in crate::cli) fix: String,

    /// The staging target, from `[change] staging` in policy.toml
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) staging: String,

    /// An approver's signature, if the fix computes bytes
    ///
    /// The first `rehearse` prints the digest of the plan and the commands that sign it. Run it again with --plan and --approval. The
    /// file is STATEMENT.sig, with STATEMENT in the same folder, as for `apply`.
    #[arg(long, value_name = "FILE", requires = "plan")]
    pub(in crate::cli) approval: Option<PathBuf>,

    /// The plan whose approval is given; needs --approval
    #[arg(long, value_name = "PLAN", requires = "approval")]
    pub(in crate::cli) plan: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Changes {
    /// How many changes to list
    #[arg(long, value_name = "N", default_value = "20", value_parser = number::<usize>(0..=LAST_MAX))]
    pub(in crate::cli) last: usize,

    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(in crate::cli) format: Format,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Rounds {
    /// Maximum number of targets checked concurrently
    #[arg(long, value_name = "N", default_value_t = limits::JOBS, value_parser = number::<u64>(1..=limits::JOBS_MAX))]
    pub(in crate::cli) jobs: u64,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Stop {
    /// The reason, for the record and for the operator who resumes
    #[arg(value_name = "WHY")]
    pub(in crate::cli) why: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Resume {
    /// Confirm that the system clock is correct again
    #[arg(long)]
    pub(in crate::cli) clock: bool,

    /// The reason, for the record
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) why: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Unblock {
    /// The target of the stuck change
    #[arg(value_name = "TARGET")]
    pub(in crate::cli) target: String,

    /// The reason, for the record
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) why: Option<String>,
}

/// `recover` has no options.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Recover {}
