//! Signing in at a vendor: what was entered waits in memory while the browser is away, for one session, once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use catalog::App;
use catalog::manifest::{Auth, AuthKind};
use collect::{Credential, InMemory, SignIn, Target};
use model::id::AppId;
use model::time::{Duration, Timestamp};
use model::view::{Actor, PreflightPage, Session, SignInTerms, VendorReturnPage, VendorSignInPage};
use secrecy::ExposeSecret as _;
use url::Url;

use crate::Ops;
use crate::draft::Begun;
use crate::refusal::{Result, conflict, internal, invalid, must_be_admin, vendor};

/// How long somebody may take to sign in at the vendor.
const LIFE: Duration = Duration::minutes(10);
/// Sign-ins at once; beyond it the oldest is forgotten.
const MOST: usize = 64;
/// Where Parapet is found until somebody says otherwise.
const HERE: &str = "http://127.0.0.1:8080";

/// A sign-in whose browser is at the vendor.
struct Away {
    /// The session that began it: only this one may end it.
    session: String,
    begun: Begun,
    sign_in: SignIn,
    expires_at: Timestamp,
}

/// The sign-ins by their `state`. Secret values wipe themselves when one is dropped.
#[derive(Default)]
pub(crate) struct SignIns(Mutex<BTreeMap<String, Away>>);

impl SignIns {
    fn put(&self, state: String, away: Away, now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, a| a.expires_at > now);
        while all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, a)| a.expires_at).map(|(state, _)| state.clone());
            match oldest {
                Some(state) => all.remove(&state),
                None => break,
            };
        }
        all.insert(state, away);
    }

    /// Looks at one that fits, and leaves it.
    fn peek<T>(
        &self,
        state: &str,
        session: &Session,
        app: &AppId,
        now: Timestamp,
        look: impl FnOnce(&Away) -> T,
    ) -> Option<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, a| a.expires_at > now);
        all.get(state).filter(|a| a.fits(session, app)).map(look)
    }

    /// Takes one out that fits: it cannot be used again, whatever comes of it.
    fn take(&self, state: &str, session: &Session, app: &AppId, now: Timestamp) -> Option<Away> {
        self.peek(state, session, app, now, |_| ())?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(state)
    }
}

impl Away {
    fn fits(&self, session: &Session, app: &AppId) -> bool {
        self.session == session.csrf
            && self.begun.operator == session.actor.operator
            && self.begun.app == *app
    }
}

impl Ops {
    /// Says by which address browsers reach Parapet: vendors send them back there. The first word counts.
    pub fn reached_at(&self, url: &str) {
        // Said twice only by a server that is wired wrongly; the address that was shown stays.
        let _ = self.0.reached_at.set(url.trim_end_matches('/').to_owned());
    }

    /// What a sign-in at the vendor is made with; `None` where nobody signs in there.
    pub(crate) fn terms(&self, app: &App, auth: &Auth) -> Option<SignInTerms> {
        auth.kind.signs_in().then(|| SignInTerms {
            redirect_uri: self.redirect_uri(&app.id),
            scopes: collect::sign_in_scopes(app, auth),
        })
    }

    /// An address of its own for each product, so that no vendor's answer is taken for another's.
    fn redirect_uri(&self, app: &AppId) -> String {
        let here = self.0.reached_at.get().map_or(HERE, String::as_str);
        format!("{here}/connect/{app}")
    }

