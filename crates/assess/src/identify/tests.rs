//! The laws of matching.

use model::identity::{Directory, MAX_AGE, State};
use model::time::Duration;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::directories::LOOKED_UP;

const NOW: Timestamp = Timestamp(1_769_817_600_000);

fn identity(id: &str, address: &str, state: State) -> Identity {
    Identity {
        id: id.into(),
        username: Some(address.to_owned()),
        addresses: vec![address.to_owned()],
        state: Some(state),
        seen_at: NOW - Duration::hours(1),
        ..Identity::default()
    }
}

fn directory(id: &str, identities: Vec<Identity>) -> Directory {
    Directory {
        id: id.into(),
        name: id.to_uppercase(),
        max_age: MAX_AGE,
        complete_at: Some(NOW - Duration::hours(1)),
        identities,
    }
}

fn account(fields: Json) -> Record {
    Record::from_json(&fields, &SHAPE)
}

/// The match in one line; every field is mapped.
fn says(all: &Directories, record: &Record, links: &[(&str, &IdentityKey)], own: Option<&str>) -> String {
    let own: Option<DirectoryId> = own.map(Into::into);
    let known = Identities {
        directories: Some(all),
        own: own.as_ref(),
        links: links.iter().map(|(account, key)| (*account, *key)).collect(),
    };
    match whose(&known, record, &|_| true, NOW) {
        Whose::Of { key, by, standing: Standing::Is(state), .. } => {
            format!("{key} by {}: {}", by.as_str(), state.as_str())
        }
        Whose::Of { key, by, standing: Standing::Unknown(why), .. } => {
            format!("{key} by {}: {why}", by.as_str())
        }
        Whose::Nobody => "nobody".to_owned(),
        Whose::Unknown(why) => format!("unknown: {why}"),
        Whose::Lacks(field) => format!("unknown: {field}"),
    }
}

fn one(all: &Directories, fields: Json) -> String {
    says(all, &account(fields), &[], None)
}

/// Nothing about how it is recognised is left open.
fn told(mut fields: Json) -> Json {
    let object = fields.as_object_mut().expect("an object");
    for name in KEYS {
        object.entry(name).or_insert(Json::Null);
    }
    fields
}

fn staff() -> Directories {
    let mut alice = identity("1", "Alice@Example.com", State::Active);
    alice.aliases = vec!["a.smith@example.com".to_owned()];
    alice.other_ids = vec!["S-1-5-7".to_owned()];
    let gone = identity("3", "carol@example.com", State::Suspended);
    Directories::new(&[directory("d", vec![alice, identity("2", "bob@example.com", State::Active), gone])])
}

#[test]
fn the_strongest_mark_decides_and_is_named() {
    let all = staff();
    assert_eq!(
        one(&all, json!({"idp_id": "S-1-5-7", "emails_verified": ["bob@example.com"]})),
        "d/1 by immutable id: active"
    );
    assert_eq!(
        one(&all, json!({"emails_verified": ["ALICE@example.COM"]})),
        "d/1 by verified e-mail: active"
    );
    assert_eq!(one(&all, json!({"idp_id": "bob@example.com"})), "d/2 by verified e-mail: active");
    assert_eq!(one(&all, json!({"emails_verified": ["a.smith@example.com"]})), "d/1 by alias: active");
    assert_eq!(one(&all, json!({"aliases": ["bob@example.com"]})), "d/2 by alias: active");
    assert_eq!(one(&all, json!({"idp_id": "3"})), "d/3 by immutable id: suspended");
    assert_eq!(
        one(&all, json!({"email": "bob@example.com", "idp_linked": true})),
        "d/2 by the application says so: active"
    );
    let key = IdentityKey { directory: "d".into(), id: "2".to_owned() };
    let by_hand = |fields| says(&all, &account(fields), &[("x", &key)], None);
    assert_eq!(by_hand(json!({"id": "x", "username": "bobby"})), "d/2 by linked by hand: active");
    assert_eq!(by_hand(json!({"id": "y", "username": "bobby"})), format!("unknown: {}", KEYS[0]));
    assert_eq!(
        by_hand(json!({"id": "x", "idp_id": "1"})),
        "d/1 by immutable id: active",
        "what never changes is stronger than a word"
    );
}

