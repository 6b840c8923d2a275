//! `train { … }`: what is checked of a model's settings for its training.

use super::context::Context;
use super::expr::Scope;
use super::model::Elaborator;
use super::recipe::{Recipe, Written, is_call};
use super::value::Value;
use crate::diagnostic::Diagnostic;
use crate::syntax::{Expr, ExprKind, Setting, Statement};
use crate::{codes, suggest};
use cnn_ir::{Span, Training};
use std::collections::BTreeMap;

/// A setting of `train { … }`, as the reference lists it.
#[derive(Debug, Clone, Copy)]
pub struct TrainSetting {
    /// The key.
    pub name: &'static str,
    /// What its value is, in words.
    pub takes: &'static str,
    /// One line of documentation.
    pub doc: &'static str,
    kind: Kind,
}

/// What a value is, to be checked.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Recipe(Recipe),
    /// A learning rate.
    Rate,
    /// From 0 to below 1.
    Share,
    /// A whole number, and the least.
    Count(i64),
    /// `true` or `false`.
    Flag,
    /// Where the data comes from: a call whose name and arguments are for others to know.
    Source,
    /// Such calls, joined by arrows.
    Calls,
}

const fn setting(name: &'static str, kind: Kind, takes: &'static str, doc: &'static str) -> TrainSetting {
    TrainSetting { name, takes, doc, kind }
}

/// Every setting, in the order in which the reference lists them.
pub static TRAIN_SETTINGS: &[TrainSetting] = &[
    setting(
        "data",
        Kind::Source,
        "a dataset: `fashion_mnist`, `mnist(\"folder\")`, `folder(\"photos\")`",
        "what is trained on",
    ),
    setting(
        "transforms",
        Kind::Calls,
        "transforms joined by `->`: `random_crop(28, padding = 4) -> horizontal_flip`",
        "what happens to the pictures",
    ),
    setting(
        "validation",
        Kind::Share,
        "a number from 0 to below 1",
        "the share of the data that is kept for validation",
    ),
    setting(
        "loss",
        Kind::Recipe(Recipe::Loss),
        "a loss, or a sum: `mse + 0.3 * cross_entropy(output = aux)`",
        "what is made small",
    ),
    setting(
        "optimizer",
        Kind::Recipe(Recipe::Optimizer),
        "an optimizer: `adam(betas = (0.9, 0.999))`",
        "how the weights change",
    ),
    setting("rate", Kind::Rate, "a number above 0", "the learning rate"),
    setting(
        "schedule",
        Kind::Recipe(Recipe::Schedule),
        "a schedule: `warmup(5) -> cosine(total = 30)`",
        "how the rate changes; counts epochs, and for `one_cycle` steps",
    ),
    setting(
        "weight_decay",
        Kind::Recipe(Recipe::WeightDecay),
        "a number, or `weight_decay(5e-4, true)`",
        "how the weights shrink; with `true`, biases and those of norms and PReLU do not",
    ),
    setting("clip", Kind::Recipe(Recipe::Clip), "`norm(1.0)` or `value(0.5)`", "how gradients are clipped"),
    setting("batch", Kind::Count(1), "a whole number from 1", "examples of a batch"),
    setting("accumulate", Kind::Count(1), "a whole number from 1", "batches whose gradients make one update"),
    setting(
        "drop_last",
        Kind::Flag,
        "`true` or `false`",
        "whether an epoch's last batch is left out where it has fewer examples",
    ),
    setting("epochs", Kind::Count(1), "a whole number from 1", "how often all data is gone through"),
    setting("steps", Kind::Count(1), "a whole number from 1", "how many updates there are, in place of `epochs`"),
    setting(
        "early_stopping",
        Kind::Count(1),
        "a whole number from 1",
        "after how many epochs that are no better it ends",
    ),
    setting(
        "init",
        Kind::Recipe(Recipe::Initialiser),
        "an initialiser: `xavier_uniform`",
        "how weights start, where a layer has no `init` of its own",
    ),
    setting("seed", Kind::Count(0), "a whole number from 0", "what all that is random follows from"),
];

