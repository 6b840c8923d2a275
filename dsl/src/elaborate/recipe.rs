//! Losses, optimizers, initialisers and the like: calls that cnn-recipe reads, and what it refuses, at its place.
//!
//! What is calculated in the language is written out first; a name that is no parameter or variable is a word.

use super::arithmetic;
use super::context::Context;
use super::expr::{FUNCTIONS, Scope};
use super::value::Value;
use crate::diagnostic::Diagnostic;
use crate::syntax::{Argument, Expr, ExprKind, Name, Operator};
use crate::{codes, suggest};
use cnn_ir::Span;
use cnn_recipe::{Clip, Curve, Error, Initialiser, Loss, Objective, Optimizer, Schedule, Warmup, WeightDecay};
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

/// What a call of cnn-recipe makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recipe {
    Loss,
    Optimizer,
    Schedule,
    WeightDecay,
    Clip,
    Initialiser,
}

impl Recipe {
    /// The value of an argument or setting, as cnn-recipe writes it.
    pub fn read<'e, 's>(
        self,
        steps: &'e [Expr<'s>],
        scope: &Scope<'_>,
        cx: &mut Context<'_, '_>,
    ) -> Option<(String, Written<'e, 's>)> {
        let written = Written::new(steps, false, scope, cx)?;
        match self.canonical(&written.text) {
            Ok(text) => Some((text, written)),
            // A name that could not be read may have been a parameter.
            Err(_) if scope.incomplete => None,
            Err(error) => cx.fail(written.refusal(self, error)),
        }
    }

    /// The text without what is left at its default.
    fn canonical(self, text: &str) -> Result<String, Error> {
        fn read<T: FromStr<Err = Error> + Display>(text: &str) -> Result<String, Error> {
            text.parse().map(|made: T| made.to_string())
        }
        match self {
            Self::Loss => read::<Objective>(text),
            Self::Optimizer => read::<Optimizer>(text),
            Self::Schedule => read::<Schedule>(text),
            // The rate alone will do.
            Self::WeightDecay if text.parse::<f64>().is_ok() => read::<WeightDecay>(&format!("weight_decay({text})")),
            Self::WeightDecay => read::<WeightDecay>(text),
            Self::Clip => read::<Clip>(text),
            Self::Initialiser => read::<Initialiser>(text),
        }
    }

    /// What it is called in messages.
    fn what(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Optimizer => "optimizer",
            Self::Schedule => "schedule",
            Self::WeightDecay => "weight decay",
            Self::Clip => "way of clipping",
            Self::Initialiser => "initialiser",
        }
    }

    /// A value as an example.
    pub fn example(self) -> &'static str {
        match self {
            Self::Loss => "mse + 0.3 * cross_entropy(output = aux)",
            Self::Optimizer => "adam(betas = (0.9, 0.999))",
            Self::Schedule => "warmup(5) -> cosine(total = 30)",
            Self::WeightDecay => "weight_decay(5e-4, true)",
            Self::Clip => "norm(1.0)",
            Self::Initialiser => "kaiming_normal(mode = fan_out)",
        }
    }

    fn names(self) -> Vec<&'static str> {
        match self {
            Self::Loss => Loss::NAMES.to_vec(),
            Self::Optimizer => Optimizer::NAMES.to_vec(),
            Self::Schedule => [&["warmup"], Curve::NAMES].concat(),
            Self::WeightDecay => vec!["weight_decay"],
            Self::Clip => Clip::NAMES.to_vec(),
            Self::Initialiser => Initialiser::NAMES.to_vec(),
        }
    }

    /// The parameters of a call in their order.
    fn parameters(self, call: &str) -> Vec<&'static str> {
        let parameters = match self {
            // Any place behind the others is as good as none: `output` is given by name alone.
            Self::Loss => return [Loss::parameters(call).unwrap_or_default(), &["output"]].concat(),
            Self::Optimizer => Optimizer::parameters(call),
            Self::Schedule if call == "warmup" => Some(Warmup::PARAMETERS),
            Self::Schedule => Curve::parameters(call),
            Self::WeightDecay => Some(WeightDecay::PARAMETERS),
            Self::Clip => Clip::parameters(call),
            Self::Initialiser => Initialiser::parameters(call),
        };
        parameters.unwrap_or_default().to_vec()
    }
}

