//! First-run set-up, sign-in and sessions of local operators.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

use model::id::OperatorId;
use model::time::{Duration, Timestamp};
use model::view::{Actor, Refusal, RefusalKind, Role, Session};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use store::operators::Operator;
use store::setup::Outcome;

use crate::password::Passwords;
use crate::refusal::{Result, conflict, internal, invalid, refuse};
use crate::{Ops, audit, token};

/// A session ends this long after sign-in.
const SESSION: Duration = Duration::hours(12);
/// The one-time set-up token.
const SETUP: Duration = Duration::hours(24);
/// Wrong passwords allowed in [`WINDOW`] for one name, and for one address.
const ATTEMPTS_PER_NAME: usize = 5;
const ATTEMPTS_PER_ADDRESS: usize = 20;
const WINDOW: Duration = Duration::minutes(15);

/// What a sign-in gives.
pub struct SignedIn {
    /// Goes into the cookie; only its hash is stored.
    pub token: SecretString,
    /// Who it is.
    pub session: Session,
}

impl std::fmt::Debug for SignedIn {
    /// Who it is; neither token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").field("actor", &self.session.actor).finish_non_exhaustive()
    }
}

/// Failed attempts by name and by address, in memory: a restart forgives, which is worth the simplicity.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<BTreeMap<String, Vec<Timestamp>>>);

impl Attempts {
    fn keys(name: &str, from: Option<IpAddr>) -> [(String, usize); 2] {
        let address = from.map_or_else(|| "address unknown".to_owned(), |ip| format!("address {ip}"));
        [(format!("name {}", name.to_lowercase()), ATTEMPTS_PER_NAME), (address, ATTEMPTS_PER_ADDRESS)]
    }

    fn blocked_until(&self, name: &str, from: Option<IpAddr>, now: Timestamp) -> Option<Timestamp> {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.retain(|_, times| {
            times.retain(|t| *t + WINDOW > now);
            !times.is_empty()
        });
        Self::keys(name, from)
            .iter()
            .filter_map(|(key, most)| all.get(key).filter(|t| t.len() >= *most)?.first().map(|t| *t + WINDOW))
            .max()
    }

    fn failed(&self, name: &str, from: Option<IpAddr>, now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (key, _) in Self::keys(name, from) {
            all.entry(key).or_default().push(now);
        }
    }
}

