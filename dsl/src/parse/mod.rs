//! From text to syntax tree.
//!
//! The grammar is in `grammar.pest`; pest parses one statement at a time, and this module walks from statement to
//! statement. So memory is bounded by the longest statement, and a mistake costs one statement: the parser skips it and
//! goes on with the next.

mod message;
mod scan;
mod tree;

use crate::diagnostic::{Diagnostic, Report};
use crate::syntax::{Expr, File, Model, Name, Statement};
use crate::{codes, source};
use cnn_ir::{NetworkBuilder, Span};
use message::{RESERVED, Unexpected};
use pest::Parser as _;
use pest::error::{ErrorVariant, InputLocation};
use pest::iterators::Pair;
use scan::{Chunk, Token, TokenKind, Tokens};
use std::ops::Range;
use tree::Tree;

#[derive(pest_derive::Parser)]
#[grammar = "grammar.pest"]
struct Grammar;

/// The most bytes of one statement.
const MAX_STATEMENT_BYTES: usize = 64 << 10;

/// Parses a file; what cannot be read is reported and left out.
pub(crate) fn parse<'s>(text: &'s str, source: u32, report: &mut Report) -> File<'s> {
    let chunks = scan::scan(text, source, report);
    let mut file = File::default();
    let mut statements = 0;
    for Chunk { range, sound } in chunks {
        if report.is_full() {
            break;
        }
        let mut parser = Parser { text, source, report: &mut *report, pos: range.start, end: range.end, statements };
        file.models.extend(parser.item(sound));
        statements = parser.statements;
    }
    file
}

/// Parses a single value, as it is given on a command line.
pub(crate) fn parse_value<'s>(text: &'s str, report: &mut Report) -> Option<Expr<'s>> {
    let chunks = scan::scan(text, 0, report);
    if report.errors() > 0 || chunks.len() != 1 {
        return None;
    }
    let mut parser = Parser { text, source: 0, report, pos: 0, end: text.len(), statements: 0 };
    parser.peek()?;
    let pair = parser.read(Rule::expression)?;
    let value = parser.tree(&pair).expression(pair);
    parser.peek().is_none().then_some(value).flatten()
}

struct Parser<'s, 'r> {
    text: &'s str,
    source: u32,
    report: &'r mut Report,
    pos: usize,
    /// Where the current item ends.
    end: usize,
    /// Statements of the file so far.
    statements: usize,
}

