//! Deterministic pseudo-random numbers: the same for the same component, time and targets, so that a replay does not differ.
//!
//! Knows: a hash. Must not know: any source of randomness. Not for secrets: they follow from the run.

use sha2::{Digest, Sha256};

use super::wire::Start;

/// A stream of bytes: SHA-256 over a seed and a counter.
#[derive(Debug)]
pub(super) struct Random {
    seed: [u8; 32],
    blocks: u64,
}

impl Random {
    /// The stream of one run.
    pub(super) fn new(component: &[u8; 32], start: &Start) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"bailiwick-random-v1");
        hash.update(component);
        hash.update(start.now_ms.to_be_bytes());
        for target in &start.targets {
            let name = target.name.as_str();
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
        }
        Self { seed: hash.finalize().into(), blocks: 0 }
    }

    /// The next bytes. What is left of a block is not used again.
    pub(super) fn take(&mut self, bytes: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes);
        while out.len() < bytes {
            let mut hash = Sha256::new();
            hash.update(self.seed);
            hash.update(self.blocks.to_be_bytes());
            self.blocks += 1;
            let block = hash.finalize();
            let left = bytes - out.len();
            out.extend(block.iter().take(left));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::wire::TargetView;
    use bailiwick_core::model::TargetName;

    fn stream(component: u8, now_ms: u64, target: &str) -> Random {
        let name = TargetName::new(target).unwrap();
        let view = TargetView {
            name,
            params: BTreeMap::new(),
            slots: BTreeMap::new(),
            previous_ms: None,
            earlier: Vec::new(),
        };
        Random::new(
            &[component; 32],
            &Start { run: 7, phase: bailiwick_core::model::Phase::Examine, now_ms, targets: vec![view] },
        )
    }

    #[test]
    fn a_run_has_its_own_and_the_same_again() {
        let first = |component, now_ms, target: &str| stream(component, now_ms, target).take(40);
        assert_eq!(first(1, 1, "a"), first(1, 1, "a"));
        for other in [first(2, 1, "a"), first(1, 2, "a"), first(1, 1, "b")] {
            assert_ne!(first(1, 1, "a"), other);
        }
    }

    #[test]
    fn it_goes_on() {
        let mut random = stream(1, 1, "a");
        let (one, two) = (random.take(33), random.take(33));
        assert_eq!((one.len(), two.len()), (33, 33));
        assert_ne!(one, two);
        assert!(random.take(0).is_empty());
    }
}
