//! Text → calls. Lists do not nest, so nothing here recurses.

use super::{Call, Value};
use crate::Error;

/// A place in a text; what is read moves it on, over blanks too.
pub(crate) struct Cursor<'a> {
    text: &'a str,
    rest: &'a str,
}

/// Whether a name can be written in a call: letters, digits, `_` and `.`, the first no digit.
pub(crate) fn is_word(name: &str) -> bool {
    !name.is_empty() && word_length(name) == name.len()
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, rest: text.trim_start() }
    }

    /// `name`, or `name(argument, …)`.
    pub fn call(&mut self) -> Result<Call, Error> {
        let name = self.word().ok_or_else(|| self.expected("a name"))?;
        let mut arguments = Vec::new();
        if self.eat("(") {
            while !self.eat(")") {
                arguments.push(self.argument()?);
                self.separator(")", "`,` or `)`")?;
            }
        }
        Ok(Call { name: name.into(), arguments })
    }

    /// A number, where one stands here.
    pub fn number(&mut self) -> Option<f64> {
        // "inf" and "nan" are numbers to Rust; here they are words, and no parameter takes them.
        let is_exponent = |before: Option<char>| matches!(before, Some('e' | 'E'));
        let mut before = None;
        let mut length = 0;
        for c in self.rest.chars() {
            let is_sign = matches!(c, '+' | '-') && (before.is_none() || is_exponent(before));
            if !(c.is_ascii_digit() || c == '.' || is_sign || (before.is_some() && is_exponent(Some(c)))) {
                break;
            }
            length += c.len_utf8();
            before = Some(c);
        }
        let number: f64 = self.rest.get(..length)?.parse().ok()?;
        self.skip(length);
        number.is_finite().then_some(number)
    }

    /// Moves over a token, where it stands here.
    pub fn eat(&mut self, token: &str) -> bool {
        let found = self.rest.starts_with(token);
        if found {
            self.skip(token.len());
        }
        found
    }

    /// That nothing is left.
    pub fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.expected("the end")) }
    }

    /// The error that something else should stand here.
    pub fn expected(&self, expected: &'static str) -> Error {
        let before = self.text.len() - self.rest.len();
        let at = self.text.get(..before).map_or(0, |before| before.chars().count()) + 1;
        Error::Syntax { text: self.text.into(), at, expected }
    }

    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn argument(&mut self) -> Result<(Option<String>, Value), Error> {
        if let Some(word) = self.word() {
            if self.eat("=") {
                return Ok((Some(word.into()), self.value()?));
            }
            return Ok((None, Value::Word(word.into())));
        }
        Ok((None, self.value()?))
    }

    fn value(&mut self) -> Result<Value, Error> {
        for (open, close) in [("(", ")"), ("[", "]")] {
            if self.eat(open) {
                let mut items = Vec::new();
                while !self.eat(close) {
                    items.push(self.scalar()?);
                    self.separator(close, "`,` or the end of the list")?;
                }
                return Ok(Value::List(items));
            }
        }
        self.scalar()
    }

    fn scalar(&mut self) -> Result<Value, Error> {
        if let Some(word) = self.word() {
            return Ok(Value::Word(word.into()));
        }
        self.number().map(Value::Number).ok_or_else(|| self.expected("a value"))
    }

    /// A comma, or the bracket that ends the list, which stays.
    fn separator(&mut self, close: &str, expected: &'static str) -> Result<(), Error> {
        if self.eat(",") || self.rest.starts_with(close) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn word(&mut self) -> Option<&'a str> {
        let length = word_length(self.rest);
        let word = self.rest.get(..length).filter(|word| !word.is_empty())?;
        self.skip(length);
        Some(word)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default().trim_start();
    }
}

/// How many bytes of the text's start are a word.
fn word_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return 0;
    }
    text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len())
}
