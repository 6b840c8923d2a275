//! Values and their types.

use super::context::Context;
use crate::diagnostic::{Diagnostic, Report};
use crate::syntax::{Comparison, TypeExpr};
use crate::{codes, suggest};
use cnn_ir::{OpDef, Span};
use std::fmt;

/// The most values a list or tuple may hold, those within it counted; and the deepest nesting.
const MAX_VALUES: usize = 10_000;
const MAX_VALUE_DEPTH: usize = 128;

/// A value of the language: what layers take, and layers themselves.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Int(i64),
    Float(f64),
    Bool(bool),
    /// A bare word that names a way of doing something: `same`.
    Word(String),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Layer(Box<Layer>),
}

/// A layer or block passed as an argument, with the arguments it has so far.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub target: Target,
    pub name: String,
    pub bound: Vec<Given>,
}

/// What a call applies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    Op(&'static OpDef),
    /// A block, by its number in the file.
    Block(usize),
}

impl Target {
    /// The op, if it is one.
    pub fn op(self) -> Option<&'static OpDef> {
        match self {
            Target::Op(def) => Some(def),
            Target::Block(_) => None,
        }
    }
}

/// An argument with its value.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub name: Option<(String, Span)>,
    /// `None` after an error that was reported.
    pub value: Option<Value>,
    /// The whole argument.
    pub span: Span,
    /// Its value.
    pub value_span: Span,
    /// The value was calculated, so a message should say what it is.
    pub calculated: bool,
}

impl Value {
    /// The type's name in the language.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Bool(_) => "bool",
            Value::Word(_) => "word",
            Value::Tuple(_) => "tuple",
            Value::List(_) => "list",
            Value::Layer(_) => "layer",
        }
    }

    /// The type's name with its article: `an int`.
    pub fn a_type(&self) -> String {
        let article = if matches!(self, Value::Int(_)) { "an" } else { "a" };
        format!("{article} {}", self.type_name())
    }

    /// The value as layers take it; `None` if a layer is in it.
    pub fn to_ir(&self) -> Option<cnn_ir::Value> {
        let all = |items: &[Value]| items.iter().map(Value::to_ir).collect::<Option<Vec<_>>>();
        Some(match self {
            Value::Int(value) => cnn_ir::Value::Int(*value),
            Value::Float(value) => cnn_ir::Value::Float(*value),
            Value::Bool(value) => cnn_ir::Value::Bool(*value),
            Value::Word(value) => cnn_ir::Value::Word(value.clone()),
            Value::Tuple(items) => cnn_ir::Value::Tuple(all(items)?),
            Value::List(items) => cnn_ir::Value::List(all(items)?),
            Value::Layer(_) => return None,
        })
    }

    pub fn from_ir(value: &cnn_ir::Value) -> Self {
        let all = |items: &[cnn_ir::Value]| items.iter().map(Value::from_ir).collect();
        match value {
            cnn_ir::Value::Int(value) => Value::Int(*value),
            cnn_ir::Value::Float(value) => Value::Float(*value),
            cnn_ir::Value::Bool(value) => Value::Bool(*value),
            cnn_ir::Value::Word(value) => Value::Word(value.clone()),
            cnn_ir::Value::Tuple(items) => Value::Tuple(all(items)),
            cnn_ir::Value::List(items) => Value::List(all(items)),
        }
    }

    /// A number of values; more than [`MAX_VALUES`] if it is too large or too deep.
    pub fn size(&self) -> usize {
        fn add(value: &Value, depth: usize, total: &mut usize) {
            *total += if depth > MAX_VALUE_DEPTH { MAX_VALUES + 1 } else { 1 };
            if *total > MAX_VALUES {
                return;
            }
            match value {
                Value::Tuple(items) | Value::List(items) => items.iter().for_each(|item| add(item, depth + 1, total)),
                Value::Layer(layer) => {
                    layer.bound.iter().flat_map(|given| &given.value).for_each(|item| add(item, depth + 1, total));
                }
                _ => {}
            }
        }
        let mut total = 0;
        add(self, 0, &mut total);
        total
    }

    /// The value itself, unless it is too large.
    pub fn bounded(self, span: Span, cx: &mut Context<'_, '_>) -> Option<Self> {
        let size = self.size();
        cx.spend(size, span);
        if size <= MAX_VALUES {
            return Some(self);
        }
        let message = format!("a value may hold {MAX_VALUES} others");
        cx.fail(Diagnostic::error(&codes::TOO_LARGE, message).at(span, "this one holds more"))
    }

    /// How two values compare; `None` if they have no order or are of different types.
    pub fn compare(&self, comparison: Comparison, other: &Self) -> Option<bool> {
        use std::cmp::Ordering;
        let order = match (self, other) {
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
                self.as_float()?.partial_cmp(&other.as_float()?)?
            }
            _ => {
                let equal = self.equals(other)?;
                return match comparison {
                    Comparison::Equal => Some(equal),
                    Comparison::NotEqual => Some(!equal),
                    _ => None,
                };
            }
        };
        Some(match comparison {
            Comparison::Equal => order == Ordering::Equal,
            Comparison::NotEqual => order != Ordering::Equal,
            Comparison::Less => order == Ordering::Less,
            Comparison::LessEqual => order != Ordering::Greater,
            Comparison::Greater => order == Ordering::Greater,
            Comparison::GreaterEqual => order != Ordering::Less,
        })
    }

    fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => Some(a == b),
            (Value::Word(a), Value::Word(b)) => Some(a == b),
            (Value::Tuple(a), Value::Tuple(b)) | (Value::List(a), Value::List(b)) => {
                let mut equal = a.len() == b.len();
                for (a, b) in a.iter().zip(b) {
                    equal &= a.compare(Comparison::Equal, b)?;
                }
                Some(equal)
            }
            _ => None,
        }
    }

    fn as_float(&self) -> Option<f64> {
        match self {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The value as a message shows it: long ones cut.
    pub fn brief(&self) -> String {
        const LONGEST: usize = 60;
        let text = self.to_string();
        if text.chars().count() <= LONGEST {
            text
        } else {
            format!("{}…", text.chars().take(LONGEST).collect::<String>())
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value:?}"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Word(value) => f.write_str(value),
            Value::Tuple(items) => {
                list(f, "(", items, |f, item| write!(f, "{item}"))?;
                f.write_str(if items.len() == 1 { ",)" } else { ")" })
            }
            Value::List(items) => {
                list(f, "[", items, |f, item| write!(f, "{item}"))?;
                f.write_str("]")
            }
            Value::Layer(layer) if layer.bound.is_empty() => f.write_str(&layer.name),
            Value::Layer(layer) => {
                f.write_str(&layer.name)?;
                list(f, "(", &layer.bound, |f, given| {
                    if let Some((name, _)) = &given.name {
                        write!(f, "{name} = ")?;
                    }
                    given.value.as_ref().map_or(Ok(()), |value| write!(f, "{value}"))
                })?;
                f.write_str(")")
            }
        }
    }
}

