//! Inherited settings: what holds for each unit, by the tree of units, rank and defaults.

use std::collections::{BTreeMap, BTreeSet};

use catalog::manifest::Resolve;
use catalog::{DatasetSpec, Defaults};
use model::dataset::{Availability, DatasetSnapshot};
use model::diagnosis::{Fault, Rung};
use model::scan::FailureCause;
use model::value::{Record, Value};

use crate::dataset::{Task, Whole};
use crate::extract::{fit, literal};
use crate::fanout::word;

/// Where a setting stands that nobody has set.
const DEFAULT: &str = "default";

/// A place where settings are made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Above all units.
    Top,
    /// A unit of the tree.
    Unit(String),
    /// What inherits nothing: something beside the tree, such as a group, or a part of either.
    Alone(String, Option<String>),
}

/// Settings as they were made: of each place, each setting's records, the winning one first.
type Made<'s> = BTreeMap<Place, BTreeMap<String, Vec<&'s Record>>>;

/// What holds for one place, with where it comes from.
struct Holds<'s> {
    /// From near to far; the first is the winner, the others are merged under it.
    layers: Vec<&'s Record>,
    source: Value,
    defaults: Option<&'s Defaults>,
}

impl Task<'_, '_> {
    /// The dataset of what holds, if it is one; nothing is sent for it.
    pub(crate) fn resolved(&self) -> Option<Whole> {
        let resolve = self.spec.spec.resolve.as_ref()?;
        Some(match self.resolve(resolve) {
            Ok(records) => Whole { records, availability: Availability::Complete, request: 0 },
            Err(availability) => Whole::nothing(*availability),
        })
    }

    fn resolve(&self, resolve: &Resolve) -> Result<Vec<Record>, Box<Availability>> {
        let from = self.whole_source(&resolve.from)?;
        let tree = resolve.tree.as_ref().map(|name| self.whole_source(name)).transpose()?;
        let failed = |what: String| {
            Box::new(Availability::Unavailable { fault: self.doubt(FailureCause::Protocol, &what) })
        };
        let made = made(resolve, from).map_err(&failed)?;
        let chains = match tree {
            Some(tree) => chains(resolve, tree).map_err(&failed)?,
            None => flat(&made),
        };
        let names = self.names(resolve);
        let mut records = Vec::new();
        let limit = self.session.target.app.manifest.limits.records as usize;
        let defaults = believed(resolve, &self.spec.defaults, from);
        for (unit, chain) in &chains {
            let of_chain = chain
                .iter()
                .chain(std::iter::once(&Place::Top))
                .filter_map(|place| made.get(place))
                .flat_map(|settings| settings.keys().map(String::as_str));
            let by_default = defaults.keys().copied().filter(|name| is_meant(resolve, name));
            // What is asked for by name is told everywhere, also that nothing is known of it.
            let asked = resolve.only.iter().map(String::as_str).filter(|name| !name.contains('*'));
            let mut settings: Vec<&str> = of_chain.chain(by_default).chain(asked).collect();
            settings.sort_unstable();
            settings.dedup();
            for setting in settings {
                let default = defaults.get(setting).copied();
                let holds = holds(resolve, setting, chain, &made, default, &names);
                let told = Told { unit, part: None, setting };
                records.push(record(self.spec, resolve, from, &told, &names, &holds));
            }
        }
        for (place, settings) in &made {
            let (unit, part) = match place {
                Place::Alone(unit, part) => (unit, part.as_deref()),
                // The tree does not name it, so that what is above it is not known.
                Place::Unit(unit) if !chains.iter().any(|(name, _)| name == unit) => (unit, None),
                _ => continue,
            };
            for (setting, records_) in settings {
                let source = Value::string(names.get(unit).unwrap_or(unit).as_str());
                let layers = of_place(resolve, records_).to_vec();
                let holds = Holds { layers, source, defaults: None };
                records.push(record(self.spec, resolve, from, &Told { unit, part, setting }, &names, &holds));
            }
        }
        if records.len() > limit {
            return Err(failed(format!("There are more than {limit} settings of units (`limits.records`)")));
        }
        Ok(records)
    }

