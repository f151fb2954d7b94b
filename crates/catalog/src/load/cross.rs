//! What must hold between the parts of one manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use expr::{Env, Expected, Program};
use model::scan::ScanKind;
use model::value::{Shape, Type};
use url::Url;

use crate::LoadError;
use crate::app::DatasetSpec;
use crate::load::doc::{At, Doc, at, suggest};
use crate::load::fields::{is_name, json_path};
use crate::load::{auth, hosting, seen};
use crate::manifest::{AnswerRule, Dataset, Deployment, Manifest, Meaning, Setting};
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

    /// A condition over one record of a dataset, compiled; what is wrong with it is noted at its place.
    pub(crate) fn condition(
        &mut self,
        at: &At,
        source: &str,
        shape: &Arc<Shape>,
        params: BTreeMap<String, Type>,
    ) -> Option<Program> {
        let env = Env { record: Some(Arc::clone(shape)), datasets: BTreeMap::new(), params, dynamic: false };
        let compiled = expr::compile(source, &env, &Expected::Bool);
        compiled.map_err(|e| self.errors.push(self.doc.expression_error(at, &e))).ok()
    }

    /// A host must exist wherever it is asked: in these deployments, or in all where none are named.
    pub(crate) fn host(&mut self, at: &At, host: &str, offered: &[String]) {
        let asked = |d: &&Deployment| offered.is_empty() || offered.contains(&d.id);
        let lacking: Vec<&Deployment> =
            self.manifest.deployment.iter().filter(asked).filter(|d| !d.hosts.contains_key(host)).collect();
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

    /// A dataset that another one needs: it stands earlier, and is read by every scan that reads the other.
    pub(crate) fn earlier<'e>(
        &mut self,
        at: &At,
        name: &str,
        dataset: &Dataset,
        earlier: &'e [DatasetSpec],
    ) -> Option<&'e DatasetSpec> {
        let Some(found) = earlier.iter().find(|d| d.spec.name == name) else {
            let known: Vec<&str> = earlier.iter().map(|d| d.spec.name.as_str()).collect();
            self.error(at, format!("no earlier dataset `{name}`"), suggest(name, &known));
            return None;
        };
        for scan in dataset.scans.iter().filter(|scan| !found.spec.scans.contains(scan)) {
            let message = format!("`{}` is read by the {scan} scan, `{name}` is not", dataset.name);
            self.error(at, message, format!("Add \"{scan}\" to the scans of `{name}`"));
        }
        Some(found)
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

    pub(crate) fn non_empty(&mut self, at: &At, what: &str, text: &str) {
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
        hosting::setting(cx, &at, setting);
        if !names.insert(&setting.name) {
            cx.error(&at.key("name"), format!("setting `{}` is declared twice", setting.name), "Remove one");
        }
    }
    hosting::deployments(cx);
    auth::auths(cx);
    let identity = &manifest.identity;
    cx.host(&at("identity").key("host"), &identity.host, &[]);
    hosting::endpoint_path(cx, &at("identity").key("path"), &identity.path, &[]);
    for (key, path) in [("tenant_uid", &identity.tenant_uid), ("tenant_name", &identity.tenant_name)] {
        let at = at("identity").key(key);
        if path.is_empty() {
            cx.error(&at, format!("`{key}` is empty"), "Say where it stands in the answer, or `@origin`");
        } else if path != "@origin" {
            json_path(cx.doc, &at, path, cx.errors);
        }
    }
    answers(cx, &at("answer"), &manifest.answer);
    for (i, _) in manifest.answer.iter().enumerate().filter(|(_, rule)| rule.unless_any.is_some()) {
        let remedy =
            "Write the rule into the datasets that it is about, which are read after the one it names";
        cx.error(&at("answer").index(i).key("unless_any"), "`unless_any` in a rule for all datasets", remedy);
    }
    limits(cx);
    for (i, left) in manifest.left_out.iter().enumerate() {
        cx.non_empty(&at("left_out").index(i).key("what"), "what", &left.what);
        cx.non_empty(&at("left_out").index(i).key("why"), "why", &left.why);
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

/// What speaks against each of a dataset's rules, compiled; `earlier` are the datasets that it may name.
pub(crate) fn contradicted(
    cx: &mut Context<'_>,
    at: &At,
    dataset: &Dataset,
    earlier: &[DatasetSpec],
) -> Vec<Option<Program>> {
    let mut programs = Vec::with_capacity(dataset.answer.len());
    for (i, rule) in dataset.answer.iter().enumerate() {
        let program = rule.unless_any.as_ref().and_then(|unless| {
            let at = at.index(i).key("unless_any");
            let named = cx.earlier(&at.key("dataset"), &unless.dataset, dataset, earlier)?;
            let settings = cx.settings();
            cx.condition(&at.key("where"), &unless.filter, &named.shape, settings)
        });
        programs.push(program);
    }
    programs
}

fn limits(cx: &mut Context<'_>) {
    let limits = &cx.manifest.limits;
    for (key, value, most) in [
        ("requests", limits.requests, 1_000_000),
        ("sweep_requests", limits.sweep_requests.unwrap_or(1), limits.requests),
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
    let paced = throttle.per_second.or(throttle.per_minute);
    if throttle.burst.is_some() && (paced.is_none() || throttle.burst == Some(0)) {
        let remedy = "A number of requests from 1, beside `per_second` or `per_minute`";
        cx.error(&at("throttle").key("burst"), "`burst` has no pace beside it", remedy);
    }
    for (key, pace) in [("per_second", throttle.per_second), ("per_minute", throttle.per_minute)] {
        if pace == Some(0) {
            let remedy = "At least 1, or leave it out";
            cx.error(&at("throttle").key(key), "nothing could ever be sent", remedy);
        }
    }
    if throttle.per_second.is_some() && throttle.per_minute.is_some() {
        cx.error(&at("throttle").key("per_minute"), "there are two paces", "Keep the slower one");
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
    // Where the vendor tells what a credential may do, preflight compares: a permission that nobody wrote down would be
    // missing without a name. Where scopes are asked for by permission, nothing would be asked for.
    let told = |a: &&crate::manifest::Auth| a.granted.is_some() || a.kind.asks_by_permission();
    for auth in manifest.auth.iter().filter(told) {
        if !dataset.permission.contains_key(&auth.id) {
            let message = format!("`{}` does not say its permission for auth `{}`", dataset.name, auth.id);
            let remedy =
                format!("Add `permission = {{ {} = [\"...\"] }}`; `[]` where none is needed", auth.id);
            cx.error(&place.key("permission"), message, remedy);
        }
    }
    let deployments: Vec<&str> = manifest.deployment.iter().map(|d| d.id.as_str()).collect();
    for (i, deployment) in dataset.deployments.iter().enumerate() {
        if !deployments.contains(&deployment.as_str()) {
            let at = place.key("deployments").index(i);
            cx.error(&at, format!("no deployment `{deployment}`"), suggest(deployment, &deployments));
        }
    }
    let batched = |r: &crate::manifest::Request| r.for_each.as_ref().is_some_and(|e| e.batch.is_some());
    if dataset.refresh_hours.is_some() && dataset.request.iter().any(batched) {
        let remedy = "Batches are few requests: read them whole";
        cx.error(&place.key("refresh_hours"), "`refresh_hours` with `batch`", remedy);
    }
    if dataset.refresh_hours.is_some_and(|h| h == 0 || h > 24 * 30) {
        cx.error(&place.key("refresh_hours"), "`refresh_hours` is out of range", "1 to 720");
    }
    if dataset.request.is_empty() && dataset.resolve.is_none() {
        cx.error(place, format!("dataset `{}` has no request", dataset.name), "Add [[dataset.request]]");
    }
    if dataset.field.is_empty() {
        cx.error(place, format!("dataset `{}` has no field", dataset.name), "Add [[dataset.field]]");
    }
    key(cx, place, dataset);
    filter_of(cx, place, dataset);
    latest(cx, place, dataset);
    opt_in(cx, place, dataset);
    seen::dataset(cx, place, dataset);
    seen::walked(cx, place, dataset);
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

fn opt_in(cx: &mut Context<'_>, place: &At, dataset: &Dataset) {
    let Some(chosen) = &dataset.opt_in else { return };
    let at = place.key("opt_in");
    if !dataset.required.is_empty() {
        let remedy = "Remove `required`: a scan must have its meaning without it";
        cx.error(&at, "a dataset that is chosen cannot be required", remedy);
    }
    let settings = &cx.manifest.setting;
    let Some(setting) = settings.iter().find(|s| s.name == chosen.setting) else {
        let known: Vec<&str> = settings.iter().map(|s| s.name.as_str()).collect();
        let remedy = suggest(&chosen.setting, &known);
        cx.error(&at.key("setting"), format!("no setting `{}`", chosen.setting), remedy);
        return;
    };
    if let Err(message) = setting.accept(&chosen.is) {
        cx.error(
            &at.key("is"),
            format!("nobody could choose it: {message}"),
            "Mend the pattern or the value",
        );
    }
    let left_alone = setting.default.as_deref().unwrap_or_default();
    if left_alone == chosen.is || (left_alone.is_empty() && !setting.optional) {
        let message = format!("`{}` does not leave it off by default", chosen.setting);
        cx.error(&at.key("setting"), message, "Give the setting another value as its `default`");
    }
}

fn latest(cx: &mut Context<'_>, place: &At, dataset: &Dataset) {
    let Some(latest) = &dataset.latest else { return };
    let at = place.key("latest").key("by");
    if dataset.key.is_none() {
        cx.error(
            &place.key("latest"),
            "records without a key cannot be told apart",
            "Give the dataset a `key`",
        );
    }
    let known: Vec<&str> = dataset.field.iter().map(|f| f.name.as_str()).collect();
    match dataset.field.iter().find(|f| f.name == latest.by) {
        None => cx.error(&at, format!("no field `{}`", latest.by), suggest(&latest.by, &known)),
        Some(f) if !["timestamp", "int", "double"].contains(&f.kind.as_str()) => {
            let message = format!("`{}` of type {} has no order in time", latest.by, f.kind);
            cx.error(&at, message, "Name an instant or a number");
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
