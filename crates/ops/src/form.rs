//! The form of Add application and Reauthenticate, from the catalogue alone.

use std::collections::BTreeMap;

use catalog::App;
use catalog::manifest::{Auth, Deployment, Setting};
use collect::{OriginError, Origins};
use model::id::AppId;
use model::scan::ScanKind;
use model::view::{
    Actor, CatalogueApp, CatalogueAppsPage, CredentialFormPage, CredentialInput, FormChoice, Html,
    InputField, Refusal, ScanPermissions,
};

use crate::Ops;
use crate::refusal::{Result, invalid, must_be_admin, not_found};

impl Ops {
    /// What can be onboarded.
    ///
    /// # Errors
    /// The role does not suffice.
    pub async fn catalogue_apps(&self, actor: &Actor) -> Result<CatalogueAppsPage> {
        must_be_admin(actor)?;
        let mut apps: Vec<CatalogueApp> =
            self.0.catalog.apps.values().map(|a| self.catalogue_app(a)).collect();
        apps.sort_by_key(|a| a.name.to_lowercase());
        Ok(CatalogueAppsPage { apps, errors: self.0.load_errors.iter().map(ToString::to_string).collect() })
    }

    pub(crate) fn catalogue_app(&self, app: &App) -> CatalogueApp {
        let m = &app.manifest;
        let onboarded = self.0.fleet.all().iter().filter(|f| f.row.instance.app == app.id).count();
        CatalogueApp {
            id: app.id.clone(),
            name: m.name.clone(),
            vendor: m.vendor.clone(),
            category: m.category.clone(),
            summary: m.summary.clone(),
            scans: app.supported(),
            checks: app.checks.len() as u64,
            onboarded: onboarded as u64,
            docs: m.docs.clone(),
        }
    }

    pub(crate) fn app(&self, id: &AppId) -> Result<std::sync::Arc<App>> {
        self.0.catalog.apps.get(id).cloned().ok_or_else(|| not_found("product in the catalogue"))
    }

    /// The form of Add application with what has been entered so far.
    ///
    /// # Errors
    /// No such product, or the role does not suffice.
    pub async fn onboard_form(
        &self,
        actor: &Actor,
        app: &AppId,
        input: &CredentialInput,
    ) -> Result<CredentialFormPage> {
        must_be_admin(actor)?;
        self.form(&*self.app(app)?, input).await
    }

    pub(crate) async fn form(&self, app: &App, input: &CredentialInput) -> Result<CredentialFormPage> {
        let way = deployment(app, &input.deployment)?;
        let auth = auth(app, &input.auth)?;
        Ok(CredentialFormPage {
            now: self.now(),
            app: self.catalogue_app(app),
            reauthenticate: None,
            steps: Html(app.onboarding_html.clone()),
            deployments: choices(app.manifest.deployment.iter().map(|d| (&d.id, &d.title, "")), &way.id),
            auths: choices(app.manifest.auth.iter().map(|a| (&a.id, &a.title, a.help.as_str())), &auth.id),
            settings: settings(app, way).map(|s| field(s, input)).collect(),
            credential: credential_fields(auth, input),
            permissions: permissions(app, auth),
            origins: origins(app, way, input),
            posts: posts(app, |host| base(app, way, input, host)),
            owners: self.owner_refs().await?.into_values().filter(|o| o.active).collect(),
            name: input.name.clone(),
            owner: Some(input.owner.clone()).filter(|o| !o.is_empty()),
            sign_in: self.terms(app, auth),
            refusal: None::<Refusal>,
        })
    }
}

/// A way of hosting; empty: the first.
pub(crate) fn deployment<'a>(app: &'a App, id: &str) -> Result<&'a Deployment> {
    let found = if id.is_empty() { app.manifest.deployment.first() } else { app.deployment(id) };
    found.ok_or_else(|| {
        invalid("deployment", format!("{} has no way of hosting named {id}.", app.manifest.name))
    })
}

/// A way to authenticate; empty: the first.
pub(crate) fn auth<'a>(app: &'a App, id: &str) -> Result<&'a Auth> {
    let found = if id.is_empty() { app.manifest.auth.first() } else { app.auth(id) };
    found.ok_or_else(|| {
        invalid("auth", format!("{} has no way to authenticate named {id}.", app.manifest.name))
    })
}

/// Everything that is entered and not secret: label or address first.
pub(crate) fn settings<'a>(app: &'a App, way: &'a Deployment) -> impl Iterator<Item = &'a Setting> {
    way.label.iter().chain(&way.address).chain(&app.manifest.setting)
}

/// Checks what was entered against the manifest and returns it trimmed.
pub(crate) fn check_settings(
    app: &App,
    way: &Deployment,
    input: &CredentialInput,
) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for setting in settings(app, way) {
        let entered = input.settings.get(&setting.name).map(|v| v.trim()).unwrap_or_default();
        let value = if entered.is_empty() { setting.default.as_deref().unwrap_or_default() } else { entered };
        if value.is_empty() && setting.optional {
            continue;
        }
        // An address is parsed and filtered as one; a pattern for plain words does not fit it.
        let is_address = way.address.as_ref().is_some_and(|a| a.name == setting.name);
        if value.is_empty() || !(is_address && setting.pattern.is_none()) {
            setting.accept(value).map_err(|says| invalid(&setting.name, format!("{says}.")))?;
        }
        values.insert(setting.name.clone(), value.to_owned());
    }
    Ok(values)
}