    /// Units and what stands beside them by key, as people know them. What could not be read has no other name.
    fn names(&self, resolve: &Resolve) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for (dataset, field) in &resolve.names {
            let Some(read) = self.sources.get(dataset) else { continue };
            let Some(key) = &read.key else { continue };
            let pair = |record: &Record| {
                Some((word(record.get(&read.shape, key))?, word(record.get(&read.shape, field))?))
            };
            names.extend(read.records.iter().filter_map(pair));
        }
        names
    }

    /// A dataset that was read completely. What is missing of it could change what holds anywhere.
    fn whole_source(&self, name: &str) -> Result<&DatasetSnapshot, Box<Availability>> {
        let Some(source) = self.sources.get(name) else {
            let fault = self.doubt(FailureCause::Internal, &format!("`{name}` is not read by this scan"));
            return Err(Box::new(Availability::Unavailable { fault }));
        };
        let app = &self.session.target.app;
        let title = app.dataset(name).map_or(name, |d| d.spec.title.as_str());
        Err(Box::new(match &source.availability {
            Availability::Complete => return Ok(source),
            Availability::Partial { fault } | Availability::Unavailable { fault } => {
                let detail = format!("This is worked out of {title}, and that failed: {}", fault.detail);
                let dataset = Some(self.spec.spec.name.clone());
                Availability::Unavailable { fault: Fault { dataset, detail, ..fault.clone() } }
            }
            Availability::Sweeping { read, of } => Availability::Sweeping { read: *read, of: *of },
            Availability::NotApplicable { reason } => Availability::NotApplicable { reason: reason.clone() },
        }))
    }

    fn doubt(&self, cause: FailureCause, detail: &str) -> Fault {
        Fault {
            dataset: Some(self.spec.spec.name.clone()),
            ..Fault::local(
                cause,
                Rung::Permission,
                self.session.scrub.clean(detail),
                self.session.clock.now(),
            )
        }
    }
}

/// Whether a dataset is about a setting.
fn is_meant(resolve: &Resolve, setting: &str) -> bool {
    resolve.only.is_empty() || resolve.only.iter().any(|wanted| is_like(setting, wanted))
}

/// Whether a name is this one, or of this form: `*` stands for anything.
fn is_like(name: &str, form: &str) -> bool {
    match form.split_once('*') {
        None => name == form,
        Some((begin, end)) => {
            name.strip_prefix(begin).is_some_and(|rest| rest.len() >= end.len() && rest.ends_with(end))
        }
    }
}

/// The defaults that can be believed: not those whose setting may have got a new name.
fn believed<'s>(
    resolve: &Resolve,
    defaults: &'s BTreeMap<String, Defaults>,
    from: &DatasetSnapshot,
) -> BTreeMap<&'s str, &'s Defaults> {
    let listed: BTreeSet<String> =
        from.records.iter().filter_map(|record| word(record.get(&from.shape, &resolve.setting))).collect();
    let is_new = |default: &Defaults| {
        let area = default.setting.split_inclusive('.').next().unwrap_or_default();
        let looked_at = |name: &str| default.known.iter().any(|known| is_like(name, known));
        !default.known.is_empty()
            && !listed.contains(&default.setting)
            && listed.iter().any(|name| name.starts_with(area) && !looked_at(name))
    };
    defaults.iter().filter(|(_, default)| !is_new(default)).map(|(name, d)| (name.as_str(), d)).collect()
}

