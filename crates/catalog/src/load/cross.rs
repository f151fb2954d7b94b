//! What must hold between the parts of one manifest.

use std::collections::{BTreeMap, BTreeSet};

use model::scan::ScanKind;
use model::value::Type;
use url::Url;

use crate::LoadError;
use crate::load::doc::{At, Doc, at, suggest};
use crate::load::fields::{is_name, json_path};
use crate::load::requests::{headers, only_settings};
use crate::manifest::{
    AnswerRule, AuthKind, Dataset, Deployment, Endpoint, Expiry, Granted, Manifest, Meaning, Read, Setting,
};
use crate::template::Template;

/// Everything that looking at a manifest needs.
pub(crate) struct Context<'a> {
    pub(crate) app: &'a str,
    pub(crate) doc: &'a Doc<'a>,
    pub(crate) manifest: &'a Manifest,
    pub(crate) errors: &'a mut Vec<LoadError>,
    pub(crate) used_documents: BTreeSet<String>,
}

impl Context<'_> {
    pub(crate) fn error(&mut self, at: &At, message: impl Into<String>, remedy: impl Into<String>) {
        self.errors.push(self.doc.error(at, message, remedy));
    }

    /// Where a dataset is declared.
    pub(crate) fn dataset_at(&self, name: &str) -> At {
        let index = self.manifest.dataset.iter().position(|d| d.name == name).unwrap_or_default();
        at("dataset").index(index)
    }

    /// The settings as parameters of expressions.
    pub(crate) fn settings(&self) -> BTreeMap<String, Type> {
        self.manifest.setting.iter().map(|s| (s.name.clone(), Type::String)).collect()
    }

    /// A host must exist wherever the application can be hosted.
    pub(crate) fn host(&mut self, at: &At, host: &str) {
        let lacking: Vec<&Deployment> =
            self.manifest.deployment.iter().filter(|d| !d.hosts.contains_key(host)).collect();
        if let Some(first) = lacking.first() {
            let known: Vec<&str> = first.hosts.keys().map(String::as_str).collect();
            let message = format!("deployment `{}` has no host `{host}`", first.id);
            let remedy = suggest(host, &known);
            self.error(at, message, remedy);
        }
    }

    /// A text with placeholders.
    pub(crate) fn template(&mut self, at: &At, text: &str) -> Option<Template> {
        match Template::parse(text) {
            Ok(template) => Some(template),
            Err((offset, message)) => {
                let error = self.doc.error_in(at, offset, message, "Placeholders are written `{name}`");
                self.errors.push(error);
                None
            }
        }
    }

    /// A placeholder that must be a setting.
    pub(crate) fn setting(&mut self, at: &At, name: &str, in_path: bool) {
        let settings = &self.manifest.setting;
        match settings.iter().find(|s| s.name == name) {
            None => {
                let known: Vec<&str> = settings.iter().map(|s| s.name.as_str()).collect();
                let remedy = suggest(name, &known);
                self.error(at, format!("`{{{name}}}` is not a setting"), remedy);
            }
            Some(setting) if in_path && setting.optional => {
                let message = format!("`{{{name}}}` may be empty and cannot stand in a path");
                self.error(at, message, "Make the setting mandatory, or move it into `query`");
            }
            Some(_) => {}
        }
    }

    /// The fixed part of a path. A setting that is itself a path may open it, and stands nowhere else.
    pub(crate) fn path(&mut self, at: &At, path: &str) {
        if path.is_empty() {
            return;
        }
        let opening = |s: &&Setting| s.path && path.starts_with(&format!("{{{}}}", s.name));
        let opener = self.manifest.setting.iter().find(opening);
        let rest = match opener {
            Some(setting) => &path[setting.name.len() + 2..],
            None => path,
        };
        let bad_segment = rest.split('/').skip(1).any(|s| s == "." || s == "..") || rest.contains("//");
        let bad_char =
            rest.chars().any(|c| !c.is_ascii_graphic() || matches!(c, '?' | '#' | '\\' | '%' | '@'));
        if !(rest.starts_with('/') || (opener.is_some() && rest.is_empty())) || bad_segment || bad_char {
            let remedy = "A path beginning with `/`, without query, fragment, `..`, `%` or `@`; parameters go into `query`";
            self.error(at, format!("`{path}` is not a path of an address"), remedy);
        }
        for setting in self.manifest.setting.iter().filter(|s| s.path) {
            if rest.contains(&format!("{{{}}}", setting.name)) {
                let message = format!("`{{{}}}` is a path of its own and can only open a path", setting.name);
                self.error(at, message, "Put it first");
            }
        }
    }

    /// A link that is shown or documented.
    pub(crate) fn https(&mut self, at: &At, link: &str) {
        let fine = Url::parse(link).is_ok_and(|u| u.scheme() == "https" && u.username().is_empty());
        if !fine {
            self.error(
                at,
                format!("`{link}` is not an https address"),
                "Write the whole address with https://",
            );
        }
    }

    fn non_empty(&mut self, at: &At, what: &str, text: &str) {
        if text.trim().is_empty() {
            self.error(at, format!("`{what}` is empty"), "Write a few words");
        }
    }
}

