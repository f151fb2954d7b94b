//! Accounts and plugins: records of an application's datasets in the one shape that all applications share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::{App, Grade, MappingSpec};
use expr::{Bound, Inputs, Truth};
use model::dataset::Availability;
use model::time::Timestamp;
use model::value::{List, Record, Shape, Value};

use crate::merge;
use crate::reading::Reading;

/// Both canonical datasets, as far as this scan makes them.
pub(crate) struct Canonicals {
    /// The settings as mappings see them.
    pub(crate) settings: BTreeMap<String, Value>,
    pub(crate) accounts: Canonical,
    pub(crate) plugins: Canonical,
}

/// One canonical dataset.
pub(crate) struct Canonical {
    pub(crate) shape: Arc<Shape>,
    pub(crate) records: Vec<Record>,
    /// The dataset and the position in it that each record comes from, for the evidence.
    pub(crate) sources: Vec<(String, usize)>,
    /// Why it is not whole.
    pub(crate) lack: Option<String>,
    /// How many records are known to be lacking.
    pub(crate) lacking: u64,
    /// Permissions that would make it whole.
    pub(crate) needs: Vec<String>,
    /// Set when every source is something this plan does not have.
    pub(crate) not_applicable: Option<String>,
    /// Datasets with records that have no id.
    nameless: BTreeSet<String>,
    mapped: bool,
    /// Positions of records.
    by_id: BTreeMap<Arc<str>, usize>,
}

impl Canonical {
    /// Whether the application does not fill it at all.
    pub(crate) const fn is_unmapped(&self) -> bool {
        !self.mapped
    }

    /// The dataset and position that a record, by its id, comes from.
    pub(crate) fn source_of(&self, id: &str) -> Option<&(String, usize)> {
        self.sources.get(*self.by_id.get(id)?)
    }

    /// Whether these are all there are.
    pub(crate) const fn is_complete(&self) -> bool {
        self.mapped && self.lack.is_none() && self.not_applicable.is_none()
    }
}

impl Canonicals {
    pub(crate) fn of(reading: &Reading<'_>, now: Timestamp) -> Self {
        let settings = settings(reading);
        let made = |specs: &[MappingSpec], shape: &Arc<Shape>, merge: merge::Merge| {
            // A scan that reads none of its sources does not make it.
            let read = specs.iter().any(|spec| reading.datasets.contains_key(spec.from.as_str()));
            let specs = if read { specs } else { &[] };
            make(specs, shape, merge, reading, &settings, now)
        };
        let mut plugins = made(&reading.app.plugins, &model::plugin::SHAPE, merge::plugin);
        doubt(&mut plugins, reading);
        grade(&mut plugins, reading.app);
        let accounts = made(&reading.app.accounts, &model::account::SHAPE, merge::account);
        Self { settings, accounts, plugins }
    }
}

