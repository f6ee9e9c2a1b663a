//! Every parser of bytes from outside, as a function that must hold for all bytes.
//!
//! Besides "no panic, no hang, no flood of memory", each function asserts what its parser promises: what is read and written again
//! reads the same, what is rendered is plain, what was refused stays refused. `tests/fuzz/run` runs them with libFuzzer; the tests
//! run each target on its seeds, which are files of this repository.

#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "to panic is what it is for")]

mod answers;
mod binary;
mod consent;
mod files;
mod gates;
mod records;
mod rules;
mod seeds;
mod signatures;
mod text;

/// One parser, or a few that read the same.
#[derive(Debug)]
pub struct Target {
    /// What `tests/fuzz/run` calls it.
    pub name: &'static str,
    /// Panics if a promise is broken.
    pub check: fn(&[u8]),
    /// Where to begin.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "fleet", check: files::fleet, seeds: seeds::fleets },
    Target { name: "policy", check: files::policy, seeds: seeds::policies },
    Target { name: "manifest", check: files::manifest, seeds: seeds::manifests },
    Target { name: "expression", check: rules::expression, seeds: seeds::expressions },
    Target { name: "case", check: files::case, seeds: seeds::cases },
    Target { name: "import", check: files::import, seeds: seeds::imports },
    Target { name: "signature", check: signatures::signature, seeds: seeds::signatures },
    Target { name: "signers", check: signatures::signers, seeds: seeds::signers },
    Target { name: "answer", check: answers::answer, seeds: seeds::answers },
    Target { name: "certificate", check: answers::certificate, seeds: seeds::certificates },
    Target { name: "redact", check: text::redact, seeds: seeds::answer_texts },
    Target { name: "encode", check: text::encode, seeds: seeds::texts },
    Target { name: "journal", check: records::journal, seeds: seeds::journals },
    Target { name: "heads", check: records::heads, seeds: seeds::heads },
    Target { name: "record", check: records::record, seeds: seeds::records },
    Target { name: "from-worker", check: records::from_worker, seeds: seeds::from_worker },
    Target { name: "to-worker", check: records::to_worker, seeds: seeds::to_worker },
    Target { name: "lock", check: consent::lock, seeds: seeds::locks },
    Target { name: "gate", check: gates::gate, seeds: seeds::gates },
    Target { name: "cache", check: binary::cache, seeds: seeds::cached },
    Target { name: "component", check: binary::component, seeds: seeds::components },
];

/// The target of a name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deterministic noise: each seed with a byte changed, cut and doubled, in a few places.
    fn bent(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        let places = (0..8).map(|n| n * seed.len() / 8);
        places.flat_map(|at| {
            let mut changed = seed.to_vec();
            if let Some(byte) = changed.get_mut(at) {
                *byte = byte.wrapping_add(1) ^ 0x20;
            }
            [changed, seed[..at].to_vec(), [&seed[..at], seed].concat()]
        })
    }

    #[test]
    fn every_target_holds_on_its_seeds_and_near_them() {
        for target in TARGETS {
            let seeds = (target.seeds)();
            assert!(seeds.len() > 1, "{}", target.name);
            for seed in seeds {
                (target.check)(&seed);
                if seed.len() < 64 << 10 {
                    bent(&seed).for_each(|bent| (target.check)(&bent));
                }
            }
            (target.check)(&[]);
        }
    }

    #[test]
    fn names_are_one_word_and_one_only() {
        let mut names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TARGETS.len());
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }
}
