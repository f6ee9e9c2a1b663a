//! The protocol of the gate: requests and answers.
//!
//! Knows: lines and sizes. Must not know: connections, who asks. Attacks answered: a request that contains another one (AR21:
//! every part has its own grammar), and a target that sends malformed answers (TG01: sizes are bounded before a byte is stored,
//! numbers come in order, no data may follow the end).

mod facts;

pub use facts::{ChangeFacts, Ended, GateFacts, Outcome, Preview, StepFacts, Unreadable, lines};

use std::fmt;
use std::str::FromStr;

use crate::model::{ChangeId, State};

/// Maximum lines of one frame, without the last.
pub const LINES_MAX: usize = 64;
/// Maximum length of a line.
pub const LINE_BYTES: usize = 4096;
/// Characters of base64 on a line: whole groups of four.
const BASE64_LINE: usize = 4000;
/// Maximum length of the head of an answer: two words, two numbers, and a margin.
const HEAD_BYTES: usize = 80;
/// Maximum bytes of standard error.
const ERR_BYTES: u64 = 4096;

/// One request. Requests for the same account are sent in one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Runs a reading action.
    Read(String),
    /// Asks for the state of an object, the state after the change, and the difference.
    Preview(String),
    /// The same for bytes that a component has computed.
    PreviewComputed(String, Vec<u8>),
    /// Asks for signs of a person at work, on these actions' objects and on the machine.
    People(Vec<String>),
    /// Asks for what is recorded about a change.
    Change(ChangeId),
    /// Asks for version, digests, kill switch, the count of the day, the clock.
    Gate,
    /// Asks for what is installed: files, accounts, sshd's effective configuration.
    Installed,
    /// Opens a change.
    Begin {
        /// The change.
        change: ChangeId,
        /// Digest of its plan.
        plan: String,
        /// Seconds until the target rolls it back by itself.
        seconds: u32,
    },
    /// Applies a step.
    Do {
        /// The change.
        change: ChangeId,
        /// The number of the step, from 1.
        step: u32,
        /// The action.
        action: String,
        /// The required state before.
        before: State,
        /// The required state after.
        after: State,
        /// Bytes that a component has computed, with the approval to write them.
        computed: Option<Signed>,
    },
    /// Undoes a step.
    Undo {
        /// The change.
        change: ChangeId,
        /// The number of the step.
        step: u32,
    },
    /// Repeats a reload or a restart.
    Again {
        /// The change.
        change: ChangeId,
        /// The number of the step.
        step: u32,
    },
    /// Ends a change that has been verified.
    Confirm(ChangeId),
    /// Ends a change that has been rolled back.
    Close(ChangeId),
}

/// Bytes that a component has computed, with an approver's SSHSIG over a statement that names their digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The statement: lines, among them `plan DIGEST`, `computed SHA256` and `not-after-epoch SECONDS`.
    pub statement: Vec<u8>,
    /// The armoured signature, as `ssh-keygen -Y sign` writes it.
    pub signature: Vec<u8>,
}

/// Why a request is not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The name of an action is not a single word.
    #[error("`{}` is not an action of a gate", .0.escape_debug())]
    Action(String),
    /// A plan's digest is 64 hex digits.
    #[error("not the digest of a plan")]
    Plan,
    /// Steps are 1 to 64.
    #[error("step {0} does not exist")]
    Step(u32),
    /// A line that is too long, or too many of them.
    #[error("more than a gate accepts in one request")]
    Size,
}

