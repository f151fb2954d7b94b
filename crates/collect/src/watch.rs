//! What a run learns on the way: whether the credential is known, which origins do not answer, what is announced.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use model::ahead::AHEAD;
use model::credential::Identity;
use model::diagnosis::{Fault, Warning};
use model::scan::FailureCause;
use model::time::Timestamp;
use url::Url;

use crate::ask::{Ask, label};
use crate::pace::http_date;
use crate::session::Session;

/// Faults of one kind in a row, none of them answered in between, after which nothing more is tried.
const GIVE_UP: u32 = 3;

/// What was learnt.
#[derive(Default)]
pub(crate) struct Watch {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The vendor has accepted the credential in this run.
    known: bool,
    refusals: u32,
    refusal: Option<Box<Fault>>,
    /// Faults in a row by origin, with the last.
    silent: BTreeMap<String, (u32, Box<Fault>)>,
    answered: bool,
    deprecated: BTreeMap<String, (String, Option<Timestamp>)>,
    expires_at: Option<Timestamp>,
    granted: Option<Vec<String>>,
}

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        // Plain facts, as good after a panic elsewhere as before.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vendor knew the credential.
    pub(crate) fn accepted(&self) {
        let mut state = self.state();
        state.known = true;
        state.refusals = 0;
        state.answered = true;
        state.silent.clear();
    }

    /// The vendor refused it. One refusal ends the run's attempts unless the credential has been accepted before:
    /// more of them could lock an account.
    pub(crate) fn refused(&self, fault: &Fault, for_good: bool) {
        let mut state = self.state();
        state.refusals += 1;
        if for_good || !state.known || state.refusals >= GIVE_UP {
            state.refusal = Some(Box::new(fault.clone()));
        }
    }

    /// An origin did not answer, or with server errors only.
    pub(crate) fn failed(&self, url: &Url, fault: &Fault) {
        let mut state = self.state();
        let entry = state
            .silent
            .entry(url.origin().ascii_serialization())
            .or_insert_with(|| (0, Box::new(fault.clone())));
        entry.0 += 1;
        *entry.1 = fault.clone();
    }

    /// The fault of a request that would be in vain: it is not sent.
    pub(crate) fn in_vain(&self, url: &Url) -> Option<Box<Fault>> {
        let state = self.state();
        if let Some(fault) = &state.refusal {
            return Some(fault.clone());
        }
        let (times, fault) = state.silent.get(&url.origin().ascii_serialization())?;
        // A network that has not answered once in this run will not with the next request.
        let enough = if fault.cause == FailureCause::Unreachable && !state.answered { 1 } else { GIVE_UP };
        (*times >= enough).then(|| fault.clone())
    }

    /// Reads what headers announce.
    pub(crate) fn learn(&self, session: &Session<'_>, ask: &Ask<'_>, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let mut state = self.state();
        let sunset = text("sunset").and_then(instant);
        if sunset.is_some() || text("deprecation").is_some_and(|v| !v.trim().eq_ignore_ascii_case("false")) {
            let request = label(&ask.method, &ask.url);
            state.deprecated.entry(ask.about.template.clone()).or_insert((request, sunset));
        }
        if let Some(header) = session.auth.expiry.as_ref().and_then(|e| e.header.as_deref())
            && let Some(at) = text(header).and_then(instant)
        {
            state.expires_at = Some(at);
        }
        if let Some(granted) = &session.auth.granted
            && let Some(header) = &granted.header
            && let Some(list) = text(header)
        {
            state.granted = Some(split_list(list, &granted.separator));
        }
    }

    /// Notes an expiry that the credential itself tells (a certificate's), unless a header has told one.
    pub(crate) fn note_expiry(&self, at: Option<Timestamp>) {
        let mut state = self.state();
        state.expires_at = state.expires_at.or(at);
    }

    /// Whether the vendor has accepted the credential in this run.
    pub(crate) fn is_known(&self) -> bool {
        self.state().known
    }

    /// Notes permissions told elsewhere than in a header.
    pub(crate) fn note_granted(&self, granted: Vec<String>) {
        self.state().granted = Some(granted);
    }

    /// The credential's expiry, where a header told it.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        self.state().expires_at
    }

    /// What the credential may do, where an answer told it.
    pub(crate) fn granted(&self) -> Option<Vec<String>> {
        self.state().granted.clone()
    }

    /// The warnings, `now`.
    pub(crate) fn warnings(&self, now: Timestamp) -> Vec<Warning> {
        let state = self.state();
        let expiry =
            state.expires_at.filter(|at| *at <= now + AHEAD).map(|at| Warning::CredentialExpires { at });
        let deprecated = state.deprecated.values().map(|(request, sunset_at)| Warning::Deprecated {
            request: request.clone(),
            sunset_at: *sunset_at,
        });
        expiry.into_iter().chain(deprecated).collect()
    }

    /// Permissions that the credential had and no longer has.
    pub(crate) fn lost(&self, known: &Identity) -> Vec<Warning> {
        let (Some(before), Some(now)) = (&known.granted, &self.state().granted) else { return Vec::new() };
        before
            .iter()
            .filter(|permission| !now.contains(permission))
            .map(|permission| Warning::PermissionLost { permission: permission.clone() })
            .collect()
    }
}

/// A list in a header.
pub(crate) fn split_list(text: &str, separator: &str) -> Vec<String> {
    let parts: Vec<&str> = if separator.trim().is_empty() {
        text.split_whitespace().collect()
    } else {
        text.split(separator.trim()).collect()
    };
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// An instant as vendors write it in headers: RFC 3339, an HTTP date, `2026-12-01 10:00:00 UTC` or with an offset.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(at) = Timestamp::parse(text).or_else(|| http_date(text)) {
        return Some(at);
    }
    let (date, rest) = text.split_once(' ')?;
    let (time, zone) = rest.trim().split_once(' ').unwrap_or((rest, "UTC"));
    let zone = match zone.trim() {
        "UTC" | "GMT" | "Z" => "Z".to_owned(),
        // `+0200` as RFC 3339 wants it.
        offset if offset.len() == 5 && offset.is_ascii() => format!("{}:{}", &offset[..3], &offset[3..]),
        offset => offset.to_owned(),
    };
    Timestamp::parse(&format!("{date}T{time}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_in_headers() {
        let at = Timestamp::parse("2026-12-01T10:00:00Z");
        for text in [
            "2026-12-01T10:00:00Z",
            "2026-12-01 10:00:00 UTC",
            "2026-12-01 12:00:00 +0200",
            "Tue, 01 Dec 2026 10:00:00 GMT",
        ] {
            assert_eq!(instant(text), at, "{text}");
        }
        assert_eq!(instant("never"), None);
    }

    #[test]
    fn lists_in_headers() {
        assert_eq!(split_list("repo, read:org,,", ","), ["repo", "read:org"]);
        assert_eq!(split_list("a b", " "), ["a", "b"]);
        assert!(split_list("", ",").is_empty());
    }
}
