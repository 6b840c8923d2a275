//! What a syntax error says: in the words of the language, with the likely remedy.

use super::Rule;
use super::scan::{Token, TokenKind};
use crate::diagnostic::Diagnostic;
use crate::{codes, source, suggest};
use cnn_ir::Span;

/// The words that cannot be names.
pub(crate) const RESERVED: &[&str] = &[
    "and",
    "assert",
    "block",
    "else",
    "extern",
    "false",
    "for",
    "if",
    "in",
    "input",
    "model",
    "not",
    "or",
    "output",
    "repeat",
    "share",
    "train",
    "train_only",
    "true",
    "use",
];

/// What is expected in `train { … }`, and behind the key of a setting.
pub(super) const SETTING: &str = "a setting";
pub(super) const KEY_COLON: &str = "`:` and a value";

/// What a rule is called when it is expected; rules that would only lengthen the list have no name.
fn describe(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::name => "a name",
        Rule::type_name => "a type",
        Rule::parameter => "a parameter",
        Rule::argument => "an argument",
        Rule::setting
        | Rule::expression
        | Rule::conjunction
        | Rule::condition
        | Rule::sum
        | Rule::operand
        | Rule::number
        | Rule::boolean
        | Rule::list
        | Rule::parenthesis
        | Rule::conditional
        | Rule::input_size
        | Rule::call
        | Rule::keyword_not => "a value",
        Rule::indexed => "an argument",
        Rule::index => "a number",
        Rule::pattern | Rule::tuple_pattern => "a name or a pattern",
        Rule::keyword_in => "`in`",
        Rule::keyword_else => "`else`",
        Rule::open_brace | Rule::braced => "`{`",
        Rule::close_brace => "`}`",
        Rule::open_paren => "`(`",
        Rule::close_paren => "`)`",
        Rule::open_list => "`[`",
        Rule::close_list => "`]`",
        Rule::comma => "`,`",
        Rule::colon => "`:`",
        Rule::arrow => "`->`",
        Rule::keyword_layer => "`layer`",
        Rule::rust_path => "the path of a Rust type",
        Rule::equals => "`=`",
        _ => return None,
    })
}

/// What could have followed, in words, from the rules that pest tried: each once, and nothing that another one covers.
pub(super) fn expected_words(rules: Vec<Rule>) -> Vec<&'static str> {
    let mut words: Vec<_> = rules.into_iter().filter_map(describe).collect();
    words.sort_by_key(|word| (word.starts_with('`'), matches!(*word, "`)`" | "`]`" | "`}`")));
    words.dedup();
    if words.contains(&"an argument") {
        words.retain(|word| *word != "a value");
    }
    if words.iter().any(|word| matches!(*word, "an argument" | "a value" | "a type")) {
        words.retain(|word| !matches!(*word, "a name" | "`(`" | "`[`" | "`{`"));
    }
    // After a complete name or value, what would continue it only lengthens the list.
    if words.contains(&"`,`") {
        words.retain(|word| !matches!(*word, "`(`" | "`{`"));
    }
    words
}

/// A syntax error before it is put in words.
pub(super) struct Unexpected<'s> {
    pub source: u32,
    /// What could have followed, without repetition.
    pub expected: Vec<&'static str>,
    /// The token before, if it belongs to the same statement.
    pub before: Option<Token<'s>>,
    /// What was found; `None` at the end of the text.
    pub found: Option<Token<'s>>,
    /// Where the text ends.
    pub end: usize,
    /// A word before on the same line that is like a keyword, which may have been meant.
    pub misspelt: Option<(Span, &'static str)>,
}