impl Ops {
    /// Whether no operator exists yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn setup_needed(&self) -> Result<bool> {
        Ok(store::operators::count(self.db()).await.map_err(internal)? == 0)
    }

    /// A fresh one-time token for the first operator, to be printed on the console; `None` when an operator exists.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn offer_setup(&self) -> Result<Option<SecretString>> {
        let token = token::fresh(&*self.0.entropy);
        let now = self.now();
        let offered = store::setup::offer(self.db(), token::hash(&token).as_bytes(), now, now + SETUP)
            .await
            .map_err(internal)?;
        Ok(offered.then(|| token.into()))
    }

    /// Makes the first operator with the one-time token from the console, and signs them in.
    ///
    /// # Errors
    /// A wrong or expired token, a name or password that cannot be used, or an operator that exists already.
    pub async fn set_up(
        &self,
        setup_token: &SecretString,
        name: &str,
        password: &SecretString,
        from: Option<IpAddr>,
    ) -> Result<SignedIn> {
        let now = self.now();
        self.not_too_often("set-up", from, now)?;
        let operator = self.new_operator(name, password, Role::Admin).await?;
        let hash = token::hash(setup_token.expose_secret().trim());
        let actor = actor_of(&operator)?;
        let entry = audit(&actor, "set up", None, &*operator.name, json!({}));
        match store::setup::complete(self.db(), hash.as_bytes(), &operator, now, entry)
            .await
            .map_err(internal)?
        {
            Outcome::Done => self.begin_session(&operator, now).await,
            Outcome::AlreadySetUp => {
                Err(conflict("This server has been set up already.", "Sign in with an existing operator."))
            }
            Outcome::WrongToken => {
                self.0.attempts.failed("set-up", from, now);
                Err(Refusal {
                    remedy:
                        "The token is printed on the server's console at start; restarting prints a new one."
                            .to_owned(),
                    ..invalid("setup_token", "This is not the set-up token, or it has expired.")
                })
            }
        }
    }

    /// Adds an operator (command line).
    ///
    /// # Errors
    /// A name or password that cannot be used, or a name that is taken.
    pub async fn create_operator(
        &self,
        actor: &Actor,
        name: &str,
        password: &SecretString,
        role: Role,
    ) -> Result<()> {
        crate::refusal::must_be_admin(actor)?;
        let operator = self.new_operator(name, password, role).await?;
        let entry = audit(actor, "operator created", None, &*operator.name, json!({ "role": role.as_str() }));
        store::operators::create(self.db(), &operator, self.now(), entry).await.map_err(|e| match e {
            store::StoreError::Exists { .. } => {
                invalid("name", format!("An operator named {name} exists already."))
            }
            e => internal(e),
        })
    }

    async fn new_operator(&self, name: &str, password: &SecretString, role: Role) -> Result<Operator> {
        let name = name.trim();
        let usable = !name.is_empty() && name.chars().count() <= 60 && !name.chars().any(char::is_control);
        if !usable {
            return Err(invalid("name", "The name must have 1 to 60 characters."));
        }
        Passwords::check_new(password)?;
        let password_hash = self.0.passwords.hash(password, &*self.0.entropy).await?;
        Ok(Operator {
            id: OperatorId::new(self.new_id()),
            name: name.to_owned(),
            role: role.as_str().to_owned(),
            password_hash,
            active: true,
            created_at: self.now(),
            last_sign_in_at: None,
            email: None,
        })
    }

    /// Signs an operator in.
    ///
    /// # Errors
    /// A wrong name or password (which of them is not said), or too many attempts.
    pub async fn sign_in(
        &self,
        name: &str,
        password: &SecretString,
        from: Option<IpAddr>,
    ) -> Result<SignedIn> {
        let now = self.now();
        self.not_too_often(name, from, now)?;
        let operator =
            store::operators::by_name(self.db(), name.trim()).await.map_err(internal)?.filter(|o| o.active);
        let hash = operator.as_ref().map(|o| o.password_hash.clone());
        let fits = self.0.passwords.verify(password, hash).await?;
        match operator.filter(|_| fits) {
            Some(operator) => self.begin_session(&operator, now).await,
            None => {
                self.0.attempts.failed(name, from, now);
                Err(invalid("password", "The name or the password is wrong."))
            }
        }
    }

    fn not_too_often(&self, name: &str, from: Option<IpAddr>, now: Timestamp) -> Result<()> {
        let Some(until) = self.0.attempts.blocked_until(name, from, now) else { return Ok(()) };
        Err(refuse(
            RefusalKind::TooMany,
            "There were too many wrong attempts.",
            format!("Try again {}.", model::words::relative(until, now)),
        ))
    }

    async fn begin_session(&self, operator: &Operator, now: Timestamp) -> Result<SignedIn> {
        let token = token::fresh(&*self.0.entropy);
        let row = store::sessions::Session {
            token_hash: token::hash(&token).into_bytes(),
            operator: operator.id.clone(),
            csrf: token::fresh(&*self.0.entropy),
            created_at: now,
            last_seen_at: now,
            expires_at: now + SESSION,
        };
        let actor = actor_of(operator)?;
        let entry = audit(&actor, "signed in", None, &*operator.name, json!({}));
        store::sessions::begin(self.db(), &row, entry).await.map_err(internal)?;
        Ok(SignedIn {
            token: token.into(),
            session: Session { actor, csrf: row.csrf, expires_at: row.expires_at },
        })
    }

    /// Who a cookie belongs to; `None` when it is unknown or over.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn session(&self, token: &str) -> Result<Option<Session>> {
        let hash = token::hash(token);
        let found = store::sessions::find(self.db(), hash.as_bytes(), self.now()).await.map_err(internal)?;
        let Some((session, operator)) = found.filter(|(_, o)| o.active) else { return Ok(None) };
        Ok(Some(Session { actor: actor_of(&operator)?, csrf: session.csrf, expires_at: session.expires_at }))
    }

    /// Ends a session. One that does not exist is ended already.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn sign_out(&self, token: &str) -> Result<()> {
        let Some(session) = self.session(token).await? else { return Ok(()) };
        let entry = audit(&session.actor, "signed out", None, &*session.actor.name, json!({}));
        store::sessions::end(self.db(), token::hash(token).as_bytes(), self.now(), entry)
            .await
            .map_err(internal)
    }
}

fn actor_of(operator: &Operator) -> Result<Actor> {
    let role = Role::parse(&operator.role).ok_or_else(|| {
        internal(format!("operator {} has the unknown role {}", operator.name, operator.role))
    })?;
    Ok(Actor { operator: operator.id.clone(), name: operator.name.clone(), role })
}
