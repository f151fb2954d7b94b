//! Datasets that are worked out: what holds of inherited settings, and the latest of each key.

use std::sync::Arc;

use collect::Done;
use model::dataset::Availability;
use model::scan::FailureCause;
use serde_json::{Value as Json, json};

use crate::support::*;

const UNITS: &str = r#"
[[dataset]]
name = "units"
title = "Units"
scans = ["config"]
docs = "https://docs.example.com/units"
key = "id"
request = [{ path = "/units" }]
field = [{ name = "id", type = "string" }, { name = "parent", type = "string", null = "absent", missing = "absent" }]
"#;

const SETTINGS: &str = r#"
[[dataset]]
name = "settings"
title = "Settings"
scans = ["config"]
required = ["config"]
docs = "https://docs.example.com/settings"
request = [{ path = "/settings" }]
field = [
    { name = "name", type = "string" },
    { name = "unit", type = "string", null = "absent" },
    { name = "team", type = "string", missing = "absent" },
    { name = "order", type = "int" },
    { name = "value", type = "map<bool>" },
    { name = "by", type = "string", missing = "absent" },
]
"#;

const EFFECTIVE: &str = r#"
[[dataset]]
name = "effective"
title = "What holds"
scans = ["config"]
docs = "https://docs.example.com/settings"
key = "id"
resolve = { from = "settings", setting = "name", unit = "unit", alone = "team", rank = "order", merge = "value", tree = "units", parent = "parent", defaults = "defaults.toml" }
field = [
    { name = "id", type = "string", each = "@key" },
    { name = "unit", type = "string", each = "@unit" },
    { name = "setting", type = "string", each = "@setting" },
    { name = "source", type = "string", each = "@source" },
    { name = "value", type = "map<bool>" },
    { name = "made_by", type = "string", each = "by" },
]
"#;

const DEFAULTS: &str = r#"
[[default]]
setting = "sharing"
source = "https://docs.example.com/defaults"
fields = { value = { outside = true, links = true } }

[[default]]
setting = "mail"
source = "https://docs.example.com/defaults"
fields = { value = { forward = false } }
"#;

fn tree() -> Json {
    // Listed with a child before its parent.
    json!([{ "id": "it", "parent": "staff" }, { "id": "root", "parent": null }, { "id": "staff", "parent": "root" }])
}

async fn holds(units: Answer, settings: Json) -> Box<Done> {
    let app = resolving();
    let server = Server::start(move |seen| match seen.path.as_str() {
        "/api/units" => units.clone(),
        _ => json(settings.clone()),
    })
    .await;
    let done = run(&app, &server).await;
    // What is worked out is not asked for.
    assert!(server.paths().iter().all(|p| p == "/api/units" || p == "/api/settings"));
    done
}

fn resolving() -> Arc<catalog::App> {
    app_with(&manifest(&[UNITS, SETTINGS, EFFECTIVE].concat()), &[("defaults.toml", DEFAULTS)])
}

/// `unit/setting source value`, as one line each.
fn lines(done: &Done) -> Vec<String> {
    let effective = dataset(done, "effective");
    assert!(effective.availability.is_complete(), "{:?}", effective.availability);
    records(effective)
        .iter()
        .map(|r| format!("{} {} {}", r["id"].as_str().unwrap(), r["source"].as_str().unwrap(), r["value"]))
        .collect()
}

#[tokio::test]
async fn units_inherit_what_is_set_above_them() {
    let settings = json!([
        { "name": "sharing", "unit": "root", "order": 1, "value": { "outside": false }, "by": "ann" },
        { "name": "sharing", "unit": "it", "order": 1, "value": { "outside": true } },
        { "name": "sharing", "unit": "it", "order": 2, "value": { "links": false }, "by": "bob" },
        { "name": "sharing", "unit": null, "team": "board", "order": 9, "value": { "outside": true } },
        { "name": "two_factor", "unit": null, "order": 1, "value": { "on": true } },
    ]);
    let done = holds(json(tree()), settings).await;
    assert_eq!(
        lines(&done),
        [
            // Nobody set it: the default.
            r#"it/mail default {"forward":false}"#,
            // The higher rank wins in the unit; what it leaves open comes from above, then from the default.
            r#"it/sharing it {"links":false,"outside":false}"#,
            r#"it/two_factor top {"on":true}"#,
            r#"root/mail default {"forward":false}"#,
            r#"root/sharing root {"links":true,"outside":false}"#,
            r#"root/two_factor top {"on":true}"#,
            r#"staff/mail default {"forward":false}"#,
            r#"staff/sharing root {"links":true,"outside":false}"#,
            r#"staff/two_factor top {"on":true}"#,
            // What stands beside the units inherits nothing: its members are in different units.
            r#"board/sharing board {"outside":true}"#,
        ]
    );
    let made = |id: &str| {
        let all = records(dataset(&done, "effective"));
        all.iter().find(|r| r["id"] == id).map(|r| r["made_by"].clone())
    };
    assert_eq!(made("it/sharing"), Some(json!("bob")));
    assert_eq!(made("staff/sharing"), Some(json!("ann")));
    // Evidence is where the settings were read.
    assert!(dataset(&done, "effective").request.ends_with("/api/settings"));
}