impl Unexpected<'_> {
    pub fn diagnostic(self) -> Diagnostic {
        let expected = one_of(&self.expected);
        let message =
            format!("expected {expected}, found {}", self.found.map_or("the end of the file".into(), name_token));
        let Some(found) = self.found else {
            let span = source::span(self.source, self.end..self.end);
            return Diagnostic::error(&codes::SYNTAX, message).at(span, format!("expected {expected}"));
        };
        let span = self.span(found);
        let diagnostic = Diagnostic::error(&codes::SYNTAX, message).at(span, format!("expected {expected}"));
        self.advise(diagnostic, found, span)
    }

    fn advise(&self, diagnostic: Diagnostic, found: Token<'_>, span: Span) -> Diagnostic {
        let expects = |what: &str| self.expected.contains(&what);
        let starts_value = matches!(found.kind, TokenKind::Word | TokenKind::Number | TokenKind::Open);
        if let Some((word, meant)) = self.misspelt {
            return diagnostic.edit(format!("did you mean `{meant}`?"), word, meant);
        }
        match found.text {
            "," | ";" if expects(SETTING) => diagnostic.edit("settings are not separated by signs", span, ""),
            "=" if expects(KEY_COLON) => {
                let start = self.before.map_or(span.start, |before| before.end() as u32);
                diagnostic.edit("a colon follows the key of a setting", Span { start, ..span }, ":")
            }
            ";" => diagnostic.edit("no `;` is needed", span, ""),
            _ if self.expected == ["`:`"] && self.before.is_some_and(|before| before.is("}")) => {
                diagnostic.help("a colon follows a label: `group: { … }`, `layer{i}: …`; branches begin with `|`")
            }
            "=" if self.expected == ["`:`"] => {
                let start = self.before.map_or(span.start, |before| before.end() as u32);
                diagnostic.edit("a label is written with a colon", Span { start, ..span }, ":")
            }
            "," if expects("`->`") => diagnostic.edit("steps are joined by `->`", span, " ->"),
            ">" | "=>" | "|>" | "→" if expects("`->`") => diagnostic.edit("steps are joined by `->`", span, "->"),
            ":" if expects("`=`") || expects("`,`") => {
                diagnostic.edit("an argument is named with `=`", span, if self.spaced(span) { "=" } else { " =" })
            }
            "=" if expects("`:`") => diagnostic.help("the type comes first: `name: int = 10`"),
            "=" if expects("`{`") => diagnostic.edit("a comparison is written `==`", span, "=="),
            ":" if self.expected == ["`{`"] => diagnostic.edit("no colon belongs before the brace", span, ""),
            ".." if expects("`{`") => {
                diagnostic.help("a range goes from one integer to before another: `0..3` is 0, 1, 2")
            }
            "&&" => diagnostic.edit("write `and`", span, "and"),
            "||" if expects("`{`") || expects("`,`") || expects("`)`") => diagnostic.edit("write `or`", span, "or"),
            "!" => diagnostic.edit("write `not`", span, "not "),
            "*" | "**" if found.is("**") || self.before.is_some_and(|before| before.text.ends_with('*')) => {
                diagnostic.help("there is no sign for powers: multiply")
            }
            "#" => diagnostic.edit("comments begin with `//`", span, "//"),
            "/*" => diagnostic.help("comments begin with `//` and go to the end of the line"),
            text if text.starts_with(['"', '\'']) => diagnostic.help("names and words are written without quotes"),
            "\u{a0}" => diagnostic.edit("this is a no-break space; use a plain one", span, " "),
            "." if expects("a value") || expects("an argument") => {
                diagnostic.edit("a float begins with a digit", Span { end: span.start, ..span }, "0")
            }
            ":" if self.before.is_some_and(|before| RESERVED.contains(&before.text)) => {
                diagnostic.note("a keyword cannot be a label")
            }
            _ if found.kind == TokenKind::Word && RESERVED.contains(&found.text) => match found.text {
                "output" if expects("a step") => diagnostic.help("`output` stands by itself, without `->` before it"),
                _ => diagnostic.note(format!("`{}` is a keyword, so it cannot be a name", found.text)),
            },
            word if !word.is_ascii() && found.kind == TokenKind::Word => {
                diagnostic.note("names are made of the letters a to z and A to Z, digits and `_`")
            }
            word if found.kind == TokenKind::Word && expects("`model`") => {
                match suggest::nearest(word, ["model", "block", "extern", "use"]) {
                    Some(meant) => diagnostic.edit("a keyword with a similar name exists", span, meant),
                    None => diagnostic.help("a file is a list of blocks and models: `model Name { … }`"),
                }
            }
            _ if expects("`,`") && starts_value => match self.before {
                Some(before) => {
                    let end = before.end();
                    diagnostic.edit("a comma may be missing", source::span(self.source, end..end), ",")
                }
                None => diagnostic,
            },
            _ => diagnostic,
        }
    }

    /// Whether a blank stands before the span.
    fn spaced(&self, span: Span) -> bool {
        self.before.is_some_and(|before| before.end() < span.start as usize)
    }

    fn span(&self, token: Token<'_>) -> Span {
        source::span(self.source, token.range())
    }
}

/// The token as a message shows it: invisible characters by their number, long ones cut.
pub(super) fn name_token(token: Token<'_>) -> String {
    const LONGEST: usize = 40;
    match token.kind {
        TokenKind::Doc => "a comment".into(),
        TokenKind::Word if RESERVED.contains(&token.text) => format!("the keyword `{}`", token.text),
        _ => match token.text.chars().next() {
            Some(c) if token.text.len() == c.len_utf8() && (c.is_whitespace() || c.is_control()) => {
                format!("the character U+{:04X}", c as u32)
            }
            _ if token.text.chars().count() > LONGEST => {
                format!("`{}…`", token.text.chars().take(LONGEST).collect::<String>())
            }
            _ => format!("`{}`", token.text),
        },
    }
}

/// `a`, `a or b`, `a, b or c`
pub(super) fn one_of(expected: &[&str]) -> String {
    match expected {
        [] => "something else".into(),
        [only] => (*only).into(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
