//! Which requests a dataset takes: its alternatives, and each turn of a fan-out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::manifest::{AnswerRule, ForEach};
use catalog::{DatasetSpec, RequestSpec};
use expr::{Inputs, Program, Truth};
use model::dataset::{Availability, DatasetSnapshot};
use model::diagnosis::{Fault, Rung};
use model::scan::FailureCause;
use model::value::Value;

use crate::extract::Each;
use crate::listing::Listing;
use crate::place::setting;
use crate::session::Session;

/// What was read before, by dataset.
pub(crate) type Sources = BTreeMap<String, Arc<DatasetSnapshot>>;

/// The requests of one alternative.
pub(crate) struct Plan<'d> {
    pub(crate) listings: Vec<Listing<'d>>,
    /// What of the walked datasets was not read: the turns for it are missing.
    pub(crate) gap: Option<Gap>,
}

/// What is missing of the datasets that a fan-out walks.
#[derive(Debug, Clone)]
pub(crate) enum Gap {
    /// Something went wrong there.
    Fault(Box<Fault>),
    /// A sweep over it is not finished: so many of so many.
    Sweeping(u64, u64),
}

/// Why there is nothing to request.
pub(crate) enum Blocked {
    Fault(Box<Fault>),
    NotApplicable(String),
}

/// The names of a dataset's alternatives, in file order.
pub(crate) fn alternatives(dataset: &DatasetSpec) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    dataset.requests.iter().map(|r| r.spec.alternative.as_str()).filter(|name| seen.insert(*name)).collect()
}

/// The datasets that must have been read before this one.
pub(crate) fn sources(dataset: &DatasetSpec) -> BTreeSet<&str> {
    let walked = dataset.requests.iter().filter_map(|r| r.spec.for_each.as_ref()).map(|f| f.dataset.as_str());
    let resolved = dataset.spec.resolve.iter().flat_map(|r| {
        let named = r.names.keys().map(String::as_str);
        std::iter::once(r.from.as_str()).chain(r.tree.as_deref()).chain(named)
    });
    let weighed =
        dataset.spec.answer.iter().filter_map(|rule| rule.unless_any.as_ref()).map(|u| u.dataset.as_str());
    walked.chain(dataset.spec.filter_of.as_deref()).chain(resolved).chain(weighed).collect()
}

/// The dataset's own rules for answers, without those that something read before speaks against, or might.
pub(crate) fn believed(session: &Session<'_>, dataset: &DatasetSpec, sources: &Sources) -> Vec<AnswerRule> {
    let (none, params) = (BTreeMap::new(), params(session));
    let inputs = Inputs { datasets: &none, params: &params, now: session.clock.now() };
    let holds = |(rule, program): (&AnswerRule, &Option<Program>)| {
        let Some(unless) = &rule.unless_any else { return true };
        // Without it, or without its end, nobody knows that there is nothing against the rule.
        let (Some(source), Some(program)) = (sources.get(&unless.dataset), program) else { return false };
        let against = program.bind(&inputs);
        source.availability.is_complete()
            && source.records.iter().all(|record| against.test(Some(record)) == Truth::False)
    };
    let rules = dataset.spec.answer.iter().zip(&dataset.contradicted);
    rules.filter(|pair| holds(*pair)).map(|(rule, _)| rule.clone()).collect()
}

/// The requests of an alternative, those of a fan-out in the order of the walked records.
pub(crate) fn plan<'d>(
    session: &Session<'_>,
    dataset: &DatasetSpec,
    alternative: &str,
    sources: &'d Sources,
) -> Result<Plan<'d>, Blocked> {
    let mut plan = Plan { listings: Vec::new(), gap: None };
    for (request, spec) in dataset.requests.iter().enumerate() {
        if spec.spec.alternative != alternative {
            continue;
        }
        match &spec.spec.for_each {
            None => plan.listings.push(Listing {
                id: format!("{alternative}/{request}/"),
                request,
                each: Each::Once,
            }),
            Some(each) => walk(session, dataset, (request, spec, each), sources, &mut plan)?,
        }
    }
    Ok(plan)
}

