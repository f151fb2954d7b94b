//! Whether an answer leans on a bound: on an instant before which the truth may lie.
//!
//! Of what was seen first at `x` it is known that it is at least as old as `x` says. So `now - x > n` can be believed when
//! it is true and says nothing when it is false: the thing may be older all the same. [`Program::leans`] follows both
//! answers of every part of an expression up to the whole, and tells where one that says nothing would decide it.

use std::sync::Arc;

use model::value::{Shape, Value};

use crate::ast::Operator;
use crate::error::Span;
use crate::ir::{Fold, FoldKind, Node, Op, Order, Range};
use crate::program::Program;
use crate::types::Ty;

/// A field that holds the latest instant that the true one can be.
#[derive(Debug, Clone)]
pub struct Bounding<'a> {
    /// The form of the records that have it. It is told from other forms by being the same [`Arc`].
    pub shape: &'a Arc<Shape>,
    /// The field.
    pub field: &'a str,
    /// Fields of the same records that hold the true instant, and are unknown where it is not known. Where one of them is
    /// known, the bound is that instant.
    pub exact: Vec<&'a str>,
    /// Whether the record that is asked about has this form: then its fields are named bare.
    pub is_record: bool,
}

impl Program {
    /// Where the field is read; `None` when it is not.
    #[must_use]
    pub fn reads(&self, field: &Bounding<'_>) -> Option<Span> {
        let all = Leaning::of(field, Whose::Other)?;
        find(&self.root, &mut |node| match &node.op {
            Op::Field(at, _) if field.is_record => (*at == all.at).then_some(node.span),
            Op::Select(base, at, _) if all.is_shape(&base.ty) => (*at == all.at).then_some(node.span),
            _ => all.mention_here(node),
        })
    }

    /// The part of a condition whose answer may be wrong for what is older than its bound, where that answer can decide the
    /// whole. `None`: every answer holds whatever the true instant is. It errs on the side of telling a part: the condition
    /// of a macro over such records must stand by itself, and what is looked up counts as not known exactly.
    #[must_use]
    pub fn leans(&self, field: &Bounding<'_>) -> Option<Span> {
        let whole = |whose| Leaning::of(field, whose)?.answers(&self.root).leaning();
        let each = |node: &Node| {
            let Op::Fold(fold) = &node.op else { return None };
            let each = Leaning::of(field, Whose::Variable(0)).filter(|each| each.is_shape(&fold.element))?;
            let made = fold.result.as_ref().and_then(|made| each.mention(made));
            each.answers(&fold.condition).leaning().or(made)
        };
        whole(Whose::Record).or_else(|| whole(Whose::Other)).or_else(|| find(&self.root, &mut { each }))
    }
}

/// The first place that is found in a tree, from above.
fn find(node: &Node, look: &mut impl FnMut(&Node) -> Option<Span>) -> Option<Span> {
    look(node).or_else(|| node.parts().into_iter().find_map(|part| find(part, look)))
}

/// Whose bound is followed: that another record's instant is known says nothing of this one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Whose {
    /// That of the record that is asked about.
    Record,
    /// That of a macro's variable, counted from the innermost.
    Variable(usize),
    /// Those of records that are looked up.
    Other,
}

/// On what an answer of a part rests, where the true instant is not known.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ground {
    /// It is never given.
    Never,
    /// It holds whatever the true instant is.
    Holds,
    /// It would be another for some true instant.
    Leans(Span),
}

impl Ground {
    /// Either gives the answer.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Leans(span), _) | (_, Self::Leans(span)) => Self::Leans(span),
            (Self::Holds, _) | (_, Self::Holds) => Self::Holds,
            (Self::Never, Self::Never) => Self::Never,
        }
    }

    /// Both are needed for the answer.
    fn and(self, other: Self) -> Self {
        if self == Self::Never || other == Self::Never { Self::Never } else { self.or(other) }
    }
}

/// Both answers of a condition.
#[derive(Debug, Clone, Copy)]
struct Answers {
    yes: Ground,
    no: Ground,
}

impl Answers {
    const HOLD: Self = Self { yes: Ground::Holds, no: Ground::Holds };
    const NEVER: Self = Self { yes: Ground::Never, no: Ground::Never };

    const fn lean(span: Span) -> Self {
        Self { yes: Ground::Leans(span), no: Ground::Leans(span) }
    }

