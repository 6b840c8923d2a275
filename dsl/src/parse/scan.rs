//! The pass ahead of the grammar: words and signs, comments, brackets, and where the items of a file begin.
//!
//! A bracket that is never closed spoils only the item it is in, because the next `model Name` begins a new one. And
//! nesting is bounded here, before any recursion.

use crate::diagnostic::{Diagnostic, Report};
use crate::{codes, source};
use std::ops::Range;

/// The deepest nesting of brackets.
pub(super) const MAX_DEPTH: usize = 128;

/// A word or sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'s> {
    pub text: &'s str,
    pub start: usize,
    pub kind: TokenKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Word,
    Number,
    Open,
    Close,
    Sign,
    /// Quotes and what is between them, on one line.
    Text,
    /// A `///` comment.
    Doc,
}

impl Token<'_> {
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub fn range(&self) -> Range<usize> {
        self.start..self.end()
    }

    pub fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

/// The tokens of a part of a text; never fails, since every character belongs to some token or is blank.
#[derive(Debug, Clone)]
pub(crate) struct Tokens<'s> {
    text: &'s str,
    pos: usize,
    end: usize,
}

impl<'s> Tokens<'s> {
    pub fn new(text: &'s str, range: Range<usize>) -> Self {
        Self { text, pos: range.start, end: range.end }
    }

    fn rest(&self) -> &'s str {
        &self.text[self.pos..self.end]
    }

    fn take(&mut self, kind: TokenKind, accept: impl Fn(char) -> bool) -> Token<'s> {
        let rest = self.rest();
        let length = rest.find(|c| !accept(c)).unwrap_or(rest.len());
        self.cut(kind, length)
    }

    fn cut(&mut self, kind: TokenKind, length: usize) -> Token<'s> {
        let token = Token { text: &self.rest()[..length], start: self.pos, kind };
        self.pos += length;
        token
    }
}

impl<'s> Iterator for Tokens<'s> {
    type Item = Token<'s>;

