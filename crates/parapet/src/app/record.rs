//! Recording the exchanges of a dry run as a case of the application's fixtures. What is secret by its place is replaced;
//! what is personal only its owner knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use catalog::App;
use collect::{Credential, Heard, Target};
use model::time::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::Value as Json;
use sim::tape::{BASE, Exchange, Tape};

use crate::failure::Failure;

/// Headers that mean something to every connector.
const KEPT: [&str; 5] = ["link", "retry-after", "deprecation", "sunset", "content-type"];
/// Keys of answers whose values are secret wherever they stand.
const SECRET_KEYS: [&str; 4] = ["access_token", "refresh_token", "id_token", "client_secret"];

/// Listens to a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Recorder {
    heard: Arc<Mutex<Vec<Taken>>>,
}

#[derive(Debug)]
struct Taken {
    exchange: Exchange,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Recorder {
    /// The ear of the outbound client.
    pub(super) fn tap(&self) -> collect::Tap {
        let heard = Arc::clone(&self.heard);
        Arc::new(move |h: &Heard<'_>| {
            let pairs = h.url.query_pairs().map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
            let mut exchange = Exchange::of_request(h.method, h.url.path(), pairs, h.sent);
            exchange.status = h.status;
            let headers = h
                .headers
                .iter()
                .filter_map(|(n, v)| Some((n.as_str().to_owned(), v.to_str().ok()?.to_owned())))
                .collect();
            let taken = Taken { exchange, headers, body: h.body.to_vec() };
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(taken);
        })
    }

    /// The tape of what was heard.
    pub(super) fn tape(&self, app: &App, target: &Target, credential: &Credential, now: Timestamp) -> Tape {
        let mut scrub = Scrub::new(app, target, credential);
        let mut exchanges: Vec<Exchange> = Vec::new();
        let heard = std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        let bodies = several_bodies(&heard);
        for taken in heard {
            let minds = taken.exchange.post.as_ref().is_some_and(|path| bodies.contains(path));
            let mut exchange = scrub.exchange(taken);
            if !minds {
                // A sign-in sends a password.
                exchange.sent = None;
            }
            let name = exchange.name();
            // A repeated request counts by its last answer, as it does to the connector that retries.
            match exchanges.iter_mut().find(|e| e.name() == name) {
                Some(earlier) => *earlier = exchange,
                None => exchanges.push(exchange),
            }
        }
        let address = app.deployment(&target.deployment).and_then(|d| d.address.as_ref()).map(|a| &a.name);
        Tape {
            about: format!("Recorded from {}. Say here what the case is about.", app.manifest.name),
            deployment: target.deployment.clone(),
            auth: credential.auth.clone(),
            credential: scrub.fields.iter().map(|f| (f.name.clone(), f.instead.clone())).collect(),
            // The player stands in for the address.
            settings: target
                .settings
                .iter()
                .filter(|(name, _)| Some(*name) != address)
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect(),
            now: now.to_string(),
            exchanges,
            otherwise: None,
        }
    }
}

/// The paths of POSTs that were sent with more than one body.
fn several_bodies(heard: &[Taken]) -> BTreeSet<String> {
    let mut bodies: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
    for taken in heard {
        if let (Some(path), Some(sent)) = (&taken.exchange.post, &taken.exchange.sent) {
            bodies.entry(path).or_default().insert(sent.to_string());
        }
    }
    bodies.into_iter().filter(|(_, all)| all.len() > 1).map(|(path, _)| path.clone()).collect()
}

/// A field of the credential and what stands in its place.
struct Field {
    name: String,
    value: String,
    instead: String,
    secret: bool,
}

struct Scrub {
    fields: Vec<Field>,
    /// Origins with their path prefix, the longest first.
    bases: Vec<String>,
    prefix: String,
    headers: BTreeSet<String>,
}