impl Request {
    /// Its lines.
    fn lines(&self, out: &mut Vec<String>) -> Result<(), ProtocolError> {
        let action = |id: &str| {
            let fits = !id.is_empty() && id.bytes().all(|b| (b'!'..=b'~').contains(&b));
            if fits { Ok(()) } else { Err(ProtocolError::Action(id.to_owned())) }
        };
        let step = |step: u32| if (1..=64).contains(&step) { Ok(step) } else { Err(ProtocolError::Step(step)) };
        match self {
            Self::Read(id) => out.push(format!("read {}", action(id).map(|()| id)?)),
            Self::Preview(id) => out.push(format!("preview {}", action(id).map(|()| id)?)),
            Self::PreviewComputed(id, bytes) => {
                out.push(format!("preview-computed {}", action(id).map(|()| id)?));
                base64("bytes", bytes, out);
            }
            Self::People(ids) => {
                // Each is checked here, because they may need several lines.
                ids.iter().try_for_each(|id| action(id))?;
                out.push(format!("people {}", if ids.is_empty() { "-".to_owned() } else { ids.join(" ") }));
            }
            Self::Change(change) => out.push(format!("change {change}")),
            Self::Gate => out.push("gate".to_owned()),
            Self::Installed => out.push("installed".to_owned()),
            Self::Begin { change, plan, seconds } => {
                let hex = plan.len() == 64 && plan.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if !hex {
                    return Err(ProtocolError::Plan);
                }
                out.push(format!("begin {change} {plan} {seconds}"));
            }
            Self::Do { change, step: number, action: id, before, after, computed } => {
                action(id)?;
                let word = if computed.is_some() { "do-computed" } else { "do" };
                out.push(format!("{word} {change} {} {id} {before} {after}", step(*number)?));
                if let Some(Signed { bytes, statement, signature }) = computed {
                    base64("bytes", bytes, out);
                    base64("statement", statement, out);
                    base64("signature", signature, out);
                }
            }
            Self::Undo { change, step: number } => out.push(format!("undo {change} {}", step(*number)?)),
            Self::Again { change, step: number } => out.push(format!("again {change} {}", step(*number)?)),
            Self::Confirm(change) => out.push(format!("confirm {change}")),
            Self::Close(change) => out.push(format!("close {change}")),
        }
        Ok(())
    }
}

fn base64(what: &str, bytes: &[u8], out: &mut Vec<String>) {
    let text = data_encoding::BASE64.encode(bytes);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(BASE64_LINE));
        out.push(format!("+{what} {line}"));
        rest = more;
    }
    if text.is_empty() {
        // Empty content still needs a line, which the gate expects.
        out.push(format!("+{what} ="));
    }
}

/// The bytes that are sent: every request, then the word that starts the work.
///
/// # Errors
/// When a part does not have the format that a gate accepts, or the frame is too large.
pub fn frame(requests: &[Request]) -> Result<Vec<u8>, ProtocolError> {
    let mut lines = Vec::new();
    requests.iter().try_for_each(|request| request.lines(&mut lines))?;
    if lines.is_empty() || lines.len() > LINES_MAX || lines.iter().any(|line| line.len() > LINE_BYTES) {
        return Err(ProtocolError::Size);
    }
    lines.push("go\n".to_owned());
    Ok(lines.join("\n").into_bytes())
}

/// The result of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// A program ended with this status. 0 also means that the requested change is in effect.
    Exit(u8),
    /// The gate does not accept this request.
    Refused,
    /// It took too long and was killed.
    Timeout,
    /// Its output was too large.
    TooLarge,
    /// The object is not in the state that the request names. Nothing was changed.
    Conflict,
    /// The action is not in the list, or the change does not exist.
    Unknown,
    /// The kill switch is on.
    Disabled,
    /// Another session is at work, or another change is open.
    Busy,
    /// The day's budget of changes is used up.
    Budget,
    /// It was begun, and its result is unknown.
    Interrupted,
}

