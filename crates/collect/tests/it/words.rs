//! Every word of the vocabulary at work: the example manifests of the reference against a server that answers as they
//! describe. That the examples use every word, a test of the catalogue holds.

use std::sync::Arc;

use catalog::manifest::Auth;
use catalog::{App, Catalog};
use collect::{Collected, Quiet, RunRequest};
use model::dataset::Availability;
use model::scan::ScanKind;
use model::time::Duration;

use crate::answering::{Answering, Pages};
use crate::matrix::{credential_of, kinds, scanned, target_of};
use crate::support::*;

fn examples() -> Vec<Arc<App>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/src/docs/examples");
    // As if they came with Parapet: `post` needs nobody's leave there.
    let loaded = Catalog::of_folder(&folder);
    let of = |id: &str| loaded.catalog.apps.get(&id.into()).cloned();
    let apps: Vec<_> = ["acme-server", "acme-cloud"].into_iter().filter_map(of).collect();
    assert_eq!(apps.len(), 2, "{:?}", loaded.errors);
    apps
}

fn answering(app: &Arc<App>, auth: &Auth) -> impl Fn(&Seen) -> Answer + Send + Sync + 'static {
    let (answering, of) = (Answering::new(app, Pages::One), auth.clone());
    move |seen| {
        let told = answering.sold(&of, seen).or_else(|| answering.about(&of, seen));
        told.unwrap_or_else(|| answering.answer(seen))
    }
}

/// Every dataset is read, and every field of it is known: each word does what the reference says, or something would
/// be missing.
#[tokio::test]
async fn every_example_is_read_whole() {
    let outbound = outbound();
    for app in examples() {
        for (auth, kind) in app.manifest.auth.iter().flat_map(|a| kinds(&app).map(move |kind| (a, kind))) {
            let (server, snapshot) = scanned(&outbound, &app, auth, kind, answering(&app, auth)).await;
            for spec in app.datasets_of(kind) {
                let dataset = &snapshot.datasets[&spec.spec.name];
                let place = format!("{} {} {kind}: {}", app.id, auth.id, spec.spec.name);
                if spec.spec.opt_in.is_some() {
                    // Nobody has chosen it.
                    let not_applicable = matches!(dataset.availability, Availability::NotApplicable { .. });
                    assert!(
                        not_applicable && server.paths().iter().all(|p| !p.ends_with("/themes")),
                        "{place}"
                    );
                    continue;
                }
                // What is swept is read in pieces, over runs; one piece is enough here.
                let whole = matches!(dataset.availability, Availability::Complete);
                assert!(whole, "{place}: {:?} {:?}", dataset.availability, server.paths());
                assert!(!dataset.records.is_empty(), "{place} is empty");
                for record in &dataset.records {
                    let unknown: Vec<&str> = (dataset.shape.fields.iter().zip(&record.values))
                        .filter(|(_, value)| value.is_unknown())
                        .map(|(field, _)| field.name.as_str())
                        .collect();
                    // A default holds what is written in it and no more; hashes need a key, which runs have.
                    // What is told by comparing with earlier readings, nobody reads.
                    let expected: &[&str] = match spec.spec.name.as_str() {
                        "people" => &["picture", "known_since", "state_since"],
                        _ => &[],
                    };
                    assert_eq!(unknown, expected, "{place}");
                }
            }
        }
    }
}

/// What nobody chooses is not sent; what is chosen is read as any other.
#[tokio::test]
async fn what_is_chosen_is_read() {
    let Some(app) = examples().into_iter().find(|a| a.id.as_str() == "acme-server") else {
        panic!("it is there")
    };
    let auth = &app.manifest.auth[0];
    for (choice, read) in [("yes", true), ("no", false), ("", false)] {
        let server = Server::start(answering(&app, auth)).await;
        let mut target = target_of(&app, &server.url);
        target.settings.insert("undocumented".to_owned(), choice.to_owned());
        let request = RunRequest::new(ScanKind::Config, START + Duration::hours(3));
        let collected =
            collect::run(&outbound(), &target, &credential_of(auth), &server.clock, request, &Quiet).await;
        let Collected::Done(done) = collected else { panic!("{collected:?}") };
        let themes = dataset(&done, "themes");
        assert_eq!(themes.availability.is_complete(), read, "{choice}");
        assert_eq!(server.paths().iter().any(|p| p.ends_with("/ui/themes")), read, "{choice}");
        if let Availability::NotApplicable { reason } = &themes.availability {
            assert!(reason.contains("Read what the vendor does not document"), "{reason}");
        }
    }
}

/// What the reference says about learning who a credential is and what it may do.
#[tokio::test]
async fn every_example_is_verified() {
    for app in examples() {
        for auth in &app.manifest.auth {
            let server = Server::start(answering(&app, auth)).await;
            let (target, credential) = (target_of(&app, &server.url), credential_of(auth));
            let found = collect::preflight(&outbound(), &target, &credential, &server.clock).await;
            let found = found.unwrap_or_else(|fault| panic!("{} {}: {fault:?}", app.id, auth.id));
            assert_eq!(found.identity.tenant_uid, "uid-1");
            let subject = if auth.subject.is_some() { "parapet" } else { "" };
            assert_eq!(found.identity.subject, subject, "{} {}", app.id, auth.id);
            let told = auth.granted.as_ref().is_some_and(|g| g.claim.is_none());
            let granted = told.then(|| vec!["everything".to_owned()]);
            assert_eq!(found.identity.granted, granted, "{} {}", app.id, auth.id);
            // Disuse is counted from each use, not told when a credential is verified.
            let told = auth.expiry.as_ref().is_some_and(|e| e.idle_days.is_none());
            let expires = told || auth.id == "certificate";
            assert_eq!(found.identity.expires_at.is_some(), expires, "{} {}", app.id, auth.id);
        }
    }
}

/// A word that is taken away is missed: the test above does not pass by itself.
#[tokio::test]
async fn an_example_that_is_read_otherwise_than_it_says_is_noticed() {
    let apps = examples();
    let Some(app) = apps.into_iter().find(|a| a.id.as_str() == "acme-cloud") else {
        panic!("it is an example")
    };
    let auth = app.manifest.auth[0].clone();
    let (answering, of) = (Answering::new(&app, Pages::One), auth.clone());
    let server = Server::start(move |seen| {
        let sold = answering.sold(&of, seen);
        // The listing of units has come in another shape.
        let odd = || {
            if seen.path.ends_with("/units") {
                json(serde_json::json!({ "units": 7 }))
            } else {
                answering.answer(seen)
            }
        };
        sold.unwrap_or_else(odd)
    })
    .await;
    let request = RunRequest::new(ScanKind::Config, START + Duration::hours(3));
    let (target, credential) = (target_of(&app, &server.url), credential_of(&auth));
    let collected = collect::run(&outbound(), &target, &credential, &server.clock, request, &Quiet).await;
    let Collected::Done(done) = collected else { panic!("{collected:?}") };
    for name in ["units", "effective"] {
        assert!(is_unavailable(dataset(&done, name)), "{name}");
    }
    assert!(dataset(&done, "policies").availability.is_complete());
}