fn walk<'d>(
    session: &Session<'_>,
    dataset: &DatasetSpec,
    (request, spec, each): (usize, &RequestSpec, &ForEach),
    sources: &'d Sources,
    plan: &mut Plan<'d>,
) -> Result<(), Blocked> {
    let fault = |detail: String| {
        Box::new(Fault {
            dataset: Some(dataset.spec.name.clone()),
            ..Fault::local(FailureCause::Internal, Rung::NotSent, detail, session.clock.now())
        })
    };
    let Some(source) = sources.get(&each.dataset) else {
        return Err(Blocked::Fault(fault(format!("`{}` is not read by this scan", each.dataset))));
    };
    let title =
        session.target.app.dataset(&each.dataset).map_or(each.dataset.as_str(), |d| d.spec.title.as_str());
    match &source.availability {
        Availability::Complete => {}
        Availability::Partial { fault } => plan.gap = Some(Gap::Fault(inherited(dataset, title, fault))),
        Availability::Sweeping { read, of } => plan.gap = Some(Gap::Sweeping(*read, *of)),
        Availability::Unavailable { fault } => return Err(Blocked::Fault(inherited(dataset, title, fault))),
        Availability::NotApplicable { reason } => return Err(Blocked::NotApplicable(reason.clone())),
    }
    let (none, params) = (BTreeMap::new(), params(session));
    let inputs = Inputs { datasets: &none, params: &params, now: session.clock.now() };
    let filter = spec.filter.as_ref().map(|program| program.bind(&inputs));
    let mut seen = BTreeSet::new();
    let mut batched: Vec<Value> = Vec::new();
    for (position, record) in source.records.iter().enumerate() {
        // Only a record that is known not to matter is passed over.
        if filter.as_ref().is_some_and(|f| f.test(Some(record)) == Truth::False) {
            continue;
        }
        let Some(field) = &each.values_of else {
            let key = source.key.as_ref().map(|key| record.get(&source.shape, key));
            if each.batch.is_some() {
                match key.filter(|key| word(key).is_some()) {
                    Some(key) => {
                        batched.extend(word(key).filter(|id| seen.insert(id.clone())).map(|_| key.clone()))
                    }
                    None => {
                        let mut fault = fault(format!("The key of a record of {title} is not known"));
                        fault.cause = FailureCause::Protocol;
                        plan.gap.get_or_insert(Gap::Fault(fault));
                    }
                }
                continue;
            }
            let id = key.and_then(word).unwrap_or_else(|| format!("#{position}"));
            if seen.insert(id.clone()) {
                let id = format!("{}/{request}/{id}", spec.spec.alternative);
                plan.listings.push(Listing { id, request, each: Each::Record(record, &source.shape) });
            }
            continue;
        };
        match record.get(&source.shape, field) {
            Value::List(list) => {
                for value in &list.items {
                    let Some(id) = word(value) else { continue };
                    if seen.insert(id.clone()) {
                        if each.batch.is_some() {
                            batched.push(value.clone());
                            continue;
                        }
                        let id = format!("{}/{request}/{id}", spec.spec.alternative);
                        plan.listings.push(Listing { id, request, each: Each::Value(value) });
                    }
                }
                if !list.complete || list.items.iter().any(Value::is_unknown) {
                    let mut fault = fault(format!("Not all values of `{field}` in {title} are known"));
                    fault.cause = FailureCause::Protocol;
                    plan.gap.get_or_insert(Gap::Fault(fault));
                }
            }
            Value::Null => {}
            _ => {
                let mut fault = fault(format!("`{field}` is not known for a record of {title}"));
                fault.cause = FailureCause::Protocol;
                plan.gap.get_or_insert(Gap::Fault(fault));
            }
        }
    }
    let size = each.batch.map_or(1, |n| n.max(1) as usize);
    for values in batched.chunks(size) {
        // Named by what is in it: kept pages of another batch must not be taken for its own.
        let names = values.iter().filter_map(word).collect::<Vec<_>>().join("\n");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, names.as_bytes());
        let name: String = digest.as_ref()[..16].iter().map(|b| format!("{b:02x}")).collect();
        let id = format!("{}/{request}/batch-{name}", spec.spec.alternative);
        plan.listings.push(Listing { id, request, each: Each::Batch(values.to_vec()) });
    }
    Ok(())
}

/// A fault of the walked dataset, as one of the dataset that walks it.
pub(crate) fn inherited(dataset: &DatasetSpec, title: &str, fault: &Fault) -> Box<Fault> {
    let detail = format!("This is read for each record of {title}, and that failed: {}", fault.detail);
    Box::new(Fault { dataset: Some(dataset.spec.name.clone()), detail, ..fault.clone() })
}

/// The settings as parameters: text, null where an optional one is empty.
pub(crate) fn params(session: &Session<'_>) -> BTreeMap<String, Value> {
    let value = |name: &str| match setting(session.target, name) {
        Some("") | None => Value::Null,
        Some(text) => Value::string(text),
    };
    session.target.app.manifest.setting.iter().map(|s| (s.name.clone(), value(&s.name))).collect()
}

/// A value as part of an id.
pub(crate) fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_string()),
        Value::Int(i) => Some(i.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}