/// Looks at everything but datasets and mappings.
pub(crate) fn check(cx: &mut Context<'_>) {
    let manifest = cx.manifest;
    for (key, text) in [
        ("name", &manifest.name),
        ("vendor", &manifest.vendor),
        ("category", &manifest.category),
        ("summary", &manifest.summary),
    ] {
        cx.non_empty(&at(key), key, text);
    }
    if manifest.revision == 0 {
        cx.error(&at("revision"), "revisions are counted from 1", "Write `revision = 1`");
    }
    cx.https(&at("docs"), &manifest.docs);
    let mut names = BTreeSet::new();
    for (i, setting) in manifest.setting.iter().enumerate() {
        let at = at("setting").index(i);
        self::setting(cx, &at, setting);
        if !names.insert(&setting.name) {
            cx.error(&at.key("name"), format!("setting `{}` is declared twice", setting.name), "Remove one");
        }
    }
    deployments(cx);
    auths(cx);
    let identity = &manifest.identity;
    cx.host(&at("identity").key("host"), &identity.host);
    endpoint_path(cx, &at("identity").key("path"), &identity.path, &[]);
    for (key, path) in [("tenant_uid", &identity.tenant_uid), ("tenant_name", &identity.tenant_name)] {
        let at = at("identity").key(key);
        if path.is_empty() {
            cx.error(&at, format!("`{key}` is empty"), "Say where it stands in the answer, or `@origin`");
        } else if path != "@origin" {
            json_path(cx.doc, &at, path, cx.errors);
        }
    }
    answers(cx, &at("answer"), &manifest.answer);
    limits(cx);
    for (i, left) in manifest.left_out.iter().enumerate() {
        cx.non_empty(&at("left_out").index(i).key("what"), "what", &left.what);
        cx.non_empty(&at("left_out").index(i).key("why"), "why", &left.why);
    }
}

fn setting(cx: &mut Context<'_>, at: &At, setting: &Setting) {
    if !is_name(&setting.name)
        || ["each", "console", "installation_id", "params"].contains(&setting.name.as_str())
    {
        let remedy = "Small letters, digits and `_`; not each, console, params, installation_id";
        cx.error(&at.key("name"), format!("`{}` cannot be a setting's name", setting.name), remedy);
    }
    cx.non_empty(&at.key("title"), "title", &setting.title);
    if let Err(e) = regex::Regex::new(&format!("^(?:{})$", setting.pattern())) {
        let words = e.to_string();
        let last = words.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        cx.error(
            &at.key("pattern"),
            format!("not a regular expression: {last}"),
            "See docs.rs/regex for the syntax",
        );
    } else if !setting.example.is_empty()
        && let Err(message) = setting.accept(&setting.example)
    {
        cx.error(
            &at.key("example"),
            format!("the example is refused: {message}"),
            "Mend the pattern or the example",
        );
    }
}

