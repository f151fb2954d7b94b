//! Where to read, and as whom: an application, its pinned origins, settings and a credential.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use catalog::App;
use catalog::manifest::{Auth, Deployment};
use http::{HeaderMap, HeaderName, HeaderValue};
use model::ahead::AHEAD;
use model::diagnosis::Warning;
use model::time::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::back_off::BackOff;
use crate::renew::{InMemory, Keeper, Renewal};

/// One tenancy of an application.
#[derive(Debug, Clone)]
pub struct Target {
    /// The application.
    pub app: Arc<App>,
    /// The way it is hosted, an id of the manifest.
    pub deployment: String,
    /// What the admin entered, by name; placeholders of paths.
    pub settings: BTreeMap<String, String>,
    /// The only places that a request can go to.
    pub origins: Origins,
}

/// Secret material for one way to authenticate. Prints nothing of it and cannot be serialised.
#[derive(Clone)]
pub struct Credential {
    /// The way, an id of the manifest's `[[auth]]`.
    pub auth: String,
    /// The values by field name ([`catalog::manifest::AuthKind::fields`]), also those that are not secret.
    pub values: BTreeMap<String, SecretString>,
    /// Keeps what the vendor renews on the way, where somebody signed in there.
    pub keeper: Arc<dyn Keeper>,
    /// What the vendor asked of whoever sent it; shared by all clones.
    pub back_off: Arc<BackOff>,
}

impl Credential {
    /// A credential whose renewals are kept in memory.
    #[must_use]
    pub fn new(auth: impl Into<String>, values: BTreeMap<String, SecretString>) -> Self {
        let keeper = Arc::new(InMemory::new(Renewal::of(&values)));
        Self { auth: auth.into(), values, keeper, back_off: Arc::default() }
    }

    /// The same with somebody else who keeps them.
    #[must_use]
    pub fn kept_by(self, keeper: Arc<dyn Keeper>) -> Self {
        Self { keeper, ..self }
    }
}

impl Credential {
    /// Whether one of its secrets begins so. An empty beginning tells nothing, so that it fits.
    pub(crate) fn begins(&self, auth: &Auth, with: &str) -> bool {
        let fields = auth.kind.fields();
        let secret = |name: &str| fields.iter().any(|f| f.secret && f.name == name);
        let mut secrets = self.values.iter().filter(|(name, _)| secret(name));
        secrets.any(|(_, value)| value.expose_secret().trim().starts_with(with))
    }
}

impl Target {
    /// The headers that a host gets with every request.
    ///
    /// # Errors
    /// What is wrong with the manifest.
    pub(crate) fn host_headers(&self, host: &str) -> Result<HeaderMap, String> {
        let hosts = self.app.deployment(&self.deployment).map(|d| &d.hosts);
        hosts.and_then(|h| h.get(host)).map_or_else(|| Ok(HeaderMap::new()), |host| headers(&host.headers))
    }

    /// Interfaces whose version the vendor promises for so short a time still that it is a warning.
    pub(crate) fn versions_that_end(&self, now: Timestamp) -> Vec<Warning> {
        let hosts = self.app.deployment(&self.deployment).into_iter().flat_map(|d| &d.hosts);
        let ends = hosts.filter_map(|(name, host)| {
            let at = Timestamp::parse(host.supported_until.as_deref()?)?;
            let interface = self.origins.get(name)?.origin().ascii_serialization();
            (at <= now + AHEAD).then_some(Warning::VersionEnds { interface, at })
        });
        ends.collect()
    }
}

/// Headers as a manifest writes them.
///
/// # Errors
/// What is wrong with the manifest.
pub(crate) fn headers(written: &BTreeMap<String, String>) -> Result<HeaderMap, String> {
    written
        .iter()
        .map(|(name, value)| {
            let wrong = || format!("`{name}: {value}` cannot be sent as a header");
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            Ok((name, HeaderValue::from_str(value).map_err(|_| wrong())?))
        })
        .collect()
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("auth", &self.auth)
            .field("fields", &self.values.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The base address of each host of a manifest: origin and path prefix. Computed once, at onboarding, and pinned:
/// a request to any other origin cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    hosts: BTreeMap<String, Url>,
}

/// Why the origins of an application cannot be determined. The words are for the person who entered the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// The manifest has no such way of hosting.
    #[error("{app} cannot be hosted as `{deployment}`; choose one of: {known}")]
    UnknownDeployment {
        /// The product.
        app: String,
        /// What was asked for.
        deployment: String,
        /// The ids that exist.
        known: String,
    },
    /// This way of hosting needs a label or an address.
    #[error("{title} is needed to know the address of {app}")]
    Missing {
        /// Label of the form field.
        title: String,
        /// The product.
        app: String,
    },
    /// What was entered is not of the form that is wanted.
    #[error("{0}")]
    Label(String),
    /// The address is not one.
    #[error("`{address}` is not a usable address: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it, and what to give instead.
        reason: String,
    },
}

