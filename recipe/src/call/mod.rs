//! The call form of every configuration: `adam(betas = (0.9, 0.999), eps = 1e-8)`.
//!
//! [`call!`] makes a struct whose fields are the parameters of a call, [`calls!`] an enum of such structs, and
//! [`words!`] an enum of words. All get `Display`, `FromStr` and serde from one declaration.

mod parse;
mod value;

pub(crate) use parse::{Cursor, is_word};
pub(crate) use value::{Argument, Value};

use crate::Error;
use std::fmt;

/// What can be written as a call.
pub(crate) trait Form: Sized {
    /// From a call of any name that this type knows, checked.
    fn from_call(call: Call) -> Result<Self, Error>;
    /// The name of the call.
    fn name(&self) -> &'static str;
    /// The arguments that differ from their defaults.
    fn arguments(&self) -> Vec<(&'static str, String)>;
}

/// Whether the values of a configuration are allowed.
pub(crate) trait Check {
    fn check(&self) -> Result<(), Error>;
}

/// A call as it is written.
pub(crate) struct Call {
    pub name: String,
    pub arguments: Vec<(Option<String>, Value)>,
}

impl Call {
    /// Takes the argument of a name out of the call.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.arguments.iter().position(|(given, _)| given.as_deref() == Some(name))?;
        Some(self.arguments.remove(at).1)
    }

