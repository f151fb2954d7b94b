//! Compiling macros.

use crate::ast::{Expr, Kind, Name, Operator};
use crate::check::{Compiler, Variable};
use crate::env::{DatasetType, RESERVED};
use crate::error::CompileError;
use crate::ir::{Fold, FoldKind, Node, Op, Range};
use crate::types::Ty;
use model::value::Value;

type Result<T> = std::result::Result<T, CompileError>;

impl Compiler<'_> {
    /// Compiles `range.macro(variable, ...)`; `None` when the call is no macro.
    pub(crate) fn macro_call(
        &mut self,
        target: Option<&Expr>,
        name: &Name,
        args: &[Expr],
    ) -> Result<Option<(Op, Ty)>> {
        let (Some(target), Some(kind)) = (target, kind(&name.text)) else { return Ok(None) };
        let (variable, condition, result) = match (kind, args) {
            (FoldKind::Map, [variable, result]) => (variable, None, Some(result)),
            (FoldKind::Map, [variable, condition, result]) => (variable, Some(condition), Some(result)),
            (FoldKind::Map, _) => {
                return Err(CompileError::new(
                    name.span,
                    "map takes a variable, perhaps a condition, and a value",
                ));
            }
            (_, [variable, condition]) => (variable, Some(condition), None),
            _ => {
                return Err(CompileError::new(
                    name.span,
                    format!("{} takes a variable and a condition", name.text),
                ));
            }
        };
        let Kind::Ident(variable_name) = &variable.kind else {
            return Err(CompileError::new(
                variable.span,
                format!("{} needs a variable's name here", name.text),
            ));
        };
        if RESERVED.contains(&&**variable_name) {
            return Err(CompileError::new(
                variable.span,
                format!("{variable_name:?} cannot be a variable's name"),
            ));
        }

        let (range, element, whole) = if let Some((at, dataset)) = self.dataset(target)? {
            let key = match condition {
                // `all` must look at the records that do not meet the condition, too.
                Some(condition) if kind != FoldKind::All => {
                    self.lookup(at, &dataset, variable_name, condition)?
                }
                _ => None,
            };
            let element = Ty::Object(dataset.shape);
            (Range::Dataset(at, key), element.clone(), Ty::List(Box::new(element)))
        } else {
            let range = self.expr(target)?;
            let element = match &range.ty {
                Ty::List(inner) => (**inner).clone(),
                Ty::Map(_) => Ty::String,
                Ty::Any if self.env.dynamic => Ty::Any,
                ty => {
                    return Err(CompileError::new(
                        target.span,
                        format!("{} is for a list, a map or a dataset, this is {ty}", name.text),
                    ));
                }
            };
            let whole = Ty::List(Box::new(element.clone()));
            (Range::Value(range), element, whole)
        };

        let dataset = match &range {
            Range::Dataset(at, _) => Some(*at),
            Range::Value(node) => self.dataset_of(node),
        };
        self.scopes.push(Variable { name: variable_name.clone(), ty: element.clone(), dataset });
        let condition = match condition {
            Some(condition) => self.bool(condition, &format!("{} needs", name.text))?,
            None => Node { op: Op::Const(Value::Bool(true)), span: name.span, ty: Ty::Bool },
        };
        let result = result.map(|result| self.expr(result)).transpose()?;
        self.scopes.pop();

        let ty = match (kind, &result) {
            (FoldKind::Map, Some(result)) => Ty::List(Box::new(result.ty.clone())),
            (FoldKind::Filter, _) => whole,
            _ => Ty::Bool,
        };
        let cost = condition.weight() + result.as_ref().map_or(0, Node::weight);
        Ok(Some((Op::Fold(Box::new(Fold { kind, range, element, condition, result, cost })), ty)))
    }

    /// The field and value of the first part of a condition that reads `variable.field == value` (either way round) or
    /// `value in variable.field` for a list of texts, with the value compiled for outside the macro. Only such records can
    /// meet the condition.
    fn lookup(
        &mut self,
        at: usize,
        dataset: &DatasetType,
        variable: &str,
        condition: &Expr,
    ) -> Result<Option<(usize, Node)>> {
        let parts = match &condition.kind {
            Kind::And(parts) => parts.as_slice(),
            _ => std::slice::from_ref(condition),
        };
        for part in parts {
            let Kind::Binary(operator, left, right) = &part.kind else { continue };
            let ways: &[(&Expr, &Expr)] = match operator {
                Operator::Equal => &[(left, right), (right, left)],
                Operator::In => &[(right, left)],
                _ => continue,
            };
            for (field, value) in ways {
                let Kind::Select(base, name) = &field.kind else { continue };
                if !matches!(&base.kind, Kind::Ident(base) if **base == *variable) || value.mentions(variable)
                {
                    continue;
                }
                let Some((position, declared)) = dataset.shape.field(&name.text) else { continue };
                let value = self.expr(value)?;
                let ty = Ty::of(&declared.kind);
                let indexed = match operator {
                    Operator::In => value.ty == Ty::String && ty == Ty::List(Box::new(Ty::String)),
                    // Floating point equals across types, and whole lists are not indexed.
                    _ => {
                        value.ty == ty
                            && matches!(ty, Ty::Bool | Ty::Int | Ty::String | Ty::Timestamp | Ty::Duration)
                    }
                };
                if indexed {
                    self.note_field(at, &name.text);
                    return Ok(Some((position, value)));
                }
            }
        }
        Ok(None)
    }
}

fn kind(name: &str) -> Option<FoldKind> {
    Some(match name {
        "exists" => FoldKind::Exists,
        "exists_one" | "existsOne" => FoldKind::ExistsOne,
        "all" => FoldKind::All,
        "filter" => FoldKind::Filter,
        "map" => FoldKind::Map,
        _ => return None,
    })
}
