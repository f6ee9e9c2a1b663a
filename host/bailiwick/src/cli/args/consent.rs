//! What can be said about components: whose yes, to what.

use std::path::PathBuf;

use clap::Subcommand;

use super::Format;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Add {
    /// A component (NAME.wasm, with NAME.toml beside it if it is not sealed), or a folder of them
    #[arg(value_name = "FILE|DIR")]
    pub(in crate::cli) path: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) answer: Answer,

    /// The new component is not the one of this id, though the names look alike; may be given more than once
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) not_a_look_alike: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Approve {
    /// The component
    pub(in crate::cli) id: String,

    #[command(flatten)]
    pub(in crate::cli) answer: Answer,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Revoke {
    /// A component's id, or the SHA-256 of its file
    #[arg(value_name = "ID|DIGEST")]
    pub(in crate::cli) name: String,

    /// Why, for whoever reads the lock
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) why: Option<String>,

    /// Take a revocation back: the digest may be added again
    #[arg(long)]
    pub(in crate::cli) undo: bool,
}

/// A yes, and why.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Answer {
    /// Say yes without a terminal: the digest that was printed with what it covers; may be given more than once
    #[arg(long, value_name = "DIGEST")]
    pub(in crate::cli) accept: Vec<String>,

    /// Why, for whoever reads the lock
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) why: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Lock {
    #[command(subcommand)]
    pub(in crate::cli) command: Option<LockCommand>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LockCommand {
    /// Compute every digest, import and grant again, and hold them against what was accepted
    Verify {
        /// How to print
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: Format,
    },
}
