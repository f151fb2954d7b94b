//! The catalogue: applications, checks and standards as data, loaded into typed values.
//!
//! [`Catalog::builtin`] loads what is embedded in the binary, [`Catalog::load`] adds folders of the operator's own. Both
//! go through one loader: unknown fields, expressions that do not compile, impossible paging and the like are
//! [`LoadError`]s with file, line, column and remedy, and an application that does not load never stops the others.

mod app;
mod check;
pub mod docs;
mod error;
pub mod examples;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod load;
pub mod manifest;
mod markdown;
pub mod mutate;
mod param;
mod posts;
pub mod scaffold;
mod standard;
mod template;

pub use app::{App, DatasetSpec, Defaults, Grade, MappingSpec, RequestSpec, ScopeGrade};
pub use check::{Check, DEFAULT_NOW, Example, Given, Lifecycle, Over, Param, Remedy, judge};
pub use error::LoadError;
pub use posts::AllowedPosts;
pub use standard::{Control, Standard};
pub use template::{Part, Template, days_ago, segment};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::id::{AppId, CheckId};

/// All that is known: immutable once loaded, shared by everything that runs.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Applications by id.
    pub apps: BTreeMap<AppId, Arc<App>>,
    /// Standards by id (`cis-github-1.2`).
    pub standards: BTreeMap<String, Standard>,
    /// The shared checks as written; each application that takes part has its own copy among its checks.
    pub shared: Vec<Arc<Check>>,
    /// Ids of checks that once existed, with what became of them. They are never used again.
    pub retired: BTreeMap<CheckId, String>,
}

/// What loading gave: everything that is right, and everything that is wrong with the rest.
#[derive(Debug, Default)]
pub struct Loaded {
    /// What can be used.
    pub catalog: Catalog,
    /// What cannot, and why. An application with an error in its manifest or mappings is left out whole; a check with an
    /// error is left out alone.
    pub errors: Vec<LoadError>,
}

impl Catalog {
    /// The embedded catalogue. Its errors are empty in every build that passed its tests.
    #[must_use]
    pub fn builtin() -> Loaded {
        load::tree::load(&[], &AllowedPosts::default())
    }

    /// The embedded catalogue and, after it, folders of the same layout. They may add applications, checks (to
    /// applications that are there, too) and standards, and never change what is built in.
    #[must_use]
    pub fn load(folders: &[PathBuf]) -> Loaded {
        load::tree::load(folders, &AllowedPosts::default())
    }

    /// The same, where the operator has allowed reads by POST to applications of the own folders.
    #[must_use]
    pub fn load_allowing(folders: &[PathBuf], posts: &AllowedPosts) -> Loaded {
        load::tree::load(folders, posts)
    }

    /// A folder of the layout of the embedded one, in its place: the catalogue as it lies in a working tree.
    #[must_use]
    pub fn of_folder(folder: &Path) -> Loaded {
        load::tree::of_folder(folder)
    }

    /// An application.
    #[must_use]
    pub fn app(&self, id: &AppId) -> Option<&Arc<App>> {
        self.apps.get(id)
    }

    /// A control written as in a check's front matter: `cis-github-1.2/1.3.5`.
    #[must_use]
    pub fn control(&self, reference: &str) -> Option<(&Standard, &Control)> {
        let (standard, id) = reference.split_once('/')?;
        let standard = self.standards.get(standard)?;
        Some((standard, standard.controls.get(id)?))
    }
}