    /// Sends the browser to the vendor. What was entered waits in memory.
    pub(crate) fn begin_sign_in(
        &self,
        session: &Session,
        app: &Arc<App>,
        begun: Begun,
        lost_by: Option<&crate::fleet::Member>,
    ) -> Result<VendorSignInPage> {
        let target = begun.target(app)?;
        let sign_in = SignIn {
            redirect_uri: self.redirect_uri(&app.id),
            verifier: crate::token::fresh(&*self.0.entropy).into(),
            code: String::new().into(),
        };
        let state = crate::token::fresh(&*self.0.entropy);
        let client_id =
            begun.secrets.get("client_id").map(|v| v.expose_secret().to_owned()).unwrap_or_default();
        let url =
            collect::authorize_url(&target, &begun.auth, &client_id, &state, &sign_in).map_err(internal)?;
        let auth = app.auth(&begun.auth).ok_or_else(|| internal("the way to authenticate is gone"))?;
        // Said before somebody signs in, and not when the code is to be redeemed.
        if let Some(token) = token_endpoint(&target, auth) {
            self.0.outbound.admits(token).map_err(|why| invalid("deployment", format!("{why}.")))?;
        }
        let expires_at = self.now() + LIFE;
        let page = VendorSignInPage {
            now: self.now(),
            app: self.catalogue_app(app),
            reauthenticate: lost_by.map(|m| self.header(m)),
            at: url.origin().ascii_serialization(),
            terms: SignInTerms {
                redirect_uri: sign_in.redirect_uri.clone(),
                scopes: collect::sign_in_scopes(app, auth),
            },
            address: url.into(),
            expires_at,
        };
        let away = Away { session: session.csrf.clone(), begun, sign_in, expires_at };
        self.0.sign_ins.put(state, away, self.now());
        Ok(page)
    }

    /// The browser is back: whether this sign-in was begun here, in this session, and is still waited for. Changes nothing.
    ///
    /// # Errors
    /// It is not.
    pub async fn vendor_returned(
        &self,
        session: &Session,
        app: &AppId,
        state: &str,
    ) -> Result<VendorReturnPage> {
        must_be_admin(&session.actor)?;
        let app = self.app(app)?;
        let found = self.0.sign_ins.peek(state, session, &app.id, self.now(), |away| {
            (away.begun.instance.clone(), away.begun.auth.clone(), away.begun.target(&app), away.expires_at)
        });
        let (instance, auth, target, expires_at) = found.ok_or_else(|| self.not_waited_for())?;
        let target = target?;
        let at = app.auth(&auth).and_then(|auth| token_endpoint(&target, auth));
        let at = at.map(|url| url.origin().ascii_serialization());
        let member = instance.map(|id| self.instance(&id)).transpose()?;
        Ok(VendorReturnPage {
            now: self.now(),
            app: self.catalogue_app(&app),
            reauthenticate: member.as_deref().map(|m| self.header(m)),
            at: at.unwrap_or_default(),
            expires_at,
        })
    }

    /// Redeems the code that the browser brought back, and verifies what came of it, as any other credential. The sign-in
    /// is used up, whatever comes of it. Nothing is saved.
    ///
    /// # Errors
    /// A sign-in that is not waited for, the vendor's refusal, or a credential of another tenant.
    pub async fn vendor_continue(
        &self,
        session: &Session,
        app: &AppId,
        state: &str,
        code: &str,
    ) -> Result<PreflightPage> {
        let actor: &Actor = &session.actor;
        must_be_admin(actor)?;
        let app = self.app(app)?;
        let away = self.0.sign_ins.take(state, session, &app.id, self.now());
        let Away { mut begun, sign_in, .. } = away.ok_or_else(|| self.not_waited_for())?;
        if code.is_empty() {
            return Err(conflict("The vendor sent no code.", "Begin the sign-in again."));
        }
        let sign_in = SignIn { code: code.to_owned().into(), ..sign_in };
        let target = begun.target(&app)?;
        let credential = Credential::new(&*begun.auth, begun.secrets.clone());
        let renewal = collect::sign_in(&self.0.outbound, &target, &credential, &*self.0.clock, &sign_in)
            .await
            .map_err(|fault| vendor(&fault, &app.manifest.name, self.now()))?;
        begun.secrets.remove(catalog::manifest::REFRESH_TOKEN);
        self.verified(&app, begun, InMemory::new(Some(renewal))).await
    }

    fn not_waited_for(&self) -> model::view::Refusal {
        let here = self.0.reached_at.get().map_or(HERE, String::as_str);
        conflict(
            "This sign-in at the vendor is not waited for: it was begun more than ten minutes ago, has been used, or was begun in another browser or session.",
            format!("Begin it again, with Parapet opened as {here}."),
        )
    }
}

/// Where codes are redeemed: its base address.
fn token_endpoint<'t>(target: &'t Target, auth: &Auth) -> Option<&'t Url> {
    match &auth.kind {
        AuthKind::AuthorizationCode { token, .. } => target.origins.get(&token.host),
        _ => None,
    }
}
