//! The models of the files, and presets: models made of others by giving values to their parameters.

use super::context::Context;
use super::expr::Scope;
use super::model::{Elaborator, Plan};
use super::value::{Given, Type};
use super::{arguments, checks, params};
use crate::diagnostic::{Diagnostic, Report};
use crate::imports::Imports;
use crate::settings::Settings;
use crate::syntax::{Call, Definition, File, Statement};
use crate::{Outline, codes, suggest};
use cnn_ir::Network;
use std::collections::{BTreeMap, BTreeSet};

/// The models of all files, the main file's own first.
pub(super) struct Models<'a, 's> {
    list: Vec<&'a Definition<'s>>,
    /// How many are the main file's own.
    own: usize,
    /// The types of each one's parameters.
    types: Vec<Vec<Option<Type>>>,
    /// The models that each file knows: its own, and those of the files it uses.
    by_name: Vec<BTreeMap<&'s str, usize>>,
    /// The models that presets are made of.
    templates: BTreeSet<usize>,
}

/// The most presets on the way to a model with a body.
const MAX_STEPS: usize = 128;

/// What a preset is made of.
struct Base<'a, 's> {
    /// The model with the body.
    index: usize,
    /// The presets on the way to it, beginning with the one that is asked for, and their calls.
    steps: Vec<(&'a Definition<'s>, &'a Call<'s>)>,
}