    const fn not(self) -> Self {
        Self { yes: self.no, no: self.yes }
    }

    fn leaning(self) -> Option<Span> {
        match self.yes.or(self.no) {
            Ground::Leans(span) => Some(span),
            Ground::Never | Ground::Holds => None,
        }
    }
}

/// How a value that is worked out lies to what it would be with the true instant.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    /// It is the same.
    Same,
    /// It is never less.
    Above,
    /// It is never more.
    Below,
    /// Nothing can be told.
    Odd,
}

impl Side {
    const fn turned(self) -> Self {
        match self {
            Self::Above => Self::Below,
            Self::Below => Self::Above,
            other => other,
        }
    }

    /// Of a sum.
    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Same, side) | (side, Self::Same) => side,
            (a, b) if a == b => a,
            _ => Self::Odd,
        }
    }
}

struct Leaning<'a> {
    shape: &'a Arc<Shape>,
    at: usize,
    exact: Vec<usize>,
    whose: Whose,
}

impl<'a> Leaning<'a> {
    /// `None` where nothing can read the field.
    fn of(field: &Bounding<'a>, whose: Whose) -> Option<Self> {
        let at = |name: &str| field.shape.field(name).map(|(at, _)| at);
        let exact = field.exact.iter().filter_map(|name| at(name)).collect();
        let asked = whose != Whose::Record || field.is_record;
        Some(Self { shape: field.shape, at: at(field.field).filter(|_| asked)?, exact, whose })
    }

    /// The same, for the parts inside of a macro.
    fn inside(&self) -> Self {
        let whose = match self.whose {
            Whose::Variable(n) => Whose::Variable(n + 1),
            other => other,
        };
        Self { exact: self.exact.clone(), whose, ..*self }
    }

