//! Who is signed in: the cookie, and what a handler demands of it.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use model::view::{Actor, Session};
use secrecy::{ExposeSecret, SecretString};

use crate::Web;
use crate::error::Failure;

const NAME: &str = "parapet_session";
/// The prefix makes browsers insist on `Secure`, `Path=/` and no `Domain`.
const NAME_HTTPS: &str = "__Host-parapet_session";

/// A request of somebody who is signed in. Others are sent to the sign-in page (GET) or refused.
pub(crate) struct Signed {
    pub(crate) session: Session,
    pub(crate) token: String,
}

impl Signed {
    pub(crate) fn actor(&self) -> &Actor {
        &self.session.actor
    }
}

impl FromRequestParts<Web> for Signed {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Failure> {
        if let Some(token) = token(&parts.headers, web.config.https)
            && let Some(session) = web.backend.session(&token).await?
        {
            return Ok(Self { session, token });
        }
        let next = parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        // A form or a stream cannot be repeated after signing in; a page can.
        Err(Failure::NotSignedIn { next: (parts.method == Method::GET).then_some(next) })
    }
}

/// The token in the cookie.
pub(crate) fn token(headers: &HeaderMap, https: bool) -> Option<String> {
    let name = if https { NAME_HTTPS } else { NAME };
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, value)| value.to_owned())
}

/// The cookie that keeps a token. `Lax`, so that links in mail open signed in; forms are guarded apart from it.
pub(crate) fn cookie(token: &SecretString, https: bool) -> Option<HeaderValue> {
    let (name, secure) = if https { (NAME_HTTPS, "; Secure") } else { (NAME, "") };
    let text = format!("{name}={}; Path=/; HttpOnly; SameSite=Lax{secure}", token.expose_secret());
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The cookie that forgets it.
pub(crate) fn forget(https: bool) -> HeaderValue {
    if https {
        HeaderValue::from_static("__Host-parapet_session=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0")
    } else {
        HeaderValue::from_static("parapet_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others_and_only_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("a=1; parapet_session=tok; xparapet_session=no"),
        );
        assert_eq!(token(&headers, false).as_deref(), Some("tok"));
        assert_eq!(token(&headers, true), None, "over https only the __Host- cookie counts");
    }

    #[test]
    fn over_https_the_cookie_is_bound_to_the_host() {
        let token = SecretString::from("tok");
        let text = cookie(&token, true).expect("a header value");
        assert_eq!(
            text.to_str().expect("text"),
            "__Host-parapet_session=tok; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        assert!(cookie(&SecretString::from("a\nb"), true).is_none());
    }
}
