//! Since when records are there, told by nothing but the readings themselves.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use assess::{Detail, Instance, Prior, PriorDataset, assess, first_seen};
use catalog::{App, Catalog};
use common::{HOUR, NOW, answers, fault};
use model::dataset::{Availability, Cost, DatasetSnapshot, Snapshot};
use model::id::AppId;
use model::scan::{FailureCause, ScanKind};
use model::time::{Duration, Timestamp};
use model::value::{Record, Value};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

static APP: LazyLock<Arc<App>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/catalog");
    let loaded = Catalog::of_folder(&folder);
    assert!(loaded.errors.is_empty(), "{:#?}", loaded.errors);
    Arc::clone(loaded.catalog.app(&AppId::new("rules")).expect("the test application loads"))
});

/// A reading of the rules, given in JSON.
fn reading(revision: u32, at: Timestamp, json: &str) -> Snapshot {
    let spec = APP.dataset("rules").expect("it has rules");
    let json: serde_json::Value = serde_json::from_str(json).expect("test data is JSON");
    let rules = DatasetSnapshot {
        shape: Arc::clone(&spec.shape),
        key: spec.spec.key.clone(),
        records: json.as_array().expect("a list").iter().map(|r| Record::from_json(r, &spec.shape)).collect(),
        availability: Availability::Complete,
        collected_at: at,
        request: "GET https://api.example.com/rules".to_owned(),
        requests: 1,
    };
    Snapshot {
        app: APP.id.clone(),
        revision,
        kind: ScanKind::Config,
        started_at: at,
        finished_at: at,
        datasets: BTreeMap::from([("rules".to_owned(), rules)]),
        warnings: Vec::new(),
        cost: Cost::default(),
    }
}

/// What a reading finds of the one rule: whether it is enforced, where that is told. `None`: it is not there.
type State = Option<Option<bool>>;

/// How far a reading goes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Read {
    Whole,
    Part,
    Nothing,
}

/// The instants of the rule's four fields.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Known {
    since: Option<Timestamp>,
    since_at_latest: Option<Timestamp>,
    enforced_since: Option<Timestamp>,
    enforced_since_at_latest: Option<Timestamp>,
}

/// A tenant that is read again and again, keeping what a store keeps: the last complete reading.
struct Tenant {
    revision: u32,
    kept: Option<(u32, DatasetSnapshot)>,
}

impl Tenant {
    const fn new() -> Self {
        Self { revision: 3, kept: None }
    }

    /// Reads the rules, given in JSON, and tells what is known of the first.
    fn reads(&mut self, at: Timestamp, json: &str, read: Read) -> Option<Known> {
        let mut snapshot = reading(self.revision, at, json);
        let data = snapshot.datasets.get_mut("rules").expect("it was put there");
        match read {
            Read::Whole => {}
            Read::Part => {
                data.availability = Availability::Partial { fault: fault(FailureCause::Remote, "502") };
            }
            Read::Nothing => {
                data.records.clear();
                data.availability = Availability::Unavailable { fault: fault(FailureCause::Remote, "502") };
            }
        }
        let kept =
            self.kept.iter().map(|(revision, data)| ("rules", PriorDataset { revision: *revision, data }));
        let prior = Prior { datasets: kept.collect(), ..Prior::default() };
        first_seen(&mut snapshot, &APP, &prior);
        let data = snapshot.datasets.remove("rules").expect("it was put there");
        let known = data.records.first().map(|record| {
            let at = |name: &str| match record.get(&data.shape, name) {
                Value::Timestamp(at) => Some(*at),
                Value::Unknown => None,
                other => panic!("{name} is {other:?}"),
            };
            Known {
                since: at("since"),
                since_at_latest: at("since_at_latest"),
                enforced_since: at("enforced_since"),
                enforced_since_at_latest: at("enforced_since_at_latest"),
            }
        });
        if read == Read::Whole {
            self.kept = Some((self.revision, data));
        }
        known
    }

    fn rule(&mut self, at: Timestamp, state: State, read: Read) -> Option<Known> {
        let json = match state {
            None => "[]",
            Some(None) => r#"[{"id": 7}]"#,
            Some(Some(true)) => r#"[{"id": 7, "enforced": true}]"#,
            Some(Some(false)) => r#"[{"id": 7, "enforced": false}]"#,
        };
        self.reads(at, json, read)
    }
}

const ON: State = Some(Some(true));
const OFF: State = Some(Some(false));

fn hour(n: i64) -> Timestamp {
    NOW + Duration::hours(n)
}

