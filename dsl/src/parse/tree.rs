//! From pest's pairs to the syntax tree: heads, labels, calls. Expressions are in `expression.rs`.

use super::Rule;
use super::message::name_token;
use super::scan::{Token, TokenKind};
use crate::diagnostic::{Diagnostic, Report};
use crate::syntax::{
    Argument, Call, Definition, Expr, ExprKind, External, Label, Name, ParamDecl, Pattern, Rounds, Statement, TypeExpr,
};
use crate::{codes, source};
use cnn_ir::Span;
use pest::iterators::Pair;

/// Makes trees from the pairs of one statement; `base` is where the parsed slice begins in the file.
pub(super) struct Tree<'r> {
    pub source: u32,
    pub base: usize,
    pub report: &'r mut Report,
    /// Whether numbers may end in k, M or G: in an `assert`.
    pub magnitudes: bool,
    /// Whether there may be texts in quotes: in `train`.
    pub texts: bool,
}

impl<'r> Tree<'r> {
    pub fn head<'s>(&mut self, head: Pair<'s, Rule>) -> Option<(Name<'s>, Vec<ParamDecl<'s>>)> {
        let mut inner = content(head);
        let name = self.name(inner.next()?);
        let params = inner.next().map(|parameters| self.all(content(parameters), Self::parameter)).unwrap_or_default();
        Some((name, params))
    }

    pub fn extern_layer<'s>(&mut self, declaration: Pair<'s, Rule>) -> Option<Definition<'s>> {
        let mut inner = content(declaration).peekable();
        let name = self.name(inner.next()?);
        let parameters = inner.next_if(|pair| pair.as_rule() == Rule::parameters);
        let params = parameters.map(|parameters| self.all(content(parameters), Self::parameter)).unwrap_or_default();
        let shape = self.expression(inner.next()?)?;
        let path = self.name(inner.next()?);
        let external = Some(External { shape, path });
        Some(Definition { params, external, ..Definition::new(String::new(), name) })
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

    pub fn assertion<'s>(&mut self, assertion: Pair<'s, Rule>) -> Option<Statement<'s>> {
        let start = self.span(&assertion);
        let condition = self.expression(content(assertion).next()?)?;
        let span = to(start, condition.span);
        Some(Statement::Assert { condition, span })
    }

    /// What a `share` applies again.
    pub fn share<'s>(&mut self, share: Pair<'s, Rule>) -> Option<(Span, Label<'s>)> {
        let start = self.span(&share);
        let label = self.label(share)?;
        Some((to(start, label.span), label))
    }

    pub fn label<'s>(&mut self, label: Pair<'s, Rule>) -> Option<Label<'s>> {
        let mut inner = content(label);
        let name = self.name(inner.next()?);
        let (mut span, mut index) = (name.span, None);
        if let Some(written) = inner.next() {
            span = to(span, self.span(&written));
            index = Some(self.expression(content(written).next()?)?);
        }
        Some(Label { name, index, span })
    }

    /// The rounds of a `repeat` or `for`.
    pub fn rounds<'s>(&mut self, head: Pair<'s, Rule>) -> Option<Rounds<'s>> {
        let is_repeat = head.as_rule() == Rule::repeat_head;
        let mut inner = content(head);
        if is_repeat {
            return Some(Rounds::Count(self.expression(inner.next()?)?));
        }
        let pattern = self.pattern(inner.next()?)?;
        let first = self.expression(inner.next()?)?;
        Some(match inner.next() {
            Some(end) => Rounds::Range(pattern, first, self.expression(end)?),
            None => Rounds::Items(pattern, first),
        })
    }

    /// The condition of an `if`.
    pub fn if_head<'s>(&mut self, head: Pair<'s, Rule>) -> Option<Expr<'s>> {
        let condition = content(head).next()?;
        self.expression(condition)
    }

    fn pattern<'s>(&mut self, pattern: Pair<'s, Rule>) -> Option<Pattern<'s>> {
        let part = pattern.into_inner().next()?;
        if part.as_rule() == Rule::name {
            return Some(Pattern::Name(self.name(part)));
        }
        let span = self.span(&part);
        Some(Pattern::Tuple(self.all(content(part), Self::pattern), span))
    }

    pub fn call<'s>(&mut self, call: Pair<'s, Rule>) -> Option<Call<'s>> {
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
                Rule::text => value = Some(self.text(part)),
                Rule::indexed => value = self.indexed(part),
                _ => value = self.expression(part),
            }
        }
        let value = value?;
        let span = to(start, value.span);
        Some(Argument { name, value, span })
    }

    /// A step of a setting's value.
    pub fn setting<'s>(&mut self, setting: Pair<'s, Rule>) -> Option<Expr<'s>> {
        let value = setting.into_inner().next()?;
        if value.as_rule() == Rule::text { Some(self.text(value)) } else { self.expression(value) }
    }

    /// `"data/mnist"`
    fn text<'s>(&mut self, pair: Pair<'s, Rule>) -> Expr<'s> {
        let span = self.span(&pair);
        let text = pair.as_str().trim_matches('"');
        if self.texts {
            return Expr { kind: ExprKind::Text(text), span };
        }
        let token = Token { text: pair.as_str(), start: span.start as usize, kind: TokenKind::Text };
        let message = format!("expected an argument, found {}", name_token(token));
        let diagnostic = Diagnostic::error(&codes::SYNTAX, message).at(span, "expected an argument");
        self.report.push(diagnostic.edit("names and words are written without quotes", span, text));
        Expr { kind: ExprKind::Broken, span }
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

    pub(super) fn all<'s, T>(
        &mut self,
        pairs: impl Iterator<Item = Pair<'s, Rule>>,
        mut make: impl FnMut(&mut Self, Pair<'s, Rule>) -> Option<T>,
    ) -> Vec<T> {
        pairs.filter_map(|pair| make(self, pair)).collect()
    }

    pub(super) fn name<'s>(&self, pair: Pair<'s, Rule>) -> Name<'s> {
        Name { text: pair.as_str(), span: self.span(&pair) }
    }

    pub(super) fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        source::span(self.source, self.base + span.start()..self.base + span.end())
    }
}

/// What is inside a pair, without keywords and punctuation.
pub(super) fn content<'s>(pair: Pair<'s, Rule>) -> impl Iterator<Item = Pair<'s, Rule>> {
    pair.into_inner().filter(|pair| {
        !matches!(
            pair.as_rule(),
            Rule::keyword_assert
                | Rule::keyword_block
                | Rule::keyword_else
                | Rule::keyword_extern
                | Rule::keyword_for
                | Rule::keyword_if
                | Rule::keyword_in
                | Rule::keyword_input
                | Rule::keyword_layer
                | Rule::keyword_model
                | Rule::keyword_output
                | Rule::keyword_repeat
                | Rule::keyword_share
                | Rule::open_paren
                | Rule::close_paren
                | Rule::open_list
                | Rule::close_list
                | Rule::open_brace
                | Rule::close_brace
                | Rule::arrow
                | Rule::comma
                | Rule::colon
                | Rule::dot
                | Rule::range_sign
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
pub(super) fn to(start: Span, end: Span) -> Span {
    Span { end: end.end, ..start }
}
