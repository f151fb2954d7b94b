//! The addresses of destinations, as they are sealed.

use serde::{Deserialize, Serialize};

/// Where a destination is. It may hold secrets: it is sealed where it is stored, and never printed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Address {
    /// Mail to these addresses, by the server's own mail transport.
    Mail {
        /// One or more.
        to: Vec<String>,
    },
    /// A signed JSON webhook.
    Webhook {
        /// https.
        url: String,
        /// The key of the signature.
        secret: String,
    },
    /// A Slack webhook, whose address is its secret.
    Slack {
        /// https.
        url: String,
    },
    /// Syslog over TLS.
    Syslog {
        /// The collector's name.
        host: String,
        /// Its port.
        port: u16,
    },
}

impl Address {
    /// The stable words, with what people read.
    pub const KINDS: [(&'static str, &'static str); 4] = [
        ("mail", "Mail"),
        ("webhook", "Webhook (signed JSON)"),
        ("slack", "Slack"),
        ("syslog", "Syslog over TLS"),
    ];

    /// The stable word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Mail { .. } => "mail",
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Syslog { .. } => "syslog",
        }
    }

    /// What may be shown: of a webhook the host alone.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Mail { to } => to.join(", "),
            Self::Webhook { url, .. } | Self::Slack { url } => host(url).to_owned(),
            Self::Syslog { host, port } => format!("{host}:{port}"),
        }
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind(), self.shown())
    }
}

/// The host of an https address: what stands between the slashes, without a name and password before it.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let hook = Address::Webhook {
            url: "https://user:pw@hooks.example.com:8443/T0/hunter2?key=hunter2".to_owned(),
            secret: "hunter2".to_owned(),
        };
        assert_eq!(hook.shown(), "hooks.example.com:8443");
        assert!(!format!("{hook:?}").contains("hunter2"));
    }
}