impl Origins {
    /// The origins of one tenancy.
    ///
    /// `label` is the DNS label that the deployment asks for. `address` is the address of a self-hosted product, or, for
    /// any deployment, an address that stands in for the vendor's (an emulator, a proxy): all hosts are then there, and
    /// keep their path prefixes.
    ///
    /// # Errors
    /// What is missing or malformed, in words for the person who entered it.
    pub fn resolve(
        app: &App,
        deployment: &str,
        label: Option<&str>,
        address: Option<&str>,
    ) -> Result<Self, OriginError> {
        let way = find_deployment(app, deployment)?;
        let given = address.filter(|a| !a.is_empty()).map(parse_address).transpose()?;
        let mut hosts = BTreeMap::new();
        for (name, host) in &way.hosts {
            let url = match (&given, &host.origin) {
                (Some(address), _) => with_base(address, &host.base)?,
                (None, Some(origin)) => {
                    let text = fill_label(app, way, origin, label)?;
                    with_base(&parse_address(&text)?, &host.base)?
                }
                (None, None) => {
                    let title =
                        way.address.as_ref().map_or_else(|| "The address".to_owned(), |s| s.title.clone());
                    return Err(OriginError::Missing { title, app: app.manifest.name.clone() });
                }
            };
            hosts.insert(name.clone(), url);
        }
        Ok(Self { hosts })
    }

    /// Reads back what [`Origins::to_map`] gave.
    ///
    /// # Errors
    /// A stored address that is not one.
    pub fn from_map(map: &BTreeMap<String, String>) -> Result<Self, OriginError> {
        let hosts = map
            .iter()
            .map(|(name, address)| parse_address(address).map(|url| (name.clone(), url)))
            .collect::<Result<_, _>>()?;
        Ok(Self { hosts })
    }

    /// Host name to base address, for storage.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.hosts
            .iter()
            .map(|(name, url)| (name.clone(), url.as_str().trim_end_matches('/').to_owned()))
            .collect()
    }

    /// The distinct origins (`https://api.github.com`) that will receive the credential, in order. The credential is
    /// sealed to exactly this set.
    #[must_use]
    pub fn receivers(&self) -> BTreeSet<String> {
        self.hosts.values().map(|url| url.origin().ascii_serialization()).collect()
    }

    /// The base address of a host.
    #[must_use]
    pub fn get(&self, host: &str) -> Option<&Url> {
        self.hosts.get(host)
    }
}

/// The base of the vendor's web console for deep links, without a trailing slash.
///
/// # Errors
/// As [`Origins::resolve`].
pub fn console(
    app: &App,
    deployment: &str,
    label: Option<&str>,
    address: Option<&str>,
) -> Result<String, OriginError> {
    let way = find_deployment(app, deployment)?;
    let mut text = fill_label(app, way, &way.console, label)?;
    if let Some(setting) = &way.address {
        let mark = format!("{{{}}}", setting.name);
        if text.contains(&mark) {
            let address = address.filter(|a| !a.is_empty()).ok_or_else(|| OriginError::Missing {
                title: setting.title.clone(),
                app: app.manifest.name.clone(),
            })?;
            text = text.replace(&mark, parse_address(address)?.as_str().trim_end_matches('/'));
        }
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn find_deployment<'a>(app: &'a App, deployment: &str) -> Result<&'a Deployment, OriginError> {
    app.deployment(deployment).ok_or_else(|| OriginError::UnknownDeployment {
        app: app.manifest.name.clone(),
        deployment: deployment.to_owned(),
        known: app.manifest.deployment.iter().map(|d| d.id.as_str()).collect::<Vec<_>>().join(", "),
    })
}

fn fill_label(
    app: &App,
    way: &Deployment,
    template: &str,
    label: Option<&str>,
) -> Result<String, OriginError> {
    let Some(setting) = &way.label else { return Ok(template.to_owned()) };
    let mark = format!("{{{}}}", setting.name);
    if !template.contains(&mark) {
        return Ok(template.to_owned());
    }
    let label = label.filter(|l| !l.is_empty()).ok_or_else(|| OriginError::Missing {
        title: setting.title.clone(),
        app: app.manifest.name.clone(),
    })?;
    setting.accept(label).map_err(OriginError::Label)?;
    // Whatever the manifest's pattern allows, only one DNS label can be put in front of the vendor's suffix.
    let plain = label.len() <= 63
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-');
    if !plain {
        return Err(OriginError::Label(format!(
            "{} must be one part of a host name: letters, digits and hyphens",
            setting.title
        )));
    }
    Ok(template.replace(&mark, &label.to_ascii_lowercase()))
}

fn parse_address(text: &str) -> Result<Url, OriginError> {
    let refuse = |reason: &str| OriginError::Address { address: text.to_owned(), reason: reason.to_owned() };
    let url = Url::parse(text.trim())
        .map_err(|e| refuse(&format!("{e}; give it as https://host or https://host:port/prefix")))?;
    if !url.username().is_empty() || url.password().is_some() {
        // Said without the address: what stands before the @ may be a secret.
        return Err(OriginError::Address {
            address: url.host_str().unwrap_or_default().to_owned(),
            reason: "it must not contain a user name or password".to_owned(),
        });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it must end with the host or a path prefix, without ? and #"));
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_loopback(&host) => Ok(url),
        ("http", Some(_)) => Err(refuse("the credential would travel unencrypted; give it with https://")),
        _ => Err(refuse("give it as https://host")),
    }
}

/// Whether a host is this machine by its very name.
pub(crate) fn is_loopback<S: AsRef<str>>(host: &url::Host<S>) -> bool {
    match host {
        url::Host::Domain(name) => name.as_ref().eq_ignore_ascii_case("localhost"),
        url::Host::Ipv4(ip) => ip.is_loopback(),
        url::Host::Ipv6(ip) => ip.is_loopback(),
    }
}

fn with_base(address: &Url, base: &str) -> Result<Url, OriginError> {
    let text = format!("{}/{}", address.as_str().trim_end_matches('/'), base.trim_matches('/'));
    parse_address(text.trim_end_matches('/'))
}