/// What settings are called elsewhere.
const ALIASES: &[(&str, &str)] = &[
    ("lr", "rate"),
    ("optim", "optimizer"),
    ("criterion", "loss"),
    ("objective", "loss"),
    ("dataset", "data"),
    ("augment", "transforms"),
    ("augmentations", "transforms"),
    ("patience", "early_stopping"),
    ("initialiser", "init"),
    ("initializer", "init"),
];

impl<'a, 's> Elaborator<'a, 's> {
    /// `train { … }`
    pub fn train(&mut self, settings: &'a [Setting<'s>], span: Span) {
        if self.is_in_block() || self.depth > 0 {
            let place = if self.is_in_block() { "a block" } else { "a loop, condition, group or branch" };
            let diagnostic = Diagnostic::error(&codes::MISPLACED_TRAIN, format!("`train` stands in {place}"));
            let diagnostic = diagnostic.at(span, "").help("move it to the end of the model");
            return self.cx.report.push(diagnostic);
        }
        let mut training = Training { settings: Vec::new(), span };
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for setting in settings {
            if self.is_stopped() {
                return;
            }
            let key = setting.key;
            let Some(known) = TRAIN_SETTINGS.iter().find(|known| known.name == key.text) else {
                self.cx.report.push(unknown(key.text, key.span));
                continue;
            };
            if let Some(first) = seen.get(key.text) {
                let message = format!("`{}` is given twice", key.text);
                let diagnostic = Diagnostic::error(&codes::DUPLICATE_ARGUMENT, message);
                self.cx.report.push(diagnostic.at(key.span, "given again").see(*first, "given first"));
                continue;
            }
            seen.insert(key.text, key.span);
            let last = self.frames.len() - 1;
            let read =
                Reader { known, steps: &setting.steps, scope: &self.frames[last].scope, cx: &mut self.cx }.read();
            let Some((text, written)) = read else { continue };
            if let Some(written) = written {
                self.loss_outputs.extend(outputs(&written));
            }
            let span = match (setting.steps.first(), setting.steps.last()) {
                (Some(first), Some(last)) => Span { end: last.span.end, ..first.span },
                _ => key.span,
            };
            training.settings.push(cnn_ir::Setting { key: key.text.to_owned(), text, span });
        }
        if let (Some(epochs), Some(steps)) = (seen.get("epochs"), seen.get("steps")) {
            let diagnostic = Diagnostic::error(&codes::DUPLICATE_ARGUMENT, "the training has two lengths");
            self.cx
                .report
                .push(diagnostic.at(*steps, "so many updates").see(*epochs, "so many epochs").help("give one of them"));
        }
        self.training = Some(training);
    }

    /// That the outputs a loss names are there, when all are known.
    pub fn check_loss_outputs(&mut self, outputs: &[&'s str]) {
        let definition = self.plan.definition;
        if definition.lost_names || definition.body.iter().any(|part| matches!(part, Statement::Broken { .. })) {
            return;
        }
        for (name, span) in std::mem::take(&mut self.loss_outputs) {
            if outputs.contains(&name) {
                continue;
            }
            let message = format!("the model has no output `{name}`");
            let diagnostic = Diagnostic::error(&codes::UNKNOWN_NAME, message).at(span, "");
            let names: Vec<String> = outputs.iter().map(|output| format!("`{output}`")).collect();
            self.cx.report.push(match suggest::nearest(name, outputs.iter().copied()) {
                Some(meant) => diagnostic.edit(format!("did you mean `{meant}`?"), span, meant),
                None if names.is_empty() => diagnostic.help("its outputs have no names: declare one, `output logits`"),
                None => diagnostic.note(format!("its outputs are {}", names.join(", "))),
            });
        }
    }
}

/// The outputs that a loss names.
fn outputs<'s>(written: &Written<'_, 's>) -> Vec<(&'s str, Span)> {
    let arguments = written.calls.iter().flat_map(|call| call.arguments);
    let named = arguments.filter(|argument| argument.name.is_some_and(|name| name.text == "output"));
    named
        .filter_map(|argument| match argument.value.kind {
            ExprKind::Name(name) => Some((name, argument.value.span)),
            _ => None,
        })
        .collect()
}

