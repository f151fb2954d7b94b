//! One page for each application: what it needs, reads, asks and leaves out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::scan::ScanKind;

use super::{cell, code, codes, table};
use crate::Catalog;
use crate::app::{App, DatasetSpec, RequestSpec};
use crate::check::Check;
use crate::load::example::word;
use crate::manifest::{AuthKind, ClientAuth, Paging};

/// `docs/apps/README.md`.
pub(super) fn index(catalog: &Catalog) -> String {
    let rows: Vec<Vec<String>> = catalog
        .apps
        .values()
        .filter(|app| app.builtin)
        .map(|app| {
            let scans: Vec<&str> = app.supported().into_iter().map(ScanKind::title).collect();
            vec![
                format!("[{}]({}.md)", app.manifest.name, app.id),
                app.manifest.category.clone(),
                scans.join(", "),
                app.datasets.len().to_string(),
                app.checks.len().to_string(),
            ]
        })
        .collect();
    let mut out = "# Applications\n\nWhat Parapet can be onboarded to. Each page says which permissions are needed for \
                   which scan, every request that is sent, every check, and what is left out.\n\n"
        .to_owned();
    out.push_str(&table(&["Application", "Category", "Scans", "Datasets", "Checks"], &rows));
    out
}

/// `docs/apps/<app>.md`.
pub(super) fn page(catalog: &Catalog, app: &App) -> String {
    let m = &app.manifest;
    let mut out = format!("# {}\n\n{}\n\n", m.name, m.summary);
    let scans: Vec<&str> = app.supported().into_iter().map(ScanKind::title).collect();
    line(
        &mut out,
        &format!(
            "Id on the command line: {}. Vendor: {}. API: <{}>.",
            code(app.id.as_str()),
            m.vendor,
            m.docs
        ),
    );
    line(&mut out, &format!("Scans: {}.", scans.join(", ")));
    out.push_str("\n## Onboarding\n\n");
    out.push_str(&onboarding(&app.onboarding_markdown));
    deployments(&mut out, app);
    permissions(&mut out, app);
    cost(&mut out, app);
    datasets(&mut out, app);
    checks(&mut out, catalog, app);
    scopes(&mut out, app);
    left_out(&mut out, app);
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// The onboarding text below this page's own headings: one level lower, its title left out.
fn onboarding(text: &str) -> String {
    let mut out = String::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.trim_start().starts_with("```");
        match line.starts_with('#') && !in_code {
            true if line.starts_with("# ") => {}
            true => {
                let _ = writeln!(out, "#{line}");
            }
            false => {
                let _ = writeln!(out, "{line}");
            }
        }
    }
    format!("{}\n", out.trim())
}

fn deployments(out: &mut String, app: &App) {
    out.push_str("\n## Where it is hosted, and what receives the credential\n\n");
    let mut rows = Vec::new();
    for deployment in &app.manifest.deployment {
        for (name, host) in &deployment.hosts {
            let entered = deployment.address.as_ref().map(|a| format!("{{{}}}", a.name)).unwrap_or_default();
            let origin = host.origin.clone().unwrap_or(entered);
            rows.push(vec![
                format!("{} ({})", deployment.title, code(&deployment.id)),
                name.clone(),
                code(&format!("{origin}{}", host.base)),
            ]);
        }
    }
    out.push_str(&table(&["Deployment", "Host", "Address"], &rows));
    let entered: Vec<Vec<String>> = app
        .manifest
        .deployment
        .iter()
        .flat_map(|d| [&d.label, &d.address].into_iter().flatten())
        .chain(&app.manifest.setting)
        .map(|s| {
            let example = if s.example.is_empty() { String::new() } else { code(&s.example) };
            let default = s.default.as_deref().map(code).unwrap_or_default();
            vec![code(&s.name), s.title.clone(), s.help.clone(), example, default]
        })
        .collect();
    out.push_str("\nWhat is entered:\n\n");
    out.push_str(&table(&["Name", "Title", "Meaning", "Example", "Default"], &entered));
}

