//! Webhooks: a signed POST, as generic JSON or in Slack's form.

use aws_lc_rs::hmac;
use model::time::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use crate::event::{Event, json, slack};
use crate::network::clean;
use crate::{Network, Trouble};

/// A webhook's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// [`json`].
    Json,
    /// [`slack`].
    Slack,
}

/// The value of `Parapet-Signature`: HMAC-SHA256 over the timestamp, a full stop, and the body.
#[must_use]
pub fn signature(secret: &SecretString, seconds: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(seconds.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    let tag: String = context.sign().as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("t={seconds},v1={tag}")
}

/// Posts one event. The body is the same at every attempt; the signature carries the time of the attempt, so that a
/// receiver can refuse what was recorded and played back later.
///
/// # Errors
/// What happened. 400, 413 and 422 say that this message will never be taken; 404 or 410, like 401 and 403, may be a
/// destination that somebody must mend, and the message waits for that.
pub async fn deliver(
    network: &dyn Network,
    url: &SecretString,
    secret: Option<&SecretString>,
    body: Body,
    event: &Event,
    now: Timestamp,
) -> Result<(), Trouble> {
    let value = match body {
        Body::Json => json(event),
        Body::Slack => slack(event),
    };
    let bytes = value.to_string().into_bytes();
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("parapet-event", event.kind.as_str().to_owned()),
        ("parapet-event-id", event.id.clone()),
    ];
    if let Some(secret) = secret {
        headers.push(("parapet-signature", signature(secret, now.0.div_euclid(1000), &bytes)));
    }
    let answer = network.post(url.expose_secret(), headers, bytes).await?;
    let says = if answer.says.is_empty() { String::new() } else { format!(": {}", clean(&answer.says)) };
    let refused = format!("The webhook answered {}{says}", answer.status);
    match answer.status {
        200..=299 => Ok(()),
        400 | 413 | 422 => Err(Trouble::lasting(refused)),
        _ => Err(Trouble { wait_seconds: answer.retry_after_seconds, ..Trouble::passing(refused) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_covers_time_and_body() {
        let secret = SecretString::from("0123456789abcdef");
        // Computed with Python's hmac and hashlib.
        assert_eq!(
            signature(&secret, 1_790_000_000, b"{\"a\":1}"),
            "t=1790000000,v1=d569e4518fe6f4620fd6639233427e7df5e5394d8f14c85c1063b8d90a724dcb"
        );
        let other = signature(&secret, 1_790_000_001, b"{\"a\":1}");
        assert_ne!(
            other.split("v1=").nth(1),
            signature(&secret, 1_790_000_000, b"{\"a\":1}").split("v1=").nth(1)
        );
    }
}
