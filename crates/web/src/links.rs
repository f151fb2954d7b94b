//! Addresses of lists: filters, order and place are the query string, so that every view can be bookmarked.

use std::fmt::Write as _;

use model::view::{Cut, Refusal, RefusalKind};

use crate::render::segment;

/// The address of the list at hand, to be varied one parameter at a time.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    path: String,
    pairs: Vec<(String, String)>,
}

/// Parameters that name a place in a list; they lose their meaning when filters or order change.
const PLACE: [&str; 2] = ["after", "before"];

impl Links {
    /// The list at `path` with the query as it came. Empty values say nothing and are dropped; so are repetitions.
    pub(crate) fn new(path: impl Into<String>, query: Vec<(String, String)>) -> Self {
        let mut pairs: Vec<(String, String)> = Vec::with_capacity(query.len());
        for (name, value) in query {
            if !value.is_empty() && name != "done" && !pairs.iter().any(|(n, _)| *n == name) {
                pairs.push((name, value));
            }
        }
        Self { path: path.into(), pairs }
    }

    /// A parameter's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A parameter's value, owned.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// A parameter with a closed set of values. An unknown one is refused: a filter that is silently dropped would
    /// show more than was asked for under the name of what was asked for.
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(Refusal {
                kind: RefusalKind::Invalid,
                field: Some(name.to_owned()),
                message: format!("The filter `{name}` does not know the value `{text}`."),
                remedy: "Clear the filter and choose one from the list.".to_owned(),
            }),
        }
    }

    /// A yes-or-no parameter.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.parsed(name, |text| match text {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        })
    }

    /// The place and order that are asked for.
    pub(crate) fn cut(&self) -> Cut {
        Cut { after: self.text("after"), before: self.text("before"), limit: None, sort: self.text("sort") }
    }

    /// The same list with one filter set.
    pub(crate) fn with(&self, name: &str, value: &str) -> String {
        self.vary(&PLACE, Some((name, value)))
    }

    /// The same list with one filter taken away.
    pub(crate) fn without(&self, name: &str) -> String {
        self.vary(&[PLACE[0], PLACE[1], name], None)
    }

    /// The next page.
    pub(crate) fn after(&self, cursor: &str) -> String {
        self.vary(&PLACE, Some(("after", cursor)))
    }

    /// The previous page.
    pub(crate) fn before(&self, cursor: &str) -> String {
        self.vary(&PLACE, Some(("before", cursor)))
    }

    /// The list with no filter at all.
    pub(crate) fn bare(&self) -> &str {
        &self.path
    }

    /// The list as it is, for a refresh in place.
    pub(crate) fn here(&self) -> String {
        self.vary(&[], None)
    }

    /// Sorted by a column; the other way round when it already is.
    pub(crate) fn sorted(&self, column: &str) -> String {
        if self.get("sort") == Some(column) {
            self.with("sort", &format!("-{column}"))
        } else {
            self.with("sort", column)
        }
    }

    /// `ascending`, `descending` or `none`, for `aria-sort`.
    pub(crate) fn direction(&self, column: &str) -> &'static str {
        match self.get("sort") {
            Some(sort) if sort == column => "ascending",
            Some(sort) if sort.strip_prefix('-') == Some(column) => "descending",
            _ => "none",
        }
    }

    /// Everything that is filtered here as a file: `csv`, `json`; of findings also `ocsf` and `sarif`.
    pub(crate) fn export(&self, format: &str) -> String {
        let mut out = format!("{}.{format}", self.path);
        write_query(&mut out, self.pairs.iter().filter(|(n, _)| !PLACE.contains(&n.as_str())));
        out
    }

    /// Parameters that a search form keeps: all but the search itself and the place.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &(String, String)> {
        self.pairs.iter().filter(|(n, _)| n != "search" && !PLACE.contains(&n.as_str()))
    }

    /// Whether any filter or search is set.
    pub(crate) fn filtered(&self) -> bool {
        self.pairs.iter().any(|(n, _)| !PLACE.contains(&n.as_str()) && n != "sort" && n != "layout")
    }

    fn vary(&self, drop: &[&str], add: Option<(&str, &str)>) -> String {
        let mut out = self.path.clone();
        let added = add.map(|(n, v)| (n.to_owned(), v.to_owned()));
        let kept = self
            .pairs
            .iter()
            .filter(|(n, _)| !drop.contains(&n.as_str()) && added.as_ref().is_none_or(|(a, _)| a != n));
        write_query(&mut out, kept.chain(&added));
        out
    }
}

fn write_query<'a>(out: &mut String, pairs: impl Iterator<Item = &'a (String, String)>) {
    for (at, (name, value)) in pairs.enumerate() {
        let sign = if at == 0 { '?' } else { '&' };
        // Writing to a string cannot fail.
        let _ = write!(out, "{sign}{}={}", segment(name), segment(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(query: &[(&str, &str)]) -> Links {
        Links::new("/findings", query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn changing_a_filter_goes_back_to_the_first_page() {
        let l = links(&[("severity", "high"), ("after", "c1"), ("search", "")]);
        assert_eq!(l.with("state", "new"), "/findings?severity=high&state=new");
        assert_eq!(l.with("severity", "low"), "/findings?severity=low");
        assert_eq!(l.without("severity"), "/findings");
        assert_eq!(l.after("c 2&"), "/findings?severity=high&after=c%202%26");
        assert_eq!(l.here(), "/findings?severity=high&after=c1");
        assert_eq!(l.export("csv"), "/findings.csv?severity=high");
    }

    #[test]
    fn sorting_twice_turns_the_order_round() {
        let l = links(&[("sort", "last_seen")]);
        assert_eq!(l.sorted("last_seen"), "/findings?sort=-last_seen");
        assert_eq!(l.sorted("resource"), "/findings?sort=resource");
        assert_eq!((l.direction("last_seen"), l.direction("resource")), ("ascending", "none"));
        assert!(!l.filtered());
    }

    #[test]
    fn an_unknown_filter_value_is_refused() {
        let l = links(&[("stale", "maybe")]);
        let refusal = l.flag("stale").expect_err("neither yes nor no");
        assert_eq!(refusal.message, "The filter `stale` does not know the value `maybe`.");
        assert_eq!(l.flag("other"), Ok(None));
    }
}
