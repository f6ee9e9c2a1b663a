//! An approval: a statement about one plan, signed by an approver, and used once.
//!
//! Knows: what a statement contains, and how it is signed. Must not know: terminals, where approvers are listed. Attacks answered: an
//! agent that approves its own plan (AG02): it can read the plan's digest, but lacks an approver's key; and an approval that is used
//! twice, late, elsewhere, or for something else (AG03): the signed bytes contain all of this.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::plan::Plan;
use bailiwick_policy::signature::{AllowedSigners, KeyListing, Signature};

/// The namespace of signatures under plans: a signature under a component approves no plan.
pub const NAMESPACE: &str = "bailiwick-plan";

/// The longest time for which an approval is valid.
pub const VALID_HOURS_MAX: i64 = 24 * 14;

/// The first line of a statement.
const TITLE: &str = "bailiwick.approval/1";

/// Maximum size of a statement.
pub const STATEMENT_BYTES_MAX: usize = 16 << 10;

/// What an approver signs: lines of a name, a space and a value, each once, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    plan: String,
    target: String,
    host_key: String,
    component: String,
    policy: String,
    /// SHA-256 of each step's bytes that the fix has computed; the gate accepts no others.
    computed: Vec<String>,
    not_after: Timestamp,
}

/// Why an approval is rejected (E-APPROVAL).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// The statement is malformed.
    #[error("the file is not a statement about a plan: {0}")]
    Form(&'static str),
    /// It is about something else.
    #[error("the {0} in the approval does not match the plan")]
    Other(&'static str),
    /// It has expired.
    #[error("the approval expired at {0}")]
    Late(Timestamp),
    /// It is valid for too long.
    #[error("the approval is valid until {0}, which is too far away (maximum {VALID_HOURS_MAX} h)")]
    Long(Timestamp),
    /// It has been used.
    #[error("the approval has already been used; an approver must sign a new statement")]
    Used,
    /// The signature is not valid, or not an approver's.
    #[error("the signature is not accepted: {0}")]
    Signature(String),
    /// The approver made the plan.
    #[error("{0} made the plan and cannot approve it")]
    Proposer(String),
}

/// An approval that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// The approver.
    pub principal: String,
    /// The fingerprint of the key.
    pub fingerprint: String,
    /// SHA-256 of the statement.
    pub statement: String,
}

impl Statement {
    /// What an approver of a plan signs.
    #[must_use]
    pub fn new(plan: &Plan, digest: &str, not_after: Timestamp) -> Self {
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
    /// When they are not exactly what [`Self::text`] writes for this statement.
    pub fn read(bytes: &[u8]) -> Result<Self, ApprovalError> {
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(ApprovalError::Form("it is too long"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ApprovalError::Form("it is not UTF-8 text"))?;
        let mut lines = text.lines().peekable();
        if lines.next() != Some(TITLE) {
            return Err(ApprovalError::Form("it does not begin with `bailiwick.approval/1`"));
        }
        let mut value = |name: &str| {
            let rest = lines.peek().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '))?.to_owned();
            lines.next();
            Some(rest)
        };
        let plan = value("plan").ok_or(ApprovalError::Form("the line `plan` is missing"))?;
        let target = value("target").ok_or(ApprovalError::Form("the line `target` is missing"))?;
        let host_key = value("host-key").ok_or(ApprovalError::Form("the line `host-key` is missing"))?;
        let component = value("component").ok_or(ApprovalError::Form("the line `component` is missing"))?;
        let policy = value("policy").ok_or(ApprovalError::Form("the line `policy` is missing"))?;
        let mut computed = Vec::new();
        while let Some(sha) = value("computed") {
            computed.push(sha);
        }
        let not_after = value("not-after").ok_or(ApprovalError::Form("the line `not-after` is missing"))?;
        let not_after = not_after.parse().map_err(|_| ApprovalError::Form("`not-after` is not a time"))?;
        let statement = Self { plan, target, host_key, component, policy, computed, not_after };
        if statement.text() == text { Ok(statement) } else { Err(ApprovalError::Form("it has unexpected content")) }
    }

    /// Its digest, under which the journal records that it was used.
    #[must_use]
    pub fn digest(bytes: &[u8]) -> String {
        HEXLOWER.encode(&Sha256::digest(bytes))
    }

    /// Checks that it approves this plan, now.
    ///
    /// # Errors
    /// When it does not.
    pub fn check_plan(&self, plan: &Plan, digest: &str, now: Timestamp) -> Result<(), ApprovalError> {
        let expected = Self::new(plan, digest, self.not_after);
        let differs = [
            ("plan", self.plan != expected.plan),
            ("target", self.target != expected.target),
            ("host key", self.host_key != expected.host_key),
            ("component", self.component != expected.component),
            ("policy", self.policy != expected.policy),
            ("content", self.computed != expected.computed),
        ];
        if let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) {
            return Err(ApprovalError::Other(what));
        }
        if now > self.not_after {
            return Err(ApprovalError::Late(self.not_after));
        }
        if self.not_after.duration_since(now) > jiff::SignedDuration::from_hours(VALID_HOURS_MAX) {
            return Err(ApprovalError::Long(self.not_after));
        }
        Ok(())
    }
}

/// The approver who signed a statement. `proposer` is the account that made the plan, from the journal.
///
/// # Errors
/// When no approver approves this plan, now.
pub fn check(
    statement: &[u8],
    signature: &[u8],
    plan: &Plan,
    digest: &str,
    approvers: &AllowedSigners,
    proposer: &str,
    now: Timestamp,
) -> Result<Approved, ApprovalError> {
    Statement::read(statement)?.check_plan(plan, digest, now)?;
    let refused = |error: &dyn std::error::Error| ApprovalError::Signature(error.to_string());
    let signature = Signature::parse_for(signature, NAMESPACE).map_err(|error| refused(&error))?;
    signature.verify(statement).map_err(|error| refused(&error))?;
    let principal = match approvers.principals_for(signature.key(), NAMESPACE, now) {
        KeyListing::Principals(principal) => principal,
        KeyListing::NotListed(why) => return Err(ApprovalError::Signature(why)),
    };
    // The journal has the proposer's account: `alice` must not sign as `alice` or as `alice@example.org`.
    let account = proposer.split(['@', ' ']).next().unwrap_or(proposer);
    let same = |name: &str| name == proposer || name.split('@').next().is_some_and(|name| name == account);
    if principal.split(',').any(same) {
        return Err(ApprovalError::Proposer(proposer.to_owned()));
    }
    Ok(Approved { principal, fingerprint: signature.fingerprint(), statement: Statement::digest(statement) })
}
