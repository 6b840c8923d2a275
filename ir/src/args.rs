//! How a call in the language becomes an op: parameters, values and the checks between them.

use crate::ops::axes::axis_names;
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
    /// One size for all axes, or one for each, as (height, width).
    Axes,
    /// The same, where the word `none` keeps the input's size.
    AxesOrNone,
    /// An integer, one for each axis, one for each side, as (top, bottom, left, right), or a word: `same`, `same_tf`,
    /// `valid`.
    Padding,
    /// An integer, one for each axis, or one for each side.
    Sides,
    /// A factor for all axes, or one for each.
    Scale,
    /// Integers in brackets or parentheses; one alone needs neither.
    Sizes,
    /// One of these bare words.
    Word(&'static [&'static str]),
    /// How weights start, for training alone: a word with the call's text, as `kaiming_normal(mode = fan_out)`.
    Initialiser,
}

impl Kind {
    /// What the kind accepts, in words.
    pub fn expects(self) -> String {
        let text = match self {
            Kind::Size => "an integer of at least 1",
            Kind::Int => "an integer",
            Kind::Float => "a number",
            Kind::Bool => "`true` or `false`",
            Kind::Axes => "an integer or one for each axis, as (height, width)",
            Kind::AxesOrNone => "an integer or one for each axis, as (height, width), or `none`",
            Kind::Padding => {
                "an integer, one for each axis, one for each side, as (top, bottom, left, right), `same`, `same_tf` or `valid`"
            }
            Kind::Sides => "an integer, one for each axis, or one for each side, as (top, bottom, left, right)",
            Kind::Scale => "a number or one for each axis, as (height, width)",
            Kind::Sizes => "integers, as in `[16, 5, 5]`",
            Kind::Initialiser => "an initialiser, as `xavier_uniform` or `kaiming_normal(mode = fan_out)`",
            Kind::Word(words) => return one_of(words),
        };
        text.to_owned()
    }

    /// Whether a value has the right form; its range is checked by the op.
    pub fn accepts(self, value: &Value) -> bool {
        let ints = |items: &[Value]| items.iter().all(|v| matches!(v, Value::Int(_)));
        let numbers = |items: &[Value]| items.iter().all(|v| matches!(v, Value::Int(_) | Value::Float(_)));
        match (self, value) {
            (kind, Value::Int(_)) => !matches!(kind, Kind::Bool | Kind::Word(_) | Kind::Initialiser),
            (Kind::Float | Kind::Scale, Value::Float(_)) | (Kind::Bool, Value::Bool(_)) => true,
            (Kind::Axes | Kind::Padding | Kind::Sides, Value::Tuple(v)) => !v.is_empty() && ints(v),
            (Kind::AxesOrNone, Value::Tuple(v)) => {
                !v.is_empty() && v.iter().all(|v| matches!(v, Value::Int(_)) || is_none(v))
            }
            (Kind::Scale, Value::Tuple(v)) => !v.is_empty() && numbers(v),
            (Kind::Sizes, Value::Tuple(v) | Value::List(v)) => ints(v),
            (Kind::Initialiser, Value::Word(_)) => true,
            (kind, Value::Word(w)) => kind.words().contains(&w.as_str()),
            _ => false,
        }
    }

