//! From text to syntax tree.
//!
//! The grammar is in `grammar.pest`; pest parses one statement at a time, and this module walks from statement to
//! statement. So memory is bounded by the longest statement, and a mistake costs one statement: the parser skips it and
//! goes on with the next. Definitions are here, what is between their braces is in `body.rs`.

mod body;
mod expression;
mod message;
mod scan;
mod tree;

use crate::diagnostic::{Diagnostic, Report};
use crate::syntax::{Definition, Expr, File, Name};
use crate::{codes, source, suggest};
use cnn_ir::{NetworkBuilder, OpDef, Span};
pub(crate) use message::RESERVED;
use message::Unexpected;
use pest::Parser as _;
use pest::error::{ErrorVariant, InputLocation};
use pest::iterators::Pair;
use scan::Chunk;
pub(crate) use scan::{Token, TokenKind, Tokens};
use std::ops::Range;
use tree::Tree;

#[derive(pest_derive::Parser)]
#[grammar = "grammar.pest"]
struct Grammar;

/// What an item of a file begins with.
const ITEMS: &[&str] = &["`model`", "`block`", "`extern`", "`use`"];

/// The most bytes of one statement.
const MAX_STATEMENT_BYTES: usize = 64 << 10;

/// Parses a file; what cannot be read is reported and left out.
pub(crate) fn parse<'s>(text: &'s str, source: u32, report: &mut Report) -> File<'s> {
    let chunks = scan::scan(text, source, report);
    let mut file = File::default();
    for Chunk { range, sound } in chunks {
        if report.is_full() {
            break;
        }
        let mut parser = Parser::new(text, source, report, range);
        parser.statements = std::mem::take(&mut file.statements);
        let item = parser.item(sound);
        file.statements = std::mem::take(&mut parser.statements);
        match item {
            Some((Item::Model, definition)) => file.models.push(definition),
            Some((Item::Block | Item::Extern, definition)) => file.blocks.push(definition),
            None => file.uses.extend(parser.used.take()),
        }
    }
    file
}

/// How many bytes the number at the beginning of a text takes, with its point and exponent; 0 if there is none.
pub(crate) fn number_length(text: &str) -> usize {
    Grammar::parse(Rule::number, text).map_or(0, |number| number.as_str().len())
}

/// The paths of the files that a file uses.
pub(crate) fn uses(text: &str) -> Vec<&str> {
    let mut tokens = Tokens::new(text, 0..text.len()).peekable();
    let mut uses = Vec::new();
    while let Some(token) = tokens.next() {
        if token.is("use")
            && let Some(path) = tokens.next_if(|next| next.kind == TokenKind::Text)
        {
            uses.push(path.text.trim_matches('"'));
        }
    }
    uses
}

/// Parses a single value, as it is given on a command line.
pub(crate) fn parse_value<'s>(text: &'s str, report: &mut Report) -> Option<Expr<'s>> {
    let chunks = scan::scan(text, 0, report);
    if report.errors() > 0 || chunks.len() != 1 {
        return None;
    }
    let mut parser = Parser::new(text, 0, report, 0..text.len());
    parser.peek()?;
    let pair = parser.read(Rule::expression)?;
    let value = parser.tree(&pair).expression(pair);
    parser.peek().is_none().then_some(value).flatten()
}

/// What a file consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Model,
    Block,
    Extern,
}

struct Parser<'s, 'r> {
    text: &'s str,
    source: u32,
    report: &'r mut Report,
    pos: usize,
    /// Where the current item ends.
    end: usize,
    /// Where each statement of the file so far begins, and each `->`.
    statements: Vec<usize>,
    /// Whether `|` ends the current sequence: it is a branch.
    in_branch: bool,
    /// The body could not be read to its end.
    cut: bool,
    /// Statements were left out that may have given names.
    lost_names: bool,
    /// Where a statement begins that may be a misspelt keyword, after an error that says so.
    misspelt: Option<usize>,
    /// The path of a `use`.
    used: Option<Name<'s>>,
}

