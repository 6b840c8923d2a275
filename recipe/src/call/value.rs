//! The values of arguments, and the types they are read as.

use std::fmt;

/// A value as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Word(String),
    List(Vec<Value>),
}

impl Value {
    /// The word, where it is one.
    pub fn word(&self) -> Option<&str> {
        if let Self::Word(word) = self { Some(word) } else { None }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Debug writes 1e-8 where Display writes eight zeros; both read back to the same bits.
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Word(word) => f.write_str(word),
            Self::List(items) => write!(f, "[{}]", joined(items)),
        }
    }
}

/// A type that an argument is read as.
pub(crate) trait Argument: Sized {
    /// What is allowed, for the error.
    const ALLOWED: &'static str;
    fn read(value: &Value) -> Option<Self>;
    fn write(&self) -> String;
}

impl Argument for f64 {
    const ALLOWED: &'static str = "a number";

    fn read(value: &Value) -> Option<Self> {
        if let Value::Number(number) = value { Some(*number) } else { None }
    }

    fn write(&self) -> String {
        Value::Number(*self).to_string()
    }
}

impl Argument for i64 {
    const ALLOWED: &'static str = "a whole number";

    fn read(value: &Value) -> Option<Self> {
        // Beyond 2⁵³ a float no longer holds every whole number.
        let number = f64::read(value)?;
        (number.fract() == 0.0 && number.abs() <= 2f64.powi(53)).then_some(number as i64)
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Argument for u64 {
    const ALLOWED: &'static str = "a whole number from 0";

    fn read(value: &Value) -> Option<Self> {
        i64::read(value).and_then(|number| u64::try_from(number).ok())
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Argument for bool {
    const ALLOWED: &'static str = "true or false";

    fn read(value: &Value) -> Option<Self> {
        value.word()?.parse().ok()
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Argument for Option<f64> {
    const ALLOWED: &'static str = "a number or none";

    fn read(value: &Value) -> Option<Self> {
        if value.word() == Some("none") { Some(None) } else { f64::read(value).map(Some) }
    }

    fn write(&self) -> String {
        self.as_ref().map_or_else(|| "none".into(), Argument::write)
    }
}

impl Argument for (f64, f64) {
    const ALLOWED: &'static str = "a pair of numbers";

    fn read(value: &Value) -> Option<Self> {
        let Value::List(items) = value else { return None };
        let [first, second] = items.as_slice() else { return None };
        Some((f64::read(first)?, f64::read(second)?))
    }

    fn write(&self) -> String {
        format!("({}, {})", self.0.write(), self.1.write())
    }
}

impl<T: Argument> Argument for Vec<T> {
    const ALLOWED: &'static str = "a list of numbers";

    /// A single value is a list of one.
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::List(items) => items.iter().map(T::read).collect(),
            single => T::read(single).map(|item| vec![item]),
        }
    }

    fn write(&self) -> String {
        format!("[{}]", self.iter().map(T::write).collect::<Vec<_>>().join(", "))
    }
}

fn joined(items: &[Value]) -> String {
    items.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}