impl Scrub {
    fn new(app: &App, target: &Target, credential: &Credential) -> Self {
        let known = app.auth(&credential.auth).map(|a| a.kind.fields()).unwrap_or_default();
        let fields = known
            .iter()
            .filter_map(|f| {
                let value = credential.values.get(f.name)?.expose_secret().to_owned();
                let instead = if f.secret { format!("planted_{}", f.name) } else { "parapet".to_owned() };
                Some(Field { name: f.name.to_owned(), value, instead, secret: f.secret })
            })
            .collect();
        let way = app.deployment(&target.deployment);
        let entered = way.and_then(|w| w.address.as_ref()).and_then(|a| target.settings.get(&a.name));
        let prefix = entered.and_then(|a| url::Url::parse(a).ok());
        let prefix = prefix.map_or_else(String::new, |u| u.path().trim_end_matches('/').to_owned());
        let mut bases: Vec<String> = target.origins.receivers().into_iter().collect();
        bases
            .extend(bases.clone().into_iter().filter(|_| !prefix.is_empty()).map(|b| format!("{b}{prefix}")));
        bases.sort_by_key(|b| std::cmp::Reverse(b.len()));
        let m = &app.manifest;
        let auth = app.auth(&credential.auth);
        let named = [
            auth.and_then(|a| a.granted.as_ref()).and_then(|g| g.header.as_ref()),
            auth.and_then(|a| a.expiry.as_ref()).and_then(|e| e.header.as_ref()),
            m.throttle.limit_header.as_ref(),
            m.throttle.remaining_header.as_ref(),
            m.throttle.reset_header.as_ref(),
        ];
        let of_answers = m.answer.iter().chain(m.dataset.iter().flat_map(|d| &d.answer));
        let headers = named
            .into_iter()
            .flatten()
            .chain(of_answers.filter_map(|a| a.header.as_ref()))
            .map(|h| h.to_lowercase())
            .chain(KEPT.map(str::to_owned))
            .collect();
        Self { fields, bases, prefix, headers }
    }

    fn exchange(&mut self, taken: Taken) -> Exchange {
        let mut exchange = taken.exchange;
        for path in [&mut exchange.get, &mut exchange.post].into_iter().flatten() {
            let rest = path.strip_prefix(&self.prefix).unwrap_or(path);
            *path = self.text(rest);
        }
        if let Some(sent) = &mut exchange.sent {
            self.json(sent, false);
        }
        for (name, value) in taken.headers {
            let name = name.to_lowercase();
            if name == "set-cookie" {
                // The name is needed to sign in; what follows it is a secret.
                let cookie = value.split('=').next().unwrap_or_default();
                exchange.headers.insert(name, format!("{cookie}=planted_session; Path=/"));
            } else if self.headers.contains(&name)
                && !(name == "content-type" && value.starts_with("application/json"))
            {
                exchange.headers.insert(name, self.text(&value));
            }
        }
        match serde_json::from_slice::<Json>(&taken.body) {
            Ok(mut json) => {
                self.json(&mut json, exchange.post.is_some());
                exchange.body = Some(json);
            }
            Err(_) if taken.body.is_empty() => {}
            Err(_) => exchange.text = Some(self.text(&String::from_utf8_lossy(&taken.body))),
        }
        exchange
    }

    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for base in &self.bases {
            text = text.replace(base, BASE);
        }
        for field in self.fields.iter().filter(|f| f.secret && !f.value.is_empty()) {
            text = text.replace(&field.value, &field.instead);
        }
        text
    }

    /// `sold`: the answer to a request for a token, whose `token` is one.
    fn json(&self, json: &mut Json, sold: bool) {
        match json {
            Json::String(text) => *text = self.text(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.json(item, sold)),
            Json::Object(map) => {
                for (key, value) in map.iter_mut() {
                    let secret = SECRET_KEYS.contains(&key.as_str()) || sold && key == "token";
                    match value {
                        Json::String(text) if secret => *text = format!("planted_{key}"),
                        value => self.json(value, sold),
                    }
                }
            }
            _ => {}
        }
    }
}

/// The folder of a new case.
pub(super) fn folder(app: &Path, case: &str) -> Result<PathBuf, Failure> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if case.is_empty() || !case.chars().all(plain) {
        return Err(Failure::usage(format!(
            "{case:?} cannot be a case's name: use small letters, digits and `-`."
        )));
    }
    let folder = app.join("fixtures").join(case);
    if folder.join("tape.json").exists() {
        return Err(Failure::usage(format!(
            "{} exists and is not overwritten. Remove it, or choose another name.",
            folder.join("tape.json").display()
        )));
    }
    Ok(folder)
}

/// Writes a tape.
pub(super) fn write(folder: &Path, tape: &Tape) -> Result<(), Failure> {
    let path = folder.join("tape.json");
    let text = serde_json::to_string_pretty(tape)
        .map_err(|e| Failure::usage(format!("The tape cannot be written: {e}.")))?;
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, text + "\n"))
        .map_err(|e| Failure::usage(format!("{} cannot be written: {e}.", path.display())))
}
