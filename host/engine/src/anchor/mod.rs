//! Copies the journal's head to anchors, and compares the journal with the copies. An anchor is a place where an account that
//! can write the journal cannot change the copy.
//!
//! Knows: heads, the operator's `[[anchor]]` rules, the way to a target. Must not know: components. Attacks answered: a
//! journal that is cut, or rewritten from some entry on with its whole chain (JR01). The chain shows edits; only a copy
//! elsewhere shows these.
//!
//! **Invariant:** a head is copied after every entry that it covers is on the disk, and after an entry that names the anchors.
//! The results are an entry too, which the next head covers.
//!
//! A copy is one line, `bailiwick.head/1 SEQ HASH TIME`. A sweep writes nothing else to a target. The operator's own rule asks
//! for it: no component can, and `review --wire` lists it.

mod copy;
mod compare;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

pub use self::compare::{AnchorCheck, Fault, compare};
pub use self::copy::{AnchorError, fetch};
use bailiwick_journal::{Entry, EntryRef, Journal, OpenError};
use bailiwick_policy::ops::Ops;
use bailiwick_transport::ssh;

/// The format, at the start of each line.
const FORMAT: &str = "bailiwick.head/1";
/// Longest line, with its newline.
const LINE_BYTES: usize = 160;

/// A place in the chain, with the time of the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The newest entry at that time.
    pub link: EntryRef,
    /// The controller's clock.
    pub time: Timestamp,
}

impl Head {
    /// The line, with its newline.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { link: EntryRef { seq, hash }, time } = self;
        format!("{FORMAT} {seq} {hash} {}\n", time.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }

    /// Reads a line without its newline. None if Bailiwick did not write it.
    fn read(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok().filter(|line| line.len() < LINE_BYTES)?;
        let mut words = line.strip_prefix(FORMAT)?.strip_prefix(' ')?.split(' ');
        let (seq, hash, time) = (words.next()?.parse().ok()?, words.next()?.to_owned(), words.next()?.parse().ok()?);
        let head = Self { link: EntryRef { seq, hash }, time };
        // Only the one spelling that Bailiwick writes.
        (head.line().trim_end() == line && head.link.is_valid()).then_some(head)
    }
}

/// Copies the head to every anchor of policy, to all of them at once. Returns for each anchor, by name, why its copy failed,
/// if it did.
///
/// # Errors
/// When the journal is not writable. Then nothing is copied.
pub async fn copy(
    ops: &Arc<Ops>,
    journal: &Journal,
    ssh: &ssh::Settings,
    now: Timestamp,
) -> Result<BTreeMap<String, Option<String>>, OpenError> {
    let anchors = &ops.policy.anchors;
    if anchors.is_empty() {
        return Ok(BTreeMap::new());
    }
    journal.append(Entry::Anchoring { to: anchors.iter().map(|anchor| anchor.to.to_string()).collect() })?;
    journal.sync()?;
    let head = Head { link: journal.last(), time: now };
    let mut tasks = tokio::task::JoinSet::new();
    for anchor in anchors.iter().cloned() {
        let (ops, ssh, line) = (Arc::clone(ops), ssh.clone(), head.line());
        tasks.spawn(async move {
            let failed = copy::append(&ops, &anchor.to, &ssh, &line).await.err().map(|error| error.on_one_line(&ops));
            (anchor.to.to_string(), failed)
        });
    }
    // After a panic in a task, the sweep still has its results, and the anchor counts as failed.
    let mut results: BTreeMap<String, Option<String>> =
        anchors.iter().map(|anchor| (anchor.to.to_string(), Some("the copy did not finish".to_owned()))).collect();
    while let Some(done) = tasks.join_next().await {
        results.extend(done);
    }
    let EntryRef { seq, hash } = head.link;
    journal.append(Entry::Anchored { head: seq, hash, results: results.clone() })?;
    journal.sync()?;
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailiwick_policy::policy::HEAD_LINE;

    #[test]
    fn a_line_has_one_spelling() {
        let link = EntryRef { seq: 12, hash: "ab".repeat(32) };
        let head = Head { link, time: "2026-11-22T04:20:47Z".parse().unwrap() };
        let line = head.line();
        let template = line.replacen("12", "SEQ", 1).replace(&"ab".repeat(32), "HASH");
        assert_eq!(template.replace("2026-11-22T04:20:47Z", "TIME"), HEAD_LINE, "what review shows");
        assert_eq!(line, format!("bailiwick.head/1 12 {} 2026-11-22T04:20:47Z\n", "ab".repeat(32)));
        assert_eq!(Head::read(line.trim_end().as_bytes()), Some(head));
        let line = line.trim_end();
        for bad in [
            line.replace(" 12 ", " 012 "),
            line.replace(" 12 ", " +12 "),
            line.replace("ab", "AB"),
            line.replace("/1", "/2"),
            format!("{line} "),
            format!(" {line}"),
            format!("{line} x"),
            line[..line.len() - 1].to_owned(),
            line.replace("ab", ""),
            "x".repeat(1 << 20),
            String::new(),
        ] {
            assert_eq!(Head::read(bad.as_bytes()), None, "{bad}");
        }
    }
}