#[test]
fn an_unverified_address_proves_nothing() {
    let all = staff();
    for fields in [json!({"email": "alice@example.com"}), json!({"username": "a.smith@example.com"})] {
        assert_eq!(one(&all, told(fields.clone())), format!("unknown: {LOOKS_LIKE}"));
        let mut fields = told(fields);
        fields["idp_linked"] = json!(false);
        assert_eq!(one(&all, fields), format!("unknown: {LOOKS_LIKE}"), "nor is it nobody's");
    }
}

#[test]
fn nobody_is_what_is_known_to_be_nobody() {
    let all = staff();
    assert_eq!(one(&all, told(json!({"email": "mallory@example.org"}))), "nobody");
    assert_eq!(one(&all, told(json!({"emails_verified": []}))), "nobody");
    assert_eq!(one(&all, json!({"idp_linked": false})), "nobody", "the application says so");
    assert_eq!(one(&all, told(json!({"idp_linked": true}))), format!("unknown: {NOT_FOUND}"));
    assert_eq!(one(&all, json!({"email": "mallory@example.org"})), "unknown: idp_id");
    assert_eq!(
        one(&all, told(json!({"emails_verified": {"$incomplete": ["mallory@example.org"]}}))),
        "unknown: emails_verified",
        "there may be another address"
    );
    let known = Identities { directories: Some(&all), ..Identities::default() };
    let mute = account(json!({"id": "7", "username": "svc"}));
    assert_eq!(whose(&known, &mute, &|_| false, NOW), Whose::Unknown(NO_MARK.to_owned()));
    let plain = account(json!({"id": "7", "username": "mallory@example.org"}));
    assert_eq!(
        whose(&known, &plain, &|_| false, NOW),
        Whose::Nobody,
        "what an application never tells is not missed"
    );
}

#[test]
fn two_that_fit_are_none() {
    let twins = vec![
        identity("1", "info@example.com", State::Active),
        identity("2", "info@example.com", State::Suspended),
    ];
    let all = Directories::new(&[directory("d", twins)]);
    let fields = || account(told(json!({"id": "x", "emails_verified": ["info@example.com"]})));
    assert_eq!(says(&all, &fields(), &[], None), format!("unknown: {SEVERAL}"));
    let key = IdentityKey { directory: "d".into(), id: "2".to_owned() };
    assert_eq!(says(&all, &fields(), &[("x", &key)], None), "d/2 by linked by hand: suspended");
    // Whoever is gone makes way.
    let passed_on = vec![
        identity("1", "info@example.com", State::Removed),
        identity("2", "info@example.com", State::Active),
    ];
    let all = Directories::new(&[directory("d", passed_on)]);
    assert_eq!(says(&all, &fields(), &[], None), "d/2 by verified e-mail: active");
}

#[test]
fn a_link_to_somebody_who_is_gone_is_a_leavers() {
    let all = staff();
    let key = IdentityKey { directory: "d".into(), id: "9".to_owned() };
    let fields = account(json!({"id": "x", "username": "old"}));
    assert_eq!(says(&all, &fields, &[("x", &key)], None), "d/9 by linked by hand: removed");
    let other = IdentityKey { directory: "e".into(), id: "9".to_owned() };
    assert_eq!(
        says(&all, &fields, &[("x", &other)], None),
        "unknown: idp_id",
        "e is not an identity provider any more"
    );
}

#[test]
fn what_is_too_old_decides_nothing() {
    let mut old = directory("d", vec![identity("1", "alice@example.com", State::Active)]);
    old.complete_at = Some(NOW - Duration::hours(49));
    old.identities[0].seen_at = NOW - Duration::hours(49);
    let all = Directories::new(std::slice::from_ref(&old));
    let matched = one(&all, json!({"emails_verified": ["alice@example.com"]}));
    assert!(
        matched.starts_with("d/1 by verified e-mail: what the identity provider D said is from 2026-01-28T"),
        "{matched}"
    );
    let other = one(&all, told(json!({"email": "x@example.org"})));
    assert!(other.contains("longer ago than 2 days"), "{other}");
    old.complete_at = None;
    old.identities[0].seen_at = NOW;
    let all = Directories::new(&[old]);
    assert_eq!(one(&all, json!({"idp_id": "1"})), "d/1 by immutable id: active", "it was seen just now");
    let other = one(&all, told(json!({"email": "x@example.org"})));
    assert!(other.contains("has not been read to its end yet"), "{other}");
}