/// The text of a value, and where its parts were written.
#[derive(Debug, Default)]
pub(super) struct Written<'e, 's> {
    pub text: String,
    /// Where each part begins in the text, ascending, and where it was written.
    parts: Vec<(usize, Span)>,
    pub calls: Vec<WrittenCall<'e, 's>>,
    /// The whole.
    pub span: Span,
    /// Whether tuples are written as lists.
    lists: bool,
}

#[derive(Debug)]
pub(super) struct WrittenCall<'e, 's> {
    name: Name<'s>,
    pub arguments: &'e [Argument<'s>],
    span: Span,
    /// Its place in the text.
    range: Range<usize>,
}

/// Whether an expression is a call that is written out, and no value of the language.
pub(super) fn is_call(expr: &Expr<'_>, scope: &Scope<'_>) -> bool {
    match &expr.kind {
        ExprKind::Name(name) => !scope.bindings.contains_key(name),
        ExprKind::Call(call) => !FUNCTIONS.contains(&call.name.text),
        ExprKind::If(arms, otherwise) => {
            arms.iter().map(|(_, value)| value).chain([&**otherwise]).all(|value| is_call(value, scope))
        }
        _ => false,
    }
}

/// Whether there is such a call among the operands.
fn has_call(expr: &Expr<'_>, scope: &Scope<'_>) -> bool {
    match &expr.kind {
        ExprKind::Chain(first, rest) => {
            has_call(first, scope) || rest.iter().any(|(_, operand)| has_call(operand, scope))
        }
        _ => is_call(expr, scope),
    }
}

