//! Settings of a component: declared by its manifest, set per target by policy.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A setting's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParamValue {
    /// A finite number.
    Number(f64),
    /// A text.
    Text(String),
    /// True or false.
    Flag(bool),
    /// A list of texts.
    Texts(Vec<String>),
}

impl ParamValue {
    /// The word for its type.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Flag(_) => "true or false",
            Self::Texts(_) => "a list of texts",
        }
    }

    /// Converts a TOML value of one of the four types. Only whole numbers are converted, to numbers.
    #[must_use]
    pub fn from_toml(value: &toml::Value) -> Option<Self> {
        match value {
            toml::Value::Float(number) if number.is_finite() => Some(Self::Number(*number)),
            #[expect(clippy::cast_precision_loss, reason = "the check beside it keeps what a double holds exactly")]
            toml::Value::Integer(number) if number.unsigned_abs() <= 1 << 53 => Some(Self::Number(*number as f64)),
            toml::Value::String(text) => Some(Self::Text(text.clone())),
            toml::Value::Boolean(flag) => Some(Self::Flag(*flag)),
            toml::Value::Array(items) => {
                items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>().map(Self::Texts)
            }
            _ => None,
        }
    }
}

/// As written in TOML.
impl fmt::Display for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Texts(texts) => write!(f, "{texts:?}"),
        }
    }
}
