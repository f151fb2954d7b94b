//! Where the files come from: embedded in the binary, or a folder of the operator's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};

use crate::{AllowedPosts, LoadError};

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../catalog");

/// The largest file that is read, in bytes. The largest built-in one is a tenth of it.
const FILE_BYTES: u64 = 1024 * 1024;
/// The most files a folder may hold.
const FILES: usize = 20_000;

/// All files of one catalogue folder, by their path in it, with `/` between the parts.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// What is put before the path in errors.
    root: PathBuf,
    text: BTreeMap<String, Arc<str>>,
    pub(crate) builtin: bool,
    /// What its applications may send by POST; those that are built in may send what they say.
    posts: AllowedPosts,
}

/// One file, with which errors name their place.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// As errors write it.
    pub(crate) file: PathBuf,
    /// The whole text.
    pub(crate) text: Arc<str>,
}

impl Source {
    /// An error at a byte offset.
    pub(crate) fn error(
        &self,
        offset: usize,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> LoadError {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        LoadError {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// A part of the text, to be kept: as it lies in the binary where it does, so that it is not held a second time.
    pub(crate) fn kept(&self, part: &str) -> Cow<'static, str> {
        let embedded = EMBEDDED.get_file(&self.file).and_then(|file| file.contents_utf8());
        let place = embedded.and_then(|text| text.find(part).and_then(|at| text.get(at..at + part.len())));
        place.map_or_else(|| Cow::Owned(part.to_owned()), Cow::Borrowed)
    }

    /// The line of a byte offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.error(offset, "", "").line
    }
}

impl Files {
    /// What is embedded.
    pub(crate) fn embedded(errors: &mut Vec<LoadError>) -> Self {
        let mut files = Self { builtin: true, ..Self::default() };
        let mut folders = vec![&EMBEDDED];
        while let Some(folder) = folders.pop() {
            folders.extend(folder.dirs().filter(|d| !skipped(d.path())));
            for file in folder.files() {
                files.add(&slashed(file.path()), file.contents(), errors);
            }
        }
        files
    }

    /// A folder on disk. Symbolic links are not followed: what is loaded is what lies there.
    pub(crate) fn folder(root: &Path, errors: &mut Vec<LoadError>) -> Self {
        let mut files = Self { root: root.to_owned(), ..Self::default() };
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            if let Err(e) = files.read_folder(root, &folder, &mut folders, errors) {
                errors.push(unreadable(
                    &folder,
                    format!("cannot be read: {e}"),
                    "Check the path and its rights",
                ));
            }
            if files.text.len() > FILES {
                let message = format!("holds more than {FILES} files");
                errors.push(unreadable(root, message, "Name the catalogue folder itself, not one above it"));
                return Self { root: root.to_owned(), ..Self::default() };
            }
        }
        files
    }

    /// The same files, with what the operator has allowed them.
    pub(crate) fn allowing(self, posts: &AllowedPosts) -> Self {
        Self { posts: posts.clone(), ..self }
    }

    /// Whether an application of these files may send POST requests to a path.
    pub(crate) fn may_post(&self, app: &str, path: &str) -> bool {
        self.builtin || self.posts.allows(app, path)
    }

    /// The same files, spoken of as if they were the embedded ones.
    pub(crate) fn in_place_of_embedded(self) -> Self {
        Self { root: PathBuf::new(), builtin: true, ..self }
    }

    fn read_folder(
        &mut self,
        root: &Path,
        folder: &Path,
        folders: &mut Vec<PathBuf>,
        errors: &mut Vec<LoadError>,
    ) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !skipped(&relative) {
                    folders.push(path);
                }
                continue;
            }
            if !kind.is_file() {
                let remedy = "Put the file itself there: links are not followed";
                errors.push(unreadable(&path, "is not a plain file".to_owned(), remedy));
            } else if entry.metadata()?.len() > FILE_BYTES {
                errors.push(unreadable(&path, "is larger than 1 MiB".to_owned(), "Split it"));
            } else {
                self.add(&slashed(&relative), &fs::read(&path)?, errors);
            }
        }
        Ok(())
    }

    /// Files that are made in memory.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn memory<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let mut files = Self { builtin: true, ..Self::default() };
        for (path, text) in texts {
            files.text.insert(path.to_owned(), text.into());
        }
        files
    }

    fn add(&mut self, path: &str, bytes: &[u8], errors: &mut Vec<LoadError>) {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.starts_with('.') {
            return;
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
                self.text.insert(path.to_owned(), text.into());
            }
            Err(_) => {
                errors.push(unreadable(&self.root.join(path), "is not UTF-8".to_owned(), "Save it as UTF-8"));
            }
        }
    }

    /// One file.
    pub(crate) fn get(&self, path: &str) -> Option<Source> {
        let text = self.text.get(path)?;
        Some(Source { file: self.root.join(path), text: Arc::clone(text) })
    }

    /// A file that may not exist, for errors that say so.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The names of the folders directly under a folder.
    pub(crate) fn folders_in(&self, folder: &str) -> Vec<String> {
        let prefix = format!("{folder}/");
        let mut names: Vec<String> = self
            .text
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix)?.split_once('/').map(|(name, _)| name.to_owned()))
            .collect();
        names.dedup();
        names
    }

    /// The names of the files directly in a folder, with this ending, without it.
    pub(crate) fn stems_in(&self, folder: &str, ending: &str) -> Vec<String> {
        let prefix = format!("{folder}/");
        self.text
            .keys()
            .filter_map(|path| {
                let name = path.strip_prefix(&prefix)?.strip_suffix(ending)?;
                (!name.contains('/')).then(|| name.to_owned())
            })
            .collect()
    }

    /// Every path, for finding files that nothing reads.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.text.keys().map(String::as_str)
    }
}

/// Recorded answers and facts about the vendor's API belong to tests; the loader has no use for them.
fn skipped(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        name == "fixtures" || name == "contract" || name.to_string_lossy().starts_with('.')
    })
}

fn slashed(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn unreadable(path: &Path, message: String, remedy: &str) -> LoadError {
    LoadError { file: path.to_owned(), line: 1, column: 1, message, remedy: remedy.to_owned() }
}
