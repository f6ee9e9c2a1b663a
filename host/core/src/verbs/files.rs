//! Single files. Over plain SSH a link is followed: the account must not be able to read what it should not (FS07).
//! On this machine the file is opened without following its last component and must be a regular file.

use std::time::Duration;

use super::{
    Invocation,
    Part::{Object as Hole, Word},
    Spec,
};
use crate::model::{Effect, Object};

/// How much of a file is read: 256 KiB. One byte more is requested, so that a longer file can be recognised.
pub const READ_BYTES: usize = 256 << 10;

pub(super) const READ: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Path,
    invocation: Invocation::Program(&[Word("head"), Word("-c"), Word("262145"), Hole]),
    bytes_max: READ_BYTES as u64 + (4 << 10),
    timeout: Duration::from_secs(10),
    reads: "the first 256 KiB of the file",
};

pub(super) const STAT: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Path,
    invocation: Invocation::Program(&[Word("stat"), Word("--format=%f,%s,%Y,%U,%G"), Hole]),
    bytes_max: 4 << 10,
    timeout: Duration::from_secs(10),
    reads: "kind, size, time of change, mode and owner of the file",
};

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_asks_for_one_byte_more_than_is_given_out() {
        let asked = (super::READ_BYTES + 1).to_string();
        let super::Invocation::Program(template) = super::READ.invocation else { panic!("a program") };
        assert!(template.iter().any(|part| matches!(part, super::Word(word) if *word == asked)));
    }
}