/// Where each setting was made, the highest rank of the same place first.
fn made<'s>(resolve: &Resolve, from: &'s DatasetSnapshot) -> Result<Made<'s>, String> {
    let field = |record: &'s Record, name: &str| record.get(&from.shape, name);
    let mut made: Made<'s> = BTreeMap::new();
    for record in &from.records {
        let setting = word(field(record, &resolve.setting))
            .ok_or_else(|| format!("`{}` of a setting is not known", resolve.setting))?;
        if !is_meant(resolve, &setting) {
            continue;
        }
        // What stands in a field that may be null or empty; unknown is no answer.
        let named = |name: Option<&String>| match name.map(|name| (name, field(record, name))) {
            None | Some((_, Value::Null)) => Ok(None),
            Some((_, value)) if value.as_str() == Some("") => Ok(None),
            Some((name, value)) => {
                word(value).map(Some).ok_or_else(|| format!("`{name}` of `{setting}` is not known"))
            }
        };
        let part = named(resolve.part.as_ref())?;
        let place = match (named(resolve.alone.as_ref())?, part) {
            (Some(alone), part) => Place::Alone(alone, part),
            (None, part) => {
                let unit = named(Some(&resolve.unit))
                    .map_err(|_| format!("For which unit `{setting}` was set is not known"))?;
                match (unit, part) {
                    (Some(unit), None) => Place::Unit(unit),
                    (None, None) => Place::Top,
                    (unit, part) => Place::Alone(unit.unwrap_or_default(), part),
                }
            }
        };
        made.entry(place).or_default().entry(setting).or_default().push(record);
    }
    for (setting, records) in made.values_mut().flatten() {
        in_order(resolve, from, setting, records)?;
    }
    Ok(made)
}

/// Puts the settings of one place into the order of their ranks.
fn in_order(
    resolve: &Resolve,
    from: &DatasetSnapshot,
    setting: &str,
    records: &mut Vec<&Record>,
) -> Result<(), String> {
    records.dedup();
    let rank = |record: &Record| match resolve.rank.as_ref().map(|name| record.get(&from.shape, name)) {
        Some(Value::Int(i)) => Some(*i as f64),
        Some(Value::Double(d)) => Some(*d),
        _ => None,
    };
    let mut ranked: Vec<(Option<f64>, &Record)> = records.iter().map(|r| (rank(r), *r)).collect();
    ranked.sort_by(|a, b| b.0.unwrap_or(f64::NAN).total_cmp(&a.0.unwrap_or(f64::NAN)));
    let settled = |pair: &[(Option<f64>, &Record)]| {
        pair[0].1 == pair[1].1 || matches!((pair[0].0, pair[1].0), (Some(a), Some(b)) if a > b)
    };
    if !ranked.windows(2).all(settled) {
        return Err(format!("`{setting}` was set twice in the same place, and which wins is not known"));
    }
    *records = ranked.into_iter().map(|(_, record)| record).collect();
    Ok(())
}

/// Each unit with the way from it to its root, itself first.
fn chains(resolve: &Resolve, tree: &DatasetSnapshot) -> Result<Vec<(String, Vec<Place>)>, String> {
    let key = |record: &Record| tree.key.as_ref().and_then(|key| word(record.get(&tree.shape, key)));
    let mut parents: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut order = Vec::new();
    for record in &tree.records {
        let unit = key(record).ok_or_else(|| "A unit has no key".to_owned())?;
        let parent = match resolve.parent.as_ref().map(|name| record.get(&tree.shape, name)) {
            None | Some(Value::Null) => None,
            Some(value) => {
                Some(word(value).ok_or_else(|| format!("What is above the unit `{unit}` is not known"))?)
            }
        };
        if parents.insert(unit.clone(), parent).is_none() {
            order.push(unit);
        }
    }
    let mut chains = Vec::with_capacity(order.len());
    for unit in order {
        let mut chain = vec![Place::Unit(unit.clone())];
        let mut at = &unit;
        while let Some(parent) = parents.get(at).and_then(Option::as_ref) {
            if !parents.contains_key(parent) {
                return Err(format!("`{parent}`, which is above the unit `{at}`, is not among the units"));
            }
            if chain.len() > parents.len() {
                return Err(format!("The units above `{unit}` go round in a circle"));
            }
            chain.push(Place::Unit(parent.clone()));
            at = parent;
        }
        chains.push((unit, chain));
    }
    Ok(chains)
}

/// Without a tree: the units for which something was set, each below the top alone.
fn flat(made: &Made<'_>) -> Vec<(String, Vec<Place>)> {
    let units = made.keys().filter_map(|place| match place {
        Place::Unit(unit) => Some((unit.clone(), vec![place.clone()])),
        _ => None,
    });
    units.collect()
}

