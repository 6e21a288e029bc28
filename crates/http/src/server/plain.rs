//! What an ordinary web server answers. Nothing here tells that this is anything else.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};

use crate::error::Cause;

/// The body of whatever is answered.
pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, Cause>;
/// Whatever is answered.
pub(crate) type Answered = Response<AnswerBody>;

const HTML: HeaderValue = HeaderValue::from_static("text/html");

/// A body that is here.
pub(crate) fn full(bytes: Bytes) -> AnswerBody {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A small page that says the status and nothing else.
pub(crate) fn page(status: StatusCode) -> Answered {
    let title = format!(
        "{} {}",
        status.as_u16(),
        status.canonical_reason().unwrap_or("Error")
    );
    let html = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = Response::new(full(html.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HTML);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pages_say_the_status_and_no_more() {
        let response = page(StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "POST");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&body).unwrap().to_owned();
        assert!(text.contains("405 Method Not Allowed"));
        for word in ["packet", "layer", "node", "relay", "openpgp", "wallet"] {
            assert!(!text.to_lowercase().contains(word), "{word}");
        }
    }
}
