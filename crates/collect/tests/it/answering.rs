//! A server that answers by a manifest alone: tokens where they are sold, and well-formed records where datasets are
//! read. It is how an application is tested that nobody has written a simulator for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use catalog::manifest::{Auth, AuthKind, DurationFormat, Endpoint, Field, Paging, TimeFormat, Transform};
use catalog::{App, DatasetSpec, RequestSpec};
use serde_json::{Map, Value as Json, json};

use crate::support::*;

/// Whether pages end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Each listing is one page.
    One,
    /// Each page says that there is another.
    Endless,
}

/// Answers for one application, as the tests onboard it.
pub(crate) struct Answering {
    app: Arc<App>,
    pages: Pages,
    count: AtomicU64,
}

impl Answering {
    pub(crate) fn new(app: &Arc<App>, pages: Pages) -> Self {
        Self { app: Arc::clone(app), pages, count: AtomicU64::new(1) }
    }

    /// What comes of a request for a dataset; 404 for a request of nobody's.
    pub(crate) fn answer(&self, seen: &Seen) -> Answer {
        let requests = self.app.datasets.iter().flat_map(|d| d.requests.iter().map(move |r| (d, r)));
        let fits = |r: &RequestSpec| match &r.document {
            Some(text) => seen.method == "POST" && seen.json()["query"].as_str() == Some(&**text),
            None if r.spec.post.is_some() => {
                seen.method == "POST" && self.is_path(&r.spec.host, &r.spec.path, &seen.path)
            }
            None => seen.method == "GET" && self.is_path(&r.spec.host, &r.spec.path, &seen.path),
        };
        // How many constant parameters it has, if it has them all: the more, the likelier it is meant.
        let same_query = |r: &RequestSpec| {
            let mut constant = r.spec.query.iter().filter(|(_, v)| !v.contains('{'));
            let count = constant.clone().count();
            constant.all(|(name, value)| seen.q(name) == Some(value)).then_some(count)
        };
        let fitting: Vec<_> = requests.filter(|(_, r)| fits(r)).collect();
        let meant = fitting.iter().filter_map(|f| Some((same_query(f.1)?, f))).max_by_key(|(n, _)| *n);
        // A next page may have an address of its own.
        match meant.map(|(_, f)| f).or(fitting.first()) {
            Some((dataset, request)) => self.records(dataset, request, seen),
            None => error(404, "nobody's request"),
        }
    }

    /// What tells about the tenant and the credential, if this is a request for it.
    pub(crate) fn about(&self, auth: &Auth, seen: &Seen) -> Option<Answer> {
        let identity = &self.app.manifest.identity;
        let granted = auth.granted.as_ref().and_then(|g| Some((g.read.as_ref()?, json!(["everything"]))));
        let expiry = auth.expiry.as_ref().and_then(|e| {
            let at = json!("2026-01-08T00:00:00Z");
            // Of a list, an entry that does not say whose it is.
            let told = e.each.as_ref().map_or(at.clone(), |each| json!([{ each: at }]));
            Some((e.read.as_ref()?, told))
        });
        let subject = auth.subject.as_ref().map(|s| (s, json!("parapet")));
        let mut told = vec![
            (&identity.host, &identity.path, identity.tenant_uid.as_str(), json!("uid-1")),
            (&identity.host, &identity.path, identity.tenant_name.as_str(), json!("Acme")),
        ];
        told.extend(
            [granted, expiry, subject]
                .into_iter()
                .flatten()
                .filter_map(|(read, value)| Some((&read.host, read.path.as_ref()?, read.at.as_str(), value))),
        );
        let mut body = json!({});
        let mut any = false;
        for (host, path, at, value) in told {
            if self.is_path(host, path, &seen.path) {
                any = true;
                if at != "@origin" {
                    put(&mut body, at, value);
                }
            }
        }
        let mut answer = json(body);
        if let Some(header) = auth.granted.as_ref().and_then(|g| g.header.as_ref()) {
            answer = answer.with(header, "everything");
        }
        if let Some(header) = auth.expiry.as_ref().and_then(|e| e.header.as_ref()) {
            answer = answer.with(header, "2026-01-08 00:00:00 UTC");
        }
        (any && seen.method == "GET").then_some(answer)
    }

    /// Fields that say where a setting was made or what is above a unit: for all, above all.
    fn is_top(&self, dataset: &DatasetSpec, field: &Field) -> bool {
        let name = Some(field.name.as_str());
        self.app.datasets.iter().filter_map(|d| d.spec.resolve.as_ref()).any(|r| {
            (r.from == dataset.spec.name && (name == Some(&r.unit) || name == r.alone.as_deref()))
                || (r.tree.as_ref() == Some(&dataset.spec.name) && name == r.parent.as_deref())
        })
    }

