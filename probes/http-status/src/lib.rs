//! Pages: do they answer with the expected status, media type and text?

use bailiwick_guest::{Failure, Finding, Probe, Report, Target, Unit, VerbError, http, target::Entry};

struct Expected {
    status: f64,
    contains: String,
    media_type: String,
}

struct HttpStatus;

impl Probe for HttpStatus {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let expected = Expected {
            status: params.number("status")?,
            contains: params.text("contains")?,
            media_type: params.text("media-type")?.to_ascii_lowercase(),
        };
        let pages = target.slots("pages");
        if pages.is_empty() {
            return Err(Failure::new("nothing is bound to slot pages"));
        }
        pages.iter().map(|page| judge(target, page, &expected)).collect()
    }
}

fn judge(target: &Target, entry: &Entry, expected: &Expected) -> Result<Finding, Failure> {
    let subject = entry.literal.as_str();
    let page = match http::get(target, entry) {
        Ok(page) => page,
        // These errors show a fault of the server; any other means that the probe could not check.
        Err(failed) => {
            let title = match failed.error() {
                VerbError::NotFound => "nothing listens on this address",
                VerbError::TimedOut => "no answer within 10 s",
                VerbError::Garbled => "the answer is not HTTP, or is incomplete",
                _ => return Err(failed.into()),
            };
            return Ok(Finding::critical("page", subject, title).because(&failed));
        }
    };
    let media_type = page.media_type();
    let finding = if f64::from(page.status) != expected.status {
        Finding::critical(
            "page",
            subject,
            format!("the server answers with status {} (expected {})", page.status, expected.status),
        )
    } else if !expected.media_type.is_empty() && media_type != expected.media_type {
        Finding::critical("page", subject, format!("the media type is {media_type} (expected {})", expected.media_type))
    } else if !page.text().contains(&expected.contains) {
        Finding::critical("page", subject, "the page does not contain the expected text".to_owned())
    } else {
        Finding::ok("page", subject, format!("the server answers with status {}", page.status))
    };
    Ok(finding
        .metric("status", u32::from(page.status), Unit::Count)
        .metric("body-bytes", page.body.len(), Unit::Bytes)
        .because(&page))
}

bailiwick_guest::export!(HttpStatus);
