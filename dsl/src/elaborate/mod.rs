//! From syntax tree to network: expands a model into calls on a builder and infers shapes on the way.
//!
//! After an error the elaborator goes on. A value that could not be made is unknown, and what depends on it is silent
//! about its shape; arguments, names and everything else are still checked. Work is bounded before and during expansion:
//! layers that can be counted are counted first, loops multiply, nesting ends at 128, and every step costs from a budget.

mod arguments;
mod arithmetic;
mod assertion;
mod body;
mod call;
mod checks;
mod context;
mod expr;
mod fault;
mod join;
mod loops;
mod model;
mod params;
mod share;
mod value;

use crate::diagnostic::{Diagnostic, Report};
use crate::imports::Imports;
use crate::settings::Settings;
use crate::syntax::{Definition, Expr, File, Statement};
use crate::{Outline, codes, suggest};
use checks::check_name;
pub use checks::is_reserved_model_name;
use cnn_ir::Network;
use context::{Blocks, Context};
use expr::Scope;
use model::{Elaborator, Plan};
use std::collections::{BTreeMap, BTreeSet};
use value::{Given, Type};

/// Elaborates every model of the main file, which is the first.
pub(crate) fn elaborate(
    files: &[File<'_>],
    imports: &Imports,
    settings: &Settings,
    report: &mut Report,
) -> (Vec<Network>, Vec<Outline>) {
    files.iter().for_each(|file| checks::check_names(file, report));
    let mut blocks = Blocks::new(files, imports, report);
    checks::find_recursion(&mut blocks, report);
    let models = Models::new(files, imports, report);
    params::check_settings(&models.list, settings, report);
    let mut networks = Vec::new();
    for (index, model) in models.own().filter(|(_, model)| !model.oversized) {
        if report.is_full() {
            break;
        }
        let errors = report.errors();
        let network = models.elaborate(index, model, settings, &mut Context { blocks: &blocks, report });
        networks.extend(network.filter(|_| report.errors() == errors));
    }
    check_unused_blocks(&blocks, report);
    if report.errors() == 0
        && let Some(main) = files.first()
    {
        checks::warn_unused(main, &blocks, report);
    }
    (networks, models.outlines())
}

/// The value of an expression without names.
pub(crate) fn constant(expr: &Expr<'_>, report: &mut Report) -> Option<cnn_ir::Value> {
    let mut cx = Context { blocks: &Blocks::none(), report };
    Scope::default().value(expr, &[], &mut cx)?.to_ir()
}

/// The models that the main file knows: its own first, then those of the files it uses.
struct Models<'a, 's> {
    list: Vec<&'a Definition<'s>>,
    /// How many are its own.
    own: usize,
    /// The types of each one's parameters.
    types: Vec<Vec<Option<Type>>>,
    by_name: BTreeMap<&'s str, usize>,
    /// The models that presets are made of.
    templates: BTreeSet<usize>,
}

impl<'a, 's> Models<'a, 's> {
    fn new(files: &'a [File<'s>], imports: &Imports, report: &mut Report) -> Self {
        let mut list: Vec<&Definition<'s>> = files.iter().take(1).flat_map(|file| &file.models).collect();
        let own = list.len();
        let used = imports.uses.first().into_iter().flatten().filter_map(|used| files.get(*used as usize));
        list.extend(used.flat_map(|file| &file.models));
        let types = list.iter().map(|model| model.params.iter().map(|param| Type::read(&param.ty, report)).collect());
        let types = types.collect();
        let mut by_name = BTreeMap::new();
        for (index, model) in list.iter().enumerate() {
            by_name.entry(model.name.text).or_insert(index);
        }
        let presets = list[..own].iter().filter_map(|model| model.preset.as_ref());
        let templates = presets.filter_map(|preset| by_name.get(preset.name.text).copied()).collect();
        Self { list, own, types, by_name, templates }
    }

    /// The main file's own models, with their numbers.
    fn own(&self) -> impl Iterator<Item = (usize, &'a Definition<'s>)> + '_ {
        self.list.iter().copied().enumerate().take(self.own)
    }

    fn elaborate(
        &self,
        index: usize,
        model: &Definition<'s>,
        settings: &Settings,
        cx: &mut Context<'_, 's>,
    ) -> Option<Network> {
        if model.preset.is_some() {
            return self.elaborate_preset(model, settings, cx);
        }
        if self.is_only_template(index, settings) {
            return None;
        }
        let plan = Plan { name: model.name, doc: &model.doc, head: model.head, definition: model, is_block: false };
        let nothing_given = Some((&[] as &[Given], vec![None; model.params.len()]));
        self.expand(index, plan, &nothing_given, settings, cx)
    }

    /// A model that presets complete, and that cannot stand alone: some parameter has no value.
    fn is_only_template(&self, index: usize, settings: &Settings) -> bool {
        let params = &self.list[index].params;
        self.templates.contains(&index)
            && params.iter().any(|param| param.default.is_none() && settings.get(param.name.text).is_none())
    }

    fn elaborate_preset(
        &self,
        model: &Definition<'s>,
        settings: &Settings,
        cx: &mut Context<'_, 's>,
    ) -> Option<Network> {
        let call = model.preset.as_ref()?;
        let name = call.name.text;
        let base = self.by_name.get(name).and_then(|index| Some((*index, *self.list.get(*index)?)));
        let Some((index, definition)) = base else {
            if cx.blocks.is_incomplete(model.head.source) {
                return None;
            }
            let diagnostic = Diagnostic::error(&codes::UNKNOWN_NAME, format!("there is no model `{name}`"));
            let diagnostic = diagnostic.at(call.name.span, "");
            return cx.fail(match suggest::nearest(name, self.by_name.keys().copied()) {
                Some(meant) => diagnostic.edit(format!("did you mean `{meant}`?"), call.name.span, meant),
                None => diagnostic.note("a preset gives values to the parameters of a model of this file"),
            });
        };
        if definition.preset.is_some() {
            let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, format!("`{name}` is a preset itself"))
                .at(call.name.span, "")
                .see(definition.name.span, "declared here")
                .help("make both presets of the model that has the parameters");
            return cx.fail(diagnostic);
        }
        let errors = cx.report.errors();
        let givens = arguments::evaluate(call, None, &[], &Scope::default(), cx);
        let signature = arguments::Signature::of_definition(definition);
        let assigned = arguments::assign(&signature, &givens, call, errors, cx);
        let doc = if model.doc.is_empty() { &definition.doc } else { &model.doc };
        let plan = Plan { name: model.name, doc, head: model.head, definition, is_block: false };
        let given = assigned.map(|assigned| (givens.as_slice(), assigned));
        cx.report.enter(model.head, format!("in this preset of `{name}`"));
        let network = self.expand(index, plan, &given, settings, cx);
        cx.report.leave();
        network
    }

    fn expand(
        &self,
        index: usize,
        plan: Plan<'_, 's>,
        arguments: &params::Arguments<'_>,
        settings: &Settings,
        cx: &mut Context<'_, 's>,
    ) -> Option<Network> {
        if cx.is_exhausted() || checks::is_too_large(plan.definition, cx.blocks, cx.report) {
            return None;
        }
        let errors = cx.report.errors();
        let scope = params::bind(plan.definition, &self.types[index], arguments, Some(settings), cx);
        let complete = cx.report.errors() == errors && arguments.is_some();
        let network = Elaborator::new(plan, scope, Context { blocks: cx.blocks, report: cx.report }).run();
        network.filter(|_| complete)
    }

    /// The names of all models that give networks.
    fn outlines(&self) -> Vec<Outline> {
        let named = |name: &str| self.by_name.get(name).and_then(|index| self.list.get(*index).copied());
        let models = self.own().filter(|(index, _)| {
            // A template may be complete by settings; then it has a network, but no code to name it.
            !self.is_only_template(*index, &Settings::default())
        });
        models
            .map(|(_, model)| {
                let body = model.preset.as_ref().and_then(|preset| named(preset.name.text)).unwrap_or(model);
                outline(model.name.text, &body.body)
            })
            .collect()
    }
}