fn make(
    specs: &[MappingSpec],
    shape: &Arc<Shape>,
    merge: merge::Merge,
    reading: &Reading<'_>,
    params: &BTreeMap<String, Value>,
    now: Timestamp,
) -> Canonical {
    let mut made = Canonical {
        shape: Arc::clone(shape),
        records: Vec::new(),
        sources: Vec::new(),
        lack: None,
        lacking: 0,
        needs: Vec::new(),
        not_applicable: None,
        mapped: !specs.is_empty(),
        nameless: BTreeSet::new(),
        by_id: BTreeMap::new(),
    };
    let views = reading.views();
    let inputs = Inputs { datasets: &views, params, now };
    let mut absent = Vec::new();
    for spec in specs {
        let Some(read) = reading.datasets.get(spec.from.as_str()) else {
            made.lacks(format!("{}: this scan does not read it", spec.from), 1, &[]);
            continue;
        };
        if let Availability::NotApplicable { reason } = &read.availability {
            absent.push(reason.trim_end_matches('.').to_owned());
            continue;
        }
        if let Some(lack) = read.lack() {
            made.lacks(lack, read.lacking(), &read.needs(reading.instance.auth));
        }
        let when = spec.when.as_ref().map(|when| when.bind(&inputs));
        let fields: Vec<(usize, Bound<'_>)> =
            spec.fields.iter().map(|(at, field)| (*at, field.bind(&inputs))).collect();
        for (position, record) in read.records().iter().enumerate() {
            if when.as_ref().is_some_and(|when| when.test(Some(record)) == Truth::False) {
                continue;
            }
            let mut values = vec![Value::Unknown; shape.fields.len()];
            for (at, field) in &fields {
                if let (Some(slot), Some(value)) = (values.get_mut(*at), field.value(Some(record))) {
                    *slot = value;
                }
            }
            let made_record = Record { values: values.into() };
            match made_record.get(shape, "id").clone() {
                Value::String(id) => match made.by_id.get(&id) {
                    Some(at) => merge(shape, &mut made.records[*at], &made_record),
                    None => {
                        made.by_id.insert(id, made.records.len());
                        made.records.push(made_record);
                        made.sources.push((spec.from.clone(), position));
                    }
                },
                // It exists, but nothing can be said of it or filed under it, and it may be about any of the others.
                _ => {
                    made.lacks(format!("{}: a record has no id", read.spec.spec.title), 1, &[]);
                    made.nameless.insert(spec.from.clone());
                }
            }
        }
    }
    if !absent.is_empty() && absent.len() == specs.len() {
        made.not_applicable = Some(absent.swap_remove(0));
    }
    made
}

impl Canonical {
    fn lacks(&mut self, reason: String, records: u64, needs: &[String]) {
        self.lack.get_or_insert(reason);
        self.lacking += records;
        for need in needs {
            if !self.needs.contains(need) {
                self.needs.push(need.clone());
            }
        }
    }
}

/// The settings as mappings see them: text, null where an optional one was left empty.
fn settings(reading: &Reading<'_>) -> BTreeMap<String, Value> {
    let given = |name: &str| reading.instance.settings.get(name).filter(|value| !value.is_empty());
    let declared = reading.app.manifest.setting.iter();
    declared
        .map(|setting| {
            let value = given(&setting.name).map_or(Value::Null, |value| Value::string(value.as_str()));
            (setting.name.clone(), value)
        })
        .collect()
}

/// A plugin that is put together from several records of a dataset is known in part where the dataset is: a grant that was
/// not read may hold another scope. Where the record's own key is part of the id, there is one record a plugin.
fn doubt(plugins: &mut Canonical, reading: &Reading<'_>) {
    let position = plugins.shape.field("id").map(|(at, _)| at);
    let united = |spec: &&MappingSpec| {
        let key = reading.datasets.get(spec.from.as_str()).and_then(|read| read.spec.spec.key.as_deref());
        let id = spec.fields.iter().find(|(at, _)| Some(*at) == position);
        !id.zip(key).is_some_and(|((_, id), key)| id.uses().fields.contains(key))
    };
    let lacking = |spec: &&MappingSpec| {
        plugins.nameless.contains(&spec.from)
            || reading.datasets.get(spec.from.as_str()).is_none_or(|read| {
                !matches!(read.availability, Availability::Complete | Availability::NotApplicable { .. })
            })
    };
    let doubted: Vec<&MappingSpec> = reading.app.plugins.iter().filter(united).filter(lacking).collect();
    for (record, (source, _)) in plugins.records.iter_mut().zip(&plugins.sources) {
        if doubted.iter().any(|spec| spec.from == *source) {
            merge::doubted(&plugins.shape, record);
        }
    }
}

/// Fills `grade`: the highest grade of a plugin's scopes. A scope that nobody has graded may be the highest, unless one is
/// high already; without any scope there is no grade.
fn grade(plugins: &mut Canonical, app: &App) {
    let position = |name| plugins.shape.field(name).map(|(at, _)| at);
    let (Some(scopes), Some(grade)) = (position("scopes"), position("grade")) else { return };
    for record in &mut plugins.records {
        let graded = match record.values.get(scopes) {
            Some(Value::List(list)) => highest(list, app),
            Some(Value::Null) => Value::Null,
            _ => Value::Unknown,
        };
        if let Some(slot) = record.values.get_mut(grade) {
            *slot = graded;
        }
    }
}

fn highest(scopes: &List, app: &App) -> Value {
    let mut known = scopes.complete;
    let mut highest: Option<Grade> = None;
    for scope in &scopes.items {
        match scope.as_str().and_then(|scope| app.scopes.get(scope)) {
            Some(graded) => highest = highest.max(Some(graded.grade)),
            None => known = false,
        }
    }
    match highest {
        Some(Grade::High) => Value::string(Grade::High.as_str()),
        _ if !known => Value::Unknown,
        Some(grade) => Value::string(grade.as_str()),
        None => Value::Null,
    }
}
