//! Comparing what a manifest asks with the facts.

use super::asks::{Parameter, Read, Request, Step, emptied, is_of};
use super::facts::{Accepts, Facts, Operation, Values};
use super::fit;
use super::graphql::{self, Schema, Used};
use super::pages::{Pages, means};
use super::shape::{self, Found, Seen, Shape, Types, each, names_at, walk};
use crate::Result;
use std::collections::{BTreeMap, BTreeSet};

/// How one thing is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum How {
    /// The vendor's description says it.
    Machine,
    /// A page says it: address and date.
    Page(String),
    /// Only our notes say it.
    Notes,
    /// Nothing says it, although the vendor has a description.
    Refused(String),
    /// The description says otherwise.
    Contradicted(String),
}

/// One thing that the manifest asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its name.
    pub(crate) id: String,
    /// Its line in the manifest.
    pub(crate) line: usize,
    /// How it is known.
    pub(crate) how: How,
}

/// What is known of an application.
pub(crate) struct Known<'k> {
    /// Facts of the description and of pages together.
    pub(crate) facts: &'k Facts,
    /// Whether the vendor has a description that was cut: then nothing may rest on notes silently.
    pub(crate) described: bool,
    /// The GraphQL schema.
    pub(crate) schema: Option<&'k Schema>,
    /// The GraphQL documents of the application's folder by name.
    pub(crate) documents: &'k BTreeMap<String, String>,
    /// The pages.
    pub(crate) pages: &'k Pages,
}

/// What the proof came to.
#[derive(Default)]
pub(crate) struct Report {
    /// Everything that is asked, by name.
    pub(crate) items: Vec<Item>,
    /// Entries of `pages.toml` that nothing needs any more.
    pub(crate) stale: Vec<String>,
    /// What was looked at.
    pub(crate) seen: Seen,
    /// What the documents use of the schema.
    pub(crate) used: Used,
}

/// What one request says about one thing, before the requests of a dataset are taken together.
enum Verdict {
    Holds(Option<String>),
    Found(Vec<Found>),
    /// Not there; `true`: this request must have it, whatever the dataset's others have.
    Not(String, bool),
    /// There, but not so.
    Against(String),
    /// What is read from a request that is itself unknown; said once, for the request.
    Unasked,
}

struct Prover<'k> {
    known: &'k Known<'k>,
    seen: Seen,
    used: Used,
    types: Types,
    verdicts: BTreeMap<String, (usize, Vec<Verdict>)>,
    reads: BTreeMap<String, Read>,
}

/// Compares everything that is asked with what is known.
pub(crate) fn prove(asked: &[Request], known: &Known<'_>) -> Result<Report> {
    let mut prover = Prover {
        known,
        seen: Seen::default(),
        used: Used::new(),
        types: Types::new(),
        verdicts: BTreeMap::new(),
        reads: BTreeMap::new(),
    };
    for request in asked {
        prover.request(request)?;
    }
    Ok(prover.report())
}

