//! A form with a file: `multipart/form-data` (RFC 7578), as browsers send it.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::response::IntoResponse as _;
use http::{HeaderMap, StatusCode, header};

use super::{Fields, SignedForm, same};
use crate::Web;
use crate::error::Failure;
use crate::session::Signed;

/// Most fields of a form. There is no form with more.
const MOST_FIELDS: usize = 32;

/// A form of somebody who is signed in, with the token of their session. A file is a field like the others: its text.
pub(crate) struct SignedUpload(pub(crate) SignedForm);

impl FromRequest<Web> for SignedUpload {
    type Rejection = Failure;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let signed = Signed::from_request_parts(&mut parts, web).await?;
        let unreadable = || Failure::Status(StatusCode::UNPROCESSABLE_ENTITY);
        let boundary = boundary(&parts.headers).ok_or_else(unreadable)?;
        let bytes = Bytes::from_request(Request::from_parts(parts, body), web)
            .await
            .map_err(|rejection| Failure::Status(rejection.into_response().status()))?;
        let fields = Fields(fields(&bytes, &boundary).ok_or_else(unreadable)?);
        if !same(fields.get("csrf"), &signed.session.csrf) {
            return Err(Failure::ForeignForm);
        }
        Ok(Self(SignedForm { signed, fields }))
    }
}

fn boundary(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let (media, rest) = kind.split_once(';')?;
    if !media.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = rest.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    let value = value.trim_matches('"');
    let fits = (1..=70).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| value.to_owned())
}

/// The fields in order. `None`: it is not such a form, or ends before its end.
fn fields(body: &[u8], boundary: &str) -> Option<Vec<(String, String)>> {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    // The first delimiter stands at the very beginning, without a line before it.
    let mut rest = body.strip_prefix(&delimiter[2..])?;
    let mut fields = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(fields);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let end = find(rest, &delimiter)?;
        let (part, after) = rest.split_at(end);
        let head_end = find(part, b"\r\n\r\n")?;
        let (head, value) = part.split_at(head_end);
        let name = name(std::str::from_utf8(head).ok()?)?;
        // A file in another encoding shows in its text: nothing of it is guessed.
        let text = String::from_utf8_lossy(value.get(4..)?).into_owned();
        fields.push((name, text));
        if fields.len() > MOST_FIELDS {
            return None;
        }
        rest = after.get(delimiter.len()..)?;
    }
}

/// The name in `Content-Disposition: form-data; name="..."`.
fn name(head: &str) -> Option<String> {
    let line = head.lines().find(|line| {
        line.get(..20).is_some_and(|start| start.eq_ignore_ascii_case("content-disposition:"))
    })?;
    let (_, rest) = line.split_once("; name=\"")?;
    rest.split_once('"').map(|(name, _)| name.to_owned())
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "--b\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\ntok\r\n--b\r\n\
        content-disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\n\
        id\r\n1\r\n--b--\r\n";

    #[test]
    fn fields_and_files_are_read() {
        let read = fields(BODY.as_bytes(), "b").expect("a form");
        assert_eq!(read, [("csrf".to_owned(), "tok".to_owned()), ("file".to_owned(), "id\r\n1".to_owned())]);
    }

    #[test]
    fn what_ends_early_or_is_none_is_refused() {
        for cut in 0..BODY.len() - 4 {
            assert_eq!(fields(&BODY.as_bytes()[..cut], "b"), None, "cut at {cut}");
        }
        assert_eq!(fields(BODY.as_bytes(), "c"), None);
        let headers = |kind: &'static str| {
            HeaderMap::from_iter([(header::CONTENT_TYPE, http::HeaderValue::from_static(kind))])
        };
        assert_eq!(boundary(&headers("multipart/form-data; boundary=\"b-1\"")).as_deref(), Some("b-1"));
        assert_eq!(boundary(&headers("multipart/form-data; boundary=")), None);
        assert_eq!(boundary(&headers("text/plain; boundary=b")), None);
    }
}
