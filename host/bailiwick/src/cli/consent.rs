//! `bailiwick add`, `approve`, `revoke`: what a person accepts and revokes.
//!
//! An acceptance is typed at a terminal after everything was shown there, or given as the digest of what was shown. No flag accepts
//! what was not shown.

use std::path::{Path, PathBuf};

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode::{self, ShownPath as _};
use bailiwick_core::model::ComponentId;
use bailiwick_engine::consent;
use bailiwick_engine::consent::{
    Actor, OfferError, Offered, Question, Rejection, Verdict, accept, facts, judge, keep_pending, plain_digest,
    question, revoke, unrevoke,
};
use bailiwick_policy::lock::store::{Files, proceed};
use bailiwick_policy::lock::{Lock, LockState, Version};
use bailiwick_policy::ops::{Ops, OpsError};
use jiff::Timestamp;

use super::{Context, confirm, fail, page};

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// A component (.wasm), or a folder of components
    ///
    /// If the manifest is not in NAME.wasm, it must be in NAME.toml in the same folder.
    #[arg(value_name = "FILE|DIR")]
    pub(super) path: PathBuf,

    #[command(flatten)]
    pub(super) answer: Answer,

    /// Confirm that the similar ID is another component
    ///
    /// Repeatable. Without it, a component whose id resembles an existing one is refused.
    #[arg(long, value_name = "ID")]
    pub(super) not_a_look_alike: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Approve {
    /// The component
    pub(super) id: String,

    #[command(flatten)]
    pub(super) answer: Answer,
}

#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    /// A component's id, or the SHA-256 of its file
    #[arg(value_name = "ID|DIGEST")]
    pub(super) name: String,

    /// The reason, stored in bailiwick.lock
    #[arg(long, value_name = "TEXT")]
    pub(super) why: Option<String>,

    /// Undo a revocation; the digest can be added again
    #[arg(long)]
    pub(super) undo: bool,
}

/// An acceptance, and its reason.
#[derive(Debug, clap::Args)]
pub(super) struct Answer {
    /// Accept the action list with this digest, without asking
    ///
    /// `add` and `approve` print the digest. It covers the component and every action that it gets. Repeatable.
    #[arg(long, value_name = "DIGEST")]
    pub(super) accept: Vec<String>,

    /// The reason, stored in bailiwick.lock
    #[arg(long, value_name = "TEXT")]
    pub(super) why: Option<String>,
}

/// A component that a person is asked to accept.
struct Case<'a> {
    dir: &'a Path,
    question: &'a Question,
    verdict: Verdict,
    /// The files to write. None if the existing ones are correct.
    files: Option<&'a Files>,
    /// The command that would accept it.
    again: String,
}

pub(super) fn add(context: &Context, args: &Add) -> anyhow::Result<Exit> {
    let dir = context.ops_dir()?;
    context.settle();
    let offered = consent::read(&args.path).map_err(flat)?;
    // All components at once, because one grant can name several of them.
    let files = offered.iter().map(|offered| offered.file.clone()).collect();
    let ops = Ops::load_with(dir, context.environment.home.as_deref(), files)?;
    let mut exit = Exit::Fine;
    for offered in &offered {
        // The previous component may have changed the lock.
        let lock = lock(dir)?;
        exit = exit.max(add_one(context, args, &ops, dir, &lock, offered)?);
    }
    Ok(exit)
}

