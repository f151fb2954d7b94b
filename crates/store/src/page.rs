//! Keyset paging, shared by all lists.

use serde::{Deserialize, Serialize};

/// One page of a list, and where the next one begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Opaque; given back as `after` it gives the next page. `None`: this was the last.
    pub next: Option<String>,
    /// Rows that the filter finds in all, on all pages.
    pub total: u64,
}

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Smallest or earliest first.
    #[default]
    Ascending,
    /// Greatest or latest first.
    Descending,
}
