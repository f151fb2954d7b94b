//! Tree to compiled form: resolves every name, gives every part a type, turns macros into folds.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::value::{Shape, Value};

use crate::ast::{Expr, Kind, Name, Operator};
use crate::env::{DatasetType, Env, Expected, RESERVED};
use crate::error::{CompileError, Span};
use crate::func::closest;
use crate::ir::{Fold, Node, Op, Order};
use crate::program::Uses;
use crate::types::Ty;

type Result<T> = std::result::Result<T, CompileError>;

/// What compiling gives besides the expression.
pub(crate) struct Compiled {
    pub(crate) root: Node,
    pub(crate) uses: Uses,
    /// The names behind the positions in [`Op::Param`].
    pub(crate) params: Vec<Arc<str>>,
    /// The datasets behind the positions in [`Op::DatasetGet`] and the like.
    pub(crate) datasets: Vec<DatasetSlot>,
}

/// A dataset that a program names.
#[derive(Debug, Clone)]
pub(crate) struct DatasetSlot {
    pub(crate) name: Arc<str>,
    pub(crate) shape: Arc<Shape>,
    pub(crate) key: Option<usize>,
}

/// A variable of a macro.
pub(crate) struct Variable {
    pub(crate) name: Arc<str>,
    pub(crate) ty: Ty,
    /// The dataset whose records it runs over.
    pub(crate) dataset: Option<usize>,
}

pub(crate) struct Compiler<'e> {
    pub(crate) env: &'e Env,
    pub(crate) scopes: Vec<Variable>,
    uses: Uses,
    params: Vec<Arc<str>>,
    datasets: Vec<DatasetSlot>,
}

/// Compiles a parsed expression.
pub(crate) fn check(expr: &Expr, env: &Env, expected: &Expected) -> Result<Compiled> {
    let mut compiler =
        Compiler { env, scopes: Vec::new(), uses: Uses::default(), params: Vec::new(), datasets: Vec::new() };
    let root = compiler.expr(expr)?;
    let wanted = match expected {
        Expected::Any => None,
        Expected::Bool => Some(Ty::Bool),
        Expected::Type(kind) => Some(Ty::of(kind)),
    };
    if let Some(wanted) = wanted
        && root.ty != wanted
        && !(env.dynamic && root.ty.is_any())
        && root.ty.join(&wanted).as_ref().is_none_or(|joined| *joined != wanted || root.ty == Ty::Null)
    {
        return Err(CompileError::new(expr.span, format!("the result is {}, not {wanted}", root.ty)));
    }
    Ok(Compiled { root, uses: compiler.uses, params: compiler.params, datasets: compiler.datasets })
}