impl FromStr for Status {
    type Err = FrameError;
    fn from_str(text: &str) -> Result<Self, FrameError> {
        Ok(match text {
            "refused" => Self::Refused,
            "timeout" => Self::Timeout,
            "too-large" => Self::TooLarge,
            "conflict" => Self::Conflict,
            "unknown" => Self::Unknown,
            "disabled" => Self::Disabled,
            "busy" => Self::Busy,
            "budget" => Self::Budget,
            "interrupted" => Self::Interrupted,
            number => Self::Exit(decimal(number)?.try_into().map_err(|_| FrameError::Head)?),
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "{code}"),
            Self::Refused => f.write_str("refused"),
            Self::Timeout => f.write_str("timeout"),
            Self::TooLarge => f.write_str("too-large"),
            Self::Conflict => f.write_str("conflict"),
            Self::Unknown => f.write_str("unknown"),
            Self::Disabled => f.write_str("disabled"),
            Self::Busy => f.write_str("busy"),
            Self::Budget => f.write_str("budget"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// Parses digits without a sign or a leading zero.
fn decimal(text: &str) -> Result<u64, FrameError> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if plain { text.parse().map_err(|_| FrameError::Head) } else { Err(FrameError::Head) }
}

/// One answer. Its bytes come from the target: tainted, and not parsed here.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The result.
    pub status: Status,
    /// Standard output, or the gate's own message.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Prints sizes only, not the bytes (TX10).
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes, {} of stderr)", self.status, self.stdout.len(), self.stderr.len())
    }
}

/// Why bytes are not a gate's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A line is not the start of an answer.
    #[error("the answer does not come from a gate, or from another version of it")]
    Head,
    /// The number is that of another answer.
    #[error("the gate's answers are in a different order than the requests")]
    Order,
    /// The answer is larger than the action allows.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    /// There is data after the end.
    #[error("the gate sent more answers than requests")]
    Behind,
}

/// Decodes answers from a stream that arrives in pieces of any size.
#[derive(Debug)]
pub struct Decoder {
    /// Maximum bytes of each answer that is still expected.
    limits: std::vec::IntoIter<u64>,
    next: u64,
    buffer: Vec<u8>,
    part: Part,
}

#[derive(Debug)]
enum Part {
    Head,
    Body { status: Status, out: usize, all: usize },
    Over,
}

impl Decoder {
    /// A decoder for a frame with one request per limit.
    #[must_use]
    pub fn new(limits: Vec<u64>) -> Self {
        Self { limits: limits.into_iter(), next: 1, buffer: Vec::new(), part: Part::Head }
    }

