//! The built-in catalogue is whole: it loads without an error, and every example of every check holds.

use catalog::{Catalog, examples};
use model::finding::Outcome;

fn lines(errors: &[catalog::LoadError]) -> String {
    errors.iter().map(|e| format!("\n  {e}")).collect()
}

#[test]
fn loads_without_an_error() {
    let loaded = Catalog::builtin();
    assert!(loaded.errors.is_empty(), "{} errors:{}", loaded.errors.len(), lines(&loaded.errors));
    assert!(!loaded.catalog.apps.is_empty(), "no application was found");
    assert!(!loaded.catalog.shared.is_empty(), "no shared check was found");
}

#[test]
fn every_example_holds() {
    let catalog = Catalog::builtin().catalog;
    let checks = catalog.apps.values().flat_map(|app| app.checks.iter()).chain(&catalog.shared);
    let (mut wrong, mut ran) = (Vec::new(), 0);
    for check in checks {
        ran += check.examples.len();
        for outcome in [Outcome::Pass, Outcome::Fail, Outcome::Inconclusive] {
            assert!(check.examples.iter().any(|e| e.expected == outcome), "{} has no {outcome:?}", check.id);
        }
        wrong.extend(examples::failures(check));
    }
    wrong.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    wrong.dedup();
    assert!(wrong.is_empty(), "{} of {ran} examples fail:{}", wrong.len(), lines(&wrong));
    assert!(ran > 0, "no example ran");
}

#[test]
fn what_is_embedded_is_what_lies_in_the_folder() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalog");
    let (embedded, lying) = (Catalog::builtin(), Catalog::of_folder(&folder));
    assert_eq!(lines(&embedded.errors), lines(&lying.errors));
    assert_eq!(catalog::docs::render(&embedded.catalog), catalog::docs::render(&lying.catalog));
}

#[test]
fn standards_hold_just_what_checks_refer_to() {
    let catalog = Catalog::builtin().catalog;
    let used: std::collections::BTreeSet<&str> = catalog
        .apps
        .values()
        .flat_map(|app| app.checks.iter())
        .chain(&catalog.shared)
        .flat_map(|check| check.controls.iter().map(String::as_str))
        .collect();
    let idle: Vec<String> = catalog
        .standards
        .values()
        .flat_map(|s| s.controls.keys().map(move |id| format!("{}/{id}", s.id)))
        .filter(|reference| !used.contains(reference.as_str()))
        .collect();
    assert_eq!(idle, [""; 0], "no check refers to these");
}

#[test]
fn shared_checks_take_part_where_the_mapping_is() {
    let catalog = Catalog::builtin().catalog;
    for app in catalog.apps.values() {
        for check in &catalog.shared {
            let mapped = match check.over {
                catalog::Over::Account => !app.accounts.is_empty(),
                _ => !app.plugins.is_empty(),
            };
            let there = app.checks.iter().any(|c| c.id == check.id && c.app == app.id);
            assert_eq!(there, mapped, "{} in {}", check.id, app.id);
        }
    }
}
