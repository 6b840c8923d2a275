//! The text of a model written inside `cnn! { … }`, and the way from a place in it back to the tokens.

use cnn_ir::Span;
use proc_macro2::{Delimiter, Group, Punct, Spacing, TokenStream, TokenTree};
use std::ops::Range;

/// Tokens as text, laid out on lines as they were written.
pub(crate) struct InlineSource {
    text: String,
    /// The bytes of each token, in order, with a token that has its place.
    pieces: Vec<(Range<usize>, TokenTree)>,
    /// Line and column where the last token ended.
    position: (usize, usize),
}

impl InlineSource {
    pub fn new(tokens: TokenStream) -> Self {
        let mut source = Self { text: String::new(), pieces: Vec::new(), position: (0, 0) };
        source.add_stream(tokens);
        source
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tokens under a span; at a span between tokens, the one before it; without one, the first token.
    pub fn tokens(&self, span: Option<Span>) -> TokenStream {
        let Some(span) = span else {
            return self.pieces.first().map(|(_, token)| token.clone()).into_iter().collect();
        };
        let (start, end) = (span.start as usize, (span.end as usize).max(span.start as usize + 1));
        let under = |range: &Range<usize>| range.start < end && start < range.end;
        let mut tokens: Vec<TokenTree> =
            self.pieces.iter().filter(|(range, _)| under(range)).map(|(_, token)| token.clone()).collect();
        if tokens.is_empty() {
            let before = self.pieces.iter().rev().find(|(range, _)| range.start <= start);
            tokens.extend(before.or(self.pieces.last()).map(|(_, token)| token.clone()));
        }
        tokens.into_iter().collect()
    }

    fn add_stream(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match &token {
                TokenTree::Punct(hash) if hash.as_char() == '#' => {
                    let doc = tokens.peek().and_then(doc_text);
                    match doc {
                        Some(doc) => {
                            tokens.next();
                            self.add(&format!("///{doc}"), &token, &token);
                            self.break_line();
                        }
                        None => self.add("#", &token, &token),
                    }
                }
                TokenTree::Group(group) => self.add_group(group),
                _ => {
                    self.add(&token.to_string(), &token, &token);
                    if matches!(&token, TokenTree::Punct(p) if p.spacing() == Spacing::Joint) {
                        continue;
                    }
                }
            }
        }
    }

    fn add_group(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        // A stand-in token that carries the place of one delimiter.
        let at = |span| {
            let mut token = Punct::new('.', Spacing::Alone);
            token.set_span(span);
            TokenTree::Punct(token)
        };
        let (first, last) = (at(group.span_open()), at(group.span_close()));
        self.add(open, &first, &first);
        self.add_stream(group.stream());
        self.add(close, &last, &last);
    }

    /// Adds a token's text where its span says it stood, relative to the token before.
    fn add(&mut self, text: &str, token: &TokenTree, last: &TokenTree) {
        let (start, end) = (token.span().start(), last.span().end());
        if start.line > self.position.0 {
            if self.position.0 > 0 {
                self.break_line();
            }
            self.text.extend(std::iter::repeat_n(' ', start.column));
        } else if start.column > self.position.1 {
            self.text.extend(std::iter::repeat_n(' ', start.column - self.position.1));
        } else if start.column < self.position.1 || start == end {
            // Tokens without a place, from another macro: keep them apart.
            self.text.push(' ');
        }
        let from = self.text.len();
        self.text.push_str(text);
        self.pieces.push((from..self.text.len(), token.clone()));
        self.position = (end.line, end.column);
    }

    fn break_line(&mut self) {
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}

/// The text of `[doc = "…"]`, which is what a doc comment is to a macro.
fn doc_text(token: &TokenTree) -> Option<String> {
    let TokenTree::Group(group) = token else { return None };
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(doc), TokenTree::Punct(_), TokenTree::Literal(text)] if doc == "doc" => {
            syn::parse_str::<syn::LitStr>(&text.to_string()).ok().map(|text| text.value())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> InlineSource {
        InlineSource::new(text.parse().unwrap())
    }

    #[test]
    fn text_is_laid_out_as_it_was_written() {
        let text = "model A {\n    /// Doc.\n    input x: [1, 2]\n    c: conv(1, kernel = -1) -> relu\n}";
        assert_eq!(source(text).text(), text);
    }

    #[test]
    fn a_place_in_the_text_leads_back_to_its_tokens() {
        let text = "conv(1,\n  kernel = 5) -> relu";
        let inline = source(text);
        let tokens = |part: &str| {
            let start = inline.text().find(part).unwrap() as u32;
            let span = Span { source: 0, start, end: start + part.len() as u32 };
            inline.tokens(Some(span)).to_string()
        };
        assert_eq!(tokens("kernel"), "kernel");
        assert_eq!(tokens("kernel = 5"), "kernel = 5");
        assert_eq!(tokens(" "), ",", "between tokens, the one before");
        assert!(!inline.tokens(None).is_empty());
        assert!(!inline.tokens(Some(Span { source: 0, start: 9999, end: 9999 })).is_empty());
    }
}
