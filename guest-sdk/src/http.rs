//! Pages of servers that the target can reach: `http.*`. The target opens the connection; redirects are not followed.

pub use crate::bindings::bailiwick::ops::http::Response;
use crate::observed::verb;

verb! {
    /// `http.get`: the entry's complete page: status, content type, body. At most 1 MiB, 10 s. `NotFound` if nothing listens
    /// there; a missing page is an answer with status 404.
    "http.get" http::get(target, entry) -> Response
}

impl Response {
    /// The body as text; invalid UTF-8 is replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The media type without its parameters, in lower case: `application/json`.
    pub fn media_type(&self) -> String {
        self.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}