fn add_one(
    context: &Context,
    args: &Add,
    ops: &Ops,
    dir: &Path,
    lock: &Lock,
    offered: &Offered,
) -> anyhow::Result<Exit> {
    let distinct = args.not_a_look_alike.iter().map(|id| ComponentId::new(id)).collect::<Result<Vec<_>, _>>()?;
    let (facts, inspected, _links) = match facts(ops, offered.id(), Timestamp::now()) {
        Ok(offered) => offered,
        Err(misfit) => {
            context.out.say(&format!("error: {} is refused: {misfit}", offered.path.shown()));
            context.out.say(&page::unmet(ops, offered.id()));
            return Ok(Exit::Refused);
        }
    };
    let question = question(ops, lock, offered.id(), facts);
    let id = &question.id;
    let verdict = match judge(&question, ops, lock, &distinct) {
        Ok(verdict) => verdict,
        Err(rejection) => return Ok(rejected(context, id, &rejection)),
    };
    let actor = actor(context, &args.answer)?;
    let case = Case {
        dir,
        question: &question,
        verdict,
        files: Some(&offered.files),
        again: format!("bailiwick add {}", args.path.shown()),
    };
    match verdict {
        Verdict::NotGranted => {
            context.out.text(&page::whole(ops, &question, offered, &inspected))?;
            context.out.text(&page::ungranted(&question, &offered.file.manifest))?;
            Ok(Exit::Waiting)
        }
        Verdict::First => {
            context.out.text(&page::whole(ops, &question, offered, &inspected))?;
            case.ask(context, &args.answer, &actor)
        }
        Verdict::Same if offered.is_in_place(dir) => {
            context.out.text(&format!("{id} {} is already accepted", question.facts.version))?;
            Ok(Exit::Fine)
        }
        Verdict::Same => {
            accept(dir, &question, verdict, Some(&offered.files), &actor, &mut proceed)?;
            context
                .out
                .text(&format!("{id} {}: the accepted files are back in their place", question.facts.version))?;
            Ok(Exit::Fine)
        }
        Verdict::NoMore => passes(context, dir, &question, Some(&offered.files), &actor),
        Verdict::Grown => {
            context.out.text(&page::difference(ops, &question, &offered.file.manifest))?;
            case.ask(context, &args.answer, &actor)
        }
        Verdict::More => {
            keep_pending(dir, id, &offered.files)?;
            if !args.answer.accept.is_empty() {
                context.out.say(
                    "note: it asks for more than was accepted, which `add --accept` never answers; `approve` does",
                );
            }
            context.out.text(&page::difference(ops, &question, &offered.file.manifest))?;
            context.out.text(&format!(
                "\n{id} {} is held; {} stays accepted. To accept exactly this:\n  bailiwick approve {id} --accept sha256:{}",
                question.facts.version,
                before(&question),
                question.digest
            ))?;
            Ok(Exit::Waiting)
        }
    }
}

pub(super) fn approve(context: &Context, args: &Approve) -> anyhow::Result<Exit> {
    let dir = context.ops_dir()?;
    context.settle();
    let id = ComponentId::new(&args.id)?;
    let actor = actor(context, &args.answer)?;
    let lock = lock(dir)?;
    let Some(accepted) = lock.components.get(&id) else {
        let file = consent::place(dir, &id);
        let hint =
            format!("`bailiwick add {}` asks for all of it; `bailiwick lock` lists what is accepted", file.shown());
        return Err(fail::usage(format!("`{id}` is not accepted yet, so there is no difference to approve"), hint));
    };
    let pending = consent::pending(dir, &id).map_err(flat)?;
    let newer = |offered: &Offered| {
        let version = Version::new(&offered.file.manifest.version);
        *offered.id() == id && version.is_ok_and(|version| version > accepted.facts.version)
    };
    let pending = pending.filter(newer);
    let candidates = pending.iter().map(|offered| offered.file.clone()).collect();
    let ops = Ops::load_with(dir, context.environment.home.as_deref(), candidates)?;
    let Some(manifest) = ops.library.manifest(id.as_str()) else {
        let hint = format!("put {} back, or `bailiwick revoke {id}`", consent::place(dir, &id).shown());
        return Err(fail::usage(format!("the file of `{id}` is gone"), hint));
    };
    // Without a held version, only the grants of the accepted bytes can be approved, not other bytes.
    let lock_state = LockState::Valid(Box::new(lock.clone()));
    if pending.is_none()
        && let Err(refusal) = lock_state.admit(&ops.library, &id)
    {
        context.out.say(&format!("error: {refusal}"));
        return Ok(Exit::Refused);
    }
    let question = match facts(&ops, &id, Timestamp::now()) {
        Ok((facts, ..)) => question(&ops, &lock, &id, facts),
        Err(misfit) => {
            context.out.say(&format!("error: `{id}` is refused: {misfit}"));
            return Ok(Exit::Refused);
        }
    };
    let verdict = match judge(&question, &ops, &lock, &[]) {
        Ok(verdict) => verdict,
        Err(rejection) => return Ok(rejected(context, &id, &rejection)),
    };
    if matches!(verdict, Verdict::Same | Verdict::NotGranted) {
        let version = accepted.facts.version;
        context.out.text(&format!("{id} {version} has no more than was accepted; nothing waits for approval"))?;
        return Ok(Exit::Fine);
    }
    let files = pending.as_ref().map(|offered| &offered.files);
    // The version was held, and policy has since removed the reason for it.
    if verdict == Verdict::NoMore {
        return passes(context, dir, &question, files, &actor);
    }
    context.out.text(&page::difference(&ops, &question, manifest))?;
    let again = format!("bailiwick approve {id}");
    let case = Case { dir, question: &question, verdict, files, again };
    case.ask(context, &args.answer, &actor)
}

