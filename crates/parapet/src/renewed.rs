//! Refresh tokens that a vendor renews while the command line uses them: written back to the file they came from, or
//! said to be lost.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use catalog::manifest::{Auth, REFRESH_TOKEN};
use collect::{Credential, InMemory, Keeper, Renewal, Turn};
use futures_util::future::BoxFuture;
use ops::Secrets;
use secrecy::ExposeSecret as _;

use crate::output::note;

/// A credential whose refresh token, where it has one, is kept where it came from.
pub(crate) fn credential(auth: &Auth, values: Secrets, from: Option<&Path>) -> Credential {
    let inner = InMemory::new(Renewal::of(&values));
    let credential = Credential::new(&*auth.id, values);
    if !auth.kind.signs_in() {
        return credential;
    }
    let file = from.filter(|p| *p != Path::new("-")).map(Path::to_owned);
    credential.kept_by(Arc::new(Back { inner, file, said: Arc::default() }))
}

struct Back {
    inner: InMemory,
    /// Where the credential came from, if it can be written back there.
    file: Option<PathBuf>,
    said: Arc<AtomicBool>,
}

struct BackTurn {
    inner: Box<dyn Turn>,
    file: Option<PathBuf>,
    said: Arc<AtomicBool>,
}

impl Keeper for Back {
    fn turn(&self) -> BoxFuture<'_, Result<Box<dyn Turn>, String>> {
        Box::pin(async move {
            let inner = self.inner.turn().await?;
            Ok(Box::new(BackTurn { inner, file: self.file.clone(), said: Arc::clone(&self.said) })
                as Box<dyn Turn>)
        })
    }
}

impl Turn for BackTurn {
    fn current(&self) -> Option<&Renewal> {
        self.inner.current()
    }

    fn keep(&mut self, renewed: Renewal) -> BoxFuture<'_, Result<(), String>> {
        let old = self.inner.current().map(|r| r.refresh_token.clone());
        if let Some(old) = old.filter(|old| old.expose_secret() != renewed.refresh_token.expose_secret()) {
            let (old, new) = (old.expose_secret(), renewed.refresh_token.expose_secret());
            let why = match &self.file {
                Some(file) => write_back(file, old, new).err(),
                None => Some("it did not come from a file (--credential)".to_owned()),
            };
            // The scan goes on: what the vendor has renewed is good until the end of it.
            if let Some(why) = why
                && !self.said.swap(true, Ordering::SeqCst)
            {
                note(&format!(
                    "the vendor renewed the refresh token, and the new one is not kept: {why}. The next scan may be refused; then sign in again."
                ));
            }
        }
        self.inner.keep(renewed)
    }

    fn end(self: Box<Self>) -> BoxFuture<'static, ()> {
        self.inner.end()
    }
}

/// Puts the new token in the place of the old one, and changes nothing else in the file. It is written beside and then
/// renamed, so that there is always a whole one.
fn write_back(file: &Path, old: &str, new: &str) -> Result<(), String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| format!("{shown} cannot be read again: {e}"))?;
    // What TOML would have to escape cannot simply take the other's place.
    if new.chars().any(|c| c.is_control() || matches!(c, '"' | '\'' | '\\')) || text.matches(old).count() != 1
    {
        return Err(format!("`{REFRESH_TOKEN}` cannot be replaced in {shown} by itself"));
    }
    let failed = |e: std::io::Error| format!("{shown} cannot be written: {e}");
    let permissions = std::fs::metadata(file).map_err(failed)?.permissions();
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".renewed");
    let beside = file.with_file_name(name);
    let write = || -> std::io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out = options.open(&beside)?;
        out.set_permissions(permissions)?;
        out.write_all(text.replacen(old, new, 1).as_bytes())?;
        out.sync_all()?;
        std::fs::rename(&beside, file)
    };
    write().map_err(|e| {
        // What is left of a failed attempt holds the new token, and would be in the way of the next.
        if e.kind() != std::io::ErrorKind::AlreadyExists {
            drop(std::fs::remove_file(&beside));
        }
        failed(e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_token_takes_the_place_of_the_old_and_nothing_else_changes() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("forge.toml");
        let text = "# mine\nclient_id = \"rt\"\nrefresh_token = \"rt-old-1\" # renewed by scans\n";
        std::fs::write(&file, text).expect("a file");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("a mode");
        write_back(&file, "rt-old-1", "rt-new-2").expect("written");
        let read = || std::fs::read_to_string(&file).expect("a file");
        assert_eq!(read(), text.replace("rt-old-1", "rt-new-2"));
        assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside");
        // What is not there once, or would have to be escaped, is left alone.
        for (old, new) in [("rt-old-1", "x"), ("rt", "x"), ("rt-new-2", "a\"b"), ("rt-new-2", "a\\b")] {
            let why = write_back(&file, old, new).expect_err("not by itself");
            assert!(!why.contains(new) || new == "x", "{why}");
            assert_eq!(read(), text.replace("rt-old-1", "rt-new-2"));
        }
    }
}