fn address(cx: &mut Context<'_>, at: &At, entered: &Setting) {
    if !is_name(&entered.name) {
        let message = format!("`{}` cannot be a setting's name", entered.name);
        cx.error(&at.key("name"), message, "Small letters, digits and `_`");
    }
    cx.non_empty(&at.key("title"), "title", &entered.title);
    if !entered.example.is_empty() {
        cx.https(&at.key("example"), &entered.example);
    }
}

fn deployments(cx: &mut Context<'_>) {
    let manifest = cx.manifest;
    if manifest.deployment.is_empty() {
        cx.error(&at("deployment"), "there is no deployment", "Add [[deployment]]");
    }
    let mut ids = BTreeSet::new();
    for (i, deployment) in manifest.deployment.iter().enumerate() {
        let at = at("deployment").index(i);
        if !is_name(&deployment.id) || !ids.insert(&deployment.id) {
            let message = format!("deployment id `{}` is taken or malformed", deployment.id);
            cx.error(&at.key("id"), message, "Small letters, digits and `_`, each once");
        }
        for (key, entered) in [("label", &deployment.label), ("address", &deployment.address)] {
            if let Some(entered) = entered {
                // An address has a form of its own, an origin with an optional prefix, which onboarding checks.
                if key == "label" || entered.pattern.is_some() {
                    setting(cx, &at.key(key), entered);
                } else {
                    address(cx, &at.key(key), entered);
                }
                if manifest.setting.iter().any(|s| s.name == entered.name) {
                    let message = format!("`{}` is also a setting", entered.name);
                    cx.error(&at.key(key).key("name"), message, "Name one of them otherwise");
                }
            }
        }
        if deployment.label.is_some() && deployment.address.is_some() {
            let message = "a deployment has a label or an address, not both";
            cx.error(&at.key("address"), message, "Make two deployments");
        }
        hosts(cx, &at, deployment);
        console(cx, &at.key("console"), deployment);
    }
}

fn hosts(cx: &mut Context<'_>, at: &At, deployment: &Deployment) {
    if deployment.hosts.is_empty() {
        cx.error(&at.key("hosts"), "there is no host", "Add `hosts.main = { origin = \"https://...\" }`");
    }
    for (name, host) in &deployment.hosts {
        let at = at.key("hosts").key(name);
        match &host.origin {
            None if deployment.address.is_none() => {
                let remedy = "Add `origin = \"https://...\"`, or an `address` that the admin enters";
                cx.error(&at, format!("host `{name}` has no origin"), remedy);
            }
            None => {}
            Some(origin) => self::origin(cx, &at.key("origin"), origin, deployment),
        }
        headers(cx, &at.key("headers"), &host.headers);
        let base = &host.base;
        cx.path(&at.key("base"), base);
        if base.ends_with('/') || base.contains(['{', '}']) {
            cx.error(
                &at.key("base"),
                format!("`{base}` is not a path prefix"),
                "For example `/api/v3`, without placeholders",
            );
        }
    }
}

/// A fixed https origin, or one label under a fixed suffix of at least two labels.
fn origin(cx: &mut Context<'_>, at: &At, origin: &str, deployment: &Deployment) {
    let Some(template) = cx.template(at, origin) else { return };
    let label = deployment.label.as_ref().map(|l| l.name.as_str());
    let names: Vec<&str> = template.placeholders().collect();
    for name in &names {
        if Some(*name) != label {
            cx.error(
                at,
                format!("`{{{name}}}` is not this deployment's label"),
                "Only its `label` can stand in an origin",
            );
            return;
        }
    }
    let filled = template.fill(|_| "label".to_owned());
    let plain = Url::parse(&filled).is_ok_and(|u| {
        u.scheme() == "https"
            && u.host_str().is_some()
            && u.path() == "/"
            && u.query().is_none()
            && u.fragment().is_none()
            && u.username().is_empty()
            && !filled.ends_with('/')
    });
    if !plain {
        cx.error(
            at,
            format!("`{origin}` is not an https origin"),
            "Write `https://host`, without path or trailing `/`",
        );
        return;
    }
    let under_suffix = match names.len() {
        0 => true,
        1 => origin.split_once('}').is_some_and(|(_, suffix)| {
            suffix.starts_with('.')
                && suffix.trim_start_matches('.').split('.').filter(|l| !l.is_empty()).count() >= 2
        }),
        _ => false,
    };
    if !under_suffix {
        let remedy = "For example `https://{subdomain}.example.com`: the vendor's own domain stays fixed";
        cx.error(at, "the label must stand once, before a fixed domain", remedy);
    }
}

