//! How a call in the language becomes an op: parameters, values and the checks between them.

use crate::window::Padding;
use crate::{Fault, codes};
use std::collections::BTreeMap;
use std::fmt;

/// A value of the language.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// A tuple: `(5, 3)`.
    Tuple(Vec<Value>),
    /// A list: `[1, 28, 28]`.
    List(Vec<Value>),
    /// A bare word that names a way of doing something: `same`.
    Word(String),
}

impl Value {
    /// The type's name in the language.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Bool(_) => "bool",
            Value::Tuple(_) => "tuple",
            Value::List(_) => "list",
            Value::Word(_) => "word",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sequence = |f: &mut fmt::Formatter<'_>, open, items: &[Value], close| {
            f.write_str(open)?;
            for (i, item) in items.iter().enumerate() {
                write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
            }
            f.write_str(close)
        };
        match self {
            Value::Int(v) => write!(f, "{v}"),
            Value::Float(v) => write!(f, "{v:?}"),
            Value::Bool(v) => write!(f, "{v}"),
            Value::Word(v) => f.write_str(v),
            Value::Tuple(v) => sequence(f, "(", v, if v.len() == 1 { ",)" } else { ")" }),
            Value::List(v) => sequence(f, "[", v, "]"),
        }
    }
}

/// What an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A size: an integer of at least 1.
    Size,
    /// An axis or another integer that may be negative.
    Int,
    /// A float; an integer will do.
    Float,
    /// A boolean.
    Bool,
    /// One size for both axes, or a pair (height, width).
    Pair,
    /// An integer, a pair, four sides (top, bottom, left, right), or a word: `same`, `same_tf`, `valid`.
    Padding,
    /// The same along one axis: an integer, a pair (before, after), or one of those words.
    Ends,
    /// The same for volumes: an integer, a triple, six sides (front, back, top, bottom, left, right), or a word.
    Faces,
    /// One size for all three axes, or a triple (depth, height, width).
    Triple,
    /// An integer, a pair (rows, columns) or four sides (top, bottom, left, right).
    Sides,
    /// A factor for both axes, or a pair (height, width).
    Scale,
    /// Integers in brackets or parentheses; one alone needs neither.
    Sizes,
    /// One of these bare words.
    Word(&'static [&'static str]),
}

impl Kind {
    /// What the kind accepts, in words.
    pub fn expects(self) -> String {
        let text = match self {
            Kind::Size => "an integer of at least 1",
            Kind::Int => "an integer",
            Kind::Float => "a number",
            Kind::Bool => "`true` or `false`",
            Kind::Pair => "an integer or a pair (height, width)",
            Kind::Padding => "an integer, a pair, four sides (top, bottom, left, right), `same`, `same_tf` or `valid`",
            Kind::Ends => "an integer, a pair (before, after), `same`, `same_tf` or `valid`",
            Kind::Faces => "an integer, a triple (depth, height, width), six sides, `same`, `same_tf` or `valid`",
            Kind::Triple => "an integer or a triple (depth, height, width)",
            Kind::Sides => "an integer, a pair (rows, columns) or four sides (top, bottom, left, right)",
            Kind::Scale => "a number or a pair (height, width)",
            Kind::Sizes => "integers, as in `[16, 5, 5]`",
            Kind::Word(words) => return one_of(words),
        };
        text.to_owned()
    }

    /// Whether a value has the right form; its range is checked by the op.
    pub fn accepts(self, value: &Value) -> bool {
        let ints = |items: &[Value]| items.iter().all(|v| matches!(v, Value::Int(_)));
        let numbers = |items: &[Value]| items.iter().all(|v| matches!(v, Value::Int(_) | Value::Float(_)));
        match (self, value) {
            (kind, Value::Int(_)) => !matches!(kind, Kind::Bool | Kind::Word(_)),
            (Kind::Float | Kind::Scale, Value::Float(_)) | (Kind::Bool, Value::Bool(_)) => true,
            (Kind::Pair | Kind::Ends, Value::Tuple(v)) => v.len() == 2 && ints(v),
            (Kind::Triple, Value::Tuple(v)) => v.len() == 3 && ints(v),
            (Kind::Faces, Value::Tuple(v)) => matches!(v.len(), 3 | 6) && ints(v),
            (Kind::Scale, Value::Tuple(v)) => v.len() == 2 && numbers(v),
            (Kind::Padding | Kind::Sides, Value::Tuple(v)) => matches!(v.len(), 2 | 4) && ints(v),
            (Kind::Sizes, Value::Tuple(v) | Value::List(v)) => ints(v),
            (kind, Value::Word(w)) => kind.words().contains(&w.as_str()),
            _ => false,
        }
    }

