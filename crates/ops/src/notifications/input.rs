//! What is entered about destinations.

use model::finding::Severity;
use model::view::DestinationInput;
use notify::address::Address;
use notify::event::{Kind, Subscription};
use secrecy::ExposeSecret as _;
use store::destinations::Destination;
use url::Url;

use crate::refusal::{Result, invalid};
use crate::{Ops, Secrets};

/// The shortest key of a webhook's signature, in characters.
const SHORTEST: usize = 16;
/// Addresses of one mail destination at most.
const MOST: usize = 20;

pub(super) fn name(input: &DestinationInput) -> Result<String> {
    let name = input.name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(invalid("name", "The name must have 1 to 100 characters."));
    }
    Ok(name.to_owned())
}

pub(super) fn subscription(input: &DestinationInput) -> Result<Subscription> {
    let mut kinds = Vec::new();
    for word in &input.kinds {
        let kind = Kind::parse(word).ok_or_else(|| invalid("kinds", "That is no sort of event."))?;
        kinds.push(kind);
    }
    let severity = match input.severity.as_str() {
        "" => Subscription::default().severity,
        word => Severity::parse(word).ok_or_else(|| invalid("severity", "That is no severity."))?,
    };
    Ok(Subscription {
        kinds,
        instances: input.instances.iter().map(|id| id.as_str().into()).collect(),
        owners: input.owners.iter().map(|id| id.as_str().into()).collect(),
        severity,
    })
}

/// The address; `None`: it stays (of a change only).
pub(super) fn address(
    ops: &Ops,
    input: &DestinationInput,
    secrets: &Secrets,
    before: Option<&Destination>,
) -> Result<Option<Address>> {
    let secret = |name: &str| secrets.get(name).map(|s| s.expose_secret().trim()).unwrap_or_default();
    let url = || -> Result<String> {
        let text = secret("url");
        let url = parsed(text)?;
        ops.0.outbound.admits(&url).map_err(|says| invalid("url", format!("{says}.")))?;
        Ok(text.to_owned())
    };
    match input.kind.as_str() {
        "mail" => mails(&input.to).map(Some),
        "webhook" if before.is_some() && secret("url").is_empty() && secret("secret").is_empty() => Ok(None),
        "webhook" => {
            let key = secret("secret");
            if key.chars().count() < SHORTEST {
                return Err(invalid(
                    "secret",
                    format!(
                        "The key of the signature must have at least {SHORTEST} characters; `openssl rand -hex 32` makes one."
                    ),
                ));
            }
            Ok(Some(Address::Webhook { url: url()?, secret: key.to_owned() }))
        }
        "slack" if before.is_some() && secret("url").is_empty() => Ok(None),
        "slack" => Ok(Some(Address::Slack { url: url()? })),
        "syslog" => syslog(ops, input).map(Some),
        _ => Err(invalid("kind", "Choose what sort of destination it is.")),
    }
}

fn parsed(text: &str) -> Result<Url> {
    Url::parse(text).map_err(|_| invalid("url", "This is no address; it begins with https://."))
}

fn mails(text: &str) -> Result<Address> {
    let mut to: Vec<String> = Vec::new();
    for one in text.split([',', ';', '\n']).map(str::trim).filter(|t| !t.is_empty()) {
        let address = email("to", one)?;
        if !to.iter().any(|known| known.eq_ignore_ascii_case(&address)) {
            to.push(address);
        }
    }
    match to.len() {
        0 => Err(invalid("to", "Enter at least one e-mail address.")),
        n if n > MOST => {
            Err(invalid("to", format!("At most {MOST} addresses; use a list's address for more.")))
        }
        _ => Ok(Address::Mail { to }),
    }
}

/// An e-mail address as it was entered.
pub(super) fn email(field: &str, text: &str) -> Result<String> {
    let text = text.trim();
    if notify::mail::is_address(text) && text.len() <= 254 {
        return Ok(text.to_owned());
    }
    Err(invalid(field, format!("\u{201c}{text}\u{201d} is not an e-mail address.")))
}

fn syslog(ops: &Ops, input: &DestinationInput) -> Result<Address> {
    let host = input.host.trim();
    let port = match input.port.trim() {
        "" => notify::syslog::PORT,
        text => text
            .parse()
            .ok()
            .filter(|p| *p > 0)
            .ok_or_else(|| invalid("port", "The port is a number up to 65535."))?,
    };
    let text = format!("https://{host}:{port}/");
    let url = Url::parse(&text).ok().filter(|u| u.host_str().is_some_and(|h| h.eq_ignore_ascii_case(host)));
    let url = url.ok_or_else(|| invalid("host", "This is no host name or address."))?;
    ops.0.outbound.admits(&url).map_err(|says| invalid("host", format!("{says}.")))?;
    Ok(Address::Syslog { host: host.to_owned(), port })
}