    /// The answer of the endpoint that sells tokens or begins sessions, if this is a request to it.
    pub(crate) fn sold(&self, auth: &Auth, seen: &Seen) -> Option<Answer> {
        let is = |to: &Endpoint| self.is_path(&to.host, &to.path, &seen.path);
        let token = || {
            let mut sold = json!({ "access_token": "at-0123456789abcdef", "expires_in": 3600 });
            // What is told with the token itself.
            if let Some(read) =
                auth.granted.as_ref().and_then(|g| g.read.as_ref()).filter(|r| r.path.is_none())
            {
                put(&mut sold, &read.at, json!(["everything"]));
            }
            json(sold)
        };
        match &auth.kind {
            AuthKind::ClientCredentials { token: to, .. }
            | AuthKind::JwtBearer { token: to, .. }
            | AuthKind::AuthorizationCode { token: to, .. }
                if is(to) =>
            {
                Some(token())
            }
            AuthKind::Session { login, cookie, .. } if seen.method == "POST" && is(login) => {
                let name = cookie.as_deref().unwrap_or("session");
                Some(status(200).with("set-cookie", format!("{name}=s-0123456789abcdef")))
            }
            AuthKind::AppInstallation { installation, .. } if is(installation) => {
                Some(json(json!({ "id": 77, "app_slug": "parapet", "permissions": {} })))
            }
            AuthKind::AppInstallation { token: to, .. } if is(to) => {
                Some(json(json!({ "token": "at-0123456789abcdef" })))
            }
            _ => None,
        }
    }

    /// Whether an address is of a path, whatever its placeholders.
    fn is_path(&self, host: &str, template: &str, path: &str) -> bool {
        let mut template = template.to_owned();
        // A setting that is itself a path is put in as the tests enter it.
        for setting in self.app.manifest.setting.iter().filter(|s| s.path) {
            let value = setting.default.as_deref().unwrap_or_default();
            template = template.replace(&format!("{{{}}}", setting.name), value);
        }
        let base = self.app.manifest.deployment[0].hosts.get(host).map_or("", |h| h.base.as_str());
        let wanted = format!("{base}{template}");
        let (mut a, mut b) = (wanted.split('/'), path.split('/'));
        loop {
            match (a.next(), b.next()) {
                (None, None) => return true,
                (Some(part), Some(given)) if part == given || (part.contains('{') && !given.is_empty()) => {}
                _ => return false,
            }
        }
    }

    fn records(&self, dataset: &DatasetSpec, request: &RequestSpec, seen: &Seen) -> Answer {
        let endless = self.pages == Pages::Endless;
        let many = match &request.spec.paging {
            Paging::Page { size, .. } | Paging::Offset { size, .. } if endless => *size,
            _ => 1,
        };
        let is_one = dataset.spec.key.is_none() && request.spec.for_each.is_none();
        let items: Vec<Json> = (0..many).map(|_| self.record(dataset, request)).collect();
        let records =
            if is_one { items.into_iter().next().unwrap_or(Json::Null) } else { Json::Array(items) };
        let at = request.spec.records.as_str();
        let mut body = Json::Object(Map::new());
        if request.document.is_some() {
            body["data"] = json!({});
        }
        match at.strip_suffix('*').map(|parent| parent.trim_end_matches('.')) {
            Some(parent) => put(&mut body, parent, json!({ "only": self.record(dataset, request) })),
            None if matches!(at, "" | ".") => body = records,
            None => put(&mut body, at, records),
        }
        let n = self.count.fetch_add(1, Ordering::SeqCst);
        let next = format!("{}-{n}", if endless { "next" } else { "" });
        let total = if endless { 1_000_000 } else { 1 };
        match &request.spec.paging {
            Paging::NextUrl { at } if endless => put(&mut body, at, json!(format!("?after={next}"))),
            Paging::Cursor { at, .. } if endless => put(&mut body, at, json!(next)),
            Paging::Graphql { at, .. } => {
                put(&mut body, at, json!({ "hasNextPage": endless, "endCursor": next }));
            }
            Paging::Page { total_at: Some(at), .. } | Paging::Offset { total_at: Some(at), .. } => {
                put(&mut body, at, json!(total));
            }
            _ => {}
        }
        // A listing without a total ends with an empty page.
        let answer = match (&request.spec.paging, endless) {
            (Paging::Offset { total_at: None, param, start, .. }, false)
                if seen.q(param).is_some_and(|at| at != start.to_string()) =>
            {
                json(json!([]))
            }
            _ => json(body),
        };
        match &request.spec.paging {
            Paging::Link | Paging::None if endless => {
                answer.with("link", format!("<?after={n}>; rel=\"next\""))
            }
            _ => answer,
        }
    }

