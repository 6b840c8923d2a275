//! Values of arguments, from text and back.

use super::text::{Argument, Call, Literal, error};
use crate::error::Error;
use std::fmt;
use std::str::FromStr;

/// A height and a width in pixels; as text `224`, or `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Size {
    /// A square.
    pub fn square(side: usize) -> Self {
        Self { height: side, width: side }
    }
}

/// A range that a number is drawn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spread {
    /// As far as this to either side of what changes nothing; as text a number.
    By(f32),
    /// From the first to the second; as text `[min, max]`.
    Between(f32, f32),
}

impl Spread {
    /// The range around `centre`.
    pub(crate) fn range(self, centre: f32) -> [f32; 2] {
        match self {
            Self::By(by) => [centre - by, centre + by],
            Self::Between(min, max) => [min, max],
        }
    }

    /// Says what is wrong, unless the range is in order.
    pub(crate) fn check(self, name: &str) -> Result<(), String> {
        let [min, max] = self.range(0.0);
        if min.is_finite() && max.is_finite() && min <= max {
            return Ok(());
        }
        Err(format!("`{name}` takes a number that is not negative, or a range [min, max]"))
    }
}

/// How values between pixels are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// The value of the nearest pixel.
    #[default]
    Nearest,
    /// Between the four nearest pixels.
    Bilinear,
}

/// What an erased rectangle is filled with.
#[derive(Debug, Clone, PartialEq)]
pub enum Erase {
    /// One value, or one for each channel.
    Value(Vec<f32>),
    /// Values from the normal distribution; as text `random`.
    Random,
}

/// What an argument can be.
pub(crate) trait Value: Sized {
    /// What it is called in messages.
    const EXPECTED: &'static str;

    fn from_literal(literal: &Literal) -> Option<Self>;

    fn write(&self, f: &mut fmt::Formatter) -> fmt::Result;
}

/// Arguments of one call, which a transform takes in the order in which it lists its parameters.
pub(crate) struct Arguments<'a> {
    text: &'a str,
    call: Call<'a>,
    /// The names of the parameters so far.
    taken: Vec<&'static str>,
}

impl<'a> Arguments<'a> {
    pub(crate) fn new(text: &'a str, call: Call<'a>) -> Self {
        Self { text, call, taken: Vec::new() }
    }

    pub(crate) fn required<T: Value>(&mut self, name: &'static str) -> Result<T, Error> {
        self.take(name)?.ok_or_else(|| {
            let problem = format!("`{}` lacks its parameter `{name}`", self.call.name);
            error(self.text, self.call.at, problem, format!("`{name}` takes {}", T::EXPECTED))
        })
    }

    pub(crate) fn optional<T: Value>(&mut self, name: &'static str, default: T) -> Result<T, Error> {
        Ok(self.take(name)?.unwrap_or(default))
    }

    fn take<T: Value>(&mut self, name: &'static str) -> Result<Option<T>, Error> {
        let position = self.taken.len();
        self.taken.push(name);
        let fits = |(at, argument): (usize, &Argument)| match argument.name {
            Some(given) => given == name,
            None => at == position,
        };
        let mut fitting =
            self.call.arguments.iter().enumerate().filter(|&pair| fits(pair)).map(|(_, argument)| argument);
        let Some(argument) = fitting.next() else { return Ok(None) };
        if let Some(again) = fitting.next() {
            return Err(error(self.text, again.at, format!("`{name}` is given twice"), "remove one of the two"));
        }
        let value = T::from_literal(&argument.value).ok_or_else(|| {
            let problem = format!("`{name}` of `{}` cannot be {}", self.call.name, argument.value);
            error(self.text, argument.at, problem, format!("it takes {}", T::EXPECTED))
        });
        value.map(Some)
    }

    /// Ends the reading: what was not taken is an error.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let parameters = match &self.taken[..] {
            [] => "it has none".into(),
            names => format!("it has {}", names.join(", ")),
        };
        for (at, argument) in self.call.arguments.iter().enumerate() {
            let problem = match argument.name {
                Some(name) if !self.taken.contains(&name) => format!("`{}` has no parameter `{name}`", self.call.name),
                None if at >= self.taken.len() => format!("`{}` has fewer parameters", self.call.name),
                _ => continue,
            };
            return Err(error(self.text, argument.at, problem, parameters));
        }
        Ok(())
    }
}

/// Writes a call; arguments that have their default values are left out.
pub(crate) struct Writer<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    any: bool,
}

impl<'a, 'b> Writer<'a, 'b> {
    pub(crate) fn new(f: &'a mut fmt::Formatter<'b>, name: &str) -> Result<Self, fmt::Error> {
        f.write_str(name)?;
        Ok(Self { f, any: false })
    }

