//! Parameters of models: types, defaults and settings from outside.

use super::expr::{Binding, Scope};
use crate::diagnostic::{Diagnostic, Report};
use crate::settings::Settings;
use crate::syntax::{Model, ParamDecl, TypeExpr};
use crate::{codes, suggest};
use cnn_ir::Value;
use std::cell::Cell;
use std::fmt;

/// A type of the language.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Type {
    Int,
    Float,
    Bool,
    /// A list of integers: `[1, 28, 28]`.
    Shape,
    List(Box<Type>),
    Tuple(Vec<Type>),
}

const TYPE_NAMES: [&str; 4] = ["int", "float", "bool", "shape"];

impl Type {
    fn read(ty: &TypeExpr<'_>, report: &mut Report) -> Option<Self> {
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
                other => {
                    let message = format!("there is no type `{other}`");
                    let mut diagnostic = Diagnostic::error(&codes::UNKNOWN_NAME, message).at(name.span, "");
                    diagnostic = match suggest::nearest(other, TYPE_NAMES) {
                        Some(meant) => diagnostic.edit(format!("did you mean `{meant}`?"), name.span, meant),
                        None => diagnostic.note(
                            "the types are `int`, `float`, `bool`, `shape`, lists `[int]` and tuples `(int, int)`",
                        ),
                    };
                    report.push(diagnostic);
                    None
                }
            },
        }
    }

    /// The value as this type has it: an integer becomes a float where one is wanted.
    fn convert(&self, value: Value) -> Result<Value, Value> {
        match (self, value) {
            (Type::Int, value @ Value::Int(_))
            | (Type::Float, value @ Value::Float(_))
            | (Type::Bool, value @ Value::Bool(_)) => Ok(value),
            (Type::Float, Value::Int(value)) => Ok(Value::Float(value as f64)),
            (Type::Shape, Value::List(items)) => {
                let all = items.iter().all(|item| matches!(item, Value::Int(_)));
                if all { Ok(Value::List(items)) } else { Err(Value::List(items)) }
            }
            (Type::List(item), Value::List(items)) => {
                items.into_iter().map(|value| item.convert(value)).collect::<Result<_, _>>().map(Value::List)
            }
            (Type::Tuple(types), Value::Tuple(items)) if types.len() == items.len() => {
                let pairs = types.iter().zip(items);
                pairs.map(|(ty, value)| ty.convert(value)).collect::<Result<_, _>>().map(Value::Tuple)
            }
            (_, value) => Err(value),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Int => f.write_str("int"),
            Type::Float => f.write_str("float"),
            Type::Bool => f.write_str("bool"),
            Type::Shape => f.write_str("shape"),
            Type::List(item) => write!(f, "[{item}]"),
            Type::Tuple(items) => {
                f.write_str("(")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str(")")
            }
        }
    }
}

/// The values of a model's parameters. Defaults may use the parameters before them.
pub(super) fn bind_params<'s>(model: &Model<'s>, settings: &Settings, report: &mut Report) -> Scope<'s> {
    let mut scope = Scope { incomplete: model.broken_head, ..Scope::default() };
    for param in &model.params {
        let value = param_value(param, &scope, settings, report);
        // A second parameter of the same name is reported with the other names of the model.
        scope.bindings.entry(param.name.text).or_insert(Binding { value, used: Cell::new(false) });
    }
    scope
}

fn param_value(param: &ParamDecl<'_>, scope: &Scope<'_>, settings: &Settings, report: &mut Report) -> Option<Value> {
    let name = param.name.text;
    let ty = Type::read(&param.ty, report);
    // The default is checked even when a setting replaces it.
    let default = param.default.as_ref().map(|expr| {
        let (value, ty) = scope.value(expr, &[], report).zip(ty.as_ref())?;
        let converted = ty.convert(value.clone());
        if converted.is_err() {
            let message = format!("the default of `{name}` is not of its type");
            let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message)
                .at(expr.span, format!("expected {ty}, found {}", super::brief(&value)))
                .see(param.name.span, format!("`{name}` is declared as {ty}"));
            report.push(diagnostic);
        }
        converted.ok()
    });
    let Some(setting) = settings.get(name) else {
        return default.unwrap_or_else(|| {
            let diagnostic = Diagnostic::error(&codes::MISSING_SETTING, format!("`{name}` has no value"))
                .at(param.span, "no default, and no value was given")
                .help(format!("give it a default, `{name}: int = 10`, or a value from outside, `--set {name}=10`"));
            report.push(diagnostic);
            None
        });
    };
    let ty = ty?;
    match ty.convert(setting.clone()) {
        Ok(value) => Some(value),
        Err(_) => {
            let value = super::brief(setting);
            let message = format!("the setting `{name}={value}` is not of the parameter's type");
            let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message)
                .at(param.span, format!("expected {ty}, found {value}"));
            report.push(diagnostic);
            None
        }
    }
}

/// Settings that no model knows.
pub(super) fn check_settings(models: &[Model<'_>], settings: &Settings, report: &mut Report) {
    let Some(first) = models.first().filter(|_| models.iter().all(|model| !model.broken_head)) else { return };
    let params = || models.iter().flat_map(|model| &model.params).map(|param| param.name);
    let is_known = |setting: &str| params().any(|name| name.text == setting);
    for setting in settings.names().filter(|setting| !is_known(setting)) {
        let message = format!("no model has a parameter `{}`", setting.escape_debug());
        let diagnostic = Diagnostic::error(&codes::UNKNOWN_SETTING, message);
        let meant = suggest::nearest(setting, params().map(|name| name.text));
        let meant = meant.and_then(|meant| params().find(|name| name.text == meant));
        report.push(match meant {
            Some(meant) => diagnostic.at(meant.span, format!("did you mean `{}`?", meant.text)),
            None if params().next().is_none() => diagnostic.at(first.head, "has no parameters"),
            None => {
                let known: Vec<String> = params().take(20).map(|name| format!("`{}`", name.text)).collect();
                diagnostic.at(first.head, "").note(format!("known parameters: {}", known.join(", ")))
            }
        });
    }
}
