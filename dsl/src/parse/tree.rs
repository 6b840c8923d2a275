//! From pest's pairs to the syntax tree.

use super::Rule;
use crate::diagnostic::{Diagnostic, Report};
use crate::syntax::{Argument, Call, Expr, ExprKind, Name, Operator, ParamDecl, Statement, Step, TypeExpr};
use crate::{codes, source};
use cnn_ir::Span;
use pest::iterators::Pair;

/// Makes trees from the pairs of one statement; `base` is where the parsed slice begins in the file.
pub(super) struct Tree<'r> {
    pub source: u32,
    pub base: usize,
    pub report: &'r mut Report,
}

impl<'r> Tree<'r> {
    pub fn model_head<'s>(&mut self, head: Pair<'s, Rule>) -> Option<(Name<'s>, Vec<ParamDecl<'s>>)> {
        let mut inner = content(head);
        let name = self.name(inner.next()?);
        let params = inner.next().map(|parameters| self.all(content(parameters), Self::parameter)).unwrap_or_default();
        Some((name, params))
    }

    pub fn input<'s>(&mut self, input: Pair<'s, Rule>) -> Option<Statement<'s>> {
        let start = self.span(&input);
        let mut inner = content(input);
        let name = self.name(inner.next()?);
        let shape = self.expression(inner.next()?)?;
        let span = to(start, shape.span);
        Some(Statement::Input { name, shape, span })
    }

    pub fn output<'s>(&mut self, output: Pair<'s, Rule>) -> Option<Statement<'s>> {
        let start = self.span(&output);
        let mut inner = content(output);
        let name = self.name(inner.next()?);
        let value = inner.next().map(|value| self.name(value));
        let span = to(start, value.unwrap_or(name).span);
        Some(Statement::Output { name, value, span })
    }

    pub fn step<'s>(&mut self, step: Pair<'s, Rule>) -> Option<Statement<'s>> {
        let start = self.span(&step);
        let (mut label, mut call) = (None, None);
        for part in step.into_inner() {
            match part.as_rule() {
                Rule::label => label = content(part).next().map(|name| self.name(name)),
                _ => call = self.call(part),
            }
        }
        let call = call?;
        let span = to(start, call.span);
        Some(Statement::Step(Step { label, call, span }))
    }

    fn call<'s>(&mut self, call: Pair<'s, Rule>) -> Option<Call<'s>> {
        let mut inner = content(call);
        let name = self.name(inner.next()?);
        let (mut span, mut parenthesis, mut arguments) = (name.span, None, Vec::new());
        if let Some(written) = inner.next() {
            let whole = self.span(&written);
            parenthesis = Some(whole);
            span = to(span, whole);
            arguments = self.all(content(written), Self::argument);
        }
        Some(Call { name, arguments, parenthesis, span })
    }

    fn argument<'s>(&mut self, argument: Pair<'s, Rule>) -> Option<Argument<'s>> {
        let start = self.span(&argument);
        let (mut name, mut value) = (None, None);
        for part in argument.into_inner() {
            match part.as_rule() {
                Rule::argument_name => name = content(part).next().map(|name| self.name(name)),
                _ => value = self.expression(part),
            }
        }
        let value = value?;
        let span = to(start, value.span);
        Some(Argument { name, value, span })
    }

    fn parameter<'s>(&mut self, parameter: Pair<'s, Rule>) -> Option<ParamDecl<'s>> {
        let span = trimmed(self.span(&parameter), &parameter);
        let mut inner = content(parameter);
        let name = self.name(inner.next()?);
        let ty = self.type_expr(inner.next()?)?;
        let default = inner.next().and_then(|default| self.expression(default));
        Some(ParamDecl { name, ty, default, span })
    }

    fn type_expr<'s>(&mut self, pair: Pair<'s, Rule>) -> Option<TypeExpr<'s>> {
        let part = pair.into_inner().next()?;
        match part.as_rule() {
            Rule::list_type => Some(TypeExpr::List(Box::new(self.type_expr(content(part).next()?)?))),
            Rule::tuple_type => Some(TypeExpr::Tuple(self.all(content(part), Self::type_expr))),
            _ => Some(TypeExpr::Name(self.name(part))),
        }
    }

    /// Operands and operators; `*`, `/` and `%` bind tighter than `+` and `-`.
    pub fn expression<'s>(&mut self, pair: Pair<'s, Rule>) -> Option<Expr<'s>> {
        let mut parts = pair.into_inner();
        let mut sum = (self.operand(parts.next()?)?, Vec::new());
        let mut product = None;
        while let (Some(operator), Some(operand)) = (parts.next(), parts.next()) {
            let (operator, operand) = (read_operator(&operator), self.operand(operand)?);
            match (operator, &mut product) {
                (Operator::Add | Operator::Subtract, _) => {
                    close_product(&mut sum, &mut product);
                    sum.1.push((operator, operand));
                }
                (_, None) => product = Some(vec![(operator, operand)]),
                (_, Some(factors)) => factors.push((operator, operand)),
            }
        }
        close_product(&mut sum, &mut product);
        Some(chain(sum.0, sum.1))
    }

    fn operand<'s>(&mut self, operand: Pair<'s, Rule>) -> Option<Expr<'s>> {
        let start = self.span(&operand);
        let mut negative = false;
        for part in operand.into_inner() {
            if part.as_rule() == Rule::minus {
                negative = !negative;
                continue;
            }
            let is_literal = part.as_rule() == Rule::number;
            let value = self.atom(part, negative)?;
            let span = to(start, value.span);
            // -9223372036854775808 has no positive counterpart, so a sign before digits belongs to the number.
            let kind = if negative && !is_literal { ExprKind::Negate(Box::new(value)) } else { value.kind };
            return Some(Expr { kind, span });
        }
        None
    }

    fn atom<'s>(&mut self, pair: Pair<'s, Rule>, negative: bool) -> Option<Expr<'s>> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::number => self.number(pair.as_str(), span, negative),
            Rule::boolean => ExprKind::Bool(pair.as_str() == "true"),
            Rule::name => ExprKind::Name(pair.as_str()),
            Rule::list => ExprKind::List(self.all(content(pair), Self::expression)),
            _ => {
                let is_tuple = pair.clone().into_inner().any(|part| part.as_rule() == Rule::comma);
                let mut items = self.all(content(pair), Self::expression);
                match items.pop() {
                    Some(value) if !is_tuple => return Some(Expr { span, ..value }),
                    Some(last) => items.push(last),
                    None => {}
                }
                ExprKind::Tuple(items)
            }
        };
        Some(Expr { kind, span })
    }

    fn number<'s>(&mut self, text: &str, span: Span, negative: bool) -> ExprKind<'s> {
        let digits = text.replace('_', "");
        let signed = if negative { format!("-{digits}") } else { digits.clone() };
        let digits_only = digits.bytes().all(|byte| byte.is_ascii_digit());
        // Rust reads `inf`, `nan` and signs as well, but a number begins with a digit here.
        let error = match (signed.parse::<i64>(), signed.parse::<f64>()) {
            (Ok(value), _) => return ExprKind::Int(value),
            (Err(_), Ok(_)) if digits_only => Diagnostic::error(&codes::BAD_NUMBER, "this integer is too large")
                .at(span, "")
                .note(format!("integers go from {} to {}", i64::MIN, i64::MAX)),
            (Err(_), Ok(value)) if value.is_finite() => return ExprKind::Float(value),
            (Err(_), Ok(_)) => Diagnostic::error(&codes::BAD_NUMBER, "this number is too large")
                .at(span, "")
                .note(format!("the largest float is {:e}", f64::MAX)),
            (Err(_), Err(_)) => Diagnostic::error(&codes::BAD_NUMBER, "this is not a number").at(span, "").note(
                "integers are digits, `_` between them is ignored; floats have a point or an exponent: 0.5, 1e-3",
            ),
        };
        self.report.push(error);
        ExprKind::Broken
    }

    fn all<'s, T>(
        &mut self,
        pairs: impl Iterator<Item = Pair<'s, Rule>>,
        mut make: impl FnMut(&mut Self, Pair<'s, Rule>) -> Option<T>,
    ) -> Vec<T> {
        pairs.filter_map(|pair| make(self, pair)).collect()
    }

    fn name<'s>(&self, pair: Pair<'s, Rule>) -> Name<'s> {
        Name { text: pair.as_str(), span: self.span(&pair) }
    }

    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        source::span(self.source, self.base + span.start()..self.base + span.end())
    }
}

