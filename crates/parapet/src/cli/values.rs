//! Values of arguments, as they are typed.

use model::finding::{FindingState, Outcome, Severity};
use model::scan::ScanKind;

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.is_empty() {
        return Err("the name before = is missing".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn outcome(text: &str) -> Result<Outcome, String> {
    Outcome::parse(text).ok_or_else(|| "use pass, fail, inconclusive or not_applicable".to_owned())
}

pub(super) fn state(text: &str) -> Result<FindingState, String> {
    FindingState::parse(text).ok_or_else(|| "use new, in_progress, resolved or suppressed".to_owned())
}

pub(super) fn severity(text: &str) -> Result<Severity, String> {
    Severity::parse(text).ok_or_else(|| "use critical, high, medium, low or informational".to_owned())
}

pub(super) fn kind(text: &str) -> Result<ScanKind, String> {
    ScanKind::parse(text).ok_or_else(|| "use config, accounts or plugins".to_owned())
}
