//! How people are told: from the configuration to the loops that tell.

use std::path::Path;
use std::sync::Arc;

use collect::Clock as _;
use engine::clock::SystemClock;
use engine::{Filtered, Setup, Teller, Telling};
use notify::mail::{Mail, is_address};
use notify::smtp::{Security, Server};
use notify::{Trust, smtp};
use secrecy::SecretString;

use crate::config::Config;
use crate::failure::Failure;
use crate::wiring::{self, World};

/// The environment variable with the mail server's password.
const PASSWORD: &str = "PARAPET_SMTP_PASSWORD";

/// The mail server of the configuration; `None`: there is none.
pub(crate) fn mail_server(config: &Config) -> Result<Option<Server>, Failure> {
    let mail = &config.mail;
    minute(&mail.admin_digest_at)?;
    if !model::time::is_time_zone(&mail.admin_time_zone) {
        return Err(Failure::usage(format!(
            "mail.admin_time_zone: {} is not a time zone; write it like Europe/Berlin.",
            mail.admin_time_zone
        )));
    }
    if let Some(wrong) = mail.admins.iter().find(|a| !is_address(a)) {
        return Err(Failure::usage(format!("mail.admins: {wrong} is not an e-mail address.")));
    }
    let Some(name) = mail.host.as_deref().filter(|h| !h.is_empty()) else { return Ok(None) };
    let from = mail.from.as_deref().ok_or_else(|| {
        Failure::usage(
            "mail.from is missing: the address that mails are from, such as Parapet <parapet@example.com>.",
        )
    })?;
    let from = from.parse().map_err(|e| {
        Failure::usage(format!(
            "mail.from: {from} is not an address ({e}); write it like Parapet <parapet@example.com>."
        ))
    })?;
    let login = match &mail.username {
        None => None,
        Some(user) => Some((user.clone(), password(mail.password_file.as_deref())?)),
    };
    Ok(Some(Server {
        host: name.to_owned(),
        port: mail.port.unwrap_or_else(|| mail.security.port()),
        security: mail.security,
        login,
        from,
        hello: host(config),
        seconds: mail.seconds.clamp(5, 120),
    }))
}

/// From the environment, or else from a file. Never an argument.
fn password(file: Option<&Path>) -> Result<SecretString, Failure> {
    if let Some(password) = wiring::environment(PASSWORD) {
        return Ok(SecretString::from(password));
    }
    let Some(file) = file else {
        return Err(Failure::usage(format!(
            "mail.username is set, but neither {PASSWORD} nor mail.password_file is."
        )));
    };
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::usage(format!("mail.password_file {} cannot be read: {e}.", file.display())))?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The minute of the day of `08:00`.
fn minute(text: &str) -> Result<u16, Failure> {
    let wrong =
        || Failure::usage(format!("mail.admin_digest_at: {text} is not a time of day; write it like 08:00."));
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    match (hour.parse::<u16>(), minute.parse::<u16>()) {
        (Ok(hour @ 0..24), Ok(minute @ 0..60)) => Ok(hour * 60 + minute),
        _ => Err(wrong()),
    }
}

/// `mail.example.com:587, STARTTLS, as parapet`
pub(crate) fn server_words(server: &Server) -> String {
    let security = match server.security {
        Security::StartTls => "STARTTLS",
        Security::Tls => "TLS",
        Security::None => "without TLS",
    };
    let login = server.login.as_ref().map_or_else(String::new, |(name, _)| format!(", as {name}"));
    format!("{}:{}, {security}{login}", server.host, server.port)
}

/// The name of this server in ids of mails and in syslog: that of its public address.
fn host(config: &Config) -> String {
    let public = config.public_url.as_deref().and_then(|u| url::Url::parse(u).ok());
    public.and_then(|u| u.host_str().map(str::to_owned)).unwrap_or_else(|| "parapet.localhost".to_owned())
}

fn base(config: &Config) -> Option<String> {
    config.public_url.as_deref().map(|u| u.trim_end_matches('/').to_owned())
}

/// What pages show of it.
pub(crate) fn shown(config: &Config) -> Result<ops::Telling, Failure> {
    Ok(ops::Telling {
        mail_server: mail_server(config)?.as_ref().map(server_words),
        admins: config.mail.admins.clone(),
        admin_zone: config.mail.admin_time_zone.clone(),
        admin_minute: minute(&config.mail.admin_digest_at)?,
        base: base(config),
        host: host(config),
    })
}

/// Whom mail and syslog servers must be vouched for by.
fn trust(config: &Config) -> Result<Trust, Failure> {
    let pem = match &config.outbound.ca_file {
        None => Vec::new(),
        Some(path) => std::fs::read(path).map_err(|e| {
            Failure::usage(format!("The certificates {} cannot be read: {e}.", path.display()))
        })?,
    };
    Trust::new(&pem).map_err(|e| Failure::usage(format!("TLS: {e}.")))
}

/// Starts the loops that tell people.
pub(crate) fn start(world: &World, url: &str) -> Result<Telling, Failure> {
    let config = &world.config;
    let mail = mail_server(config)?;
    match &mail {
        None => tracing::warn!("no mail server is configured ([mail]): nobody gets a digest"),
        Some(_) if config.public_url.is_none() => {
            tracing::warn!("public_url is not configured: mails will have no links");
        }
        Some(server) => tracing::info!(server = server_words(server), "mail goes out"),
    }
    let simulated = world.simulated;
    let setup = Setup {
        mail,
        admins: config.mail.admins.clone(),
        admin_zone: config.mail.admin_time_zone.clone(),
        admin_minute: minute(&config.mail.admin_digest_at)?,
        // The demo's own address works for whoever looks at its mails.
        base: base(config).or_else(|| simulated.then(|| url.to_owned())),
        host: host(config),
        simulated,
        node: config.node_name(),
    };
    let network = Arc::new(Filtered(world.outbound.clone()));
    Ok(Teller::start(
        world.db.clone(),
        world.catalog.clone(),
        network,
        trust(config)?,
        Arc::new(SystemClock),
        setup,
    ))
}

/// Sends a test mail now, past the outbox: what the server answers is the answer.
pub(crate) async fn send_test(config: &Config, to: &str) -> Result<String, Failure> {
    let server = mail_server(config)?
        .ok_or_else(|| Failure::usage("No mail server is configured; set host and from under [mail]."))?;
    let o = &config.outbound;
    let outbound =
        wiring::outbound(&o.allow_private, o.proxy.as_deref(), o.ca_file.as_ref(), o.allow_loopback_http)?;
    let now = SystemClock.now();
    let event = notify::event::test(format!("{}", now.0), now, "parapet doctor");
    let mail: Mail = notify::event::mail(&event, to, &server.hello)
        .map_err(|e| Failure::usage(format!("The test mail cannot be written: {e}.")))?;
    smtp::deliver(&server, &Filtered(outbound), &trust(config)?, &mail)
        .await
        .map_err(|trouble| Failure::usage(format!("{}.", trouble.says.trim_end_matches('.'))))?;
    Ok(format!("{} took a test mail to {to}", server_words(&server)))
}
