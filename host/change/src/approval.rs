//! An approval: a statement about one plan, signed by somebody who may approve, and used once.
//!
//! Knows: what a statement says, and how it is signed. Must not know: terminals, where approvers stand. Attacks answered: an agent
//! that approves for itself (AG02): what it can read, the plan's digest, approves nothing without a key that it does not have; and
//! an approval that is used twice, late, elsewhere, or for something else (AG03): all of it is in the signed bytes.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::plan::Plan;
use bailiwick_policy::signature::{AllowedSigners, KeyListing, Signature};

/// What signatures under plans are made for: one under a component approves nothing.
pub const NAMESPACE: &str = "bailiwick-plan";

/// The longest time for which somebody can approve.
pub const VALID_HOURS_MAX: i64 = 24 * 14;

/// The first line of a statement.
const TITLE: &str = "bailiwick.approval/1";

/// The most bytes of a statement that are read.
pub const STATEMENT_BYTES_MAX: usize = 16 << 10;

/// What an approver signs: lines of a name, a space and a value, each once, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    plan: String,
    target: String,
    host_key: String,
    component: String,
    policy: String,
    /// SHA-256 of each step's bytes that the fix made; these alone does the gate take.
    computed: Vec<String>,
    not_after: Timestamp,
}

/// Why an approval is none (E-APPROVAL).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    /// It is not in the form of one.
    #[error("it is no statement about a plan: {0}")]
    Form(&'static str),
    /// It speaks of something else.
    #[error("it speaks of another {0} than the plan")]
    Other(&'static str),
    /// Too late.
    #[error("it was valid until {0}")]
    Late(Timestamp),
    /// For too long.
    #[error("it would be valid until {0}; {VALID_HOURS_MAX} h are the longest time for which anybody approves")]
    Long(Timestamp),
    /// It has been used.
    #[error("it has been used; each signature counts once")]
    Used,
    /// Not signed by anybody who may.
    #[error("its signature is not taken: {0}")]
    Signature(String),
    /// By whoever proposed the plan.
    #[error("{0} made the plan, and somebody else approves it")]
    Proposer(String),
}

/// An approval that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// Whose.
    pub principal: String,
    /// The key's.
    pub fingerprint: String,
    /// SHA-256 of the statement.
    pub statement: String,
}

impl Statement {
    /// What an approver of a plan signs.
    #[must_use]
    pub fn of(plan: &Plan, digest: &str, not_after: Timestamp) -> Self {
        // To the second: what is written is what is read.
        let not_after = Timestamp::from_second(not_after.as_second()).unwrap_or(not_after);
        Self {
            plan: digest.to_owned(),
            target: plan.target.to_string(),
            host_key: plan.host_key.clone(),
            component: plan.component.clone(),
            policy: plan.policy.clone(),
            computed: plan.steps.iter().filter_map(|step| step.computed.clone()).collect(),
            not_after,
        }
    }

    /// Its bytes: what `ssh-keygen -Y sign -n bailiwick-plan` is given.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { plan, target, host_key, component, policy, computed, not_after } = self;
        let mut text = format!(
            "{TITLE}\nplan {plan}\ntarget {target}\nhost-key {host_key}\ncomponent {component}\npolicy {policy}\n"
        );
        for sha in computed {
            text.push_str(&format!("computed {sha}\n"));
        }
        text.push_str(&format!("not-after {not_after}\n"));
        text
    }

    /// Reads a statement's bytes.
    ///
    /// # Errors
    /// When they are not exactly what [`Self::text`] makes of what they say.
    pub fn read(bytes: &[u8]) -> Result<Self, NotApproved> {
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(NotApproved::Form("it is too long"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NotApproved::Form("it is no text"))?;
        let mut lines = text.lines().peekable();
        if lines.next() != Some(TITLE) {
            return Err(NotApproved::Form("it does not begin with `bailiwick.approval/1`"));
        }
        let mut value = |name: &str| {
            let rest = lines.peek().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '))?.to_owned();
            lines.next();
            Some(rest)
        };
        let plan = value("plan").ok_or(NotApproved::Form("the line `plan` is missing"))?;
        let target = value("target").ok_or(NotApproved::Form("the line `target` is missing"))?;
        let host_key = value("host-key").ok_or(NotApproved::Form("the line `host-key` is missing"))?;
        let component = value("component").ok_or(NotApproved::Form("the line `component` is missing"))?;
        let policy = value("policy").ok_or(NotApproved::Form("the line `policy` is missing"))?;
        let mut computed = Vec::new();
        while let Some(sha) = value("computed") {
            computed.push(sha);
        }
        let not_after = value("not-after").ok_or(NotApproved::Form("the line `not-after` is missing"))?;
        let not_after = not_after.parse().map_err(|_| NotApproved::Form("`not-after` is not a time"))?;
        let statement = Self { plan, target, host_key, component, policy, computed, not_after };
        if statement.text() == text {
            Ok(statement)
        } else {
            Err(NotApproved::Form("there is more in it than there should be"))
        }
    }

    /// Its digest: by this the journal knows that it was used.
    #[must_use]
    pub fn digest(bytes: &[u8]) -> String {
        HEXLOWER.encode(&Sha256::digest(bytes))
    }

    /// Whether it speaks of this plan, now.
    ///
    /// # Errors
    /// When it does not.
    pub fn about(&self, plan: &Plan, digest: &str, now: Timestamp) -> Result<(), NotApproved> {
        let wanted = Self::of(plan, digest, self.not_after);
        let differs = [
            ("plan", self.plan != wanted.plan),
            ("target", self.target != wanted.target),
            ("host key", self.host_key != wanted.host_key),
            ("component", self.component != wanted.component),
            ("policy", self.policy != wanted.policy),
            ("content", self.computed != wanted.computed),
        ];
        if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
            return Err(NotApproved::Other(what));
        }
        if now > self.not_after {
            return Err(NotApproved::Late(self.not_after));
        }
        if self.not_after.duration_since(now) > jiff::SignedDuration::from_hours(VALID_HOURS_MAX) {
            return Err(NotApproved::Long(self.not_after));
        }
        Ok(())
    }
}

/// Whose approval a signature under a statement is. `proposer` is who made the plan, as the journal names them.
///
/// # Errors
/// When it is nobody's who may approve this, now.
pub fn check(
    statement: &[u8],
    signature: &[u8],
    plan: &Plan,
    digest: &str,
    approvers: &AllowedSigners,
    proposer: &str,
    now: Timestamp,
) -> Result<Approved, NotApproved> {
    Statement::read(statement)?.about(plan, digest, now)?;
    let refused = |error: &dyn std::error::Error| NotApproved::Signature(error.to_string());
    let signature = Signature::parse_for(signature, NAMESPACE).map_err(|error| refused(&error))?;
    signature.verify(statement).map_err(|error| refused(&error))?;
    let principal = match approvers.principals_for(signature.key(), NAMESPACE, now) {
        KeyListing::Principals(principal) => principal,
        KeyListing::NotListed(why) => return Err(NotApproved::Signature(why)),
    };
    // The account is what the journal has of the proposer: `alice` is whoever signs as `alice` or as `alice@example.org`.
    let account = proposer.split(['@', ' ']).next().unwrap_or(proposer);
    let same = |name: &str| name == proposer || name.split('@').next().is_some_and(|name| name == account);
    if principal.split(',').any(same) {
        return Err(NotApproved::Proposer(proposer.to_owned()));
    }
    Ok(Approved { principal, fingerprint: signature.fingerprint(), statement: Statement::digest(statement) })
}
