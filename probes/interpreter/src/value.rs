//! Expressions: a stack, and the effect of each operator on it.
//!
//! Evaluation is total: no step fails or repeats. A value that is not known stays so through every operator except `known`,
//! and an `and` or `or` that its other operand decides. The host has checked the types; a value of a wrong type is not known
//! either.

use crate::bindings::bailiwick::rules::rules::{Operator, Step, Value};

/// The names in an expression.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The start of the run, in seconds since 1970-01-01T00:00Z.
    pub now: f64,
    /// A parameter's value.
    pub param: &'a dyn Fn(&str) -> Value,
    /// The literal that is bound to the slot.
    pub slot: Option<&'a str>,
    /// The values of the item: its fields, then the definitions.
    pub item: &'a [Value],
    /// The number of items that count.
    pub count: Option<f64>,
}

/// The value of an expression.
pub fn evaluate(steps: &[Step], scope: &Scope<'_>) -> Value {
    let mut stack: Vec<Value> = Vec::new();
    for step in steps {
        let value = match step {
            Step::Push(value) => value.clone(),
            Step::Field(at) => scope.item.get(*at as usize).cloned().unwrap_or(Value::Absent),
            Step::Param(name) => (scope.param)(name),
            Step::Slot => scope.slot.map_or(Value::Absent, |slot| Value::Text(slot.to_owned())),
            Step::Now => Value::Number(scope.now),
            Step::Count => scope.count.map_or(Value::Absent, Value::Number),
            Step::Apply(operator) => apply(*operator, &mut stack),
        };
        stack.push(value);
    }
    stack.pop().unwrap_or(Value::Absent)
}

fn apply(operator: Operator, stack: &mut Vec<Value>) -> Value {
    use Operator::{Known, Length, Magnitude, Negate, Not, Parse};
    let mut take = || stack.pop().unwrap_or(Value::Absent);
    let last = take();
    match operator {
        Negate | Not | Known | Length | Parse | Magnitude => one(operator, last),
        _ => two(operator, take(), last),
    }
}

fn one(operator: Operator, value: Value) -> Value {
    match (operator, value) {
        (Operator::Known, value) => Value::Flag(value != Value::Absent),
        (Operator::Negate, Value::Number(number)) => Value::Number(-number),
        (Operator::Magnitude, Value::Number(number)) => Value::Number(number.abs()),
        (Operator::Not, Value::Flag(flag)) => Value::Flag(!flag),
        (Operator::Length, Value::Texts(texts)) => Value::Number(texts.len() as f64),
        (Operator::Parse, Value::Text(text)) => parse(&text),
        _ => Value::Absent,
    }
}

fn two(operator: Operator, left: Value, right: Value) -> Value {
    use Value::{Absent, Flag, Number, Text, Texts};
    match (operator, left, right) {
        // One operand decides, whatever the other one is.
        (Operator::And, Flag(false), _) | (Operator::And, _, Flag(false)) => Flag(false),
        (Operator::Or, Flag(true), _) | (Operator::Or, _, Flag(true)) => Flag(true),
        (_, Absent, _) | (_, _, Absent) => Absent,
        (Operator::And, Flag(left), Flag(right)) => Flag(left && right),
        (Operator::Or, Flag(left), Flag(right)) => Flag(left || right),
        (Operator::Equal, left, right) => Flag(left == right),
        (Operator::Unequal, left, right) => Flag(left != right),
        (operator, Number(left), Number(right)) => numbers(operator, left, right),
        (Operator::Among, Text(left), Texts(right)) => Flag(right.contains(&left)),
        (Operator::Contains, Texts(left), Text(right)) => Flag(left.contains(&right)),
        (Operator::Contains, Text(left), Text(right)) => Flag(left.contains(&right)),
        (Operator::StartsWith, Text(left), Text(right)) => Flag(left.starts_with(&right)),
        (Operator::EndsWith, Text(left), Text(right)) => Flag(left.ends_with(&right)),
        _ => Absent,
    }
}

