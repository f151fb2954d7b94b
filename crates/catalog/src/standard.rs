//! Standards: controls that checks refer to, with titles in our own words.

use std::collections::BTreeMap;

/// One standard, `catalog/standards/<id>.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standard {
    /// The file's name: `cis-github-1.2`.
    pub id: String,
    /// What people read: `CIS GitHub Benchmark`.
    pub title: String,
    /// Its version: `1.2.0`.
    pub version: String,
    /// Where it is published.
    pub source: String,
    /// The controls that checks refer to, by id.
    pub controls: BTreeMap<String, Control>,
}

/// One control of a standard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Its id in the standard: `1.3.5`, `IA-2(1)`.
    pub id: String,
    /// What it asks for, in our own words.
    pub title: String,
}