    fn next(&mut self) -> Option<Token<'s>> {
        loop {
            let rest = self.rest();
            let first = rest.chars().next()?;
            match first {
                ' ' | '\t' | '\r' | '\n' => self.pos += 1,
                '/' if rest.starts_with("//") => {
                    let is_doc = rest.starts_with("///") && !rest.starts_with("////");
                    let comment = self.take(TokenKind::Doc, |c| c != '\n');
                    if is_doc {
                        return Some(comment);
                    }
                }
                '0'..='9' => return Some(self.take(TokenKind::Number, is_word)),
                '(' | '[' | '{' => return Some(self.cut(TokenKind::Open, 1)),
                ')' | ']' | '}' => return Some(self.cut(TokenKind::Close, 1)),
                '"' if rest[1..].find(['"', '\n']).is_some_and(|end| rest[1 + end..].starts_with('"')) => {
                    let length = rest[1..].find('"').map_or(1, |end| end + 2);
                    return Some(self.cut(TokenKind::Text, length));
                }
                _ if is_word(first) => return Some(self.take(TokenKind::Word, is_word)),
                _ => {
                    let pairs = ["->", "..", "=>", "==", "!=", "<=", ">=", "|>", "/*", "*/", "&&", "||", "**"];
                    let pair = pairs.iter().any(|pair| rest.starts_with(pair));
                    return Some(self.cut(TokenKind::Sign, if pair { 2 } else { first.len_utf8() }));
                }
            }
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A stretch of the file from the beginning of one item to the beginning of the next.
#[derive(Debug)]
pub(super) struct Chunk {
    pub range: Range<usize>,
    /// Whether its brackets match and are not too deep.
    pub sound: bool,
}

/// Cuts a file into items and reports brackets that do not match.
pub(super) fn scan(text: &str, source: u32, report: &mut Report) -> Vec<Chunk> {
    let mut brackets = Brackets { text, source, report, open: Vec::new(), sound: true };
    let mut chunks = Vec::new();
    let mut start = 0;
    let mut docs = None;
    let mut tokens = Tokens::new(text, 0..text.len());
    while let Some(token) = tokens.next() {
        if token.kind == TokenKind::Doc {
            docs = docs.or(Some(token.start));
            continue;
        }
        if brackets.report.is_full() {
            // What follows would be left out anyway.
            return chunks;
        }
        if begins_item(token, &tokens) {
            let here = docs.unwrap_or(token.start);
            let sound = brackets.end(here, Some(token));
            chunks.push(Chunk { range: start..here, sound });
            start = here;
        }
        docs = None;
        brackets.see(token);
    }
    let sound = brackets.end(text.trim_end().len(), None);
    chunks.push(Chunk { range: start..text.len(), sound });
    chunks
}

/// `model Name`, `block name`, `extern layer` and `use "file"` occur at the beginning of an item only, since the words are reserved.
fn begins_item(token: Token<'_>, rest: &Tokens<'_>) -> bool {
    let next = || rest.clone().next().map(|next| next.kind);
    match token.text {
        "model" | "block" => matches!(next(), Some(TokenKind::Word | TokenKind::Number)),
        "use" => next() == Some(TokenKind::Text),
        "extern" => rest.clone().next().is_some_and(|next| next.is("layer")),
        _ => false,
    }
}

struct Brackets<'s, 'r> {
    text: &'s str,
    source: u32,
    report: &'r mut Report,
    open: Vec<Token<'s>>,
    sound: bool,
}

impl<'s> Brackets<'s, '_> {
    fn see(&mut self, token: Token<'s>) {
        if !self.sound {
            return;
        }
        match token.kind {
            TokenKind::Open if self.open.len() == MAX_DEPTH => {
                let message = format!("brackets are nested more than {MAX_DEPTH} deep");
                self.fail(Diagnostic::error(&codes::TOO_DEEP, message).at(self.span(token), "one too many"));
            }
            TokenKind::Open => self.open.push(token),
            TokenKind::Close => self.close(token),
            _ => {}
        }
    }

    fn close(&mut self, token: Token<'s>) {
        match self.open.pop() {
            Some(open) if closer(open) == token.text => {}
            Some(open) => {
                let message = format!("`{}` is closed by `{}`", open.text, token.text);
                let diagnostic = Diagnostic::error(&codes::UNBALANCED, message)
                    .at(self.span(token), format!("expected `{}`", closer(open)))
                    .see(self.span(open), "opened here");
                self.fail(self.note_comment(open, diagnostic));
            }
            None => {
                let message = format!("`{}` closes nothing", token.text);
                let diagnostic = Diagnostic::error(&codes::UNBALANCED, message)
                    .at(self.span(token), "no bracket is open here")
                    .edit("remove it", self.span(token), "");
                self.fail(diagnostic);
            }
        }
    }

    /// Ends an item at `here`, before the item that `next` begins or at the end of the file.
    fn end(&mut self, here: usize, next: Option<Token<'s>>) -> bool {
        if self.sound
            && let Some(&open) = self.open.first()
        {
            let mut diagnostic = Diagnostic::error(&codes::UNBALANCED, format!("`{}` is never closed", open.text))
                .at(self.span(open), "opened here");
            diagnostic = match next {
                Some(next) => diagnostic
                    .see(self.span(next), format!("expected `{}` before the next `{}`", closer(open), next.text)),
                None => diagnostic.see(source::span(self.source, here..here), "the file ends here"),
            };
            self.fail(self.note_comment(open, diagnostic));
        }
        self.open.clear();
        std::mem::replace(&mut self.sound, true)
    }

    /// Who divides with `//` hides what would have closed the bracket.
    fn note_comment(&self, open: Token<'_>, diagnostic: Diagnostic) -> Diagnostic {
        let line = self.text[open.end()..].lines().next().unwrap_or_default();
        match open.text != "{" && line.contains("//") {
            true => diagnostic.note("`//` begins a comment; `/` of integers rounds down"),
            false => diagnostic,
        }
    }

    fn fail(&mut self, diagnostic: Diagnostic) {
        self.sound = false;
        self.report.push(diagnostic);
    }

    fn span(&self, token: Token<'_>) -> cnn_ir::Span {
        source::span(self.source, token.range())
    }
}

fn closer(open: Token<'_>) -> &'static str {
    match open.text {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}