/// What holds of a setting at the near end of a chain.
fn holds<'s>(
    resolve: &Resolve,
    setting: &str,
    chain: &[Place],
    made: &Made<'s>,
    defaults: Option<&'s Defaults>,
    names: &BTreeMap<String, String>,
) -> Holds<'s> {
    let source = if defaults.is_some() { Value::string(DEFAULT) } else { Value::Unknown };
    let mut holds = Holds { layers: Vec::new(), source, defaults };
    for place in chain.iter().chain(std::iter::once(&Place::Top)) {
        let Some(records) = made.get(place).and_then(|settings| settings.get(setting)) else { continue };
        if holds.layers.is_empty() {
            holds.source = Value::string(match place {
                Place::Top => "top",
                Place::Unit(unit) | Place::Alone(unit, _) => names.get(unit).unwrap_or(unit).as_str(),
            });
        }
        holds.layers.extend(of_place(resolve, records));
    }
    holds
}

/// What counts of the settings of one place: the winner, and where fields are merged one by one those that lost, too.
fn of_place<'r, 's>(resolve: &Resolve, records: &'r [&'s Record]) -> &'r [&'s Record] {
    let count = if resolve.merge.as_deref() == Some("*") { records.len() } else { 1.min(records.len()) };
    &records[..count]
}

/// Of whom and what a record tells.
struct Told<'s> {
    unit: &'s str,
    part: Option<&'s str>,
    setting: &'s str,
}

/// The record of one setting of one unit.
fn record(
    spec: &DatasetSpec,
    resolve: &Resolve,
    from: &DatasetSnapshot,
    told: &Told<'_>,
    names: &BTreeMap<String, String>,
    holds: &Holds<'_>,
) -> Record {
    let Told { unit, part, setting } = *told;
    let of_part = |unit: &str| match part {
        Some(part) => format!("{unit} ({part})"),
        None => unit.to_owned(),
    };
    let values = spec.spec.field.iter().zip(&spec.shape.fields).map(|(field, declared)| {
        let name = field.each.as_deref().unwrap_or(&field.name);
        match name {
            "@unit" => Value::string(unit),
            "@name" => Value::string(of_part(names.get(unit).map_or(unit, String::as_str))),
            "@setting" => Value::string(setting),
            "@source" => holds.source.clone(),
            "@key" => Value::string(format!("{}/{setting}", of_part(unit))),
            _ => fit(value(resolve, from, name, &declared.kind, holds), &declared.kind),
        }
    });
    Record { values: values.collect() }
}

/// What holds of one field.
fn value(
    resolve: &Resolve,
    from: &DatasetSnapshot,
    name: &str,
    kind: &model::value::Type,
    holds: &Holds<'_>,
) -> Value {
    let default = holds.defaults.and_then(|d| d.fields.get(name)).map(|value| literal(value, kind));
    let by_field = || default.clone().filter(|_| holds.defaults.is_some_and(|d| d.by_field));
    let mut layers = holds.layers.iter().map(|record| record.get(&from.shape, name));
    match (layers.next().cloned(), resolve.merge.as_deref()) {
        (None, _) => default.unwrap_or(Value::Unknown),
        (Some(near), Some(merged)) if merged == name => layers.cloned().chain(default).fold(near, under),
        (Some(near), merged) => {
            let mut value = near;
            if merged == Some("*") {
                value = layers.cloned().fold(value, or);
            }
            by_field().into_iter().fold(value, or)
        }
    }
}

/// The first that is known.
fn or(near: Value, far: Value) -> Value {
    if near.is_unknown() { far } else { near }
}

/// A map with the entries of another that it does not have itself. What is unknown above could have any entry.
fn under(near: Value, far: Value) -> Value {
    match (near, far) {
        (Value::Map(near), Value::Map(far)) => {
            let mut entries: BTreeMap<_, _> = far.iter().cloned().collect();
            entries.extend(near.iter().cloned());
            Value::Map(entries.into_iter().collect())
        }
        // Nothing is set here: what is above holds whole.
        (Value::Null, far) => far,
        // What is above could have any entry, so that none can be known to be missing.
        (Value::Map(_), Value::Unknown) => Value::Unknown,
        (near, _) => near,
    }
}