    /// The bare words the kind accepts.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Kind::Padding | Kind::Ends | Kind::Faces => PADDING_WORDS,
            Kind::Word(words) => words,
            _ => &[],
        }
    }
}

/// `` `a`, `b` or `c` ``.
fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

const PADDING_WORDS: &[&str] = &["same", "same_tf", "valid"];

/// One parameter of an op in the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// The name.
    pub name: &'static str,
    /// What it accepts.
    pub kind: Kind,
    /// The default in words, as the reference prints it; `None` when the argument must be given.
    pub default: Option<&'static str>,
    /// One line of documentation.
    pub doc: &'static str,
}

impl Param {
    /// A parameter that must be given.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, default: None, doc }
    }

    /// A parameter with a default.
    pub const fn optional(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self { name, kind, default: Some(default), doc }
    }
}

/// The arguments of one call, bound to the op's parameters. Each value has its parameter's form.
#[derive(Debug, Clone, Default)]
pub struct Args(BTreeMap<&'static str, Value>);

impl Args {
    /// No arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds a value to a parameter.
    ///
    /// # Errors
    /// A value that the parameter's kind does not accept.
    pub fn bind(&mut self, param: &Param, value: Value) -> Result<(), Fault> {
        if !param.kind.accepts(&value) {
            let message = format!("`{}` takes {}, not {value}", param.name, param.kind.expects());
            return Err(Fault::new(&codes::BAD_ARGUMENT, message).about(param.name));
        }
        self.0.insert(param.name, value);
        Ok(())
    }

    /// Whether the argument was given.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn size(&self, name: &'static str) -> Result<usize, Fault> {
        match self.0.get(name) {
            Some(&Value::Int(v)) => at_least(name, v, 1),
            _ => Err(missing(name)),
        }
    }

    pub(crate) fn size_or(&self, name: &'static str, default: usize) -> Result<usize, Fault> {
        if self.has(name) { self.size(name) } else { Ok(default) }
    }

    pub(crate) fn int_or(&self, name: &'static str, default: i64) -> i64 {
        match self.0.get(name) {
            Some(&Value::Int(v)) => v,
            _ => default,
        }
    }

    pub(crate) fn float_or(&self, name: &'static str, default: f64) -> f64 {
        match self.0.get(name) {
            Some(&Value::Int(v)) => v as f64,
            Some(&Value::Float(v)) => v,
            _ => default,
        }
    }

    pub(crate) fn bool_or(&self, name: &'static str, default: bool) -> bool {
        match self.0.get(name) {
            Some(&Value::Bool(v)) => v,
            _ => default,
        }
    }

    pub(crate) fn pair(&self, name: &'static str) -> Result<[usize; 2], Fault> {
        self.pair_of(name, 1)
    }

    /// A pair of integers of at least `least`.
    pub(crate) fn pair_of(&self, name: &'static str, least: i64) -> Result<[usize; 2], Fault> {
        match self.0.get(name) {
            Some(&Value::Int(v)) => Ok([at_least(name, v, least)?; 2]),
            Some(Value::Tuple(v)) => match v.as_slice() {
                &[Value::Int(a), Value::Int(b)] => Ok([at_least(name, a, least)?, at_least(name, b, least)?]),
                _ => Err(missing(name)),
            },
            _ => Err(missing(name)),
        }
    }

    pub(crate) fn pair_or(&self, name: &'static str, default: [usize; 2]) -> Result<[usize; 2], Fault> {
        if self.has(name) { self.pair(name) } else { Ok(default) }
    }

    /// One size per axis.
    pub(crate) fn triple(&self, name: &'static str) -> Result<[usize; 3], Fault> {
        match (self.0.get(name), self.sizes(name)?.as_slice()) {
            (Some(Value::Int(_)), &[size]) => Ok([at_least(name, size, 1)?; 3]),
            (_, &[d, h, w]) => Ok([at_least(name, d, 1)?, at_least(name, h, 1)?, at_least(name, w, 1)?]),
            _ => Err(missing(name)),
        }
    }

    pub(crate) fn triple_or(&self, name: &'static str, default: [usize; 3]) -> Result<[usize; 3], Fault> {
        if self.has(name) { self.triple(name) } else { Ok(default) }
    }

    pub(crate) fn padding(&self, name: &'static str) -> Result<Padding, Fault> {
        match self.padding_word(name) {
            Some(padding) => Ok(padding),
            None => self.sides(name).map(Padding::Sides),
        }
    }

    /// What a word or a missing argument says.
    fn padding_word(&self, name: &'static str) -> Option<Padding> {
        match self.0.get(name) {
            Some(Value::Word(w)) if w == "same" => Some(Padding::Same),
            Some(Value::Word(w)) if w == "same_tf" => Some(Padding::SameTf),
            None | Some(Value::Word(_)) => Some(Padding::Sides([0; 4])),
            Some(_) => None,
        }
    }

    /// Padding along one axis, as that of the columns.
    pub(crate) fn ends(&self, name: &'static str) -> Result<Padding, Fault> {
        if let Some(padding) = self.padding_word(name) {
            return Ok(padding);
        }
        match *self.sizes(name)?.as_slice() {
            [both] => Ok(Padding::Sides([0, 0, at_least(name, both, 0)?, at_least(name, both, 0)?])),
            [before, after] => Ok(Padding::Sides([0, 0, at_least(name, before, 0)?, at_least(name, after, 0)?])),
            _ => Err(missing(name)),
        }
    }

    /// Padding along the depth, as that of the rows, and of rows and columns.
    pub(crate) fn faces(&self, name: &'static str) -> Result<[Padding; 2], Fault> {
        if let Some(padding) = self.padding_word(name) {
            return Ok([padding; 2]);
        }
        let sizes = self.sizes(name)?;
        let sizes = sizes.iter().map(|&size| at_least(name, size, 0)).collect::<Result<Vec<_>, _>>()?;
        match sizes[..] {
            [all] => Ok([Padding::Sides([all, all, 0, 0]), Padding::Sides([all; 4])]),
            [d, h, w] => Ok([Padding::Sides([d, d, 0, 0]), Padding::Sides([h, h, w, w])]),
            [front, back, t, b, l, r] => Ok([Padding::Sides([front, back, 0, 0]), Padding::Sides([t, b, l, r])]),
            _ => Err(missing(name)),
        }
    }

    /// Top, bottom, left, right.
    pub(crate) fn sides(&self, name: &'static str) -> Result<[usize; 4], Fault> {
        let side = |v: &Value| match v {
            Value::Int(v) => at_least(name, *v, 0),
            _ => Err(missing(name)),
        };
        match self.0.get(name) {
            None => Err(missing(name)),
            Some(Value::Tuple(v)) => match v.as_slice() {
                [h, w] => Ok([side(h)?, side(h)?, side(w)?, side(w)?]),
                [t, b, l, r] => Ok([side(t)?, side(b)?, side(l)?, side(r)?]),
                _ => Err(missing(name)),
            },
            Some(v) => Ok([side(v)?; 4]),
        }
    }

    /// Factors for height and width.
    pub(crate) fn scale(&self, name: &'static str) -> Result<[f64; 2], Fault> {
        let number = |v: &Value| match *v {
            Value::Int(v) => Ok(v as f64),
            Value::Float(v) => Ok(v),
            _ => Err(missing(name)),
        };
        match self.0.get(name) {
            None => Err(missing(name)),
            Some(Value::Tuple(v)) => match v.as_slice() {
                [h, w] => Ok([number(h)?, number(w)?]),
                _ => Err(missing(name)),
            },
            Some(v) => Ok([number(v)?; 2]),
        }
    }

    /// The integers of a list.
    pub(crate) fn sizes(&self, name: &'static str) -> Result<Vec<i64>, Fault> {
        let int = |v: &Value| match *v {
            Value::Int(v) => Ok(v),
            _ => Err(missing(name)),
        };
        match self.0.get(name) {
            Some(Value::Tuple(v) | Value::List(v)) => v.iter().map(int).collect(),
            Some(v) => Ok(vec![int(v)?]),
            None => Err(missing(name)),
        }
    }

    /// A bare word.
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Value::Word(word)) => Some(word),
            _ => None,
        }
    }
}

fn at_least(name: &'static str, value: i64, least: i64) -> Result<usize, Fault> {
    match usize::try_from(value) {
        Ok(v) if value >= least && v <= crate::MAX_ELEMENTS => Ok(v),
        _ => {
            let limit =
                if value < least { format!("at least {least}") } else { format!("at most {}", crate::MAX_ELEMENTS) };
            Err(Fault::new(&codes::BAD_ARGUMENT, format!("`{name}` must be {limit}, not {value}")).about(name))
        }
    }
}

fn missing(name: &'static str) -> Fault {
    Fault::new(&codes::BAD_ARGUMENT, format!("`{name}` must be given"))
}
