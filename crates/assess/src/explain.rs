//! Answers in words, with what they rest on.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::manifest::Known;
use catalog::{Check, Over};
use expr::{DatasetView, Evaluation, FieldUse, Inputs, Missing, Place, UnknownUse};
use model::account::MATCHED;
use model::dataset::Availability;
use model::finding::{Evidence, Json, Outcome};
use model::time::Timestamp;
use model::value::{Record, Shape, Type, Value};

use crate::canonical::Canonicals;
use crate::reading::Reading;

/// Everything an explanation of one check's answers draws on.
pub(crate) struct Explainer<'a> {
    pub(crate) check: &'a Check,
    pub(crate) reading: &'a Reading<'a>,
    pub(crate) canonical: &'a Canonicals,
    pub(crate) views: &'a BTreeMap<String, DatasetView<'a>>,
    pub(crate) params: &'a BTreeMap<String, Value>,
    pub(crate) now: Timestamp,
    /// Names of fields that evidence told: all records have the same.
    pub(crate) fields: RefCell<BTreeSet<Arc<str>>>,
}

/// An answer about a record, explained.
pub(crate) struct Explained {
    /// The outcome; not applicable in place of inconclusive where all that lacks is what this plan does not have.
    pub(crate) outcome: Outcome,
    /// The sentence about this record.
    pub(crate) says: String,
    /// For inconclusive and not applicable: why, without naming the record.
    pub(crate) reason: Option<String>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) needs: Vec<String>,
}

