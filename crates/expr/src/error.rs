//! What can go wrong: at load ([`CompileError`]) and while evaluating ([`EvalError`]).

use std::fmt;

/// A range of byte offsets into the source, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

impl Span {
    /// The range from `start` up to, not including, `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The smallest range that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The piece of `source` that the range covers; empty when it does not fit the source.
    #[must_use]
    pub fn text(self, source: &str) -> &str {
        source.get(self.start..self.end).unwrap_or("")
    }

    /// Line and column of the start, both counted from 1, the column in characters.
    #[must_use]
    pub fn line_col(self, source: &str) -> (usize, usize) {
        let before = source.get(..self.start.min(source.len())).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// Why a source is not an expression of the language, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileError {
    /// What is wrong, without the place.
    pub message: String,
    /// Where, in bytes of the source.
    pub span: Span,
    /// What to write instead, where that can be told.
    pub hint: Option<String>,
}

impl CompileError {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { message: message.into(), span, hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Line and column of the error in the source it came from, both counted from 1.
    #[must_use]
    pub fn line_col(&self, source: &str) -> (usize, usize) {
        self.span.line_col(source)
    }
}

impl fmt::Display for CompileError {
    /// The message and the hint on one line; the place is the caller's to add, who knows the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}; {hint}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for CompileError {}

/// The kinds of evaluation error. Each makes a check inconclusive; none is ever taken for true or false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A value that is absent was ordered, computed with, or looked into.
    Null,
    /// A value of another type than the operation wants (only where the type was not known at load).
    WrongType,
    /// A result outside the range of its type.
    Overflow,
    /// Division or remainder by zero.
    DivisionByZero,
    /// A map has no such key.
    NoSuchKey,
    /// A list has no such position.
    OutOfRange,
    /// A text that does not have the form a conversion wants.
    BadText,
    /// The evaluation needed more than [`crate::limits::STEPS`].
    TooManySteps,
}

impl Fault {
    /// The kind in a few words, for a message that names the part before it: `... divides by zero`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Null => "is null",
            Self::WrongType => "has the wrong type",
            Self::Overflow => "is out of range",
            Self::DivisionByZero => "divides by zero",
            Self::NoSuchKey => "has no such key",
            Self::OutOfRange => "is beyond the end",
            Self::BadText => "does not have the form it needs",
            Self::TooManySteps => "takes too many steps",
        }
    }
}

/// An evaluation that gave no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvalError {
    /// The kind.
    pub fault: Fault,
    /// What happened, naming the part of the expression, e.g. ``"`last_active_at` is null"``.
    pub message: String,
    /// Where in the source.
    pub span: Span,
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EvalError {}
