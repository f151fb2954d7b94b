//! `cargo xtask contract APP`: cuts the requests Parapet sends out of the vendor's own API description.

use crate::{Result, run, tools};
use std::path::PathBuf;
use std::process::Command;

/// The package that carries GitHub's description, and the file in it that covers Enterprise Cloud.
const GITHUB: (&str, &str) = ("@octokit/openapi@23.0.2", "node_modules/@octokit/openapi/generated/ghec.json");

/// Downloads the vendor's package into `.tools/contract` and writes `e2e/contract/<app>.rest.json`.
pub(crate) fn contract(arguments: &[String]) -> Result {
    let ["github"] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        return Err("contract: name the application; there is `github`".to_owned());
    };
    let (package, file) = GITHUB;
    let folder = tools::folder().join("contract");
    let description = folder.join(file);
    if !description.is_file() {
        println!("downloading {package} (385 MB)");
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        run::run(
            Command::new("npm").args(["install", "--silent", "--no-save", package, "--prefix"]).arg(&folder),
        )?;
    }
    let e2e = tools::root().join("e2e/contract");
    let extract = run::output(
        Command::new(tools::node())
            .arg(e2e.join("extract.mjs"))
            .arg(&description)
            .arg(manifests()?.join("github.json"))
            .arg(format!("{package} ghec.json")),
    )?;
    let target = e2e.join("github.rest.json");
    std::fs::write(&target, extract)
        .map_err(|error| format!("cannot write {}: {error}", target.display()))?;
    println!("wrote {}", target.display());
    Ok(())
}

/// Writes every manifest as JSON, which the contract tests read, and returns the folder.
pub(crate) fn manifests() -> Result<PathBuf> {
    let folder = tools::folder().join("manifests");
    std::fs::create_dir_all(&folder)
        .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    let apps = tools::root().join("catalog/apps");
    let entries =
        std::fs::read_dir(&apps).map_err(|error| format!("cannot read {}: {error}", apps.display()))?;
    for entry in entries.flatten() {
        let source = entry.path().join("app.toml");
        let text = std::fs::read_to_string(&source)
            .map_err(|error| format!("cannot read {}: {error}", source.display()))?;
        let manifest: serde_json::Value =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", source.display()))?;
        let target = folder.join(entry.file_name()).with_extension("json");
        std::fs::write(&target, manifest.to_string())
            .map_err(|error| format!("cannot write {}: {error}", target.display()))?;
    }
    Ok(folder)
}
