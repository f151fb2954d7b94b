//! What stands around the content of a page.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use model::id::InstanceId;
use model::view::{Actor, Shell};
use model::words::turns;

use crate::Web;
use crate::error::Failure;
use crate::session::Signed;

/// Which part of the navigation is lit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Applications,
    Findings,
    Accounts,
    Plugins,
    Checks,
    Exceptions,
    Identities,
    Owners,
    Notifications,
    Audit,
}

impl Section {
    /// The navigation, in order: section, address, title.
    pub(crate) const MAIN: [(Self, &'static str, &'static str); 5] = [
        (Self::Applications, "/applications", "Applications"),
        (Self::Findings, "/findings", "Findings"),
        (Self::Accounts, "/accounts", "Accounts"),
        (Self::Plugins, "/plugins", "Plugins"),
        (Self::Checks, "/checks", "Checks"),
    ];
    /// The second part of the navigation.
    pub(crate) const SIDE: [(Self, &'static str, &'static str); 5] = [
        (Self::Exceptions, "/exceptions", "Exceptions"),
        (Self::Identities, "/identity-providers", "Identities"),
        (Self::Owners, "/owners", "Owners"),
        (Self::Notifications, "/settings/notifications", "Notifications"),
        (Self::Audit, "/audit", "Audit log"),
    ];
}

/// The frame of a page.
pub(crate) struct Chrome {
    pub(crate) title: String,
    pub(crate) section: Section,
    pub(crate) actor: Actor,
    pub(crate) csrf: String,
    pub(crate) shell: Shell,
    pub(crate) version: String,
    /// What was just done, above the content.
    pub(crate) done: &'static str,
    /// The page's own address: where a live page fetches itself. Empty: the page is not live.
    pub(crate) here: String,
    /// Where its changes come from.
    pub(crate) events: String,
}

impl Chrome {
    /// The frame for a page that does not refresh itself.
    pub(crate) async fn new(web: &Web, signed: &Signed, section: Section, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section,
            actor: signed.session.actor.clone(),
            csrf: signed.session.csrf.clone(),
            shell: web.backend.shell().await,
            version: web.config.version.clone(),
            done: "",
            here: String::new(),
            events: String::new(),
        }
    }

    /// Makes the page live: it fetches `here` again when something changes (in `application`, or anywhere).
    pub(crate) fn live(mut self, here: String, application: Option<&InstanceId>) -> Self {
        self.here = here;
        self.events = application.map_or_else(
            || "/events".to_owned(),
            |id| format!("/events?application={}", crate::render::segment(id)),
        );
        self
    }

    /// Says what was just done, by the word in the address. A fixed list: nothing from an address is repeated.
    pub(crate) fn done(mut self, query: &[(String, String)]) -> Self {
        let word = query.iter().find(|(n, _)| n == "done").map_or("", |(_, v)| v.as_str());
        self.done = match word {
            "onboarded" => "Onboarded. The first scans start now.",
            "reauthenticated" => "The credential was replaced. Every enabled scan starts now.",
            "scan-now" => "The scan was requested. It starts as soon as a worker is free.",
            "cancel" => "The scan is being cancelled. A cancelled run has no outcome.",
            "check-now" => "It was checked. What was found stands under Credential.",
            "check-again" => "The permissions are there. The scan is enabled and starts now.",
            "interval" => "The interval was saved.",
            "agree-empty" => "Noted: the list is empty now. The next scan counts it as read.",
            "paused" => "Paused. Nothing runs and nothing is counted until it is resumed.",
            "resumed" => "Resumed. Every enabled scan is due now.",
            "parameter" => "The parameter was saved. It holds from the next scan on.",
            "renamed" => "The name was saved.",
            "owner" => "The owner was saved.",
            "removed" => "The application was removed with everything that was stored about it.",
            "state" => "The state was saved.",
            "destination-added" => "The destination was added. Send a test to see that it works.",
            "destination" => "The destination was saved. What waits for it is tried now.",
            "destination-paused" => "Paused. What is due meanwhile waits.",
            "destination-resumed" => "Resumed. What waited is sent now.",
            "destination-removed" => "The destination was removed with what waited for it.",
            "test" => "A test is on its way. Reload this page to see what became of it.",
            "retry" => "Everything that waits is tried now.",
            "my-address" => "Your address was saved.",
            "excepted" => "The exception was saved. The finding comes back when it is over.",
            "exception-ended" => "The exception was ended. The finding is open again.",
            "linked" => "The account was linked. It is judged afresh by the next scan, which was asked for.",
            "unlinked" => {
                "The link was taken away. The account is judged afresh by the next scan, which was asked for."
            }
            "known" => "Noted. What the checks on identity find about this account is accepted until then.",
            "reviewed" => "The review was saved.",
            "idp-marked" => {
                "Marked. Its accounts are read now; then the accounts of the others are judged by it."
            }
            "idp-unmarked" => {
                "It is not an identity provider any more. Accounts are judged without it from their next scan on."
            }
            "idp-age" => {
                "The age was saved. Accounts are judged afresh by their next scan, which was asked for."
            }
            "idp-list" => {
                "The list was taken. Accounts are judged by it from their next scan on, which was asked for."
            }
            "owner-created" => "The owner was added.",
            _ => return self,
        };
        // A live page that fetches itself again goes on saying it.
        if !self.here.is_empty() {
            let sign = if self.here.contains('?') { '&' } else { '?' };
            self.here = format!("{}{sign}done={word}", self.here);
        }
        self
    }

    pub(crate) fn style(&self) -> String {
        crate::assets::style()
    }
    pub(crate) fn scripts(&self) -> [String; 2] {
        crate::assets::scripts()
    }
    pub(crate) fn favicon(&self) -> String {
        crate::assets::favicon(self.shell.worst)
    }
}

/// A rendered page.
pub(crate) fn show(page: &impl Template) -> Result<Response, Failure> {
    show_as(StatusCode::OK, page)
}

/// A rendered page of this status: each goes through here.
pub(crate) fn show_as(status: StatusCode, page: &impl Template) -> Result<Response, Failure> {
    Ok((status, Html(straight(page.render()?))).into_response())
}

/// What turns the direction of reading is shown as something that cannot be shown, wherever it came from. Within a tag, where
/// nobody reads it and a form sends it back, it is written as a number.
pub(crate) fn straight(html: String) -> String {
    if !html.contains(turns) {
        return html;
    }
    let mut within = false;
    let mut out = String::with_capacity(html.len());
    for c in html.chars() {
        match c {
            '<' => within = true,
            '>' => within = false,
            _ => {}
        }
        match c {
            c if !turns(c) => out.push(c),
            c if within => out.push_str(&format!("&#x{:x};", u32::from(c))),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_is_seen_as_such_and_sent_back_as_it_was() {
        let html = "<a title=\"x\u{202e}y\">x\u{202e}y</a>";
        assert_eq!(straight(html.to_owned()), "<a title=\"x&#x202e;y\">x\u{fffd}y</a>");
        assert_eq!(straight("<b>Zo\u{eb}</b>".to_owned()), "<b>Zo\u{eb}</b>");
    }
}