impl Compiler<'_> {
    pub(crate) fn expr(&mut self, expr: &Expr) -> Result<Node> {
        let span = expr.span;
        let (op, ty) = match &expr.kind {
            Kind::Null => (Op::Const(Value::Null), Ty::Null),
            Kind::Bool(b) => (Op::Const(Value::Bool(*b)), Ty::Bool),
            Kind::Int(i) => (Op::Const(Value::Int(*i)), Ty::Int),
            Kind::Double(d) => (Op::Const(Value::Double(*d)), Ty::Double),
            Kind::Text(text) => (Op::Const(Value::String(Arc::clone(text))), Ty::String),
            Kind::Ident(name) => self.name(name, span)?,
            Kind::Select(base, name) => self.select(base, name)?,
            Kind::Index(base, index) => self.index(base, index)?,
            Kind::Call(target, name, args) => return self.call(expr, target.as_deref(), name, args),
            Kind::List(items) => self.list(items, span)?,
            Kind::Map(entries) => self.map_literal(entries)?,
            Kind::Not(inner) => (Op::Not(Box::new(self.bool(inner, "! is for")?)), Ty::Bool),
            Kind::Neg(inner) => self.negate(inner)?,
            Kind::And(parts) => (Op::And(self.bools(parts, "&& joins")?), Ty::Bool),
            Kind::Or(parts) => (Op::Or(self.bools(parts, "|| joins")?), Ty::Bool),
            Kind::Choice(condition, yes, no) => self.choice(condition, yes, no, span)?,
            Kind::Binary(operator, left, right) => self.binary(*operator, left, right, span)?,
        };
        Ok(Node { op, span, ty })
    }

    /// Whether a bare name means the environment: macro variables cannot have such a name.
    pub(crate) fn is_root(expr: &Expr, root: &str) -> bool {
        matches!(&expr.kind, Kind::Ident(name) if &**name == root)
    }

    fn name(&mut self, name: &Arc<str>, span: Span) -> Result<(Op, Ty)> {
        if let Some(at) = self.scopes.iter().rev().position(|v| v.name == *name) {
            let ty = self.scopes[self.scopes.len() - 1 - at].ty.clone();
            return Ok((Op::Local(at), ty));
        }
        match &**name {
            "now" => {
                self.uses.now = true;
                return Ok((Op::Now, Ty::Timestamp));
            }
            "datasets" | "params" => {
                return Err(CompileError::new(span, format!("{name:?} is not a value"))
                    .hint(format!("name one behind it: {name}.<name>")));
            }
            _ => {}
        }
        let shape = self.env.record.as_deref();
        if let Some((at, field)) = shape.and_then(|shape| shape.field(name)) {
            self.uses.fields.insert(name.to_string());
            return Ok((Op::Field(at, Arc::clone(name)), Ty::of(&field.kind)));
        }
        let error = match shape {
            None => CompileError::new(span, format!("unknown name {name:?}: there is no record here")),
            Some(_) => CompileError::new(span, format!("the record has no field {name:?}")),
        };
        let known = shape.into_iter().flat_map(|s| s.fields.iter().map(|f| f.name.as_str()));
        let known = known.chain(self.scopes.iter().map(|v| &*v.name)).chain(RESERVED);
        Err(suggest(error, name, known))
    }

    fn param(&mut self, name: &Name) -> Result<(Op, Ty)> {
        let Some(kind) = self.env.params.get(&*name.text) else {
            let error = CompileError::new(name.span, format!("there is no parameter {:?}", name.text));
            return Err(suggest(error, &name.text, self.env.params.keys().map(String::as_str)));
        };
        self.uses.params.insert(name.text.to_string());
        let at = self.params.iter().position(|p| *p == name.text).unwrap_or_else(|| {
            self.params.push(Arc::clone(&name.text));
            self.params.len() - 1
        });
        Ok((Op::Param(at, format!("params.{}", name.text).into()), Ty::of(kind)))
    }

    /// The dataset that `datasets.<name>` names, if the expression has that form.
    pub(crate) fn dataset(&mut self, expr: &Expr) -> Result<Option<(usize, DatasetType)>> {
        let Kind::Select(base, name) = &expr.kind else { return Ok(None) };
        if !Self::is_root(base, "datasets") {
            return Ok(None);
        }
        let Some(dataset) = self.env.datasets.get(&*name.text) else {
            let error = CompileError::new(name.span, format!("there is no dataset {:?}", name.text));
            return Err(suggest(error, &name.text, self.env.datasets.keys().map(String::as_str)));
        };
        self.uses.datasets.entry(name.text.to_string()).or_default();
        let at = self.datasets.iter().position(|d| d.name == name.text).unwrap_or_else(|| {
            let key = dataset.key.as_deref().and_then(|key| dataset.shape.field(key)).map(|(at, _)| at);
            self.datasets.push(DatasetSlot {
                name: Arc::clone(&name.text),
                shape: Arc::clone(&dataset.shape),
                key,
            });
            self.datasets.len() - 1
        });
        Ok(Some((at, dataset.clone())))
    }

    /// Notes that a field of a dataset's records is read, when the object is one.
    fn note_dataset_field(&mut self, base: &Node, field: &str) {
        if let Some(dataset) = self.dataset_of(base) {
            self.note_field(dataset, field);
        }
    }

    pub(crate) fn note_field(&mut self, dataset: usize, field: &str) {
        let name = self.datasets[dataset].name.to_string();
        self.uses.datasets.entry(name).or_default().insert(field.to_owned());
    }

    /// The dataset whose record, or list of records, a node gives.
    pub(crate) fn dataset_of(&self, node: &Node) -> Option<usize> {
        match &node.op {
            Op::DatasetGet(dataset, ..) => Some(*dataset),
            Op::Local(at) => self.scopes.get(self.scopes.len().checked_sub(at + 1)?)?.dataset,
            Op::Index(parts) => self.dataset_of(&parts[0]),
            Op::Fold(fold) => fold.filtered_dataset(),
            _ => None,
        }
    }

    fn select(&mut self, base: &Expr, name: &Name) -> Result<(Op, Ty)> {
        if Self::is_root(base, "params") {
            return self.param(name);
        }
        if Self::is_root(base, "datasets") {
            // Known or not is told first; then that a dataset as such is no value.
            let whole = Expr {
                kind: Kind::Select(Box::new(base.clone()), name.clone()),
                span: base.span.to(name.span),
                depth: 2,
            };
            self.dataset(&whole)?;
            return Err(CompileError::new(whole.span, "a dataset is not a value").hint(
                "ask it: .exists(r, ...), .all(r, ...), .exists_one(r, ...), .filter(r, ...), .map(r, ...), .get(key) or .size()",
            ));
        }
        let base = self.expr(base)?;
        self.select_from(base, name)
    }

    pub(crate) fn select_from(&mut self, base: Node, name: &Name) -> Result<(Op, Ty)> {
        match &base.ty {
            Ty::Object(shape) => {
                let Some((at, field)) = shape.field(&name.text) else {
                    let error =
                        CompileError::new(name.span, format!("the object has no field {:?}", name.text));
                    return Err(suggest(error, &name.text, shape.fields.iter().map(|f| f.name.as_str())));
                };
                let ty = Ty::of(&field.kind);
                self.note_dataset_field(&base, &name.text);
                Ok((Op::Select(Box::new(base), at, Arc::clone(&name.text)), ty))
            }
            Ty::Map(inner) => {
                let ty = (**inner).clone();
                Ok((Op::Key(Box::new(base), Arc::clone(&name.text)), ty))
            }
            Ty::Any if self.env.dynamic => Ok((Op::Key(Box::new(base), Arc::clone(&name.text)), Ty::Any)),
            ty => Err(CompileError::new(
                name.span,
                format!("{ty} has no fields, so there is no {:?}", name.text),
            )),
        }
    }

    fn index(&mut self, base: &Expr, index: &Expr) -> Result<(Op, Ty)> {
        if Self::is_root(base, "params") || Self::is_root(base, "datasets") {
            return Err(CompileError::new(index.span, "parameters and datasets are named with a dot"));
        }
        let base = self.expr(base)?;
        let at = self.expr(index)?;
        let ty = match (&base.ty, &at.ty) {
            (Ty::Map(inner), Ty::String) => {
                let ty = (**inner).clone();
                if let Op::Const(Value::String(key)) = &at.op {
                    return Ok((Op::Key(Box::new(base), Arc::clone(key)), ty));
                }
                ty
            }
            (Ty::List(inner), Ty::Int) => (**inner).clone(),
            (Ty::List(inner) | Ty::Map(inner), Ty::Any) => (**inner).clone(),
            (Ty::Any, _) if self.env.dynamic => Ty::Any,
            (Ty::Object(_), _) => {
                return Err(CompileError::new(index.span, "a field of an object is named with a dot")
                    .hint("write object.field"));
            }
            (base_ty @ (Ty::List(_) | Ty::Map(_)), at_ty) => {
                return Err(CompileError::new(index.span, format!("{base_ty} cannot be asked for {at_ty}")));
            }
            (ty, _) => return Err(CompileError::new(base.span, format!("{ty} has no positions"))),
        };
        Ok((Op::Index(Box::new([base, at])), ty))
    }

    fn list(&mut self, items: &[Expr], span: Span) -> Result<(Op, Ty)> {
        let mut ty = Ty::Any;
        let mut nodes = Vec::with_capacity(items.len());
        for item in items {
            let node = self.expr(item)?;
            ty = self.joined(&ty, &node.ty, item.span, "the list has")?;
            nodes.push(node);
        }
        let ty =
            if items.iter().any(|i| matches!(i.kind, Kind::Null)) && ty == Ty::Null { Ty::Any } else { ty };
        let _ = span;
        let op = match constants(&nodes) {
            Some(values) => Op::Const(Value::list(values)),
            None => Op::List(nodes.into()),
        };
        Ok((op, Ty::List(Box::new(ty))))
    }

    fn map_literal(&mut self, entries: &[(Expr, Expr)]) -> Result<(Op, Ty)> {
        let mut ty = Ty::Any;
        let mut nodes = Vec::with_capacity(entries.len());
        let mut seen = BTreeSet::new();
        for (key, value) in entries {
            let key_node = self.expr(key)?;
            if !matches!(key_node.ty, Ty::String | Ty::Any) {
                return Err(CompileError::new(
                    key.span,
                    format!("the keys of a map are strings, not {}", key_node.ty),
                ));
            }
            if let Op::Const(Value::String(text)) = &key_node.op
                && !seen.insert(Arc::clone(text))
            {
                return Err(CompileError::new(key.span, format!("the key {text:?} occurs twice")));
            }
            let value_node = self.expr(value)?;
            ty = self.joined(&ty, &value_node.ty, value.span, "the map has")?;
            nodes.push((key_node, value_node));
        }
        Ok((Op::Map(nodes.into()), Ty::Map(Box::new(ty))))
    }

    /// The common type of parts that must agree.
    fn joined(&self, a: &Ty, b: &Ty, span: Span, what: &str) -> Result<Ty> {
        match a.join(b) {
            Some(ty) => Ok(ty),
            None if self.env.dynamic => Ok(Ty::Any),
            None => Err(CompileError::new(span, format!("{what} {a} before, here is {b}"))),
        }
    }

    /// An operand that must be true or false.
    pub(crate) fn bool(&mut self, expr: &Expr, what: &str) -> Result<Node> {
        let node = self.expr(expr)?;
        let fits = node.ty == Ty::Bool || self.env.dynamic;
        if fits {
            return Ok(node);
        }
        let error =
            CompileError::new(expr.span, format!("{what} a true or false value, this is {}", node.ty));
        Err(match node.ty {
            Ty::String | Ty::Int | Ty::Double => error.hint("compare it with something"),
            Ty::List(_) | Ty::Map(_) => error.hint("ask for its size() or use .exists(...)"),
            Ty::Object(_) => error.hint("compare it with null, or name a field"),
            _ => error,
        })
    }

    fn bools(&mut self, parts: &[Expr], what: &str) -> Result<Box<[Node]>> {
        parts.iter().map(|part| self.bool(part, what)).collect()
    }

    fn negate(&mut self, inner: &Expr) -> Result<(Op, Ty)> {
        let node = self.expr(inner)?;
        let ty = node.ty.clone();
        match ty {
            Ty::Int | Ty::Double => Ok((Op::Neg(Box::new(node)), ty)),
            _ if self.env.dynamic => Ok((Op::Neg(Box::new(node)), ty)),
            _ => Err(CompileError::new(inner.span, format!("- is for a number, this is {ty}"))),
        }
    }

    fn choice(&mut self, condition: &Expr, yes: &Expr, no: &Expr, span: Span) -> Result<(Op, Ty)> {
        let condition = self.bool(condition, "? needs")?;
        let (yes, no) = (self.expr(yes)?, self.expr(no)?);
        let ty = self.joined(&yes.ty, &no.ty, span, "both sides of : must have one type; there is")?;
        Ok((Op::Choice(Box::new([condition, yes, no])), ty))
    }

    fn binary(&mut self, operator: Operator, left: &Expr, right: &Expr, span: Span) -> Result<(Op, Ty)> {
        use Operator as O;
        let pair = Box::new([self.expr(left)?, self.expr(right)?]);
        let (a, b) = (&pair[0].ty, &pair[1].ty);
        let order = match operator {
            O::Equal | O::NotEqual => {
                if !a.comparable(b) && !self.env.dynamic {
                    return Err(CompileError::new(span, format!("{a} is never equal to {b}")));
                }
                return Ok((Op::Equal(pair, operator == O::NotEqual), Ty::Bool));
            }
            O::In => {
                let fits = match b {
                    Ty::List(inner) => a.comparable(inner),
                    Ty::Map(_) => a.comparable(&Ty::String),
                    ty => ty.is_any(),
                };
                if !fits && !self.env.dynamic {
                    return Err(CompileError::new(span, format!("{a} is never in {b}")));
                }
                return Ok((Op::In(pair), Ty::Bool));
            }
            O::Less => Order::Less,
            O::LessEqual => Order::LessEqual,
            O::Greater => Order::Greater,
            O::GreaterEqual => Order::GreaterEqual,
            _ => {
                let ty = arithmetic(operator, a, b, self.env.dynamic);
                let ty = ty.ok_or_else(|| {
                    let error =
                        CompileError::new(span, format!("{a} {} {b} is not defined", operator.symbol()));
                    match (a, b) {
                        (Ty::Int, Ty::Double) | (Ty::Double, Ty::Int) => {
                            error.hint("convert one: double(...) or int(...)")
                        }
                        _ => error,
                    }
                })?;
                return Ok((Op::Arith(operator, pair), ty));
            }
        };
        if !a.ordered(b) && !self.env.dynamic {
            return Err(CompileError::new(span, format!("{a} and {b} have no order")));
        }
        Ok((Op::Order(order, pair), Ty::Bool))
    }
}

