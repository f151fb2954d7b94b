//! What was entered for Add application and Reauthenticate: checked, then verified at the vendor, or handed to somebody who
//! signs in there.

use std::sync::Arc;

use catalog::App;
use catalog::manifest::REFRESH_TOKEN;
use collect::{Credential, InMemory, Preflight, RENEWAL, Target};
use model::credential::Identity;
use model::id::{AppId, InstanceId, OwnerId};
use model::view::{Actor, CredentialInput, CredentialStep, PreflightPage, Session};
use secrecy::ExposeSecret as _;
use store::{StoreError, instances};

use crate::Ops;
use crate::draft::{Begun, Draft, LIFE};
use crate::form::{auth, check_settings, deployment, resolve};
use crate::onboard::{Secrets, check_name, known_app};
use crate::refusal::{Result, conflict, internal, invalid, must_be_admin, store as from_store, vendor};

impl Ops {
    pub(crate) async fn entered(
        &self,
        actor: &Actor,
        app: &AppId,
        input: CredentialInput,
        secrets: Secrets,
        stand_in: Option<&str>,
    ) -> Result<(Arc<App>, Begun)> {
        must_be_admin(actor)?;
        let app = self.app(app)?;
        let way = deployment(&app, &input.deployment)?;
        let auth = auth(&app, &input.auth)?;
        let settings = check_settings(&app, way, &input)?;
        let secrets = check_secrets(auth, secrets, &Secrets::new())?;
        let owner = self.check_owner(&input.owner).await?;
        if !input.name.trim().is_empty() {
            check_name(input.name.trim())?;
        }
        let origins = resolve(&app, way, &settings, stand_in)?;
        let begun = Begun {
            operator: actor.operator.clone(),
            app: app.id.clone(),
            instance: None,
            name: input.name,
            owner,
            deployment: way.id.clone(),
            auth: auth.id.clone(),
            settings,
            origins: origins.to_map(),
            secrets,
        };
        Ok((app, begun))
    }

    pub(crate) async fn step(
        &self,
        session: &Session,
        app: &Arc<App>,
        begun: Begun,
    ) -> Result<CredentialStep> {
        if self.must_sign_in(app, &begun) {
            let member = begun.instance.as_ref().map(|id| self.instance(id)).transpose()?;
            let page = self.begin_sign_in(session, app, begun, member.as_deref())?;
            return Ok(CredentialStep::SignIn(Box::new(page)));
        }
        Ok(CredentialStep::Verified(Box::new(self.verify_entered(app, begun).await?)))
    }

    fn must_sign_in(&self, app: &App, begun: &Begun) -> bool {
        app.auth(&begun.auth).is_some_and(|a| a.kind.signs_in()) && !begun.secrets.contains_key(REFRESH_TOKEN)
    }

    pub(crate) async fn verify_entered(&self, app: &Arc<App>, mut begun: Begun) -> Result<PreflightPage> {
        if self.must_sign_in(app, &begun) {
            return Err(invalid(
                REFRESH_TOKEN,
                "A refresh token is needed, or a sign-in at the vendor in Parapet's pages.",
            ));
        }
        let kept = InMemory::new(collect::Renewal::of(&begun.secrets));
        begun.secrets.remove(REFRESH_TOKEN);
        self.verified(app, begun, kept).await
    }

    /// Verifies the credential, and keeps what it was found to be until somebody confirms it.
    pub(crate) async fn verified(
        &self,
        app: &Arc<App>,
        begun: Begun,
        kept: InMemory,
    ) -> Result<PreflightPage> {
        let credential = Credential::new(&*begun.auth, begun.secrets.clone()).kept_by(Arc::new(kept.clone()));
        let told = Arc::clone(&credential.back_off);
        let verified = self.verify(begun.target(app)?, credential).await;
        if let Some(id) = &begun.instance {
            contact::keep_back_off(&told, self.db(), id, self.now()).await.map_err(from_store)?;
        }
        let preflight = verified?;
        let member = begun.instance.as_ref().map(|id| self.instance(id)).transpose()?;
        if let Some(member) = &member {
            same_tenant(&preflight.identity, &member.row.instance.identity)?;
        }
        let name = match begun.name.trim() {
            "" => format!("{} {}", app.manifest.name, preflight.identity.tenant_name),
            name => check_name(name)?,
        };
        let mut secrets = begun.secrets;
        // As the verification left it: the vendor may have renewed it on the way.
        if let Some(renewal) = kept.renewal().await {
            secrets.insert(RENEWAL.to_owned(), renewal.to_secret());
        }
        let draft = Draft {
            operator: begun.operator,
            app: begun.app,
            instance: begun.instance,
            name,
            owner: begun.owner,
            deployment: begun.deployment,
            auth: begun.auth,
            settings: begun.settings,
            origins: begun.origins,
            secrets,
            preflight,
            expires_at: self.now() + LIFE,
        };
        self.present(app, draft, member.as_deref()).await
    }

