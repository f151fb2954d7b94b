//! The memory that writing takes does not grow with the list.

use export::sarif::{Run, Sarif};
use export::{Entry, Place, ocsf, spreadsheet};
use model::finding::{Evidence, Outcome, Severity};
use model::scan::ScanKind;
use model::time::Timestamp;
use serde_json::json;

#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

const FEW: usize = 200;
const MANY: usize = 20_000;

/// Writes so many findings in every format into nothing; how much more than before was in use at the worst moment.
fn peak(findings: usize, catalog: &catalog::Catalog) -> usize {
    let app = "github".into();
    let product = &catalog.apps[&app];
    let check = &product.checks[0];
    let place = Place {
        app: &app,
        product: "GitHub",
        vendor: "GitHub",
        tenant_uid: "42",
        tenant: "acme",
        instance: None,
        owner: None,
    };
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut chunk = Vec::new();
    let run = Run { automation: "parapet/test/", checks: &product.checks, standards: &catalog.standards };
    let mut sarif = Sarif::begin(&run, &mut chunk);
    let mut written = 0;
    for number in 0..findings {
        let resource = format!("repository-{number}");
        let evidence = [Evidence {
            field: "classic".into(),
            value: (&json!(null)).into(),
            dataset: "branches".into(),
            request: "POST https://api.github.com/graphql".into(),
            at: Timestamp(0),
        }];
        let entry = Entry {
            place,
            scan: ScanKind::Config,
            check: &check.id,
            definition: Some(check),
            revision: 1,
            severity: Severity::High,
            resource_kind: "branches",
            resource: Some(&resource),
            outcome: Outcome::Fail,
            says: "It is not protected",
            evidence: &evidence,
            needs: &[],
            console: None,
            at: Timestamp(0),
            count: 1,
            tracked: None,
        };
        sarif.result(&entry, &mut chunk);
        // Growth shows as well when these two are written for every tenth only, and the test is over sooner.
        if number % 10 == 0 {
            let event = ocsf::event(&entry, &catalog.standards);
            chunk.extend(ocsf::line(&event).expect("written"));
            chunk.extend(spreadsheet::line([resource.as_str()]).expect("written"));
        }
        written += chunk.len();
        chunk.clear();
    }
    sarif.end(&mut chunk);
    assert!(written > findings * 500, "something was written");
    MEMORY.peak_usage() - before
}

#[test]
fn a_hundred_times_the_findings_take_no_more_memory() {
    let catalog = catalog::Catalog::builtin().catalog;
    let (few, many) = (peak(FEW, &catalog), peak(MANY, &catalog));
    assert!(many * 10 < few * 11, "{FEW} findings took {few} bytes, {MANY} took {many}");
}
