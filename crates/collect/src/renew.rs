//! What a vendor renews while it is used: the refresh token of somebody who signed in, and the tokens it has bought.
//!
//! Many vendors take a refresh token once and give another with each answer. Two that redeem the same one are taken for
//! thieves, and a new one that is lost ends the sign-in. Hence a [`Keeper`]: one at a time may renew, and what comes of
//! it is kept before it is used. Tokens that are still good are shared, since some vendors end them with the next.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use catalog::manifest::REFRESH_TOKEN;
use futures_util::future::BoxFuture;
use model::time::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The field of a stored credential that holds a [`Renewal`].
pub const RENEWAL: &str = "renewal";

/// A sign-in as it stands: what renews it, and what it has bought.
#[derive(Clone)]
pub struct Renewal {
    /// Buys the next token. Perhaps for the last time.
    pub refresh_token: SecretString,
    /// Tokens by the scope they were bought for; `""` where none was asked for.
    pub access: BTreeMap<String, Access>,
}

/// A token that was bought.
#[derive(Clone)]
pub struct Access {
    /// The token.
    pub token: SecretString,
    /// When it ends; `None` when the vendor did not tell.
    pub expires_at: Option<Timestamp>,
    /// What the vendor said with it, tokens taken out.
    pub answers: Vec<Json>,
}

/// As it is sealed. Nothing else writes secrets as text.
#[derive(Serialize, Deserialize)]
struct Written {
    refresh_token: String,
    access: BTreeMap<String, WrittenAccess>,
}

#[derive(Serialize, Deserialize)]
struct WrittenAccess {
    token: String,
    expires_at: Option<Timestamp>,
    answers: Vec<Json>,
}

impl Renewal {
    /// A sign-in of which only the refresh token is known.
    #[must_use]
    pub fn new(refresh_token: SecretString) -> Self {
        Self { refresh_token, access: BTreeMap::new() }
    }

    /// The text that is sealed as the field [`RENEWAL`].
    #[must_use]
    pub fn to_secret(&self) -> SecretString {
        let access = self.access.iter().map(|(scope, a)| {
            let token = a.token.expose_secret().to_owned();
            (scope.clone(), WrittenAccess { token, expires_at: a.expires_at, answers: a.answers.clone() })
        });
        let refresh_token = self.refresh_token.expose_secret().to_owned();
        let written = Written { refresh_token, access: access.collect() };
        serde_json::json!(written).to_string().into()
    }

    /// Reads what [`Renewal::to_secret`] wrote; `None` when it is anything else.
    #[must_use]
    pub fn from_secret(text: &SecretString) -> Option<Self> {
        let written: Written = serde_json::from_str(text.expose_secret()).ok()?;
        let access = written.access.into_iter().map(|(scope, a)| {
            (scope, Access { token: a.token.into(), expires_at: a.expires_at, answers: a.answers })
        });
        Some(Self { refresh_token: written.refresh_token.into(), access: access.collect() })
    }

    /// The sign-in that a credential's fields hold: as it was stored, or the bare refresh token somebody entered.
    #[must_use]
    pub fn of(values: &BTreeMap<String, SecretString>) -> Option<Self> {
        if let Some(stored) = values.get(RENEWAL) {
            return Self::from_secret(stored);
        }
        let token = values.get(REFRESH_TOKEN)?.expose_secret().trim();
        (!token.is_empty()).then(|| Self::new(token.to_owned().into()))
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal")
            .field("scopes", &self.access.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Keeps a sign-in. Whoever renews takes a turn, so that no two redeem the same refresh token.
pub trait Keeper: Send + Sync {
    /// Waits for the turn.
    ///
    /// # Errors
    /// A sentence, when the turn does not come or what is kept cannot be read: our own fault, not the vendor's.
    fn turn(&self) -> BoxFuture<'_, Result<Box<dyn Turn>, String>>;
}

/// The right to renew. Dropping it gives it back, at the latest after a while.
pub trait Turn: Send {
    /// The sign-in as it stands now; `None` when the credential has none.
    fn current(&self) -> Option<&Renewal>;

    /// Keeps what was renewed, for good. Returns when it cannot be lost any more.
    ///
    /// # Errors
    /// A sentence, when it could not be kept.
    fn keep(&mut self, renewed: Renewal) -> BoxFuture<'_, Result<(), String>>;

    /// Gives the turn back.
    fn end(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// Keeps a sign-in in memory: between the sign-in and its storage, and for one-off scans.
#[derive(Clone, Default)]
pub struct InMemory(Arc<Mutex<Option<Renewal>>>);

impl InMemory {
    /// Keeps the sign-in of a credential's fields.
    #[must_use]
    pub fn new(renewal: Option<Renewal>) -> Self {
        Self(Arc::new(Mutex::new(renewal)))
    }

    /// The sign-in as it stands now.
    pub async fn renewal(&self) -> Option<Renewal> {
        self.0.lock().await.clone()
    }
}

impl Keeper for InMemory {
    fn turn(&self) -> BoxFuture<'_, Result<Box<dyn Turn>, String>> {
        let kept = Arc::clone(&self.0);
        Box::pin(async move { Ok(Box::new(kept.lock_owned().await) as Box<dyn Turn>) })
    }
}

impl Turn for OwnedMutexGuard<Option<Renewal>> {
    fn current(&self) -> Option<&Renewal> {
        self.as_ref()
    }

    fn keep(&mut self, renewed: Renewal) -> BoxFuture<'_, Result<(), String>> {
        **self = Some(renewed);
        Box::pin(std::future::ready(Ok(())))
    }

    fn end(self: Box<Self>) -> BoxFuture<'static, ()> {
        drop(self);
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_is_read_as_it_was_written() {
        let access = Access {
            token: "at-1".to_owned().into(),
            expires_at: Some(Timestamp(7)),
            answers: vec![serde_json::json!({ "scope": "a b" })],
        };
        let renewal = Renewal {
            refresh_token: "rt-\"1\"".to_owned().into(),
            access: BTreeMap::from([(String::new(), access)]),
        };
        let back = Renewal::from_secret(&renewal.to_secret()).expect("it was just written");
        assert_eq!(back.refresh_token.expose_secret(), "rt-\"1\"");
        let access = &back.access[""];
        assert_eq!((access.token.expose_secret(), access.expires_at), ("at-1", Some(Timestamp(7))));
        assert_eq!(access.answers[0]["scope"], "a b");
        assert!(Renewal::from_secret(&"rt-1".to_owned().into()).is_none());
        assert!(!format!("{back:?}").contains("t-1"));
    }

    #[test]
    fn what_is_stored_comes_before_what_was_entered() {
        let entered = BTreeMap::from([(REFRESH_TOKEN.to_owned(), SecretString::from(" rt-1\n"))]);
        assert_eq!(Renewal::of(&entered).expect("entered").refresh_token.expose_secret(), "rt-1");
        let mut stored = entered;
        stored.insert(RENEWAL.to_owned(), Renewal::new("rt-2".to_owned().into()).to_secret());
        assert_eq!(Renewal::of(&stored).expect("stored").refresh_token.expose_secret(), "rt-2");
        // What is stored and cannot be read is not replaced by something older.
        stored.insert(RENEWAL.to_owned(), "torn".to_owned().into());
        assert!(Renewal::of(&stored).is_none());
    }
}
