//! Expressions, from pest's pairs to the syntax tree.

use super::Rule;
use super::tree::{Tree, content, to};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::syntax::{Comparison, Expr, ExprKind, Operator};
use cnn_ir::Span;
use pest::iterators::Pair;

impl Tree<'_> {
    /// `a or b or c`
    pub fn expression<'s>(&mut self, pair: Pair<'s, Rule>) -> Option<Expr<'s>> {
        let parts = pair.into_inner().filter(|part| part.as_rule() == Rule::conjunction);
        Some(either(self.every(parts, Self::conjunction)?, ExprKind::Any))
    }

    fn conjunction<'s>(&mut self, pair: Pair<'s, Rule>) -> Option<Expr<'s>> {
        let parts = pair.into_inner().filter(|part| part.as_rule() == Rule::condition);
        Some(either(self.every(parts, Self::condition)?, ExprKind::All))
    }

    /// `not a == b` is `not (a == b)`, as in Python.
    fn condition<'s>(&mut self, pair: Pair<'s, Rule>) -> Option<Expr<'s>> {
        let start = self.span(&pair);
        let mut negated = false;
        let (mut value, mut comparison): (Option<Expr<'s>>, Option<Pair<'s, Rule>>) = (None, None);
        let mut comparisons = 0;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::keyword_not => negated = !negated,
                Rule::comparison => {
                    comparisons += 1;
                    comparison = Some(part);
                }
                _ => {
                    let right = self.sum(part)?;
                    value = Some(match (value, comparison.take()) {
                        (Some(left), Some(_)) if comparisons > 2 => left,
                        (Some(left), Some(sign)) if comparisons == 2 => self.chained(left, &sign, right),
                        (Some(left), Some(sign)) => compare(left, &sign, right),
                        _ => right,
                    });
                }
            }
        }
        let value = value?;
        if !negated {
            return Some(value);
        }
        let span = to(start, value.span);
        Some(Expr { kind: ExprKind::Not(Box::new(value)), span })
    }

    /// Refuses `a < b < c`; `(a < b) == c` is another matter.
    fn chained<'s>(&mut self, left: Expr<'s>, sign: &Pair<'s, Rule>, right: Expr<'s>) -> Expr<'s> {
        let error = Diagnostic::error(&codes::SYNTAX, "comparisons cannot be chained")
            .at(self.span(sign), "a second comparison")
            .help("write `a < b and b < c`");
        self.report.push(error);
        Expr { kind: ExprKind::Broken, span: to(left.span, right.span) }
    }

    /// Operands and operators; `*`, `/` and `%` bind tighter than `+` and `-`.
    fn sum<'s>(&mut self, pair: Pair<'s, Rule>) -> Option<Expr<'s>> {
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
        let mut value: Option<Expr<'s>> = None;
        // -9223372036854775808 has no positive counterpart, so a sign before digits belongs to the number.
        let mut signed = false;
        for part in operand.into_inner() {
            match (part.as_rule(), value.take()) {
                (Rule::minus, _) => negative = !negative,
                (Rule::field, Some(whole)) => value = Some(self.field(whole, part)?),
                (rule, _) => {
                    signed = rule == Rule::number;
                    value = Some(self.atom(part, negative)?);
                }
            }
        }
        let value = value?;
        let span = to(start, value.span);
        let kind = if negative && !signed { ExprKind::Negate(Box::new(value)) } else { value.kind };
        Some(Expr { kind, span })
    }

    fn field<'s>(&mut self, whole: Expr<'s>, field: Pair<'s, Rule>) -> Option<Expr<'s>> {
        let index = content(field).next()?;
        let span = to(whole.span, self.span(&index));
        // An index too large for the machine is too large for any tuple.
        let index = index.as_str().parse().unwrap_or(usize::MAX);
        Some(Expr { kind: ExprKind::Field(Box::new(whole), index), span })
    }

    fn atom<'s>(&mut self, pair: Pair<'s, Rule>, negative: bool) -> Option<Expr<'s>> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::number => self.number(pair.as_str(), span, negative),
            Rule::boolean => ExprKind::Bool(pair.as_str() == "true"),
            Rule::call => {
                let call = self.call(pair)?;
                let span = call.span;
                let kind = match call.parenthesis {
                    None => ExprKind::Name(call.name.text),
                    Some(_) => ExprKind::Call(Box::new(call)),
                };
                return Some(Expr { kind, span });
            }
            Rule::input_size => {
                let name = content(pair).next().map(|name| self.name(name))?;
                return Some(Expr { kind: ExprKind::Input(name), span: to(span, name.span) });
            }
            Rule::conditional => self.conditional(pair)?,
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

    fn conditional<'s>(&mut self, pair: Pair<'s, Rule>) -> Option<ExprKind<'s>> {
        let mut arms = Vec::new();
        let mut condition = None;
        for part in content(pair) {
            if part.as_rule() == Rule::expression {
                condition = Some(self.expression(part)?);
                continue;
            }
            let value = self.expression(content(part).next()?)?;
            match condition.take() {
                Some(condition) => arms.push((condition, value)),
                None => return Some(ExprKind::If(arms, Box::new(value))),
            }
        }
        None
    }

    /// `skip{i}`
    pub(super) fn indexed<'s>(&mut self, pair: Pair<'s, Rule>) -> Option<Expr<'s>> {
        let span = self.span(&pair);
        let mut inner = content(pair);
        let name = self.name(inner.next()?);
        let index = self.expression(content(inner.next()?).next()?)?;
        Some(Expr { kind: ExprKind::Indexed(name, Box::new(index)), span })
    }

    fn number<'s>(&mut self, text: &str, span: Span, negative: bool) -> ExprKind<'s> {
        let digits = text.replace('_', "");
        if let Some(value) = self.magnitude(&digits) {
            return ExprKind::Int(if negative { -value } else { value });
        }
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

    /// `130M`, `1.5G` and, of bytes, `50MB` in an `assert`.
    fn magnitude(&self, digits: &str) -> Option<i64> {
        if !self.magnitudes {
            return None;
        }
        let digits = digits.strip_suffix('B').unwrap_or(digits);
        let (number, zeros) = [('k', 3), ('M', 6), ('G', 9)]
            .into_iter()
            .find_map(|(suffix, zeros)| digits.strip_suffix(suffix).map(|number| (number, zeros)))?;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if part.len() > zeros || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        format!("{whole}{part:0<zeros$}").parse().ok()
    }

    /// All parts, or none if one cannot be made.
    fn every<'s>(
        &mut self,
        pairs: impl Iterator<Item = Pair<'s, Rule>>,
        mut make: impl FnMut(&mut Self, Pair<'s, Rule>) -> Option<Expr<'s>>,
    ) -> Option<Vec<Expr<'s>>> {
        pairs.map(|pair| make(self, pair)).collect()
    }
}

fn compare<'s>(left: Expr<'s>, sign: &Pair<'s, Rule>, right: Expr<'s>) -> Expr<'s> {
    let span = to(left.span, right.span);
    let comparison = match sign.as_str() {
        "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessEqual,
        ">" => Comparison::Greater,
        _ => Comparison::GreaterEqual,
    };
    Expr { kind: ExprKind::Compare(comparison, Box::new((left, right))), span }
}

/// One part as it is, several as an `and` or `or`.
fn either<'s>(mut parts: Vec<Expr<'s>>, make: fn(Vec<Expr<'s>>) -> ExprKind<'s>) -> Expr<'s> {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            let span = parts.first().map_or(last.span, |first| to(first.span, last.span));
            parts.push(last);
            Expr { kind: make(parts), span }
        }
        (_, None) => Expr { kind: ExprKind::Broken, span: Span::default() },
    }
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
