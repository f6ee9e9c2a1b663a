//! The output of a target's gate: frames, and what is read from the answers.

use bailiwick_core::gate_protocol::{ChangeFacts, Decoder, GateFacts, Outcome, Preview, lines};

/// Most bytes of each answer.
const LIMITS: [u64; 3] = [4096, 100, 4096];

/// A conversation. The first byte says how it is cut.
pub(crate) fn gate(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let mut decoder = Decoder::new(LIMITS.to_vec());
    let mut answers = Vec::new();
    let mut wrong = None;
    for piece in rest.chunks(usize::from(*first).max(1)) {
        match decoder.feed(piece) {
            Ok(some) => answers.extend(some),
            Err(error) => {
                wrong = Some(error);
                break;
            }
        }
    }
    assert!(answers.len() <= LIMITS.len(), "no more than were asked for");
    for (answer, limit) in answers.iter().zip(LIMITS) {
        assert!(answer.stdout.len() as u64 <= limit && answer.stderr.len() <= 4096, "no more than they may say");
        let _ = (GateFacts::read(&answer.stdout), ChangeFacts::read(&answer.stdout), lines(&answer.stdout));
        if let Ok(preview) = Preview::read(&answer.stdout) {
            assert!(answer.stdout.starts_with(format!("{} {}\n", preview.before, preview.after).as_bytes()));
        }
        let outcome = Outcome::read(answer);
        assert_eq!(outcome.status, answer.status);
    }
    if decoder.is_over() && wrong.is_none() {
        // It reads the same however it is cut.
        let mut whole = Decoder::new(LIMITS.to_vec());
        assert_eq!(whole.feed(rest).expect("it was read in pieces"), answers);
        assert_eq!(answers.len(), LIMITS.len());
    }
}
