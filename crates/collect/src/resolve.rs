//! Inherited settings: what holds for each unit, by the tree of units, rank and defaults.

use std::collections::BTreeMap;

use catalog::manifest::Resolve;
use catalog::{DatasetSpec, Defaults};
use model::dataset::{Availability, DatasetSnapshot};
use model::diagnosis::{Fault, Rung};
use model::scan::FailureCause;
use model::value::{Record, Value};

use crate::dataset::{Task, Whole};
use crate::extract::{fit, literal};
use crate::fanout::{inherited, word};

/// Where a setting stands that nobody has set.
const DEFAULT: &str = "default";

/// A place where settings are made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Above all units.
    Top,
    /// A unit of the tree.
    Unit(String),
    /// Something that stands beside the tree and inherits nothing, such as a group.
    Alone(String),
}

/// Settings as they were made: of each place, each setting's winning record.
type Made<'s> = BTreeMap<Place, BTreeMap<String, &'s Record>>;

/// What holds for one place, with where it comes from.
struct Holds<'s> {
    /// From near to far; the first is the winner, the others are merged under it.
    layers: Vec<&'s Record>,
    source: String,
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
        for place in made.keys() {
            if let Place::Unit(unit) = place
                && !chains.iter().any(|(name, _)| name == unit)
            {
                return Err(failed(format!("A setting was made for `{unit}`, which is not among the units")));
            }
        }
        let mut records = Vec::new();
        let limit = self.session.target.app.manifest.limits.records as usize;
        let defaults = &self.spec.defaults;
        for (unit, chain) in &chains {
            let mut names: Vec<&str> = chain
                .iter()
                .chain(std::iter::once(&Place::Top))
                .filter_map(|place| made.get(place))
                .flat_map(|settings| settings.keys().map(String::as_str))
                .chain(defaults.keys().map(String::as_str))
                .collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let holds = holds(name, chain, &made, defaults);
                records.push(record(self.spec, resolve, from, unit, name, &holds));
            }
        }
        for (place, settings) in &made {
            let Place::Alone(name) = place else { continue };
            for (setting, record_) in settings {
                let holds = Holds { layers: vec![record_], source: name.clone(), defaults: None };
                records.push(record(self.spec, resolve, from, name, setting, &holds));
            }
        }
        if records.len() > limit {
            return Err(failed(format!("There are more than {limit} settings of units (`limits.records`)")));
        }
        Ok(records)
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
                Availability::Unavailable { fault: *inherited(self.spec, title, fault) }
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

/// Where each setting was made, the highest rank of the same place winning.
fn made<'s>(resolve: &Resolve, from: &'s DatasetSnapshot) -> Result<Made<'s>, String> {
    let field = |record: &'s Record, name: &str| record.get(&from.shape, name);
    let mut made: Made<'s> = BTreeMap::new();
    for record in &from.records {
        let setting = word(field(record, &resolve.setting))
            .ok_or_else(|| format!("`{}` of a setting is not known", resolve.setting))?;
        let alone = resolve.alone.as_ref().map(|name| (name, field(record, name)));
        let place = match (alone, field(record, &resolve.unit)) {
            (Some((_, value)), _) if word(value).is_some() => Place::Alone(word(value).unwrap_or_default()),
            (None | Some((_, Value::Null)), Value::Null) => Place::Top,
            (None | Some((_, Value::Null)), value) => Place::Unit(
                word(value).ok_or_else(|| format!("For which unit `{setting}` was set is not known"))?,
            ),
            (Some((name, _)), _) => return Err(format!("`{name}` of `{setting}` is not known")),
        };
        let settings = made.entry(place).or_default();
        let Some(other) = settings.get(&setting).copied() else {
            settings.insert(setting, record);
            continue;
        };
        let rank = |record: &'s Record| match resolve.rank.as_ref().map(|name| field(record, name)) {
            Some(Value::Int(i)) => Some(*i as f64),
            Some(Value::Double(d)) => Some(*d),
            _ => None,
        };
        match rank(record).zip(rank(other)).and_then(|(a, b)| a.partial_cmp(&b)) {
            Some(std::cmp::Ordering::Greater) => {
                settings.insert(setting, record);
            }
            Some(std::cmp::Ordering::Less) => {}
            _ if record == other => {}
            _ => {
                return Err(format!(
                    "`{setting}` was set twice in the same place, and which wins is not known"
                ));
            }
        }
    }
    Ok(made)
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
    setting: &str,
    chain: &[Place],
    made: &Made<'s>,
    defaults: &'s BTreeMap<String, Defaults>,
) -> Holds<'s> {
    let mut holds = Holds { layers: Vec::new(), source: DEFAULT.to_owned(), defaults: defaults.get(setting) };
    for place in chain.iter().chain(std::iter::once(&Place::Top)) {
        let Some(record) = made.get(place).and_then(|settings| settings.get(setting)) else { continue };
        if holds.layers.is_empty() {
            holds.source = match place {
                Place::Top => "top".to_owned(),
                Place::Unit(unit) | Place::Alone(unit) => unit.clone(),
            };
        }
        holds.layers.push(record);
    }
    holds
}

/// The record of one setting of one unit.
fn record(
    spec: &DatasetSpec,
    resolve: &Resolve,
    from: &DatasetSnapshot,
    unit: &str,
    setting: &str,
    holds: &Holds<'_>,
) -> Record {
    let values = spec.spec.field.iter().zip(&spec.shape.fields).map(|(field, declared)| {
        let name = field.each.as_deref().unwrap_or(&field.name);
        match name {
            "@unit" => Value::string(unit),
            "@setting" => Value::string(setting),
            "@source" => Value::string(holds.source.as_str()),
            "@key" => Value::string(format!("{unit}/{setting}")),
            _ => {
                let default = holds.defaults.and_then(|d| d.fields.get(name));
                let default = default.map(|value| literal(value, &declared.kind));
                let merged = resolve.merge.as_deref() == Some(name);
                let mut layers = holds.layers.iter().map(|record| record.get(&from.shape, name));
                let near = layers.next().cloned();
                let value = match near {
                    None => default.unwrap_or(Value::Unknown),
                    Some(near) if !merged => near,
                    Some(near) => layers.cloned().chain(default).fold(near, under),
                };
                fit(value, &declared.kind)
            }
        }
    });
    Record { values: values.collect() }
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