impl Explainer<'_> {
    pub(crate) fn explain(
        &self,
        outcome: Outcome,
        evaluation: &Evaluation,
        shape: &Shape,
        record: &Record,
        name: &str,
    ) -> Explained {
        let sentence = |template: &catalog::Template| {
            template.sentence(shape, record, |param| self.params.get(param).cloned())
        };
        let evidence = || evaluation.decided_by.iter().map(|used| self.used(used, name)).collect();
        match outcome {
            Outcome::Pass => Explained {
                outcome,
                says: self.check.title.clone(),
                reason: None,
                evidence: evidence(),
                needs: Vec::new(),
            },
            Outcome::Fail => Explained {
                outcome,
                says: sentence(&self.check.says),
                reason: None,
                evidence: evidence(),
                needs: Vec::new(),
            },
            Outcome::NotApplicable => {
                let reason = not_asked(evaluation);
                Explained {
                    outcome,
                    says: reason.clone(),
                    reason: Some(reason),
                    evidence: evidence(),
                    needs: Vec::new(),
                }
            }
            Outcome::Inconclusive => {
                let lacks = self.roots(evaluation, name);
                // An error is none of the plan's doing, and a list that was cut may hide something else.
                let whole = evaluation.value.is_ok() && evaluation.left_out == 0;
                if let Some(reason) = self.lacks_only_features(&lacks).filter(|_| whole) {
                    return Explained {
                        outcome: Outcome::NotApplicable,
                        says: reason.clone(),
                        reason: Some(reason),
                        evidence: evidence(),
                        needs: Vec::new(),
                    };
                }
                let reason = self.undecided(evaluation, &lacks);
                let says = match &self.check.unknown {
                    Some(template) => format!("{}: {reason}", sentence(template)),
                    None => reason.clone(),
                };
                let mut uses: Vec<Evidence> = evidence();
                uses.extend(evaluation.unknown.iter().map(|lack| self.lacked(lack, name)));
                Explained {
                    outcome,
                    says,
                    reason: Some(reason),
                    evidence: uses,
                    needs: self.needs(&lacks, name),
                }
            }
        }
    }

    /// Why a record could not be judged.
    fn undecided(&self, evaluation: &Evaluation, lacks: &[UnknownUse]) -> String {
        let mut parts: Vec<String> = Vec::new();
        for lack in lacks {
            let place = general(&lack.place);
            let part = match &lack.why {
                Missing::Unknown => format!("{place} is not known{}", self.unseen(&lack.place)),
                Missing::Null => format!("{place} is absent"),
                Missing::IncompleteList => format!("{place} was not read to its end"),
                Missing::IncompleteDataset(reason) => reason.to_string(),
            };
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        let more = parts.len().saturating_sub(NAMED);
        parts.truncate(NAMED);
        if more > 0 {
            parts.push(format!("and {more} more"));
        }
        match &evaluation.value {
            Err(error) if parts.is_empty() => format!("the check could not be evaluated, {error}"),
            _ => parts.join(", "),
        }
    }

    /// For a field that is worked out from one reading to the next: why it is not known.
    fn unseen(&self, place: &Place) -> &'static str {
        let dataset = place.dataset.as_deref().unwrap_or_else(|| self.check.over.as_str());
        let first = self.reading.datasets.get(dataset).and_then(|read| {
            let field = read.spec.spec.field.iter().find(|field| *field.name == *place.path)?;
            field.first_seen.as_ref()
        });
        match first.map(|first| first.known) {
            Some(Known::Exactly) => " (no scan has seen it begin)",
            Some(Known::AtLatest) => " (no earlier scan is known here)",
            None => "",
        }
    }

    /// What is missing at the root: for an unknown field of an account or plugin that is what its mapping lacked.
    fn roots(&self, evaluation: &Evaluation, name: &str) -> Vec<UnknownUse> {
        let mut roots = Vec::new();
        for lack in &evaluation.unknown {
            match self.mapped_from(lack, name) {
                Some(deeper) => roots.extend(deeper),
                None => roots.push(lack.clone()),
            }
        }
        roots
    }

    /// Evaluates the mapping of an unknown canonical field again, to learn what it lacked.
    fn mapped_from(&self, lack: &UnknownUse, name: &str) -> Option<Vec<UnknownUse>> {
        let (made, specs) = match &self.check.over {
            Over::Account => (&self.canonical.accounts, &self.reading.app.accounts),
            Over::Plugin => (&self.canonical.plugins, &self.reading.app.plugins),
            Over::Dataset(_) => return None,
        };
        if lack.place.dataset.is_some() || lack.why != Missing::Unknown {
            return None;
        }
        let mut field = lack.place.path.split(['.', '[']).next()?;
        // A grade is made from the scopes, so that it lacks what they lack.
        if field == "grade" {
            field = "scopes";
        }
        if self.check.over == Over::Account && MATCHED.contains(&field) {
            let at = made.position_of(name)?;
            match made.lacks.get(&at) {
                // Whose it is hangs on a field that is mapped: why that one is not known is the reason.
                Some(root) => field = root,
                None => {
                    let note = made.records.get(at)?.get(&made.shape, "identity_note").as_str()?;
                    let why = Missing::IncompleteDataset(note.into());
                    return Some(vec![UnknownUse { place: lack.place.clone(), why }]);
                }
            }
        }
        let (at, _) = made.shape.field(field)?;
        let (source, position) = made.source_of(name)?;
        let record = self.reading.datasets.get(source.as_str())?.records().get(*position)?;
        let mut fields = specs.iter().filter(|spec| spec.from == *source).flat_map(|spec| &spec.fields);
        let (_, program) = fields.find(|(position, _)| *position == at)?;
        let inputs = Inputs { datasets: self.views, params: &self.canonical.settings, now: self.now };
        let evaluation = program.bind(&inputs).eval(Some(record));
        // An error has no roots, nor has a grade that is unknown because nobody has graded a scope.
        if evaluation.value != Ok(Value::Unknown) || evaluation.left_out > 0 {
            return None;
        }
        Some(
            evaluation
                .unknown
                .into_iter()
                .map(|mut lack| {
                    lack.place.dataset.get_or_insert_with(|| source.as_str().into());
                    lack.place.record = None;
                    lack
                })
                .collect(),
        )
    }

    /// The reason, when everything that is missing is a dataset which this plan, licence or version does not have.
    fn lacks_only_features(&self, lacks: &[UnknownUse]) -> Option<String> {
        let mut reason = None;
        for lack in lacks {
            let dataset = lack.place.dataset.as_deref()?;
            match &self.reading.datasets.get(dataset)?.availability {
                Availability::NotApplicable { reason: why } => {
                    reason.get_or_insert_with(|| why.trim_end_matches('.').to_owned());
                }
                _ => return None,
            }
        }
        reason
    }

    /// Where a value comes from: the dataset, its request, and when it was read.
    fn origin(&self, place: &Place, name: &str) -> (Arc<str>, Arc<str>, Timestamp) {
        let nothing = || Arc::from("");
        if place.dataset.is_none() && (place.path.starts_with("params.") || place.path == "now") {
            return (nothing(), nothing(), self.now);
        }
        let dataset = place.dataset.as_deref().unwrap_or_else(|| self.check.over.as_str());
        let made = match (place.dataset.as_deref(), &self.check.over) {
            (Some("account"), _) | (None, Over::Account) => Some(&self.canonical.accounts),
            (Some("plugin"), _) | (None, Over::Plugin) => Some(&self.canonical.plugins),
            _ => None,
        };
        let source = match (made, &place.record) {
            (Some(made), Some(record)) => made.sources.get(record.index).map(|(source, _)| source.as_str()),
            (Some(made), None) => made.source_of(name).map(|(source, _)| source.as_str()),
            (None, _) => Some(dataset),
        };
        let read = source.and_then(|source| self.reading.datasets.get(source));
        let told = match read {
            Some(read) if made.is_none() => Arc::clone(&read.origin.0),
            _ => Arc::from(dataset),
        };
        match read.and_then(|read| Some((read, read.data?))) {
            Some((read, data)) => (told, Arc::clone(&read.origin.1), data.collected_at),
            None => (told, nothing(), self.now),
        }
    }

    /// A place in words. One within a record of a dataset is not kept: there are as many as records.
    fn field(&self, place: &Place) -> Arc<str> {
        let text = place.to_string();
        let mut fields = self.fields.borrow_mut();
        if let Some(known) = fields.get(text.as_str()) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        if place.record.is_none() {
            fields.insert(Arc::clone(&text));
        }
        text
    }

    fn used(&self, used: &FieldUse, name: &str) -> Evidence {
        let (dataset, request, at) = self.origin(&used.place, name);
        let value = used.value.to_json(used.kind.as_ref().unwrap_or(&Type::Bool));
        Evidence { field: self.field(&used.place), value: Json::from(&value), dataset, request, at }
    }

    fn lacked(&self, lack: &UnknownUse, name: &str) -> Evidence {
        let (dataset, request, at) = self.origin(&lack.place, name);
        let value = if lack.why == Missing::Null { &Value::Null } else { &Value::Unknown };
        let value = Json::from(&value.to_json(&Type::Bool));
        Evidence { field: self.field(&lack.place), value, dataset, request, at }
    }

    /// Permissions that would let the missing datasets be read.
    fn needs(&self, lacks: &[UnknownUse], name: &str) -> Vec<String> {
        let mut datasets: BTreeSet<&str> = lacks
            .iter()
            .filter(|lack| matches!(lack.why, Missing::IncompleteDataset(_)))
            .filter_map(|lack| lack.place.dataset.as_deref())
            .collect();
        // A field of a plugin that other datasets might have told more of lacks those.
        if self.check.over == Over::Plugin && lacks.iter().any(|lack| lack.place.dataset.is_none()) {
            datasets.extend(self.canonical.plugins.doubts_of(name).iter().map(String::as_str));
        }
        let mut needs = Vec::new();
        for dataset in datasets {
            if let Some(read) = self.reading.datasets.get(dataset) {
                needs.extend(read.needs(self.reading.instance.auth));
            }
        }
        needs.dedup();
        needs
    }
}

/// Most parts named in a reason.
const NAMED: usize = 3;

/// Why a check was not asked about a record.
pub(crate) fn not_asked(evaluation: &Evaluation) -> String {
    let facts: Vec<String> = evaluation
        .decided_by
        .iter()
        .take(NAMED)
        .map(|used| {
            let value = used.value.to_json(used.kind.as_ref().unwrap_or(&Type::Bool));
            format!("{} is {value}", general(&used.place))
        })
        .collect();
    if facts.is_empty() {
        "the check does not apply here".to_owned()
    } else {
        format!("does not apply: {}", facts.join(", "))
    }
}

/// A place without the record it is in: the same words for all records.
fn general(place: &Place) -> String {
    Place { record: None, ..place.clone() }.to_string()
}
