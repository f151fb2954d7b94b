//! The law on whole tenants of the invented company: whatever permission is withdrawn, nothing starts to look better than it did.
//!
//! Each permission that a tenant's credential holds is withdrawn in turn, and every scan runs again:
//!
//! 1. No outcome becomes a pass, and no finding is resolved.
//! 2. Outcomes of checks that look at nothing that was lost are what they were.
//! 3. All others are what they were, or inconclusive and name the permission; where the vendor goes on answering and only
//!    leaves fields out, they name the fields. What is not answered any more leaves an inconclusive answer of its check
//!    behind.
//! 4. A finding that is not seen again is stale, never gone.
//! 5. A scan that lost what it requires did not succeed, and says that it is for want of permission.

mod tenants;

use std::collections::{BTreeMap, BTreeSet};

use assess::{Assessment, Prior, PriorFinding};
use catalog::{App, Check, Over};
use model::finding::Outcome;
use model::id::FindingId;
use model::scan::{FailureCause, RunOutcome, ScanKind};

use tenants::Bench;

type Places = BTreeMap<(String, String), Outcome>;

fn outcomes(a: &Assessment) -> Places {
    a.results.iter().map(|r| ((r.check.to_string(), r.resource.to_string()), r.outcome)).collect()
}

fn unread(a: &Assessment) -> BTreeSet<&str> {
    a.gaps.iter().map(|gap| gap.dataset.as_str()).collect()
}

/// Whether a check looks at something that is in there. What canonical accounts and plugins are made of is anything.
fn looks_at(check: &Check, lost: &BTreeSet<&str>) -> bool {
    let over = match &check.over {
        Over::Dataset(name) => lost.contains(name.as_str()),
        Over::Account | Over::Plugin => !lost.is_empty(),
    };
    let canonical = |name: &str| matches!(name, "account" | "plugin") && !lost.is_empty();
    over || check.reads.iter().any(|name| lost.contains(name.as_str()) || canonical(name))
}

/// One scan before and after.
struct Pair<'a> {
    what: String,
    permission: &'a str,
    auth: &'a str,
    app: &'a App,
    before: &'a Assessment,
    after: &'a Assessment,
}

impl Pair<'_> {
    /// Datasets that are still answered and need the permission all the same: what is left out of them is not known.
    fn thinned(&self, lost: &BTreeSet<&str>) -> BTreeSet<&str> {
        let asks = |d: &&catalog::DatasetSpec| {
            d.spec.permission.get(self.auth).is_some_and(|all| all.iter().any(|p| p == self.permission))
        };
        let names = self.app.datasets.iter().filter(asks).map(|d| d.spec.name.as_str());
        names.filter(|name| !lost.contains(name)).collect()
    }

    fn holds(&self) {
        let Self { what, after, .. } = self;
        let known = outcomes(self.before);
        let now = outcomes(after);
        let lost: BTreeSet<&str> = unread(after).difference(&unread(self.before)).copied().collect();
        for result in &after.results {
            let place = (result.check.to_string(), result.resource.to_string());
            let was = known.get(&place);
            if was == Some(&result.outcome) {
                continue;
            }
            assert_ne!(result.outcome, Outcome::Pass, "{what}: {place:?} became a pass");
            let check = self.app.checks.iter().find(|c| c.id == result.check).expect("a check of the app");
            assert_eq!(result.outcome, Outcome::Inconclusive, "{what}: {place:?} was {was:?}: {result:?}");
            let named = result.needs.iter().any(|need| need.contains(self.permission));
            if looks_at(check, &lost) && named {
                continue;
            }
            let thinned = looks_at(check, &self.thinned(&lost));
            assert!(thinned, "{what}: {place:?} was {was:?} and is {result:?}, without {lost:?}");
            assert!(result.says.contains("not known"), "{what}: {place:?} does not name it: {result:?}");
        }
        for (place, was) in &known {
            let doubted = || {
                after
                    .results
                    .iter()
                    .any(|r| r.check.as_str() == place.0 && r.outcome == Outcome::Inconclusive)
            };
            assert!(
                now.contains_key(place) || doubted(),
                "{what}: {place:?} was {was:?} and is not answered at all"
            );
            if *was == Outcome::Fail && now.get(place) != Some(&Outcome::Fail) {
                assert!(
                    after.stale.iter().any(|c| c.as_str() == place.0),
                    "{what}: the finding {place:?} is neither there nor stale"
                );
            }
        }
        assert_eq!(after.resolved, Vec::<FindingId>::new(), "{what}: findings were resolved");
        if after.gaps.iter().any(|gap| gap.required) {
            assert_ne!(after.outcome, RunOutcome::Succeeded, "{what}: {:?}", after.gaps);
        }
        match after.outcome {
            RunOutcome::Succeeded => {}
            RunOutcome::Partial(cause) | RunOutcome::Failed(cause) => {
                assert_eq!(cause, FailureCause::Permission, "{what}: {:?}", after.fault);
            }
        }
    }
}

