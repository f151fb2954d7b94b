//! The forms of events: JSON, Slack, mail.

use askama::Template;
use model::words::turns;
use serde_json::{Value, json as object};

use super::{Event, Level, Subject};
use crate::mail::Mail;

/// Applications that a form with little room names; it says how many more there are.
const NAMED: usize = 20;
/// Applications that a mail names.
const MAILED: usize = 200;

/// The version of the JSON form. A field may be added without a new version.
const VERSION: u32 = 1;

/// What a webhook receives.
#[must_use]
pub fn json(event: &Event) -> Value {
    // An event is plain data; it always has a JSON form.
    let mut body = serde_json::to_value(event).unwrap_or_default();
    if let Value::Object(fields) = &mut body {
        fields.insert("version".to_owned(), VERSION.into());
    }
    body
}

/// What a Slack webhook receives.
#[must_use]
pub fn slack(event: &Event) -> Value {
    let mark = match event.level {
        Level::Notice => "\u{25cf}",
        Level::Warning => "\u{25b2}",
        Level::Error => "\u{25a0}",
    };
    let title = escaped(&format!("{mark} {}", event.title), TITLE);
    let mut blocks = vec![object!({ "type": "section", "text": mrkdwn(&format!("*{title}*")) })];
    for subject in event.applications.iter().take(NAMED) {
        let name = escaped(&subject.name, NAME);
        let name = match &subject.url {
            Some(url) => format!("<{url}|{name}>"),
            None => format!("*{name}*"),
        };
        let text = format!("{name} {}", escaped(&subject.says, SAYS));
        blocks.push(object!({ "type": "section", "text": mrkdwn(&text) }));
    }
    if let Some(rest) = more(event, NAMED) {
        blocks.push(object!({ "type": "context", "elements": [mrkdwn(&rest)] }));
    }
    if event.simulated {
        blocks.push(object!({ "type": "context", "elements": [mrkdwn("Demonstration: simulated.")] }));
    }
    object!({ "text": title, "blocks": blocks })
}

/// Slack takes 3,000 characters a block and refuses the whole message otherwise: what its parts may have of them, so that a
/// link of ours (an address of this server, some hundred characters) fits beside.
/// <https://docs.slack.dev/reference/block-kit/composition-objects/text-object>
const TITLE: usize = 2_500;
const NAME: usize = 500;
const SAYS: usize = 1_500;

fn mrkdwn(text: &str) -> Value {
    object!({ "type": "mrkdwn", "text": text })
}

/// Slack's three control characters written out, in at most so many characters; the end is cut off visibly, and never in the
/// middle of what was written out. Slack's emphasis can still be typed into a name; it only looks odd.
fn escaped(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut left = most;
    for c in text.chars().map(|c| if turns(c) { char::REPLACEMENT_CHARACTER } else { c }) {
        let written = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        let takes = written.len().max(1);
        // One is kept for the mark.
        if takes >= left {
            out.push('\u{2026}');
            break;
        }
        left -= takes;
        if written.is_empty() { out.push(c) } else { out.push_str(written) }
    }
    out
}

/// `and 180 more`, where not all are named.
pub(crate) fn more(event: &Event, named: usize) -> Option<String> {
    let left = event.applications.len().saturating_sub(named);
    (left > 0).then(|| format!("and {} more", model::words::count(left as u64)))
}

#[derive(Template)]
#[template(path = "event/event.html")]
struct Html<'a> {
    event: &'a Event,
    named: &'a [Subject],
    more: Option<String>,
}

/// A mail to one address. `host` makes its id one of ours.
///
/// # Errors
/// When the template cannot be rendered: a fault of this program.
pub fn mail(event: &Event, to: &str, host: &str) -> Result<Mail, askama::Error> {
    let named = &event.applications[..event.applications.len().min(MAILED)];
    let more = more(event, MAILED);
    let mut text = format!("{}\n", event.title);
    for subject in named {
        text.push_str(&format!(
            "\n{} ({}, {})\n{}\n",
            subject.name, subject.product, subject.tenant, subject.says
        ));
        if let Some(url) = &subject.url {
            text.push_str(&format!("{url}\n"));
        }
    }
    if let Some(more) = &more {
        text.push_str(&format!("\n{more}\n"));
    }
    if event.simulated {
        text.push_str("\nDemonstration: simulated.\n");
    }
    Ok(Mail {
        to: to.to_owned(),
        to_name: String::new(),
        subject: format!("Parapet: {}", event.title),
        html: Html { event, named, more }.render()?,
        text,
        message_id: format!("event.{}@{host}", event.id),
        made_at: event.at,
        unsubscribe: None,
    })
}
