//! Mappings of datasets to the canonical accounts and plugins.

use std::collections::BTreeMap;
use std::sync::Arc;

use expr::{DatasetType, Env, Expected, Program};
use model::scan::ScanKind;
use model::value::Shape;

use crate::app::{DatasetSpec, MappingSpec};
use crate::load::cross::Context;
use crate::load::doc::{At, at, suggest};
use crate::load::seen;
use crate::manifest::Mapping;

/// The field of [`model::plugin::SHAPE`] that the assessment fills from the graded scopes.
const GRADE: &str = "grade";

/// The datasets by name, as expressions see them.
pub(crate) fn types(datasets: &[DatasetSpec]) -> BTreeMap<String, DatasetType> {
    datasets
        .iter()
        .map(|d| {
            let kind = DatasetType { shape: Arc::clone(&d.shape), key: d.spec.key.clone() };
            (d.spec.name.clone(), kind)
        })
        .collect()
}

/// Compiles the mappings of one kind.
pub(crate) fn prepare(
    cx: &mut Context<'_>,
    key: &str,
    kind: ScanKind,
    mappings: &[Mapping],
    canonical: &Shape,
    datasets: &[DatasetSpec],
) -> Vec<MappingSpec> {
    let mut all = Vec::new();
    for (i, mapping) in mappings.iter().enumerate() {
        let place = at(key).index(i);
        let Some(from) = datasets.iter().find(|d| d.spec.name == mapping.from) else {
            let known: Vec<&str> = datasets.iter().map(|d| d.spec.name.as_str()).collect();
            let message = format!("no dataset `{}`", mapping.from);
            cx.error(&place.key("from"), message, suggest(&mapping.from, &known));
            continue;
        };
        if !from.spec.scans.contains(&kind) {
            let message = format!("the {kind} scan does not read `{}`", mapping.from);
            cx.error(&place.key("from"), message, format!("Add \"{kind}\" to its scans"));
        }
        all.push(one(cx, &place, kind, mapping, from, canonical, datasets));
    }
    all
}

fn one(
    cx: &mut Context<'_>,
    place: &At,
    kind: ScanKind,
    mapping: &Mapping,
    from: &DatasetSpec,
    canonical: &Shape,
    datasets: &[DatasetSpec],
) -> MappingSpec {
    let env = Env {
        record: Some(Arc::clone(&from.shape)),
        datasets: types(datasets),
        params: cx.settings(),
        dynamic: false,
    };
    let mut spec =
        MappingSpec { from: mapping.from.clone(), when: None, fields: Vec::new(), reads: Vec::new() };
    if let Some(when) = &mapping.when {
        spec.when = compile(cx, &place.key("when"), when, &env, &Expected::Bool);
    }
    for (name, source) in &mapping.fields {
        let at = place.key("fields").key(name);
        match canonical.field(name) {
            Some(_) if name == GRADE => {
                cx.error(&at, "`grade` is derived from scopes.toml", "Grade the scopes there");
            }
            Some(_) if model::account::MATCHED.contains(&name.as_str()) => {
                let message = format!("`{name}` is filled by matching accounts with the identity providers");
                cx.error(&at, message, "Map `idp_id`, `emails_verified` and `idp_linked`");
            }
            Some((position, field)) => {
                let expected = Expected::Type(field.kind.clone());
                if let Some(program) = compile(cx, &at, source, &env, &expected) {
                    spec.fields.push((position, program));
                }
            }
            None => {
                let known: Vec<&str> = canonical.fields.iter().map(|f| f.name.as_str()).collect();
                cx.error(&at, format!("no canonical field `{name}`"), suggest(name, &known));
            }
        }
    }
    spec.fields.sort_by_key(|(position, _)| *position);
    if !mapping.fields.contains_key("id") {
        cx.error(
            &place.key("fields"),
            "`id` is not mapped",
            "Add `id = \"...\"`, unique within the instance",
        );
    }
    let mut reads = std::collections::BTreeSet::new();
    let named = spec
        .fields
        .iter()
        .map(|(position, program)| (place.key("fields").key(&canonical.fields[*position].name), program));
    for (at, program) in named.chain(spec.when.iter().map(|program| (place.key("when"), program))) {
        seen::mapping(cx, &at, program, &mapping.from, datasets);
        for name in program.uses().datasets.keys() {
            let read = datasets.iter().find(|d| d.spec.name == *name);
            if read.is_some_and(|d| !d.spec.scans.contains(&kind)) {
                let message = format!("the {kind} scan does not read `{name}`");
                cx.error(&at, message, format!("Add \"{kind}\" to the scans of `{name}`"));
            }
            reads.insert(name.clone());
        }
    }
    spec.reads = reads.into_iter().collect();
    spec
}

fn compile(cx: &mut Context<'_>, at: &At, source: &str, env: &Env, expected: &Expected) -> Option<Program> {
    match expr::compile(source, env, expected) {
        Ok(program) => Some(program),
        Err(e) => {
            let error = cx.doc.expression_error(at, &e);
            cx.errors.push(error);
            None
        }
    }
}
