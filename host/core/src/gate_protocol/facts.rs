//! Parses what a gate reports about itself, a change or an object.
//!
//! Knows: the lines. Must not know: what follows from them. Attack answered: a target whose answer has more lines or other
//! lines than requested (TG07). A line out of place makes the whole answer unreadable, and text that only people read is
//! tainted.

use std::str::FromStr;

use super::{Answer, Status};
use crate::model::{ChangeId, State, Tainted, Way};

/// An answer that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the gate's answer is not in its form")]
pub struct Unreadable;

/// What a gate reports about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateFacts {
    /// The version of the protocol.
    pub version: u32,
    /// Digest of its list.
    pub list: String,
    /// Digest of the file itself.
    pub script: String,
    /// Why its changes are disabled, if they are.
    pub disabled: Option<Tainted>,
    /// The number of changes begun on this UTC day, by its clock.
    pub begins_today: u64,
    /// When the last change began, in seconds since 1970. 0 if there was none.
    pub last_begin: u64,
    /// The change that is open.
    pub open: Option<ChangeId>,
    /// Its clock, in seconds since 1970.
    pub clock: u64,
    /// An id that differs after each boot.
    pub boot: String,
}

/// The state of an object, the state after the change, and the difference for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The current state.
    pub before: State,
    /// The state after the change.
    pub after: State,
    /// A unified diff, or a sentence.
    pub shown: Tainted,
}

/// The result of a request that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it succeeded.
    pub status: Status,
    /// The current state of the object, if there is one and it is known.
    pub state: Option<State>,
    /// The gate's reason, and the difference if another user changed the file.
    pub detail: Tainted,
}

/// What a gate has recorded about a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFacts {
    /// Its number.
    pub number: u32,
    /// The action that it was begun with.
    pub action: Tainted,
    /// The required state before.
    pub before: State,
    /// The required state after.
    pub after: State,
    /// Its results, in order. A step without a result was begun, and its process was killed.
    pub results: Vec<(Way, Status, Option<State>)>,
}

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// It was confirmed.
    Applied,
    /// It was rolled back.
    RolledBack,
}

/// What a gate has recorded about a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeFacts {
    /// When it began, in seconds since 1970.
    pub opened: u64,
    /// Digest of its plan.
    pub plan: String,
    /// Each step that was begun, in order.
    pub steps: Vec<StepFacts>,
    /// How it ended, and when.
    pub ended: Option<(Ended, u64)>,
    /// When a rollback last failed.
    pub failed: Option<u64>,
}

impl GateFacts {
    /// Reads the answer to `gate`.
    ///
    /// # Errors
    /// When it does not have the expected format.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut lines = Lines::new(bytes)?;
        let facts = Self {
            version: number(lines.value("version")?)?,
            list: digest(lines.value("list")?)?,
            script: digest(lines.value("script")?)?,
            disabled: match lines.value("disabled")? {
                "no" => None,
                why => Some(Tainted::new(why)),
            },
            begins_today: number(lines.value("begins-today")?)?,
            last_begin: number(lines.value("last-begin")?)?,
            open: match lines.value("open")? {
                "-" => None,
                name => Some(ChangeId::new(name).map_err(|_| Unreadable)?),
            },
            clock: number(lines.value("clock")?)?,
            boot: word(lines.value("boot")?)?,
        };
        lines.end(facts)
    }
}

impl ChangeFacts {
    /// Reads the answer to `change`.
    ///
    /// # Errors
    /// When it does not have the expected format.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut lines = Lines::new(bytes)?;
        let (opened, plan) = (number(lines.value("opened")?)?, digest(lines.value("plan")?)?);
        let mut steps: Vec<StepFacts> = Vec::new();
        while let Some(text) = lines.maybe("step") {
            let words: Vec<_> = text.trim_end().split(' ').collect();
            match words.as_slice() {
                [n, "asked", action, before, after] => steps.push(StepFacts {
                    number: number(n)?,
                    action: Tainted::new(*action),
                    before: state(before)?,
                    after: state(after)?,
                    results: Vec::new(),
                }),
                [n, way, status, rest @ ..] => {
                    let way = match *way {
                        "do" => Way::Do,
                        "undo" => Way::Undo,
                        "again" => Way::Again,
                        _ => return Err(Unreadable),
                    };
                    let step = steps.last_mut().ok_or(Unreadable)?;
                    if step.number != number::<u32>(n)? {
                        return Err(Unreadable);
                    }
                    let status = status.parse().map_err(|_| Unreadable)?;
                    step.results.push((way, status, rest.first().and_then(|word| word.parse().ok())));
                }
                _ => return Err(Unreadable),
            }
        }
        let failed = lines.maybe("failed").map(number).transpose()?;
        let ended = match lines.value("closed")?.split_once(' ') {
            None => None,
            Some(("applied", when)) => Some((Ended::Applied, number(when)?)),
            Some(("rolled-back", when)) => Some((Ended::RolledBack, number(when)?)),
            Some(_) => return Err(Unreadable),
        };
        lines.end(Self { opened, plan, steps, ended, failed })
    }
}

