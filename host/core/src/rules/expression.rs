//! Expressions: parsed, typed, and converted to postfix order in one pass.
//!
//! Knows: the grammar below, and which names exist. Must not know: TOML, how a value is computed. Attack answered: an
//! expression made to exhaust its parser. Its length, depth and steps are bounded.
//!
//! ```text
//! or         and ("or" and)*
//! and        not ("and" not)*
//! not        "not" not | comparison
//! comparison sum (("==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "contains" | "starts-with" | "ends-with") sum)?
//! sum        product (("+" | "-") product)*
//! product    sign (("*" | "/") sign)*
//! sign       "-" sign | value
//! value      NUMBER UNIT? | TEXT | "true" | "false" | "[" TEXT,* "]" | "(" or ")" | "has" NAME | FUNCTION "(" or,* ")" | NAME
//! ```

use std::collections::BTreeMap;
use std::ops::Range;

use super::lex::{Placed, Token, tokens};
use super::{Mistake, Operator, Step, Steps, Value};
use crate::model::{ParamName, ParamValue};
use crate::nearest::choices;
use crate::wit::{Answer, Field, Kind};

/// Maximum steps of one expression.
pub const STEPS_MAX: usize = 500;
/// Maximum nesting of brackets and signs.
pub const DEPTH_MAX: usize = 32;

/// The names that an expression may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    /// The fields that are available here.
    pub fields: &'a [Field],
    /// The answer that the fields belong to.
    pub answer: Option<&'a Answer>,
    /// Definitions and their types.
    pub definitions: &'a [(String, Kind)],
    /// The manifest's settings.
    pub params: &'a BTreeMap<ParamName, ParamValue>,
    /// Whether the check has a slot.
    pub slot: bool,
    /// Whether the number of items is available.
    pub count: bool,
}

/// Words that cannot be names.
const WORDS: &[&str] =
    &["or", "and", "not", "in", "contains", "starts-with", "ends-with", "has", "true", "false", "now", "count", "slot"];

/// Units that may follow a number.
const UNITS: &[(&str, f64)] = &[
    ("s", 1.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

/// Functions, with the types of their arguments and of their results.
const FUNCTIONS: &[(&str, &[Kind], Kind, Operator)] = &[
    ("length", &[Kind::Texts], Kind::Number, Operator::Length),
    ("number", &[Kind::Text], Kind::Number, Operator::Parse),
    ("abs", &[Kind::Number], Kind::Number, Operator::Magnitude),
    ("min", &[Kind::Number, Kind::Number], Kind::Number, Operator::Least),
    ("max", &[Kind::Number, Kind::Number], Kind::Number, Operator::Most),
];

/// True for a word that a definition cannot have as its name.
pub(super) fn is_taken(name: &str) -> bool {
    WORDS.contains(&name) || name == "param" || FUNCTIONS.iter().any(|(function, ..)| *function == name)
}

/// Parses an expression, and returns its steps and its type.
///
/// # Errors
/// The first mistake in it.
pub(super) fn read(text: &str, names: &Names<'_>) -> Result<(Steps, Kind), Mistake> {
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens: &tokens, at: 0, end: text.len(), names, steps: Vec::new(), depth: 0 };
    let (kind, _) = reader.or()?;
    match reader.tokens.get(reader.at) {
        Some((token, at)) => {
            let hint = match token {
                Token::Number(_) | Token::Text(_) | Token::Word(_) => "an operator is missing: ==, and, or, + …",
                Token::Sign(_) => "",
            };
            Err(Mistake::new(at.clone(), "the expression ends before this", hint))
        }
        None => Ok((reader.steps, kind)),
    }
}

/// A noun for a type.
pub(super) fn noun(kind: &Kind) -> &'static str {
    match kind {
        Kind::Number => "a number",
        Kind::Text | Kind::Choice(_) => "a text",
        Kind::Flag => "true or false",
        Kind::Texts => "a list of texts",
    }
}

/// A type, and the range that a caret points to.
type Typed = (Kind, Range<usize>);

