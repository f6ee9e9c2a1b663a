//! Pages: do they answer, with the status, the type and the text that they should?

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
        // What is there to be seen of a server that is sick; that we could not ask says nothing about it.
        Err(failed) => {
            let title = match failed.error() {
                VerbError::NotFound => "nothing listens there",
                VerbError::TimedOut => "it did not answer within 10 s",
                VerbError::Garbled => "it answers something that is not HTTP, or not whole",
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
            format!("it answers with status {} (expected {})", page.status, expected.status),
        )
    } else if !expected.media_type.is_empty() && media_type != expected.media_type {
        Finding::critical("page", subject, format!("it is {media_type} (expected {})", expected.media_type))
    } else if !page.text().contains(&expected.contains) {
        Finding::critical("page", subject, "it does not hold the text that it should".to_owned())
    } else {
        Finding::ok("page", subject, format!("it answers with status {}", page.status))
    };
    Ok(finding
        .metric("status", u32::from(page.status), Unit::Count)
        .metric("body-bytes", page.body.len(), Unit::Bytes)
        .because(&page))
}

bailiwick_guest::export!(HttpStatus);
