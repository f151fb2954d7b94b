//! Accounts and plugins: records of an application's datasets in the one shape that all applications share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::{App, Grade, MappingSpec};
use expr::{Bound, Inputs, Truth};
use model::dataset::Availability;
use model::time::Timestamp;
use model::value::{List, Record, Shape, Value};

use crate::identify::{Identities, Whose, fill, whose};
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
    /// The unread datasets that may tell more of a record, by its position.
    doubts: BTreeMap<usize, Vec<String>>,
    /// The field of an account for which it is not known whose it is, by the record's position.
    pub(crate) lacks: BTreeMap<usize, &'static str>,
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

    /// The unread datasets that may tell more of a record, by its id.
    pub(crate) fn doubts_of(&self, id: &str) -> &[String] {
        self.by_id.get(id).and_then(|at| self.doubts.get(at)).map_or(&[], Vec::as_slice)
    }

    /// The position of a record, by its id.
    pub(crate) fn position_of(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Whether these are all there are.
    pub(crate) const fn is_complete(&self) -> bool {
        self.mapped && self.lack.is_none() && self.not_applicable.is_none()
    }
}

impl Canonicals {
    pub(crate) fn of(reading: &Reading<'_>, identities: &Identities<'_>, now: Timestamp) -> Self {
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
        let mut accounts = made(&reading.app.accounts, &model::account::SHAPE, merge::account);
        identify(&mut accounts, reading.app, identities, now);
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
        doubts: BTreeMap::new(),
        lacks: BTreeMap::new(),
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

/// A plugin that is put together from several records is known in part where a dataset that has such records is: a grant that
/// was not read may hold another scope, and be one of a plugin that another dataset tells of. Where the record's own key is
/// part of the id, there is one record a plugin.
fn doubt(plugins: &mut Canonical, reading: &Reading<'_>) {
    let position = plugins.shape.field("id").map(|(at, _)| at);
    let united = |spec: &&MappingSpec| {
        let key = reading.datasets.get(spec.from.as_str()).and_then(|read| read.spec.spec.key.as_deref());
        !id_of(spec, position).zip(key).is_some_and(|(id, key)| id.uses().fields.contains(key))
    };
    let lacking = |spec: &&MappingSpec| {
        plugins.nameless.contains(&spec.from)
            || reading.datasets.get(spec.from.as_str()).is_none_or(|read| {
                !matches!(read.availability, Availability::Complete | Availability::NotApplicable { .. })
            })
    };
    let doubted: Vec<(&MappingSpec, Option<Vec<&str>>)> = reading
        .app
        .plugins
        .iter()
        .filter(united)
        .filter(lacking)
        .map(|spec| (spec, id_of(spec, position).and_then(|id| beginnings(id.source()))))
        .collect();
    let ids: BTreeMap<usize, &Arc<str>> = plugins.by_id.iter().map(|(id, at)| (*at, id)).collect();
    let may_tell = |at: usize, source: &str| {
        let id = ids.get(&at).map_or("", |id| &***id);
        let begins = |all: &Vec<&str>| all.iter().any(|beginning| id.starts_with(beginning));
        let fits =
            doubted.iter().filter(|(spec, all)| spec.from == source || all.as_ref().is_none_or(begins));
        let names: BTreeSet<&str> = fits.map(|(spec, _)| spec.from.as_str()).collect();
        names.into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let sources = plugins.sources.iter().enumerate();
    let doubts: BTreeMap<usize, Vec<String>> = sources
        .map(|(at, (source, _))| (at, may_tell(at, source)))
        .filter(|(_, names)| !names.is_empty())
        .collect();
    for at in doubts.keys() {
        if let Some(record) = plugins.records.get_mut(*at) {
            merge::doubted(&plugins.shape, record);
        }
    }
    plugins.doubts = doubts;
}

/// The expression that gives the id.
fn id_of(spec: &MappingSpec, position: Option<usize>) -> Option<&expr::Program> {
    spec.fields.iter().find(|(at, _)| Some(*at) == position).map(|(_, id)| id)
}

/// With what the ids begin that an expression gives: `'app/' + client_id`, or a choice of such, null among them. None where
/// that cannot be read off it, so that it may be any id.
fn beginnings(source: &str) -> Option<Vec<&str>> {
    let alternatives = source.split_once('?').map_or(source, |(_, rest)| rest);
    let mut all = Vec::new();
    for alternative in alternatives.split(':').map(str::trim).filter(|text| *text != "null") {
        let (beginning, rest) = alternative.strip_prefix('\'')?.split_once('\'')?;
        if beginning.is_empty() || !rest.trim_start().starts_with('+') {
            return None;
        }
        all.push(beginning);
    }
    Some(all)
}

/// Fills the fields `identity...`.
fn identify(accounts: &mut Canonical, app: &App, identities: &Identities<'_>, now: Timestamp) {
    let position = |name: &str| model::account::SHAPE.field(name).map(|(at, _)| at);
    // Which fields an application fills depends on the dataset that a record comes from.
    let mut mapped: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for spec in &app.accounts {
        mapped.entry(&spec.from).or_default().extend(spec.fields.iter().map(|(at, _)| *at));
    }
    for (at, (record, (source, _))) in accounts.records.iter_mut().zip(&accounts.sources).enumerate() {
        let fills = |name: &str| {
            position(name).is_some_and(|at| mapped.get(source.as_str()).is_some_and(|all| all.contains(&at)))
        };
        let whose = whose(identities, record, &fills, now);
        if let Whose::Lacks(field) = whose {
            accounts.lacks.insert(at, field);
        }
        fill(record, &whose);
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

#[cfg(test)]
mod tests {
    use super::beginnings;

    #[test]
    fn ids_begin_as_their_expression_does() {
        assert_eq!(beginnings("'app/' + client_id"), Some(vec!["app/"]));
        assert_eq!(beginnings("a.size() == 1 ? 'app/' + b : null"), Some(vec!["app/"]));
        assert_eq!(beginnings("a ? 'x/' + b : 'y/' + c"), Some(vec!["x/", "y/"]));
        for any in [
            "client_id",
            "a ? client_id : 'app/' + a",
            "'app/'",
            "'' + a",
            "a ? b ? 'x/' + c : d : 'y/' + e",
            "'a:b' + c",
        ] {
            assert_eq!(beginnings(any), None, "{any}");
        }
    }
}