#[tokio::test]
async fn what_could_change_what_holds_makes_it_unknown() {
    let one = |change: Json| {
        let mut setting = json!({ "name": "mail", "unit": "it", "order": 1, "value": { "forward": true } });
        for (key, value) in change.as_object().unwrap() {
            setting[key] = value.clone();
        }
        setting
    };
    let plain = || one(json!({}));
    for (units, settings, words) in [
        (tree(), json!([one(json!({ "unit": {} }))]), "For which unit"),
        (tree(), json!([one(json!({ "name": {} }))]), "`name` of a setting"),
        (tree(), json!([one(json!({ "team": [] }))]), "`team` of `mail`"),
        (tree(), json!([plain(), one(json!({ "value": {} }))]), "which wins"),
        (tree(), json!([plain(), one(json!({ "order": "x" }))]), "which wins"),
        (json!([{ "id": "it", "parent": "lost" }]), json!([plain()]), "`lost`"),
        (json!([{ "id": "it", "parent": "b" }, { "id": "b", "parent": "it" }]), json!([plain()]), "circle"),
        (json!([{ "id": "it", "parent": {} }]), json!([plain()]), "above the unit"),
    ] {
        let done = holds(json(units), settings).await;
        let effective = dataset(&done, "effective");
        assert!(effective.records.is_empty());
        let fault = fault(effective);
        assert_eq!(fault.cause, FailureCause::Protocol);
        assert!(fault.detail.contains(words), "{}", fault.detail);
    }
    // The same where the units could not be read, with the cause of that.
    let done = holds(error(403, "no"), json!([plain()])).await;
    let effective = dataset(&done, "effective");
    assert_eq!(fault(effective).cause, FailureCause::Permission);
    assert!(matches!(effective.availability, Availability::Unavailable { .. }));
}

#[tokio::test]
async fn what_the_tree_does_not_name_is_told_by_itself() {
    let settings = json!([
        { "name": "sharing", "unit": "gone", "order": 1, "value": { "outside": true } },
        { "name": "sharing", "unit": "root", "order": 1, "value": { "outside": false } },
    ]);
    let done = holds(json(json!([{ "id": "root", "parent": null }])), settings).await;
    assert_eq!(
        lines(&done),
        [
            r#"root/mail default {"forward":false}"#,
            r#"root/sharing root {"links":true,"outside":false}"#,
            r#"gone/sharing gone {"outside":true}"#,
        ]
    );
}

/// Units with names, settings for parts of them, and flat values.
const FLAT: &str = r#"
[[dataset]]
name = "units"
title = "Units"
scans = ["config"]
docs = "https://docs.example.com/units"
key = "id"
request = [{ path = "/units" }]
field = [
    { name = "id", type = "string", transform = [{ after = ":" }] },
    { name = "parent", type = "string", transform = [{ after = ":" }], null = "absent", missing = "absent" },
    { name = "path", type = "string" },
]

[[dataset]]
name = "settings"
title = "Settings"
scans = ["config"]
required = ["config"]
never_empty = true
docs = "https://docs.example.com/settings"
key = "id"
request = [{ path = "/settings/{date_days_ago_2}", records = "all", empty_with = "kind", paging = { kind = "cursor", at = "next", param = "after" }, query = { since = "{days_ago_3}" } }]
field = [
    { name = "id", type = "string", path = "order" },
    { name = "name", type = "string" },
    { name = "unit", type = "string" },
    { name = "licence", type = "string", path = "query", transform = [{ between = ["licence('", "')"] }], missing = "absent", null = "absent" },
    { name = "order", type = "double" },
    { name = "on", type = "bool" },
    { name = "length", type = "int" },
]