    /// In a task of its own: a browser that goes away must not end it between the vendor's answer and its storage.
    pub(crate) async fn verify(&self, target: Target, credential: Credential) -> Result<Preflight> {
        let (ops, name) = (self.clone(), target.app.manifest.name.clone());
        let verified = tokio::spawn(async move {
            collect::preflight(&ops.0.outbound, &target, &credential, &*ops.0.clock).await
        });
        verified.await.map_err(internal)?.map_err(|fault| vendor(&fault, &name, self.now()))
    }

    async fn check_owner(&self, id: &str) -> Result<Option<OwnerId>> {
        if id.is_empty() {
            return Ok(None);
        }
        let owners = self.owner_refs().await?;
        let owner = owners.get(&OwnerId::from(id)).filter(|o| o.active);
        owner
            .map(|o| Some(o.id.clone()))
            .ok_or_else(|| invalid("owner", "This owner does not exist or is not active."))
    }

    pub(crate) async fn entered_anew(
        &self,
        actor: &Actor,
        id: &InstanceId,
        input: CredentialInput,
        secrets: Secrets,
    ) -> Result<(Arc<App>, Begun)> {
        must_be_admin(actor)?;
        let member = self.instance(id)?;
        let app = known_app(&member)?;
        let i = &member.row.instance;
        let auth = auth(&app, if input.auth.is_empty() { &i.auth } else { &input.auth })?;
        // A client stays registered when a sign-in ends; what is left empty is taken from what is stored.
        let stored = if auth.kind.signs_in() && auth.id == i.auth {
            match instances::credential(self.db(), id, &i.origins).await {
                // Sealed for other origins: it must be entered, as the reason for this page says.
                Err(StoreError::SealBroken) => Secrets::new(),
                found => found.map_err(from_store)?,
            }
        } else {
            Secrets::new()
        };
        let begun = Begun {
            operator: actor.operator.clone(),
            app: app.id.clone(),
            instance: Some(id.clone()),
            name: i.name.clone(),
            owner: i.owner.clone(),
            deployment: i.deployment.clone(),
            auth: auth.id.clone(),
            settings: i.settings.clone(),
            origins: i.origins.clone(),
            secrets: check_secrets(auth, secrets, &stored)?,
        };
        Ok((app, begun))
    }
}

/// Refuses a credential of another tenant, naming both.
fn same_tenant(found: &Identity, known: &Identity) -> Result<()> {
    if found.tenant_uid == known.tenant_uid {
        return Ok(());
    }
    Err(conflict(
        format!(
            "This credential belongs to another tenant: {} ({}). This application is {} ({}). The old credential was kept.",
            found.tenant_name, found.tenant_uid, known.tenant_name, known.tenant_uid
        ),
        "Enter a credential of the same tenant, or add the other tenant as an application of its own.",
    ))
}

/// Every field of the mechanism, present and trimmed where white space cannot be meant; what is left empty from what is
/// stored. What comes of a sign-in may be missing: somebody signs in for it.
fn check_secrets(auth: &catalog::manifest::Auth, mut given: Secrets, stored: &Secrets) -> Result<Secrets> {
    let mut values = Secrets::new();
    for field in auth.kind.fields() {
        let value = given.remove(field.name).map(|v| v.expose_secret().trim().to_owned()).unwrap_or_default();
        if !value.is_empty() {
            values.insert(field.name.to_owned(), value.into());
        } else if let Some(kept) = stored.get(field.name).filter(|_| !field.from_sign_in) {
            values.insert(field.name.to_owned(), kept.clone());
        } else if !field.from_sign_in {
            return Err(invalid(field.name, format!("{} is needed.", field.title)));
        }
    }
    Ok(values)
}