/// The origins for what was entered. `stand_in` replaces the vendor's address (demo, emulator).
pub(crate) fn resolve(
    app: &App,
    way: &Deployment,
    values: &BTreeMap<String, String>,
    stand_in: Option<&str>,
) -> Result<Origins> {
    let of =
        |setting: &Option<Setting>| setting.as_ref().and_then(|s| values.get(&s.name)).map(String::as_str);
    let address = stand_in.or_else(|| of(&way.address));
    Origins::resolve(app, &way.id, of(&way.label), address).map_err(|e| {
        let name = way.address.as_ref().or(way.label.as_ref()).map_or("deployment", |s| s.name.as_str());
        invalid(name, format!("{e}."))
    })
}

fn choices<'a>(
    of: impl Iterator<Item = (&'a String, &'a String, &'a str)>,
    selected: &str,
) -> Vec<FormChoice> {
    of.map(|(id, title, help)| FormChoice {
        id: id.clone(),
        title: title.clone(),
        help: help.to_owned(),
        selected: id == selected,
    })
    .collect()
}

fn field(setting: &Setting, input: &CredentialInput) -> InputField {
    InputField {
        name: setting.name.clone(),
        title: setting.title.clone(),
        help: setting.help.clone(),
        example: setting.example.clone(),
        value: input.settings.get(&setting.name).or(setting.default.as_ref()).cloned().unwrap_or_default(),
        secret: false,
        multiline: false,
        optional: setting.optional,
    }
}

fn credential_fields(auth: &Auth, input: &CredentialInput) -> Vec<InputField> {
    auth.kind
        .fields()
        .into_iter()
        .filter(|f| !f.from_sign_in)
        .map(|f| InputField {
            value: if f.secret {
                String::new()
            } else {
                input.settings.get(f.name).cloned().unwrap_or_default()
            },
            name: f.name.to_owned(),
            title: f.title,
            help: String::new(),
            example: String::new(),
            secret: f.secret,
            multiline: f.multiline,
            optional: false,
        })
        .collect()
}

fn permissions(app: &App, auth: &Auth) -> Vec<ScanPermissions> {
    app.supported()
        .into_iter()
        .map(|kind: ScanKind| {
            let mut required: Vec<String> = Vec::new();
            let mut optional: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for dataset in app.datasets_of(kind) {
                let Some(first) = dataset.spec.permission.get(&auth.id).and_then(|p| p.first()) else {
                    continue;
                };
                if dataset.spec.required.contains(&kind) {
                    required.push(first.clone());
                } else {
                    optional.entry(first.clone()).or_default().push(dataset.spec.title.clone());
                }
            }
            required.sort();
            required.dedup();
            optional.retain(|name, _| !required.contains(name));
            let optional = optional.into_iter().map(|(name, adds)| (name, adds.join(", "))).collect();
            ScanPermissions { kind, required, optional }
        })
        .collect()
}

/// The addresses to which the operator has allowed this application to send POST requests. `base` tells where a host is.
pub(crate) fn posts(app: &App, base: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let address = |(host, path): (&str, &str)| Some(format!("{}{path}", base(host)?.trim_end_matches('/')));
    app.allowed_posts().into_iter().filter_map(address).collect()
}

/// The base address of a host as far as it is known; `None` where this way of hosting does not have it.
fn base(app: &App, way: &Deployment, input: &CredentialInput, name: &str) -> Option<String> {
    let host = way.hosts.get(name)?;
    if let Ok(origins) = entered(app, way, input) {
        return origins.get(name).map(ToString::to_string);
    }
    let origin = host.origin.clone().or_else(|| Some(format!("{{{}}}", way.address.as_ref()?.name)))?;
    Some(format!("{origin}{}", host.base))
}

/// The addresses, once all that they are made of has been entered.
fn entered(
    app: &App,
    way: &Deployment,
    input: &CredentialInput,
) -> std::result::Result<Origins, OriginError> {
    let value = |s: &Option<Setting>| {
        s.as_ref()
            .and_then(|s| input.settings.get(&s.name))
            .map(|v| v.trim().to_owned())
            .filter(|v| !v.is_empty())
    };
    Origins::resolve(app, &way.id, value(&way.label).as_deref(), value(&way.address).as_deref())
}

/// Where the credential will go; parts that have not been entered yet stand as `{label}`.
fn origins(app: &App, way: &Deployment, input: &CredentialInput) -> Vec<String> {
    if let Ok(origins) = entered(app, way, input) {
        return origins.receivers().into_iter().collect();
    }
    let mut list: Vec<String> = way
        .hosts
        .values()
        .map(|h| match (&h.origin, &way.address) {
            (Some(origin), _) => origin.clone(),
            (None, Some(address)) => format!("{{{}}}", address.name),
            (None, None) => String::new(),
        })
        .filter(|o| !o.is_empty())
        .collect();
    list.sort();
    list.dedup();
    list
}