fn numbers(operator: Operator, left: f64, right: f64) -> Value {
    match operator {
        Operator::Add => finite(left + right),
        Operator::Subtract => finite(left - right),
        Operator::Multiply => finite(left * right),
        // By 0: not finite.
        Operator::Divide => finite(left / right),
        Operator::Least => finite(left.min(right)),
        Operator::Most => finite(left.max(right)),
        Operator::Less => Value::Flag(left < right),
        Operator::AtMost => Value::Flag(left <= right),
        Operator::More => Value::Flag(left > right),
        Operator::AtLeast => Value::Flag(left >= right),
        _ => Value::Absent,
    }
}

fn finite(number: f64) -> Value {
    if number.is_finite() { Value::Number(number) } else { Value::Absent }
}

/// Digits, with a sign and a decimal point at most: `inf` and `1e9` are not numbers that a file or a person writes.
fn parse(text: &str) -> Value {
    let text = text.trim();
    let plain = text.len() <= 40 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
    text.parse().ok().filter(|_| plain).map_or(Value::Absent, finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [fn() -> Value; 7] = [
        || Value::Absent,
        || Value::Number(0.0),
        || Value::Number(-1.5),
        || Value::Text("a".to_owned()),
        || Value::Flag(true),
        || Value::Flag(false),
        || Value::Texts(vec!["a".to_owned()]),
    ];

    fn run(steps: Vec<Step>) -> Value {
        let none = |_: &str| Value::Absent;
        evaluate(&steps, &Scope { now: 0.0, param: &none, slot: None, item: &[], count: None })
    }

    /// Every operator on every kind of value: nothing panics, no number is infinite, and what is not known is contagious.
    #[test]
    fn every_operator_takes_everything() {
        for operator in 0..24_u8 {
            // In the order of wit/rules.wit.
            let operator = Operator::from_order(operator);
            for left in KINDS {
                for right in KINDS {
                    let value = two(operator, left(), right());
                    let (left, right) = (left(), right());
                    if let Value::Number(number) = value {
                        assert!(number.is_finite());
                    }
                    let decided = matches!(operator, Operator::And | Operator::Or);
                    if !decided && (left == Value::Absent || right == Value::Absent) {
                        assert_eq!(value, Value::Absent, "{operator:?}");
                    }
                }
                let value = one(operator, left());
                assert!(operator == Operator::Known || left() != Value::Absent || value == Value::Absent);
            }
        }
        assert_eq!(run(vec![Step::Apply(Operator::Add)]), Value::Absent, "an empty stack");
        assert_eq!(run(Vec::new()), Value::Absent);
    }

    impl Operator {
        fn from_order(order: u8) -> Self {
            use Operator::*;
            [
                Add, Subtract, Multiply, Divide, Negate, Not, And, Or, Equal, Unequal, Less, AtMost, More, AtLeast,
                Among, Contains, StartsWith, EndsWith, Known, Length, Parse, Magnitude, Least, Most,
            ][usize::from(order)]
        }
    }

    #[test]
    fn one_side_may_decide() {
        let push = |value: Value| Step::Push(value);
        let both = |left, right, operator| run(vec![push(left), push(right), Step::Apply(operator)]);
        assert_eq!(both(Value::Absent, Value::Flag(false), Operator::And), Value::Flag(false));
        assert_eq!(both(Value::Absent, Value::Flag(true), Operator::And), Value::Absent);
        assert_eq!(both(Value::Flag(true), Value::Absent, Operator::Or), Value::Flag(true));
        assert_eq!(both(Value::Flag(false), Value::Absent, Operator::Or), Value::Absent);
        assert_eq!(both(Value::Number(1.0), Value::Number(0.0), Operator::Divide), Value::Absent);
    }

    #[test]
    fn a_number_in_a_text() {
        let parsed = |text: &str| parse(text);
        assert_eq!(parsed(" 42\n"), Value::Number(42.0));
        assert_eq!(parsed("-0.5"), Value::Number(-0.5));
        for text in ["", "inf", "nan", "1e3", "12 kB", "0x10", "--1", "1".repeat(41).as_str()] {
            assert_eq!(parsed(text), Value::Absent, "{text}");
        }
    }
}
