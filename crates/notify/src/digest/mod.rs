//! The daily digest: from material to subject, HTML and text. Pure.

mod build;
mod wrap;

#[cfg(test)]
mod tests;

use askama::Template;
use model::digest::Material;
use model::time::Timestamp;

use crate::due::Pace;
use wrap::wrap;

/// What stands around a digest.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    /// Where Parapet is reached, without a slash at the end; without it the mail has no links and says so.
    pub base: Option<&'a str>,
    /// The address at which all-clear digests are opted out of; only for those.
    pub unsubscribe: Option<&'a str>,
    /// Everything is simulated: the mail says so.
    pub simulated: bool,
}

/// A digest as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The subject: the news.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The plain part.
    pub text: String,
    /// Nothing needs attention: a reader may have chosen not to get it.
    pub all_clear: bool,
}

/// Writes the digest of a moment.
///
/// # Errors
/// When a template cannot be rendered: a fault of this program.
pub fn write(
    material: &Material,
    pace: &Pace,
    now: Timestamp,
    frame: &Frame<'_>,
) -> Result<Written, askama::Error> {
    let digest = build::build(material, pace, now, frame);
    Ok(Written {
        html: Html { d: &digest }.render()?,
        text: tidy(&Text { d: &digest }.render()?),
        subject: digest.subject,
        all_clear: digest.all_clear,
    })
}

#[derive(Template)]
#[template(path = "digest/digest.html")]
struct Html<'a> {
    d: &'a Digest,
}

#[derive(Template)]
#[template(path = "digest/digest.txt", escape = "none")]
struct Text<'a> {
    d: &'a Digest,
}

impl Text<'_> {
    fn wrap(&self, text: impl AsRef<str>, indent: usize) -> String {
        wrap(text.as_ref(), indent)
    }
}

/// Everything the two templates say. Instants are written in the reader's zone.
pub(crate) struct Digest {
    subject: String,
    /// `Thursday 26 November 2026`.
    day: String,
    /// The addressee.
    to: String,
    /// What needs attention, in one sentence.
    headline: String,
    /// `26 Nov 2026 08:00 CET`.
    as_of: String,
    /// Not Up, worst first.
    trouble: Vec<App>,
    /// Without any result yet.
    waiting: Vec<App>,
    /// Up.
    fine: Vec<App>,
    /// Since when changes are told, in words.
    since: String,
    changed: Vec<Line>,
    /// Why the list of changes may not be whole; empty when it is.
    changed_note: String,
    ahead: Vec<Line>,
    paused: Vec<App>,
    home: Option<String>,
    unsubscribe: Option<String>,
    all_clear: bool,
    simulated: bool,
}

/// An application with its status.
pub(crate) struct App {
    mark: model::view::Mark,
    word: &'static str,
    name: String,
    /// Product and tenant.
    about: String,
    says: String,
    /// Why the admins are told; empty for an owner.
    why_you: String,
    scans: Vec<Scan>,
    link: Option<Link>,
}

/// One scan of an application that is not Up.
pub(crate) struct Scan {
    mark: model::view::Mark,
    title: &'static str,
    says: String,
    /// When it last succeeded; empty for one that is Up or not enabled.
    last_success: String,
    /// What to do, and who can; empty when there is nothing to do.
    remedy: String,
    next: String,
}

/// Several lines about one application.
pub(crate) struct Line {
    name: String,
    says: Vec<String>,
    link: Option<Link>,
}

pub(crate) struct Link {
    title: &'static str,
    href: String,
}

/// No blanks at ends of lines, no more than one empty line in a row, one line feed at the end.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 1;
    for line in text.lines().map(str::trim_end) {
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            out.push_str(line);
            out.push('\n');
        }
    }
    while out.ends_with("\n\n") {
        out.pop();
    }
    out
}

/// Colours of the marks on white, each at least 4.5:1; the style sheet has those for dark.
const fn colour(mark: &model::view::Mark) -> &'static str {
    use model::view::Mark;
    match mark {
        Mark::Up => "#1a7042",
        Mark::Unhealthy => "#8a5300",
        Mark::Down => "#b3261e",
        Mark::Scanning => "#1f5fae",
        Mark::Paused | Mark::NotEnabled => "#5b6270",
    }
}