    /// Gives every argument the name of its parameter: those without a name fill the parameters in order.
    pub fn resolve(mut self, parameters: &[&'static str]) -> Result<Self, Error> {
        let (call, found) = (self.name.clone(), self.arguments.len());
        let too_many = || Error::TooManyArguments { call: call.clone(), parameters: parameters.len(), found };
        let mut names: Vec<&str> = Vec::new();
        for (index, (name, _)) in self.arguments.iter_mut().enumerate() {
            let wanted = match name.as_deref() {
                None => *parameters.get(index).ok_or_else(too_many)?,
                Some(given) => *parameters.iter().find(|parameter| **parameter == given).ok_or_else(|| {
                    let hint = hint(given, parameters);
                    Error::UnknownParameter { call: call.clone(), parameter: given.into(), hint }
                })?,
            };
            if names.contains(&wanted) {
                return Err(Error::Twice { call, parameter: wanted.into() });
            }
            names.push(wanted);
            *name = Some(wanted.into());
        }
        Ok(self)
    }

    /// Overwrites a field whose parameter is given.
    pub fn read<T: Argument>(&mut self, parameter: &str, field: &mut T) -> Result<(), Error> {
        if let Some(value) = self.take(parameter) {
            *field = T::read(&value).ok_or_else(|| Error::Parameter {
                call: self.name.clone(),
                parameter: parameter.into(),
                value: value.to_string(),
                allowed: T::ALLOWED,
            })?;
        }
        Ok(())
    }
}

/// The nearest of some names to one that is not among them, or all of them.
pub(crate) fn hint(name: &str, names: &[&str]) -> String {
    let near = names.iter().map(|known| (strsim::damerau_levenshtein(&name.to_lowercase(), known), known)).min();
    match near {
        Some((distance, known)) if distance <= known.len().max(name.len()).div_ceil(3) => {
            format!("did you mean `{known}`?")
        }
        None => "it has none".into(),
        Some(_) => format!("there are {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}

/// Writes a call with the arguments given.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, name: &str, arguments: &[(&str, String)]) -> fmt::Result {
    f.write_str(name)?;
    for (index, (parameter, value)) in arguments.iter().enumerate() {
        write!(f, "{}{parameter} = {value}", if index == 0 { "(" } else { ", " })?;
    }
    if arguments.is_empty() { Ok(()) } else { f.write_str(")") }
}

/// Reads a text that is one call.
pub(crate) fn read<T: Form>(text: &str) -> Result<T, Error> {
    let mut cursor = Cursor::new(text);
    let call = cursor.call()?;
    cursor.end()?;
    T::from_call(call)
}

/// A struct that is written as a call; its fields are the parameters, each with its default.
macro_rules! call {
    ($(#[$doc:meta])* pub struct $Type:ident = $name:literal {
        $($(#[$field_doc:meta])* $field:ident: $kind:ty = $default:expr,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        // See `checked_serde`.
        #[serde(default, deny_unknown_fields, remote = "Self")]
        pub struct $Type {
            $($(#[$field_doc])* pub $field: $kind,)*
        }

        impl Default for $Type {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $Type {
            /// The parameters, in the order in which arguments without a name fill them.
            pub const PARAMETERS: &[&str] = &[$(stringify!($field)),*];
        }

        impl $crate::call::Form for $Type {
            #[allow(unused_mut, unused_variables)]
            fn from_call(call: $crate::call::Call) -> Result<Self, $crate::Error> {
                if call.name != $name {
                    let (kind, hint) = ("call", $crate::call::hint(&call.name, &[$name]));
                    return Err($crate::Error::UnknownName { kind, name: call.name, hint });
                }
                let mut call = call.resolve(Self::PARAMETERS)?;
                let mut made = Self::default();
                $(call.read(stringify!($field), &mut made.$field)?;)*
                $crate::call::Check::check(&made)?;
                Ok(made)
            }

            fn name(&self) -> &'static str {
                $name
            }

            #[allow(unused_mut, unused_variables)]
            fn arguments(&self) -> Vec<(&'static str, String)> {
                let default = Self::default();
                let mut arguments = Vec::new();
                $(if self.$field != default.$field {
                    arguments.push((stringify!($field), $crate::call::Argument::write(&self.$field)));
                })*
                arguments
            }
        }

        checked_serde!($Type);
        call_text!($Type);
    };
}

/// An enum of structs that are written as calls.
macro_rules! calls {
    ($(#[$doc:meta])* pub enum $Type:ident($kind:literal) {
        $($(#[$variant_doc:meta])* $Variant:ident($Inner:ident) = $name:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub enum $Type {
            $($(#[$variant_doc])* #[serde(rename = $name)] $Variant($Inner),)*
        }

        impl $Type {
            /// The names that can be written.
            pub const NAMES: &[&str] = &[$($name),*];

            /// The parameters of the call of a name, in the order in which arguments without a name fill them.
            pub fn parameters(name: &str) -> Option<&'static [&'static str]> {
                match name {
                    $($name => Some($Inner::PARAMETERS),)*
                    _ => None,
                }
            }

            /// That all values are allowed; what is read from text or by serde has been checked.
            pub fn check(&self) -> Result<(), $crate::Error> {
                match self {
                    $(Self::$Variant(inner) => $crate::call::Check::check(inner),)*
                }
            }
        }

        impl $crate::call::Form for $Type {
            fn from_call(call: $crate::call::Call) -> Result<Self, $crate::Error> {
                match call.name.as_str() {
                    $($name => $Inner::from_call(call).map(Self::$Variant),)*
                    _ => {
                        let hint = $crate::call::hint(&call.name, Self::NAMES);
                        Err($crate::Error::UnknownName { kind: $kind, name: call.name, hint })
                    }
                }
            }

            fn name(&self) -> &'static str {
                match self {
                    $(Self::$Variant(inner) => inner.name(),)*
                }
            }

            fn arguments(&self) -> Vec<(&'static str, String)> {
                match self {
                    $(Self::$Variant(inner) => inner.arguments(),)*
                }
            }
        }

        $(impl From<$Inner> for $Type {
            fn from(inner: $Inner) -> Self {
                Self::$Variant(inner)
            }
        })*

        call_text!($Type);
    };
}

/// serde's traits of a type that derives them with `remote = "Self"`: that leaves reading and writing as plain functions, so
/// that what is read can be checked here.
macro_rules! checked_serde {
    ($Type:ident) => {
        impl serde::Serialize for $Type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $Type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let made = Self::deserialize(deserializer)?;
                $crate::call::Check::check(&made).map_err(serde::de::Error::custom)?;
                Ok(made)
            }
        }
    };
}

/// `Display` and `FromStr` of a [`Form`].
macro_rules! call_text {
    ($Type:ident) => {
        impl std::fmt::Display for $Type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                use $crate::call::Form;
                $crate::call::write(f, self.name(), &self.arguments())
            }
        }

        impl std::str::FromStr for $Type {
            type Err = $crate::Error;

            fn from_str(text: &str) -> Result<Self, $crate::Error> {
                $crate::call::read(text)
            }
        }
    };
}

/// An enum whose variants are words.
macro_rules! words {
    ($(#[$doc:meta])* pub enum $Type:ident($allowed:literal) {
        $($(#[$variant_doc:meta])* $Variant:ident = $word:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $Type {
            $($(#[$variant_doc])* #[serde(rename = $word)] $Variant,)*
        }

        impl $crate::call::Argument for $Type {
            const ALLOWED: &'static str = $allowed;

            fn read(value: &$crate::call::Value) -> Option<Self> {
                match value.word()? {
                    $($word => Some(Self::$Variant),)*
                    _ => None,
                }
            }

            fn write(&self) -> String {
                match self {
                    $(Self::$Variant => $word.into(),)*
                }
            }
        }
    };
}