[[dataset]]
name = "effective"
title = "What holds"
scans = ["config"]
docs = "https://docs.example.com/settings"
key = "id"
resolve = { from = "settings", only = ["mail.forward", "mail.*.off"], setting = "name", unit = "unit", part = "licence", rank = "order", merge = "*", tree = "units", parent = "parent", names = { units = "path" }, defaults = "defaults.toml" }
field = [
    { name = "id", type = "string", each = "@key" },
    { name = "unit", type = "string", each = "@name" },
    { name = "source", type = "string", each = "@source" },
    { name = "on", type = "bool" },
    { name = "length", type = "int" },
]
"#;

const FLAT_DEFAULTS: &str = r#"
known = ["mail.forward", "mail.*.off", "chat.history"]

[[default]]
setting = "mail.forward"
source = "https://docs.example.com/defaults"
fields = { on = true, length = 8 }
"#;

async fn flat(settings: Json) -> (Box<Done>, Vec<String>) {
    let app = app_with(&manifest(FLAT), &[("defaults.toml", FLAT_DEFAULTS)]);
    let server = Server::start(move |seen| match seen.path.as_str() {
        "/api/units" => {
            json(json!([{ "id": "id:r", "path": "/" }, { "id": "id:s", "parent": "id:r", "path": "/Sales" }]))
        }
        _ => {
            // The tests' clock says which day it is; the beginning of the day three days before it.
            assert!(
                seen.q("since").is_some_and(|since| since.ends_with("T00:00:00Z")),
                "{:?}",
                seen.q("since")
            );
            json(settings.clone())
        }
    })
    .await;
    let done = run(&app, &server).await;
    let line = |r: Json| {
        let word = |name: &str| r[name].as_str().map_or_else(|| "?".to_owned(), str::to_owned);
        let value = |name: &str| if r[name].is_object() { "?".to_owned() } else { r[name].to_string() };
        let words = [word("id"), word("unit"), word("source"), value("on"), value("length")];
        words.join(" ")
    };
    let lines = records(dataset(&done, "effective")).into_iter().map(line).collect();
    (done, lines)
}