impl<'s> Parser<'s, '_> {
    fn item(&mut self, sound: bool) -> Option<Model<'s>> {
        let doc = self.docs();
        let keyword = self.peek()?;
        if !keyword.is("model") {
            if sound {
                match keyword.text {
                    "block" | "use" => self.not_available(keyword, keyword.text),
                    _ => self.unexpected(&["`model`"], None),
                }
            }
            return None;
        }
        let head_start = keyword.start;
        let mut model = if sound { self.model(doc) } else { self.model_name(doc) }?;
        model.head = source::span(self.source, head_start..model.name.span.end as usize);
        if let Some(token) = self.peek().filter(|_| sound && !model.broken_body) {
            match token.text {
                "train" | "use" => self.not_available(token, token.text),
                _ => self.unexpected(&["`model`"], None),
            }
        }
        Some(model)
    }

    /// The model as far as its name, when brackets do not match and the rest would only mislead.
    fn model_name(&mut self, doc: String) -> Option<Model<'s>> {
        let mut tokens = self.tokens();
        tokens.next();
        let token = tokens.next().filter(is_name)?;
        let name = self.name(token);
        let (params, body) = (Vec::new(), Vec::new());
        Some(Model { doc, name, params, body, head: name.span, broken_head: true, broken_body: true, oversized: false })
    }

    fn model(&mut self, doc: String) -> Option<Model<'s>> {
        let reset = self.pos;
        let head = self.read(Rule::model_head).and_then(|pair| self.tree(&pair).model_head(pair));
        let mut model = match head {
            Some((name, params)) => {
                let body = Vec::new();
                Model {
                    doc,
                    name,
                    params,
                    body,
                    head: name.span,
                    broken_head: false,
                    broken_body: false,
                    oversized: false,
                }
            }
            None => {
                self.pos = reset;
                self.model_name(doc)?
            }
        };
        if model.broken_head {
            // The body follows the first `{` that is not inside the parameters.
            let mut depth = 0;
            let body = self.tokens().find(|token| match token.kind {
                TokenKind::Open if depth == 0 && token.is("{") => true,
                TokenKind::Open => {
                    depth += 1;
                    false
                }
                TokenKind::Close => {
                    depth -= 1;
                    false
                }
                _ => false,
            });
            self.pos = body.map_or(self.end, |token| token.start);
        }
        match self.peek() {
            Some(token) if token.is("{") => {
                self.pos = token.end();
                model.broken_body = false;
                self.body(&mut model);
            }
            Some(token) if token.is("=") => {
                self.not_available(token, "model … = …");
                model.broken_body = true;
            }
            _ if model.broken_head => {}
            _ => {
                let expected: &[_] = if model.params.is_empty() { &["`(`", "`{`"] } else { &["`{`"] };
                self.unexpected(expected, None);
                model.broken_body = true;
            }
        }
        Some(model)
    }

    /// Statements up to and with the closing brace.
    fn body(&mut self, model: &mut Model<'s>) {
        // The step before, while `->` may follow it; and the arrow, while a step must follow it.
        let (mut step, mut arrow) = (None, None);
        while let Some(token) = self.peek() {
            if token.is("}") && arrow.is_none() {
                self.pos = token.end();
                return;
            }
            if self.report.is_full() || self.is_too_long(token) {
                break;
            }
            if token.is("->") && step.is_some() && arrow.is_none() {
                self.pos = token.end();
                arrow = Some(token);
                continue;
            }
            // What follows a name.
            let next = self.second().filter(|_| is_name(&token)).map(|next| next.text);
            let statement = match token.text {
                _ if next == Some("=") => {
                    self.pos = token.end();
                    self.unexpected(&["`:`"], Some(token));
                    self.skip_statement(token.start);
                    Statement::Broken { name: Some(self.name(token)) }
                }
                _ if next == Some("{") => {
                    self.not_available(token, &format!("{} {{ … }}", token.text));
                    Statement::Broken { name: None }
                }
                _ if is_name(&token) => self.statement(Rule::step, token),
                "input" if arrow.is_none() => self.statement(Rule::input, token),
                "output" if arrow.is_none() => self.statement(Rule::output, token),
                "repeat" | "for" | "if" | "share" | "train" | "train_only" | "assert" | "{" | "|" => {
                    self.not_available(token, token.text);
                    Statement::Broken { name: None }
                }
                _ => {
                    self.misplaced(token, step, arrow);
                    Statement::Broken { name: None }
                }
            };
            step = matches!(statement, Statement::Step(_) | Statement::Broken { .. }).then_some(token);
            arrow = None;
            model.body.push(statement);
        }
        model.broken_body = true;
        model.oversized = self.statements > NetworkBuilder::MAX_LAYERS;
        self.pos = self.end;
    }

    /// Reads a statement of a known kind; if that fails, keeps the names it gives.
    fn statement(&mut self, rule: Rule, first: Token<'s>) -> Statement<'s> {
        let read = self.read(rule).and_then(|pair| {
            let mut tree = self.tree(&pair);
            match rule {
                Rule::input => tree.input(pair),
                Rule::output => tree.output(pair),
                _ => tree.step(pair),
            }
        });
        read.unwrap_or_else(|| {
            let mut tokens = Tokens::new(self.text, first.start..self.end);
            let (first, second) = (tokens.next(), tokens.next());
            let name = match (first, second) {
                (Some(first), Some(second)) if is_name(&first) && second.is(":") => Some(self.name(first)),
                (_, Some(second)) if rule == Rule::input && is_name(&second) => Some(self.name(second)),
                _ => None,
            };
            Statement::Broken { name }
        })
    }

    /// Reports a token that begins no statement.
    fn misplaced(&mut self, token: Token<'s>, step: Option<Token<'s>>, arrow: Option<Token<'s>>) {
        let expected: &[_] = match (step, arrow) {
            (_, Some(_)) => &["a step"],
            (Some(_), None) => &["`->`", "a step", "`}`"],
            (None, None) => &["a step", "`}`"],
        };
        self.pos = token.start;
        self.unexpected(expected, step);
        self.skip_statement(token.start);
    }

    /// The statement limits of a file, reported once.
    fn is_too_long(&mut self, token: Token<'_>) -> bool {
        self.statements += 1;
        if self.statements == NetworkBuilder::MAX_LAYERS + 1 {
            let message = format!("a file may have {} statements", NetworkBuilder::MAX_LAYERS);
            let span = source::span(self.source, token.range());
            self.report.push(Diagnostic::error(&codes::TOO_LARGE, message).at(span, "one too many"));
        }
        self.statements > NetworkBuilder::MAX_LAYERS
    }

    /// Lets pest read one rule at the current position; if it cannot, reports why and skips the statement.
    fn read(&mut self, rule: Rule) -> Option<Pair<'s, Rule>> {
        let start = self.peek()?.start;
        let limit = self.text.floor_char_boundary(self.end.min(start + MAX_STATEMENT_BYTES));
        let slice = &self.text[start..limit];
        self.pos = start;
        let (at, expected) = match Grammar::parse(rule, slice) {
            Ok(mut pairs) => {
                let pair = pairs.next()?;
                let end = start + pair.as_span().end();
                if end < limit || limit == self.end {
                    self.pos = end;
                    return Some(pair);
                }
                (end, Vec::new())
            }
            Err(error) => {
                let at = match error.location {
                    InputLocation::Pos(at) | InputLocation::Span((at, _)) => start + at,
                };
                let rules = match error.variant {
                    ErrorVariant::ParsingError { positives, .. } => positives,
                    ErrorVariant::CustomError { .. } => Vec::new(),
                };
                (at, rules)
            }
        };
        if limit < self.end && Tokens::new(self.text, at..limit).next().is_none_or(|token| token.end() >= limit) {
            let message = format!("a statement may have {MAX_STATEMENT_BYTES} bytes");
            let first = Tokens::new(self.text, start..limit).next().map_or(start..start, |token| token.range());
            let span = source::span(self.source, first);
            self.report.push(Diagnostic::error(&codes::TOO_LARGE, message).at(span, "this one has more"));
        } else {
            let before = Tokens::new(self.text, start..at).last();
            self.pos = at;
            self.unexpected(&message::expected_words(expected), before);
        }
        self.skip_statement(start);
        None
    }

    /// Makes the tree of a pair that was just read.
    fn tree(&mut self, pair: &Pair<'_, Rule>) -> Tree<'_> {
        Tree { source: self.source, base: self.pos - pair.as_span().end(), report: self.report }
    }

    /// Reports the next token as not being what was expected.
    fn unexpected(&mut self, expected: &[&'static str], before: Option<Token<'s>>) {
        let mut rest = Tokens::new(self.text, self.pos..self.text.len());
        let found = rest.find(|token| token.kind != TokenKind::Doc);
        let (source, end) = (self.source, self.text.trim_end().len());
        self.report.push(Unexpected { source, expected: expected.to_vec(), before, found, end }.diagnostic());
    }

    fn not_available(&mut self, token: Token<'s>, what: &str) {
        let message = format!("`{what}` is not part of the language yet");
        let span = self.span(token);
        self.pos = token.start;
        self.report.push(Diagnostic::error(&codes::NOT_AVAILABLE, message).at(span, "reserved for a later version"));
        self.skip_statement(token.start);
    }

    /// Moves past the current position to where a statement may begin: after the end of the line, at `->`, at a
    /// keyword or at the brace that ends the body. Brackets opened since `start` are passed whole.
    fn skip_statement(&mut self, start: usize) {
        let failed = self.pos;
        let mut depth = 0usize;
        let mut last = failed;
        for token in Tokens::new(self.text, start..self.end) {
            let past = token.start > failed;
            let new_line = past && self.text[last.min(token.start)..token.start].contains('\n');
            let boundary = new_line || token.is("->") || (past && matches!(token.text, "input" | "output"));
            if depth == 0 && (token.is("}") || (boundary && token.start >= failed && token.start > start)) {
                self.pos = token.start;
                return;
            }
            match token.kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            last = token.end();
        }
        self.pos = self.end;
    }

    /// The `///` lines that come next, joined by newlines.
    fn docs(&mut self) -> String {
        let mut lines = Vec::new();
        for token in self.tokens() {
            if token.kind != TokenKind::Doc {
                break;
            }
            let line = token.text.trim_start_matches('/');
            lines.push(line.strip_prefix(' ').unwrap_or(line).trim_end());
            self.pos = token.end();
        }
        lines.join("\n")
    }

    /// The next token that is not a comment.
    fn peek(&self) -> Option<Token<'s>> {
        self.tokens().find(|token| token.kind != TokenKind::Doc)
    }

    /// The token after the next.
    fn second(&self) -> Option<Token<'s>> {
        self.tokens().filter(|token| token.kind != TokenKind::Doc).nth(1)
    }

    fn tokens(&self) -> Tokens<'s> {
        Tokens::new(self.text, self.range())
    }

    fn range(&self) -> Range<usize> {
        self.pos..self.end
    }

    fn name(&self, token: Token<'s>) -> Name<'s> {
        Name { text: token.text, span: self.span(token) }
    }

    fn span(&self, token: Token<'_>) -> Span {
        source::span(self.source, token.range())
    }
}

/// Whether a token can be a name: a word of ASCII letters that is not reserved.
fn is_name(token: &Token<'_>) -> bool {
    token.kind == TokenKind::Word && token.text.is_ascii() && !RESERVED.contains(&token.text)
}
