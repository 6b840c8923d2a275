//! Tokens with what stands between them: comments, line ends, and whether a blank belongs there.

use crate::parse::{RESERVED, Token, TokenKind, Tokens, number_length};

/// A token and what is before it.
#[derive(Debug)]
pub(super) struct Leaf<'s> {
    pub text: &'s str,
    pub kind: TokenKind,
    /// Whether it begins an item of the file or a statement, or is a `->` between two steps.
    pub begins: bool,
    /// Whether it is a brace around statements.
    pub is_body: bool,
    /// Whether a blank goes before it within a line.
    pub spaced: bool,
    pub gap: Gap<'s>,
}

/// What is between two tokens.
#[derive(Debug, Default)]
pub(super) struct Gap<'s> {
    pub newline: bool,
    /// A comment at the end of the line before.
    pub trailing: Option<Comment<'s>>,
    /// Lines with a comment each; an empty one stands for one or more without.
    pub lines: Vec<&'s str>,
}

/// A comment that follows code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comment<'s> {
    pub text: &'s str,
    /// Characters before it in its line, where the author set it apart with several blanks.
    pub column: Option<usize>,
}

impl Leaf<'_> {
    pub fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub fn width(&self) -> usize {
        usize::from(self.spaced) + self.text.chars().count()
    }
}

impl<'s> Gap<'s> {
    /// The gap at `range` of a text.
    fn new(text: &'s str, start: usize, end: usize) -> Self {
        let mut pieces = text[start..end].split('\n');
        let first = pieces.next().unwrap_or_default();
        let comment = first.trim();
        let mut gap = Gap::default();
        if start == 0 {
            gap.push(comment);
        } else if !comment.is_empty() {
            let blanks = first.len() - first.trim_start().len();
            let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
            let column = (blanks > 1).then(|| text[line..start].chars().count() + blanks);
            gap.trailing = Some(Comment { text: comment, column });
        }
        let pieces: Vec<&str> = pieces.map(str::trim).collect();
        gap.newline = !pieces.is_empty();
        // After the last line end comes the token's own line.
        let lines = if end < text.len() { pieces.len().saturating_sub(1) } else { pieces.len() };
        pieces.iter().take(lines).for_each(|piece| gap.push(piece));
        gap
    }

    pub fn has_comments(&self) -> bool {
        self.trailing.is_some() || self.lines.iter().any(|line| !line.is_empty())
    }

    /// Documentation after the end of an item is about the next.
    fn detach_docs(&mut self) {
        if let Some(comment) = self.trailing.take_if(|comment| comment.text.starts_with("///")) {
            self.lines.insert(0, comment.text);
        }
    }

    fn push(&mut self, line: &'s str) {
        if !(line.is_empty() && self.lines.last().is_some_and(|last| last.is_empty())) {
            self.lines.push(line);
        }
    }

    /// What is before this gap's token goes before the next.
    fn move_to(&mut self, next: &mut Gap<'s>) {
        if !self.has_comments() {
            return;
        }
        let mut moved = std::mem::take(self);
        if let Some(comment) = next.trailing {
            moved.push(comment.text);
        }
        std::mem::take(&mut next.lines).into_iter().for_each(|line| moved.push(line));
        moved.newline = true;
        *next = moved;
    }
}

/// The tokens of a text without errors, and what is after the last; `statements` is where statements and arrows begin.
pub(super) fn leaves<'s>(text: &'s str, statements: &[usize]) -> (Vec<Leaf<'s>>, Gap<'s>) {
    let tokens = tokens(text);
    let is_statement = |token: &Token<'_>| statements.binary_search(&token.start).is_ok();
    let mut leaves: Vec<Leaf<'s>> = Vec::with_capacity(tokens.len());
    let mut open: Vec<Brace> = Vec::new();
    let mut end = 0;
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| leaves[before].text).unwrap_or_default();
        let begins = match open.is_empty() {
            true => matches!(token.text, "model" | "block" | "use" | "extern") && !before.ends_with(':'),
            false => is_statement(token),
        };
        let next = tokens.get(index + 1);
        let brace = match token.kind {
            TokenKind::Open if !token.is("{") => Brace::Tight,
            TokenKind::Open if next.is_some_and(|next| next.is("}") || next.is("|") || is_statement(next)) => {
                Brace::Body
            }
            TokenKind::Open if is_label(&leaves) => Brace::Tight,
            TokenKind::Open => Brace::Value,
            TokenKind::Close => open.pop().unwrap_or(Brace::Tight),
            _ => Brace::Tight,
        };
        if token.kind == TokenKind::Open {
            open.push(brace);
        }
        let mut gap = Gap::new(text, end, token.start);
        if begins && open.is_empty() {
            gap.detach_docs();
        }
        let spaced = is_spaced(&leaves, token, brace, end < token.start);
        let is_body = brace == Brace::Body;
        leaves.push(Leaf { text: token.text, kind: token.kind, begins, is_body, spaced, gap });
        end = token.end();
    }
    let mut end = Gap::new(text, end, text.len());
    move_comments(&mut leaves, &mut end);
    (leaves, end)
}

