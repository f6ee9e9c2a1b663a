//! OpenSSH's pattern lists: `*@example.org,!mallory@example.org`.
//!
//! Knows: bytes, as OpenSSH does; `?` is one byte. Must not know: what the texts mean.

/// A list with a sub-pattern of this many bytes matches nothing, as in OpenSSH.
const TOO_LONG: usize = 1023;

/// True if a list matches a text and none of its negated patterns does.
pub(super) fn list_matches(list: &str, text: &str) -> bool {
    // The last comma may end the list; an empty list has no pattern.
    let list = list.strip_suffix(',').unwrap_or(list);
    if list.is_empty() {
        return false;
    }
    let mut matched = false;
    for pattern in list.split(',') {
        let (negated, pattern) = match pattern.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        if pattern.len() >= TOO_LONG {
            return false;
        }
        if matches(pattern.as_bytes(), text.as_bytes()) {
            if negated {
                return false;
            }
            matched = true;
        }
    }
    matched
}

/// One pattern, in time proportional to pattern times text.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // The last star, and where in the text it was last tried.
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&wanted) if wanted == b'?' || wanted == byte => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, from)) = star else { return false };
                (p, t) = (at + 1, from + 1);
                star = Some((at, t));
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        for (list, text, expected) in [
            ("alice", "alice", true),
            ("alice", "Alice", false),
            ("alice", "alicex", false),
            ("bob,alice", "alice", true),
            ("*@example.org", "a@example.org", true),
            ("*@example.org", "a@example.org.evil", false),
            ("a?ice", "alice", true),
            ("a?ice", "aice", false),
            ("*,!alice", "alice", false),
            ("!alice,*", "alice", false),
            ("!alice", "bob", false),
            ("*,!alice", "bob", true),
            ("", "", false),
            ("**a*", "bab", true),
            ("*ab*abc", "xabababc", true),
            (",,alice", "alice", true),
        ] {
            assert_eq!(list_matches(list, text), expected, "{list} {text}");
        }
        let long = "*".repeat(TOO_LONG);
        assert!(!list_matches(&long, "x") && !list_matches(&format!("{long},x"), "x") && list_matches(&long[1..], "x"));
    }
}
