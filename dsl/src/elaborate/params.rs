//! Parameters of models and blocks: values from calls, settings and defaults.

use super::context::Context;
use super::expr::Scope;
use super::value::{Given, Type, Value};
use crate::diagnostic::{Diagnostic, Report};
use crate::settings::Settings;
use crate::syntax::{Definition, Expr, ParamDecl};
use crate::{codes, suggest};

/// The arguments of a call by parameter; `None` where the call itself is wrong, which was reported.
pub(super) type Arguments<'g> = Option<(&'g [Given], Vec<Option<usize>>)>;

/// Values for the parameters of a definition. Defaults may use the parameters before them.
///
/// With `settings` it is a model, and they go before arguments; without, a block. Where a call is wrong, or there is none,
/// what it would give is unknown.
pub(super) fn bind<'s>(
    definition: &Definition<'s>,
    types: &[Option<Type>],
    arguments: &Arguments<'_>,
    settings: Option<&Settings>,
    cx: &mut Context<'_, '_>,
) -> Scope<'s> {
    let incomplete = definition.broken_head || cx.blocks.is_incomplete(definition.head.source);
    let mut scope = Scope { incomplete, ..Scope::default() };
    for (index, (param, ty)) in definition.params.iter().zip(types).enumerate() {
        let given = arguments.as_ref().map(|(givens, assigned)| assigned[index].and_then(|index| givens.get(index)));
        let setting = settings.and_then(|settings| settings.get(param.name.text));
        // The default is checked even when something replaces it.
        let default = param.default.as_ref().map(|expr| default_value(param, expr, ty.as_ref(), &scope, cx));
        let value = match (setting, given, default) {
            (Some(setting), _, _) => setting_value(param, setting, ty.as_ref(), cx),
            (_, Some(Some(given)), _) => given_value(param, given, ty.as_ref(), cx),
            (_, Some(None), Some(default)) => default,
            (_, Some(None), None) if settings.is_some() => missing_setting(param, cx),
            // An argument that is missing was reported with the call.
            (_, Some(None), None) | (_, None, _) => None,
        };
        // A second parameter of the same name is reported with the other names.
        scope.bindings.entry(param.name.text).or_insert(value);
    }
    scope
}

fn default_value(
    param: &ParamDecl<'_>,
    expr: &Expr<'_>,
    ty: Option<&Type>,
    scope: &Scope<'_>,
    cx: &mut Context<'_, '_>,
) -> Option<Value> {
    let name = param.name.text;
    let (value, ty) = scope.value(expr, &[], cx).zip(ty)?;
    ty.convert(&value).or_else(|| {
        let message = format!("the default of `{name}` is not of its type");
        let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message)
            .at(expr.span, format!("expected {ty}, found {}", value.brief()))
            .see(param.name.span, format!("`{name}` is declared as {ty}"));
        cx.fail(diagnostic)
    })
}

fn given_value(param: &ParamDecl<'_>, given: &Given, ty: Option<&Type>, cx: &mut Context<'_, '_>) -> Option<Value> {
    let name = param.name.text;
    let (value, ty) = given.value.as_ref().zip(ty)?;
    ty.convert(value).or_else(|| {
        let message = format!("`{name}` is declared as {ty}, but given {}", value.brief());
        let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message)
            .at(given.value_span, format!("expected {ty}, found {}", value.type_name()))
            .see(param.span, "declared here");
        cx.fail(diagnostic)
    })
}

fn setting_value(
    param: &ParamDecl<'_>,
    setting: &cnn_ir::Value,
    ty: Option<&Type>,
    cx: &mut Context<'_, '_>,
) -> Option<Value> {
    let (name, ty) = (param.name.text, ty?);
    let value = Value::from_ir(setting);
    ty.convert(&value).or_else(|| {
        let value = value.brief();
        let message = format!("the setting `{name}={value}` is not of the parameter's type");
        let diagnostic =
            Diagnostic::error(&codes::TYPE_MISMATCH, message).at(param.span, format!("expected {ty}, found {value}"));
        cx.fail(diagnostic)
    })
}

fn missing_setting(param: &ParamDecl<'_>, cx: &mut Context<'_, '_>) -> Option<Value> {
    let name = param.name.text;
    let diagnostic = Diagnostic::error(&codes::MISSING_SETTING, format!("`{name}` has no value"))
        .at(param.span, "no default, and no value was given")
        .help(format!("give it a default, `{name}: int = 10`, or a value from outside, `--set {name}=10`"));
    cx.fail(diagnostic)
}

/// Settings that no model knows.
pub(super) fn check_settings(models: &[&Definition<'_>], settings: &Settings, report: &mut Report) {
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
