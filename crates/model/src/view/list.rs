//! Lists: filters, order and pages, the same for all.

use serde::Serialize;

use crate::id::InstanceId;

/// Where a page of a list lies. Cursors are opaque; a list is walked by keyset, so rows that come or go in between
/// neither repeat nor hide others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Paging {
    /// Rows that match the filters, all pages together.
    pub total: u64,
    /// Rows that exist without filters.
    pub unfiltered: u64,
    /// Goes into `after` for the next page.
    pub next: Option<String>,
    /// Goes into `before` for the previous page.
    pub previous: Option<String>,
}

/// Which page of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Cut {
    /// Rows after this cursor.
    pub after: Option<String>,
    /// Rows before this cursor.
    pub before: Option<String>,
    /// Rows a page; `None`: the list's own size. Values above the list's maximum are refused, not cut.
    pub limit: Option<u32>,
    /// Column to sort by; a leading `-` turns the order round. `None` or unknown to the list: its natural order.
    pub sort: Option<String>,
}

/// One filter of a list with the choices that occur.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facet {
    /// Query parameter: `status`.
    pub name: String,
    /// Label: `Status`.
    pub title: String,
    /// The choices. "All" is implied.
    pub choices: Vec<FacetChoice>,
}

/// One choice of a [`Facet`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FacetChoice {
    /// Value of the query parameter.
    pub value: String,
    /// What people read.
    pub title: String,
    /// Rows it would leave, where counted.
    pub count: Option<u64>,
    /// It is chosen now.
    pub active: bool,
}

/// Why a list is empty and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EmptyState {
    /// Why.
    pub says: String,
    /// What to do.
    pub next: NextStep,
}

/// What an empty list offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NextStep {
    /// Nothing to do: it is empty because all is well, or time must pass.
    Nothing,
    /// Take the filters away.
    ClearFilters,
    /// Onboard an application.
    AddApplication,
    /// Look at the scans of this application.
    OpenSettings(InstanceId),
    /// Mark or mend an identity provider.
    OpenIdentityProviders,
}