fn at(n: i64) -> Option<Timestamp> {
    Some(hour(n))
}

#[test]
fn what_was_there_from_the_first_reading_on_is_known_at_latest_alone() {
    let mut tenant = Tenant::new();
    for n in 0..5 {
        let known = tenant.rule(hour(n), ON, Read::Whole).expect("it is there");
        let always = Known {
            since: None,
            since_at_latest: at(0),
            enforced_since: None,
            enforced_since_at_latest: at(0),
        };
        assert_eq!(known, always, "reading {n}");
    }
}

#[test]
fn what_comes_and_what_changes_is_known_exactly() {
    let mut tenant = Tenant::new();
    assert_eq!(tenant.rule(hour(0), None, Read::Whole), None);
    let came = Known {
        since: at(1),
        since_at_latest: at(1),
        enforced_since: at(1),
        enforced_since_at_latest: at(1),
    };
    assert_eq!(tenant.rule(hour(1), ON, Read::Whole), Some(came));
    assert_eq!(tenant.rule(hour(2), ON, Read::Whole), Some(came));
    let changed = Known { enforced_since: at(3), enforced_since_at_latest: at(3), ..came };
    assert_eq!(tenant.rule(hour(3), OFF, Read::Whole), Some(changed));
    assert_eq!(tenant.rule(hour(4), OFF, Read::Whole), Some(changed));
    // Gone and back: a new life.
    assert_eq!(tenant.rule(hour(5), None, Read::Whole), None);
    let back = Known {
        since: at(6),
        since_at_latest: at(6),
        enforced_since: at(6),
        enforced_since_at_latest: at(6),
    };
    assert_eq!(tenant.rule(hour(6), OFF, Read::Whole), Some(back));
}

#[test]
fn what_came_in_a_long_gap_is_not_known_exactly() {
    for (gap, exact) in [(48, at(48)), (49, None)] {
        let mut tenant = Tenant::new();
        tenant.rule(hour(0), None, Read::Whole);
        for later in [0, 1, 2] {
            let known = tenant.rule(hour(gap + later), ON, Read::Whole).expect("it is there");
            assert_eq!((known.since, known.enforced_since), (exact, exact), "{gap}");
            assert_eq!(known.since_at_latest, at(gap), "{gap}");
        }
    }
}

#[test]
fn readings_that_are_not_whole_neither_begin_nor_end_anything() {
    let mut tenant = Tenant::new();
    tenant.rule(hour(0), None, Read::Part);
    let known = tenant.rule(hour(1), ON, Read::Whole).expect("it is there");
    assert_eq!((known.since, known.since_at_latest), (None, at(1)), "a part without it shows nothing");
    tenant.rule(hour(2), None, Read::Part);
    tenant.rule(hour(3), None, Read::Nothing);
    let known = tenant.rule(hour(4), ON, Read::Whole).expect("it is there");
    assert_eq!((known.since, known.since_at_latest), (None, at(1)));
    // Seen in a part, it is there; that it has just come is for a whole reading to tell.
    let mut tenant = Tenant::new();
    tenant.rule(hour(0), None, Read::Whole);
    let known = tenant.rule(hour(1), ON, Read::Part).expect("it is there");
    assert_eq!((known.since, known.since_at_latest), (None, at(1)));
}

