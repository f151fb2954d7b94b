//! What is not broken yet, and what to do before it is.

use crate::diagnosis::Warning;
use crate::identity::State;
use crate::time::Timestamp;
use crate::words::{Action, Remedy, Sentence, count, duration};

/// What is not broken yet.
#[must_use]
pub fn warning_says(warning: &Warning) -> Sentence {
    match warning {
        Warning::CredentialExpires { at } => Sentence::new("The credential expires ").at(*at).text("."),
        Warning::CredentialIdles { at } => {
            Sentence::new("Nothing uses the credential; the vendor ends it ").at(*at).text(".")
        }
        Warning::PermissionLost { permission } => {
            Sentence::new(format!("The credential no longer has the permission {permission}."))
        }
        Warning::Deprecated { request, sunset_at: Some(at) } => {
            Sentence::new(format!("The vendor withdraws {request} ")).at(*at).text(".")
        }
        Warning::Deprecated { request, sunset_at: None } => {
            Sentence::new(format!("The vendor has announced that {request} will go away."))
        }
        Warning::VersionEnds { interface, at } => {
            let says = format!("The vendor promises the version of {interface} that is read here until ");
            Sentence::new(says).at(*at).text(".")
        }
        Warning::RateBudget { used_percent, resets_at } => {
            let says = Sentence::new(format!("{used_percent} % of the vendor's rate limit is used"));
            match resets_at {
                Some(at) => says.text("; it is renewed ").at(*at).text("."),
                None => says.text("."),
            }
        }
        Warning::OwnerLeft { owner, state, provider } => {
            let stands = match state {
                State::Suspended => "is suspended at",
                State::Expired => "was never taken up in time at",
                State::Removed => "is gone from",
                State::Active | State::Invited => "is live at",
            };
            Sentence::new(format!(
                "The account of {owner}, who answers for this application, {stands} {provider}."
            ))
        }
        Warning::Shrank { title, had, has, at, .. } => {
            Sentence::new(format!("{title} went from {} to {} records ", count(*had), count(*has)))
                .at(*at)
                .text(".")
        }
        Warning::Slow { scan, takes, took, interval } => {
            let says = format!(
                "The {} takes {} of its interval of {}",
                scan.title(),
                duration(*takes),
                duration(*interval)
            );
            Sentence::new(match took {
                Some(took) => format!("{says}; it used to take {}.", duration(*took)),
                None => format!("{says}."),
            })
        }
    }
}

/// [`warning_says`] as of `now`: an end that has passed is told as past.
#[must_use]
pub fn warning_says_at(warning: &Warning, now: Timestamp) -> Sentence {
    match warning {
        Warning::CredentialExpires { at } if *at <= now => {
            Sentence::new("The credential expired ").at(*at).text(".")
        }
        Warning::CredentialIdles { at } if *at <= now => {
            Sentence::new("Nothing has used the credential; the vendor ended it ").at(*at).text(".")
        }
        Warning::Deprecated { request, sunset_at: Some(at) } if *at <= now => {
            Sentence::new(format!("The vendor withdrew {request} ")).at(*at).text(".")
        }
        Warning::VersionEnds { interface, at } if *at <= now => {
            let says =
                format!("The vendor no longer promises the version of {interface} that is read here, since ");
            Sentence::new(says).at(*at).text(".")
        }
        other => warning_says(other),
    }
}

/// What to do about a warning, who can, and what Parapet offers for it.
#[must_use]
pub fn warning_remedy(warning: &Warning, app: &str) -> Remedy {
    let admin = format!("an administrator of {app}");
    let operator = "whoever runs this server".to_owned();
    let (says, action, who) = match warning {
        Warning::CredentialExpires { .. } => (
            format!("Make a new credential at {app} and Reauthenticate with it; done in time, no scan fails."),
            Action::Reauthenticate,
            admin,
        ),
        Warning::CredentialIdles { .. } => (
            "Resume the application, or Reauthenticate with a credential that works: each scan keeps it alive.".to_owned(),
            Action::Resume,
            operator,
        ),
        Warning::PermissionLost { permission } => (
            format!("Grant {permission} again at {app}, or Reauthenticate with a credential that has it."),
            Action::Reauthenticate,
            admin,
        ),
        Warning::Deprecated { .. } => (
            "Install the newest Parapet, which reads what replaces it; if there is none yet, report the request.".to_owned(),
            Action::None,
            operator,
        ),
        Warning::VersionEnds { .. } => (
            "Install the newest Parapet, which reads the next version; if there is none yet, report it.".to_owned(),
            Action::None,
            operator,
        ),
        Warning::RateBudget { .. } => (
            format!(
                "Give Parapet a credential of its own, so that it shares its rate limit at {app} with nobody, or choose a \
                 longer interval."
            ),
            Action::None,
            admin,
        ),
        Warning::OwnerLeft { .. } => (
            "Assign another owner on the settings page; until then the admins get its digest as well.".to_owned(),
            Action::None,
            "an admin of Parapet".to_owned(),
        ),
        Warning::Shrank { .. } => (
            format!(
                "Check that the credential still sees all of {app}, and that nobody narrowed its access. If they were deleted, \
                 nothing is to do: the warning goes after a week."
            ),
            Action::ScanNow,
            admin,
        ),
        Warning::Slow { .. } => (
            format!(
                "Choose a longer interval, or give Parapet a credential of its own if {app} throttles it; the run log shows \
                 which runs waited."
            ),
            Action::None,
            operator,
        ),
    };
    Remedy { says: Sentence::new(says), action, who }
}