impl<'s, 'r> Parser<'s, 'r> {
    fn new(text: &'s str, source: u32, report: &'r mut Report, range: Range<usize>) -> Self {
        let Range { start: pos, end } = range;
        let (statements, in_branch, cut, lost_names, misspelt, used) = (Vec::new(), false, false, false, None, None);
        Self { text, source, report, pos, end, statements, in_branch, cut, lost_names, misspelt, used }
    }

    fn item(&mut self, sound: bool) -> Option<(Item, Definition<'s>)> {
        let doc = self.docs();
        let keyword = self.peek()?;
        let item = match keyword.text {
            "model" => Item::Model,
            "block" => Item::Block,
            "extern" => Item::Extern,
            other => {
                if sound {
                    match other {
                        "use" => self.use_file(keyword),
                        "train" => self.misplaced_train(keyword),
                        _ => self.unexpected(ITEMS, None),
                    }
                }
                return None;
            }
        };
        let mut definition = match item {
            Item::Extern => self.external(doc, sound),
            _ if sound => self.definition(item, doc),
            _ => self.only_name(doc),
        }?;
        definition.head = Span { start: keyword.start as u32, ..definition.name.span };
        if let Some(token) = self.peek().filter(|_| sound && !definition.broken_body) {
            match token.text {
                "train" => self.misplaced_train(token),
                "use" => self.use_file(token),
                _ => self.unexpected(ITEMS, None),
            }
        }
        Some((item, definition))
    }

    /// `use "file.cnn"`
    fn use_file(&mut self, keyword: Token<'s>) {
        self.pos = keyword.end();
        let Some(path) = self.peek().filter(|token| token.kind == TokenKind::Text) else {
            return self.unexpected(&["a path in quotes"], Some(keyword));
        };
        self.pos = path.end();
        let text = path.text.trim_matches('"');
        self.used = Some(Name { text, span: self.span(path) });
        match self.peek() {
            // With a path it would have begun an item of its own.
            Some(next) if next.is("use") => self.use_file(next),
            Some(_) => self.unexpected(ITEMS, Some(path)),
            None => {}
        }
    }