impl Prover<'_> {
    fn say(&mut self, id: &str, line: usize, verdict: Verdict) {
        self.verdicts.entry(id.to_owned()).or_insert_with(|| (line, Vec::new())).1.push(verdict);
    }

    fn request(&mut self, request: &Request) -> Result {
        let found = operation(self.known.facts, request);
        match &found {
            Some((key, operation)) => {
                let given = |name: &str| request.query.iter().any(|parameter| parameter.name == name);
                let lacks: Vec<&str> = operation
                    .parameters
                    .iter()
                    .filter(|(name, accepts)| accepts.required && !given(name) && !name.starts_with('{'))
                    .map(|(name, _)| name.as_str())
                    .collect();
                let verdict = match (lacks.is_empty(), misplaced(request, key, operation)) {
                    (true, None) => Verdict::Holds(operation.page.clone()),
                    (true, Some(why)) => Verdict::Against(why),
                    (false, _) => Verdict::Against(format!("it needs the parameter {}", lacks.join(" and "))),
                };
                self.say(&request.id, request.line, verdict);
            }
            None => self.say(
                &request.id,
                request.line,
                Verdict::Not("no such request is described".to_owned(), true),
            ),
        }
        let (answer, extra) = match (&request.document, &found) {
            (Some(name), _) => self.document(request, name)?,
            (None, Some((_, operation))) => {
                (Some(Found { shape: operation.answer.clone(), page: operation.page.clone() }), Types::new())
            }
            (None, None) => (None, Types::new()),
        };
        self.types = extra;
        let start: Vec<Found> = answer.into_iter().collect();
        let records = each(self.walk(start.clone(), &request.records));
        for parameter in &request.query {
            let id = format!("{}?{}", request.id, parameter.name);
            let verdict = match &found {
                None => Verdict::Unasked,
                Some((_, operation)) => self.parameter(parameter, operation, &records),
            };
            self.say(&id, parameter.line, verdict);
        }
        for read in &request.reads {
            let from = if read.whole { start.clone() } else { records.clone() };
            let verdict = if start.is_empty() { Verdict::Unasked } else { self.read(read, from) };
            let left_out = if read.whole { None } else { self.left_out(request, read, &records) };
            let verdict = match (verdict, left_out) {
                // An alternative may ask for less than the one it stands in for.
                (Verdict::Found(_), Some(why)) if request.alternative => Verdict::Not(why, false),
                (Verdict::Found(_), Some(why)) => Verdict::Against(why),
                (verdict, _) => verdict,
            };
            self.say(&read.id, read.line, verdict);
            self.reads.entry(read.id.clone()).or_insert_with(|| read.clone());
        }
        Ok(())
    }

    /// A GraphQL document: an item of its own, whose answer is read.
    fn document(&mut self, request: &Request, name: &str) -> Result<(Option<Found>, Types)> {
        let text =
            self.known.documents.get(name).ok_or_else(|| format!("{name}: there is no such document"))?;
        let Some(schema) = self.known.schema else {
            self.say(
                name,
                request.line,
                Verdict::Not("there is no schema to compare it with".to_owned(), true),
            );
            return Ok((None, Types::new()));
        };
        let answer = graphql::answer(schema, name, text).map_err(|error| format!("{name}: {error}"))?;
        for (kind, members) in answer.used {
            self.used.entry(kind).or_default().extend(members);
        }
        let verdict = if answer.problems.is_empty() {
            Verdict::Holds(None)
        } else {
            Verdict::Against(answer.problems.join("; "))
        };
        self.say(name, request.line, verdict);
        Ok((Some(Found { shape: answer.shape, page: None }), answer.types))
    }

    fn walk(&mut self, from: Vec<Found>, path: &str) -> Vec<Found> {
        if self.types.is_empty() {
            walk(&self.known.facts.types, from, path, &mut self.seen)
        } else {
            walk(&self.types, from, path, &mut Seen::default())
        }
    }

    fn names(&self, found: &[Found]) -> String {
        let types = if self.types.is_empty() { &self.known.facts.types } else { &self.types };
        let names = names_at(types, found);
        match names.len() {
            0 => "nothing is described there".to_owned(),
            1..=40 => format!("there are {}", names.join(", ")),
            more => format!("there are {more} other names"),
        }
    }

    fn parameter(&mut self, parameter: &Parameter, operation: &Operation, records: &[Found]) -> Verdict {
        let Some(Accepts { values, .. }) = operation.parameters.get(&parameter.name) else {
            let known: Vec<&str> = operation
                .parameters
                .keys()
                .map(String::as_str)
                .filter(|name| !name.starts_with('{'))
                .collect();
            return Verdict::Not(
                format!("no such parameter is described; there are {}", known.join(", ")),
                true,
            );
        };
        let Some(value) = parameter.value.as_deref() else { return Verdict::Holds(operation.page.clone()) };
        let wrong = match values {
            Values::Listed(all) => (!all.iter().any(|one| one == value))
                .then(|| format!("'{value}' is none of {}", all.join(", "))),
            Values::UpTo(most) => match value.parse::<i64>() {
                Ok(number) => (number > *most).then(|| format!("{number} is more than {most}")),
                Err(_) => Some(format!("'{value}' is no whole number")),
            },
            Values::Typed(word) if word == "integer" => {
                value.parse::<i64>().is_err().then(|| format!("'{value}' is no whole number"))
            }
            Values::Typed(word) if word == "boolean" => {
                (!["true", "false"].contains(&value)).then(|| format!("'{value}' is neither true nor false"))
            }
            Values::Typed(_) => None,
            Values::Fields => fit::names(value).into_iter().find_map(|name| {
                let path = name.replace('/', ".");
                self.walk(records.to_vec(), &path)
                    .is_empty()
                    .then(|| format!("there is no {name}; {}", self.names(records)))
            }),
        };
        wrong.map_or_else(|| Verdict::Holds(operation.page.clone()), Verdict::Against)
    }

    /// Why an answer that could have a field does not, because of the request's own `$select` or `$expand`.
    fn left_out(&self, request: &Request, read: &Read, records: &[Found]) -> Option<String> {
        let names = |name: &str| {
            let parameter = request.query.iter().find(|parameter| parameter.name == name)?;
            Some(fit::names(parameter.value.as_deref()?))
        };
        let (selected, expanded) = (names("$select"), names("$expand").unwrap_or_default());
        let first = read.path.split('.').next().unwrap_or_default();
        if matches!(read.path.as_str(), "" | ".") || first.starts_with('@') || expanded.contains(&first) {
            return None;
        }
        if shape::needs_expand(&self.known.facts.types, records, first) {
            return Some(format!("{first} is answered only where $expand names it"));
        }
        let lacks = selected.is_some_and(|all| !all.contains(&first));
        lacks.then(|| format!("$select leaves {first} out"))
    }

    fn read(&mut self, read: &Read, from: Vec<Found>) -> Verdict {
        let mut found = self.walk(from.clone(), &read.path);
        let parent = read.path.rsplit_once('.').map_or("", |(parent, _)| parent);
        if found.is_empty() {
            let above = self.walk(from, parent);
            return Verdict::Not(
                format!("no answer has {}; {}", read.path, self.names(&each(above))),
                read.here,
            );
        }
        for step in &read.steps {
            match self.step(step, &read.path, found) {
                Ok(after) => found = after,
                Err(Verdict::Not(why, _)) => return Verdict::Not(why, read.here),
                Err(other) => return other,
            }
        }
        Verdict::Found(found)
    }

    /// What a transform makes of what was found at `at`.
    fn step(&mut self, step: &Step, at: &str, found: Vec<Found>) -> std::result::Result<Vec<Found>, Verdict> {
        let part = |key: &str| step.parts.iter().find(|(name, _)| name == key).map(|(_, path)| path.as_str());
        match (step.word.as_str(), step.value.as_deref()) {
            ("pluck", Some(path)) => {
                let elements = self.elements(at, found, path)?;
                Ok(elements
                    .into_iter()
                    .map(|one| Found { shape: one.shape.list(), page: one.page })
                    .collect())
            }
            ("pivot", None) => {
                self.elements(at, found.clone(), part("key").unwrap_or_default())?;
                let values = self.elements(at, found, part("value").unwrap_or_default())?;
                Ok(values
                    .into_iter()
                    .map(|one| Found { shape: Shape::Map(Box::new(one.shape)), page: one.page })
                    .collect())
            }
            _ => {
                let shapes = found.iter().map(|one| fit::transformed(&step.word, &one.shape));
                let Some(shapes) = shapes.collect::<Option<Vec<_>>>() else {
                    let described: Vec<String> = found.iter().map(|one| one.shape.to_string()).collect();
                    return Err(Verdict::Against(format!(
                        "{at} is described as {}, to which `{}` does not apply",
                        described.join("|"),
                        step.word
                    )));
                };
                Ok(found
                    .into_iter()
                    .zip(shapes)
                    .map(|(one, shape)| Found { shape, page: one.page })
                    .collect())
            }
        }
    }

    /// What the elements of a list have at a path.
    fn elements(
        &mut self,
        at: &str,
        found: Vec<Found>,
        path: &str,
    ) -> std::result::Result<Vec<Found>, Verdict> {
        let elements = self.walk(found.clone(), &format!("*.{path}"));
        if elements.is_empty() {
            return Err(Verdict::Not(
                format!("no answer has {at}.*.{path}; {}", self.names(&each(found))),
                false,
            ));
        }
        Ok(elements)
    }

    fn report(mut self) -> Report {
        let mut needed = BTreeSet::new();
        let mut items = Vec::new();
        for (id, (line, verdicts)) in std::mem::take(&mut self.verdicts) {
            let how = self.taken_together(&id, &verdicts);
            let how = self.known_elsewhere(&id, how, &mut needed);
            items.push(Item { id, line, how });
        }
        let listed =
            self.known.pages.pages.iter().flat_map(|page| &page.shows).chain(&self.known.pages.notes);
        let stale = listed.filter(|pattern| !needed.contains(*pattern)).cloned().collect();
        Report { items, stale, seen: self.seen, used: self.used }
    }

    /// What no description says may stand on a page or in notes. What a description contradicts, only a page that names it
    /// and nothing else can say better.
    fn known_elsewhere(&self, id: &str, how: How, needed: &mut BTreeSet<String>) -> How {
        let contradicted = matches!(how, How::Contradicted(_));
        if !contradicted && !matches!(how, How::Refused(_)) {
            return how;
        }
        let pages = self.known.pages;
        let meant = |pattern: &&String| if contradicted { *pattern == id } else { means(pattern, id) };
        let shown = pages.pages.iter().find_map(|page| Some((page, page.shows.iter().find(meant)?)));
        if let Some((page, pattern)) = shown {
            needed.insert(pattern.clone());
            return How::Page(page.told());
        }
        match pages.notes.iter().find(|pattern| !contradicted && means(pattern, id)) {
            Some(pattern) => {
                needed.insert(pattern.clone());
                How::Notes
            }
            None if !contradicted && !self.known.described => How::Notes,
            None => how,
        }
    }

    /// One verdict from those of all requests: what a request demands for itself, then what any of them has.
    fn taken_together(&self, id: &str, verdicts: &[Verdict]) -> How {
        let read = self.reads.get(id);
        let (mut refused, mut must) = (None, false);
        let mut pages = Vec::new();
        for verdict in verdicts {
            match verdict {
                Verdict::Holds(page) => pages.push(page.clone()),
                Verdict::Found(all) => {
                    // Each request that has it must have it so that it can be read.
                    if let Some(why) = read.and_then(|read| misfit(read, all)) {
                        return How::Contradicted(why);
                    }
                    pages.extend(all.iter().map(|one| one.page.clone()));
                }
                Verdict::Not(why, alone) => {
                    if refused.is_none() || (*alone && !must) {
                        refused = Some(why.clone());
                    }
                    must |= alone;
                }
                Verdict::Against(why) => return How::Contradicted(why.clone()),
                Verdict::Unasked => {}
            }
        }
        match refused {
            Some(why) if must || pages.is_empty() => return How::Refused(why),
            _ if pages.is_empty() => return How::Refused(String::new()),
            _ => {}
        }
        // One description that says it is enough; a page is told where nothing else says it.
        pages.into_iter().min_by_key(Option::is_some).flatten().map_or(How::Machine, How::Page)
    }
}

