//! Identities: the people and programs of an organisation, as its identity providers know them.
//!
//! An identity provider is called a directory here: an instance that an operator marked, or a list that was uploaded.
//! Accounts of all other instances are judged against all directories together (`assess::Directories`).

mod list;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::account::SHAPE;
use crate::id::DirectoryId;
use crate::time::{Duration, Timestamp};
use crate::value::{Record, Value};

pub use list::{ListError, MOST_BYTES, parse as parse_list};

/// How old what a marked instance said may be and still be believed, unless told otherwise.
pub const MAX_AGE: Duration = Duration::hours(48);
/// The same for an uploaded list, which nothing renews by itself.
pub const MAX_LIST_AGE: Duration = Duration::days(30);

/// One identity provider and all it is known to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Which.
    pub id: DirectoryId,
    /// What people call it.
    pub name: String,
    /// How old what it said may be.
    pub max_age: Duration,
    /// When it was last read to its end; `None`: never, so that nothing can be concluded from absence.
    pub complete_at: Option<Timestamp>,
    /// Everybody it knows, and whom it once knew.
    pub identities: Vec<Identity>,
}

/// One person or program at one identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Identity {
    /// Unique at the identity provider, and never given to somebody else.
    pub id: String,
    /// Further immutable ids by which other applications may know it.
    #[serde(default)]
    pub other_ids: Vec<String>,
    /// What people type or see.
    pub username: Option<String>,
    /// The name of the person.
    pub display_name: Option<String>,
    /// Addresses that the identity provider vouches for.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Further addresses of the same person.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// `None`: the identity provider did not tell.
    pub state: Option<State>,
    /// When it was last seen there, or found to be gone.
    #[serde(default)]
    pub seen_at: Timestamp,
}

/// Where an identity stands at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// May sign in.
    Active,
    /// Made, and not taken up yet.
    Invited,
    /// May not sign in.
    Suspended,
    /// Never taken up in time.
    Expired,
    /// The identity provider no longer has it.
    Removed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Active, Self::Invited, Self::Suspended, Self::Expired, Self::Removed];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Invited => "invited",
            Self::Suspended => "suspended",
            Self::Expired => "expired",
            Self::Removed => "removed",
        }
    }

    /// Reads [`State::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Whether whoever it is should still have access to anything.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Active | Self::Invited)
    }
}

/// Somebody who is known to be live nowhere any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departed {
    /// Where their account stands.
    pub state: State,
    /// The identity provider that says so; of several the one that was marked first.
    pub provider: String,
    /// Until when that may be believed: what an identity provider said ages.
    pub until: Timestamp,
}

/// By what an account was matched with an identity, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// It is an account of the identity provider: the identity itself.
    Itself,
    /// An id that never changes, told by SAML or SCIM.
    ImmutableId,
    /// An address that the application has verified, or had from an identity provider.
    VerifiedAddress,
    /// A further address of the account or of the identity.
    Alias,
    /// An operator said so.
    Hand,
    /// The application says that an identity provider made it, and its address names whom.
    Application,
}

impl By {
    /// Every way.
    pub const ALL: [Self; 6] =
        [Self::Itself, Self::ImmutableId, Self::VerifiedAddress, Self::Alias, Self::Hand, Self::Application];

    /// The words of `identity_by`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Itself => "the identity provider itself",
            Self::ImmutableId => "immutable id",
            Self::VerifiedAddress => "verified e-mail",
            Self::Alias => "alias",
            Self::Hand => "linked by hand",
            Self::Application => "the application says so",
        }
    }
}

/// Whose an account is, in the four ways that lists tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// Somebody's whom an identity provider knows, deactivated or not.
    Matched,
    /// Somebody's who is deactivated at the identity provider or gone from it.
    Deactivated,
    /// Known to be nobody's.
    Unmatched,
    /// It cannot be told.
    Unknown,
}

impl Match {
    /// Every answer.
    pub const ALL: [Self; 4] = [Self::Matched, Self::Deactivated, Self::Unmatched, Self::Unknown];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Deactivated => "deactivated",
            Self::Unmatched => "unmatched",
            Self::Unknown => "unknown",
        }
    }

    /// Reads [`Match::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|i| i.as_str() == text)
    }
}

/// An identity among all directories, as accounts name it in `identity`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityKey {
    /// The directory.
    pub directory: DirectoryId,
    /// The identity's id there.
    pub id: String,
}

impl IdentityKey {
    /// Reads what [`fmt::Display`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (directory, id) = text.split_once('/')?;
        let whole = !directory.is_empty() && !id.is_empty();
        whole.then(|| Self { directory: directory.into(), id: id.to_owned() })
    }
}

impl fmt::Display for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An id of a directory holds no slash.
        write!(f, "{}/{}", self.directory, self.id)
    }
}

/// An address as it is compared: without blanks around it, letters of ASCII made small. `None` when it is none.
///
/// Nothing else is made equal: no dots are dropped and nothing after a `+`, because what these mean is the mail server's
/// business. Letters outside ASCII stay as they are: some of them become an ASCII letter when made small, and with it
/// somebody else's address.
#[must_use]
pub fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    (plain && !local.is_empty() && !domain.is_empty()).then(|| text.to_ascii_lowercase())
}

/// Texts of a list, as far as they were read.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::List(list) => list.items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

impl Identity {
    /// What an account of an identity provider says about an identity. `gone`: the provider no longer has it.
    /// `None` when it has no id.
    #[must_use]
    pub fn of_account(record: &Record, seen_at: Timestamp, gone: bool) -> Option<Self> {
        let get = |name| record.get(&SHAPE, name);
        let text = |name| get(name).as_str().filter(|text: &&str| !text.trim().is_empty()).map(str::to_owned);
        let username = text("username");
        let mut addresses = texts(get("emails_verified"));
        addresses.extend(text("email"));
        addresses.extend(username.clone().filter(|name| address(name).is_some()));
        let mut other_ids = texts(get("other_ids"));
        other_ids.extend(text("idp_id"));
        let told = get("state").as_str().and_then(State::parse);
        Some(Self {
            id: text("id")?,
            other_ids,
            username,
            display_name: text("display_name"),
            addresses,
            aliases: texts(get("aliases")),
            state: if gone { Some(State::Removed) } else { told },
            seen_at,
        })
    }

    /// What people call it: the user name, else the person's name, else the id.
    #[must_use]
    pub fn name(&self) -> &str {
        self.username.as_deref().or(self.display_name.as_deref()).unwrap_or(&self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_as_they_are_but_for_ascii_case() {
        assert_eq!(address(" Alice.B+x@Example.COM ").as_deref(), Some("alice.b+x@example.com"));
        // The Kelvin sign is `k` when made small by Unicode's rules; here it is somebody else.
        assert_eq!(address("\u{212a}elly@example.com").as_deref(), Some("\u{212a}elly@example.com"));
        for none in ["", "alice", "@example.com", "alice@", "a b@example.com", "a\u{0}@example.com", " @ "] {
            assert_eq!(address(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_key_is_read_back() {
        let key = IdentityKey { directory: "d-1".into(), id: "acme/users/7".to_owned() };
        assert_eq!(IdentityKey::parse(&key.to_string()), Some(key));
        for none in ["", "d", "/x", "d/"] {
            assert_eq!(IdentityKey::parse(none), None, "{none:?}");
        }
    }

    #[test]
    fn words_are_read_back() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
    }
}
