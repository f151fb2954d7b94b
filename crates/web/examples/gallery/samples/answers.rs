//! The shapes of answers: found, refused, as a file.

use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::future::ready;
use futures_util::stream;
use model::id::InstanceId;
use model::time::Duration;
use model::view::{Actor, ApplicationHeader, Refusal, RefusalKind, Role, Session};
use web::{Answer, Export, FindingsFormat, Format};

use super::{fleet, now};

fn refusal(kind: RefusalKind, message: &str, remedy: &str) -> Refusal {
    Refusal { kind, field: None, message: message.to_owned(), remedy: remedy.to_owned() }
}

pub(super) fn found<'a, T: Send + 'a>(thing: Option<T>) -> Answer<'a, T> {
    let missing = || {
        refusal(
            RefusalKind::NotFound,
            "It does not exist, or it has been removed.",
            "Start again from Applications.",
        )
    };
    ready(thing.ok_or_else(missing)).boxed()
}

pub(super) fn answer<'a, T: Send + 'a>(thing: T) -> Answer<'a, T> {
    ready(Ok(thing)).boxed()
}

pub(super) fn header(id: &InstanceId) -> Option<ApplicationHeader> {
    fleet::header(id.as_str())
}

pub(super) fn session(role: Role) -> Session {
    Session {
        actor: Actor { operator: "op-1".into(), name: "Dana Reyes".to_owned(), role },
        csrf: "sample-csrf".to_owned(),
        expires_at: now() + Duration::hours(12),
    }
}

/// Answers with the page of one instance, or with the list of all; refuses an instance that does not exist.
pub(super) fn listed<'a, T: Send + 'a>(
    instance: &Option<InstanceId>,
    page: impl FnOnce(Option<ApplicationHeader>) -> T,
) -> Answer<'a, T> {
    match instance {
        None => answer(page(None)),
        Some(id) => found(header(id).map(|h| page(Some(h)))),
    }
}

pub(super) fn export(format: Format) -> Export {
    let text: &[u8] = match format {
        Format::Csv => b"id,title\n1,one\n",
        Format::Json => b"[{\"id\":1}]",
    };
    stream::iter([Ok(text.to_vec())]).boxed()
}

pub(super) fn export_of_findings(format: FindingsFormat) -> Export {
    let text: &[u8] = match format {
        FindingsFormat::Csv => return export(Format::Csv),
        FindingsFormat::Json => return export(Format::Json),
        FindingsFormat::Ocsf => b"{\"class_uid\":2003}\n",
        FindingsFormat::Sarif => b"{\"version\":\"2.1.0\",\"runs\":[]}\n",
    };
    stream::iter([Ok(text.to_vec())]).boxed()
}

/// A key that the vendor refused.
pub(super) fn wrong_key<'a, T: Send + 'a>() -> Answer<'a, T> {
    let mut refused = refusal(
        RefusalKind::Vendor,
        "GitHub refused the credential (401 Bad credentials).",
        "Check that the key belongs to the app with this id.",
    );
    refused.field = Some("private_key".to_owned());
    ready(Err(refused)).boxed()
}

/// A credential of another tenant.
pub(super) fn foreign_tenant<'a, T: Send + 'a>() -> Answer<'a, T> {
    let refused = refusal(
        RefusalKind::Conflict,
        "This credential belongs to the tenant globex (4711); the application is acme (9919).",
        "Use a credential of acme, or onboard globex as an application of its own.",
    );
    ready(Err(refused)).boxed()
}

/// A time zone that does not exist.
pub(super) fn no_such_zone<'a, T: Send + 'a>() -> Answer<'a, T> {
    let refused = refusal(
        RefusalKind::Invalid,
        "There is no time zone `Atlantis`.",
        "Use a name such as Europe/Berlin.",
    );
    ready(Err(refused)).boxed()
}

/// A draft that is no longer kept.
pub(super) fn draft_is_gone<'a, T: Send + 'a>() -> Answer<'a, T> {
    let gone =
        refusal(RefusalKind::Conflict, "The verified credential is no longer kept.", "Verify it again.");
    ready(Err(gone)).boxed()
}

/// A refusal as an answer.
pub(super) fn refuse<'a, T: Send + 'a>(kind: RefusalKind, message: &str, remedy: &str) -> Answer<'a, T> {
    ready(Err(refusal(kind, message, remedy))).boxed()
}
