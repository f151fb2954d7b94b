//! Identities that stay the same from run to run, and between a one-off scan and the server.
//!
//! A finding is known by what is wrong, not by who looked or when: product, tenant, check and resource. The identity is a
//! name-based UUID (RFC 9562, version 5) of these, so that a second scan without a change writes the same one.

use aws_lc_rs::digest;
use model::id::{AppId, CheckId, FindingId};
use model::scan::ScanKind;
use serde_json::json;

use crate::entry::{Entry, Place};

/// The namespace of Parapet's names. Changing it changes every identity ever exported.
const NAMESPACE: [u8; 16] =
    [0x5b, 0x1e, 0x0e, 0x0a, 0x9d, 0x33, 0x4c, 0x0f, 0x8a, 0x51, 0x7c, 0x2f, 0x6e, 0x90, 0x44, 0xd7];

/// The identity of an answer about a resource; without one, about the dataset as a whole.
#[must_use]
pub fn of(
    app: &AppId,
    tenant_uid: &str,
    check: &CheckId,
    resource_kind: &str,
    resource: Option<&str>,
) -> String {
    uuid(&json!(["finding", app.as_str(), tenant_uid, check.as_str(), resource_kind, resource]))
}

/// The identity of an entry.
#[must_use]
pub fn of_entry(entry: &Entry<'_>) -> String {
    of(entry.place.app, entry.place.tenant_uid, entry.check, entry.resource_kind, entry.resource)
}

/// The identity of a scan of a tenancy.
#[must_use]
pub fn of_scan(place: &Place<'_>, kind: ScanKind) -> String {
    uuid(&json!(["scan", place.app.as_str(), place.tenant_uid, kind.as_str()]))
}

/// A finding's own identity on the server, in a form that SARIF takes: it knows UUIDs of versions 1 to 5 only, and ids
/// are of version 7.
#[must_use]
pub fn of_finding(id: &FindingId) -> String {
    uuid(&json!(["id", id.as_str()]))
}

/// A standard's own identity.
pub(crate) fn of_standard(id: &str) -> String {
    uuid(&json!(["standard", id]))
}

/// Arrays, because no two different lists of texts are written as the same JSON.
fn uuid(name: &serde_json::Value) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(&NAMESPACE);
    context.update(name.to_string().as_bytes());
    let hash = context.finish();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for half in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(parts: &[String; 5]) -> String {
        let [app, tenant, check, kind, resource] = parts.each_ref().map(String::as_str);
        of(&app.into(), tenant, &check.into(), kind, Some(resource))
    }

    #[test]
    fn an_identity_never_changes() {
        let id = of(&"github".into(), "42", &"github/branch-protected".into(), "branches", Some("website"));
        // As Python's uuid.uuid5 makes it of the namespace and of
        // ["finding","github","42","github/branch-protected","branches","website"].
        assert_eq!(id, "956efe2a-5213-53b5-9fdf-f4c3c5feb6d7");
    }

    #[test]
    fn version_and_variant_are_those_that_sarif_takes() {
        let id = of_finding(&"01890a5d-ac96-774b-bcce-b302099a8057".into());
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'5');
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }

    proptest! {
        #[test]
        fn different_things_have_different_identities(a: [String; 5], b: [String; 5]) {
            prop_assert_eq!(id(&a) == id(&b), a == b);
        }

        #[test]
        fn no_text_moves_into_its_neighbour(tenant in "[a\",\\[\\]]{0,6}", resource in "[a\",\\[\\]]{0,6}", cut in 0usize..6) {
            let joined = format!("{tenant}{resource}");
            let cut = cut.min(joined.len());
            let (left, right) = joined.split_at(cut);
            let name = |t: &str, r: &str| of(&"a".into(), t, &"c".into(), "k", Some(r));
            prop_assert_eq!(name(&tenant, &resource) == name(left, right), tenant == left);
        }

        #[test]
        fn a_whole_dataset_is_no_resource(resource: String) {
            let name = |r: Option<&str>| of(&"a".into(), "t", &"c".into(), "k", r);
            prop_assert_ne!(name(Some(&resource)), name(None));
        }
    }
}
