//! Evaluating macros and keyed look-ups.

use std::sync::Arc;

use model::value::{List, Record, Value};

use crate::data::DatasetView;
use crate::error::Fault;
use crate::eval::{Eval, Frame, Frames};
use crate::evalops::worse;
use crate::ir::{Fold, FoldKind, Node, Range};
use crate::ops;
use crate::outcome::Missing;
use crate::trace::{Step, Trace};
use crate::types::Ty;
use crate::val::{self, V};

/// The elements of a fold.
enum Items<'a> {
    List(V<'a>, usize),
    Keys(V<'a>, usize),
    /// All records of a dataset.
    Records(usize, &'a [Record]),
    /// The records that an index gives for a value, then those that it cannot place.
    Picked(usize, &'a [Record], &'a [u32], &'a [u32]),
}

impl<'a> Items<'a> {
    const fn len(&self) -> usize {
        match self {
            Self::List(_, len) | Self::Keys(_, len) => *len,
            Self::Records(_, records) => records.len(),
            Self::Picked(_, _, hits, unplaced) => hits.len() + unplaced.len(),
        }
    }

    /// An element, and its position in the dataset where it is a record.
    fn get(&self, turn: usize) -> (V<'a>, usize) {
        match self {
            Self::List(list, _) => (val::item(list, turn).unwrap_or(V::Unknown), turn),
            Self::Keys(map, _) => (key(map, turn), turn),
            Self::Records(_, records) => (records.get(turn).map_or(V::Unknown, V::Record), turn),
            Self::Picked(_, records, hits, unplaced) => {
                let at = hits.get(turn).or_else(|| unplaced.get(turn - hits.len()));
                let at = at.map_or(usize::MAX, |at| *at as usize);
                (records.get(at).map_or(V::Unknown, V::Record), at)
            }
        }
    }
}

fn key<'a>(map: &V<'a>, at: usize) -> V<'a> {
    match map {
        V::Map(map) => map.get(at).map_or(V::Unknown, |(key, _)| V::Str(key)),
        V::OwnMap(map) => map.get(at).map_or(V::Unknown, |(key, _)| V::Text(Arc::clone(key))),
        _ => V::Unknown,
    }
}

impl<'a, T: Trace> Eval<'a, T> {
    fn view(&self, dataset: usize) -> Option<&'a DatasetView<'a>> {
        self.bound.datasets.get(dataset).copied().flatten()
    }

    pub(crate) fn fold(&mut self, fold: &'a Fold, frames: Frames<'_, 'a, T>) -> V<'a> {
        match &fold.range {
            Range::Value(node) => {
                let start = self.trace.mark();
                let (range, origin) = self.access(node, frames);
                let (items, complete) = match (range.list(), range.map()) {
                    (Some(list), _) => {
                        let (len, complete) = (list.items.len(), list.complete);
                        (Items::List(range.clone(), len), complete)
                    }
                    (_, Some(map)) => {
                        let len = map.len();
                        (Items::Keys(range.clone(), len), true)
                    }
                    _ => {
                        self.used(&origin, &range, node);
                        return self.unfit_since(range, node.span, start);
                    }
                };
                // What the range was computed from stays noted; the range itself is noted when all of it was considered.
                let turns = self.trace.mark();
                let answer = self.turns(fold, &items, &origin, frames, turns);
                match answer {
                    Turns::Decided(value) => value,
                    Turns::Exhausted(value) => {
                        if complete {
                            self.used(&origin, &range, node);
                        } else {
                            self.trace.missing(&origin, Missing::IncompleteList);
                        }
                        self.exhausted(value, complete, start)
                    }
                }
            }
            Range::Dataset(at, lookup) => self.fold_dataset(fold, *at, lookup.as_ref(), frames),
        }
    }

    fn fold_dataset(
        &mut self,
        fold: &'a Fold,
        at: usize,
        lookup: Option<&'a (usize, Node)>,
        frames: Frames<'_, 'a, T>,
    ) -> V<'a> {
        let start = self.trace.mark();
        let view = self.view(at);
        let records = view.map_or(&[][..], |view| view.records);
        let mut items = Items::Records(at, records);
        if let (Some(view), Some((field, wanted))) = (view, lookup) {
            let wanted = self.eval(wanted, frames);
            // Without a known value to look up, every record has to be asked.
            if let Some((hits, unplaced)) = view.index(*field).and_then(|index| index.find(&wanted)) {
                items = Items::Picked(at, records, hits, unplaced);
            }
            if !matches!(items, Items::Picked(..)) {
                let end = self.trace.mark();
                self.trace.forget(start, end);
            }
        }
        let origin = T::at(|| self.dataset_place(at, None));
        let turns = self.trace.mark();
        match self.turns(fold, &items, &origin, frames, turns) {
            Turns::Decided(value) => value,
            Turns::Exhausted(value) => {
                let complete = self.note_incomplete(at);
                if complete {
                    self.note_whole(at);
                }
                self.exhausted(value, complete, start)
            }
        }
    }

    /// The result when every element that is there was considered.
    fn exhausted(&mut self, value: V<'a>, complete: bool, start: crate::trace::Mark) -> V<'a> {
        if !complete || matches!(value, V::Unknown) {
            self.trace.unknown(start);
            return V::Unknown;
        }
        value
    }

    /// Asks the elements one by one.
    fn turns(
        &mut self,
        fold: &'a Fold,
        items: &Items<'a>,
        range: &T::Origin,
        frames: Frames<'_, 'a, T>,
        start: crate::trace::Mark,
    ) -> Turns<'a> {
        let mut undecided: Option<V<'a>> = None;
        let mut count = 0u64;
        let mut built = Vec::new();
        for turn in 0..items.len() {
            if !self.spend(fold.cost) {
                return Turns::Decided(V::error(Fault::TooManySteps, fold.condition.span));
            }
            let element = self.trace.mark();
            let (value, position) = items.get(turn);
            let origin = match items {
                Items::List(..) => T::child(range.clone(), Step::Item(position)),
                // The key of an entry has no place of its own.
                Items::Keys(..) => T::nowhere(),
                Items::Records(at, _) | Items::Picked(at, ..) => {
                    T::at(|| self.dataset_place(*at, Some(position)))
                }
            };
            let frame = Frame { value, origin, outer: frames };
            let quick = self.quick(&fold.condition, Some(&frame));
            let condition = quick.map_or_else(|| self.eval(&fold.condition, Some(&frame)), V::Bool);
            let next = match (fold.kind, condition) {
                (FoldKind::Exists, V::Bool(true)) | (FoldKind::All, V::Bool(false)) => {
                    self.trace.forget(start, element);
                    if T::ON {
                        self.note_element(fold, items, range, &frame, start);
                    }
                    return Turns::Decided(V::Bool(fold.kind == FoldKind::Exists));
                }
                (FoldKind::ExistsOne, V::Bool(true)) => {
                    count += 1;
                    None
                }
                (FoldKind::Filter, V::Bool(true)) => self.keep(&mut built, frame.value.clone()),
                (FoldKind::Map, V::Bool(true)) => match &fold.result {
                    Some(result) => match self.element(result, Some(&frame)) {
                        Ok(value) => self.keep(&mut built, value),
                        Err(undecided) => Some(undecided),
                    },
                    None => None,
                },
                (_, V::Bool(_)) => None,
                (_, other) => Some(self.unfit_since(other, fold.condition.span, element)),
            };
            if let Some(next) = next {
                undecided = Some(worse(undecided, next));
            }
            self.trace.settle(start, element, range);
        }
        Turns::Exhausted(match (undecided, fold.kind) {
            (Some(undecided), _) => undecided,
            (None, FoldKind::Exists) => V::Bool(false),
            (None, FoldKind::All) => V::Bool(true),
            (None, FoldKind::ExistsOne) => V::Bool(count == 1),
            (None, FoldKind::Filter | FoldKind::Map) => {
                V::OwnList(Arc::new(List { items: built, complete: true }))
            }
        })
    }

    /// Notes the element that decided, where its condition did not read it: that it exists is part of the evidence.
    fn note_element(
        &mut self,
        fold: &'a Fold,
        items: &Items<'a>,
        range: &T::Origin,
        frame: &Frame<'_, 'a, T>,
        start: crate::trace::Mark,
    ) {
        if let (Items::Keys(map, _), Some(key)) = (items, frame.value.text()) {
            if let Some(value) = val::entry(map, key).flatten() {
                let origin = T::child(range.clone(), Step::Key(key));
                self.trace.used(&origin, &value, &Ty::Any);
            }
        } else if !self.trace.touched(start, &frame.origin) {
            match (items, &frame.value) {
                // That there is an element is known from the list, even where its value is not.
                (Items::List(list, _), V::Unknown) => {
                    self.trace.used(range, list, &Ty::List(Box::new(fold.element.clone())));
                }
                (_, value) => self.trace.used(&frame.origin, value, &fold.element),
            }
        }
    }

    /// Adds to the list that `filter` and `map` build; an error is handed back. An element may be unknown.
    fn keep(&mut self, built: &mut Vec<Value>, value: V<'a>) -> Option<V<'a>> {
        self.spend(4);
        match value {
            V::Error(..) => Some(value),
            value => {
                built.extend(value.into_value());
                None
            }
        }
    }

    /// The record of a dataset by its key, null when there is none.
    pub(crate) fn get(
        &mut self,
        at: usize,
        field: usize,
        key: &'a Node,
        frames: Frames<'_, 'a, T>,
    ) -> (V<'a>, T::Origin) {
        let start = self.trace.mark();
        let wanted = self.eval(key, frames);
        match wanted {
            V::Unknown | V::Error(..) => return (wanted, T::nowhere()),
            // Absence identifies no record, however much of the dataset was read.
            V::Null => return (V::Null, T::nowhere()),
            _ => {}
        }
        let found = self.view(at).and_then(|view| {
            let (hits, unplaced) = view.index(field)?.find(&wanted)?;
            let has = |at: &&u32| {
                let value = view.records.get(**at as usize).and_then(|record| record.values.get(field));
                value.is_some_and(|value| ops::equal(&V::of(value), &wanted) == Some(true))
            };
            Some((view, hits.iter().find(has).copied(), unplaced.first().copied()))
        });
        let unplaced = match found {
            Some((view, Some(hit), _)) => {
                let hit = hit as usize;
                let record = view.records.get(hit).map_or(V::Unknown, V::Record);
                return (record, T::at(|| self.dataset_place(at, Some(hit))));
            }
            Some((_, None, unplaced)) => unplaced,
            None => None,
        };
        let complete = self.note_incomplete(at);
        if let Some(record) = unplaced {
            // This record's key is unknown: it may be the one.
            let slot = &self.bound.program.datasets[at];
            let name = slot.shape.fields.get(field).map_or("", |f| f.name.as_str());
            let origin = T::child(T::at(|| self.dataset_place(at, Some(record as usize))), Step::Field(name));
            self.trace.missing(&origin, Missing::Unknown);
        }
        if !complete || unplaced.is_some() {
            self.trace.unknown(start);
            return (V::Unknown, T::nowhere());
        }
        self.note_whole(at);
        (V::Null, T::nowhere())
    }
}

/// How the turns of a fold ended.
enum Turns<'a> {
    /// One element decided.
    Decided(V<'a>),
    /// All were asked.
    Exhausted(V<'a>),
}
