//! Sign-in of a service account: name and password by POST, cookies in return.

use std::collections::BTreeMap;

use catalog::manifest::{AuthKind, Endpoint, LoginBody};
use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method};
use model::diagnosis::Rung;
use model::scan::FailureCause;
use model::time::{Duration, Timestamp};
use serde_json::{Map, Value as Json};
use url::Url;

use super::{ask, broken, field, sensitive, single};
use crate::ask::Halt;
use crate::place::{Places, address};
use crate::session::Session;

/// Cookies of one sign-in that are kept; a server that sets more is not one to sign in to.
const MOST: usize = 64;

/// A session is shown to the origin that began it and to no other.
pub(super) fn same_origin(session: &Session<'_>, login: &Endpoint, url: &Url) -> Result<(), Halt> {
    let began = address(session.target, &login.host, &login.path, &Places::default())
        .map_err(|what| broken(session, what))?;
    if began.origin() == url.origin() {
        return Ok(());
    }
    let detail = format!(
        "{} did not begin the session, so that it is not shown to it",
        url.origin().ascii_serialization()
    );
    Err(broken(session, detail))
}

/// Signs in; the header with the cookies, and until when they last, if told.
pub(super) async fn sign_in(session: &Session<'_>) -> Result<(HeaderMap, Option<Timestamp>), Halt> {
    let AuthKind::Session { login, body, username_at, password_at, extra, cookie, .. } = &session.auth.kind
    else {
        return Err(broken(session, "This way to authenticate has no sign-in"));
    };
    let secret = [
        (username_at.as_str(), Json::String(field(session, "username")?)),
        (password_at.as_str(), Json::String(field(session, "password")?)),
    ];
    let parts = extra.iter().map(|(place, value)| (place.as_str(), constant(value))).chain(secret);
    let (kind, text) = match body {
        LoginBody::Json => ("application/json", json(parts).to_string()),
        LoginBody::Form => ("application/x-www-form-urlencoded", form(parts)),
    };
    let mut ask = ask(session, Method::POST, login, &Places::default())?;
    ask.body = Some(text.into_bytes());
    let headers = single(CONTENT_TYPE, HeaderValue::from_static(kind));
    let reply = session.buy(&ask, headers).await?;
    let now = session.clock.now();
    let cookies = cookies(&reply.headers, now);
    let signed_in = match cookie {
        Some(name) => cookies.contains_key(name.as_str()),
        None => !cookies.is_empty(),
    };
    if !signed_in {
        // Servers that answer 200 to a wrong password are told apart by this alone. To take it for the credential also
        // protects the account: after a few such answers nothing is tried for a while.
        let what =
            cookie.as_ref().map_or_else(|| "a cookie".to_owned(), |name| format!("the cookie `{name}`"));
        let detail =
            format!("The sign-in was answered without {what}; the name or password is probably wrong");
        let fault = session.fault(&ask, FailureCause::Credentials, Rung::Http, detail);
        session.watch.refused(&fault, true);
        return Err(Halt::Fault(fault));
    }
    // Which of several cookies is the session is known only where the manifest names it; that another ends is no reason to
    // sign in again. Where the session has ended, a 401 says so.
    let expires_at = cookie.as_ref().and_then(|name| cookies.get(name)).and_then(|kept| kept.expires_at);
    let mut pairs = Vec::new();
    for (name, kept) in cookies {
        session.scrub.learn(&kept.value);
        pairs.push(format!("{name}={}", kept.value));
    }
    Ok((single(COOKIE, sensitive(session, &pairs.join("; "))?), expires_at))
}

fn constant(value: &toml::Value) -> Json {
    match value {
        toml::Value::String(text) => Json::String(text.clone()),
        toml::Value::Boolean(b) => Json::Bool(*b),
        toml::Value::Integer(i) => Json::from(*i),
        toml::Value::Float(f) => Json::from(*f),
        // The loader refuses the others.
        other => Json::String(other.to_string()),
    }
}

fn json<'p>(parts: impl Iterator<Item = (&'p str, Json)>) -> Json {
    let mut root = Map::new();
    for (place, value) in parts {
        let mut at = &mut root;
        let mut steps = place.split('.').peekable();
        while let Some(step) = steps.next() {
            if steps.peek().is_none() {
                at.insert(step.to_owned(), value);
                break;
            }
            let next = at.entry(step).or_insert_with(|| Json::Object(Map::new()));
            // The loader refuses places inside of one another.
            let Json::Object(map) = next else { break };
            at = map;
        }
    }
    Json::Object(root)
}