fn permissions(out: &mut String, app: &App) {
    out.push_str("\n## Permissions\n\n");
    let auths: Vec<Vec<String>> = app
        .manifest
        .auth
        .iter()
        .map(|auth| {
            let fields = auth.kind.fields();
            let fields: Vec<&str> = fields.iter().map(|f| f.name).collect();
            let told = match &auth.granted {
                Some(_) => "told by the vendor, compared before anything is saved",
                None => "not told by the vendor: seen from what the requests are answered",
            };
            vec![
                code(&auth.id),
                auth.title.clone(),
                kind(&auth.kind).to_owned(),
                codes(fields),
                told.to_owned(),
            ]
        })
        .collect();
    out.push_str(&table(&["Auth", "Title", "Mechanism", "Credential fields", "What it may do is"], &auths));
    for auth in &app.manifest.auth {
        // Permission to the scans that need it, each with whether the scan is impossible without it.
        let mut needs: BTreeMap<String, BTreeMap<ScanKind, (bool, Vec<&str>)>> = BTreeMap::new();
        for dataset in &app.datasets {
            let Some(any) = dataset.spec.permission.get(&auth.id).filter(|p| !p.is_empty()) else { continue };
            let name = any.iter().map(|p| code(p)).collect::<Vec<_>>().join(" or ");
            for scan in &dataset.spec.scans {
                let entry = needs.entry(name.clone()).or_default().entry(*scan).or_default();
                entry.0 |= dataset.spec.required.contains(scan);
                entry.1.push(&dataset.spec.title);
            }
        }
        if needs.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n### {}\n", auth.title);
        let mut rows = Vec::new();
        for (permission, scans) in needs {
            for (scan, (required, datasets)) in scans {
                let without = if required { "the scan is not enabled" } else { "gaps" };
                rows.push(vec![
                    permission.clone(),
                    scan.title().to_owned(),
                    without.to_owned(),
                    datasets.join(", "),
                ]);
            }
        }
        out.push_str(&table(&["Permission", "Scan", "Without it", "Reads"], &rows));
    }
}

fn kind(kind: &AuthKind) -> &'static str {
    match kind {
        AuthKind::Bearer {} => "bearer token",
        AuthKind::Header { .. } => "token in a header",
        AuthKind::Basic { .. } => "HTTP basic",
        AuthKind::ClientCredentials { client_auth, .. } => match client_auth {
            ClientAuth::Basic | ClientAuth::Body | ClientAuth::None => "OAuth 2.0 client credentials",
            ClientAuth::PrivateKeyJwt => "OAuth 2.0 client credentials (signed JWT)",
            ClientAuth::Certificate => "OAuth 2.0 client credentials (certificate)",
        },
        AuthKind::JwtBearer { .. } => "signed JWT in exchange for a token",
        AuthKind::AuthorizationCode { .. } => {
            "sign-in at the vendor (OAuth 2.0 authorisation code with PKCE, refresh token)"
        }
        AuthKind::Session { .. } => "sign-in of a service account (cookie)",
        AuthKind::AppInstallation { .. } => "app installation (signed JWT, short-lived tokens)",
    }
}

