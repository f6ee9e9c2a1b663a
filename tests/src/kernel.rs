//! A kernel that lacks something, as far as a thread and its children can see.

use std::collections::BTreeMap;

use anyhow::Result;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// Makes these system calls answer ENOSYS, for the calling thread and every process that it starts, permanently. Call it on a
/// separate thread.
///
/// # Errors
/// When this kernel has no seccomp.
pub fn without(calls: &[i64]) -> Result<()> {
    let rules: BTreeMap<i64, _> = calls.iter().map(|call| (*call, Vec::new())).collect();
    let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, missing, std::env::consts::ARCH.try_into()?)?;
    Ok(apply_filter(&BpfProgram::try_from(filter)?)?)
}
