//! Reviews of plugins as pages show them, and the words of their filters.

use model::view::{Review, ReviewView};
use store::plugins;

pub(crate) const GRADES: [(&str, &str); 4] =
    [("high", "High"), ("medium", "Medium"), ("low", "Low"), ("unknown", "Not known")];

pub(crate) const PLUGIN_KINDS: [(&str, &str); 7] = [
    ("app", "App"),
    ("oauth_app", "OAuth app"),
    ("token", "Token"),
    ("ssh_key", "SSH key"),
    ("webhook", "Webhook"),
    ("deploy_key", "Deploy key"),
    ("bot", "Bot"),
];

pub(crate) fn review_view(p: &plugins::Plugin) -> ReviewView {
    let seen_since = p.reviewed.as_ref().is_some_and(|(at, _)| p.last_seen_at > *at);
    ReviewView {
        state: p.review,
        still_there: p.review == Review::Revoked && seen_since && p.gone_at.is_none(),
        reviewed: p.reviewed.clone(),
        note: p.review_note.clone(),
    }
}