    /// An argument without its name.
    pub(crate) fn plain(&mut self, value: &impl Value) -> fmt::Result {
        self.f.write_str(if self.any { ", " } else { "(" })?;
        self.any = true;
        value.write(self.f)
    }

    /// An argument with its name, unless it is the default.
    pub(crate) fn named<T: Value + PartialEq>(&mut self, name: &str, value: &T, default: &T) -> fmt::Result {
        if value == default {
            return Ok(());
        }
        write!(self.f, "{}{name} = ", if self.any { ", " } else { "(" })?;
        self.any = true;
        value.write(self.f)
    }

    pub(crate) fn finish(self) -> fmt::Result {
        if self.any { self.f.write_str(")") } else { Ok(()) }
    }
}

impl Value for usize {
    const EXPECTED: &'static str = "a whole number";

    fn from_literal(literal: &Literal) -> Option<Self> {
        if let Literal::Number(text) = literal { parse(text) } else { None }
    }

    fn write(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Value for f32 {
    const EXPECTED: &'static str = "a number";

    fn from_literal(literal: &Literal) -> Option<Self> {
        if let Literal::Number(text) = literal { number(text) } else { None }
    }

    fn write(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Value for [f32; 2] {
    const EXPECTED: &'static str = "a range [min, max]";

    fn from_literal(literal: &Literal) -> Option<Self> {
        let Literal::List(items) = literal else { return None };
        let &[min, max] = &items[..] else { return None };
        Some([number(min)?, number(max)?])
    }

    fn write(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "[{}, {}]", self[0], self[1])
    }
}

/// One value, or one for each channel.
impl Value for Vec<f32> {
    const EXPECTED: &'static str = "a number, or a list with one for each channel";

    fn from_literal(literal: &Literal) -> Option<Self> {
        match literal {
            Literal::Number(text) => Some(vec![number(text)?]),
            Literal::List(items) => items.iter().map(|item| number(item)).collect(),
            Literal::Word(_) => None,
        }
    }

    fn write(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if let [one] = self[..] {
            return one.write(f);
        }
        let items: Vec<String> = self.iter().map(f32::to_string).collect();
        write!(f, "[{}]", items.join(", "))
    }
}

impl Value for Size {
    const EXPECTED: &'static str = "a side in pixels or [height, width]";

    fn from_literal(literal: &Literal) -> Option<Self> {
        match literal {
            Literal::Number(text) => parse(text).map(Self::square),
            Literal::List(items) => match &items[..] {
                [height, width] => Some(Self { height: parse(height)?, width: parse(width)? }),
                _ => None,
            },
            Literal::Word(_) => None,
        }
    }

    fn write(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.height == self.width {
            return write!(f, "{}", self.height);
        }
        write!(f, "[{}, {}]", self.height, self.width)
    }
}

impl Value for Spread {
    const EXPECTED: &'static str = "a number or a range [min, max]";

    fn from_literal(literal: &Literal) -> Option<Self> {
        match literal {
            Literal::Number(text) => number(text).map(Self::By),
            list => <[f32; 2]>::from_literal(list).map(|[min, max]| Self::Between(min, max)),
        }
    }

    fn write(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match *self {
            Self::By(by) => by.write(f),
            Self::Between(min, max) => [min, max].write(f),
        }
    }
}

impl Value for Interpolation {
    const EXPECTED: &'static str = "`nearest` or `bilinear`";

    fn from_literal(literal: &Literal) -> Option<Self> {
        match literal {
            Literal::Word("nearest") => Some(Self::Nearest),
            Literal::Word("bilinear") => Some(Self::Bilinear),
            _ => None,
        }
    }

    fn write(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Nearest => "nearest",
            Self::Bilinear => "bilinear",
        })
    }
}

impl Value for Erase {
    const EXPECTED: &'static str = "a number, a list with one for each channel, or `random`";

    fn from_literal(literal: &Literal) -> Option<Self> {
        match literal {
            Literal::Word("random") => Some(Self::Random),
            literal => Vec::from_literal(literal).map(Self::Value),
        }
    }

    fn write(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Random => f.write_str("random"),
            Self::Value(values) => values.write(f),
        }
    }
}

/// A finite number.
fn number(text: &str) -> Option<f32> {
    parse(text).filter(|number: &f32| number.is_finite())
}

/// As in the language, `_` between digits means nothing.
fn parse<T: FromStr>(text: &str) -> Option<T> {
    text.replace('_', "").parse().ok()
}