#[tokio::test]
async fn single_settings_are_told_for_every_unit_with_names_and_parts() {
    let set = |name: &str, unit: &str, order: f64, more: Json| {
        let mut all = json!({ "name": name, "unit": unit, "order": order });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let (_, lines) = flat(json!({ "all": [
        set("mail.forward", "r", 1.0, json!({ "on": false })),
        set("mail.forward", "r", 0.5, json!({ "on": true, "length": 9 })),
        set("mail.forward", "s", 2.0, json!({ "on": true })),
        set("mail.forward", "s", 3.0, json!({ "on": false, "query": "a && licence('pro') && b" })),
        set("mail.old.off", "s", 4.0, json!({ "on": true, "query": "a" })),
        set("chat.history", "s", 5.0, json!({ "on": true })),
    ]}))
    .await;
    assert_eq!(
        lines,
        [
            // By rank, field by field.
            "r/mail.forward / / false 9",
            "s/mail.forward /Sales /Sales true 9",
            // Only where somebody set it.
            "s/mail.old.off /Sales /Sales true ?",
            // A part inherits nothing.
            "s (pro)/mail.forward /Sales (pro) /Sales false ?",
        ]
    );
}

#[tokio::test]
async fn a_default_is_not_believed_where_its_setting_may_have_a_new_name() {
    let one = |name: &str| json!({ "all": [{ "name": name, "unit": "r", "order": 1, "on": true }] });
    let (_, lines) = flat(one("chat.history")).await;
    assert_eq!(lines, ["r/mail.forward / default true 8", "s/mail.forward /Sales default true 8"]);
    // One of another area says nothing about it.
    let (_, lines) = flat(one("chat.new")).await;
    assert_eq!(lines[0], "r/mail.forward / default true 8");
    let (_, lines) = flat(one("mail.forwarding")).await;
    assert_eq!(lines, ["r/mail.forward / ? ? ?", "s/mail.forward /Sales ? ? ?"]);
}

#[tokio::test]
async fn a_list_that_is_never_empty_is_not_believed_when_it_is() {
    for (answer, words) in [
        (json!({ "all": [] }), "there are always some"),
        (json!({ "kind": "settings" }), "there are always some"),
        (json!({}), "no records where they are documented"),
    ] {
        let (done, lines) = flat(answer).await;
        assert!(lines.is_empty());
        let settings = fault(dataset(&done, "settings"));
        assert!(
            settings.cause == FailureCause::Protocol && settings.detail.contains(words),
            "{}",
            settings.detail
        );
        assert_eq!(fault(dataset(&done, "effective")).cause, FailureCause::Protocol);
    }
}

#[tokio::test]
async fn an_entry_above_that_is_not_known_is_not_taken_for_none() {
    let settings = json!([
        { "name": "sharing", "unit": "root", "order": 1, "value": "garbled" },
        { "name": "sharing", "unit": "it", "order": 1, "value": { "links": false } },
    ]);
    let done = holds(json(tree()), settings).await;
    let values: Vec<Json> = records(dataset(&done, "effective"))
        .iter()
        .filter(|r| r["setting"] == "sharing")
        .map(|r| r["value"].clone())
        .collect();
    assert!(values.iter().all(|v| *v == json!({ "$unknown": true })), "{values:?}");
}

#[tokio::test]
async fn without_a_tree_only_units_with_settings_are_told() {
    let flat = EFFECTIVE
        .replace(r#", merge = "value", tree = "units", parent = "parent", defaults = "defaults.toml""#, "");
    let app = app(&manifest(&[SETTINGS, &flat].concat()));
    let server = Server::start(|_| {
        json(json!([
            { "name": "mail", "unit": "a", "order": 1, "value": { "x": true } },
            { "name": "mail", "unit": null, "order": 1, "value": { "x": false } },
            { "name": "web", "unit": null, "order": 1, "value": { "y": false } },
        ]))
    })
    .await;
    let done = run(&app, &server).await;
    assert_eq!(lines(&done), [r#"a/mail a {"x":true}"#, r#"a/web top {"y":false}"#]);
}

fn events(latest: &str) -> Arc<catalog::App> {
    app(&manifest(&format!(
        r#"
[[dataset]]
name = "grants"
title = "Grants"
scans = ["config"]
required = ["config"]
docs = "https://docs.example.com/events"
key = "client"
latest = {latest}
request = [{{ path = "/events", query = {{ of = "a" }} }}, {{ path = "/events", query = {{ of = "b" }} }}]
field = [
    {{ name = "client", type = "string" }},
    {{ name = "event", type = "string" }},
    {{ name = "at", type = "timestamp" }},
]
"#
    )))
}

async fn replayed(first: Json, second: Json) -> Box<Done> {
    let app = events(r#"{ by = "at", gone = "event == 'revoke'" }"#);
    let server = Server::start(move |seen| {
        json(if seen.q("of") == Some("a") { first.clone() } else { second.clone() })
    })
    .await;
    run(&app, &server).await
}

#[tokio::test]
async fn events_become_what_holds_now() {
    let event = |client: &str, event: &str, at: &str| json!({ "client": client, "event": event, "at": at });
    let done = replayed(
        json!([
            event("a", "authorize", "2026-01-03"),
            event("a", "revoke", "2026-01-02"),
            event("b", "authorize", "2026-01-01"),
            event("c", "authorize", "2026-01-01"),
        ]),
        // Later, and of another listing.
        json!([event("b", "revoke", "2026-01-02"), event("c", "scopes", "2026-01-02"), { "client": "d", "at": "2026-01-01" }]),
    )
    .await;
    let grants = dataset(&done, "grants");
    assert!(grants.availability.is_complete());
    let told: Vec<String> =
        records(grants).iter().map(|r| format!("{} {}", r["client"], r["event"])).collect();
    // Whether the last one is over is not known, so that it stays.
    assert_eq!(told, ["\"a\" \"authorize\"", "\"c\" \"scopes\"", "\"d\" {\"$unknown\":true}"]);
    // Two of which nobody knows the order.
    let done =
        replayed(json!([event("a", "authorize", "2026-01-03")]), json!([event("a", "revoke", "soon")])).await;
    let fault = fault(dataset(&done, "grants"));
    assert_eq!(fault.cause, FailureCause::Protocol);
    assert!(fault.detail.contains("`a`"), "{}", fault.detail);
}