impl<'e, 's> Written<'e, 's> {
    /// Writes the steps of a value, joined by arrows; `None` after an error that was reported.
    pub fn new(
        steps: &'e [Expr<'s>],
        lists: bool,
        scope: &Scope<'_>,
        cx: &mut Context<'_, '_>,
    ) -> Option<Written<'e, 's>> {
        let (first, last) = (steps.first()?, steps.last()?);
        let mut written = Self { span: Span { end: last.span.end, ..first.span }, lists, ..Self::default() };
        for (index, step) in steps.iter().enumerate() {
            if index > 0 {
                written.push(" -> ", step.span);
            }
            written.value(step, scope, cx)?;
        }
        Some(written)
    }

    fn push(&mut self, text: &str, span: Span) {
        self.parts.push((self.text.len(), span));
        self.text.push_str(text);
    }

    fn value(&mut self, expr: &'e Expr<'s>, scope: &Scope<'_>, cx: &mut Context<'_, '_>) -> Option<()> {
        cx.spend(1, expr.span);
        match &expr.kind {
            ExprKind::Name(text) if !scope.bindings.contains_key(text) => {
                self.call(Name { text, span: expr.span }, &[], expr.span, scope, cx)
            }
            ExprKind::Call(call) if !FUNCTIONS.contains(&call.name.text) => {
                self.call(call.name, &call.arguments, call.span, scope, cx)
            }
            ExprKind::Chain(first, rest) if has_call(expr, scope) => self.chain(first, rest, scope, cx),
            ExprKind::If(arms, otherwise) => {
                for (condition, value) in arms {
                    if scope.boolean(condition, "`if`", cx)? {
                        return self.value(value, scope, cx);
                    }
                }
                self.value(otherwise, scope, cx)
            }
            _ => self.constant(expr, scope, cx),
        }
    }

    /// Operands with a call among them; numbers ahead of it become one.
    fn chain(
        &mut self,
        first: &'e Expr<'s>,
        rest: &'e [(Operator, Expr<'s>)],
        scope: &Scope<'_>,
        cx: &mut Context<'_, '_>,
    ) -> Option<()> {
        let binds_tighter = |operator: Operator| !matches!(operator, Operator::Add | Operator::Subtract);
        let numbers = match has_call(first, scope) {
            true => 0,
            false => rest.iter().take_while(|(_, operand)| !has_call(operand, scope)).count(),
        };
        let (numbers, calls) = rest.split_at(numbers);
        match has_call(first, scope) {
            true => self.operand(first, calls.first().is_some_and(|(sign, _)| binds_tighter(*sign)), scope, cx)?,
            false => {
                let (mut value, mut span) = (scope.value(first, &[], cx)?, first.span);
                for (operator, operand) in numbers {
                    let right = scope.value(operand, &[], cx)?;
                    let whole = Span { end: operand.span.end, ..span };
                    value = arithmetic::calculate(*operator, (value, span), (right, operand.span), whole, cx)?;
                    span = whole;
                }
                self.push(&value.to_string(), span);
            }
        }
        for (operator, operand) in calls {
            self.push(&format!(" {} ", operator.sign()), operand.span);
            self.operand(operand, binds_tighter(*operator), scope, cx)?;
        }
        Some(())
    }

    /// An operand: a sum of calls within a product keeps its parentheses.
    fn operand(
        &mut self,
        expr: &'e Expr<'s>,
        in_product: bool,
        scope: &Scope<'_>,
        cx: &mut Context<'_, '_>,
    ) -> Option<()> {
        if !in_product || !matches!(expr.kind, ExprKind::Chain(..)) || !has_call(expr, scope) {
            return self.value(expr, scope, cx);
        }
        self.push("(", expr.span);
        self.value(expr, scope, cx)?;
        self.push(")", expr.span);
        Some(())
    }

    fn call(
        &mut self,
        name: Name<'s>,
        arguments: &'e [Argument<'s>],
        span: Span,
        scope: &Scope<'_>,
        cx: &mut Context<'_, '_>,
    ) -> Option<()> {
        let start = self.text.len();
        self.push(name.text, name.span);
        let mut known = true;
        for (index, argument) in arguments.iter().enumerate() {
            self.push(if index == 0 { "(" } else { ", " }, argument.span);
            if let Some(name) = argument.name {
                self.push(name.text, name.span);
                self.push(" = ", argument.value.span);
            }
            known &= self.argument(argument, scope, cx).is_some();
        }
        self.push(if arguments.is_empty() { "" } else { ")" }, span);
        self.calls.push(WrittenCall { name, arguments, span, range: start..self.text.len() });
        known.then_some(())
    }

    fn argument(&mut self, argument: &'e Argument<'s>, scope: &Scope<'_>, cx: &mut Context<'_, '_>) -> Option<()> {
        let Argument { name, value, .. } = argument;
        match value.kind {
            // The outputs of a model are no names that expressions know.
            ExprKind::Name(text) if name.is_some_and(|name| name.text == "output") => self.push(text, value.span),
            ExprKind::Name(text) if !scope.bindings.contains_key(text) => self.push(text, value.span),
            // Only what knows files has lists for tuples, and a use for texts.
            ExprKind::Text(text) if self.lists => self.push(&format!("\"{text}\""), value.span),
            _ => self.constant(value, scope, cx)?,
        }
        Some(())
    }

    fn constant(&mut self, expr: &Expr<'_>, scope: &Scope<'_>, cx: &mut Context<'_, '_>) -> Option<()> {
        let value = match scope.value(expr, &[], cx)? {
            Value::Tuple(items) if self.lists => Value::List(items),
            value => value,
        };
        self.push(&value.to_string(), expr.span);
        Some(())
    }

    /// Where a character of the text was written.
    fn place(&self, at: usize) -> Span {
        let parts = self.parts.iter().rev();
        parts.map(|(start, span)| (*start, *span)).find(|(start, _)| *start <= at).map_or(self.span, |(_, span)| span)
    }

    /// The call of a name; of several, the first that is refused by itself.
    fn find(&self, recipe: Recipe, name: &str) -> Option<&WrittenCall<'e, 's>> {
        let calls: Vec<_> = self.calls.iter().filter(|call| call.name.text == name).collect();
        let refused = |call: &&&WrittenCall<'_, '_>| {
            self.text.get(call.range.clone()).is_some_and(|text| recipe.canonical(text).is_err())
        };
        calls.iter().find(refused).or(calls.first()).copied()
    }

    /// What cnn-recipe's refusal means, at its place.
    fn refusal(&self, recipe: Recipe, error: Error) -> Diagnostic {
        let (what, message) = (recipe.what(), error.to_string());
        match error {
            Error::Syntax { at, expected, .. } => {
                let message = format!("this is no {what}");
                let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message);
                let diagnostic = diagnostic.at(self.place(at.saturating_sub(1)), format!("expected {expected}"));
                diagnostic.help(format!("write it as in `{}`", recipe.example()))
            }
            Error::UnknownName { name, .. } => {
                let span = self.find(recipe, &name).map_or(self.span, |call| call.name.span);
                let diagnostic = Diagnostic::error(&codes::UNKNOWN_RECIPE, format!("there is no {what} `{name}`"));
                suggested(diagnostic.at(span, ""), &name, span, &recipe.names(), "there are")
            }
            Error::UnknownParameter { call, parameter, .. } if recipe == Recipe::Loss && parameter == "output" => {
                self.given_twice(recipe, &call, &parameter)
            }
            Error::UnknownParameter { call, parameter, .. } => {
                let names = self.find(recipe, &call).map_or(&[] as &[_], |call| call.arguments).iter();
                let named = names.filter_map(|argument| argument.name).find(|name| name.text == parameter);
                let span = named.map_or(self.span, |name| name.span);
                let message = format!("`{call}` has no parameter `{parameter}`");
                let diagnostic = Diagnostic::error(&codes::UNKNOWN_ARGUMENT, message).at(span, "unknown parameter");
                suggested(diagnostic, &parameter, span, &recipe.parameters(&call), "its parameters are")
            }
            Error::TooManyArguments { call, parameters, .. } => {
                let call = self.find(recipe, &call);
                let extra = call.and_then(|call| call.arguments.get(parameters..)).unwrap_or_default().iter();
                let span = extra.map(|extra| extra.span).reduce(|first, last| Span { end: last.end, ..first });
                Diagnostic::error(&codes::TOO_MANY_ARGUMENTS, message).at(span.unwrap_or(self.span), "too many")
            }
            Error::Twice { call, parameter } => self.given_twice(recipe, &call, &parameter),
            Error::Parameter { call, parameter, value, allowed } => {
                match (self.find(recipe, &call), self.given(recipe, &call, &parameter).next()) {
                    (_, Some(given)) => Diagnostic::error(&codes::BAD_ARGUMENT, message).at(given.value.span, ""),
                    (Some(written), None) => {
                        Diagnostic::error(&codes::MISSING_ARGUMENT, format!("`{call}` needs `{parameter}`"))
                            .at(written.span, format!("`{parameter}` is missing"))
                            .note(format!("`{parameter}` is {allowed}"))
                    }
                    _ if call == "objective" => {
                        let message = format!("the factor of a loss must be {allowed}, not {value}");
                        Diagnostic::error(&codes::BAD_ARGUMENT, message).at(self.span, "")
                    }
                    _ => Diagnostic::error(&codes::BAD_ARGUMENT, message).at(self.span, ""),
                }
            }
            _ => Diagnostic::error(&codes::BAD_ARGUMENT, message).at(self.span, ""),
        }
    }

    /// The arguments for a parameter.
    fn given(&self, recipe: Recipe, call: &str, parameter: &str) -> impl Iterator<Item = &'e Argument<'s>> {
        let position = recipe.parameters(call).iter().position(|name| *name == parameter);
        let arguments = self.find(recipe, call).map_or(&[] as &[_], |call| call.arguments).iter().enumerate();
        let is_named = parameter.to_owned();
        arguments.filter_map(move |(index, argument)| {
            let is_it = argument.name.map_or(Some(index) == position, |name| name.text == is_named);
            is_it.then_some(argument)
        })
    }

    fn given_twice(&self, recipe: Recipe, call: &str, parameter: &str) -> Diagnostic {
        let message = format!("`{parameter}` is given twice");
        let diagnostic = Diagnostic::error(&codes::DUPLICATE_ARGUMENT, message);
        let mut given = self.given(recipe, call, parameter);
        match (given.next(), given.next()) {
            (Some(first), Some(again)) => diagnostic.at(again.span, "given again").see(first.span, "given first"),
            _ => diagnostic.at(self.span, ""),
        }
    }
}

/// With the name that was likely meant, or all that there are.
fn suggested(diagnostic: Diagnostic, name: &str, span: Span, names: &[&'static str], intro: &str) -> Diagnostic {
    match suggest::nearest(name, names.iter().copied()) {
        Some(meant) => diagnostic.edit(format!("did you mean `{meant}`?"), span, meant),
        None => match names {
            [] => diagnostic.note("it has no parameters"),
            [only] => diagnostic.note(format!("there is `{only}` alone")),
            _ => {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                diagnostic.note(format!("{intro} {}", names.join(", ")))
            }
        },
    }
}
