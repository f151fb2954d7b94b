//! `cargo xtask contract`: proves, without a network, that everything a manifest asks of its vendor exists in the vendor's
//! own description, or says from where else it is known.
//!
//! The facts lie beside each manifest: `contract/facts.json` and `contract/schema.graphql` are cut out of descriptions that
//! `contract/sources.toml` (here) pins, and `contract/pages.toml` is written by hand. The descriptions are not committed.

mod asks;
mod csdl;
mod discovery;
mod facts;
mod fetch;
mod fit;
mod graphql;
mod graphql_cut;
mod openapi;
mod pages;
mod prove;
mod scim;
mod shape;
mod shares;
mod tree;
mod xml;

#[cfg(test)]
mod tests;

use crate::{Result, tools};
use facts::Facts;
use graphql::Schema;
use pages::Pages;
use prove::{Known, Report};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How `schema.graphql` begins, before it says what it was cut out of.
const SCHEMA_SOURCE: &str = "# Cut out of ";

/// `contract`: prove all. `contract APP [--from PATH]`: cut the application's facts anew, then prove it. `contract --list APP`:
/// everything it asks, and how each is known.
pub(crate) fn contract(arguments: &[String]) -> Result {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => all(),
        ["--list", app] => {
            shares::list(&Folder::read(app)?.committed()?.1);
            Ok(())
        }
        [app] if !app.starts_with('-') => cut(app, None),
        [app, "--from", path] if !app.starts_with('-') => cut(app, Some(Path::new(path))),
        _ => Err("usage: contract [APP [--from FILE-OR-FOLDER] | --list APP]".to_owned()),
    }
}

/// One application's folder, as far as the contract needs it.
struct Folder {
    app: String,
    path: PathBuf,
    manifest: String,
    documents: BTreeMap<String, String>,
    pages: Pages,
}

impl Folder {
    fn read(app: &str) -> Result<Self> {
        let path = tools::root().join("catalog/apps").join(app);
        let file = path.join("app.toml");
        let manifest = std::fs::read_to_string(&file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let mut documents = BTreeMap::new();
        for entry in std::fs::read_dir(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".graphql") {
                let text = std::fs::read_to_string(entry.path())
                    .map_err(|error| format!("cannot read {name}: {error}"))?;
                documents.insert(name, text);
            }
        }
        let mut folder = Self { app: app.to_owned(), path, manifest, documents, pages: Pages::default() };
        if let Some(text) = folder.own("pages.toml")? {
            folder.pages = pages::read(&text).map_err(|error| folder.at("pages.toml", &error))?;
        }
        Ok(folder)
    }

    /// The text of a file in `contract/`; none where there is no such file.
    fn own(&self, name: &str) -> Result<Option<String>> {
        let file = self.path.join("contract").join(name);
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("cannot read {}: {error}", file.display())),
        }
    }

    fn at(&self, name: &str, error: &str) -> String {
        format!("catalog/apps/{}/contract/{name}: {error}", self.app)
    }

    /// Compares the manifest with facts and what pages add to them.
    fn prove(&self, mut facts: Facts, described: bool, schema: Option<&Schema>) -> Result<Report> {
        facts.add(self.pages.facts.clone()).map_err(|error| self.at("pages.toml", &error))?;
        let known =
            Known { facts: &facts, described, schema, documents: &self.documents, pages: &self.pages };
        prove::prove(&self.asked()?, &known).map_err(|error| format!("catalog/apps/{}: {error}", self.app))
    }

    fn asked(&self) -> Result<Vec<asks::Request>> {
        asks::of(&self.manifest).map_err(|error| format!("catalog/apps/{}/app.toml: {error}", self.app))
    }

    /// Compares the manifest with what is committed.
    fn committed(&self) -> Result<(Vec<String>, Report)> {
        let text = self.own("facts.json")?;
        let described = text.is_some();
        let facts = text.map_or_else(|| Ok(Facts::default()), |text| Facts::read(&text));
        let facts = facts.map_err(|error| self.at("facts.json", &error))?;
        let text = self.own("schema.graphql")?;
        let schema = text.as_deref().map(Schema::read).transpose();
        let schema = schema.map_err(|error| self.at("schema.graphql", &error))?;
        let mut sources: Vec<String> = facts.sources.iter().map(facts::Source::told).collect();
        sources.extend(
            text.iter().filter_map(|text| Some(text.lines().next()?.strip_prefix(SCHEMA_SOURCE)?.to_owned())),
        );
        let report = self.prove(facts, described || schema.is_some(), schema.as_ref())?;
        Ok((sources, report))
    }
}

