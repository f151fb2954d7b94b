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
