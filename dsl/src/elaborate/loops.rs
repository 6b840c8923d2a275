//! `repeat` and `for`.

use super::check_name;
use super::context::STEP;
use super::model::Elaborator;
use super::value::Value;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::syntax::{Loop, Name, Pattern, Rounds};
use cnn_ir::{NetworkBuilder, Span};

/// The most rounds of loops within each other: one layer each would be all that a network may have.
const MAX_ROUNDS: u64 = NetworkBuilder::MAX_LAYERS as u64;

impl<'a, 's> Elaborator<'a, 's> {
    pub fn repeat(&mut self, inner: &'a Loop<'s>) {
        match &inner.rounds {
            Rounds::Count(count) => {
                let rounds = self.integer(count, "the number of rounds");
                let rounds = rounds.and_then(|rounds| self.natural(rounds, count.span));
                self.rounds(inner, None, rounds, count.span, |_| None);
            }
            Rounds::Range(pattern, first, end) => {
                let (from, to) = (self.integer(first, "a range's start"), self.integer(end, "a range's end"));
                let span = Span { end: end.span.end, ..first.span };
                let rounds = from.zip(to).map(|(from, to)| to.saturating_sub(from).max(0) as u64);
                let from = from.unwrap_or(0);
                self.rounds(inner, Some(pattern), rounds, span, |round| Some(Value::Int(from + round as i64)));
            }
            Rounds::Items(pattern, list) => {
                let items = self.value(list).and_then(|value| self.items(value, list.span));
                let rounds = items.as_ref().map(|items| items.len() as u64);
                let items = items.unwrap_or_default();
                self.rounds(inner, Some(pattern), rounds, list.span, |round| items.get(round as usize).cloned());
            }
        }
    }

    /// Goes through the rounds; if their number is unknown, through one with unknown values.
    fn rounds(
        &mut self,
        inner: &'a Loop<'s>,
        pattern: Option<&'a Pattern<'s>>,
        rounds: Option<u64>,
        span: Span,
        value: impl Fn(u64) -> Option<Value>,
    ) {
        let outer = self.rounds;
        let total = outer.saturating_mul(rounds.unwrap_or(1));
        if total > MAX_ROUNDS {
            let message = format!("loops within each other may have {MAX_ROUNDS} rounds");
            let figures = format!("{outer} × {} rounds", rounds.unwrap_or(1));
            let label = if outer > 1 { figures } else { format!("{} rounds", rounds.unwrap_or(1)) };
            self.cx.report.push(Diagnostic::error(&codes::TOO_LARGE, message).at(span, label));
            return self.poison(inner.span);
        }
        self.rounds = total.max(1);
        for round in 0..rounds.unwrap_or(1) {
            if self.is_stopped() {
                self.failed = true;
                break;
            }
            self.cx.spend(STEP, inner.span);
            let value = rounds.and_then(|_| value(round));
            if rounds.is_none() {
                self.poison(span);
            }
            let mut bound = Vec::new();
            if let Some(pattern) = pattern {
                self.bind(pattern, value, &mut bound);
            }
            let place = self.describe_round(pattern, round, rounds, span);
            self.cx.report.enter(place.0, place.1);
            self.deeper(inner.span, |this| this.statements(&inner.body));
            self.cx.report.leave();
            for name in bound {
                self.frame_sequence().names.remove(name);
                self.frame().scope.bindings.remove(name);
            }
        }
        self.rounds = outer;
    }

    /// Binds what a pattern names; `bound` are the names to forget after the round.
    fn bind(&mut self, pattern: &'a Pattern<'s>, value: Option<Value>, bound: &mut Vec<&'s str>) {
        match (pattern, value) {
            (Pattern::Name(name), value) => {
                check_name(*name, self.cx.report);
                if self.declare(name.text, name.span, "variable", None) {
                    self.frame().scope.bindings.insert(name.text, value);
                    bound.push(name.text);
                }
            }
            (Pattern::Tuple(patterns, _), Some(Value::Tuple(items))) if patterns.len() == items.len() => {
                for (pattern, item) in patterns.iter().zip(items) {
                    self.bind(pattern, Some(item), bound);
                }
            }
            (Pattern::Tuple(patterns, span), value) => {
                if let Some(value) = value {
                    let message = format!("the pattern takes tuples of {}, not {}", patterns.len(), value.brief());
                    self.cx.report.push(Diagnostic::error(&codes::TYPE_MISMATCH, message).at(*span, ""));
                }
                for pattern in patterns {
                    self.bind(pattern, None, bound);
                }
            }
        }
    }

    /// Which round it is, for what goes wrong in it.
    fn describe_round(
        &mut self,
        pattern: Option<&'a Pattern<'s>>,
        round: u64,
        rounds: Option<u64>,
        span: Span,
    ) -> (Span, String) {
        let Some(pattern) = pattern else {
            let rounds = rounds.map_or(String::new(), |rounds| format!(" of {rounds}"));
            return (span, format!("in round {}{rounds}", round + 1));
        };
        let mut names = Vec::new();
        pattern.each(&mut |name| names.push(name));
        let values = names.iter().filter_map(|name| {
            let value = self.frame().scope.bindings.get(name.text)?.as_ref()?;
            Some(format!("`{}` = {}", name.text, value.brief()))
        });
        let values: Vec<String> = values.collect();
        let text = if values.is_empty() { "in this loop".to_owned() } else { format!("with {}", values.join(", ")) };
        (pattern.span(), text)
    }

    fn integer(&mut self, expr: &crate::syntax::Expr<'s>, what: &str) -> Option<i64> {
        let last = self.frames.len() - 1;
        self.frames[last].scope.integer(expr, what, &mut self.cx)
    }

    fn natural(&mut self, value: i64, span: Span) -> Option<u64> {
        match u64::try_from(value) {
            Ok(value) => Some(value),
            Err(_) => {
                let message = format!("{value} rounds cannot be");
                self.cx.fail(Diagnostic::error(&codes::BAD_ARGUMENT, message).at(span, "at least 0"))
            }
        }
    }

    /// The items of a list.
    fn items(&mut self, value: Value, span: Span) -> Option<Vec<Value>> {
        match value {
            Value::List(items) => Some(items),
            other => {
                let message = format!("`for` goes through a list, not {}", other.a_type());
                let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message);
                let diagnostic = diagnostic.at(span, format!("expected a list, found {}", other.brief()));
                self.cx.fail(match other {
                    Value::Int(_) => diagnostic.edit("count from 0", Span { end: span.start, ..span }, "0.."),
                    _ => diagnostic,
                })
            }
        }
    }
}

impl<'s> Pattern<'s> {
    /// Every name in the pattern.
    pub fn each(&self, see: &mut impl FnMut(Name<'s>)) {
        match self {
            Pattern::Name(name) => see(*name),
            Pattern::Tuple(patterns, _) => patterns.iter().for_each(|pattern| pattern.each(see)),
        }
    }

    fn span(&self) -> Span {
        match self {
            Pattern::Name(name) => name.span,
            Pattern::Tuple(_, span) => *span,
        }
    }
}
