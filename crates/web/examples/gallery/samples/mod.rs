//! Believable samples of everything that pages show, and a backend that answers with them. They exist for the gallery
//! and for tests: no page of the product is ever filled from here.

mod across;
mod answers;
mod backend;
mod fleet;
mod inventory;
mod notifications;
mod questions;
mod runs;
mod scans;

use std::sync::Mutex;

use futures_util::future::{FutureExt as _, ready};
use model::time::{Duration, Timestamp};
use model::view::{Cut, InstanceRef, Known, OwnerRef, Paging};
use web::Answer;

/// The samples. Signs in `admin` or `auditor` with the password `sample`; remembers what it was asked to change.
pub(crate) struct Samples {
    /// No operator exists yet.
    pub(crate) fresh: bool,
    /// What was done, in order.
    pub(crate) done: Mutex<Vec<String>>,
}

impl Samples {
    pub(crate) fn new() -> Self {
        Self { fresh: false, done: Mutex::new(Vec::new()) }
    }

    /// Remembers a change; every one succeeds.
    fn note<'a>(&self, what: String) -> Answer<'a, ()> {
        self.done.lock().expect("no test panics while it holds the list").push(what);
        ready(Ok(())).boxed()
    }
}

/// The instant at which every sample is looked at: 22 Nov 2026, 14:30 UTC.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-11-22T14:30:00Z").expect("a valid instant")
}

/// Text that would be an element, end an attribute or break a line if it were not escaped.
pub(crate) const HOSTILE: &str = "\"'><img src=x onerror=alert(1)>&amp;\u{202e}";
/// The application whose every text is [`HOSTILE`]; found by its id or by searching for `hostile`.
pub(crate) const HOSTILE_ID: &str = "i-hostile";

/// `text`, unless it belongs to the hostile application.
fn told(instance: &InstanceRef, text: &str) -> String {
    if instance.id.as_str() == HOSTILE_ID { HOSTILE.to_owned() } else { text.to_owned() }
}

fn ago(length: Duration) -> Timestamp {
    now() - length
}

fn is(text: &str) -> Known<String> {
    Known::Is(text.to_owned())
}

fn instance(id: &str, name: &str, tenant: &str) -> InstanceRef {
    InstanceRef {
        id: id.into(),
        name: name.to_owned(),
        app: "github".into(),
        app_name: "GitHub".to_owned(),
        vendor: "GitHub, Inc.".to_owned(),
        tenant: tenant.to_owned(),
    }
}

fn directory() -> InstanceRef {
    InstanceRef {
        id: "i-directory".into(),
        name: "Workforce directory".to_owned(),
        app: "scim".into(),
        app_name: "SCIM directory".to_owned(),
        vendor: "any".to_owned(),
        tenant: "id.example.com".to_owned(),
    }
}

fn dana() -> OwnerRef {
    OwnerRef { id: "o-dana".into(), name: "Dana Reyes".to_owned(), active: true }
}

fn jon() -> OwnerRef {
    OwnerRef { id: "o-jon".into(), name: "Jon Petersen".to_owned(), active: false }
}

/// One page of a list that has more when `cut` asks for the first.
fn paging(total: u64, cut: &Cut) -> Paging {
    let first = cut.after.is_none();
    Paging {
        total,
        unfiltered: total,
        next: (first && total > 50).then(|| "c50".to_owned()),
        previous: (!first).then(|| "c1".to_owned()),
    }
}
