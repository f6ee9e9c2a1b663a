//! HTTP statuses in log messages, and who has to act on them.

/// The first HTTP error in a message: three digits that stand alone, as in `GET … 403 Forbidden`, `status=403` or
/// `HTTP Error 403:`. Addresses, ports, durations and longer numbers do not count.
pub fn of_message(message: &str) -> Option<u16> {
    let bytes = message.as_bytes();
    (0..bytes.len()).find_map(|at| {
        let digits = bytes.get(at..at + 3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let after = bytes.get(at + 3);
        let apart = before.is_none_or(|byte| b" \t=(\"'[".contains(byte))
            && after.is_none_or(|byte| b" \t,;:)\"'].".contains(byte))
            // `403.5`, `403:22` and `403 ms` are not statuses.
            && !bytes.get(at + 4).is_some_and(|byte| byte.is_ascii_digit() && after != Some(&b' '))
            && !bytes.get(at + 3..).is_some_and(|rest| [" ms", " s ", " B", " rows"].iter().any(|unit| rest.starts_with(unit.as_bytes())));
        let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
        (apart && (400..600).contains(&number)).then_some(number)
    })
}

/// True if the server understood the request and rejects it. It would reject the same request again.
pub fn rejects(status: u16) -> bool {
    // 408, 421 and 425 invite another try.
    matches!(status, 400..=499) && !matches!(status, 408 | 421 | 425)
}

/// Who has to act, as the end of a title.
pub fn whose(status: u16) -> &'static str {
    match status {
        401..=403 | 407 => "the operator must check the credentials",
        429 => "the source limits the request rate, which only the operator can change",
        404 | 410 => "the requested resource no longer exists",
        451 => "the source may not answer for legal reasons",
        _ => "the operator must check the request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_in_messages() {
        let table = [
            ("GET http://10.77.1.10:8080/feeds/ticks 403 Forbidden", Some(403)),
            ("urllib.error.HTTPError: HTTP Error 403: Forbidden", Some(403)),
            ("request failed: status=429", Some(429)),
            ("\"GET /x HTTP/1.1\" 503 19", Some(503)),
            ("answered 500.", Some(500)),
            ("connect to 10.0.403.1:403 failed", None),
            ("took 403 ms", None),
            ("took 403.5 s", None),
            ("wrote 450 rows", None),
            ("pid 14031", None),
            ("GET … 200 OK", None),
            ("", None),
        ];
        for (message, expected) in table {
            assert_eq!(of_message(message), expected, "{message}");
        }
    }
}
