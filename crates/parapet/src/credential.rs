//! A credential from the environment, a file or standard input. Never from an argument: others can read those.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use catalog::manifest::Auth;
use ops::Secrets;
use secrecy::SecretString;

use crate::failure::Failure;
use crate::wiring::environment;

/// The fields of a way to authenticate.
pub(crate) fn read(auth: &Auth, from: Option<&Path>) -> Result<Secrets, Failure> {
    match from {
        None => from_environment(auth),
        Some(path) if path == Path::new("-") => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| Failure::usage(format!("Standard input cannot be read: {e}.")))?;
            from_text(auth, &text, "standard input")
        }
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| {
                Failure::usage(format!("The credential {} cannot be read: {e}.", path.display()))
            })?;
            from_text(auth, &text, &path.display().to_string())
        }
    }
}

fn from_environment(auth: &Auth) -> Result<Secrets, Failure> {
    let mut values = Secrets::new();
    for field in auth.kind.fields() {
        let variable = format!("PARAPET_{}", field.name.to_uppercase());
        let value = environment(&variable).ok_or_else(|| {
            Failure::usage(format!(
                "{variable} is not set: \u{201c}{}\u{201d} needs its {}. Set it, or give a file with --credential.",
                auth.title, field.title
            ))
        })?;
        values.insert(field.name.to_owned(), value.into());
    }
    Ok(values)
}

fn from_text(auth: &Auth, text: &str, place: &str) -> Result<Secrets, Failure> {
    let fields = auth.kind.fields();
    if let [only] = fields.as_slice() {
        let bare = text.trim();
        if !bare.is_empty() && !bare.contains('=') && !bare.contains('\n') {
            return Ok(Secrets::from([(only.name.to_owned(), SecretString::from(bare.to_owned()))]));
        }
    }
    // The parser's own message would quote the line, which holds a secret.
    let mut table: BTreeMap<String, toml::Value> = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        Failure::usage(format!("{place}, line {line}: this is not TOML (name = \"value\")."))
    })?;
    let mut values = Secrets::new();
    for field in &fields {
        let value = match table.remove(field.name) {
            Some(toml::Value::String(text)) => text,
            Some(toml::Value::Integer(number)) => number.to_string(),
            Some(_) => return Err(Failure::usage(format!("{place}: {} must be text.", field.name))),
            None => {
                return Err(Failure::usage(format!("{place}: {} ({}) is missing.", field.name, field.title)));
            }
        };
        values.insert(field.name.to_owned(), value.into());
    }
    match table.keys().next() {
        None => Ok(values),
        Some(extra) => {
            let known: Vec<&str> = fields.iter().map(|f| f.name).collect();
            Err(Failure::usage(format!(
                "{place}: {extra} is not a field of \u{201c}{}\u{201d}, which has: {}.",
                auth.title,
                known.join(", ")
            )))
        }
    }
}
