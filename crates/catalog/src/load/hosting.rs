//! Settings, deployments and hosts of a manifest.

use std::collections::BTreeSet;

use model::time::Timestamp;
use url::Url;

use crate::load::cross::Context;
use crate::load::doc::{At, at, suggest};
use crate::load::fields::is_name;
use crate::load::requests::{headers, only_settings};
use crate::manifest::{Deployment, Setting};

/// A value that the admin enters.
pub(crate) fn setting(cx: &mut Context<'_>, at: &At, setting: &Setting) {
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

/// Where it is hosted.
pub(crate) fn deployments(cx: &mut Context<'_>) {
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
        if let Some(date) = host.supported_until.as_deref().filter(|date| Timestamp::parse(date).is_none()) {
            let remedy = "Write a date, such as `2031-12-31`";
            cx.error(&at.key("supported_until"), format!("`{date}` is not a date"), remedy);
        }
        crate::load::post::methods(cx, &at, host);
        if let Some(scope) = &host.scope {
            cx.non_empty(&at.key("scope"), "scope", scope);
            if cx.manifest.auth.iter().all(|auth| auth.kind.scopes().is_none()) {
                let remedy = "Remove it, or authenticate by `client_credentials` or `jwt_bearer`";
                cx.error(&at.key("scope"), "no way to authenticate here asks for scopes", remedy);
            }
        }
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

/// A path outside of datasets: only settings can stand in it.
pub(crate) fn endpoint_path(cx: &mut Context<'_>, at: &At, path: &str, further: &[&str]) {
    cx.path(at, path);
    if path.is_empty() {
        cx.error(at, "the path is empty", "Write it beginning with `/`");
    }
    if let Some(template) = cx.template(at, path) {
        only_settings(cx, at, &template, further);
    }
}