/// What a scan sends: fixed requests, listings, and fan-outs, which are the part that grows.
fn cost(out: &mut String, app: &App) {
    out.push_str("\n## What a scan sends\n\nOf alternatives only the first that is answered, and what several datasets ask word for word once; authentication \
         comes on top.\n\n");
    let mut rows = Vec::new();
    for scan in app.supported() {
        let (mut single, mut listings, mut walks) = (0, 0, Vec::new());
        let mut sent: Vec<&crate::manifest::Request> = Vec::new();
        for dataset in app.datasets_of(scan) {
            let first = dataset.requests.first().map(|r| r.spec.alternative.as_str()).unwrap_or_default();
            for request in dataset.requests.iter().filter(|r| r.spec.alternative == first) {
                if sent.iter().any(|other| other.asks_the_same(&request.spec)) {
                    continue;
                }
                sent.push(&request.spec);
                match &request.spec.for_each {
                    Some(each) => {
                        let what = if each.values_of.is_some() { "value" } else { "record" };
                        let age =
                            dataset.spec.refresh_hours.map(|h| format!(", every {h} h")).unwrap_or_default();
                        let pages =
                            if matches!(request.spec.paging, Paging::None) { "" } else { " and page" };
                        let name = code(&dataset.spec.name);
                        walks.push(format!("{name}: 1 a {what}{pages} of {}{age}", code(&each.dataset)));
                    }
                    None if matches!(request.spec.paging, Paging::None) => single += 1,
                    None => listings += 1,
                }
            }
        }
        rows.push(vec![scan.title().to_owned(), single.to_string(), listings.to_string(), walks.join("; ")]);
    }
    out.push_str(&table(&["Scan", "Single requests", "Listings, 1 request a page", "Fan-outs"], &rows));
    let limits = &app.manifest.limits;
    let _ = writeln!(
        out,
        "\nBudgets of one run: {} requests, {} pages a listing, {} records a dataset, {} MiB an answer, {} MiB in all, {} s a \
         request. When one is used up the run ends and says so.",
        limits.requests,
        limits.pages,
        limits.records,
        limits.answer_mib,
        limits.run_mib,
        limits.request_seconds
    );
}

fn datasets(out: &mut String, app: &App) {
    out.push_str("\n## What is read\n\nOnly the fields listed here are kept; raw answers are not.\n");
    for dataset in &app.datasets {
        let spec = &dataset.spec;
        let scans: Vec<String> = spec
            .scans
            .iter()
            .map(|s| if spec.required.contains(s) { format!("{s} (required)") } else { s.to_string() })
            .collect();
        let _ = writeln!(out, "\n### {} ({})\n", spec.title, code(&spec.name));
        let mut facts = format!("Scans: {}. [Vendor's page]({}).", scans.join(", "), spec.docs);
        if let Some(hours) = spec.refresh_hours {
            let _ = write!(facts, " Read again when older than {hours} h; a fan-out advances across runs.");
        }
        if let Some(full) = &spec.filter_of {
            let _ = write!(
                facts,
                " A filtered listing of {}: not read where the server ignores the filter.",
                code(full)
            );
        }
        if !spec.deployments.is_empty() {
            let _ = write!(facts, " Only in: {}.", codes(spec.deployments.iter().map(String::as_str)));
        }
        line(out, &facts);
        out.push('\n');
        for request in &dataset.requests {
            let _ = writeln!(out, "- {}", self::request(request));
        }
        out.push('\n');
        out.push_str(&fields(dataset));
    }
}

fn request(request: &RequestSpec) -> String {
    let spec = &request.spec;
    let mut out = match &spec.graphql {
        Some(document) => format!("GraphQL query `{document}`"),
        None => {
            let query: Vec<String> = spec.query.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
            let method = if spec.post.is_some() { "POST" } else { "GET" };
            format!("`{method} {}{query}`", spec.path)
        }
    };
    if let Some(body) = spec.post.as_ref().and_then(|body| serde_json::to_string(body).ok()) {
        let _ = write!(out, " with {}", code(&body));
    }
    if spec.host != "main" {
        let _ = write!(out, " on host `{}`", spec.host);
    }
    out.push_str(match &spec.paging {
        Paging::None => "",
        Paging::Page { .. } | Paging::Offset { .. } => ", page by page",
        Paging::Link | Paging::NextUrl { .. } | Paging::Cursor { .. } | Paging::Graphql { .. } => {
            ", page by page while the server says that there is more"
        }
    });
    if let Some(each) = &spec.for_each {
        let (one, many) = match &each.values_of {
            Some(field) => (format!("value of `{field}` in"), format!("values of `{field}` in")),
            None => ("record of".to_owned(), "records of".to_owned()),
        };
        let each_time = each.batch.map_or(one, |n| format!("{n} {many}"));
        let _ = write!(out, ", once for every {each_time} `{}`", each.dataset);
        if let Some(filter) = &each.filter {
            let _ = write!(out, " where {}", code(filter));
        }
    }
    if !spec.alternative.is_empty() {
        let _ = write!(out, " (alternative `{}`)", spec.alternative);
    }
    out
}