#[test]
fn one_person_at_two_identity_providers_is_one() {
    let hr = directory(
        "hr",
        vec![
            identity("7", "alice@example.com", State::Suspended),
            identity("8", "bob@example.com", State::Active),
        ],
    );
    let mut second = identity("u1", "alice@example.com", State::Active);
    second.aliases = vec!["alice@old.example.com".to_owned()];
    let sso = directory("sso", vec![second, identity("u3", "guest@example.com", State::Active)]);
    let all = Directories::new(&[hr, sso]);
    assert_eq!(
        one(&all, json!({"emails_verified": ["alice@old.example.com"]})),
        "hr/7 by alias: active",
        "live at one of them"
    );
    let own = |fields| says(&all, &account(fields), &[], Some("sso"));
    assert_eq!(
        own(json!({"id": "u1", "username": "alice@example.com", "state": "active"})),
        "hr/7 by verified e-mail: suspended",
        "her account at the second is a leaver's by the first"
    );
    assert_eq!(
        own(json!({"id": "u3", "username": "guest@example.com", "state": "active"})),
        "sso/u3 by the identity provider itself: active"
    );
    assert_eq!(
        says(
            &all,
            &account(json!({"id": "7", "username": "alice@example.com", "state": "suspended"})),
            &[],
            Some("hr")
        ),
        "hr/7 by the identity provider itself: suspended"
    );
}

/// The second provider's first identity brings one back to life whom the first provider removed; its second identity is looked
/// for among those of the first provider as they were, whichever comes first.
#[test]
fn what_a_provider_adds_does_not_change_whom_its_others_are() {
    let first = directory(
        "d",
        vec![identity("1", "a@x.org", State::Removed), identity("2", "b@x.org", State::Active)],
    );
    let mut both = identity("8", "c@x.org", State::Active);
    both.other_ids = vec!["1".to_owned(), "2".to_owned()];
    let again = identity("1", "a@x.org", State::Active);
    for second in [vec![again.clone(), both.clone()], vec![both, again]] {
        let all = Directories::new(&[first.clone(), directory("e", second)]);
        assert_eq!(one(&all, json!({"idp_id": "8"})), "d/2 by immutable id: active");
    }
}

#[test]
fn without_an_identity_provider_nothing_is_known() {
    let empty = Directories::default();
    assert_eq!(
        one(&empty, json!({"idp_id": "1", "idp_linked": false})),
        format!("unknown: {NONE_ONBOARDED}")
    );
    let none = whose(&Identities::default(), &account(json!({"idp_linked": false})), &|_| true, NOW);
    assert_eq!(none, Whose::Unknown(NONE_ONBOARDED.to_owned()));
}

/// Ten thousand accounts among ten thousand identities: a few look-ups each, none of them through everybody.
#[test]
fn the_work_grows_with_the_accounts_alone() {
    let many: Vec<Identity> =
        (0..10_000).map(|n| identity(&n.to_string(), &format!("p{n}@example.com"), State::Active)).collect();
    let all = Directories::new(&[directory("d", many)]);
    LOOKED_UP.with(|n| n.set(0));
    for n in 0..10_000 {
        let fields =
            json!({"id": "x", "idp_id": format!("x{n}"), "emails_verified": [format!("P{n}@example.com")]});
        assert_eq!(one(&all, fields), format!("d/{n} by verified e-mail: active"));
    }
    let looked_up = LOOKED_UP.with(std::cell::Cell::get);
    assert!(looked_up <= 10_000 * 6, "{looked_up} look-ups for 10,000 accounts");
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a@x.org", "B@x.org", "b@x.org", "c@x.org", "1", "2", "3", ""])
        .prop_map(str::to_owned)
}

fn optional() -> impl Strategy<Value = Json> {
    prop_oneof![Just(json!({"$unknown": true})), Just(Json::Null), text().prop_map(Json::from)]
}

fn some() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(json!({"$unknown": true})),
        Just(Json::Null),
        prop::collection::vec(text(), 0..3).prop_map(Json::from),
        prop::collection::vec(text(), 0..3).prop_map(|items| json!({"$incomplete": items})),
    ]
}