fn console(cx: &mut Context<'_>, at: &At, deployment: &Deployment) {
    let Some(template) = cx.template(at, &deployment.console) else { return };
    let entered: Vec<&str> =
        [&deployment.label, &deployment.address].into_iter().flatten().map(|s| s.name.as_str()).collect();
    for name in template.placeholders() {
        if !entered.contains(&name) {
            cx.error(at, format!("`{{{name}}}` is not entered for this deployment"), suggest(name, &entered));
            return;
        }
    }
    let address = deployment.address.as_ref().map(|a| a.name.as_str());
    let filled = template
        .fill(|name| if Some(name) == address { "https://host".to_owned() } else { "label".to_owned() });
    cx.https(at, &filled);
}

fn endpoint_path(cx: &mut Context<'_>, at: &At, path: &str, further: &[&str]) {
    cx.path(at, path);
    if path.is_empty() {
        cx.error(at, "the path is empty", "Write it beginning with `/`");
    }
    if let Some(template) = cx.template(at, path) {
        only_settings(cx, at, &template, further);
    }
}

fn endpoint(cx: &mut Context<'_>, at: &At, endpoint: &Endpoint, further: &[&str]) {
    cx.host(&at.key("host"), &endpoint.host);
    endpoint_path(cx, &at.key("path"), &endpoint.path, further);
}

fn read(cx: &mut Context<'_>, at: &At, read: &Read) {
    cx.host(&at.key("host"), &read.host);
    if let Some(path) = &read.path {
        endpoint_path(cx, &at.key("path"), path, &[]);
    }
    json_path(cx.doc, &at.key("at"), &read.at, cx.errors);
}

fn auths(cx: &mut Context<'_>) {
    let manifest = cx.manifest;
    if manifest.auth.is_empty() {
        cx.error(&at("auth"), "there is no way to authenticate", "Add [[auth]]");
    }
    let mut ids = BTreeSet::new();
    for (i, auth) in manifest.auth.iter().enumerate() {
        let at = at("auth").index(i);
        if !is_name(&auth.id) || !ids.insert(&auth.id) {
            let message = format!("auth id `{}` is taken or malformed", auth.id);
            cx.error(&at.key("id"), message, "Small letters, digits and `_`, each once");
        }
        cx.non_empty(&at.key("title"), "title", &auth.title);
        match &auth.kind {
            AuthKind::Bearer {} | AuthKind::Basic { .. } => {}
            AuthKind::Header { header, .. } => {
                let refused = ["host", "cookie", "content-length", "transfer-encoding", "connection"];
                if !is_header_name(header) || refused.contains(&header.to_ascii_lowercase().as_str()) {
                    let message = format!("`{header}` cannot carry a credential");
                    cx.error(&at.key("header"), message, "For example `Authorization` or `X-Api-Key`");
                }
            }
            AuthKind::ClientCredentials { token, .. } => endpoint(cx, &at.key("token"), token, &[]),
            AuthKind::AppInstallation { installation, token } => {
                endpoint(cx, &at.key("installation"), installation, &[]);
                endpoint(cx, &at.key("token"), token, &["installation_id"]);
            }
        }
        if let Some(subject) = &auth.subject {
            read(cx, &at.key("subject"), subject);
        }
        if let Some(Granted { header, read, .. }) = &auth.granted {
            header_or_read(cx, &at.key("granted"), header.as_deref(), read.as_ref());
        }
        if let Some(Expiry { header, read }) = &auth.expiry {
            header_or_read(cx, &at.key("expiry"), header.as_deref(), read.as_ref());
        }
    }
}