struct Reader<'a> {
    tokens: &'a [Placed<'a>],
    at: usize,
    end: usize,
    names: &'a Names<'a>,
    steps: Steps,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&Placed<'a>> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, any: &[&str]) -> Option<(&'a str, Range<usize>)> {
        let (token, at) = self.tokens.get(self.at)?;
        let (Token::Word(text) | Token::Sign(text)) = token else { return None };
        any.contains(text).then(|| {
            self.at += 1;
            (*text, at.clone())
        })
    }

    fn push(&mut self, step: Step, at: &Range<usize>) -> Result<(), Mistake> {
        if self.steps.len() >= STEPS_MAX {
            return Err(Mistake::new(at.clone(), format!("more than {STEPS_MAX} steps"), "split it into two checks"));
        }
        self.steps.push(step);
        Ok(())
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Mistake>) -> Result<T, Mistake> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let at = self.peek().map_or(self.end..self.end, |(_, at)| at.clone());
            return Err(Mistake::new(at, format!("more than {DEPTH_MAX} nested brackets and signs"), ""));
        }
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn or(&mut self) -> Result<Typed, Mistake> {
        self.flags(Self::and, "or", Operator::Or)
    }

    fn and(&mut self) -> Result<Typed, Mistake> {
        self.flags(Self::not, "and", Operator::And)
    }

    fn flags(
        &mut self,
        part: fn(&mut Self) -> Result<Typed, Mistake>,
        word: &str,
        operator: Operator,
    ) -> Result<Typed, Mistake> {
        let mut left = part(self)?;
        while let Some((_, at)) = self.take(&[word]) {
            let right = part(self)?;
            expect(&left, &Kind::Flag)?;
            expect(&right, &Kind::Flag)?;
            self.push(Step::Apply(operator), &at)?;
            left = (Kind::Flag, left.1.start..right.1.end);
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Typed, Mistake> {
        let Some((_, at)) = self.take(&["not"]) else { return self.comparison() };
        let value = self.deeper(Self::not)?;
        expect(&value, &Kind::Flag)?;
        self.push(Step::Apply(Operator::Not), &at)?;
        Ok((Kind::Flag, at.start..value.1.end))
    }

    fn comparison(&mut self) -> Result<Typed, Mistake> {
        const COMPARED: &[(&str, Operator)] = &[
            ("==", Operator::Equal),
            ("!=", Operator::Unequal),
            ("<", Operator::Less),
            ("<=", Operator::AtMost),
            (">", Operator::More),
            (">=", Operator::AtLeast),
            ("in", Operator::Among),
            ("contains", Operator::Contains),
            ("starts-with", Operator::StartsWith),
            ("ends-with", Operator::EndsWith),
        ];
        let left = self.sum()?;
        let words: Vec<_> = COMPARED.iter().map(|(word, _)| *word).collect();
        let Some((word, at)) = self.take(&words) else { return Ok(left) };
        let from = self.steps.len();
        let right = self.sum()?;
        let operator =
            COMPARED.iter().find(|(known, _)| *known == word).map_or(Operator::Equal, |(_, operator)| *operator);
        match operator {
            Operator::Equal | Operator::Unequal => self.alike(&left, &right, from)?,
            Operator::Less | Operator::AtMost | Operator::More | Operator::AtLeast => {
                expect(&left, &Kind::Number)?;
                expect(&right, &Kind::Number)?;
            }
            Operator::Among => {
                expect(&left, &Kind::Text)?;
                expect(&right, &Kind::Texts)?;
                if let Some(Step::Push(Value::Texts(texts))) = self.steps.last() {
                    texts.iter().try_for_each(|text| is_case(&left.0, text, &right.1))?;
                }
            }
            _ => {
                if left.0 != Kind::Texts {
                    expect(&left, &Kind::Text)?;
                } else if operator != Operator::Contains {
                    let message = format!("`{word}` asks about a text, and this is a list of texts");
                    return Err(Mistake::new(left.1, message, "to ask for one of them: contains"));
                }
                expect(&right, &Kind::Text)?;
            }
        }
        self.push(Step::Apply(operator), &at)?;
        Ok((Kind::Flag, left.1.start..right.1.end))
    }

    /// Checks that two values are comparable. A text that is compared with an enum's field must be one of its cases.
    fn alike(&self, left: &Typed, right: &Typed, right_from: usize) -> Result<(), Mistake> {
        if left.0 == Kind::Texts {
            let hint = "ask for one of them: contains";
            return Err(Mistake::new(left.1.clone(), "lists are not compared", hint));
        }
        expect(right, &left.0)?;
        let pushed = |step: Option<&Step>| match step {
            Some(Step::Push(Value::Text(text))) => Some(text.clone()),
            _ => None,
        };
        if let Some(text) = pushed(self.steps.get(right_from)) {
            is_case(&left.0, &text, &right.1)?;
        }
        match pushed(right_from.checked_sub(1).and_then(|at| self.steps.get(at))) {
            Some(text) => is_case(&right.0, &text, &left.1),
            None => Ok(()),
        }
    }

    fn sum(&mut self) -> Result<Typed, Mistake> {
        self.numbers(Self::product, &[("+", Operator::Add), ("-", Operator::Subtract)])
    }

    fn product(&mut self) -> Result<Typed, Mistake> {
        self.numbers(Self::sign, &[("*", Operator::Multiply), ("/", Operator::Divide)])
    }

    fn numbers(
        &mut self,
        part: fn(&mut Self) -> Result<Typed, Mistake>,
        operators: &[(&str, Operator)],
    ) -> Result<Typed, Mistake> {
        let mut left = part(self)?;
        let words: Vec<_> = operators.iter().map(|(word, _)| *word).collect();
        while let Some((word, at)) = self.take(&words) {
            let right = part(self)?;
            expect(&left, &Kind::Number)?;
            expect(&right, &Kind::Number)?;
            if let Some((_, operator)) = operators.iter().find(|(known, _)| *known == word) {
                self.push(Step::Apply(*operator), &at)?;
            }
            left = (Kind::Number, left.1.start..right.1.end);
        }
        Ok(left)
    }

    fn sign(&mut self) -> Result<Typed, Mistake> {
        let Some((_, at)) = self.take(&["-"]) else { return self.value() };
        let value = self.deeper(Self::sign)?;
        expect(&value, &Kind::Number)?;
        self.push(Step::Apply(Operator::Negate), &at)?;
        Ok((Kind::Number, at.start..value.1.end))
    }

    fn value(&mut self) -> Result<Typed, Mistake> {
        let Some((token, at)) = self.tokens.get(self.at) else {
            return Err(Mistake::new(self.end..self.end, "a value is missing", ""));
        };
        self.at += 1;
        let at = at.clone();
        match token {
            Token::Number(number) => {
                let unit = self.unit();
                let (factor, end) = unit.unwrap_or((1.0, at.end));
                self.push(Step::Push(Value::Number(number * factor)), &at)?;
                Ok((Kind::Number, at.start..end))
            }
            Token::Text(text) => {
                self.push(Step::Push(Value::Text((*text).to_owned())), &at)?;
                Ok((Kind::Text, at))
            }
            Token::Sign("(") => {
                let (kind, _) = self.deeper(Self::or)?;
                let end = self.need(")", &at)?;
                Ok((kind, at.start..end.end))
            }
            Token::Sign("[") => self.texts(&at),
            Token::Sign(sign) => Err(Mistake::new(at, format!("a value is missing before `{sign}`"), "")),
            Token::Word("has") => self.has(&at),
            Token::Word(word @ ("true" | "false")) => {
                self.push(Step::Push(Value::Flag(*word == "true")), &at)?;
                Ok((Kind::Flag, at))
            }
            Token::Word(word) if matches!(self.peek(), Some((Token::Sign("("), _))) => self.function(word, &at),
            Token::Word(word) => self.name(word, &at),
        }
    }

    fn unit(&mut self) -> Option<(f64, usize)> {
        let (Token::Word(word), at) = self.peek()? else { return None };
        let (_, factor) = UNITS.iter().find(|(unit, _)| unit == word)?;
        let end = at.end;
        self.at += 1;
        Some((*factor, end))
    }

    fn need(&mut self, sign: &str, opened: &Range<usize>) -> Result<Range<usize>, Mistake> {
        let missing = || Mistake::new(opened.clone(), format!("this has no closing `{sign}`"), "");
        self.take(&[sign]).map(|(_, at)| at).ok_or_else(missing)
    }

    fn texts(&mut self, opened: &Range<usize>) -> Result<Typed, Mistake> {
        let mut texts = Vec::new();
        while let Some((Token::Text(text), _)) = self.peek() {
            texts.push((*text).to_owned());
            self.at += 1;
            if self.take(&[","]).is_none() {
                break;
            }
        }
        let end = self
            .need("]", opened)
            .map_err(|mistake| Mistake { hint: "write a list as ['one', 'another']".to_owned(), ..mistake })?;
        self.push(Step::Push(Value::Texts(texts)), opened)?;
        Ok((Kind::Texts, opened.start..end.end))
    }

    fn has(&mut self, at: &Range<usize>) -> Result<Typed, Mistake> {
        let Some((Token::Word(word), named)) = self.tokens.get(self.at) else {
            return Err(Mistake::new(at.clone(), "`has` asks about a name", "write it as: has memory"));
        };
        self.at += 1;
        self.name(word, named)?;
        self.push(Step::Apply(Operator::Known), at)?;
        Ok((Kind::Flag, at.start..named.end))
    }

    fn function(&mut self, word: &str, at: &Range<usize>) -> Result<Typed, Mistake> {
        let Some((_, takes, gives, operator)) = FUNCTIONS.iter().find(|(name, ..)| *name == word) else {
            let known = FUNCTIONS.iter().map(|(name, ..)| *name);
            let message = format!("unknown function `{}`", word.escape_default());
            return Err(Mistake::new(at.clone(), message, choices(word, known, "functions")));
        };
        let opened = self.need("(", at)?;
        for (number, kind) in takes.iter().enumerate() {
            if number > 0 {
                self.need(",", at)?;
            }
            let value = self.deeper(Self::or)?;
            expect(&value, kind)?;
        }
        let end = self.need(")", &opened)?;
        self.push(Step::Apply(*operator), at)?;
        Ok((gives.clone(), at.start..end.end))
    }

    fn name(&mut self, word: &str, at: &Range<usize>) -> Result<Typed, Mistake> {
        let (step, kind) = self.named(word, at)?;
        self.push(step, at)?;
        Ok((kind, at.clone()))
    }

    fn named(&self, word: &str, at: &Range<usize>) -> Result<(Step, Kind), Mistake> {
        let wrong = |message: &str, hint: String| Err(Mistake::new(at.clone(), message, hint));
        match word {
            "now" => return Ok((Step::Now, Kind::Number)),
            "slot" if self.names.slot => return Ok((Step::Slot, Kind::Text)),
            "slot" => return wrong("this check has no slot", "its verb takes no object".to_owned()),
            "count" if self.names.count => return Ok((Step::Count, Kind::Number)),
            "count" => {
                return wrong(
                    "`count` is not available here",
                    "only a check with `summary = true` counts items".to_owned(),
                );
            }
            _ if WORDS.contains(&word) => return wrong(&format!("a value is missing before `{word}`"), String::new()),
            _ => {}
        }
        if let Some(name) = word.strip_prefix("param.") {
            let Some(value) = self.names.params.get(name) else {
                let known: Vec<_> = self.names.params.keys().map(|name| format!("param.{name}")).collect();
                return wrong(
                    &format!("the manifest declares no parameter `{name}`"),
                    choices(word, known.iter().map(String::as_str), "names"),
                );
            };
            let kind = match value {
                ParamValue::Number(_) => Kind::Number,
                ParamValue::Text(_) => Kind::Text,
                ParamValue::Flag(_) => Kind::Flag,
                ParamValue::Texts(_) => Kind::Texts,
            };
            return Ok((Step::Param(name.to_owned()), kind));
        }
        let fields = self.names.fields;
        let definitions = self.names.definitions.iter().map(|(name, kind)| (name.clone(), kind));
        let all: Vec<_> = fields.iter().map(|field| (field.name(), &field.kind)).chain(definitions).collect();
        if let Some((at, (_, kind))) = all.iter().enumerate().find(|(_, (name, _))| name == word) {
            return Ok((Step::Field(u32::try_from(at).unwrap_or(u32::MAX)), (*kind).clone()));
        }
        let known: Vec<_> = all.into_iter().map(|(name, _)| name).collect();
        if self.names.answer.is_some_and(|answer| answer.beyond.iter().any(|name| name == word)) {
            return wrong(
                &format!("what is in `{word}`, only a compiled probe can read"),
                choices(word, known.iter().map(String::as_str), "names"),
            );
        }
        if self.names.answer.is_some_and(|answer| answer.lists.iter().any(|(name, _)| name == word)) {
            let hint = format!("to ask about its entries: each = \"{word}\"");
            return wrong(&format!("`{word}` is a list"), hint);
        }
        // The most common mistake in a language whose names have hyphens.
        if word.split('-').all(|part| known.iter().any(|name| name == part) || part.parse::<f64>().is_ok()) {
            return wrong(
                &format!("unknown name `{word}`"),
                "for a subtraction, put spaces around the minus sign".to_owned(),
            );
        }
        wrong(
            &format!("`{}` is not available here", word.escape_default()),
            choices(word, known.iter().map(String::as_str), "names"),
        )
    }
}

/// Checks the type of a value. An enum's case is a text.
fn expect(given: &Typed, needed: &Kind) -> Result<(), Mistake> {
    let text = |kind: &Kind| matches!(kind, Kind::Text | Kind::Choice(_));
    if given.0 == *needed || text(&given.0) && text(needed) {
        return Ok(());
    }
    let message = format!("this is {}, and {} is needed", noun(&given.0), noun(needed));
    let hint = match (&given.0, needed) {
        (Kind::Text, Kind::Number) => "number(…) converts a text to a number",
        (Kind::Texts, Kind::Number) => "length(…) counts them",
        (Kind::Number, Kind::Flag) => "compare it with something",
        _ => "",
    };
    Err(Mistake::new(given.1.clone(), message, hint))
}

fn is_case(kind: &Kind, text: &str, at: &Range<usize>) -> Result<(), Mistake> {
    match kind {
        Kind::Choice(cases) if !cases.iter().any(|case| case == text) => {
            let message = format!("the value is never '{}'", text.escape_default());
            Err(Mistake::new(at.clone(), message, format!("allowed values: {}", cases.join(", "))))
        }
        _ => Ok(()),
    }
}
