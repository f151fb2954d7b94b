//! What an evaluation notes down about the fields it used.
//!
//! The notes form a log. Each part of an expression appends the fields that its result rests on; a part that combines
//! others cuts away the notes of those that made no difference. What is left at the end decided the result.

use std::fmt::Write as _;

use model::value::{Type, Value};

use crate::limits;
use crate::outcome::{FieldUse, Missing, Place, UnknownUse};
use crate::types::Ty;
use crate::val::V;

/// A position in the log.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mark {
    len: usize,
    left: Left,
}

/// Notes that a macro over many elements did not keep.
#[derive(Debug, Clone, Copy, Default)]
struct Left {
    known: usize,
    missing: usize,
}

/// Whether and how an evaluation is traced. [`Untraced`] compiles to nothing.
pub(crate) trait Trace {
    /// Whether there is a log: guards work that only serves it.
    const ON: bool;
    /// Where a value comes from; nothing for computed values, whose parts are in the log already.
    type Origin: Clone;

    fn nowhere() -> Self::Origin;
    fn at(place: impl FnOnce() -> Place) -> Self::Origin;
    fn child(origin: Self::Origin, step: Step<'_>) -> Self::Origin;

    /// Whether the origin is a place of the inputs.
    fn is_place(origin: &Self::Origin) -> bool;

    fn mark(&self) -> Mark;
    /// A value was used as a whole.
    fn used(&mut self, origin: &Self::Origin, value: &V<'_>, ty: &Ty);
    /// Something was missing.
    fn missing(&mut self, origin: &Self::Origin, why: Missing);
    /// Forgets what lies between two marks.
    fn forget(&mut self, from: Mark, to: Mark);
    /// The result since the mark is unknown: keeps only what was missing.
    fn unknown(&mut self, since: Mark);
    /// Null gave an error: the fields since the mark that are null are what was missing.
    fn null(&mut self, since: Mark);
    /// An element of a macro did not decide: of the notes since `element`, keeps those that the range as a whole does not
    /// stand for, up to a bound.
    fn settle(&mut self, start: Mark, element: Mark, range: &Self::Origin);
    /// Whether something inside a place was noted since the mark.
    fn touched(&self, since: Mark, origin: &Self::Origin) -> bool;
}

/// One step into a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'s> {
    Field(&'s str),
    Key(&'s str),
    Item(usize),
}

/// No log.
#[derive(Debug, Default)]
pub(crate) struct Untraced;

impl Trace for Untraced {
    const ON: bool = false;
    /// Only whether there is one.
    type Origin = bool;

    #[inline]
    fn nowhere() -> bool {
        false
    }
    #[inline]
    fn at(_: impl FnOnce() -> Place) -> bool {
        true
    }
    #[inline]
    fn child(origin: bool, _: Step<'_>) -> bool {
        origin
    }
    #[inline]
    fn is_place(origin: &bool) -> bool {
        *origin
    }
    #[inline]
    fn mark(&self) -> Mark {
        Mark::default()
    }
    #[inline]
    fn used(&mut self, _: &bool, _: &V<'_>, _: &Ty) {}
    #[inline]
    fn missing(&mut self, _: &bool, _: Missing) {}
    #[inline]
    fn forget(&mut self, _: Mark, _: Mark) {}
    #[inline]
    fn unknown(&mut self, _: Mark) {}
    #[inline]
    fn null(&mut self, _: Mark) {}
    #[inline]
    fn settle(&mut self, _: Mark, _: Mark, _: &bool) {}
    #[inline]
    fn touched(&self, _: Mark, _: &bool) -> bool {
        true
    }
}

/// The log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    notes: Vec<Note>,
    left: Left,
}

#[derive(Debug, Clone, PartialEq)]
struct Note {
    place: Place,
    value: Value,
    ty: Option<Type>,
    missing: Option<Missing>,
}

/// How many notes a macro keeps of all its elements together: enough to fill the evidence after repetitions are gone.
const KEPT: usize = 2 * limits::EVIDENCE;

impl Log {
    /// The fields that decided, those that were missing, and how many of each are left out.
    pub(crate) fn finish(self) -> (Vec<FieldUse>, Vec<UnknownUse>, [usize; 2]) {
        let (mut decided, mut unknown) = (Vec::<FieldUse>::new(), Vec::<UnknownUse>::new());
        for note in self.notes {
            match note.missing {
                Some(why) => {
                    if !unknown.iter().any(|u| u.place == note.place) {
                        unknown.push(UnknownUse { place: note.place, why });
                    }
                }
                None => {
                    if !decided.iter().any(|d| d.place == note.place) {
                        decided.push(FieldUse { place: note.place, value: note.value, kind: note.ty });
                    }
                }
            }
        }
        let over = |len: usize| len.saturating_sub(limits::EVIDENCE);
        let left = [self.left.known + over(decided.len()), self.left.missing + over(unknown.len())];
        decided.truncate(limits::EVIDENCE);
        unknown.truncate(limits::EVIDENCE);
        (decided, unknown, left)
    }

    /// Cuts the notes since a mark down to those wanted.
    fn retain(&mut self, since: Mark, mut wanted: impl FnMut(&Note) -> bool) {
        let tail = self.notes.split_off(since.len);
        self.notes.extend(tail.into_iter().filter(|note| wanted(note)));
    }
}

impl Trace for Log {
    const ON: bool = true;
    type Origin = Option<Place>;

    fn nowhere() -> Option<Place> {
        None
    }

    fn at(place: impl FnOnce() -> Place) -> Option<Place> {
        Some(place())
    }

    fn is_place(origin: &Option<Place>) -> bool {
        origin.is_some()
    }

    fn child(origin: Option<Place>, step: Step<'_>) -> Option<Place> {
        let mut place = origin?;
        let path = &mut place.path;
        // Writing to a string cannot fail.
        let _ = match step {
            Step::Field(name) if path.is_empty() => write!(path, "{name}"),
            Step::Field(name) => write!(path, ".{name}"),
            Step::Key(key) => write!(path, "[{key:?}]"),
            Step::Item(at) => write!(path, "[{at}]"),
        };
        Some(place)
    }

    fn mark(&self) -> Mark {
        Mark { len: self.notes.len(), left: self.left }
    }

    fn used(&mut self, origin: &Option<Place>, value: &V<'_>, ty: &Ty) {
        let Some(place) = origin else { return };
        // A whole record of a dataset is evidence by its key, not by all of its fields.
        let (value, ty) = match (&place.record, value) {
            (Some(record), V::Record(_)) if place.path.is_empty() => {
                let at = Value::Int(i64::try_from(record.index).unwrap_or(i64::MAX));
                (Some(record.key.clone().filter(|key| !key.is_unknown()).unwrap_or(at)), None)
            }
            _ => (value.clone().into_value(), ty.field_type()),
        };
        let Some(value) = value else { return };
        let ty = ty.or_else(|| scalar_type(&value));
        let missing = value.is_unknown().then_some(Missing::Unknown);
        self.notes.push(Note { place: place.clone(), value, ty, missing });
    }

    fn missing(&mut self, origin: &Option<Place>, why: Missing) {
        let Some(place) = origin else { return };
        self.notes.push(Note { place: place.clone(), value: Value::Unknown, ty: None, missing: Some(why) });
    }

    fn forget(&mut self, from: Mark, to: Mark) {
        self.notes.drain(from.len..to.len);
        self.left.known -= to.left.known - from.left.known;
        self.left.missing -= to.left.missing - from.left.missing;
    }

    fn unknown(&mut self, since: Mark) {
        let tail = &mut self.notes[since.len..];
        if tail.iter().all(|note| note.missing.is_none()) {
            // Nothing is unknown itself, so something is unknown inside one of the values.
            for note in tail.iter_mut() {
                note.missing = hidden(&note.value);
            }
        }
        if self.left.missing == since.left.missing
            && self.notes[since.len..].iter().all(|n| n.missing.is_none())
        {
            for note in &mut self.notes[since.len..] {
                note.missing = Some(Missing::Unknown);
            }
        }
        self.retain(since, |note| note.missing.is_some());
        self.left.known = since.left.known;
    }

    fn null(&mut self, since: Mark) {
        for note in &mut self.notes[since.len..] {
            if note.missing.is_none() && note.value == Value::Null {
                note.missing = Some(Missing::Null);
            }
        }
    }

    fn settle(&mut self, start: Mark, element: Mark, range: &Option<Place>) {
        let tail = self.notes.split_off(element.len);
        for note in tail {
            let stood_for =
                note.missing.is_none() && range.as_ref().is_some_and(|range| inside(range, &note.place));
            if stood_for
                || self.notes[start.len..].iter().any(|n| n.place == note.place && n.missing == note.missing)
            {
                continue;
            }
            if self.notes.len() - start.len < KEPT {
                self.notes.push(note);
            } else if note.missing.is_some() {
                self.left.missing += 1;
            } else {
                self.left.known += 1;
            }
        }
    }

    fn touched(&self, since: Mark, origin: &Option<Place>) -> bool {
        origin
            .as_ref()
            .is_none_or(|origin| self.notes[since.len..].iter().any(|note| inside(origin, &note.place)))
    }
}

/// The type of a value that shows it.
fn scalar_type(value: &Value) -> Option<Type> {
    Some(match value {
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Double(_) => Type::Double,
        Value::String(_) => Type::String,
        Value::Timestamp(_) => Type::Timestamp,
        Value::Duration(_) => Type::Duration,
        _ => return None,
    })
}

/// What is unknown inside a value.
fn hidden(value: &Value) -> Option<Missing> {
    match value {
        Value::Unknown => Some(Missing::Unknown),
        Value::List(list) if !list.complete => Some(Missing::IncompleteList),
        Value::List(list) => list.items.iter().find_map(hidden),
        Value::Object(record) => record.values.iter().find_map(hidden),
        Value::Map(map) => map.iter().find_map(|(_, value)| hidden(value)),
        _ => None,
    }
}

/// Whether a place is part of the dataset or list that `range` is.
fn inside(range: &Place, place: &Place) -> bool {
    if range.dataset != place.dataset {
        return false;
    }
    match &range.record {
        None if range.dataset.is_some() => true,
        record => *record == place.record && place.path.starts_with(&range.path),
    }
}