impl Preview {
    /// Reads the answer to `preview`.
    ///
    /// # Errors
    /// When it does not have the expected format.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let end = bytes.iter().position(|b| *b == b'\n').ok_or(Unreadable)?;
        let (line, shown) = bytes.split_at(end);
        let line = std::str::from_utf8(line).map_err(|_| Unreadable)?;
        let (before, after) = line.split_once(' ').ok_or(Unreadable)?;
        Ok(Self { before: state(before)?, after: state(after)?, shown: text(shown.get(1..).unwrap_or_default()) })
    }
}

impl Outcome {
    /// Reads the answer to a request that changes something.
    #[must_use]
    pub fn read(answer: &Answer) -> Self {
        let stdout = String::from_utf8_lossy(&answer.stdout);
        let (line, rest) = stdout.split_once('\n').unwrap_or((&stdout, ""));
        match line.parse() {
            Ok(state) => Self { status: answer.status, state: Some(state), detail: Tainted::new(rest) },
            Err(_) => Self { status: answer.status, state: None, detail: text(&answer.stdout) },
        }
    }
}

/// One line for each, for people.
#[must_use]
pub fn lines(bytes: &[u8]) -> Vec<Tainted> {
    String::from_utf8_lossy(bytes).lines().map(Tainted::new).collect()
}

fn text(bytes: &[u8]) -> Tainted {
    Tainted::new(String::from_utf8_lossy(bytes))
}

/// Lines of the form `NAME VALUE`.
struct Lines<'b>(std::iter::Peekable<std::str::Lines<'b>>);

impl<'b> Lines<'b> {
    fn new(bytes: &'b [u8]) -> Result<Self, Unreadable> {
        Ok(Self(std::str::from_utf8(bytes).map_err(|_| Unreadable)?.lines().peekable()))
    }

    fn maybe(&mut self, name: &str) -> Option<&'b str> {
        let value = self.0.peek()?.strip_prefix(name)?.strip_prefix(' ')?;
        self.0.next();
        Some(value)
    }

    fn value(&mut self, name: &str) -> Result<&'b str, Unreadable> {
        self.maybe(name).ok_or(Unreadable)
    }

    fn end<T>(mut self, value: T) -> Result<T, Unreadable> {
        if self.0.next().is_none() { Ok(value) } else { Err(Unreadable) }
    }
}

fn number<N: FromStr>(text: &str) -> Result<N, Unreadable> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().map_err(|_| Unreadable) } else { Err(Unreadable) }
}

fn digest(text: &str) -> Result<String, Unreadable> {
    let hex = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if hex { Ok(text.to_owned()) } else { Err(Unreadable) }
}

fn word(text: &str) -> Result<String, Unreadable> {
    let plain = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if plain { Ok(text.to_owned()) } else { Err(Unreadable) }
}

fn state(text: &str) -> Result<State, Unreadable> {
    text.parse().map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_out_of_place_makes_it_unreadable() {
        let (zero, good) = ("0".repeat(64), |list: &str| {
            format!(
                "version 1\nlist {list}\nscript {list}\ndisabled no\nbegins-today 0\nlast-begin 0\nopen -\nclock 5\nboot a-b\n"
            )
        });
        let facts = GateFacts::read(good(&zero).as_bytes()).unwrap();
        assert_eq!((facts.version, facts.open, facts.disabled, facts.clock), (1, None, None, 5));
        for bad in [
            good("x"),
            good(&zero).replace("disabled no\n", ""),
            good(&zero) + "more\n",
            good(&zero).replace("5", "-5"),
        ] {
            assert_eq!(GateFacts::read(bad.as_bytes()), Err(Unreadable), "{bad}");
        }
        let lines = format!(
            "opened 7\nplan {zero}\nstep 1 asked x absent absent\nstep 1 do 0 absent \nstep 1 undo conflict - \n\
             step 2 asked y absent absent\nfailed 9\nclosed rolled-back 8\n"
        );
        let facts = ChangeFacts::read(lines.as_bytes()).unwrap();
        assert_eq!((facts.steps.len(), facts.failed, facts.ended), (2, Some(9), Some((Ended::RolledBack, 8))));
        let first = &facts.steps[0].results;
        assert_eq!(first[0], (Way::Do, Status::Exit(0), Some(State::Absent)));
        assert_eq!(first[1], (Way::Undo, Status::Conflict, None));
        assert_eq!(ChangeFacts::read(lines.replace("step 1 do", "step 2 do").as_bytes()), Err(Unreadable));
    }
}