    /// The position of the field that a node is, where it is one of the record that is followed.
    fn field(&self, node: &Node) -> Option<usize> {
        match (&node.op, self.whose) {
            (Op::Field(at, _), Whose::Record) => Some(*at),
            (Op::Select(base, at, _), whose) if self.is_shape(&base.ty) => match (&base.op, whose) {
                (Op::Local(variable), Whose::Variable(n)) => (*variable == n).then_some(*at),
                (Op::Local(_), _) => None,
                (_, Whose::Other) => Some(*at),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_shape(&self, ty: &Ty) -> bool {
        matches!(ty, Ty::Object(shape) if Arc::ptr_eq(shape, self.shape))
    }

    /// Whether values of a type hold such records whole.
    fn holds_shape(&self, ty: &Ty) -> bool {
        match ty {
            Ty::List(inner) | Ty::Map(inner) => self.holds_shape(inner),
            ty => self.is_shape(ty),
        }
    }

    /// Where the bound is read in a part.
    fn mention(&self, node: &Node) -> Option<Span> {
        if let Some(span) = self.mention_here(node) {
            return Some(span);
        }
        let Op::Fold(fold) = &node.op else {
            return node.parts().into_iter().find_map(|part| self.mention(part));
        };
        let range = self.ranged(fold);
        let inside = self.inside();
        let mut each = [Some(&fold.condition), fold.result.as_ref()].into_iter().flatten();
        range.or_else(|| each.find_map(|part| inside.mention(part)))
    }

    fn mention_here(&self, node: &Node) -> Option<Span> {
        if self.field(node) == Some(self.at) {
            return Some(node.span);
        }
        // Comparing whole records compares the bound as well.
        let (Op::Equal(pair, _) | Op::In(pair)) = &node.op else { return None };
        let whole = pair.iter().any(|part| self.holds_shape(&part.ty))
            && !pair.iter().any(|part| part.ty == Ty::Null);
        (self.whose == Whose::Other && whole).then_some(node.span)
    }

    /// Where the bound is read in what a macro runs over.
    fn ranged(&self, fold: &Fold) -> Option<Span> {
        match &fold.range {
            Range::Value(range) => self.mention(range),
            Range::Dataset(_, key) => key.as_ref().and_then(|(_, key)| self.mention(key)),
        }
    }

    fn answers(&self, node: &Node) -> Answers {
        match &node.op {
            Op::Const(Value::Bool(true)) => Answers { yes: Ground::Holds, no: Ground::Never },
            Op::Const(Value::Bool(false)) => Answers { yes: Ground::Never, no: Ground::Holds },
            Op::Not(inner) => self.answers(inner).not(),
            Op::And(parts) => self.all(parts),
            // Not all are false.
            Op::Or(parts) => {
                let parts = parts.iter().map(|part| self.answers(part).not());
                Self::conjunction(parts).not()
            }
            Op::Choice(parts) => {
                let [condition, yes, no] = &**parts;
                let [condition, yes, no] = [condition, yes, no].map(|part| self.answers(part));
                Answers {
                    yes: condition.yes.and(yes.yes).or(condition.no.and(no.yes)),
                    no: condition.yes.and(yes.no).or(condition.no.and(no.no)),
                }
            }
            Op::Order(order, pair) => self.order(node, *order, &pair[0], &pair[1]),
            Op::Fold(fold) => self.fold(node, fold),
            _ if self.needs_exact(node) => Answers::NEVER,
            _ => self.mention(node).map_or(Answers::HOLD, Answers::lean),
        }
    }

    fn all(&self, parts: &[Node]) -> Answers {
        Self::conjunction(parts.iter().map(|part| self.answers(part)))
    }

    fn conjunction(parts: impl Iterator<Item = Answers>) -> Answers {
        let whole = Answers { yes: Ground::Holds, no: Ground::Never };
        parts.fold(whole, |all, part| Answers { yes: all.yes.and(part.yes), no: all.no.or(part.no) })
    }

    fn order(&self, node: &Node, order: Order, left: &Node, right: &Node) -> Answers {
        if self.needs_exact(node) {
            return Answers::NEVER;
        }
        let lean = Ground::Leans(node.span);
        // Of the difference, which the ordering asks whether it is less or more than nothing.
        match (self.side(left).plus(self.side(right).turned()), order) {
            (Side::Same, _) => Answers::HOLD,
            (Side::Below, Order::Greater | Order::GreaterEqual)
            | (Side::Above, Order::Less | Order::LessEqual) => Answers { yes: Ground::Holds, no: lean },
            (Side::Above, Order::Greater | Order::GreaterEqual)
            | (Side::Below, Order::Less | Order::LessEqual) => Answers { yes: lean, no: Ground::Holds },
            (Side::Odd, _) => Answers::lean(node.span),
        }
    }

    /// How an instant or a length of time lies to the true one.
    fn side(&self, node: &Node) -> Side {
        if self.field(node) == Some(self.at) {
            return Side::Above;
        }
        match &node.op {
            Op::Arith(Operator::Add, pair) => self.side(&pair[0]).plus(self.side(&pair[1])),
            Op::Arith(Operator::Subtract, pair) => self.side(&pair[0]).plus(self.side(&pair[1]).turned()),
            Op::Choice(parts) if self.mention(&parts[0]).is_none() => {
                self.side(&parts[1]).plus(self.side(&parts[2]))
            }
            _ if self.mention(node).is_some() => Side::Odd,
            _ => Side::Same,
        }
    }

    fn fold(&self, node: &Node, fold: &Fold) -> Answers {
        if self.ranged(fold).is_some() {
            return Answers::lean(node.span);
        }
        let each = self.inside().answers(&fold.condition);
        match fold.kind {
            // Where there is nothing to ask, none does and all do.
            FoldKind::Exists => Answers { yes: each.yes, no: each.no.or(Ground::Holds) },
            FoldKind::All => Answers { yes: each.yes.or(Ground::Holds), no: each.no },
            FoldKind::ExistsOne | FoldKind::Filter | FoldKind::Map => {
                self.mention(node).map_or(Answers::HOLD, Answers::lean)
            }
        }
    }

    /// Whether a part has no answer where the true instant is not known: a comparison or a sum with it.
    fn needs_exact(&self, node: &Node) -> bool {
        if self.whose != Whose::Other && self.field(node).is_some_and(|at| self.exact.contains(&at)) {
            return true;
        }
        match &node.op {
            Op::Order(_, pair) => pair.iter().any(|part| self.needs_exact(part)),
            Op::Arith(Operator::Add | Operator::Subtract, pair)
                if matches!(node.ty, Ty::Timestamp | Ty::Duration) =>
            {
                pair.iter().any(|part| self.needs_exact(part))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
#[path = "leaning_tests.rs"]
mod tests;