fn all() -> Result {
    let apps = tools::root().join("catalog/apps");
    let entries =
        std::fs::read_dir(&apps).map_err(|error| format!("cannot read {}: {error}", apps.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("app.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let mut told = Vec::new();
    let mut failures = Vec::new();
    for name in names {
        let is_cut = |file: &str| apps.join(&name).join("contract").join(file).is_file();
        if fetch::is_pinned(&name)? && !is_cut("facts.json") && !is_cut("schema.graphql") {
            failures.push(format!("catalog/apps/{name}: the vendor's description is known but not cut; run `cargo xtask contract {name}`"));
        }
        match Folder::read(&name).and_then(|folder| folder.committed()) {
            Ok((sources, report)) => told.push((name, sources, report)),
            Err(error) => failures.push(error),
        }
    }
    shares::print(&told);
    failures.extend(told.iter().flat_map(|(app, _, report)| shares::failures(app, report)));
    outcome(&failures)
}

/// Cuts an application's facts out of the vendor's descriptions, writes them, and proves the manifest by them.
fn cut(app: &str, from: Option<&Path>) -> Result {
    let folder = Folder::read(app)?;
    let asked = folder.asked()?;
    let wanted: Vec<(String, Vec<String>)> = asked
        .iter()
        .filter(|one| one.document.is_none())
        .map(|one| (one.method.clone(), one.addresses.clone()))
        .collect();
    let descriptions = fetch::descriptions(app, from)?;
    let (mut facts, mut schema) = (Facts::default(), None);
    for one in &descriptions {
        let at = |error: String| format!("{}: {error}", one.place.display());
        let before = facts.types.len();
        let (version, licence) = match one.format.as_str() {
            "openapi" => {
                let json = one.json().map_err(at)?;
                openapi::describe(&json, one.root.as_deref(), &wanted, &mut facts).map_err(at)?;
                openapi::about(&json)
            }
            "discovery" => {
                let json = one.json().map_err(at)?;
                discovery::describe(&json, &wanted, &mut facts).map_err(at)?;
                discovery::about(&json)
            }
            "csdl" => {
                let root = one
                    .root
                    .as_deref()
                    .ok_or_else(|| at("sources.toml gives no `root` for it".to_owned()))?;
                csdl::describe(&one.text().map_err(at)?, root, &wanted, &mut facts).map_err(at)?;
                (String::new(), String::new())
            }
            "scim" => {
                scim::describe(&one.json().map_err(at)?, &mut facts).map_err(at)?;
                (String::new(), String::new())
            }
            "graphql" => {
                schema = Some((Schema::read(&one.text().map_err(at)?).map_err(at)?, one));
                continue;
            }
            other => return Err(format!("sources.toml: no format is called '{other}'")),
        };
        // A description that answers none of the requests is not a source.
        if facts.types.len() > before {
            facts.sources.push(one.source(&version, &licence));
        }
    }
    let committed = match &schema {
        Some(_) => None,
        None => folder.own("schema.graphql")?.map(|text| Schema::read(&text)).transpose()?,
    };
    let report = folder.prove(
        facts.clone(),
        true,
        schema.as_ref().map(|(schema, _)| schema).or(committed.as_ref()),
    )?;
    if let Some((schema, one)) = &schema {
        let source = one.source("", "");
        let head = format!(
            "{SCHEMA_SOURCE}{}\n# Licence {}; cut anew by `cargo xtask contract {app}`\n",
            source.told(),
            source.licence
        );
        folder.write("schema.graphql", &(head + &graphql_cut::write(schema, &report.used)))?;
    }
    if descriptions.iter().any(|one| one.format != "graphql") {
        facts.types = report.seen.prune(&facts.types);
        let kept = |name: &str| facts.types.contains_key(name);
        for request in facts.requests.values_mut() {
            request.answer = request.answer.without(&kept);
        }
        folder.write("facts.json", &facts.write())?;
    }
    let (sources, report) = folder.committed()?;
    let told = [(app.to_owned(), sources, report)];
    shares::print(&told);
    outcome(&shares::failures(app, &told[0].2))
}

impl Folder {
    fn write(&self, name: &str, text: &str) -> Result {
        let folder = self.path.join("contract");
        let file = folder.join(name);
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&file, text))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        println!("wrote catalog/apps/{}/contract/{name} ({} KB)", self.app, text.len().div_ceil(1000));
        Ok(())
    }
}

fn outcome(failures: &[String]) -> Result {
    if failures.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}\n{} places are not as the vendor describes them, or are described nowhere.\nA request or field that is new: \
         `cargo xtask contract APP` cuts the facts anew. One that only a page has: write the page and the day you read it into \
         contract/pages.toml.",
        failures.join("\n"),
        failures.len()
    ))
}
