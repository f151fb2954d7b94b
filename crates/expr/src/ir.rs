//! The compiled form: names resolved to slots, macros to folds, patterns to automata.

use std::sync::Arc;

use model::value::Value;
use regex::Regex;

use crate::ast::Operator;
use crate::error::Span;
use crate::func::Func;
use crate::types::Ty;

/// A compiled expression.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) span: Span,
    pub(crate) ty: Ty,
}

/// What a node does.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Const(Value),
    Now,
    /// A field of the record, by position; the name is for the evidence.
    Field(usize, Arc<str>),
    /// A parameter, by position in the program's list; the name, `params.x`, is for the evidence.
    Param(usize, Arc<str>),
    /// The variable of an enclosing macro, counted from the innermost.
    Local(usize),
    /// A field of an object, by position; the name is for the evidence.
    Select(Box<Node>, usize, Arc<str>),
    /// An entry of a map by a key known at load.
    Key(Box<Node>, Arc<str>),
    /// A position of a list or an entry of a map.
    Index(Box<[Node; 2]>),
    /// Whether a field of an object is neither absent nor in an absent object.
    HasField(Box<Node>, usize, Arc<str>),
    /// Whether a map has a key.
    HasKey(Box<Node>, Arc<str>),
    Not(Box<Node>),
    Neg(Box<Node>),
    And(Box<[Node]>),
    Or(Box<[Node]>),
    Choice(Box<[Node; 3]>),
    /// `==`, or `!=` when negated.
    Equal(Box<[Node; 2]>, bool),
    Order(Order, Box<[Node; 2]>),
    In(Box<[Node; 2]>),
    Arith(Operator, Box<[Node; 2]>),
    Call(Func, Box<[Node]>),
    Matches(Box<Node>, Regex),
    List(Box<[Node]>),
    Map(Box<[(Node, Node)]>),
    Fold(Box<Fold>),
    /// Number of records of a dataset, by position in the program's list.
    DatasetSize(usize),
    /// The record of a dataset with a key, or null.
    DatasetGet(usize, usize, Box<Node>),
}

/// The orderings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// A macro over the elements of a list, the keys of a map, or the records of a dataset.
#[derive(Debug, Clone)]
pub(crate) struct Fold {
    pub(crate) kind: FoldKind,
    pub(crate) range: Range,
    /// The type of an element.
    pub(crate) element: Ty,
    /// What is asked of each element. For `map` without a condition: the constant true.
    pub(crate) condition: Node,
    /// What `map` makes of each element.
    pub(crate) result: Option<Node>,
    /// Steps of one turn.
    pub(crate) cost: u64,
}

/// What a fold runs over.
#[derive(Debug, Clone)]
pub(crate) enum Range {
    /// A list or map.
    Value(Node),
    /// A dataset, and if the condition needs a field to equal or to contain something, that field and that something: only the
    /// records which the index gives for it (and those whose field is unknown) can meet the condition.
    Dataset(usize, Option<(usize, Node)>),
}

/// The macros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoldKind {
    Exists,
    ExistsOne,
    All,
    Filter,
    Map,
}

impl Node {
    /// The nodes directly below, those inside of macros among them.
    pub(crate) fn parts(&self) -> Vec<&Self> {
        match &self.op {
            Op::Const(_) | Op::Now | Op::Field(..) | Op::Param(..) | Op::Local(_) | Op::DatasetSize(_) => {
                Vec::new()
            }
            Op::Select(a, ..)
            | Op::Key(a, _)
            | Op::HasField(a, ..)
            | Op::HasKey(a, _)
            | Op::Not(a)
            | Op::Neg(a)
            | Op::Matches(a, _)
            | Op::DatasetGet(_, _, a) => vec![a],
            Op::Index(ab) | Op::Equal(ab, _) | Op::Order(_, ab) | Op::In(ab) | Op::Arith(_, ab) => {
                ab.iter().collect()
            }
            Op::Choice(abc) => abc.iter().collect(),
            Op::And(parts) | Op::Or(parts) | Op::Call(_, parts) | Op::List(parts) => parts.iter().collect(),
            Op::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Op::Fold(fold) => {
                let range = match &fold.range {
                    Range::Value(range) => Some(range),
                    Range::Dataset(_, key) => key.as_ref().map(|(_, key)| key),
                };
                range.into_iter().chain([&fold.condition]).chain(&fold.result).collect()
            }
        }
    }

    /// Number of nodes, this one included; the right sides of macros count once.
    pub(crate) fn weight(&self) -> u64 {
        let sum = |nodes: &[Self]| nodes.iter().map(Self::weight).sum::<u64>();
        1 + match &self.op {
            Op::Const(_) | Op::Now | Op::Field(..) | Op::Param(..) | Op::Local(_) | Op::DatasetSize(_) => 0,
            Op::Select(a, ..)
            | Op::Key(a, _)
            | Op::HasField(a, ..)
            | Op::HasKey(a, _)
            | Op::Not(a)
            | Op::Neg(a)
            | Op::Matches(a, _)
            | Op::DatasetGet(_, _, a) => a.weight(),
            Op::Index(ab) | Op::Equal(ab, _) | Op::Order(_, ab) | Op::In(ab) | Op::Arith(_, ab) => {
                sum(&ab[..])
            }
            Op::Choice(abc) => sum(&abc[..]),
            Op::And(parts) | Op::Or(parts) | Op::Call(_, parts) | Op::List(parts) => sum(parts),
            Op::Map(entries) => entries.iter().map(|(k, v)| k.weight() + v.weight()).sum(),
            Op::Fold(fold) => {
                fold.cost
                    + match &fold.range {
                        Range::Value(range) => range.weight(),
                        Range::Dataset(_, key) => key.as_ref().map_or(0, |(_, key)| key.weight()),
                    }
            }
        }
    }
}