fn outline(name: &str, body: &[Statement<'_>]) -> Outline {
    let mut outline = Outline { name: name.to_owned(), inputs: Vec::new(), outputs: Vec::new() };
    add_names(body, &mut outline);
    outline
}

fn add_names(body: &[Statement<'_>], outline: &mut Outline) {
    for statement in body {
        match statement {
            Statement::Input { name, .. } => outline.inputs.push(name.text.to_owned()),
            Statement::Output { name, .. } if !outline.outputs.iter().any(|output| output == name.text) => {
                outline.outputs.push(name.text.to_owned());
            }
            // What exists in training only is no output of the type's `run`.
            Statement::TrainOnly { .. } => {}
            _ => statement.inner().into_iter().for_each(|body| add_names(body, outline)),
        }
    }
}

/// Looks for errors in the blocks that no model called.
fn check_unused_blocks(blocks: &Blocks<'_, '_>, report: &mut Report) {
    // Larger ones are made of others, and those are looked at.
    const MOST_LAYERS: u64 = 2_000;
    for block in &blocks.list {
        // Blocks of other files are looked at when those are compiled.
        let is_own = block.definition.head.source == 0;
        if !is_own || block.was_called.get() || block.is_recursive || report.is_full() {
            continue;
        }
        let definition = block.definition;
        let mut cx = Context { blocks, report };
        if cx.is_exhausted() || block.least_layers > MOST_LAYERS {
            continue;
        }
        let scope = params::bind(definition, &block.types, &None, None, &mut cx);
        let plan = Plan { name: definition.name, doc: "", head: definition.head, definition, is_block: true };
        Elaborator::new(plan, scope, cx).check();
    }
}