fn unknown(key: &str, span: Span) -> Diagnostic {
    let message = format!("`train` has no setting `{key}`");
    let diagnostic = Diagnostic::error(&codes::UNKNOWN_TRAIN_SETTING, message).at(span, "unknown setting");
    let names = TRAIN_SETTINGS.iter().map(|known| known.name);
    let alias = ALIASES.iter().find(|(alias, _)| *alias == key).map(|(_, meant)| *meant);
    match alias.or_else(|| suggest::nearest(key, names.clone())) {
        Some(meant) => diagnostic.edit(format!("did you mean `{meant}`?"), span, meant),
        None => diagnostic.note(format!("its settings are {}", names.collect::<Vec<_>>().join(", "))),
    }
}

/// Reads one value.
struct Reader<'r, 'a, 's> {
    known: &'static TrainSetting,
    steps: &'r [Expr<'s>],
    scope: &'r Scope<'s>,
    cx: &'r mut Context<'a, 's>,
}

impl<'r, 's> Reader<'r, '_, 's> {
    /// The value's text and, of a loss, its parts.
    fn read(mut self) -> Option<(String, Option<Written<'r, 's>>)> {
        let text = match self.known.kind {
            Kind::Recipe(recipe) => {
                let (text, written) = recipe.read(self.steps, self.scope, self.cx)?;
                return Some((text, Some(written).filter(|_| recipe == Recipe::Loss)));
            }
            Kind::Source | Kind::Calls => self.calls(),
            Kind::Rate | Kind::Share | Kind::Count(_) => self.number(),
            Kind::Flag => self.flag(),
        };
        Some((text?, None))
    }

    fn number(&mut self) -> Option<String> {
        let [expr] = self.steps else { return self.one_value() };
        let value = self.scope.value(expr, &[], self.cx)?;
        let number = match value {
            Value::Int(int) => int as f64,
            Value::Float(float) => float,
            _ => return self.refuse(expr.span, &value),
        };
        let is_allowed = match (self.known.kind, &value) {
            (Kind::Rate, _) => cnn_recipe::check_rate(number).is_ok(),
            (Kind::Share, _) => (0.0..1.0).contains(&number),
            (Kind::Count(least), Value::Int(count)) => *count >= least,
            _ => return self.refuse(expr.span, &value),
        };
        if is_allowed {
            return Some(value.to_string());
        }
        let Self { known: TrainSetting { name, takes, .. }, .. } = *self;
        let message = format!("`{name}` must be {takes}, not {}", value.brief());
        self.cx.fail(Diagnostic::error(&codes::BAD_ARGUMENT, message).at(expr.span, ""))
    }

    fn flag(&mut self) -> Option<String> {
        let [expr] = self.steps else { return self.one_value() };
        match self.scope.value(expr, &[], self.cx)? {
            value @ Value::Bool(_) => Some(value.to_string()),
            value => self.refuse(expr.span, &value),
        }
    }

    fn calls(&mut self) -> Option<String> {
        for step in self.steps {
            if !is_call(step, self.scope) {
                return self.no_call(step);
            }
        }
        if matches!(self.known.kind, Kind::Source) && self.steps.len() > 1 {
            return self.one_value();
        }
        Written::new(self.steps, true, self.scope, self.cx).map(|written| written.text)
    }

    /// Refuses a value of another type.
    fn refuse<T>(&mut self, span: Span, value: &Value) -> Option<T> {
        let TrainSetting { name, takes, .. } = self.known;
        let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, format!("`{name}` takes {takes}"));
        self.cx.fail(diagnostic.at(span, format!("found {}", value.brief())))
    }

    fn one_value<T>(&mut self) -> Option<T> {
        let message = format!("`{}` takes one value", self.known.name);
        let second = self.steps.get(1).map_or(Span::default(), |step| step.span);
        self.cx.fail(Diagnostic::error(&codes::TYPE_MISMATCH, message).at(second, "one too many"))
    }

    fn no_call<T>(&mut self, step: &Expr<'_>) -> Option<T> {
        let TrainSetting { name, takes, kind, .. } = *self.known;
        let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, format!("`{name}` takes {takes}"));
        let diagnostic = diagnostic.at(step.span, "not a call");
        self.cx.fail(match (kind, &step.kind) {
            (Kind::Source, ExprKind::Text(text)) => {
                diagnostic.edit("a folder of pictures is written so", step.span, format!("folder(\"{text}\")"))
            }
            (_, ExprKind::Text(text)) => diagnostic.edit("write it without quotes", step.span, *text),
            _ => diagnostic,
        })
    }
}
