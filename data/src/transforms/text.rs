//! Transforms as text: calls that follow each other, `random_crop(32, padding = 4) -> horizontal_flip(0.5)`.
//!
//! The grammar is that of calls with constants in the `.cnn` language, where a list and a tuple are the same here.

use crate::error::Error;
use std::fmt::{self, Display};

/// A call: a name and its arguments.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub name: &'a str,
    /// Where the name begins, in bytes.
    pub at: usize,
    pub arguments: Vec<Argument<'a>>,
}

/// An argument, with its name when it has one.
#[derive(Debug)]
pub(crate) struct Argument<'a> {
    pub name: Option<&'a str>,
    pub at: usize,
    pub value: Literal<'a>,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal<'a> {
    Number(&'a str),
    Word(&'a str),
    List(Vec<&'a str>),
}

impl Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Number(text) | Self::Word(text) => f.write_str(text),
            Self::List(items) => write!(f, "[{}]", items.join(", ")),
        }
    }
}

/// Reads calls; blank text has none.
pub(crate) fn parse(text: &str) -> Result<Vec<Call<'_>>, Error> {
    let mut parser = Parser { text, at: 0 };
    let mut calls = Vec::new();
    if parser.peek().is_none() {
        return Ok(calls);
    }
    loop {
        calls.push(parser.call()?);
        if parser.peek().is_none() {
            return Ok(calls);
        }
        parser.expect("->", "write `->` between transforms")?;
    }
}

