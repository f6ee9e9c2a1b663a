//! Answers of Prometheus's HTTP API (`/api/v1/…`): an envelope, and data of a type that the caller chooses.

use bailiwick_guest::{Evidence, Failure, Observed, Target, http, text};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Envelope<T> {
    status: String,
    data: Option<T>,
    #[serde(default)]
    error: String,
}

/// Requests the slot's page, and parses its data.
///
/// # Errors
/// If there is no answer, or it is not a Prometheus answer: the run could not check.
pub fn ask<T: DeserializeOwned>(target: &Target, slot: &str) -> Result<(Observed<http::Response>, T), Failure> {
    let page = http::get(target, &target.slot(slot)?)?;
    match read(&page) {
        Ok(data) => Ok((page, data)),
        Err(reason) => Err(Failure { call: Some(page.call()), ..Failure::new(reason) }),
    }
}

/// Parses the data of a page.
///
/// # Errors
/// One line with the reason if there are no data.
pub fn read<T: DeserializeOwned>(page: &http::Response) -> Result<T, String> {
    let envelope: Result<Envelope<T>, _> = serde_json::from_slice(&page.body);
    match envelope {
        Ok(Envelope { status, data: Some(data), .. }) if page.status == 200 && status == "success" => Ok(data),
        Ok(Envelope { error, .. }) if !error.is_empty() => Err(["Prometheus answers: ", &error].concat()),
        _ if page.status != 200 => Err(["the server answers with status ", &page.status.to_string()].concat()),
        // Its text is not shown: the server is not Prometheus, and the text may be anything.
        Ok(_) => Err("the server's answer has no data".to_owned()),
        Err(error) => {
            Err(text::one_line(&["the server's answer is not Prometheus JSON: ", &error.to_string()].concat()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(status: u16, body: &str) -> http::Response {
        http::Response { status, content_type: String::new(), headers: 1, body: body.into() }
    }

    #[test]
    fn only_success_has_data() {
        assert_eq!(read::<u8>(&page(200, r#"{"status":"success","data":7,"warnings":["x"]}"#)), Ok(7));
        let error = r#"{"status":"error","errorType":"bad_data","error":"invalid parameter"}"#;
        assert_eq!(read::<u8>(&page(400, error)), Err("Prometheus answers: invalid parameter".to_owned()));
        assert_eq!(
            read::<u8>(&page(200, r#"{"status":"error","data":7}"#)),
            Err("the server's answer has no data".to_owned())
        );
        assert_eq!(read::<u8>(&page(302, "<a>")), Err("the server answers with status 302".to_owned()));
        for body in ["", "<html>", "{\"status\":\"success\",\"data\":\"7\"}", &"[".repeat(100_000)] {
            assert!(
                read::<u8>(&page(200, body)).unwrap_err().starts_with("the server's answer is not Prometheus JSON")
            );
        }
    }
}
