//! The examples of every built-in check pin its expressions down.

use catalog::{Catalog, mutate};

#[test]
fn examples_notice_every_mutant() {
    let reports = mutate::all(&Catalog::builtin().catalog);
    let tried: usize = reports.iter().map(|r| r.tried).sum();
    let loose: Vec<String> = reports.iter().filter(|r| !r.is_tight()).map(ToString::to_string).collect();
    assert!(loose.is_empty(), "{} of {} checks are loose:\n{}", loose.len(), reports.len(), loose.concat());
    assert!(tried > 0, "nothing was tried");
}

#[test]
fn a_hole_in_the_examples_is_found() {
    let catalog = Catalog::builtin().catalog;
    let check =
        catalog.shared.iter().find(|c| c.id.as_str() == "shared/account-dormant").expect("it is built in");
    let mut loose = catalog::Check::clone(check);
    let on_the_limit = |e: &catalog::Example| {
        e.given(check).record.is_some_and(|r| r["last_active_at"] == "2025-12-02T00:00:00Z")
    };
    assert!(loose.examples.iter().any(on_the_limit));
    loose.examples.retain(|e| !on_the_limit(e));
    let report = mutate::one(&loose);
    assert!(!report.is_tight(), "the example on the very limit is what notices `<` for `<=`");
    let mut stale = catalog::Check::clone(check);
    stale.equivalent.insert("pass: true".into(), "there is no such mutant".into());
    assert_eq!(mutate::one(&stale).stale, ["pass: true"]);
}