fn state() -> impl Strategy<Value = Option<State>> {
    prop::option::of(prop::sample::select(State::ALL.to_vec()))
}

prop_compose! {
    fn somebody()(
        addresses in prop::collection::vec(text(), 0..3), aliases in prop::collection::vec(text(), 0..2),
        other in text(), state in state(), hours in 0i64..80,
    ) -> Identity {
        Identity {
            other_ids: vec![other],
            addresses,
            aliases,
            state,
            seen_at: NOW - Duration::hours(hours),
            ..Identity::default()
        }
    }
}

fn people() -> impl Strategy<Value = Vec<Identity>> {
    prop::collection::vec(somebody(), 0..5).prop_map(|mut all| {
        for (n, identity) in all.iter_mut().enumerate() {
            identity.id = (n + 1).to_string();
        }
        all
    })
}

fn directories() -> impl Strategy<Value = Vec<Directory>> {
    let one = (people(), prop::option::of(0i64..80));
    prop::collection::vec(one, 0..3).prop_map(|all| {
        let one = |(n, (identities, hours)): (usize, (Vec<Identity>, Option<i64>))| {
            let complete_at = hours.map(|hours| NOW - Duration::hours(hours));
            Directory { complete_at, ..directory(["d", "e", "f"][n], identities) }
        };
        all.into_iter().enumerate().map(one).collect()
    })
}

prop_compose! {
    fn accounts()(
        idp_id in optional(), email in optional(), username in text(), verified in some(), aliases in some(),
        linked in prop::sample::select(vec![json!({"$unknown": true}), json!(true), json!(false)]),
    ) -> Json {
        json!({"id": "x", "idp_id": idp_id, "email": email, "username": username, "emails_verified": verified,
            "aliases": aliases, "idp_linked": linked})
    }
}

fn match_of(all: &Directories, fields: &Json) -> Whose {
    whose(
        &Identities { directories: Some(all), ..Identities::default() },
        &account(fields.clone()),
        &|_| true,
        NOW,
    )
}

proptest! {
    /// Whoever is matched shares a mark that is vouched for with an identity; nothing matches by nothing.
    #[test]
    fn a_match_has_a_mark(of in directories(), fields in accounts()) {
        let Whose::Of { by, .. } = match_of(&Directories::new(&of), &fields) else { return Ok(()) };
        let told = |name: &str| -> Vec<String> {
            let list = &fields[name];
            let list = list.get("$incomplete").unwrap_or(list);
            let one = list.as_str().into_iter();
            one.chain(list.as_array().into_iter().flatten().filter_map(Json::as_str)).map(str::to_owned).collect()
        };
        let mut marks: Vec<String> = [told("idp_id"), told("emails_verified"), told("aliases")].concat();
        if by == By::Application {
            prop_assert_eq!(&fields["idp_linked"], &json!(true));
            marks.extend([told("email"), told("username")].concat());
        }
        let same = |a: &String, b: &String| !a.is_empty() && (a == b || address(a).is_some() && address(a) == address(b));
        let shared = of.iter().flat_map(|d| &d.identities).any(|i| {
            let mut theirs = vec![i.id.clone()];
            theirs.extend([&i.other_ids, &i.addresses, &i.aliases].into_iter().flatten().cloned());
            theirs.iter().any(|t| marks.iter().any(|m| same(m, t)))
        });
        prop_assert!(shared, "matched by {:?} with nothing in common", by);
    }

    /// An identity provider that cannot be believed gives neither a known state nor a known absence.
    #[test]
    fn what_cannot_be_believed_decides_nothing(mut of in directories(), fields in accounts()) {
        for directory in &mut of {
            directory.complete_at = None;
            directory.identities.iter_mut().for_each(|i| i.seen_at = NOW - MAX_AGE - Duration(1));
        }
        match match_of(&Directories::new(&of), &fields) {
            Whose::Of { standing: Standing::Unknown(_), .. } | Whose::Unknown(_) => {}
            other => prop_assert!(false, "{:?}", other),
        }
    }

    /// One that was not read to its end hides nobody's absence.
    #[test]
    fn a_part_makes_nobody_a_nobody(of in directories(), part in people(), fields in accounts()) {
        let mut of = of;
        of.push(Directory { complete_at: None, ..directory("z", part) });
        prop_assert_ne!(match_of(&Directories::new(&of), &fields), Whose::Nobody);
    }

    /// The order of identities and of an account's addresses changes nothing.
    #[test]
    fn order_does_not_count(of in directories(), fields in accounts()) {
        let mut turned = of.clone();
        for directory in &mut turned {
            directory.identities.reverse();
            for identity in &mut directory.identities {
                identity.addresses.reverse();
            }
        }
        let mut other = fields.clone();
        if let Some(list) = other["emails_verified"].as_array_mut() {
            list.reverse();
        }
        prop_assert_eq!(match_of(&Directories::new(&of), &fields), match_of(&Directories::new(&turned), &other));
    }

    /// What was not told, told, never turns a match into another or an absence into a match.
    #[test]
    fn an_unknown_flips_nothing(of in directories(), fields in accounts(), id in optional(), verified in some()) {
        let all = Directories::new(&of);
        let before = match_of(&all, &fields);
        let mut after = fields.clone();
        let unknown = |v: &Json| v.get("$unknown").is_some();
        if unknown(&after["idp_id"]) && unknown(&after["idp_linked"]) {
            after["idp_id"] = id;
        }
        if unknown(&after["emails_verified"]) && unknown(&after["idp_linked"]) {
            after["emails_verified"] = verified;
        }
        if before == Whose::Nobody {
            prop_assert_eq!(match_of(&all, &after), Whose::Nobody);
        }
    }
}

