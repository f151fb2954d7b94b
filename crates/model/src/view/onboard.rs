//! Add application and Reauthenticate: the same form, the same verification.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{ApplicationHeader, Html, InstanceRef, OwnerRef, Refusal};
use crate::credential::Identity;
use crate::id::AppId;
use crate::scan::ScanKind;
use crate::time::Timestamp;

/// The first step of Add application: what can be onboarded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CatalogueAppsPage {
    /// The applications, by name.
    pub apps: Vec<CatalogueApp>,
    /// Folders of the operator that did not load, each with place and remedy.
    pub errors: Vec<String>,
}

/// An application of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CatalogueApp {
    /// Its id.
    pub id: AppId,
    /// Its name.
    pub name: String,
    /// Who makes it.
    pub vendor: String,
    /// `source code`, `identity`.
    pub category: String,
    /// One sentence.
    pub summary: String,
    /// Scans it supports.
    pub scans: Vec<ScanKind>,
    /// How many checks it has.
    pub checks: u64,
    /// How many instances are onboarded.
    pub onboarded: u64,
    /// The vendor's API documentation.
    pub docs: String,
}

/// The form of Add application, or of Reauthenticate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CredentialFormPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The product.
    pub app: CatalogueApp,
    /// Present when reauthenticating: whose credential is replaced. The settings cannot be changed then.
    pub reauthenticate: Option<ApplicationHeader>,
    /// What to click at the vendor (the part for the chosen way to authenticate, where the text has parts).
    pub steps: Html,
    /// Where it can be hosted.
    pub deployments: Vec<FormChoice>,
    /// Ways to authenticate.
    pub auths: Vec<FormChoice>,
    /// Settings that are not secret: label or address of the deployment first, then the application's own.
    pub settings: Vec<InputField>,
    /// The credential's fields.
    pub credential: Vec<InputField>,
    /// What each scan needs to read, for the chosen way to authenticate.
    pub permissions: Vec<ScanPermissions>,
    /// Origins that will receive the credential; parts that are entered stand as `{label}`.
    pub origins: Vec<String>,
    /// Addresses to which an application of the operator's own folders sends POST requests, because the operator has said
    /// that they only read there. Settings stand as `{setting}`.
    pub posts: Vec<String>,
    /// Active owners to choose from.
    pub owners: Vec<OwnerRef>,
    /// Name for the new application, as entered.
    pub name: String,
    /// Owner as chosen.
    pub owner: Option<String>,
    /// Where somebody signs in at the vendor instead of entering a token: what to register there first.
    pub sign_in: Option<SignInTerms>,
    /// Why the last attempt was refused. Values that are not secret are kept in the form.
    pub refusal: Option<Refusal>,
}

/// What a sign-in at a vendor is made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignInTerms {
    /// Where the vendor sends the browser afterwards. Must be registered there to the letter.
    pub redirect_uri: String,
    /// Scopes that are asked for, in the vendor's words.
    pub scopes: Vec<String>,
}

/// What follows when the form has been sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialStep {
    /// The credential was verified.
    Verified(Box<PreflightPage>),
    /// Somebody has to sign in at the vendor first.
    SignIn(Box<VendorSignInPage>),
}

/// The step between the form and the verification: signing in at the vendor. Nothing has been saved; what was entered
/// waits in memory for a few minutes, for this session only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VendorSignInPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The product.
    pub app: CatalogueApp,
    /// Present when reauthenticating.
    pub reauthenticate: Option<ApplicationHeader>,
    /// The vendor's sign-in page with all that belongs to it; where the browser goes.
    pub address: String,
    /// Its origin.
    pub at: String,
    /// What it is made with.
    pub terms: SignInTerms,
    /// When this sign-in is forgotten.
    pub expires_at: Timestamp,
}

/// The browser is back from the vendor. Nothing has been done with what it brought.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VendorReturnPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The product.
    pub app: CatalogueApp,
    /// Present when reauthenticating.
    pub reauthenticate: Option<ApplicationHeader>,
    /// The origin that will receive the code.
    pub at: String,
    /// When this sign-in is forgotten.
    pub expires_at: Timestamp,
}

/// A choice between ways (deployment, authentication).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FormChoice {
    /// Its id.
    pub id: String,
    /// What people read.
    pub title: String,
    /// When to choose it. May be empty.
    pub help: String,
    /// Chosen now.
    pub selected: bool,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputField {
    /// Name in the form.
    pub name: String,
    /// Label.
    pub title: String,
    /// One sentence under it. May be empty.
    pub help: String,
    /// An example. May be empty.
    pub example: String,
    /// As entered; always empty for secrets.
    pub value: String,
    /// Never shown again.
    pub secret: bool,
    /// Several lines.
    pub multiline: bool,
    /// May be left empty.
    pub optional: bool,
}

/// What a scan needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScanPermissions {
    /// Which scan.
    pub kind: ScanKind,
    /// Without these it is not enabled.
    pub required: Vec<String>,
    /// With these it reads more: permission and what it adds.
    pub optional: Vec<(String, String)>,
}

/// What was entered in the form, apart from the secret values (which travel beside it and are never echoed).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CredentialInput {
    /// Deployment; empty: the first.
    pub deployment: String,
    /// Way to authenticate; empty: the first.
    pub auth: String,
    /// Settings by name.
    pub settings: BTreeMap<String, String>,
    /// Name for the new application; empty: made from product and tenant.
    pub name: String,
    /// Owner's id; empty: nobody yet.
    pub owner: String,
}

/// The result of the verification. Nothing has been saved; the draft waits sealed in memory for a few minutes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PreflightPage {
    /// The instant all relative times refer to.
    pub now: Timestamp,
    /// The product.
    pub app: CatalogueApp,
    /// Present when reauthenticating.
    pub reauthenticate: Option<ApplicationHeader>,
    /// Names the draft once; goes back with the confirmation.
    pub draft: String,
    /// When the draft is forgotten.
    pub draft_expires_at: Timestamp,
    /// Name of the application.
    pub name: String,
    /// Owner, if chosen.
    pub owner: Option<OwnerRef>,
    /// Who the credential is.
    pub identity: Identity,
    /// Origins that received the credential just now and will go on receiving it.
    pub origins: Vec<String>,
    /// Addresses to which an application of the operator's own folders sends POST requests, because the operator has said
    /// that they only read there. Settings stand as `{setting}`.
    pub posts: Vec<String>,
    /// Each supported scan.
    pub scans: Vec<ReadinessRow>,
    /// Permissions that nothing needs.
    pub excess: Vec<String>,
    /// Whether the vendor tells which permissions were granted.
    pub granted_known: bool,
    /// Other instances of the same tenant.
    pub duplicates: Vec<InstanceRef>,
    /// Can be saved: at least one scan will run.
    pub can_save: bool,
    /// Requests the verification took.
    pub requests: u32,
}

/// Whether a scan will run with the new credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadinessRow {
    /// Which scan.
    pub kind: ScanKind,
    /// It will run.
    pub ready: bool,
    /// Permissions without which it will not.
    pub missing: Vec<String>,
    /// Permissions without which it runs with gaps.
    pub gaps: Vec<String>,
    /// One sentence: what follows.
    pub sentence: String,
    /// Reauthenticating: it is enabled now and the new credential could not run it. Saving keeps it enabled (it will
    /// fail with `permission`) unless the operator stops it explicitly.
    pub lost: bool,
}
