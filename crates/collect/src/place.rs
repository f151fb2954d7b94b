//! Placeholders: the only variable parts of a request, each an encoded path segment or query value.

use std::collections::BTreeMap;

use model::time::{Duration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::target::Target;

/// What stays as it is in a path segment: RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Values by placeholder, beside the settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    values: BTreeMap<String, String>,
    now: Option<Timestamp>,
}

impl Places {
    /// With one more value.
    pub(crate) fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.insert(name.into(), value.into());
        self
    }

    /// With the present, for days that are counted from it.
    pub(crate) const fn at(mut self, now: Timestamp) -> Self {
        self.now = Some(now);
        self
    }

    /// The beginning of the day that a placeholder such as `days_ago_3` means, or its date. Whole days, so that a listing
    /// which is resumed is the same listing.
    fn day(&self, name: &str) -> Option<String> {
        const DAY: i64 = Duration::days(1).0;
        let (days, date) = catalog::days_ago(name)?;
        let at = self.now? - Duration::days(i64::from(days));
        let whole = Timestamp(at.0.div_euclid(DAY) * DAY).to_string();
        Some(if date { whole.split('T').next().unwrap_or_default().to_owned() } else { whole })
    }

    fn get<'a>(&'a self, target: &'a Target, name: &str) -> Option<&'a str> {
        self.values.get(name).map(String::as_str).or_else(|| setting(target, name))
    }
}

/// A setting's value; its default where nothing was entered.
pub(crate) fn setting<'a>(target: &'a Target, name: &str) -> Option<&'a str> {
    let entered = target.settings.get(name).map(String::as_str).filter(|v| !v.is_empty());
    let declared = || target.app.manifest.setting.iter().find(|s| s.name == name);
    entered.or_else(|| declared()?.default.as_deref()).or_else(|| declared().map(|_| ""))
}

/// The address of a path at a host.
///
/// # Errors
/// What is wrong: an unknown host or placeholder, or a value that would change the path's structure.
pub(crate) fn address(target: &Target, host: &str, path: &str, places: &Places) -> Result<Url, String> {
    let base = target.origins.get(host).ok_or_else(|| format!("The host `{host}` has no address here"))?;
    let path = fill(path, &mut |name| {
        let day = places.day(name);
        let value = day.as_deref().or_else(|| places.get(target, name));
        let value = value.ok_or_else(|| format!("There is no value for `{{{name}}}`"))?;
        let is_path = target.app.manifest.setting.iter().find(|s| s.path && s.name == name);
        if let Some(setting) = is_path {
            return setting.accept(value).map(|()| value.to_owned());
        }
        match value {
            // The address would lose a segment, or climb.
            "" | "." | ".." => Err(format!("`{{{name}}}` is `{value}`, which cannot stand in an address")),
            _ => Ok(utf8_percent_encode(value, SEGMENT).to_string()),
        }
    })?;
    let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
    let text = format!("{}{slash}{path}", base.as_str().trim_end_matches('/'));
    let url = Url::parse(&text).map_err(|_| format!("`{path}` is not a path"))?;
    // Cannot differ, since only the path was added; kept as the last line against a manifest's tricks.
    if url.origin() == base.origin() { Ok(url) } else { Err(format!("`{path}` leads to another origin")) }
}

/// A query value or variable. Empty when an optional setting is.
///
/// # Errors
/// An unknown placeholder.
pub(crate) fn text(target: &Target, template: &str, places: &Places) -> Result<String, String> {
    fill(template, &mut |name| {
        let value = places.get(target, name).map(str::to_owned).or_else(|| places.day(name));
        value.ok_or_else(|| format!("There is no value for `{{{name}}}`"))
    })
}

fn fill(template: &str, value: &mut dyn FnMut(&str) -> Result<String, String>) -> Result<String, String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let Some(length) = rest[open..].find('}') else {
            return Err(format!("`{template}` has a bracket that is not closed"));
        };
        filled.push_str(&rest[..open]);
        filled.push_str(&value(&rest[open + 1..open + length])?);
        rest = &rest[open + length + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}
