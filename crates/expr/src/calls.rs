//! Compiling calls: functions, and the operations that are written like functions.

use std::sync::Arc;

use regex::RegexBuilder;

use crate::ast::{Expr, Kind, Name};
use crate::check::{Compiler, constants, suggest};
use crate::env::DatasetType;
use crate::error::{CompileError, Span};
use crate::func::{Func, OVERLOADS, Overload, SPECIAL_NAMES};
use crate::ir::{Node, Op};
use crate::limits;
use crate::ops;
use crate::types::Ty;
use crate::val::V;

type Result<T> = std::result::Result<T, CompileError>;

impl Compiler<'_> {
    pub(crate) fn call(
        &mut self,
        whole: &Expr,
        target: Option<&Expr>,
        name: &Name,
        args: &[Expr],
    ) -> Result<Node> {
        let span = whole.span;
        let done = |(op, ty)| Ok(Node { op, span, ty });
        if let Some(macro_call) = self.macro_call(target, name, args)? {
            return done(macro_call);
        }
        match (&*name.text, target, args) {
            ("has", None, [arg]) => return done(self.has(arg)?),
            ("has", None, _) => return Err(CompileError::new(span, "has() takes one field")),
            ("matches", Some(text), [pattern]) | ("matches", None, [text, pattern]) => {
                return done(self.matches(text, pattern)?);
            }
            ("size", None, [dataset]) | ("size", Some(dataset), []) => {
                if let Some((at, _)) = self.dataset(dataset)? {
                    return done((Op::DatasetSize(at), Ty::Int));
                }
            }
            ("get", Some(dataset), _) => {
                if let Some((at, dataset)) = self.dataset(dataset)? {
                    return done(self.get(at, &dataset, name, args)?);
                }
            }
            _ => {}
        }
        self.known(name, target.is_some())?;
        if name.text.as_ref() == "dyn" && !self.env.dynamic {
            return Err(CompileError::new(name.span, "dyn is not part of the language")
                .hint("every value has its field's type"));
        }
        let nodes: Vec<Node> =
            target.into_iter().chain(args).map(|arg| self.expr(arg)).collect::<Result<_>>()?;
        let (func, ty) = self.overload(name, target.is_some(), &nodes, span)?;
        if func == Func::Dyn {
            let [node] =
                <[Node; 1]>::try_from(nodes).map_err(|_| CompileError::new(span, "dyn() takes one value"))?;
            let ty = if matches!(node.ty, Ty::Object(_)) { node.ty.clone() } else { Ty::Any };
            return Ok(Node { ty, ..node });
        }
        done((self.folded(func, nodes, span)?, ty))
    }

    /// That there is such a function: told before anything about its arguments.
    fn known(&self, name: &Name, method: bool) -> Result<()> {
        if OVERLOADS.iter().any(|o| *o.name == *name.text) {
            return Ok(());
        }
        if SPECIAL_NAMES.contains(&&*name.text) {
            let whose = match &*name.text {
                "get" => "a dataset",
                "matches" => "a string, with a pattern",
                _ => "a list, map or dataset",
            };
            let error = CompileError::new(name.span, format!("{} is asked of {whose}", name.text));
            return Err(if method { error } else { error.hint(format!("write what.{}(...)", name.text)) });
        }
        let error = CompileError::new(name.span, format!("there is no function {:?}", name.text));
        Err(suggest(error, &name.text, OVERLOADS.iter().map(|o| o.name).chain(SPECIAL_NAMES)))
    }

    /// The call, or its value where it is known at load (`duration("720h")`).
    fn folded(&self, func: Func, nodes: Vec<Node>, span: Span) -> Result<Op> {
        if !nodes.is_empty()
            && let Some(values) = constants(&nodes)
        {
            let args: Vec<V<'_>> = values.iter().map(V::of).collect();
            let result = ops::call(func, &args, span);
            if let (V::Error(fault, _), false) = (&result, self.env.dynamic) {
                return Err(CompileError::new(span, format!("this value {}", fault.reason())));
            }
            if let Some(value) = result.into_value() {
                return Ok(Op::Const(value));
            }
        }
        Ok(Op::Call(func, nodes.into()))
    }

    fn overload(&self, name: &Name, method: bool, args: &[Node], span: Span) -> Result<(Func, Ty)> {
        let named: Vec<&Overload> = OVERLOADS.iter().filter(|o| *o.name == *name.text).collect();
        let fitting = |o: &&&Overload| {
            o.method == method
                && o.args.len() == args.len()
                && o.args.iter().zip(args).all(|(a, n)| a.admits(&n.ty))
        };
        let mut found = named.iter().filter(fitting);
        if let Some(first) = found.next() {
            let untyped = args.iter().position(|a| a.ty.is_any());
            let ambiguous = found.any(|other| other.ret != first.ret);
            if let (Some(at), false) = (untyped, self.env.dynamic)
                && first.func != Func::Size
            {
                return Err(CompileError::new(args[at].span, "the type of this value is not known"));
            }
            return Ok((first.func, if ambiguous { Ty::Any } else { first.ret.ty() }));
        }
        if self.env.dynamic
            && let Some(any) = named.iter().find(|o| o.method == method && o.args.len() == args.len())
        {
            return Ok((any.func, any.ret.ty()));
        }
        let given: Vec<String> = args.iter().map(|a| a.ty.to_string()).collect();
        let ways: Vec<String> = named.iter().map(|o| o.signature()).collect();
        Err(CompileError::new(span, format!("{} does not take {}", name.text, or_nothing(&given.join(", "))))
            .hint(format!("it is {}", ways.join(" or "))))
    }

    fn has(&mut self, arg: &Expr) -> Result<(Op, Ty)> {
        let Kind::Select(base, name) = &arg.kind else {
            let hint = match &arg.kind {
                Kind::Ident(name) => format!("write {name} != null"),
                _ => "write has(object.field)".to_owned(),
            };
            return Err(CompileError::new(arg.span, "has() takes a field of an object or map").hint(hint));
        };
        if Self::is_root(base, "params") || Self::is_root(base, "datasets") {
            return Err(CompileError::new(
                arg.span,
                "parameters and datasets that are named here always exist",
            ));
        }
        let base = self.expr(base)?;
        Ok(match self.select_from(base, name)? {
            (Op::Select(base, at, name), _) => (Op::HasField(base, at, name), Ty::Bool),
            (Op::Key(base, key), _) => (Op::HasKey(base, key), Ty::Bool),
            _ => return Err(CompileError::new(arg.span, "has() takes a field of an object or map")),
        })
    }

    fn matches(&mut self, text: &Expr, pattern: &Expr) -> Result<(Op, Ty)> {
        let node = self.expr(text)?;
        if !(matches!(node.ty, Ty::String) || self.env.dynamic) {
            return Err(CompileError::new(
                text.span,
                format!("matches is for a string, this is {}", node.ty),
            ));
        }
        let Kind::Text(source) = &pattern.kind else {
            return Err(CompileError::new(
                pattern.span,
                "the pattern of matches must be written out as a text",
            ));
        };
        let regex = RegexBuilder::new(source)
            .size_limit(limits::REGEX_BYTES)
            .nest_limit(50)
            .build()
            .map_err(|error| {
                let error = match error {
                    regex::Error::CompiledTooBig(_) => {
                        format!("the pattern needs more than {} bytes when compiled", limits::REGEX_BYTES)
                    }
                    // The parser draws the place over several lines; the last one says what is wrong.
                    other => {
                        let text = other.to_string();
                        let what = text.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
                        format!("the pattern is not a regular expression: {what}")
                    }
                };
                CompileError::new(pattern.span, error)
            })?;
        Ok((Op::Matches(Box::new(node), regex), Ty::Bool))
    }

    fn get(&mut self, at: usize, dataset: &DatasetType, name: &Name, args: &[Expr]) -> Result<(Op, Ty)> {
        let [key] = args else {
            return Err(CompileError::new(name.span, "get takes one key"));
        };
        let Some((field, declared)) = dataset.key.as_deref().and_then(|k| dataset.shape.field(k)) else {
            return Err(CompileError::new(name.span, "this dataset has no key")
                .hint("use .exists(r, r.field == ...)"));
        };
        let node = self.expr(key)?;
        let wanted = Ty::of(&declared.kind);
        if node.ty != wanted && !(self.env.dynamic && node.ty.is_any()) {
            return Err(CompileError::new(key.span, format!("the key is {wanted}, this is {}", node.ty)));
        }
        self.note_field(at, &declared.name);
        Ok((Op::DatasetGet(at, field, Box::new(node)), Ty::Object(Arc::clone(&dataset.shape))))
    }
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}