    /// The bare words the kind accepts.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Kind::Padding => PADDING_WORDS,
            Kind::AxesOrNone => &["none"],
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

fn is_none(value: &Value) -> bool {
    matches!(value, Value::Word(word) if word == "none")
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
    /// The parameter of layers with weights that says how these start. It is for training alone: no field of the op's spec.
    pub const INIT: Self =
        Self::optional("init", Kind::Initialiser, "the model's", "how the weights start when they are trained");

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

    /// One size for each of D axes.
    pub(crate) fn axes<const D: usize>(&self, name: &'static str) -> Result<[usize; D], Fault> {
        self.axes_of(name, 1)
    }

    /// One integer of at least `least` for each of D axes.
    pub(crate) fn axes_of<const D: usize>(&self, name: &'static str, least: i64) -> Result<[usize; D], Fault> {
        self.each(name, |value| int(name, value, least))
    }

    pub(crate) fn axes_or<const D: usize>(&self, name: &'static str, default: [usize; D]) -> Result<[usize; D], Fault> {
        if self.has(name) { self.axes(name) } else { Ok(default) }
    }

    /// One size for each axis, `none` being the input's.
    pub(crate) fn axes_or_same<const D: usize>(
        &self,
        name: &'static str,
        input: [usize; D],
    ) -> Result<[usize; D], Fault> {
        let given: [Option<usize>; D] =
            self.each(name, |value| if is_none(value) { Ok(None) } else { int(name, value, 1).map(Some) })?;
        Ok(std::array::from_fn(|axis| given[axis].unwrap_or(input[axis])))
    }

    /// Factors for D axes.
    pub(crate) fn scale<const D: usize>(&self, name: &'static str) -> Result<[f64; D], Fault> {
        self.each(name, |value| match *value {
            Value::Int(v) => Ok(v as f64),
            Value::Float(v) => Ok(v),
            _ => Err(missing(name)),
        })
    }

    pub(crate) fn padding<const S: usize>(&self, name: &'static str) -> Result<Padding<S>, Fault> {
        match self.0.get(name) {
            Some(Value::Word(w)) if w == "same" => Ok(Padding::Same),
            Some(Value::Word(w)) if w == "same_tf" => Ok(Padding::SameTf),
            None | Some(Value::Word(_)) => Ok(Padding::Sides([0; S])),
            Some(_) => self.sides(name).map(Padding::Sides),
        }
    }

    /// Before and after each axis, for S sides: top, bottom, left, right.
    pub(crate) fn sides<const S: usize>(&self, name: &'static str) -> Result<[usize; S], Fault> {
        match self.0.get(name) {
            Some(Value::Tuple(items)) if 2 * items.len() == S => {
                let axes = items.iter().map(|value| int(name, value, 0)).collect::<Result<Vec<_>, _>>()?;
                Ok(std::array::from_fn(|side| axes[side / 2]))
            }
            Some(Value::Tuple(items)) if items.len() != S => Err(count(name, items, S / 2, " for each side or axis")),
            _ => self.each(name, |value| int(name, value, 0)),
        }
    }

    /// One value for each of N places, or one for all of them.
    fn each<T: Copy, const N: usize>(
        &self,
        name: &'static str,
        read: impl Fn(&Value) -> Result<T, Fault>,
    ) -> Result<[T; N], Fault> {
        match self.0.get(name) {
            None => Err(missing(name)),
            Some(Value::Tuple(items)) => {
                let values = items.iter().map(read).collect::<Result<Vec<T>, _>>()?;
                <[T; N]>::try_from(values).map_err(|_| count(name, items, N, " for each axis"))
            }
            Some(value) => Ok([read(value)?; N]),
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

    /// The bare word that a parameter is given.
    pub fn word(&self, name: &str) -> Option<&str> {
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

/// An integer of at least `least`.
fn int(name: &'static str, value: &Value, least: i64) -> Result<usize, Fault> {
    match *value {
        Value::Int(value) => at_least(name, value, least),
        _ => Err(missing(name)),
    }
}

/// A tuple that is too short or too long.
fn count(name: &'static str, items: &[Value], axes: usize, for_each: &str) -> Fault {
    let plural = if axes == 1 { "axis" } else { "axes" };
    let message = format!("`{name}` has {} values, but the input has {axes} {plural}", items.len());
    let advice = format!("use one for all of them, or one{for_each}: {}", axis_names(axes));
    Fault::new(&codes::BAD_ARGUMENT, message).about(name).advice(advice)
}

fn missing(name: &'static str) -> Fault {
    Fault::new(&codes::BAD_ARGUMENT, format!("`{name}` must be given"))
}