fn fields(dataset: &DatasetSpec) -> String {
    let rows: Vec<Vec<String>> = dataset
        .spec
        .field
        .iter()
        .zip(&dataset.shape.fields)
        .map(|(field, shape)| {
            let kept = match field.sensitive {
                None => "",
                Some(crate::manifest::Sensitive::Presence) => "only whether it is there",
                Some(crate::manifest::Sensitive::Hash) => "only a keyed hash",
            };
            let key = if dataset.spec.key.as_deref() == Some(&field.name) { "key" } else { "" };
            let note = [key, kept].into_iter().filter(|n| !n.is_empty()).collect::<Vec<_>>().join("; ");
            vec![code(&field.name), code(&word(&shape.kind)), note]
        })
        .collect();
    table(&["Field", "Type", "Note"], &rows)
}

fn checks(out: &mut String, catalog: &Catalog, app: &App) {
    out.push_str("\n## Checks\n");
    for scan in ScanKind::ALL {
        let mut checks: Vec<&Check> = app.checks_of(scan).map(|c| &**c).collect();
        checks.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.id.cmp(&b.id)));
        if checks.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n### {}\n", scan.title());
        let rows: Vec<Vec<String>> = checks
            .iter()
            .map(|check| {
                let file = check.file.display().to_string().replace('\\', "/");
                vec![
                    format!("[{}](../../catalog/{file})", check.title),
                    code(check.id.as_str()),
                    check.severity.to_string(),
                    code(check.over.as_str()),
                    controls(catalog, check),
                ]
            })
            .collect();
        out.push_str(&table(&["Check", "Id", "Severity", "Over", "Controls"], &rows));
    }
}

/// The controls of a check as people read them.
pub(super) fn controls(catalog: &Catalog, check: &Check) -> String {
    let named = check.controls.iter().map(|reference| match catalog.control(reference) {
        Some((standard, control)) => format!("{} {}", standard.title, control.id),
        None => reference.clone(),
    });
    named.collect::<Vec<_>>().join(", ")
}

fn scopes(out: &mut String, app: &App) {
    if app.scopes.is_empty() {
        return;
    }
    out.push_str("\n## Graded scopes\n\nWhat the holder of a scope can do. A scope that is not listed makes the grade unknown.\n\n");
    let mut scopes: Vec<_> = app.scopes.values().collect();
    scopes.sort_by(|a, b| b.grade.cmp(&a.grade).then_with(|| a.id.cmp(&b.id)));
    let rows: Vec<Vec<String>> = scopes
        .iter()
        .map(|s| {
            vec![code(&s.id), s.grade.as_str().to_owned(), s.says.clone(), format!("[page]({})", s.source)]
        })
        .collect();
    out.push_str(&table(&["Scope", "Grade", "Its holder can", "Source"], &rows));
}

fn left_out(out: &mut String, app: &App) {
    let rows: Vec<Vec<String>> =
        app.manifest.left_out.iter().map(|l| vec![cell(&l.what), cell(&l.why)]).collect();
    if rows.is_empty() && app.left_out_markdown.is_empty() {
        return;
    }
    out.push_str("\n## Left out\n\n");
    out.push_str(&table(&["What", "Why"], &rows));
    out.push_str(&onboarding(&app.left_out_markdown));
}
