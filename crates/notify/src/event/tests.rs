//! Events in all their forms.

use model::health::SettledStatus::{Down, Unhealthy, Up};
use model::time::Duration;
use model::view::SeverityCounts;

use super::*;
use crate::alert::Change;

fn at() -> Timestamp {
    Timestamp::parse("2026-11-26T07:00:00Z").unwrap()
}

fn subject(n: usize) -> Subject {
    Subject {
        id: format!("{n:04}").into(),
        name: format!("Acme {n}"),
        product: "GitHub".to_owned(),
        tenant: "acme".to_owned(),
        owner: Some("Ada Berg".to_owned()),
        status: None,
        was: None,
        since: None,
        says: "Config Scan failed 3 times since 2026-11-26 05:00 UTC (credentials).".to_owned(),
        url: Some(format!("https://parapet.example.com/applications/{n:04}")),
    }
}

fn told(n: usize, was: model::health::SettledStatus, is: model::health::SettledStatus) -> Told {
    let since = at() - Duration::minutes(31);
    Told {
        subject: subject(n),
        change: Change {
            was,
            was_since: since - Duration::hours(5),
            is,
            since,
            failures: 3,
            not_up_since: since - Duration::hours(5),
        },
    }
}

fn forms(event: &Event) -> String {
    let mail = mail(event, "ada@example.com", "parapet.example.com").unwrap();
    format!(
        "{}\n\n{}\n\n{}\n\nSubject: {}\n\n{}",
        serde_json::to_string_pretty(&json(event)).unwrap(),
        serde_json::to_string_pretty(&slack(event)).unwrap(),
        crate::syslog::messages(event, "parapet.example.com").join("\n"),
        mail.subject,
        mail.text
    )
}

#[test]
fn one_application_down() {
    insta::assert_snapshot!(forms(&status("e1".to_owned(), at(), vec![told(1, Up, Down)])));
}

#[test]
fn recovered_says_after_how_much() {
    let event = status("e2".to_owned(), at(), vec![told(1, Down, Up)]);
    assert_eq!((event.kind, event.level), (Kind::Recovered, Level::Notice));
    assert!(event.applications[0].says.starts_with("Recovered after 3 failures, 5 h Down."), "{event:?}");
}

#[test]
fn a_storm_is_one_message_that_names_them_all_or_says_how_many_more() {
    let storm = (0..200).map(|n| told(n, Up, if n < 150 { Down } else { Unhealthy })).collect();
    let event = status("e3".to_owned(), at(), storm);
    assert_eq!(event.title, "200 applications of GitHub are not Up: 150 Down and 50 Unhealthy");
    assert_eq!(json(&event)["applications"].as_array().unwrap().len(), 200);
    let slack = slack(&event);
    let blocks = slack["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50, "Slack refuses more than 50 blocks");
    assert_eq!(blocks.last().unwrap()["elements"][0]["text"], "and 180 more");
    assert_eq!(crate::syslog::messages(&event, "h").len(), 200);
}

#[test]
fn new_findings_and_warnings() {
    let counts = SeverityCounts { critical: 1, high: 2, ..Default::default() };
    let mut about = subject(1);
    about.says = String::new();
    let event = findings("e4".to_owned(), at(), about, &counts);
    assert_eq!(event.title, "Acme 1 (GitHub): 3 new findings (1 critical and 2 high)");
    let event = warning("e5".to_owned(), at(), vec![subject(1), subject(2)]);
    assert_eq!(event.title, "Warnings ahead for 2 applications of GitHub");
    let event = digest_failed("e6".to_owned(), at(), "ada@example.com", "2026-11-26", "550 no such user");
    assert_eq!(crate::syslog::messages(&event, "h").len(), 1);
}

#[test]
fn what_a_tenant_is_called_stays_text() {
    let mut hostile = told(1, Up, Down);
    hostile.subject.name = "a\"]\\ \r\n<script>&".to_owned();
    let event = status("e7".to_owned(), at(), vec![hostile]);
    let line = &crate::syslog::messages(&event, "host name")[0];
    assert!(line.contains("name=\"a\\\"\\]\\\\   <script>&\"") && !line.contains(['\r', '\n']), "{line}");
    assert!(line.contains(" hostname parapet - status_changed "), "{line}");
    assert!(!slack(&event).to_string().contains("<script>"));
    let mail = mail(&event, "a@b.example", "h").unwrap();
    assert!(!mail.html.contains("<script>"));
}

#[test]
fn slack_gets_what_it_takes_however_long_a_name_is() {
    let mut long = told(1, Up, Down);
    long.subject.name = "<".repeat(2_000);
    long.subject.url = Some("https://parapet.example.com/applications/i-1".to_owned());
    let slack = slack(&status("e8".to_owned(), at(), vec![long]));
    for block in slack["blocks"].as_array().unwrap() {
        let text = block["text"]["text"].as_str().unwrap();
        assert!(text.chars().count() <= 3_000, "{} characters", text.chars().count());
        let written = text.replace("&lt;", "").replace("<https://", "");
        assert!(!written.contains(['<', '&']), "cut in the middle: {text}");
        assert!(text.contains('\u{2026}'), "without a mark that it was cut: {text}");
    }
    assert!(slack["text"].as_str().unwrap().chars().count() <= 3_000);
}

#[test]
fn a_subscription_narrows() {
    let all = Subscription::default();
    assert!(all.wants(Kind::Recovered) && all.covers(&"i".into(), None));
    let some = Subscription {
        kinds: vec![Kind::StatusChanged],
        instances: vec!["i".into()],
        owners: vec!["o".into()],
        ..Subscription::default()
    };
    assert!(some.wants(Kind::StatusChanged) && !some.wants(Kind::Recovered) && some.wants(Kind::Test));
    assert!(some.covers(&"i".into(), Some(&"o".into())));
    assert!(!some.covers(&"i".into(), None) && !some.covers(&"j".into(), Some(&"o".into())));
}
