//! Values of expressions, with checked arithmetic.

use super::context::Context;
use super::value::{Target, Value};
use super::{arguments, arithmetic};
use crate::diagnostic::Diagnostic;
use crate::syntax::{Call, Comparison, Expr, ExprKind, Name};
use crate::{codes, suggest};
use cnn_ir::{OpDef, Shape, Span};
use std::collections::BTreeMap;

/// The names an expression may use.
#[derive(Debug, Default)]
pub(super) struct Scope<'s> {
    /// Values by name; `None` after an error that was reported.
    pub bindings: BTreeMap<&'s str, Option<Value>>,
    /// Some names could not be read, so an unknown one may be none of the author's fault.
    pub incomplete: bool,
    /// What `in` is.
    pub input: Input,
}

/// What comes into a block or model.
#[derive(Debug, Default)]
pub(super) enum Input {
    /// There is no input here.
    #[default]
    None,
    /// Its maker failed, which was reported.
    Unknown,
    Known(Shape),
}

impl Scope<'_> {
    /// The value of an expression; `None` after an error that was reported. A bare word of `words` stands for itself.
    pub fn value(&self, expr: &Expr<'_>, words: &[&str], cx: &mut Context<'_, '_>) -> Option<Value> {
        cx.spend(1, expr.span);
        if cx.is_exhausted() {
            return None;
        }
        match &expr.kind {
            ExprKind::Int(value) => Some(Value::Int(*value)),
            ExprKind::Float(value) => Some(Value::Float(*value)),
            ExprKind::Bool(value) => Some(Value::Bool(*value)),
            ExprKind::Broken => None,
            ExprKind::Text(text) => {
                let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, "a text in quotes is no value here");
                let diagnostic = diagnostic.at(expr.span, "expected a number or a word");
                cx.fail(diagnostic.edit("write it without quotes", expr.span, *text))
            }
            ExprKind::Name(name) => self.name(name, expr.span, words, cx),
            ExprKind::Input(field) => self.input(*field, expr.span, cx),
            ExprKind::Indexed(name, _) => {
                let message = format!("`{}` with an index is a label, not a number", name.text);
                cx.fail(Diagnostic::error(&codes::TYPE_MISMATCH, message).at(expr.span, "a value cannot be used here"))
            }
            ExprKind::Call(call) => self.call(call, cx),
            ExprKind::Tuple(items) => {
                self.values(items, words, cx).and_then(|items| Value::Tuple(items).bounded(expr.span, cx))
            }
            ExprKind::List(items) => {
                self.values(items, &[], cx).and_then(|items| Value::List(items).bounded(expr.span, cx))
            }
            ExprKind::Field(whole, index) => self.field(whole, *index, expr.span, cx),
            ExprKind::Negate(inner) => arithmetic::negate(self.value(inner, &[], cx)?, inner.span, expr.span, cx),
            ExprKind::Not(inner) => Some(Value::Bool(!self.boolean(inner, "`not`", cx)?)),
            ExprKind::Chain(first, rest) => {
                let mut value = self.value(first, &[], cx);
                let mut span = first.span;
                for (operator, operand) in rest {
                    let right = self.value(operand, &[], cx);
                    let place = Span { end: operand.span.end, ..span };
                    value = match (value, right) {
                        (Some(left), Some(right)) => {
                            arithmetic::calculate(*operator, (left, span), (right, operand.span), place, cx)
                        }
                        _ => None,
                    };
                    span = place;
                }
                value
            }
            ExprKind::Compare(comparison, sides) => self.compare(*comparison, &sides.0, &sides.1, cx),
            ExprKind::All(parts) => self.logic(parts, "`and`", false, cx),
            ExprKind::Any(parts) => self.logic(parts, "`or`", true, cx),
            ExprKind::If(arms, otherwise) => {
                for (condition, value) in arms {
                    if self.boolean(condition, "`if`", cx)? {
                        return self.value(value, words, cx);
                    }
                }
                self.value(otherwise, words, cx)
            }
        }
    }

    /// A condition's value.
    pub fn boolean(&self, expr: &Expr<'_>, what: &str, cx: &mut Context<'_, '_>) -> Option<bool> {
        match self.value(expr, &[], cx)? {
            Value::Bool(value) => Some(value),
            other => {
                let message = format!("{what} needs `true` or `false`, not {}", other.a_type());
                let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message);
                cx.fail(diagnostic.at(expr.span, format!("expected a bool, found {}", other.brief())))
            }
        }
    }

    /// An integer's value.
    pub fn integer(&self, expr: &Expr<'_>, what: &str, cx: &mut Context<'_, '_>) -> Option<i64> {
        match self.value(expr, &[], cx)? {
            Value::Int(value) => Some(value),
            other => {
                let message = format!("{what} is an integer, not {}", other.a_type());
                let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message);
                cx.fail(diagnostic.at(expr.span, format!("expected an int, found {}", other.brief())))
            }
        }
    }

    /// All values, so that all errors are found.
    fn values<'e, 's: 'e>(
        &self,
        items: impl IntoIterator<Item = &'e Expr<'s>>,
        words: &[&str],
        cx: &mut Context<'_, '_>,
    ) -> Option<Vec<Value>> {
        let values: Vec<Option<Value>> = items.into_iter().map(|item| self.value(item, words, cx)).collect();
        values.into_iter().collect()
    }

    /// Parts from left to right, as far as they decide: `end` is the value that ends them.
    fn logic(&self, parts: &[Expr<'_>], what: &str, end: bool, cx: &mut Context<'_, '_>) -> Option<Value> {
        for part in parts {
            if self.boolean(part, what, cx)? == end {
                return Some(Value::Bool(end));
            }
        }
        Some(Value::Bool(!end))
    }

    fn compare(
        &self,
        comparison: Comparison,
        left: &Expr<'_>,
        right: &Expr<'_>,
        cx: &mut Context<'_, '_>,
    ) -> Option<Value> {
        let (a, b) = (self.value(left, &[], cx), self.value(right, &[], cx));
        let (a, b) = (a?, b?);
        if let Some(value) = a.compare(comparison, &b) {
            return Some(Value::Bool(value));
        }
        let message = format!("`{}` cannot compare these two", comparison.sign());
        cx.fail(Diagnostic::error(&codes::TYPE_MISMATCH, message).at(left.span, a.a_type()).see(right.span, b.a_type()))
    }

    fn field(&self, whole: &Expr<'_>, index: usize, span: Span, cx: &mut Context<'_, '_>) -> Option<Value> {
        let value = self.value(whole, &[], cx)?;
        let diagnostic = match &value {
            Value::Tuple(items) | Value::List(items) => {
                if let Some(item) = items.get(index) {
                    return Some(item.clone());
                }
                let counted = if items.len() == 1 { "1 value".into() } else { format!("{} values", items.len()) };
                let message = format!("there is no `.{index}` in {counted}");
                Diagnostic::error(&codes::TYPE_MISMATCH, message)
                    .at(span, "")
                    .see(whole.span, format!("this is {}", value.brief()))
                    .note("positions are counted from 0")
            }
            other => {
                let message = format!("{} has no parts", other.a_type());
                Diagnostic::error(&codes::TYPE_MISMATCH, message).at(whole.span, format!("this is {}", other.brief()))
            }
        };
        cx.fail(diagnostic)
    }

    /// `in.channels`, `in.height`, `in.width`, `in.shape`
    fn input(&self, field: Name<'_>, span: Span, cx: &mut Context<'_, '_>) -> Option<Value> {
        const FIELDS: [&str; 4] = ["channels", "height", "width", "shape"];
        let Some(axis) = FIELDS.iter().position(|name| *name == field.text) else {
            let message = format!("`in` has no `{}`", field.text);
            let diagnostic = Diagnostic::error(&codes::UNKNOWN_NAME, message).at(field.span, "");
            return cx.fail(match suggest::nearest(field.text, FIELDS) {
                Some(meant) => diagnostic.edit(format!("did you mean `{meant}`?"), field.span, meant),
                None => diagnostic.note("it has `in.channels`, `in.height`, `in.width` and `in.shape`"),
            });
        };
        match &self.input {
            Input::Unknown => None,
            Input::Known(shape) if field.text == "shape" => {
                Some(Value::List(shape.iter().map(|&size| Value::Int(size as i64)).collect()))
            }
            Input::Known(shape) => match shape.get(axis) {
                Some(&size) if shape.len() == 3 || axis == 0 => Some(Value::Int(size as i64)),
                _ => {
                    let message = format!("the value that comes in is {shape}; it has no {}", field.text);
                    cx.fail(Diagnostic::error(&codes::BAD_RANK, message).at(span, ""))
                }
            },
            Input::None => {
                let message = "nothing comes in here";
                let diagnostic = Diagnostic::error(&codes::UNKNOWN_NAME, message).at(span, "");
                cx.fail(diagnostic.note("`in` is the value that comes into a block, or a model's first input"))
            }
        }
    }

    fn name(&self, name: &str, span: Span, words: &[&str], cx: &mut Context<'_, '_>) -> Option<Value> {
        if let Some(value) = self.bindings.get(name) {
            let size = value.as_ref().map_or(0, Value::size);
            cx.spend(size, span);
            return value.clone();
        }
        if words.contains(&name) {
            return Some(Value::Word(name.to_owned()));
        }
        if let Some(target) = find_target(name, span, cx) {
            return Some(arguments::layer_value(target, name, Vec::new()));
        }
        if self.incomplete {
            return None;
        }
        let known = self.bindings.keys().copied();
        let mut diagnostic =
            Diagnostic::error(&codes::UNKNOWN_NAME, format!("nothing named `{name}` is known here")).at(span, "");
        if let "True" | "False" = name {
            let meant = name.to_lowercase();
            diagnostic = diagnostic.edit(format!("did you mean `{meant}`?"), span, meant);
        } else if let Some(meant) = suggest::nearest(name, known.clone().chain(words.iter().copied()))
            .or_else(|| suggest::nearest(name, layer_names(span, cx)))
        {
            diagnostic = diagnostic.edit(format!("did you mean `{meant}`?"), span, meant);
        } else if !(self.bindings.is_empty() && words.is_empty()) {
            let names: Vec<String> =
                words.iter().copied().chain(known).take(20).map(|name| format!("`{name}`")).collect();
            diagnostic = diagnostic.note(format!("known here: {}", names.join(", ")));
        } else {
            diagnostic = diagnostic.note("there are no parameters here");
        }
        cx.fail(diagnostic)
    }

    /// A function's value, or a layer with arguments.
    fn call(&self, call: &Call<'_>, cx: &mut Context<'_, '_>) -> Option<Value> {
        let name = call.name.text;
        if FUNCTIONS.contains(&name) {
            let values = self.values(call.arguments.iter().map(|argument| &argument.value), &[], cx)?;
            return arithmetic::function(call, values, cx);
        }
        if let Some(value) = self.bindings.get(name) {
            return match value.clone()? {
                Value::Layer(layer) => {
                    let more = arguments::evaluate(call, layer.target.op(), &layer.bound, self, cx);
                    let bound = layer.bound.into_iter().chain(more).collect();
                    arguments::layer_value(layer.target, &layer.name, bound).bounded(call.span, cx)
                }
                other => {
                    let message = format!("`{name}` is {}, which cannot be called", other.a_type());
                    cx.fail(Diagnostic::error(&codes::TYPE_MISMATCH, message).at(call.span, ""))
                }
            };
        }
        if let Some(target) = find_target(name, call.span, cx) {
            let bound = arguments::evaluate(call, target.op(), &[], self, cx);
            return arguments::layer_value(target, name, bound).bounded(call.span, cx);
        }
        let message = format!("there is no function or layer `{name}`");
        let diagnostic = Diagnostic::error(&codes::UNKNOWN_NAME, message).at(call.name.span, "");
        if name == "range" {
            return cx.fail(diagnostic.help("a range goes from one integer to before another: `for i in 0..3`"));
        }
        cx.fail(match suggest::nearest(name, FUNCTIONS.iter().copied().chain(layer_names(call.span, cx))) {
            Some(meant) => diagnostic.edit(format!("did you mean `{meant}`?"), call.name.span, meant),
            None => diagnostic.note(format!("the functions are {}", FUNCTIONS.join(", "))),
        })
    }
}

/// The functions on numbers and lists.
pub(super) const FUNCTIONS: &[&str] = &["ceil_div", "len", "max", "min"];

/// The op or block of a name that stands at `span`.
pub(super) fn find_target(name: &str, span: Span, cx: &Context<'_, '_>) -> Option<Target> {
    OpDef::find(name).map(Target::Op).or_else(|| cx.blocks.find(name, span.source).map(Target::Block))
}

/// The names of all ops, and of the blocks that are known at `span`.
pub(super) fn layer_names<'a>(span: Span, cx: &Context<'a, '_>) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
    let blocks: Vec<&'a str> = cx.blocks.names(span.source).collect();
    cnn_ir::ops::OPS.iter().map(|def| def.name).chain(blocks)
}
