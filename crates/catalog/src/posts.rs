//! Reads by POST that an operator allows to applications of own folders.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{App, Catalog};

/// Paths to which applications of own folders may send POST requests: by the application's id, each as its `app.toml` writes
/// it. No rule can tell what a POST does, so that an operator says of each path that it only reads. Applications that come with
/// Parapet were looked at and need none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct AllowedPosts(BTreeMap<String, BTreeSet<String>>);

impl AllowedPosts {
    /// Whether this application may POST to this path.
    #[must_use]
    pub fn allows(&self, app: &str, path: &str) -> bool {
        self.0.get(app).is_some_and(|paths| paths.contains(path))
    }

    /// What is allowed and not asked for by any application that was loaded, as sentences without a full stop: a slip of the
    /// hand, or something that was allowed once.
    #[must_use]
    pub fn unused(&self, catalog: &Catalog) -> Vec<String> {
        let mut unused = Vec::new();
        for (id, paths) in &self.0 {
            let app = catalog.app(&id.as_str().into());
            for path in paths {
                unused.push(match app {
                    None => format!("no application `{id}` was loaded, to which POST to `{path}` is allowed"),
                    Some(app) if app.builtin => {
                        format!("`{id}` comes with Parapet: allowing POST to `{path}` changes nothing")
                    }
                    Some(app) if posts(app).any(|(_, at)| at == path) => continue,
                    Some(_) => format!("`{id}` sends no POST to `{path}`, to which it is allowed"),
                });
            }
        }
        unused
    }
}

impl FromIterator<(String, String)> for AllowedPosts {
    /// From pairs of application and path.
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        let mut by_app: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (app, path) in pairs {
            by_app.entry(app).or_default().insert(path);
        }
        Self(by_app)
    }
}

/// The reads by POST of an application: host and path.
fn posts(app: &App) -> impl Iterator<Item = (&str, &str)> {
    let requests = app.datasets.iter().flat_map(|dataset| &dataset.requests);
    requests.filter(|r| r.spec.post.is_some()).map(|r| (r.spec.host.as_str(), r.spec.path.as_str()))
}

impl App {
    /// What the operator has allowed an application of an own folder: host and path of each read by POST, each once. Of an
    /// application that comes with Parapet: nothing, since nobody was asked.
    #[must_use]
    pub fn allowed_posts(&self) -> BTreeSet<(&str, &str)> {
        if self.builtin { BTreeSet::new() } else { posts(self).collect() }
    }
}