/// The opening sign and the items with commas between them.
fn list<T>(
    f: &mut fmt::Formatter<'_>,
    open: &str,
    items: &[T],
    mut show: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_str(open)?;
    for (index, item) in items.iter().enumerate() {
        f.write_str(if index > 0 { ", " } else { "" })?;
        show(f, item)?;
    }
    Ok(())
}

/// A type of the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    Int,
    Float,
    Bool,
    /// A list of integers: `[1, 28, 28]`.
    Shape,
    /// A layer or a block, with or without arguments.
    Layer,
    List(Box<Type>),
    Tuple(Vec<Type>),
}

const TYPE_NAMES: [&str; 5] = ["int", "float", "bool", "shape", "layer"];

impl Type {
    pub fn read(ty: &TypeExpr<'_>, report: &mut Report) -> Option<Self> {
        match ty {
            TypeExpr::List(item) => Some(Type::List(Box::new(Self::read(item, report)?))),
            TypeExpr::Tuple(items) => {
                items.iter().map(|item| Self::read(item, report)).collect::<Option<_>>().map(Type::Tuple)
            }
            TypeExpr::Name(name) => match name.text {
                "int" => Some(Type::Int),
                "float" => Some(Type::Float),
                "bool" => Some(Type::Bool),
                "shape" => Some(Type::Shape),
                "layer" => Some(Type::Layer),
                other => {
                    let message = format!("there is no type `{other}`");
                    let mut diagnostic = Diagnostic::error(&codes::UNKNOWN_NAME, message).at(name.span, "");
                    diagnostic = match suggest::nearest(other, TYPE_NAMES) {
                        Some(meant) => diagnostic.edit(format!("did you mean `{meant}`?"), name.span, meant),
                        None => diagnostic.note(
                            "the types are `int`, `float`, `bool`, `shape`, `layer`, lists `[int]` and tuples \
                             `(int, int)`",
                        ),
                    };
                    report.push(diagnostic);
                    None
                }
            },
        }
    }

    /// The value as this type has it, if it can be: an integer becomes a float where one is wanted.
    pub fn convert(&self, value: &Value) -> Option<Value> {
        Some(match (self, value) {
            (Type::Int, Value::Int(_))
            | (Type::Float, Value::Float(_))
            | (Type::Bool, Value::Bool(_))
            | (Type::Layer, Value::Layer(_)) => value.clone(),
            (Type::Float, Value::Int(value)) => Value::Float(*value as f64),
            (Type::Shape, Value::List(items)) => {
                let all = items.iter().all(|item| matches!(item, Value::Int(_)));
                return all.then(|| value.clone());
            }
            (Type::List(item), Value::List(items)) => {
                Value::List(items.iter().map(|value| item.convert(value)).collect::<Option<_>>()?)
            }
            (Type::Tuple(types), Value::Tuple(items)) if types.len() == items.len() => {
                let pairs = types.iter().zip(items);
                Value::Tuple(pairs.map(|(ty, value)| ty.convert(value)).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Int => f.write_str("int"),
            Type::Float => f.write_str("float"),
            Type::Bool => f.write_str("bool"),
            Type::Shape => f.write_str("shape"),
            Type::Layer => f.write_str("layer"),
            Type::List(item) => write!(f, "[{item}]"),
            Type::Tuple(items) => {
                list(f, "(", items, |f, item| write!(f, "{item}"))?;
                f.write_str(")")
            }
        }
    }
}