impl Fold {
    /// The dataset whose records a `filter` gives.
    fn filtered_dataset(&self) -> Option<usize> {
        use crate::ir::{FoldKind, Range};
        match (&self.kind, &self.range) {
            (FoldKind::Filter, Range::Dataset(dataset, _)) => Some(*dataset),
            _ => None,
        }
    }
}

/// The values, if all nodes are constants.
pub(crate) fn constants(nodes: &[Node]) -> Option<Vec<Value>> {
    nodes
        .iter()
        .map(|node| if let Op::Const(value) = &node.op { Some(value.clone()) } else { None })
        .collect()
}

fn arithmetic(operator: Operator, a: &Ty, b: &Ty, dynamic: bool) -> Option<Ty> {
    use Operator as O;
    use Ty as T;
    Some(match (operator, a, b) {
        (_, T::Any, _) | (_, _, T::Any) if dynamic => T::Any,
        (O::Add | O::Subtract | O::Multiply | O::Divide | O::Remainder, T::Int, T::Int) => T::Int,
        (O::Add | O::Subtract | O::Multiply | O::Divide, T::Double, T::Double) => T::Double,
        (O::Add, T::String, T::String) => T::String,
        (O::Add, T::List(_), T::List(_)) => a.join(b)?,
        (O::Add, T::Timestamp, T::Duration)
        | (O::Add, T::Duration, T::Timestamp)
        | (O::Subtract, T::Timestamp, T::Duration) => T::Timestamp,
        (O::Add | O::Subtract, T::Duration, T::Duration) | (O::Subtract, T::Timestamp, T::Timestamp) => {
            T::Duration
        }
        _ if dynamic => T::Any,
        _ => return None,
    })
}

pub(crate) fn suggest<'n>(
    error: CompileError,
    name: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> CompileError {
    let known: Vec<&str> = known.into_iter().collect();
    match closest(name, known.iter().copied()) {
        Some(candidate) => error.hint(format!("did you mean {candidate:?}?")),
        None if !known.is_empty() && known.len() <= 12 => {
            error.hint(format!("there are {}", known.join(", ")))
        }
        None => error,
    }
}
