//! A collector's state file: JSON with one feed or several, or just a time.

use bailiwick_guest::{Failure, Params, time};
use serde_json::{Map, Value};

/// The names of the fields, as the operator sets them.
pub struct Fields {
    /// The time of the last success.
    pub success: String,
    /// The time of the last try.
    pub attempt: String,
    /// The HTTP status of the last try.
    pub status: String,
}

impl Fields {
    /// Reads `success-field`, `attempt-field` and `status-field`.
    ///
    /// # Errors
    /// If the manifest does not declare one of them.
    pub fn new(params: Params<'_>) -> Result<Self, Failure> {
        Ok(Self {
            success: params.text("success-field")?,
            attempt: params.text("attempt-field")?,
            status: params.text("status-field")?,
        })
    }
}

/// One feed. Times are in seconds since 1970.
#[derive(Debug, PartialEq)]
pub struct Feed {
    /// The collector's name for it, or the path of the state file.
    pub name: String,
    /// The time of the last success; none if it has never succeeded.
    pub success: Option<f64>,
    /// The time of the last try, if the file has it.
    pub attempt: Option<f64>,
    /// The HTTP status of the last try, if the file has it.
    pub status: Option<u16>,
}

/// The feeds in a state file: those below the key `feeds` if it exists, else the file itself is one feed. A feed without the
/// success field is left out; that differs from a feed that has never succeeded.
pub fn read(bytes: &[u8], path: &str, fields: &Fields) -> Vec<Feed> {
    let text = String::from_utf8_lossy(bytes);
    let value: Value = match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(_) => Value::String(text.trim().to_owned()),
    };
    let named_feed = |name: &str, value: &Value| match value {
        Value::Object(map) => feed(name, map, fields),
        bare => Some(Feed { name: name.to_owned(), success: Some(seconds(bare)?), attempt: None, status: None }),
    };
    let one = match value.get("feeds") {
        Some(Value::Object(feeds)) => {
            return feeds.iter().filter_map(|(name, value)| named_feed(name, value)).collect();
        }
        Some(Value::Array(feeds)) => {
            let named =
                feeds.iter().enumerate().map(|(index, value)| match value.get("name").and_then(Value::as_str) {
                    Some(name) => named_feed(name, value),
                    None => named_feed(&index.to_string(), value),
                });
            return named.flatten().collect();
        }
        _ => &value,
    };
    let name = one.get("feed").or_else(|| one.get("name")).and_then(Value::as_str).unwrap_or(path);
    named_feed(name, one).into_iter().collect()
}

fn feed(name: &str, map: &Map<String, Value>, fields: &Fields) -> Option<Feed> {
    let success = match map.get(&fields.success)? {
        Value::Null => None,
        value => Some(seconds(value)?),
    };
    Some(Feed {
        name: name.to_owned(),
        success,
        attempt: map.get(&fields.attempt).and_then(seconds),
        status: map.get(&fields.status).and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok()),
    })
}

/// A time as programs write it. A number over 10^11 is milliseconds: as seconds it would be in the year 5138.
fn seconds(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => match time::rfc3339(text) {
            Some(millis) => return Some(millis as f64 / 1_000.0),
            None => text.parse().ok()?,
        },
        _ => return None,
    };
    let seconds = if number > 1e11 { number / 1_000.0 } else { number };
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, success, attempt, status.
    type Row = (String, Option<f64>, Option<f64>, Option<u16>);

    fn all(text: &str) -> Vec<Row> {
        let fields = Fields { success: "ok".into(), attempt: "tried".into(), status: "status".into() };
        let feeds = read(text.as_bytes(), "/state", &fields);
        feeds.into_iter().map(|feed| (feed.name, feed.success, feed.attempt, feed.status)).collect()
    }

    #[test]
    fn states() {
        let one = |name: &str, success| vec![(name.to_owned(), success, None, None)];
        assert_eq!(all(r#"{"ok":"1970-01-01T00:01:00Z"}"#), one("/state", Some(60.0)));
        assert_eq!(all(r#"{"feed":"ticks","ok":1795321687.5}"#), one("ticks", Some(1_795_321_687.5)));
        assert_eq!(all(r#"{"ok":1795321687746}"#), one("/state", Some(1_795_321_687.746)));
        assert_eq!(all(r#"{"ok":null}"#), one("/state", None));
        assert_eq!(all("1970-01-01T00:01:00Z\n"), one("/state", Some(60.0)));
        assert_eq!(all("60\n"), one("/state", Some(60.0)));
        let several = r#"{"feeds":{"a":{"ok":1,"tried":2,"status":403},"b":7,"c":{"tried":1}}}"#;
        let expected = vec![("a".to_owned(), Some(1.0), Some(2.0), Some(403)), ("b".to_owned(), Some(7.0), None, None)];
        assert_eq!(all(several), expected);
        assert_eq!(all(r#"{"feeds":[{"name":"x","ok":1},{"ok":2}]}"#).len(), 2);
        for nothing in
            ["", "{}", "[]", "null", "never", r#"{"ok":-1}"#, r#"{"ok":"NaN"}"#, r#"{"ok":[1]}"#, r#"{"feeds":{}}"#]
        {
            assert!(all(nothing).is_empty(), "{nothing}");
        }
        assert!(all(&"[".repeat(100_000)).is_empty());
    }
}