fn header_or_read(cx: &mut Context<'_>, at: &At, header: Option<&str>, from: Option<&Read>) {
    match (header, from) {
        (Some(header), None) if is_header_name(header) => {}
        (Some(header), None) => {
            cx.error(
                &at.key("header"),
                format!("`{header}` is not a header's name"),
                "Letters, digits and `-`",
            );
        }
        (None, Some(from)) => read(cx, &at.key("read"), from),
        _ => cx.error(at, "one of `header` and `read` is needed", "Say where the vendor tells it"),
    }
}

/// Whether a text can be a header's name.
pub(crate) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Rules for answers.
pub(crate) fn answers(cx: &mut Context<'_>, at: &At, rules: &[AnswerRule]) {
    for (i, rule) in rules.iter().enumerate() {
        let at = at.index(i);
        if rule.status.iter().any(|s| !(100..600).contains(s)) {
            cx.error(&at.key("status"), "a status lies between 100 and 599", "Mend the number");
        }
        if rule.header_is.is_some() && rule.header.is_none() {
            cx.error(&at.key("header_is"), "`header_is` without `header`", "Name the header");
        }
        match (&rule.at, rule.is.is_some() || rule.contains.is_some()) {
            (None, true) => cx.error(
                &at,
                "`is` and `contains` need `at`",
                "Say where in the answer; `at = \"\"` is the whole",
            ),
            (Some(path), _) => json_path(cx.doc, &at.key("at"), path, cx.errors),
            (None, false) if rule.status.is_empty() && rule.header.is_none() => {
                cx.error(&at, "this rule matches every answer", "Add a condition");
            }
            (None, false) => {}
        }
        if rule.means == Meaning::NotApplicable
            && rule.reason.as_deref().unwrap_or_default().trim().is_empty()
        {
            cx.error(&at, "`not_applicable` needs a reason", "Add `reason = \"...\"`, a sentence for people");
        }
    }
}

fn limits(cx: &mut Context<'_>) {
    let limits = &cx.manifest.limits;
    for (key, value, most) in [
        ("requests", limits.requests, 1_000_000),
        ("pages", limits.pages, 100_000),
        ("records", limits.records, 10_000_000),
        ("answer_mib", limits.answer_mib, 256),
        ("run_mib", limits.run_mib, 65_536),
        ("request_seconds", limits.request_seconds, 300),
    ] {
        if value == 0 || value > most {
            cx.error(&at("limits").key(key), format!("`{key}` is out of range"), format!("1 to {most}"));
        }
    }
    let throttle = &cx.manifest.throttle;
    if throttle.concurrency == 0 || throttle.concurrency > 64 {
        cx.error(&at("throttle").key("concurrency"), "`concurrency` is out of range", "1 to 64");
    }
    if throttle.burst.is_some() && (throttle.per_second.is_none() || throttle.burst == Some(0)) {
        let remedy = "A number of requests from 1, beside `per_second`";
        cx.error(&at("throttle").key("burst"), "`burst` has no pace beside it", remedy);
    }
    if throttle.per_second == Some(0) {
        cx.error(
            &at("throttle").key("per_second"),
            "nothing could ever be sent",
            "At least 1, or leave it out",
        );
    }
}

