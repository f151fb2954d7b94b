//! What checks ask about: records, and how much of them there is.

use std::sync::Arc;

use catalog::Over;
use model::dataset::Availability;
use model::value::{Record, Shape};

use crate::canonical::Canonicals;
use crate::drift::resource;
use crate::reading::Reading;

/// What checks ask about.
pub(super) struct Table<'a> {
    pub(super) title: String,
    pub(super) shape: &'a Shape,
    pub(super) records: &'a [Record],
    pub(super) key: Option<usize>,
    pub(super) tenant: &'a str,
    pub(super) whole: Whole,
}

/// How much of a table there is.
pub(super) enum Whole {
    Complete,
    Short { reason: String, needs: Vec<String>, lacking: u64 },
    NotApplicable(String),
}

impl Table<'_> {
    /// By what a record is known; `None` when it cannot be told.
    pub(super) fn resource(&self, record: &Record, at: usize) -> Option<Arc<str>> {
        match self.key {
            Some(key) => resource(record.values.get(key)?),
            None if self.records.len() == 1 => Some(self.tenant.into()),
            None => Some(format!("{}#{}", self.tenant, at + 1).into()),
        }
    }
}

/// The table of a dataset, or of the canonical accounts or plugins.
pub(super) fn table<'a>(over: &Over, reading: &'a Reading<'_>, canonical: &'a Canonicals) -> Table<'a> {
    let tenant = reading.instance.tenant_uid;
    let made = match over {
        Over::Account => Some(("accounts", &canonical.accounts)),
        Over::Plugin => Some(("plugins", &canonical.plugins)),
        Over::Dataset(_) => None,
    };
    if let Some((title, made)) = made {
        let whole = match (&made.not_applicable, &made.lack) {
            (Some(reason), _) => Whole::NotApplicable(reason.clone()),
            (None, Some(reason)) => Whole::Short {
                reason: reason.clone(),
                needs: made.needs.clone(),
                lacking: made.lacking.max(1),
            },
            (None, None) if made.is_unmapped() => {
                Whole::Short { reason: format!("this scan reads no {title}"), needs: Vec::new(), lacking: 1 }
            }
            (None, None) => Whole::Complete,
        };
        let key = made.shape.field("id").map(|(at, _)| at);
        return Table {
            title: title.to_owned(),
            shape: &made.shape,
            records: &made.records,
            key,
            tenant,
            whole,
        };
    }
    let Some(read) = reading.datasets.get(over.as_str()) else {
        let whole = Whole::Short {
            reason: format!("{}: this scan does not read it", over.as_str()),
            needs: Vec::new(),
            lacking: 1,
        };
        return Table {
            title: over.as_str().to_owned(),
            shape: &NOTHING,
            records: &[],
            key: None,
            tenant,
            whole,
        };
    };
    let whole = match (&read.availability, read.lack()) {
        (Availability::NotApplicable { reason }, _) => {
            Whole::NotApplicable(reason.trim_end_matches('.').to_owned())
        }
        (_, Some(reason)) => {
            Whole::Short { reason, needs: read.needs(reading.instance.auth), lacking: read.lacking() }
        }
        (_, None) => Whole::Complete,
    };
    let key = read.spec.spec.key.as_deref().and_then(|key| read.spec.shape.field(key)).map(|(at, _)| at);
    let title = read.spec.spec.title.clone();
    Table { title, shape: &read.spec.shape, records: read.records(), key, tenant, whole }
}

static NOTHING: Shape = Shape { fields: Vec::new() };