#[test]
fn records_that_cannot_be_told_apart_have_no_age() {
    let nothing =
        Known { since: None, since_at_latest: None, enforced_since: None, enforced_since_at_latest: None };
    let mut tenant = Tenant::new();
    tenant.reads(hour(0), "[]", Read::Whole);
    let twice = r#"[{"id": 7, "enforced": true}, {"id": 7, "enforced": false}]"#;
    assert_eq!(tenant.reads(hour(1), twice, Read::Whole), Some(nothing));
    assert_eq!(tenant.reads(hour(2), r#"[{"enforced": true}]"#, Read::Whole), Some(nothing), "without a key");
    // Among records without a key it may have been all the time.
    let known = tenant.rule(hour(3), ON, Read::Whole).expect("it is there");
    assert_eq!((known.since, known.since_at_latest), (None, at(3)));
    let mut tenant = Tenant::new();
    tenant.reads(hour(0), twice, Read::Whole);
    let known = tenant.rule(hour(1), ON, Read::Whole).expect("it is there");
    assert_eq!((known.since, known.enforced_since), (None, None), "which of the two it was cannot be told");
}

#[test]
fn another_revision_of_the_manifest_begins_anew() {
    let mut tenant = Tenant::new();
    tenant.rule(hour(0), None, Read::Whole);
    tenant.rule(hour(1), ON, Read::Whole);
    tenant.revision = 4;
    let known = tenant.rule(hour(2), ON, Read::Whole).expect("it is there");
    assert_eq!((known.since, known.since_at_latest), (None, at(2)));
}

#[test]
fn a_clock_that_was_wrong_makes_nothing_young() {
    let mut tenant = Tenant::new();
    tenant.rule(hour(1000), None, Read::Whole);
    tenant.rule(hour(1001), ON, Read::Whole);
    let known = tenant.rule(hour(2), ON, Read::Whole).expect("it is there");
    assert_eq!((known.since, known.since_at_latest), (None, at(2)));
    // A reading that is said to be of later than this one shows nothing of before.
    let mut tenant = Tenant::new();
    tenant.rule(hour(5), None, Read::Whole);
    assert_eq!(tenant.rule(hour(4), ON, Read::Whole).expect("it is there").since, None);
}

#[test]
fn a_scan_that_knows_nothing_of_before_says_so() {
    let snapshot = reading(3, NOW, r#"[{"id": 7, "enforced": false}]"#);
    let nothing = (BTreeMap::new(), BTreeMap::new());
    let instance =
        Instance { tenant_uid: "t", auth: "token", settings: &nothing.0, params: &nothing.1, interval: HOUR };
    let assessment = assess(&snapshot, &APP, &instance, &Prior::default(), NOW, Detail::All);
    assert_eq!(
        answers(&assessment),
        [
            "rules/not-off-long 7: inconclusive: enforced_since_at_latest is not known (no earlier scan is known here), \
          enforced_since is not known (no scan has seen it begin)"
        ]
    );
}

/// What the complete readings so far and the present one tell, looked at all together.
fn oracle(
    before: &[(Timestamp, State)],
    now: (Timestamp, State),
    read: Read,
    same: &dyn Fn(State) -> Option<bool>,
) -> [Option<Timestamp>; 2] {
    if same(now.1) != Some(true) {
        return [None, None];
    }
    let (mut first, mut first_is_whole) = (now.0, read == Read::Whole);
    let mut earlier = before.iter().rev();
    let without = loop {
        match earlier.next() {
            Some((at, state)) if same(*state) == Some(true) => (first, first_is_whole) = (*at, true),
            other => break other,
        }
    };
    let seen =
        without.is_some_and(|(at, state)| same(*state) == Some(false) && first - *at <= Duration::hours(48));
    [(seen && first_is_whole).then_some(first), Some(first)]
}

proptest! {
    #![proptest_config(Config { cases: 1500, rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..Config::default() })]

    /// The laws. What was never seen to be absent is never "exactly"; no reading that was not whole makes anything so; what
    /// is known at latest claims no more time than the readings in a row show; where both are known, they agree.
    #[test]
    fn what_is_known_is_what_the_readings_show(readings in prop::collection::vec((1..70i64, 0..4usize, 0..6usize), 1..14)) {
        let mut tenant = Tenant::new();
        let (mut whole, mut now): (Vec<(Timestamp, State)>, Timestamp) = (Vec::new(), NOW);
        for (gap, state, read) in readings {
            now = now + Duration::hours(gap);
            let state = [None, Some(None), ON, OFF][state];
            let read = [Read::Whole, Read::Whole, Read::Whole, Read::Whole, Read::Part, Read::Nothing][read];
            if let Some(known) = tenant.rule(now, state, read) {
                let there = oracle(&whole, (now, state), read, &|state| Some(state.is_some()));
                let value = state.flatten();
                let with = |other: State| match (other, value) {
                    (_, None) | (Some(None), _) => None,
                    (None, Some(_)) => Some(false),
                    (Some(Some(other)), Some(value)) => Some(other == value),
                };
                let enforced = oracle(&whole, (now, state), read, &with);
                prop_assert_eq!([known.since, known.since_at_latest], there);
                prop_assert_eq!([known.enforced_since, known.enforced_since_at_latest], enforced);
                for (exact, bound) in
                    [(known.since, known.since_at_latest), (known.enforced_since, known.enforced_since_at_latest)]
                {
                    prop_assert!(exact.is_none() || exact == bound);
                    prop_assert!(bound.is_none_or(|bound| bound <= now));
                }
                let ever_without = whole.iter().any(|(_, state)| state.is_none());
                prop_assert!(known.since.is_none() || ever_without, "never seen to be absent");
            }
            if read == Read::Whole {
                whole.push((now, state));
            }
        }
    }
}
