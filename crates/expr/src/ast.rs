//! The parsed form of an expression, names unresolved.

use std::sync::Arc;

use crate::error::Span;

/// An expression and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
    /// Levels of nesting below and including this one.
    pub(crate) depth: usize,
}

/// The forms of expressions.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Arc<str>),
    /// A bare name.
    Ident(Arc<str>),
    /// `base.field`
    Select(Box<Expr>, Name),
    /// `base[index]`
    Index(Box<Expr>, Box<Expr>),
    /// `function(...)` or `target.function(...)`, macros included.
    Call(Option<Box<Expr>>, Name, Vec<Expr>),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    Neg(Box<Expr>),
    /// Two or more operands of `&&`.
    And(Vec<Expr>),
    /// Two or more operands of `||`.
    Or(Vec<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `condition ? a : b`
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
}

/// A name and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) text: Arc<str>,
    pub(crate) span: Span,
}

/// Operators with two operands, apart from `&&` and `||`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// The operator as it is written.
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

impl Expr {
    /// The parts directly below.
    pub(crate) fn parts(&self) -> Vec<&Self> {
        match &self.kind {
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Double(_) | Kind::Text(_) | Kind::Ident(_) => {
                vec![]
            }
            Kind::Select(a, _) | Kind::Not(a) | Kind::Neg(a) => vec![a],
            Kind::Index(a, b) | Kind::Binary(_, a, b) => vec![a, b],
            Kind::Choice(a, b, c) => vec![a, b, c],
            Kind::List(parts) | Kind::And(parts) | Kind::Or(parts) => parts.iter().collect(),
            Kind::Map(entries) => entries.iter().flat_map(|(k, v)| [k, v]).collect(),
            Kind::Call(target, _, args) => target.iter().map(AsRef::as_ref).chain(args).collect(),
        }
    }

    /// Whether the name occurs anywhere inside as a bare name. May be true for a name that a macro inside declares anew.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        matches!(&self.kind, Kind::Ident(ident) if &**ident == name)
            || self.parts().iter().any(|p| p.mentions(name))
    }
}