pub(super) fn revoke_command(context: &Context, args: &Revoke) -> anyhow::Result<Exit> {
    let dir = context.ops_dir()?;
    let actor = actor(context, &Answer { accept: Vec::new(), why: args.why.clone() })?;
    if args.undo {
        unrevoke(dir, &args.name)?;
        context.out.text("the revocation is undone, and nothing is accepted: `bailiwick add` asks for it again")?;
        return Ok(Exit::Fine);
    }
    let undone = revoke(dir, &args.name, &actor)?;
    let ids: Vec<_> = undone.components.iter().map(ComponentId::as_str).collect();
    context.out.text(&match ids.as_slice() {
        [] => format!("sha256:{} is revoked; it was not accepted here", undone.digest),
        ids => format!(
            "{} {} blocked: sha256:{} is refused from any file.\nIts files and grants stay until you remove them",
            ids.join(" and "),
            if ids.len() == 1 { "is" } else { "are" },
            undone.digest
        ),
    })?;
    Ok(Exit::Fine)
}

/// Accepts a new version that asks for no more. No confirmation is needed.
fn passes(
    context: &Context,
    dir: &Path,
    question: &Question,
    files: Option<&Files>,
    actor: &Actor,
) -> anyhow::Result<Exit> {
    accept(dir, question, Verdict::NoMore, files, actor, &mut proceed)?;
    let (id, version) = (&question.id, question.facts.version);
    context.out.text(&format!("{id} {version} asks for no more than {}: accepted in its place", before(question)))?;
    Ok(Exit::Fine)
}

/// The accepted version.
fn before(question: &Question) -> String {
    question.before.as_ref().map(|before| before.facts.version.to_string()).unwrap_or_default()
}

impl Case<'_> {
    /// Asks, or uses the digest from the command line. Writes an acceptance to the lock.
    fn ask(&self, context: &Context, answer: &Answer, actor: &Actor) -> anyhow::Result<Exit> {
        let (id, digest) = (&self.question.id, &self.question.digest);
        let given = answer.accept.iter().any(|given| plain_digest(given) == digest);
        if !given {
            if !answer.accept.is_empty() {
                let given = answer.accept.iter().map(|given| given.escape_default().to_string()).collect::<Vec<_>>();
                context.out.say(&format!(
                    "error: {} is not the digest of the list above\n\nhint: read the list, then run the command printed below it",
                    given.join(", ")
                ));
            }
            if !answer.accept.is_empty() || !confirm::is_all_terminal() {
                context.out.text(&format!("\nTo accept exactly this:\n  {} --accept sha256:{digest}", self.again))?;
                return Ok(Exit::Waiting);
            }
            // The person types the id, so that habit or a stray key accepts nothing.
            let question = format!("\nType {id} to accept exactly this, anything else to leave it:");
            if !confirm::typed(context, &question, id.as_str())? {
                context.out.text("nothing is accepted, and nothing has changed")?;
                return Ok(Exit::Waiting);
            }
        }
        accept(self.dir, self.question, self.verdict, self.files, actor, &mut proceed)?;
        let targets = self.question.grants.len();
        context.out.text(&format!(
            "accepted {id} {} on {}",
            self.question.facts.version,
            encode::counted(targets, "target")
        ))?;
        Ok(Exit::Fine)
    }
}

fn rejected(context: &Context, id: &ComponentId, rejection: &Rejection) -> Exit {
    context.out.say(&format!("error: `{id}` is refused: {rejection}"));
    Exit::Refused
}

fn actor(context: &Context, answer: &Answer) -> anyhow::Result<Actor> {
    if let Some(why) = &answer.why
        && (why.trim().is_empty() || !fail::is_reason(why))
    {
        return Err(fail::usage(fail::reason(), "--why \"asked for by the database team\""));
    }
    let uid = rustix::process::getuid().as_raw();
    let named =
        context.environment.user.as_deref().filter(|user| user.len() <= 64 && bailiwick_core::encode::is_plain(user));
    let who = named.map_or_else(|| format!("uid {uid}"), |user| format!("{user} (uid {uid})"));
    Ok(Actor { who, now: Timestamp::from_second(Timestamp::now().as_second())?, why: answer.why.clone() })
}

/// The lock, for a command that adds to it.
fn lock(dir: &Path) -> anyhow::Result<Lock> {
    match LockState::load(Some(dir))? {
        LockState::Missing => Ok(Lock::default()),
        LockState::Valid(lock) => Ok(*lock),
        LockState::Invalid(unusable) => Err(unusable.into()),
    }
}

/// Shows mistakes in a manifest with their places.
fn flat(error: OfferError) -> anyhow::Error {
    match error {
        OfferError::Library(error) => OpsError::from(error).into(),
        other => other.into(),
    }
}