    /// True if the gate has sent its end marker.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.part, Part::Over)
    }

    /// Adds a piece, and returns the answers that are complete now.
    ///
    /// # Errors
    /// When the bytes are not an answer. Then nothing that follows is read.
    pub fn feed(&mut self, mut piece: &[u8]) -> Result<Vec<Answer>, FrameError> {
        let mut whole = Vec::new();
        while !piece.is_empty() {
            match self.part {
                Part::Over => return Err(FrameError::Behind),
                Part::Head => {
                    let end = piece.iter().position(|b| *b == b'\n');
                    let (line, rest) = piece.split_at(end.unwrap_or(piece.len()));
                    self.buffer.extend_from_slice(line);
                    if self.buffer.len() > HEAD_BYTES {
                        return Err(FrameError::Head);
                    }
                    piece = rest.get(1..).unwrap_or_default();
                    if end.is_some() {
                        let line = std::mem::take(&mut self.buffer);
                        self.part = self.head(&line)?;
                    }
                }
                Part::Body { all, .. } => {
                    let missing = all.saturating_sub(self.buffer.len());
                    let (own, rest) = piece.split_at(missing.min(piece.len()));
                    self.buffer.extend_from_slice(own);
                    piece = rest;
                }
            }
            if let Part::Body { status, out, all } = self.part
                && self.buffer.len() == all
            {
                let mut stdout = std::mem::take(&mut self.buffer);
                let stderr = stdout.split_off(out.min(stdout.len()));
                whole.push(Answer { status, stdout, stderr });
                self.part = Part::Head;
            }
        }
        Ok(whole)
    }

    fn head(&mut self, line: &[u8]) -> Result<Part, FrameError> {
        let line = std::str::from_utf8(line).map_err(|_| FrameError::Head)?;
        if line == "done" {
            return if self.limits.len() == 0 { Ok(Part::Over) } else { Err(FrameError::Order) };
        }
        let words: Vec<_> = line.split(' ').collect();
        let ["answer", number, status, out, err] = words.as_slice() else { return Err(FrameError::Head) };
        let limit = self.limits.next().ok_or(FrameError::Behind)?;
        if decimal(number)? != self.next {
            return Err(FrameError::Order);
        }
        self.next += 1;
        let (out, err) = (decimal(out)?, decimal(err)?);
        if out > limit || err > ERR_BYTES {
            return Err(FrameError::TooLarge(limit));
        }
        let all = usize::try_from(out + err).map_err(|_| FrameError::TooLarge(limit))?;
        Ok(Part::Body { status: status.parse()?, out: usize::try_from(out).unwrap_or(all), all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], limits: &[u64], cut: usize) -> Result<(Vec<Answer>, bool), FrameError> {
        let mut decoder = Decoder::new(limits.to_vec());
        let mut answers = Vec::new();
        for piece in bytes.chunks(cut) {
            answers.extend(decoder.feed(piece)?);
        }
        Ok((answers, decoder.is_over()))
    }

    #[test]
    fn answers_are_read_however_they_are_cut() {
        let bytes = b"answer 1 0 3 2\nabcxyanswer 2 conflict 0 0\nanswer 3 124 1 0\n\ndone\n";
        for cut in 1..bytes.len() {
            let (answers, over) = all(bytes, &[3, 0, 1], cut).unwrap();
            let shown: Vec<_> = answers.iter().map(|a| (a.status, a.stdout.as_slice(), a.stderr.as_slice())).collect();
            let none: &[u8] = b"";
            assert_eq!(
                shown,
                [
                    (Status::Exit(0), b"abc".as_slice(), b"xy".as_slice()),
                    (Status::Conflict, none, none),
                    (Status::Exit(124), b"\n", none)
                ]
            );
            assert!(over);
        }
    }

    #[test]
    fn ar21_what_is_no_answer_is_none() {
        for (bytes, error) in [
            ("hello\n", FrameError::Head),
            ("answer 1 0 1\nx", FrameError::Head),
            ("answer 1 0 1 0 0\nx", FrameError::Head),
            ("answer 1 maybe 1 0\nx", FrameError::Head),
            ("answer 1 256 0 0\n", FrameError::Head),
            ("answer 1 0 01 0\nx", FrameError::Head),
            ("answer 1 0 +1 0\nx", FrameError::Head),
            ("answer 1 0 99999999999999999999 0\n", FrameError::Head),
            ("answer 2 0 0 0\n", FrameError::Order),
            ("answer 1 0 9 0\n", FrameError::TooLarge(8)),
            ("answer 1 0 0 4097\n", FrameError::TooLarge(8)),
            ("done\n", FrameError::Order),
            ("answer 1 0 0 0\nanswer 2 0 0 0\n", FrameError::Behind),
            ("answer 1 0 0 0\ndone\nx", FrameError::Behind),
        ] {
            assert_eq!(all(bytes.as_bytes(), &[8], 5).unwrap_err(), error, "{bytes:?}");
        }
        assert_eq!(all(&[b'a'; 200], &[8], 7).unwrap_err(), FrameError::Head);
    }

    #[test]
    fn a_request_is_its_lines_or_nothing() {
        let change = ChangeId::new("c-1").unwrap();
        let text = |requests: &[Request]| frame(requests).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(
            text(&[Request::Read("system.load".into()), Request::Gate]).as_deref(),
            Ok("read system.load\ngate\ngo\n")
        );
        let step = |action: &str, step| Request::Do {
            change: change.clone(),
            step,
            action: action.into(),
            before: State::Absent,
            after: State::Absent,
            computed: None,
        };
        assert_eq!(text(&[step("a", 1)]).as_deref(), Ok("do c-1 1 a absent absent\ngo\n"));
        for bad in [step("a b", 1), step("", 1), step("a\n", 1), step("a", 0), step("a", 65)] {
            assert!(text(&[bad]).is_err());
        }
        assert_eq!(text(&[]), Err(ProtocolError::Size));
        assert_eq!(text(&vec![Request::Gate; 65]), Err(ProtocolError::Size));
        assert_eq!(text(&[Request::Read("a".repeat(4100))]), Err(ProtocolError::Size));
        assert!(ChangeId::new("c 1").is_err() && ChangeId::new("-c").is_err());
    }
}