fn form<'p>(parts: impl Iterator<Item = (&'p str, Json)>) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (place, value) in parts {
        form.append_pair(place, &crate::answer::scalar(&value).unwrap_or_default());
    }
    form.finish()
}

struct Cookie {
    value: String,
    expires_at: Option<Timestamp>,
}

/// The cookies that an answer sets (RFC 6265 section 5.2), but those that it deletes. Attributes that narrow where a
/// cookie goes are not needed: it goes to one origin, which is ours to choose.
fn cookies(headers: &HeaderMap, now: Timestamp) -> BTreeMap<String, Cookie> {
    let mut kept = BTreeMap::new();
    for set in headers.get_all(SET_COOKIE).iter().take(MOST) {
        let Ok(text) = set.to_str() else { continue };
        let mut parts = text.split(';');
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        if name.is_empty() {
            continue;
        }
        let (mut age, mut until) = (None, None);
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            match key.trim().to_ascii_lowercase().as_str() {
                "max-age" => age = value.trim().parse::<i64>().ok(),
                // By the server's own clock, as far as it tells it.
                "expires" => {
                    let theirs = crate::pace::date(headers).unwrap_or(now);
                    until = cookie_date(value.trim()).map(|at| now + (at - theirs));
                }
                _ => {}
            }
        }
        let expires_at = match age {
            Some(seconds) => Some(now + Duration::seconds(seconds.clamp(0, 31_536_000))),
            None => until,
        };
        if value.is_empty() || expires_at.is_some_and(|at| at <= now) {
            kept.remove(&name);
        } else {
            kept.insert(name, Cookie { value, expires_at });
        }
    }
    kept
}

/// `Wed, 21 Oct 2026 07:28:00 GMT`, also with the hyphens of older servers.
fn cookie_date(text: &str) -> Option<Timestamp> {
    crate::pace::http_date(text).or_else(|| {
        let (day, rest) = text.split_once(',')?;
        let (date, time) = rest.trim().split_once(' ')?;
        crate::pace::http_date(&format!("{day}, {} {time}", date.replace('-', " ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn set(values: &[&str]) -> Vec<(String, String, Option<i64>)> {
        let headers = values.iter().map(|v| (SET_COOKIE, HeaderValue::from_str(v).unwrap())).collect();
        let seconds = |at: Timestamp| (at - NOW).0 / 1000;
        cookies(&headers, NOW).into_iter().map(|(n, c)| (n, c.value, c.expires_at.map(seconds))).collect()
    }

    #[test]
    fn cookies_are_read_as_browsers_do() {
        let plain = |n: &str, v: &str, s| (n.to_owned(), v.to_owned(), s);
        assert_eq!(
            set(&["sid=abc=; Path=/; HttpOnly; SameSite=Strict", "lang=en; max-age=60"]),
            [plain("lang", "en", Some(60)), plain("sid", "abc=", None)]
        );
        // A later one replaces or deletes an earlier one.
        assert_eq!(set(&["sid=a", "sid=b"]), [plain("sid", "b", None)]);
        assert_eq!(set(&["sid=a", "sid=gone; Max-Age=0"]), []);
        assert_eq!(set(&["sid=a", "sid=; Path=/"]), []);
        assert_eq!(set(&["sid=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]), []);
        for expires in ["Fri, 15 Jan 2027 08:01:00 GMT", "Fri, 15-Jan-2027 08:01:00 GMT"] {
            assert_eq!(set(&[&format!("sid=x; Expires={expires}")]), [plain("sid", "x", Some(60))]);
        }
        assert_eq!(set(&["nothing", "=x"]), []);
    }

    #[test]
    fn parts_stand_where_they_belong() {
        let parts = || {
            [
                ("auth.user", Json::from("a\"b")),
                ("auth.password", Json::from("p&w=")),
                ("keep", Json::from(true)),
            ]
        };
        let expected = serde_json::json!({ "auth": { "user": "a\"b", "password": "p&w=" }, "keep": true });
        assert_eq!(json(parts().into_iter()), expected);
        assert_eq!(form(parts().into_iter()), "auth.user=a%22b&auth.password=p%26w%3D&keep=true");
    }
}