/// What a dataset says about itself, apart from its requests and fields.
pub(crate) fn dataset(cx: &mut Context<'_>, place: &At, dataset: &Dataset) {
    let manifest = cx.manifest;
    if !is_name(&dataset.name) || ["account", "plugin"].contains(&dataset.name.as_str()) {
        let remedy = "Small letters, digits and `_`; `account` and `plugin` are the canonical ones";
        cx.error(&place.key("name"), format!("`{}` cannot be a dataset's name", dataset.name), remedy);
    }
    if manifest.dataset.iter().filter(|d| d.name == dataset.name).count() > 1 {
        cx.error(&place.key("name"), format!("dataset `{}` is declared twice", dataset.name), "Rename one");
    }
    cx.non_empty(&place.key("title"), "title", &dataset.title);
    cx.https(&place.key("docs"), &dataset.docs);
    if dataset.scans.is_empty() {
        cx.error(&place.key("scans"), "no scan reads this dataset", "For example `scans = [\"config\"]`");
    }
    for kind in &dataset.required {
        if !dataset.scans.contains(kind) {
            let message = format!("required in the {kind} scan, which does not read it");
            cx.error(
                &place.key("required"),
                message,
                format!("Add \"{kind}\" to `scans`, or remove it here"),
            );
        }
    }
    let auths: Vec<&str> = manifest.auth.iter().map(|a| a.id.as_str()).collect();
    for (auth, permissions) in &dataset.permission {
        let at = place.key("permission").key(auth);
        if !auths.contains(&auth.as_str()) {
            cx.error(&at, format!("no auth `{auth}`"), suggest(auth, &auths));
        }
        if permissions.iter().any(|p| p.trim().is_empty()) {
            cx.error(&at, "an empty permission", "Write it in the vendor's words");
        }
    }
    let deployments: Vec<&str> = manifest.deployment.iter().map(|d| d.id.as_str()).collect();
    for (i, deployment) in dataset.deployments.iter().enumerate() {
        if !deployments.contains(&deployment.as_str()) {
            let at = place.key("deployments").index(i);
            cx.error(&at, format!("no deployment `{deployment}`"), suggest(deployment, &deployments));
        }
    }
    if dataset.refresh_hours.is_some_and(|h| h == 0 || h > 24 * 30) {
        cx.error(&place.key("refresh_hours"), "`refresh_hours` is out of range", "1 to 720");
    }
    if dataset.request.is_empty() {
        cx.error(place, format!("dataset `{}` has no request", dataset.name), "Add [[dataset.request]]");
    }
    if dataset.field.is_empty() {
        cx.error(place, format!("dataset `{}` has no field", dataset.name), "Add [[dataset.field]]");
    }
    key(cx, place, dataset);
    filter_of(cx, place, dataset);
    answers(cx, &place.key("answer"), &dataset.answer);
}

fn key(cx: &mut Context<'_>, place: &At, dataset: &Dataset) {
    let Some(key) = &dataset.key else { return };
    let known: Vec<&str> = dataset.field.iter().map(|f| f.name.as_str()).collect();
    match dataset.field.iter().find(|f| f.name == *key) {
        None => cx.error(&place.key("key"), format!("no field `{key}`"), suggest(key, &known)),
        Some(f) if !["string", "int"].contains(&f.kind.as_str()) => {
            cx.error(
                &place.key("key"),
                format!("`{key}` of type {} cannot be a key", f.kind),
                "Text or whole numbers",
            );
        }
        Some(_) => {}
    }
}

fn filter_of(cx: &mut Context<'_>, place: &At, dataset: &Dataset) {
    let Some(full) = &dataset.filter_of else { return };
    let at = place.key("filter_of");
    let manifest = cx.manifest;
    let known: Vec<&str> =
        manifest.dataset.iter().map(|d| d.name.as_str()).filter(|n| *n != dataset.name).collect();
    let Some(whole) = manifest.dataset.iter().find(|d| d.name == *full && d.name != dataset.name) else {
        cx.error(&at, format!("no other dataset `{full}`"), suggest(full, &known));
        return;
    };
    if whole.key.is_none() || dataset.key.is_none() {
        cx.error(&at, "only datasets with keys can be compared", "Give both a `key`");
    }
    for kind in &dataset.scans {
        if !whole.scans.contains(kind) {
            let message = format!("the {kind} scan does not read `{full}`, so nothing can be compared");
            cx.error(&at, message, format!("Add \"{kind}\" to the scans of `{full}`"));
        }
    }
}

/// Every scan that reads something needs a dataset without which it has no meaning.
pub(crate) fn required(cx: &mut Context<'_>) {
    let manifest = cx.manifest;
    for kind in ScanKind::ALL {
        let first = manifest.dataset.iter().position(|d| d.scans.contains(&kind));
        if let Some(first) = first
            && !manifest.dataset.iter().any(|d| d.required.contains(&kind))
        {
            let at = at("dataset").index(first).key("scans");
            let remedy =
                format!("Add `required = [\"{kind}\"]` to the dataset without which it has no meaning");
            cx.error(&at, format!("no dataset is required in the {kind} scan"), remedy);
        }
    }
}
