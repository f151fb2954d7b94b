//! GraphQL documents: one query each, nothing that changes anything, and the paths that the manifest names are selected.

use std::collections::BTreeMap;

use graphql_parser::Pos;
use graphql_parser::query::{
    Definition, Document, FragmentDefinition, OperationDefinition, Query, Selection, SelectionSet, Type,
    VariableDefinition, parse_query,
};

use crate::LoadError;
use crate::load::files::Source;

/// Deeper brackets are refused, and deeper spreads of fragments are circular.
const DEPTH: usize = 64;

/// A document with exactly one query.
pub(crate) struct QueryDocument {
    variables: Vec<VariableDefinition<'static, String>>,
    selection: SelectionSet<'static, String>,
    fragments: BTreeMap<String, FragmentDefinition<'static, String>>,
}

/// A declared variable.
pub(crate) struct Variable<'a> {
    pub(crate) name: &'a str,
    /// Has to be given: not nullable and without default.
    pub(crate) required: bool,
    /// Its type as written.
    pub(crate) kind: String,
}

/// Reads a document.
pub(crate) fn parse(source: &Source) -> Result<QueryDocument, LoadError> {
    if let Some(at) = too_deep(&source.text) {
        return Err(source.error(at, format!("nested deeper than {DEPTH}"), "Flatten the query"));
    }
    let document: Document<'static, String> = match parse_query::<String>(&source.text) {
        Ok(document) => document.into_static(),
        Err(e) => return Err(syntax_error(source, &e.to_string())),
    };
    let mut query = None;
    let mut fragments = BTreeMap::new();
    for definition in document.definitions {
        let (variables, selection, position) = match definition {
            Definition::Fragment(fragment) => {
                fragments.insert(fragment.name.clone(), fragment);
                continue;
            }
            Definition::Operation(OperationDefinition::Query(Query {
                variable_definitions,
                selection_set,
                position,
                ..
            })) => (variable_definitions, selection_set, position),
            Definition::Operation(OperationDefinition::SelectionSet(set)) => {
                let position = set.span.0;
                (Vec::new(), set, position)
            }
            Definition::Operation(OperationDefinition::Mutation(m)) => {
                return Err(refused(source, m.position, "mutation"));
            }
            Definition::Operation(OperationDefinition::Subscription(s)) => {
                return Err(refused(source, s.position, "subscription"));
            }
        };
        if query.is_some() {
            let at = offset(source, position);
            return Err(source.error(at, "a second operation", "Put each query into a file of its own"));
        }
        query = Some((variables, selection));
    }
    match query {
        Some((variables, selection)) => Ok(QueryDocument { variables, selection, fragments }),
        None => Err(source.error(0, "no query in this document", "Add `query { ... }`")),
    }
}

/// Where brackets are nested deeper than the parser, which recurses, should be asked to go. Brackets in texts and comments
/// are counted, too: no sound query has that many.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    text.bytes().enumerate().find_map(|(at, byte)| {
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth > DEPTH).then_some(at)
    })
}

fn refused(source: &Source, position: Pos, what: &str) -> LoadError {
    let message = format!("a {what} is refused: Parapet only reads");
    source.error(offset(source, position), message, "Use a query")
}

fn syntax_error(source: &Source, message: &str) -> LoadError {
    // The library tells the place only in its words: "query parse error: Parse error at 3:5\nUnexpected ...".
    let place = message.split("Parse error at ").nth(1).and_then(|rest| {
        let (line, rest) = rest.split_once(':')?;
        let column: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(Pos { line: line.parse().ok()?, column: column.parse().ok()? })
    });
    let words: Vec<&str> = message.lines().skip(1).map(str::trim).filter(|l| !l.is_empty()).collect();
    let at = place.map_or(0, |place| offset(source, place));
    source.error(at, format!("not GraphQL: {}", words.join("; ")), "")
}

fn offset(source: &Source, position: Pos) -> usize {
    let line_start: usize =
        source.text.split_inclusive('\n').take(position.line.saturating_sub(1)).map(str::len).sum();
    let line = source.text[line_start..].lines().next().unwrap_or_default();
    line_start + line.chars().take(position.column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
}

impl QueryDocument {
    /// The variables it declares.
    pub(crate) fn variables(&self) -> impl Iterator<Item = Variable<'_>> {
        self.variables.iter().map(|v| Variable {
            name: &v.name,
            required: matches!(v.var_type, Type::NonNullType(_)) && v.default_value.is_none(),
            kind: v.var_type.to_string(),
        })
    }

    /// Whether the answer holds something at this path (`data` first; lists are passed through). On failure, the name
    /// that is not selected and those that are.
    pub(crate) fn selects(&self, path: &str) -> Result<(), (String, Vec<String>)> {
        let mut steps = path.split('.').filter(|s| !s.is_empty());
        match steps.next() {
            None => return Ok(()),
            Some("data") => {}
            Some(other) => return Err((other.to_owned(), vec!["data".to_owned()])),
        }
        self.descend(vec![&self.selection], steps)
    }

    /// Whether records found at `records` hold something at `path`.
    pub(crate) fn selects_below(&self, records: &str, path: &str) -> Result<(), (String, Vec<String>)> {
        if path == "." { self.selects(records) } else { self.selects(&format!("{records}.{path}")) }
    }

    fn descend<'s, 'p>(
        &'s self,
        mut sets: Vec<&'s SelectionSet<'static, String>>,
        steps: impl Iterator<Item = &'p str>,
    ) -> Result<(), (String, Vec<String>)> {
        for step in steps {
            // Positions in a list and steps over all its elements lead to the same selection.
            let step = step.split('[').next().unwrap_or(step);
            if step.is_empty() || step == "*" || step.chars().all(|c| c.is_ascii_digit()) {
                continue;
            }
            let (mut next, mut names, mut found) = (Vec::new(), Vec::new(), false);
            for set in &sets {
                self.fields(set, 0, &mut |name, set| {
                    names.push(name.to_owned());
                    if name == step {
                        found = true;
                        next.push(set);
                    }
                });
            }
            if !found {
                names.sort();
                names.dedup();
                return Err((step.to_owned(), names));
            }
            sets = next;
        }
        Ok(())
    }

    fn fields<'s>(
        &'s self,
        set: &'s SelectionSet<'static, String>,
        depth: usize,
        visit: &mut impl FnMut(&'s str, &'s SelectionSet<'static, String>),
    ) {
        if depth > DEPTH {
            return;
        }
        for item in &set.items {
            match item {
                Selection::Field(field) => {
                    visit(field.alias.as_deref().unwrap_or(&field.name), &field.selection_set);
                }
                Selection::InlineFragment(fragment) => self.fields(&fragment.selection_set, depth + 1, visit),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.fragments.get(&spread.fragment_name) {
                        self.fields(&fragment.selection_set, depth + 1, visit);
                    }
                }
            }
        }
    }
}