/// What is inside a pair, without keywords and punctuation.
fn content<'s>(pair: Pair<'s, Rule>) -> impl Iterator<Item = Pair<'s, Rule>> {
    pair.into_inner().filter(|pair| {
        !matches!(
            pair.as_rule(),
            Rule::keyword_model
                | Rule::keyword_input
                | Rule::keyword_output
                | Rule::open_paren
                | Rule::close_paren
                | Rule::open_list
                | Rule::close_list
                | Rule::comma
                | Rule::colon
                | Rule::equals
        )
    })
}

/// A span without the blanks and comments that pest took in while it looked for more.
fn trimmed(span: Span, pair: &Pair<'_, Rule>) -> Span {
    let end = pair.clone().into_inner().last().map_or(span.end, |last| {
        let inner = last.as_span();
        span.start + (inner.end() - pair.as_span().start()) as u32
    });
    Span { end, ..span }
}

/// From the beginning of one span to the end of another.
fn to(start: Span, end: Span) -> Span {
    Span { end: end.end, ..start }
}

fn read_operator(pair: &Pair<'_, Rule>) -> Operator {
    match pair.as_str() {
        "+" => Operator::Add,
        "*" => Operator::Multiply,
        "/" => Operator::Divide,
        "%" => Operator::Remainder,
        _ => Operator::Subtract,
    }
}

type Terms<'s> = (Expr<'s>, Vec<(Operator, Expr<'s>)>);

/// Attaches the factors read so far to the last term of a sum.
fn close_product<'s>(sum: &mut Terms<'s>, product: &mut Option<Vec<(Operator, Expr<'s>)>>) {
    if let Some(factors) = product.take() {
        let last = sum.1.last_mut().map_or(&mut sum.0, |(_, term)| term);
        let first = std::mem::replace(last, Expr { kind: ExprKind::Broken, span: last.span });
        *last = chain(first, factors);
    }
}

fn chain<'s>(first: Expr<'s>, rest: Vec<(Operator, Expr<'s>)>) -> Expr<'s> {
    match rest.last() {
        None => first,
        Some((_, last)) => {
            let span = to(first.span, last.span);
            Expr { kind: ExprKind::Chain(Box::new(first), rest), span }
        }
    }
}