#[test]
fn who_has_left_is_known_by_a_word_that_may_be_believed() {
    let left = |all: &[Directory], mail: &str, now: Timestamp| {
        Directories::new(all)
            .departed(mail, now)
            .map(|left| format!("{} at {}", left.state.as_str(), left.provider))
    };
    let mut carol = identity("3", "carol@example.com", State::Suspended);
    carol.aliases = vec!["c.jones@example.com".to_owned()];
    let staff = directory("a", vec![identity("1", "ada@example.com", State::Active), carol.clone()]);
    let only = std::slice::from_ref(&staff);
    assert_eq!(left(only, " Carol@Example.com", NOW).as_deref(), Some("suspended at A"));
    assert_eq!(left(only, "c.jones@example.com", NOW).as_deref(), Some("suspended at A"));
    for nobody in ["ada@example.com", "zoe@example.com", "no address"] {
        assert_eq!(left(only, nobody, NOW), None, "{nobody}");
    }
    assert_eq!(left(&[], "carol@example.com", NOW), None, "no identity provider at all");
    // Its word ages: then nothing is known, which is not that she is back.
    let told = Directories::new(only).departed("carol@example.com", NOW).expect("she has left");
    assert_eq!(told.until, carol.seen_at + MAX_AGE);
    assert_eq!(left(only, "carol@example.com", told.until + Duration(1)), None);
    // Live at another one, or not told there.
    let elsewhere = |state: Option<State>| {
        let there = Identity { state, ..identity("9", "carol@example.com", State::Active) };
        left(&[staff.clone(), directory("b", vec![there])], "carol@example.com", NOW)
    };
    assert_eq!(elsewhere(Some(State::Active)), None);
    assert_eq!(elsewhere(None), None);
    assert_eq!(elsewhere(Some(State::Removed)).as_deref(), Some("suspended at A"), "the better word counts");
    // Gone, as of the last whole reading; never read whole, the last sight counts.
    let gone = Directory {
        complete_at: None,
        ..directory("a", vec![identity("3", "carol@example.com", State::Removed)])
    };
    assert_eq!(left(&[gone], "carol@example.com", NOW).as_deref(), Some("removed at A"));
    // An address that was given to somebody else belongs to whoever is there.
    let passed_on = directory(
        "a",
        vec![
            identity("3", "carol@example.com", State::Removed),
            identity("4", "carol@example.com", State::Active),
        ],
    );
    assert_eq!(left(&[passed_on], "carol@example.com", NOW), None);
    let two = directory("a", vec![carol.clone(), identity("4", "carol@example.com", State::Suspended)]);
    assert_eq!(left(&[two], "carol@example.com", NOW), None, "nobody knows whose it is");
}
