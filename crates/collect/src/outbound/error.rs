//! Why a request got no usable answer, read from typed errors, never from their texts.

use std::error::Error;
use std::io;
use std::net::IpAddr;

use model::diagnosis::Rung;
use model::scan::FailureCause;

use super::filter::Class;

/// A request without a usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NetError {
    /// `unreachable` for the network's faults, `protocol` for answers that cannot be taken, `internal` for ours.
    pub(crate) cause: FailureCause,
    /// The last rung that held.
    pub(crate) reached: Rung,
    /// What happened: one line.
    pub(crate) detail: String,
    /// Whether trying again may help.
    pub(crate) again: bool,
}

impl NetError {
    pub(crate) fn unreachable(reached: Rung, detail: impl Into<String>) -> Self {
        Self { cause: FailureCause::Unreachable, reached, detail: detail.into(), again: true }
    }

    pub(crate) fn protocol(detail: impl Into<String>) -> Self {
        Self { cause: FailureCause::Protocol, reached: Rung::Http, detail: detail.into(), again: false }
    }

    pub(crate) fn refused(reached: Rung, detail: impl Into<String>) -> Self {
        Self { cause: FailureCause::Unreachable, reached, detail: detail.into(), again: false }
    }
}

/// Why a name has no address that may be contacted.
#[derive(Debug, thiserror::Error)]
pub(super) enum NameError {
    /// The look-up failed, or gave nothing.
    #[error("the name {name} cannot be resolved")]
    NotResolved {
        /// The name.
        name: String,
    },
    /// All its addresses are refused.
    #[error("{name} resolves to {ip}, which is not contacted")]
    Refused {
        /// The name.
        name: String,
        /// One of them.
        ip: IpAddr,
        /// What it is.
        class: Class,
    },
}

impl NameError {
    pub(super) fn to_net(&self) -> NetError {
        match self {
            Self::NotResolved { name } => {
                NetError::unreachable(Rung::Name, format!("The name {name} could not be resolved"))
            }
            Self::Refused { name, ip, class } => NetError::refused(Rung::Name, refusal(name, *ip, *class)),
        }
    }
}

/// The sentence about an address that may not be contacted.
pub(super) fn refusal(host: &str, ip: IpAddr, class: Class) -> String {
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let place = if literal { host.to_owned() } else { format!("{host} resolves to {ip}, and that") };
    match class {
        Class::Loopback => {
            format!("{place} is this machine itself; it is contacted only where the operator allows it")
        }
        Class::Private => {
            format!("{place} is in a private range; it is contacted only for hosts that the operator allows")
        }
        _ => format!("{place} is in a range that is never contacted"),
    }
}

/// Reads the rung and the sentence from the error of an exchange.
pub(super) fn classify(error: &reqwest::Error, host: &str, seconds: u32, connect_seconds: u32) -> NetError {
    if let Some(name) = find::<NameError>(error) {
        return name.to_net();
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return NetError::unreachable(Rung::Tcp, tls_sentence(tls, host));
    }
    if error.is_connect() {
        if error.is_timeout() || io_kind(error) == Some(io::ErrorKind::TimedOut) {
            return NetError::unreachable(
                Rung::Address,
                format!("No connection to {host} within {connect_seconds} s"),
            );
        }
        let what = match io_kind(error) {
            Some(io::ErrorKind::ConnectionRefused) => "refused the connection".to_owned(),
            Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => {
                "is not reachable from this network".to_owned()
            }
            // Something answered on the port and hung up before TLS was agreed.
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof) => {
                return NetError::unreachable(
                    Rung::Tcp,
                    format!("{host} closed the connection before TLS was established"),
                );
            }
            Some(kind) => format!("could not be connected to ({kind})"),
            None => "could not be connected to".to_owned(),
        };
        return NetError::unreachable(Rung::Address, format!("{host} {what}"));
    }
    if error.is_timeout() {
        return NetError::unreachable(
            Rung::Tls,
            format!("{host} did not answer completely within {seconds} s"),
        );
    }
    // A body that ends early is reported as one that cannot be decoded; only bad data is the vendor's doing.
    if error.is_decode()
        && matches!(io_kind(error), Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
    {
        return NetError::protocol(format!(
            "The answer of {host} cannot be decoded: its compression or its framing is broken"
        ));
    }
    if error.is_builder() {
        return NetError {
            cause: FailureCause::Internal,
            reached: Rung::NotSent,
            detail: "The request could not be built".to_owned(),
            again: false,
        };
    }
    NetError::unreachable(Rung::Tls, format!("{host} broke the connection off"))
}

fn tls_sentence(error: &rustls::Error, host: &str) -> String {
    use rustls::{CertificateError as C, Error as E};
    match error {
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            format!("The certificate of {host} has expired")
        }
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            format!("The certificate of {host} is not valid yet")
        }
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            format!("The certificate of {host} is for another name")
        }
        E::InvalidCertificate(C::UnknownIssuer) => {
            format!("The certificate of {host} comes from an authority that is not trusted here")
        }
        E::InvalidCertificate(C::Revoked) => format!("The certificate of {host} has been revoked"),
        E::InvalidCertificate(_) => format!("The certificate of {host} is not valid"),
        E::InvalidMessage(_) => format!("{host} does not speak TLS on this port"),
        _ => format!("TLS with {host} failed: {error}"),
    }
}

/// Finds an error of a type in a chain, also inside an `io::Error`, whose content is not its `source`.
fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(at) = next {
        if let Some(found) = at.downcast_ref::<E>() {
            return Some(found);
        }
        if let Some(inner) = at.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            let inner: &(dyn Error + 'static) = inner;
            if let Some(found) = find::<E>(inner) {
                return Some(found);
            }
        }
        next = at.source();
    }
    None
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    find::<io::Error>(error).map(io::Error::kind)
}