impl<'a, 's> Models<'a, 's> {
    pub fn new(files: &'a [File<'s>], imports: &Imports, report: &mut Report) -> Self {
        let mut list: Vec<&'a Definition<'s>> = Vec::new();
        let mut of_file: Vec<BTreeMap<&'s str, usize>> = Vec::new();
        for file in files {
            let mut names = BTreeMap::new();
            for model in &file.models {
                names.entry(model.name.text).or_insert(list.len());
                list.push(model);
            }
            of_file.push(names);
        }
        let mut by_name = of_file.clone();
        for (names, uses) in by_name.iter_mut().zip(&imports.uses) {
            let used = uses.iter().filter_map(|used| of_file.get(*used as usize)).flatten();
            for (name, index) in used {
                names.entry(name).or_insert(*index);
            }
        }
        let types = |model: &&Definition<'s>| model.params.iter().map(|param| Type::read(&param.ty, report)).collect();
        let types = list.iter().map(types).collect();
        let own = files.first().map_or(0, |file| file.models.len());
        let mut models = Self { list, own, types, by_name, templates: BTreeSet::new() };
        let made_of = |model: &&'a Definition<'s>| model.preset.as_ref().and_then(|call| models.find(call));
        models.templates = models.list.iter().filter_map(made_of).collect();
        models
    }

    /// The main file's own models, with their numbers.
    pub fn own(&self) -> impl Iterator<Item = (usize, &'a Definition<'s>)> + '_ {
        self.list.iter().copied().enumerate().take(self.own)
    }

    /// The models that the main file knows, its own first.
    pub fn known(&self) -> Vec<&'a Definition<'s>> {
        let mut known: Vec<usize> = self.by_name.first().into_iter().flat_map(BTreeMap::values).copied().collect();
        known.sort_unstable();
        known.into_iter().filter_map(|index| self.list.get(index).copied()).collect()
    }

    /// The model that a preset's call names.
    fn find(&self, call: &Call<'s>) -> Option<usize> {
        self.by_name.get(call.span.source as usize)?.get(call.name.text).copied()
    }

    pub fn elaborate(&self, index: usize, settings: &Settings, cx: &mut Context<'_, 's>) -> Option<Network> {
        let model = *self.list.get(index)?;
        let Base { index: base, steps } = self.base(index, cx)?;
        let definition = self.list[base];
        if self.is_only_template(index, settings) {
            return None;
        }
        let docs = steps.iter().map(|(preset, _)| &preset.doc).chain([&definition.doc]);
        let doc = docs.into_iter().find(|doc| !doc.is_empty()).map_or("", String::as_str);
        let plan = Plan { name: model.name, doc, head: model.head, definition, is_block: false };
        let Some((_, call)) = steps.first() else {
            let nothing_given = Some((&[] as &[Given], vec![None; model.params.len()]));
            return self.expand(index, plan, &nothing_given, settings, cx);
        };
        let errors = cx.report.errors();
        let signature = arguments::Signature::of_definition(definition);
        let givens = self.givens(&steps, definition, cx);
        let assigned = arguments::assign(&signature, &givens, call, errors, cx);
        let given = assigned.map(|assigned| (givens.as_slice(), assigned));
        for (preset, call) in &steps {
            cx.report.enter(preset.head, format!("in this preset of `{}`", call.name.text));
        }
        let network = self.expand(base, plan, &given, settings, cx);
        steps.iter().for_each(|_| cx.report.leave());
        network
    }

    /// Follows a preset, and the presets it is made of, to the model with the body.
    fn base(&self, mut index: usize, cx: &mut Context<'_, 's>) -> Option<Base<'a, 's>> {
        let mut steps: Vec<(&'a Definition<'s>, &'a Call<'s>)> = Vec::new();
        let mut path = vec![index];
        while let Some((preset, call)) = self.list.get(index).and_then(|model| Some((*model, model.preset.as_ref()?))) {
            let name = call.name.text;
            let Some(next) = self.find(call) else {
                if cx.blocks.is_incomplete(call.span.source) {
                    return None;
                }
                let diagnostic = Diagnostic::error(&codes::UNKNOWN_NAME, format!("there is no model `{name}`"));
                let diagnostic = diagnostic.at(call.name.span, "");
                let names = self.by_name.get(call.span.source as usize).into_iter().flat_map(BTreeMap::keys).copied();
                return cx.fail(match suggest::nearest(name, names.filter(|name| *name != preset.name.text)) {
                    Some(meant) => diagnostic.edit(format!("did you mean `{meant}`?"), call.name.span, meant),
                    None => diagnostic.note("a preset gives values to the parameters of a model of this file"),
                });
            };
            steps.push((preset, call));
            if let Some(start) = path.iter().position(|passed| *passed == next) {
                self.report_circle(&steps[start..], cx);
                return None;
            }
            if path.len() > MAX_STEPS {
                let message = format!("presets are made of presets more than {MAX_STEPS} deep");
                return cx.fail(Diagnostic::error(&codes::TOO_DEEP, message).at(call.name.span, "one too many"));
            }
            path.push(next);
            index = next;
        }
        Some(Base { index, steps })
    }

    fn report_circle(&self, circle: &[(&Definition<'s>, &Call<'s>)], cx: &mut Context<'_, 's>) {
        const LONGEST: usize = 8;
        // The circle is the same from wherever it is entered.
        let Some(first) = (0..circle.len()).min_by_key(|at| circle[*at].0.head.start) else { return };
        let turned: Vec<_> = circle[first..].iter().chain(&circle[..first]).collect();
        let name = turned[0].0.name;
        let message = format!("the preset `{}` is made of itself", name.text);
        let mut diagnostic = Diagnostic::error(&codes::RECURSION, message).at(name.span, "");
        for (_, call) in turned.iter().take(LONGEST) {
            diagnostic = diagnostic.see(call.name.span, format!("made of `{}`", call.name.text));
        }
        let path: Vec<&str> = turned.iter().take(LONGEST).map(|(preset, _)| preset.name.text).collect();
        let more = if turned.len() > LONGEST { " → …" } else { "" };
        cx.report.push(diagnostic.note(format!("{}{more} → {}", path.join(" → "), name.text)));
    }

    /// The arguments of all presets on the way; an outer one goes before those within.
    fn givens(
        &self,
        steps: &[(&'a Definition<'s>, &'a Call<'s>)],
        definition: &Definition<'s>,
        cx: &mut Context<'_, 's>,
    ) -> Vec<Given> {
        let mut all: Vec<Given> = Vec::new();
        let param = |position: usize| definition.params.get(position).map(|param| param.name.text);
        let mut given: BTreeSet<String> = BTreeSet::new();
        for (depth, (_, call)) in steps.iter().enumerate() {
            let mut own = arguments::evaluate(call, None, &[], &Scope::default(), cx);
            let name = |(position, argument): (usize, &Given)| match &argument.name {
                Some((name, _)) => Some(name.clone()),
                None => param(position).map(str::to_owned),
            };
            let names: Vec<Option<String>> = own.iter().enumerate().map(name).collect();
            if depth > 0 {
                // What is wrong with an inner call is said of the preset that makes it.
                for (argument, name) in own.iter_mut().zip(&names) {
                    argument.name = name.clone().map(|name| (name, argument.span));
                }
                let known = |name: &str| definition.params.iter().any(|param| param.name.text == name);
                let is_new = |argument: &Given| {
                    argument.name.as_ref().is_some_and(|(name, _)| known(name) && !given.contains(name))
                };
                own.retain(is_new);
            }
            all.extend(own);
            given.extend(names.into_iter().flatten());
        }
        all
    }

    /// A model that presets complete, and that cannot stand alone: some parameter has no value.
    fn is_only_template(&self, index: usize, settings: &Settings) -> bool {
        if !self.templates.contains(&index) {
            return false;
        }
        // The parameters that the presets on the way give; positions count in the order of the parameters.
        let (mut at, mut given, mut calls) = (index, BTreeSet::new(), Vec::new());
        while let Some(call) = self.list[at].preset.as_ref().filter(|_| calls.len() <= MAX_STEPS) {
            calls.push(call);
            let Some(next) = self.find(call) else { return false };
            at = next;
        }
        let params = &self.list[at].params;
        for argument in calls.iter().flat_map(|call| call.arguments.iter().enumerate()) {
            let (position, argument) = argument;
            let by_position = params.get(position).map(|param| param.name.text);
            given.extend(argument.name.map(|name| name.text).or(by_position));
        }
        let has_value = |name: &str| given.contains(name) || settings.get(name).is_some();
        params.iter().any(|param| param.default.is_none() && !has_value(param.name.text))
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
    pub fn outlines(&self) -> Vec<Outline> {
        let models = self.own().filter(|(index, _)| {
            // A template may be complete by settings; then it has a network, but no code to name it.
            !self.is_only_template(*index, &Settings::default())
        });
        models.map(|(index, model)| outline(model.name.text, self.body(index))).collect()
    }

    /// The body of a model, or of the one that it is a preset of.
    fn body(&self, mut index: usize) -> &'a [Statement<'s>] {
        for _ in 0..=MAX_STEPS {
            match self.list[index].preset.as_ref().and_then(|call| self.find(call)) {
                Some(next) => index = next,
                None => break,
            }
        }
        &self.list[index].body
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