/// Why what was found in one request's answer cannot be read as it is declared; none: it can.
fn misfit(read: &Read, found: &[Found]) -> Option<String> {
    let kind = read.kind.as_deref()?;
    if found.iter().any(|one| fit::fits(kind, &read.format, &one.shape)) {
        return None;
    }
    let shapes: BTreeSet<String> = found.iter().map(|one| one.shape.to_string()).collect();
    let shapes: Vec<String> = shapes.into_iter().collect();
    Some(format!("declared {kind}, described as {}", shapes.join("|")))
}

/// A word in a request's path where the description has a placeholder that takes other words.
fn misplaced(request: &Request, key: &str, operation: &Operation) -> Option<String> {
    let template: Vec<&str> = key.split_once(' ')?.1.split('/').collect();
    let address = request.addresses.iter().find(|one| is_of(one, &emptied(&template.join("/"))))?;
    template.iter().zip(address.split('/')).find_map(|(placeholder, word)| {
        match operation.parameters.get(*placeholder).map(|accepts| &accepts.values) {
            Some(Values::Listed(all)) if word != "{}" && !all.iter().any(|one| one == word) => {
                Some(format!("'{word}' is none of {}", all.join(", ")))
            }
            _ => None,
        }
    })
}

/// The described request that this one is: by the same words first, then with words where the description has a placeholder.
fn operation<'f>(facts: &'f Facts, request: &Request) -> Option<(&'f str, &'f Operation)> {
    let of_method = || {
        facts.requests.iter().filter_map(|(key, operation)| {
            let address = key.strip_prefix(request.method.as_str())?.strip_prefix(' ')?;
            Some((key.as_str(), emptied(address), operation))
        })
    };
    of_method()
        .find(|(_, address, _)| request.addresses.contains(address))
        .or_else(|| {
            of_method()
                .filter(|(_, address, _)| request.addresses.iter().any(|one| is_of(one, address)))
                .min_by_key(|(_, address, _)| address.matches('{').count())
        })
        .map(|(key, _, operation)| (key, operation))
}