    /// One record with every field where the manifest reads it.
    fn record(&self, dataset: &DatasetSpec, request: &RequestSpec) -> Json {
        let n = self.count.fetch_add(1, Ordering::SeqCst);
        let mut record = Json::Object(Map::new());
        fill(&mut record, &dataset.spec.field, n, &|field| request.spec.paths.get(&field.name).cloned());
        for field in &dataset.spec.field {
            if field.path.as_deref() == Some(".") && field.each.is_none() {
                return sample(field, n);
            }
        }
        for field in dataset.spec.field.iter().filter(|f| self.is_top(dataset, f)) {
            put(&mut record, field.path.as_deref().unwrap_or(&field.name), Json::Null);
        }
        record
    }
}

fn fill(record: &mut Json, fields: &[Field], n: u64, own: &dyn Fn(&Field) -> Option<String>) {
    for field in fields.iter().filter(|f| f.each.is_none() && f.first_seen.is_none()) {
        let path = own(field).or_else(|| field.path.clone()).unwrap_or_else(|| field.name.clone());
        put(record, &path, sample(field, n));
        if let Some(at) = &field.incomplete_at {
            put(record, at, json!(false));
        }
    }
}

/// A value as the vendor would write it, before the transforms.
fn sample(field: &Field, n: u64) -> Json {
    let plain = |kind: &str| match kind {
        "bool" => json!(true),
        "int" => json!(n),
        "double" => json!(1.5),
        "timestamp" => match field.format {
            TimeFormat::Rfc3339 => json!("2025-12-01T00:00:00Z"),
            TimeFormat::EpochSeconds => json!(1_764_547_200),
            TimeFormat::EpochMillis => json!(1_764_547_200_000_u64),
        },
        "duration" => json!("3600s"),
        "object" => {
            let mut object = json!({});
            fill(&mut object, &field.field, n, &|_| None);
            object
        }
        _ => json!(format!("text-{n}")),
    };
    let mut kind = field.kind.as_str();
    let mut wraps = Vec::new();
    while let Some((wrap, inner)) = kind.split_once('<') {
        wraps.push(wrap);
        kind = inner.trim_end_matches('>');
    }
    let whole = wraps.iter().rev().fold(plain(kind), |value, wrap| match *wrap {
        "list" => json!([value]),
        _ => json!({ "entry": value }),
    });
    match field.transform.first() {
        None => whole,
        Some(Transform::Split(by)) => json!(format!("a{by}b")),
        Some(Transform::LastSegment) => json!(format!("a/text-{n}")),
        Some(Transform::After(mark)) => json!(format!("{mark}text-{n}")),
        Some(Transform::Between([before, behind])) => json!(format!("{before}text-{n}{behind}")),
        Some(Transform::HostOf | Transform::SchemeOf) => json!("https://host.example/"),
        Some(Transform::Lower) => json!(format!("Text-{n}")),
        Some(Transform::Present) => json!("there"),
        Some(Transform::MapEntries) => json!({ "a": "read" }),
        Some(Transform::Pluck(path)) => {
            let mut item = json!({});
            put(&mut item, path, json!("x"));
            json!([item])
        }
        Some(Transform::Pivot(pivot)) => {
            let mut item = json!({});
            put(&mut item, &pivot.key, json!("entry"));
            put(&mut item, &pivot.value, json!(true));
            json!([item])
        }
        Some(Transform::Duration(DurationFormat::Iso8601)) => json!("PT1H"),
        Some(Transform::Duration(_)) => json!(60),
        Some(Transform::Lookup(table)) => json!(table.keys().next()),
    }
}

/// Puts a value at a path. What stands in the way and is no object or list gives way.
fn put(json: &mut Json, path: &str, value: Json) {
    let mut at = json;
    let mut steps = path.split('.').filter(|s| !s.is_empty()).peekable();
    while let Some(step) = steps.next() {
        let position = if step == "*" { Some(0) } else { step.parse::<usize>().ok() };
        let next = match position {
            Some(i) => {
                if !at.is_array() {
                    *at = json!([]);
                }
                let Json::Array(list) = at else { return };
                while list.len() <= i {
                    list.push(json!({}));
                }
                &mut list[i]
            }
            None => {
                if let Json::Array(list) = at {
                    // A field of a list's elements: of the first.
                    if list.is_empty() {
                        list.push(json!({}));
                    }
                    at = &mut list[0];
                }
                if !at.is_object() {
                    *at = json!({});
                }
                let Json::Object(map) = at else { return };
                map.entry(step).or_insert_with(|| json!({}))
            }
        };
        if steps.peek().is_none() {
            // An object that another field has filled stays.
            if next.as_object().is_none_or(Map::is_empty) || value.is_object() {
                *next = value;
            }
            return;
        }
        at = next;
    }
}
