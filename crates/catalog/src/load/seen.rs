//! Fields that are worked out from one reading to the next: where they may stand, and what may be asked of them.

use expr::{Bounding, Program};
use model::value::Type;

use crate::LoadError;
use crate::app::{App, DatasetSpec};
use crate::load::cross::Context;
use crate::load::doc::{At, Doc, suggest};
use crate::manifest::{Absence, Dataset, Field, FirstSeen, Known, TimeFormat};

/// A field that is worked out is read from nowhere, and can only tell an instant of a whole record.
pub(crate) fn field(
    doc: &Doc<'_>,
    at: &At,
    field: &Field,
    (first, depth, all): (&FirstSeen, usize, &[Field]),
    kind: &Type,
    errors: &mut Vec<LoadError>,
) {
    let (name, place) = (&field.name, at.key("first_seen"));
    if *kind != Type::Timestamp || depth > 1 {
        let message = format!("`{name}` tells since when a record is there");
        errors.push(doc.error(&place, message, "Make it a field of the record itself, of type `timestamp`"));
    }
    let reads = field.path.is_some()
        || field.each.is_some()
        || field.missing != Absence::Unknown
        || field.null != Absence::Unknown
        || !field.transform.is_empty()
        || field.sensitive.is_some()
        || field.format != TimeFormat::Rfc3339;
    if reads {
        let message = format!("`{name}` is worked out and not read");
        errors.push(doc.error(&place, message, "Remove what says how it is read"));
    }
    if let Some(with) = &first.with {
        let plain =
            |f: &&Field| f.first_seen.is_none() && ["bool", "int", "string"].contains(&f.kind.as_str());
        if !all.iter().any(|f| f.name == *with && plain(&f)) {
            let known: Vec<&str> = all.iter().filter(plain).map(|f| f.name.as_str()).collect();
            let message = format!("no field `{with}` of type bool, int or string");
            errors.push(doc.error(&place.key("with"), message, suggest(with, &known)));
        }
    }
}

/// What must hold of a dataset that has such fields: its records can be told apart, and nothing needs the instants before
/// the dataset has been read.
pub(crate) fn dataset(cx: &mut Context<'_>, place: &At, dataset: &Dataset) {
    for (i, field) in dataset.field.iter().enumerate().filter(|(_, f)| f.first_seen.is_some()) {
        let at = place.key("field").index(i).key("first_seen");
        let name = &field.name;
        if dataset.key.is_none() {
            let message =
                format!("`{name}`: records without a key cannot be found again in an earlier reading");
            cx.error(&at, message, "Give the dataset a `key`");
        }
        if dataset.resolve.is_some() {
            let message = format!(
                "`{name}`: what holds of inherited settings is not kept from one reading to the next"
            );
            cx.error(
                &at,
                message,
                format!("Declare it in `{}`", dataset.resolve.as_ref().map_or("", |r| &r.from)),
            );
        }
        if dataset.latest.as_ref().is_some_and(|latest| latest.by == *name) {
            let message = format!("`{name}` is known only after the latest has been chosen");
            cx.error(&place.key("latest").key("by"), message, "Name an instant that the vendor tells");
        }
        for (j, request) in dataset.request.iter().enumerate() {
            let request_at = place.key("request").index(j);
            let named =
                [("set", request.set.contains_key(name)), ("paths", request.paths.contains_key(name))];
            for (key, _) in named.into_iter().filter(|(_, there)| *there) {
                let message = format!("`{name}` is worked out and not read");
                cx.error(&request_at.key(key).key(name), message, "Remove it here");
            }
        }
    }
}

/// What is walked is read before it is compared with earlier readings.
pub(crate) fn walked(cx: &mut Context<'_>, place: &At, dataset: &Dataset) {
    for (i, request) in dataset.request.iter().enumerate() {
        let Some(each) = &request.for_each else { continue };
        let Some(walked) = cx.manifest.dataset.iter().find(|d| d.name == each.dataset) else { continue };
        for name in walked.field.iter().filter(|f| f.first_seen.is_some()).map(|f| &f.name) {
            let slot = format!("{{each.{name}}}");
            let texts =
                [&request.path].into_iter().chain(request.query.values()).chain(request.variables.values());
            let mut body = request.post.iter().flat_map(|body| body.values());
            let placed = texts.into_iter().any(|text| text.contains(&slot))
                || body.any(|value| value.to_string().contains(&slot));
            let taken = dataset.field.iter().any(|f| f.each.as_ref() == Some(name));
            if placed || taken {
                let message = format!("`{name}` of `{}` is not known yet when it is walked", each.dataset);
                cx.error(&place.key("request").index(i).key("for_each"), message, "Ask for it in a check");
            }
        }
    }
}

/// While an application is read nothing is known of earlier readings: a condition on such a field would never hold.
pub(crate) fn not_yet(cx: &mut Context<'_>, at: &At, program: &Program, of: &Dataset) {
    let early = of.field.iter().find(|f| f.first_seen.is_some() && program.uses().fields.contains(&f.name));
    if let Some(field) = early {
        let message = format!("`{}` is not known yet when this is asked", field.name);
        cx.error(at, message, "Ask for it in a check");
    }
}

/// A field `at_latest` of a dataset, as it is followed through expressions.
fn bounding<'a>(dataset: &'a DatasetSpec, field: &'a Field, is_record: bool) -> Option<Bounding<'a>> {
    let first = field.first_seen.as_ref().filter(|first| first.known == Known::AtLatest)?;
    let exact = |other: &&Field| {
        let other = other.first_seen.as_ref();
        other.is_some_and(|other| other.known == Known::Exactly && other.with == first.with)
    };
    let exact = dataset.spec.field.iter().filter(exact).map(|f| f.name.as_str()).collect();
    Some(Bounding { shape: &dataset.shape, field: &field.name, exact, is_record })
}

/// A canonical field has no room for "at latest": nothing would know any more what may be asked of it.
pub(crate) fn mapping(
    cx: &mut Context<'_>,
    at: &At,
    program: &Program,
    from: &str,
    datasets: &[DatasetSpec],
) {
    for dataset in datasets {
        for field in &dataset.spec.field {
            let Some(bounding) = bounding(dataset, field, dataset.spec.name == from) else { continue };
            if let Some(span) = program.reads(&bounding) {
                let message = format!("`{}` is known \"at_latest\" and cannot be mapped", field.name);
                let remedy =
                    "Map a field that is known \"exactly\", and ask this one in checks over its dataset";
                let error = cx.doc.error_in(at, span.start, message, remedy);
                cx.errors.push(error);
            }
        }
    }
}

/// No answer of a check may rest on something being young that is known at latest: it may be old all the same.
pub(crate) fn check(
    doc: &Doc<'_>,
    at: &At,
    program: &Program,
    over: &str,
    app: &App,
    errors: &mut Vec<LoadError>,
) {
    for dataset in &app.datasets {
        for field in &dataset.spec.field {
            let Some(bounding) = bounding(dataset, field, dataset.spec.name == over) else { continue };
            let Some(span) = program.leans(&bounding) else { continue };
            let name = &field.name;
            let message = format!(
                "this may be answered wrongly for what is older than `{name}`, which is known \"at_latest\""
            );
            let remedy = match bounding.exact.first() {
                Some(exact) => {
                    format!("Ask `{exact}` as well: `now - {name} <= ... && now - {exact} <= ...`")
                }
                None => "Declare the same as `known = \"exactly\"`, and ask both, joined by `&&`".to_owned(),
            };
            errors.push(doc.error_in(at, span.start, message, remedy));
        }
    }
}
