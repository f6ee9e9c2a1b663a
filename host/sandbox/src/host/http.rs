//! Reader of an HTTP answer: a head by `httparse`, and a body whose length must match the head.
//!
//! Attacks answered: a cut answer that is read as a whole one, two lengths that two readers take differently, an interim
//! answer or an encoding that was not requested (TG05, TG07). If the broker has removed a secret from the answer, its length
//! differs from the server's: only the mark of a removed secret excuses a wrong length.

use super::text::{ended, failure};
use bailiwick_bindings::ops::http::Response;
use bailiwick_core::model::Answer;
use bailiwick_core::model::VerbError;

use VerbError::Garbled;

/// Maximum number of fields. Honest servers send fewer.
const HEADERS_MAX: usize = 100;
/// Maximum bytes of a media type.
const CONTENT_TYPE_BYTES: usize = 200;
/// The mark of a removed secret.
const REDACTED: &[u8] = b"[redacted:";

pub(super) fn get(answer: &Answer) -> Result<Response, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure(answer));
    }
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(end)) = head.parse(&answer.stdout) else { return Err(Garbled) };
    let body = answer.stdout.get(end..).unwrap_or_default();
    let (Some(status @ 200..=599), Some(version)) = (head.code, head.version) else { return Err(Garbled) };
    let fields: &[httparse::Header<'_>] = head.headers;
    if values(fields, "content-encoding").any(|value| !value.eq_ignore_ascii_case(b"identity")) {
        return Err(Garbled);
    }
    let content_type = values(fields, "content-type").next().unwrap_or_default();
    let content_type = content_type.get(..CONTENT_TYPE_BYTES).unwrap_or(content_type);
    Ok(Response {
        status,
        content_type: String::from_utf8_lossy(content_type).into_owned(),
        headers: u32::try_from(fields.len()).map_err(|_| Garbled)?,
        body: whole_body(fields, version, body)?,
    })
}

/// The values of a field, without the space around them.
fn values<'h>(fields: &'h [httparse::Header<'h>], name: &'h str) -> impl Iterator<Item = &'h [u8]> {
    fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.trim_ascii())
}

fn whole_body(fields: &[httparse::Header<'_>], version: u8, body: &[u8]) -> Result<Vec<u8>, VerbError> {
    let mut codings = values(fields, "transfer-encoding");
    let mut lengths = values(fields, "content-length");
    match (codings.next(), lengths.next()) {
        (None, None) => Ok(body.to_vec()),
        (None, Some(length)) => {
            // With two values, a proxy may have used the other one.
            let length = decimal(length).filter(|_| lengths.next().is_none()).ok_or(Garbled)?;
            let redacted = body.windows(REDACTED.len()).any(|window| window == REDACTED);
            if body.len() == length || redacted { Ok(body.to_vec()) } else { Err(Garbled) }
        }
        // HTTP/1.0 has no chunks.
        (Some(coding), None) if version == 1 && coding.eq_ignore_ascii_case(b"chunked") && codings.next().is_none() => {
            unchunked(body)
        }
        _ => Err(Garbled),
    }
}

fn decimal(digits: &[u8]) -> Option<usize> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

/// Decodes a chunked body. It must be complete, and only fields may follow it.
fn unchunked(mut rest: &[u8]) -> Result<Vec<u8>, VerbError> {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((start, length))) = httparse::parse_chunk_size(rest) else {
            return Err(Garbled);
        };
        let length = usize::try_from(length).map_err(|_| Garbled)?;
        rest = rest.get(start..).ok_or(Garbled)?;
        if length == 0 {
            return if rest == b"\r\n" || rest.ends_with(b"\r\n\r\n") { Ok(body) } else { Err(Garbled) };
        }
        let (chunk, after) = rest.split_at_checked(length).ok_or(Garbled)?;
        body.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").ok_or(Garbled)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailiwick_core::model::Exit;

    fn read(text: &[u8]) -> Result<Response, VerbError> {
        get(&Answer { stdout: text.to_vec(), stderr: Vec::new(), exit: Exit::Status(0), timing: None })
    }

    fn body(text: &str) -> Result<String, VerbError> {
        read(text.as_bytes()).map(|response| String::from_utf8(response.body).unwrap())
    }

    #[test]
    fn bodies_are_as_long_as_they_say() {
        let table: &[(&str, Result<&str, VerbError>)] = &[
            ("HTTP/1.0 200 OK\r\n\r\nall there is", Ok("all there is")),
            ("HTTP/1.0 204 No Content\r\n\r\n", Ok("")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Ok("ok")),
            ("HTTP/1.1 200 OK\ncontent-length:2 \n\nok", Ok("ok")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", Err(Garbled)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok", Err(Garbled)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nkey=[redacted:assignment]", Ok("key=[redacted:assignment]")),
            ("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", Err(Garbled)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", Err(Garbled)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", Err(Garbled)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", Err(Garbled)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nok", Err(Garbled)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1;x=y\r\n!\r\n0\r\n\r\n", Ok("ok!")),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n", Ok("ok")),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", Err(Garbled)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", Err(Garbled)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\r\n0\r\n\r\n", Err(Garbled)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nok", Err(Garbled)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nok", Err(Garbled)),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Err(Garbled)),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                Err(Garbled),
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Err(Garbled)),
            ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\u{1f}", Err(Garbled)),
            ("HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\n\r\nok", Ok("ok")),
        ];
        for (text, expected) in table {
            assert_eq!(body(text), expected.map(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_http_answer_is_garbled() {
        for text in [
            "",
            "ok",
            "SSH-2.0-OpenSSH_9.2\r\n",
            "HTTP/0.9 200 OK\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 600 OK\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA\u{0}: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        ] {
            assert_eq!(read(text.as_bytes()).err(), Some(Garbled), "{text:?}");
        }
    }

    #[test]
    fn statuses_are_answers_and_heads_are_bounded() {
        let response =
            read(b"HTTP/1.1 301 Moved\r\nLocation: http://10.0.0.1/\r\nContent-Type: text/x\r\n\r\n").unwrap();
        assert_eq!((response.status, response.headers, response.content_type.as_str()), (301, 2, "text/x"));
        let many = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(count));
        assert_eq!(read(many(100).as_bytes()).unwrap().headers, 100);
        assert_eq!(read(many(101).as_bytes()).err(), Some(Garbled));
        let long = format!("HTTP/1.1 200 OK\r\nContent-Type: {}\r\n\r\n", "x".repeat(900_000));
        assert_eq!(read(long.as_bytes()).unwrap().content_type.len(), CONTENT_TYPE_BYTES);
        let binary = read(b"HTTP/1.0 200 OK\r\nContent-Type: \xff\xfe\r\n\r\n\0\xff\x1b[2J").unwrap();
        assert_eq!(binary.body, b"\0\xff\x1b[2J");
    }
}