/// Withdraws each in turn; how many checks came to have doubts by each.
async fn withdraw_all(bench: &Bench) -> BTreeMap<String, usize> {
    let mut whole = BTreeMap::new();
    for kind in ScanKind::ALL {
        let a = bench.scan(kind, &Prior::default()).await;
        assert_eq!(a.outcome, RunOutcome::Succeeded, "{kind}: {:?}", a.fault);
        whole.insert(kind, a);
    }
    let mut doubts = BTreeMap::new();
    for permission in &bench.permissions {
        (bench.withdraw)(Some(permission));
        for kind in ScanKind::ALL {
            let before = &whole[&kind];
            let failing: Vec<_> = before.results.iter().filter(|r| r.outcome == Outcome::Fail).collect();
            let ids: Vec<FindingId> = (0..failing.len()).map(|n| FindingId::new(format!("f{n}"))).collect();
            let open = failing.iter().zip(&ids);
            let open =
                open.map(|(r, id)| PriorFinding { id, check: &r.check, resource: &r.resource }).collect();
            let after = bench.scan(kind, &Prior { open, ..Prior::default() }).await;
            let what = format!("{kind} of {} without {permission}", bench.app().id);
            Pair { what, permission, auth: bench.auth(), app: bench.app(), before, after: &after }.holds();
            let of = |a: &Assessment| -> BTreeMap<_, _> {
                a.tallies.iter().map(|t| (t.check.clone(), t.inconclusive)).collect()
            };
            let were = of(before);
            let more = of(&after).iter().filter(|(check, n)| **n > were[*check]).count();
            *doubts.entry(permission.clone()).or_default() += more;
        }
        (bench.withdraw)(None);
    }
    doubts
}

/// The permissions whose loss nothing would notice.
fn unnoticed(doubts: &BTreeMap<String, usize>) -> Vec<&str> {
    doubts.iter().filter(|(_, n)| **n == 0).map(|(permission, _)| permission.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn github() {
    let bench = tenants::github().await;
    let doubts = withdraw_all(&bench).await;
    assert!(doubts["members:read"] > 0 && doubts["administration:read"] > 0, "{doubts:?}");
    (bench.withdraw)(Some("members:read"));
    let accounts = bench.scan(ScanKind::Accounts, &Prior::default()).await;
    assert_ne!(accounts.outcome, RunOutcome::Succeeded, "the accounts cannot be read without members:read");
}

#[tokio::test(flavor = "multi_thread")]
async fn okta() {
    let bench = tenants::okta().await;
    let doubts = withdraw_all(&bench).await;
    assert_eq!(unnoticed(&doubts), Vec::<&str>::new(), "{doubts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn microsoft365() {
    let bench = tenants::microsoft365().await;
    // What is read by choice alone is answered as well: nothing is chosen in vain.
    for kind in ScanKind::ALL {
        let gaps = bench.scan(kind, &Prior::default()).await.gaps;
        assert_eq!(gaps, Vec::new(), "{kind}");
    }
    let doubts = withdraw_all(&bench).await;
    assert!(doubts["User.Read.All"] > 0 && doubts["Application.Read.All"] > 0, "{doubts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn google() {
    let bench = tenants::google().await;
    let doubts = withdraw_all(&bench).await;
    let scope = |name: &str| doubts[&format!("https://www.googleapis.com/auth/{name}")];
    assert!(
        scope("admin.directory.user.readonly") > 0 && scope("cloud-identity.policies.readonly") > 0,
        "{doubts:?}"
    );
}
