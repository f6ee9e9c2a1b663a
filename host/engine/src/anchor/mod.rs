//! The journal's head, copied to where who can write the journal cannot take it back; and the journal held against the copies.
//!
//! Knows: heads, the operator's `[[anchor]]` rules, the way to a target. Must not know: components. Attacks answered: a
//! journal that is cut, or rewritten from any entry on with all of its chain (JR01): a local chain shows edits, and only
//! a copy elsewhere shows that.
//!
//! **Invariant:** a head is copied after all that it vouches for is on the disk, and after the entry that says where it is
//! copied to; what came of it is an entry too, which the next head covers.
//!
//! A copy is one line, `bailiwick.head/1 SEQ HASH TIME`. It is the one thing that is ever written to a target, by the
//! operator's own rule: no component can ask for it, and `review --wire` lists it.

mod copy;
mod compare;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

pub use self::compare::{Fault, Held, hold};
pub use self::copy::{AnchorError, fetch};
use bailiwick_journal::{Entry, EntryRef, Journal, OpenError};
use bailiwick_policy::ops::Ops;
use bailiwick_transport::ssh;

/// What a line begins with: its format.
const FORMAT: &str = "bailiwick.head/1";
/// Longest line, with its newline.
const LINE_BYTES: usize = 160;

/// A place in the chain, and when it was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The newest entry then.
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

    /// Reads a line without its newline. None for what we never wrote.
    fn read(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok().filter(|line| line.len() < LINE_BYTES)?;
        let mut words = line.strip_prefix(FORMAT)?.strip_prefix(' ')?.split(' ');
        let (seq, hash, time) = (words.next()?.parse().ok()?, words.next()?.to_owned(), words.next()?.parse().ok()?);
        let head = Self { link: EntryRef { seq, hash }, time };
        // Nothing more, nothing otherwise written.
        (head.line().trim_end() == line && head.link.is_valid()).then_some(head)
    }
}

/// Copies the head to every anchor that policy names, side by side. What came of each, by its name: why it failed, if it did.
///
/// # Errors
/// When it cannot be written down; then nothing is copied.
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
            let told = copy::append(&ops, &anchor.to, &ssh, &line).await.err().map(|error| error.told(&ops));
            (anchor.to.to_string(), told)
        });
    }
    // A panic of ours would be a bug; the sweep's results are there all the same, and the anchor is told as failed.
    let mut results: BTreeMap<String, Option<String>> =
        anchors.iter().map(|anchor| (anchor.to.to_string(), Some("it did not come to an end".to_owned()))).collect();
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
