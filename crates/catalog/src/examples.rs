//! Running the examples of checks: the same evaluation as on collected data.

use std::collections::BTreeMap;
use std::sync::Arc;

use expr::{DatasetView, Evaluation, Inputs, Program};
use model::finding::Outcome;
use model::value::{Record, Value};

use crate::LoadError;
use crate::check::{Check, Example, judge};

/// What a check says about an example.
#[derive(Debug, Clone)]
pub struct ExampleResult {
    /// The outcome.
    pub outcome: Outcome,
    /// The evaluation that gave it: of `when` where that decided, else of `pass`. `None` for examples about a whole
    /// dataset.
    pub evaluation: Option<Evaluation>,
}

/// Runs one example.
#[must_use]
pub fn run(check: &Check, example: &Example) -> ExampleResult {
    run_with(check, check.when.as_ref(), &check.pass, example)
}

/// Runs one example with other expressions in place of the check's own.
pub(crate) fn run_with(
    check: &Check,
    when: Option<&Program>,
    pass: &Program,
    example: &Example,
) -> ExampleResult {
    let over = check.over.as_str();
    let given = example.given(check);
    let records: BTreeMap<&str, Vec<Record>> = check
        .types
        .iter()
        .filter_map(|(name, kind)| {
            let records = given.datasets.get(name)?;
            Some((name.as_str(), records.iter().map(|json| Record::from_json(json, &kind.shape)).collect()))
        })
        .collect();
    let mut datasets = BTreeMap::new();
    for (name, kind) in &check.types {
        let lacking = given.incomplete.contains(name) || given.unavailable.contains(name);
        let view = match records.get(name.as_str()) {
            Some(records) if !lacking => DatasetView::complete(&kind.shape, records),
            some => {
                let some = some.map_or(&[][..], Vec::as_slice);
                DatasetView::incomplete(&kind.shape, some, "not read in this example")
            }
        };
        datasets.insert(name.clone(), view);
    }
    let params: BTreeMap<String, Value> = check
        .params
        .iter()
        .map(|(name, param)| {
            let value = given.params.get(name).unwrap_or(&param.default);
            (name.clone(), value.clone())
        })
        .collect();
    let Some(record) = &given.record else {
        let empty = datasets.get(over).is_some_and(|d| d.is_complete() && d.records().is_empty());
        let outcome = if empty { check.on_empty } else { Outcome::Inconclusive };
        return ExampleResult { outcome, evaluation: None };
    };
    let record = Record::from_json(record, &check.shape);
    let inputs = Inputs { datasets: &datasets, params: &params, now: given.now };
    let when = when.map(|program| program.bind(&inputs).eval(Some(&record)));
    let mut asked = None;
    let outcome = judge(when.as_ref().map(Evaluation::truth), || {
        let evaluation = pass.bind(&inputs).eval(Some(&record));
        let truth = evaluation.truth();
        asked = Some(evaluation);
        truth
    });
    ExampleResult { outcome, evaluation: asked.or(when) }
}

/// The examples of a check whose outcome is not the one they are tagged with.
#[must_use]
pub fn failures(check: &Check) -> Vec<LoadError> {
    check
        .examples
        .iter()
        .filter_map(|example| {
            let result = run(check, example);
            if result.outcome == example.expected {
                return None;
            }
            Some(LoadError {
                file: check.file.clone(),
                line: example.line,
                column: 1,
                message: format!(
                    "this example is tagged {} and the check says {}{}",
                    example.expected.as_str(),
                    result.outcome.as_str(),
                    explain(result.evaluation.as_ref())
                ),
                remedy: "Mend the check, the record or the tag".to_owned(),
            })
        })
        .collect()
}

fn explain(evaluation: Option<&Evaluation>) -> String {
    let Some(evaluation) = evaluation else { return String::new() };
    if let Err(e) = &evaluation.value {
        return format!(" ({e})");
    }
    let uses: Vec<String> = if evaluation.unknown.is_empty() {
        evaluation.decided_by.iter().take(4).map(|u| format!("{} = {}", u.place, plain(&u.value))).collect()
    } else {
        evaluation.unknown.iter().take(4).map(|u| format!("{} unknown", u.place)).collect()
    };
    if uses.is_empty() { String::new() } else { format!(" ({})", uses.join(", ")) }
}

fn plain(value: &Value) -> Arc<str> {
    match value {
        Value::String(s) => format!("'{s}'").into(),
        Value::List(list) => format!("a list of {}", list.items.len()).into(),
        Value::Object(_) => "an object".into(),
        Value::Map(map) => format!("a map of {}", map.len()).into(),
        Value::Null => "null".into(),
        Value::Unknown => "unknown".into(),
        Value::Bool(b) => b.to_string().into(),
        Value::Int(i) => i.to_string().into(),
        Value::Double(d) => d.to_string().into(),
        Value::Timestamp(t) => t.to_string().into(),
        Value::Duration(d) => d.to_string().into(),
    }
}
