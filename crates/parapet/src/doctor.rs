//! `parapet doctor`: is this installation sound? Each question with its answer; the first wrong one decides the exit code.

use std::process::ExitCode;
use std::sync::Arc;

use engine::clock::SystemEntropy;
use store::{Db, Options};

use crate::cli::DoctorArgs;
use crate::failure::Failure;
use crate::output::say;
use crate::{config, key, telling, wiring};

pub(crate) async fn run(args: DoctorArgs) -> Result<ExitCode, Failure> {
    let mut sound = true;
    let mut tell = |what: &str, answer: Result<String, Failure>| match answer {
        Ok(text) => {
            say(&format!("\u{2713} {what}: {text}"));
            true
        }
        Err(failure) => {
            say(&format!("\u{2717} {what}: {}", failure.message));
            sound = false;
            false
        }
    };
    let config = config::load(args.config.config.as_deref());
    let place =
        args.config.config.as_ref().map_or_else(|| "defaults".to_owned(), |p| p.display().to_string());
    tell("configuration", config.as_ref().map(|_| place).map_err(|f| Failure::usage(f.message.clone())));
    let Ok(config) = config else { return Ok(ExitCode::from(2)) };
    let key = key::load(&config.sealing_key_file);
    tell(
        "sealing key",
        key.as_ref().map(|_| "readable".to_owned()).map_err(|f| Failure::usage(f.message.clone())),
    );
    let (catalog, errors) = match wiring::catalogue(&config.catalog, &config.allow_post) {
        Ok(found) => found,
        Err(failure) => {
            tell("catalogue", Err(failure));
            return Ok(ExitCode::from(2));
        }
    };
    let checks: usize = catalog.apps.values().map(|a| a.checks.len()).sum();
    tell("catalogue", Ok(format!("{} applications, {checks} checks", catalog.apps.len())));
    for error in &errors {
        tell("catalogue folder", Err(Failure::usage(error.to_string())));
    }
    for unused in config.allow_post.unused(&catalog) {
        tell("allow_post", Err(Failure::usage(format!("{unused}."))));
    }
    let o = &config.outbound;
    let outbound =
        wiring::outbound(&o.allow_private, o.proxy.as_deref(), o.ca_file.as_ref(), o.allow_loopback_http);
    tell(
        "outbound client",
        outbound.map(|_| o.proxy.as_ref().map_or_else(|| "direct".to_owned(), |p| format!("through {p}"))),
    );
    if let Ok(key) = key {
        let opened =
            Db::open(&config.database, &key, Arc::new(SystemEntropy), wiring::now(), Options::default())
                .await;
        let answer = match opened {
            Ok(db) => {
                let all = store::instances::all(&db).await.map_err(Failure::from);
                let answer =
                    all.map(|i| format!("{} with {} applications", shown(&config.database), i.len()));
                db.close().await;
                answer
            }
            Err(e) => Err(e.into()),
        };
        tell("database", answer);
    }
    let mail = match (&args.send_test_mail, telling::mail_server(&config)) {
        (_, Err(failure)) => Err(failure),
        (Some(to), Ok(_)) => telling::send_test(&config, to).await,
        (None, Ok(None)) => Ok("no server is configured: nobody gets a digest".to_owned()),
        (None, Ok(Some(server))) => {
            Ok(format!("{}; --send-test-mail ADDRESS tries it", telling::server_words(&server)))
        }
    };
    tell("mail", mail);
    let free = std::net::TcpListener::bind(config.listen);
    tell(
        "listening address",
        free.map(|_| format!("{} is free", config.listen)).map_err(|e| {
            Failure::usage(format!("{} cannot be used: {e}. A running server explains this.", config.listen))
        }),
    );
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// The address of a database without what may be a secret in it: a server's address carries its password.
fn shown(address: &str) -> String {
    let Ok(url) = url::Url::parse(address) else { return address.to_owned() };
    match url.host_str() {
        Some(host) => {
            let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
            format!("{}://{host}{port}{}", url.scheme(), url.path())
        }
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_of_a_database_is_shown() {
        for (address, said) in [
            (
                "postgres://parapet:hunter2@db.internal/parapet?sslmode=disable",
                "postgres://db.internal/parapet",
            ),
            (
                "postgresql://db.internal:6432/parapet?password=hunter2",
                "postgresql://db.internal:6432/parapet",
            ),
            ("sqlite:parapet.db", "sqlite:parapet.db"),
            ("/var/lib/parapet/parapet.db", "/var/lib/parapet/parapet.db"),
        ] {
            assert_eq!(shown(address), said);
        }
    }
}
