//! Ways to say no, in one place, so that each has its remedy. See [`model::view::Refusal`].

use model::diagnosis::Fault;
use model::time::Timestamp;
use model::view::{Actor, Refusal, RefusalKind, Role};
use store::StoreError;

/// What a use case returns.
pub type Result<T> = std::result::Result<T, Refusal>;

pub(crate) fn refuse(kind: RefusalKind, message: impl Into<String>, remedy: impl Into<String>) -> Refusal {
    Refusal { kind, field: None, message: message.into(), remedy: remedy.into() }
}

/// An input that cannot be used as entered.
pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Refusal {
    Refusal { field: Some(field.to_owned()), ..refuse(RefusalKind::Invalid, message, "") }
}

/// The thing is not there (any more).
pub(crate) fn not_found(what: &str) -> Refusal {
    refuse(
        RefusalKind::NotFound,
        format!("There is no such {what}."),
        "It may have been removed; go back to the list.",
    )
}

/// It contradicts the present state.
pub(crate) fn conflict(message: impl Into<String>, remedy: impl Into<String>) -> Refusal {
    refuse(RefusalKind::Conflict, message, remedy)
}

/// Our own fault. The detail goes to the log, where the operator of the server finds it; the page says where to look.
pub(crate) fn internal(detail: impl std::fmt::Display) -> Refusal {
    tracing::error!(%detail, "a use case failed");
    refuse(
        RefusalKind::Internal,
        "Parapet could not do this because of a fault of its own.",
        "The server's log has the details; `parapet doctor` checks the installation.",
    )
}

/// The vendor could not be asked, or refused.
pub(crate) fn vendor(fault: &Fault, app: &str, now: Timestamp) -> Refusal {
    let says = model::words::fault_says(fault).plain(now);
    refuse(RefusalKind::Vendor, says, model::words::remedy(fault, app).says.plain(now))
}

/// The store's answer: what is not there (any more) or there already is said, the rest is our own fault.
pub(crate) fn store(error: StoreError) -> Refusal {
    match error {
        StoreError::NotFound { what } => refuse(
            RefusalKind::NotFound,
            format!("{} does not exist (any more).", crate::findings::capital(&what)),
            "It may have been removed; go back to the list.",
        ),
        StoreError::Exists { what } => {
            conflict(format!("{} exists already.", crate::findings::capital(&what)), "Choose another name.")
        }
        StoreError::BadCursor => {
            invalid("after", "This link to a page of the list cannot be read; start from the first page.")
        }
        other => internal(other),
    }
}

/// Changing anything needs the role admin.
pub(crate) fn must_be_admin(actor: &Actor) -> Result<()> {
    match actor.role {
        Role::Admin => Ok(()),
        Role::Auditor => Err(refuse(
            RefusalKind::Forbidden,
            format!("{} may read and export, but not change anything.", actor.name),
            "Ask an operator with the role admin.",
        )),
    }
}