    /// `extern layer name(params) -> shape = path`
    fn external(&mut self, doc: String, sound: bool) -> Option<Definition<'s>> {
        let words = self.tokens().filter(|token| token.kind != TokenKind::Doc);
        let name = words.take(3).nth(2).filter(is_name).map(|token| self.name(token));
        let read = if sound { self.read(Rule::extern_layer) } else { None };
        match read.and_then(|pair| self.tree(&pair).extern_layer(pair)) {
            Some(definition) => Some(Definition { doc, ..definition }),
            None => Some(Definition { broken_head: true, broken_body: true, ..Definition::new(doc, name?) }),
        }
    }

    /// The definition as far as its name, when brackets do not match and the rest would only mislead.
    fn only_name(&mut self, doc: String) -> Option<Definition<'s>> {
        let mut tokens = self.tokens();
        tokens.next();
        let name = tokens.next().filter(is_name).map(|token| self.name(token))?;
        Some(Definition { broken_head: true, broken_body: true, ..Definition::new(doc, name) })
    }

    fn definition(&mut self, item: Item, doc: String) -> Option<Definition<'s>> {
        let reset = self.pos;
        let rule = if item == Item::Model { Rule::model_head } else { Rule::block_head };
        let head = self.read(rule).and_then(|pair| self.tree(&pair).head(pair));
        let mut definition = match head {
            Some((name, params)) => Definition { params, ..Definition::new(doc, name) },
            None => {
                self.pos = reset;
                let definition = self.only_name(doc)?;
                self.skip_to_body();
                definition
            }
        };
        match self.peek() {
            Some(token) if token.is("{") => {
                self.pos = token.end();
                definition.body = self.sequence();
                if let Some(close) = self.peek().filter(|_| !self.cut) {
                    self.pos = close.end();
                }
                definition.broken_body = self.cut;
                definition.lost_names = self.lost_names;
                definition.oversized = self.statements.len() > NetworkBuilder::MAX_LAYERS;
            }
            Some(token) if token.is("=") && item == Item::Model => {
                self.pos = token.end();
                definition.preset = self.preset();
                definition.broken_body = definition.preset.is_none();
            }
            _ if definition.broken_head => {}
            _ => {
                let open = if definition.params.is_empty() { &["`(`", "`{`"] } else { &["`{`"] as &[_] };
                self.unexpected(open, None);
                definition.broken_body = true;
            }
        }
        Some(definition)
    }

    /// What follows `model Name =`.
    fn preset(&mut self) -> Option<crate::syntax::Call<'s>> {
        if self.peek().filter(is_name).is_none() {
            self.unexpected(&["the name of a model"], None);
            return None;
        }
        let call = self.read(Rule::call)?;
        self.tree(&call).call(call)
    }

    /// The body follows the first `{` that is not inside the parameters.
    fn skip_to_body(&mut self) {
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

    /// Notes that a statement or `->` begins, and whether that is one too many for a file; reported once.
    fn is_too_long(&mut self, token: Token<'_>) -> bool {
        self.statements.push(token.start);
        if self.statements.len() == NetworkBuilder::MAX_LAYERS + 1 {
            let message = format!("a file may have {} statements", NetworkBuilder::MAX_LAYERS);
            let span = source::span(self.source, token.range());
            self.report.push(Diagnostic::error(&codes::TOO_LARGE, message).at(span, "one too many"));
        }
        self.statements.len() > NetworkBuilder::MAX_LAYERS
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
        let (magnitudes, texts) = (pair.as_rule() == Rule::assertion, pair.as_rule() == Rule::setting);
        Tree { source: self.source, base: self.pos - pair.as_span().end(), report: self.report, magnitudes, texts }
    }

    /// Reports the next token as not being what was expected.
    fn unexpected(&mut self, expected: &[&'static str], before: Option<Token<'s>>) {
        let mut rest = Tokens::new(self.text, self.pos..self.text.len());
        let found = rest.find(|token| token.kind != TokenKind::Doc);
        let (source, end) = (self.source, self.text.trim_end().len());
        let misspelt = found.and_then(|found| self.misspelt_before(found.start));
        self.misspelt = misspelt.map(|(word, _)| word.start);
        let misspelt = misspelt.map(|(word, meant)| (self.span(word), meant));
        self.report.push(Unexpected { source, expected: expected.to_vec(), before, found, end, misspelt }.diagnostic());
    }

    /// The word before on the same line that begins a statement and is like a keyword, and the keyword.
    fn misspelt_before(&self, found: usize) -> Option<(Token<'s>, &'static str)> {
        // A keyword is not far from what it made no sense of.
        const FARTHEST: usize = 8;
        let line = self.text[..found].rfind('\n').map_or(0, |end| end + 1);
        let starts = self.statements.iter().rev().take(FARTHEST).take_while(|start| **start >= line);
        starts.copied().find_map(|start| {
            let mut tokens = Tokens::new(self.text, start..found);
            let word = tokens.next().filter(is_name).filter(|word| OpDef::find(word.text).is_none())?;
            let is_other = tokens.next().is_some_and(|next| matches!(next.text, ":" | "=" | "("));
            suggest::keyword(word.text).filter(|_| !is_other).map(|meant| (word, meant))
        })
    }

    /// `train { … }` outside of every model.
    fn misplaced_train(&mut self, token: Token<'s>) {
        let diagnostic = Diagnostic::error(&codes::MISPLACED_TRAIN, "`train` stands outside of a model");
        let diagnostic = diagnostic.at(self.span(token), "").help("move it into the model's braces, to their end");
        self.report.push(diagnostic);
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
            let boundary = new_line
                || token.is("->")
                || (past && matches!(token.text, "input" | "output" | "assert" | "repeat" | "for"));
            let ends = token.is("}") || (self.in_branch && (token.is("|") || token.is("||")));
            if depth == 0 && (ends || (boundary && token.start >= failed && token.start > start)) {
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