/// An error at a byte of the text.
pub(crate) fn error(text: &str, at: usize, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
    let column = text.get(..at).unwrap_or(text).chars().count() + 1;
    Error::Text { column, problem: problem.into(), remedy: remedy.into() }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn call(&mut self) -> Result<Call<'a>, Error> {
        self.peek();
        let at = self.at;
        let name = self.word().ok_or_else(|| self.unexpected("name a transform"))?;
        let mut arguments: Vec<Argument> = Vec::new();
        if !self.eat("(") {
            return Ok(Call { name, at, arguments });
        }
        while !self.eat(")") {
            let argument = self.argument()?;
            if argument.name.is_none() && arguments.iter().any(|earlier| earlier.name.is_some()) {
                return Err(error(
                    self.text,
                    argument.at,
                    "an argument without a name follows one with a name",
                    "give it its name, `name = value`",
                ));
            }
            arguments.push(argument);
            if !self.eat(",") {
                self.expect(")", "write `,` between arguments and `)` behind them")?;
                break;
            }
        }
        Ok(Call { name, at, arguments })
    }

    fn argument(&mut self) -> Result<Argument<'a>, Error> {
        self.peek();
        let at = self.at;
        let Some(word) = self.word() else {
            return Ok(Argument { name: None, at, value: self.value()? });
        };
        if self.eat("=") {
            return Ok(Argument { name: Some(word), at, value: self.value()? });
        }
        Ok(Argument { name: None, at, value: Literal::Word(word) })
    }

    fn value(&mut self) -> Result<Literal<'a>, Error> {
        let end = if self.eat("[") {
            "]"
        } else if self.eat("(") {
            ")"
        } else {
            let remedy = "values are numbers such as 0.5, several such as (0.5, 1), and words";
            let value = self.word().map(Literal::Word).or_else(|| self.number().map(Literal::Number));
            return value.ok_or_else(|| self.unexpected(remedy));
        };
        let (mut items, mut has_comma) = (Vec::new(), false);
        while !self.eat(end) {
            items.push(self.number().ok_or_else(|| self.unexpected("lists are of numbers, `(a, b)` or `[a, b]`"))?);
            if !self.eat(",") {
                self.expect(end, &format!("write `,` between numbers and `{end}` behind them"))?;
                break;
            }
            has_comma = true;
        }
        match items[..] {
            // A number in parentheses is one.
            [number] if end == ")" && !has_comma => Ok(Literal::Number(number)),
            _ => Ok(Literal::List(items)),
        }
    }

    /// The next character that is no blank.
    fn peek(&mut self) -> Option<char> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.len() - rest.trim_start().len();
        rest.trim_start().chars().next()
    }

    fn eat(&mut self, token: &str) -> bool {
        self.peek();
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(token));
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn expect(&mut self, token: &str, remedy: &str) -> Result<(), Error> {
        if self.eat(token) { Ok(()) } else { Err(self.unexpected(remedy)) }
    }

    fn word(&mut self) -> Option<&'a str> {
        self.peek().filter(|c| c.is_ascii_alphabetic())?;
        self.run(|c| c.is_ascii_alphanumeric() || c == '_')
    }

    /// The characters of a number: as in the language, it begins with a digit, and `_` between its digits means nothing.
    fn number(&mut self) -> Option<&'a str> {
        self.peek()?;
        let rest = self.text.get(self.at..)?;
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        digits.starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
        let bytes = digits.as_bytes();
        let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let mut end = 0;
        while let Some(byte) = bytes.get(end) {
            end += match byte {
                b'0'..=b'9' | b'_' => 1,
                b'.' if is_digit(end + 1) => 1,
                b'e' | b'E' if is_digit(end + 1) => 1,
                b'e' | b'E' if matches!(bytes.get(end + 1), Some(b'+' | b'-')) && is_digit(end + 2) => 2,
                _ => break,
            };
        }
        let number = rest.get(..rest.len() - digits.len() + end)?;
        self.at += number.len();
        Some(number)
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> Option<&'a str> {
        let rest = self.text.get(self.at..)?;
        let len = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len)
    }

    fn unexpected(&mut self, remedy: &str) -> Error {
        let problem = match self.peek() {
            Some(c) => format!("`{c}` is unexpected here"),
            None => "the text ends too early".into(),
        };
        error(self.text, self.at, problem, remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_names_and_arguments() {
        let calls = parse(" a -> b_2(1, -2.5e-3,x = [1, 2 ,], y=word,)->c() -> d((1, 0.5), (3), (4,)) ").unwrap();
        let shown: Vec<String> = calls
            .iter()
            .map(|call| {
                let argument =
                    |a: &Argument| format!("{}{}", a.name.map(|n| format!("{n}=")).unwrap_or_default(), a.value);
                let arguments: Vec<String> = call.arguments.iter().map(argument).collect();
                format!("{}@{}({})", call.name, call.at, arguments.join("; "))
            })
            .collect();
        assert_eq!(shown, ["a@1()", "b_2@6(1; -2.5e-3; x=[1, 2]; y=word)", "c@45()", "d@52([1, 0.5]; 3; [4])"]);
        assert!(parse(" \n").unwrap().is_empty());
    }

    #[test]
    fn other_text_is_an_error_with_its_place() {
        for (text, message) in [
            ("->", "character 1: `-` is unexpected here; name a transform"),
            ("a ->", "character 5: the text ends too early; name a transform"),
            ("a b", "character 3: `b` is unexpected here; write `->`"),
            ("ü", "character 1: `ü` is unexpected"),
            ("a(1 2)", "character 5: `2` is unexpected here; write `,`"),
            ("a(", "character 3: the text ends too early"),
            ("a(x = )", "character 7: `)` is unexpected here; values are numbers"),
            ("a([1, b])", "character 7: `b` is unexpected here; lists are of numbers"),
            ("a([1", "character 5: the text ends too early; write `,` between numbers"),
            ("a((1", "character 5: the text ends too early; write `,` between numbers and `)`"),
            ("a((1, b))", "character 7: `b` is unexpected here; lists are of numbers"),
            ("a(.5)", "character 3: `.` is unexpected here; values are numbers such as 0.5"),
            ("a(5.)", "character 4: `.` is unexpected here"),
            ("a(+5)", "character 3: `+` is unexpected here"),
            ("a(x = 1, 2)", "character 10: an argument without a name follows"),
            ("a(\"1\")", "character 3: `\"` is unexpected"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
