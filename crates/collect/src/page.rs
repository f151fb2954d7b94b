//! Paging.

use serde::{Deserialize, Serialize};

/// Where the next page is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cursor {
    /// The first page.
    First,
    /// At this address (same origin).
    Url(String),
    /// Behind this token.
    Token(String),
    /// This number or offset.
    Number(u64),
}