/// The words and signs of a text: numbers are whole, `||` is two bars, and comments are left out.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut end = 0;
    for token in Tokens::new(text, 0..text.len()) {
        match token.kind {
            _ if token.start < end => {}
            TokenKind::Doc => {}
            TokenKind::Number => {
                let length = number_length(&text[token.start..]).max(token.text.len());
                tokens.push(Token { text: &text[token.start..token.start + length], ..token });
                end = token.start + length;
            }
            _ if token.is("||") => {
                tokens.push(Token { text: &token.text[..1], ..token });
                tokens.push(Token { text: &token.text[1..], start: token.start + 1, ..token });
            }
            _ => tokens.push(token),
        }
    }
    tokens
}

/// What braces are around, as far as blanks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brace {
    /// Statements.
    Body,
    /// The value of a condition: `if a { 1 } else { 2 }`.
    Value,
    /// An index: `layer{i}`. Parentheses and brackets count as this too.
    Tight,
}

/// Whether the `{` that comes next is the index of a label, and not the value of a condition.
fn is_label(leaves: &[Leaf<'_>]) -> bool {
    let [.., before, name] = leaves else { return false };
    is_name(name) && (name.begins || matches!(before.text, "(" | "," | "=" | "share"))
}

fn is_name(leaf: &Leaf<'_>) -> bool {
    leaf.kind == TokenKind::Word && !RESERVED.contains(&leaf.text)
}

fn ends_value(leaf: &Leaf<'_>) -> bool {
    match leaf.kind {
        TokenKind::Word => is_name(leaf) || matches!(leaf.text, "true" | "false"),
        TokenKind::Number | TokenKind::Close | TokenKind::Text => true,
        _ => false,
    }
}

/// Whether a blank goes before a token that follows these on a line; `was` tells whether there was anything.
fn is_spaced(leaves: &[Leaf<'_>], token: &Token<'_>, brace: Brace, was: bool) -> bool {
    let Some((last, before)) = leaves.split_last() else { return false };
    let after_sign = before.last().is_none_or(|before| !ends_value(before));
    match (last.text, token.text) {
        // `1 .0` and `1.0` are not the same.
        (_, ".") => {
            was && last.kind == TokenKind::Number && after_sign && !before.last().is_some_and(|dot| dot.is("."))
        }
        (_, "," | ":" | ".." | "::") | ("." | ".." | "::", _) => false,
        (":", _) => before.last().is_none_or(|before| !before.is(":")),
        ("-", _) if after_sign => false,
        ("{", "}") => false,
        ("(" | "[", _) | (_, ")" | "]") => false,
        (_, "{" | "}") => brace != Brace::Tight,
        ("{", _) => last.is_body || !is_label(before),
        (_, "(") => !is_name(last),
        _ => true,
    }
}

/// Comments before a sign that belongs to what precedes it move behind it, so that no line begins with the sign.
fn move_comments<'s>(leaves: &mut [Leaf<'s>], end: &mut Gap<'s>) {
    for index in 0..leaves.len() {
        let (before, rest) = leaves.split_at_mut(index + 1);
        let (Some(leaf), next) = (before.last_mut(), rest.first_mut()) else { return };
        let is_open_body = leaf.is_body && leaf.kind == TokenKind::Open && !leaf.begins;
        if leaf.is(",") || leaf.is("else") || is_open_body {
            leaf.gap.move_to(next.map_or(&mut *end, |next| &mut next.gap));
        } else if leaf.begins
            && leaf.is("->")
            && let Some(next) = next
        {
            // And an arrow goes to the step after it.
            let newline = leaf.gap.newline || next.gap.newline;
            leaf.gap.move_to(&mut next.gap);
            std::mem::swap(&mut leaf.gap, &mut next.gap);
            leaf.gap.newline = newline;
            next.gap = Gap::default();
        }
    }
}
