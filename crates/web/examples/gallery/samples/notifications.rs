//! The page Notifications and the preview of a digest.

use model::time::Duration;
use model::view::{
    DeliveryRow, DestinationRow, DigestMail, DigestPreview, DigestRow, FacetChoice, Mark, NotificationsPage,
    SubscriptionChoices, TransportStatus,
};
use model::words::Sentence;

use super::{directory, now};

fn status(mark: Mark, says: &str) -> TransportStatus {
    TransportStatus { mark, word: mark.word().to_owned(), says: Sentence::new(says) }
}

fn choice(value: &str, title: &str, active: bool) -> FacetChoice {
    FacetChoice { value: value.to_owned(), title: title.to_owned(), count: None, active }
}

fn choices() -> SubscriptionChoices {
    SubscriptionChoices {
        kinds: vec![
            choice("status_changed", "Status changed", true),
            choice("recovered", "Recovered", false),
            choice("new_findings", "New findings", false),
        ],
        instances: vec![choice("i-acme", "Acme GitHub", false), choice("i-globex", "Globex GitHub", true)],
        owners: vec![choice("o-dana", "Dana Reyes", false)],
        severities: vec![choice("critical", "critical", false), choice("high", "high", true)],
    }
}

fn destination(
    id: &str,
    name: &str,
    kind: &str,
    title: &str,
    shown: &str,
    status: TransportStatus,
) -> DestinationRow {
    DestinationRow {
        id: id.to_owned(),
        name: name.to_owned(),
        kind: kind.to_owned(),
        kind_title: title.to_owned(),
        shown: shown.to_owned(),
        paused: status.mark == Mark::Paused,
        status,
        told: "Status changed and Recovered; only of Globex GitHub.".to_owned(),
        choices: choices(),
    }
}

fn delivery(minutes: i64, kind: &str, title: &str, to: &str, state: &str, error: &str) -> DeliveryRow {
    let at = now() - Duration::minutes(minutes);
    DeliveryRow {
        at,
        kind: kind.to_owned(),
        title: title.to_owned(),
        to: to.to_owned(),
        state: state.to_owned(),
        attempts: 2,
        next_at: (state == "Waiting").then(|| now() + Duration::minutes(5)),
        ended_at: (state != "Waiting").then_some(at),
        error: error.to_owned(),
    }
}

pub(crate) fn page() -> NotificationsPage {
    let refused = "hooks.example.com refused the connection";
    NotificationsPage {
        now: now(),
        mail_server: Some("mail.example.com:587, STARTTLS, as parapet".to_owned()),
        mail: status(
            Mark::Down,
            "Failed 3 times in a row. mail.example.com refused the sign-in (535 5.7.8 no).",
        ),
        configured_admins: vec!["secops@example.com".to_owned()],
        my_email: String::new(),
        unowned: vec![directory()],
        nobody_is_told: true,
        destinations: vec![
            destination(
                "d-1",
                "On call",
                "webhook",
                "Webhook (signed JSON)",
                "hooks.example.com",
                status(Mark::Unhealthy, refused),
            ),
            destination(
                "d-2",
                "SIEM",
                "syslog",
                "Syslog over TLS",
                "siem.example.com:6514",
                status(Mark::Up, "Working."),
            ),
            destination(
                "d-3",
                "Night shift",
                "mail",
                "Mail",
                "night@example.com",
                status(Mark::Paused, "Paused by ada."),
            ),
        ],
        choices: choices(),
        deliveries: vec![
            delivery(3, "Status changed", "Globex GitHub (GitHub) is Down", "On call", "Waiting", refused),
            delivery(9, "Digest", "Parapet: all 4 applications Up", "dana.reyes@example.com", "Sent", ""),
        ],
        failed: vec![delivery(
            90,
            "Digest",
            "Parapet: 1 application Down (of 4)",
            "gone@example.com",
            "Failed",
            "550 5.1.1 no such user",
        )],
        digests: vec![DigestRow {
            to: "Dana Reyes".to_owned(),
            day: "2026-11-26".to_owned(),
            at: now() - Duration::minutes(9),
            subject: "Parapet: all 4 applications Up".to_owned(),
            mails: 1,
        }],
        has_base: false,
        may_change: true,
    }
}

pub(crate) fn preview(key: &str) -> DigestPreview {
    DigestPreview {
        now: now(),
        choices: vec![choice("o-dana", "Dana Reyes", key != "admins"), choice("admins", "The admins", key == "admins")],
        key: if key.is_empty() { "o-dana".to_owned() } else { key.to_owned() },
        mail: (key != "admins").then(|| DigestMail {
            subject: "Parapet: all 4 applications Up".to_owned(),
            text: "All 4 applications are Up.\n".to_owned(),
            html: "<!doctype html><html lang=\"en\"><title>Digest</title><p>All 4 applications are Up.</p></html>".to_owned(),
            to: vec!["dana.reyes@example.com".to_owned()],
            due_at: now() + Duration::hours(20),
            all_clear: true,
            silent: true,
        }),
    }
}
