//! Reviews of plugins, between what is stored and what is shown.

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

pub(crate) const fn stored_review(review: Review) -> plugins::Review {
    match review {
        Review::NotReviewed => plugins::Review::NotReviewed,
        Review::Reviewed => plugins::Review::Reviewed,
        Review::Revoked => plugins::Review::Revoked,
    }
}

pub(crate) fn review_view(p: &plugins::Plugin) -> ReviewView {
    let state = match p.review {
        plugins::Review::NotReviewed => Review::NotReviewed,
        plugins::Review::Reviewed => Review::Reviewed,
        plugins::Review::Revoked => Review::Revoked,
    };
    let seen_since = p.reviewed.as_ref().is_some_and(|(at, _)| p.last_seen_at > *at);
    ReviewView {
        state,
        still_there: state == Review::Revoked && seen_since && p.gone_at.is_none(),
        reviewed: p.reviewed.clone(),
        note: p.review_note.clone(),
    }
}
