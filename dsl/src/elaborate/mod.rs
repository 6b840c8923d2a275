//! From syntax tree to network: expands a model into calls on a builder and infers shapes on the way.
//!
//! After an error the elaborator goes on. A value that could not be made is unknown, and what depends on it is silent
//! about its shape; arguments, names and everything else are still checked.

mod call;
mod expr;
mod fault;
mod params;

use crate::diagnostic::{Diagnostic, Report};
use crate::settings::Settings;
use crate::syntax::{Expr, File, Model, Name, Statement, Step};
use crate::{Outline, codes, suggest};
use cnn_ir::{Builder, Network, NetworkBuilder, Shape, Span, Value, ValueId};
use expr::Scope;
use std::collections::BTreeMap;

/// Elaborates every model of a file.
pub(crate) fn elaborate(file: &File<'_>, settings: &Settings, report: &mut Report) -> (Vec<Network>, Vec<Outline>) {
    params::check_settings(&file.models, settings, report);
    check_model_names(&file.models, report);
    let mut networks = Vec::new();
    for model in file.models.iter().filter(|model| !model.oversized) {
        if report.is_full() {
            break;
        }
        let errors = report.errors();
        let scope = params::bind_params(model, settings, report);
        let network = Elaborator::new(model, scope, report).run();
        networks.extend(network.filter(|_| report.errors() == errors));
    }
    (networks, file.models.iter().map(outline).collect())
}

/// The value of an expression without names.
pub(crate) fn constant(expr: &Expr<'_>, report: &mut Report) -> Option<Value> {
    Scope::default().value(expr, &[], report)
}

/// A value as a message shows it: long ones cut.
fn brief(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        text
    } else {
        format!("{}…", text.chars().take(LONGEST).collect::<String>())
    }
}

fn outline(model: &Model<'_>) -> Outline {
    let mut outline = Outline { name: model.name.text.to_owned(), inputs: Vec::new(), outputs: Vec::new() };
    for statement in &model.body {
        match statement {
            Statement::Input { name, .. } => outline.inputs.push(name.text.to_owned()),
            Statement::Output { name, .. } => outline.outputs.push(name.text.to_owned()),
            Statement::Step(_) | Statement::Broken { .. } => {}
        }
    }
    outline
}

/// Names of models must differ in more than case: each becomes a type and a module.
fn check_model_names(models: &[Model<'_>], report: &mut Report) {
    let mut seen: BTreeMap<String, Name<'_>> = BTreeMap::new();
    for name in models.iter().map(|model| model.name) {
        if report.is_full() {
            return;
        }
        check_name(name, report);
        match seen.get(&name.text.to_lowercase()) {
            Some(first) => {
                let message = if first.text == name.text {
                    format!("two models are named `{}`", name.text)
                } else {
                    format!("the models `{}` and `{}` differ only in case", first.text, name.text)
                };
                let diagnostic = Diagnostic::error(&codes::DUPLICATE_NAME, message)
                    .at(name.span, "again")
                    .see(first.span, "first here");
                report.push(diagnostic);
            }
            None => {
                seen.insert(name.text.to_lowercase(), name);
            }
        }
    }
}

/// Generated code escapes keywords as `r#name`; these few it cannot.
fn check_name(name: Name<'_>, report: &mut Report) {
    if matches!(name.text, "self" | "Self" | "super" | "crate" | "_") {
        let diagnostic = Diagnostic::error(&codes::BAD_NAME, format!("`{}` cannot be a name", name.text))
            .at(name.span, "")
            .note("names become names in Rust code, where this one has a meaning of its own");
        report.push(diagnostic);
    }
}

/// A value on its way through the model.
#[derive(Debug, Clone, Copy)]
struct Flow {
    /// `None` when its maker failed, which was reported.
    value: Option<ValueId>,
    /// The call or input that makes it.
    place: Span,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
struct Declared {
    what: &'static str,
    span: Span,
    /// The value, for labels and inputs.
    flow: Option<Flow>,
}

struct Elaborator<'a, 's> {
    model: &'a Model<'s>,
    scope: Scope<'s>,
    report: &'a mut Report,
    net: NetworkBuilder,
    names: BTreeMap<&'s str, Declared>,
    outputs: BTreeMap<&'s str, Span>,
    inputs: usize,
    /// The value that the next step takes.
    current: Option<Flow>,
    /// Steps so far; an unlabelled step is named by its position, as in `nn.Sequential`.
    steps: usize,
    first_step: Option<Span>,
    /// Some value is unknown; the reason was reported.
    failed: bool,
}

impl<'a, 's> Elaborator<'a, 's> {
    fn new(model: &'a Model<'s>, scope: Scope<'s>, report: &'a mut Report) -> Self {
        let mut net = NetworkBuilder::new(model.name.text);
        net.set_doc(&model.doc);
        Self {
            model,
            scope,
            report,
            net,
            names: BTreeMap::new(),
            outputs: BTreeMap::new(),
            inputs: 0,
            current: None,
            steps: 0,
            first_step: None,
            failed: false,
        }
    }

    fn run(mut self) -> Option<Network> {
        let errors = self.report.errors();
        for param in &self.model.params {
            self.declare(param.name, "parameter", None);
        }
        for statement in &self.model.body {
            if self.report.is_full() {
                self.failed = true;
                break;
            }
            match statement {
                Statement::Input { name, shape, span } => self.input(*name, shape, *span),
                Statement::Output { name, value, span } => self.output(*name, *value, *span),
                Statement::Step(step) => self.step(step),
                Statement::Broken { name } => self.broken(*name),
            }
        }
        if !self.model.broken_body && !self.report.is_full() {
            self.check_completeness();
        }
        let broken = self.model.broken_head || self.model.broken_body;
        if broken || self.failed || self.report.errors() > errors {
            return None;
        }
        self.warn_unused_params();
        let Self { net, report, model, .. } = self;
        match net.finish() {
            Ok(network) => {
                warn_unused(&network, report);
                Some(network)
            }
            Err(error) => {
                report.push(Diagnostic::error(error.fault.code, error.to_string()).at(model.head, ""));
                None
            }
        }
    }

    fn input(&mut self, name: Name<'s>, shape: &Expr<'s>, span: Span) {
        self.inputs += 1;
        let sizes = self.sizes(shape);
        let mut value = None;
        if let Some(first_step) = self.first_step {
            let message = format!("the input `{}` comes after the first step", name.text);
            let diagnostic = Diagnostic::error(&codes::MISPLACED_INPUT, message)
                .at(span, "")
                .see(first_step, "the first step")
                .help("declare inputs at the beginning of the model");
            self.report.push(diagnostic);
        } else if let Some(sizes) = sizes {
            self.net.set_place(span, true);
            match self.net.input(name.text, &sizes) {
                Ok(made) => value = Some(made),
                Err(error) => {
                    let mut diagnostic = Diagnostic::error(error.fault.code, error.fault.message).at(shape.span, "");
                    for figure in error.fault.figures {
                        diagnostic = diagnostic.note(figure);
                    }
                    self.report.push(diagnostic);
                }
            }
        }
        self.failed |= value.is_none();
        let flow = Flow { value, place: span };
        self.declare(name, "input", Some(flow));
        // Steps take the first input; the others are joined by name.
        self.current = self.current.or(Some(flow));
    }

    /// The sizes of an input's shape.
    fn sizes(&mut self, shape: &Expr<'s>) -> Option<Vec<usize>> {
        let value = self.scope.value(shape, &[], self.report)?;
        let error = match &value {
            Value::List(items) => {
                let sizes: Option<Vec<usize>> = items
                    .iter()
                    .map(|item| match item {
                        Value::Int(size) => usize::try_from(*size).ok(),
                        _ => None,
                    })
                    .collect();
                if sizes.is_some() {
                    return sizes;
                }
                Diagnostic::error(&codes::BAD_SHAPE, format!("{} is not a shape", brief(&value)))
                    .at(shape.span, "sizes are integers of at least 1")
            }
            other => {
                let message = format!("expected a shape, found {}", brief(other));
                let diagnostic =
                    Diagnostic::error(&codes::TYPE_MISMATCH, message).at(shape.span, "a shape is a list of sizes");
                match other {
                    Value::Tuple(items) => {
                        diagnostic.edit("use brackets", shape.span, Value::List(items.clone()).to_string())
                    }
                    _ => diagnostic.help("channels first, without the batch: `[1, 28, 28]`"),
                }
            }
        };
        self.report.push(error);
        None
    }

    fn step(&mut self, step: &Step<'s>) {
        let position = self.begin_step(step.span);
        let made = self.layer(step, &position);
        self.failed |= made.is_none();
        let flow = Flow { value: made, place: step.call.span };
        if let Some(label) = step.label {
            self.declare(label, "label", Some(flow));
        }
        self.current = Some(flow);
    }

    fn layer(&mut self, step: &Step<'s>, position: &str) -> Option<ValueId> {
        let call = &step.call;
        let def = call::find_op(call, self.report)?;
        let args = call::bind(call, def, &self.scope, self.report)?;
        let input = self.current?;
        let value = input.value?;
        let shape = self.net.shape(value).clone();
        self.net.set_place(call.span, step.label.is_some());
        let name = step.label.map_or(position, |label| label.text);
        let made = (def.from_call)(&args, &[&shape])
            .and_then(|op| self.net.layer(name, op, &[&value]).map_err(|error| error.fault));
        match made {
            Ok(value) => Some(value),
            Err(fault) => {
                let diagnostic = fault::describe(fault, call, def, step.span, &self.scope);
                self.report.push(diagnostic.see(input.place, self.arriving(&shape)));
                None
            }
        }
    }

    fn arriving(&self, shape: &Shape) -> String {
        if self.steps == 1 { format!("the input is {shape}") } else { format!("makes {shape}") }
    }

    fn broken(&mut self, name: Option<Name<'s>>) {
        let place = name.map_or(self.model.head, |name| name.span);
        self.failed = true;
        self.begin_step(place);
        let flow = Flow { value: None, place };
        if let Some(name) = name {
            self.names.entry(name.text).or_insert(Declared { what: "label", span: name.span, flow: Some(flow) });
        }
        self.current = Some(flow);
    }

    /// Counts a step and gives its position as a name.
    fn begin_step(&mut self, span: Span) -> String {
        let position = self.steps.to_string();
        self.steps += 1;
        self.first_step = self.first_step.or(Some(span));
        position
    }

    fn output(&mut self, name: Name<'s>, value: Option<Name<'s>>, span: Span) {
        check_name(name, self.report);
        if let Some(first) = self.outputs.insert(name.text, name.span) {
            let message = format!("two outputs are named `{}`", name.text);
            let diagnostic =
                Diagnostic::error(&codes::DUPLICATE_NAME, message).at(name.span, "again").see(first, "first here");
            self.report.push(diagnostic);
        }
        let flow = match value {
            Some(value) => self.labelled(value),
            None => self.current,
        };
        let Some(value) = flow.and_then(|flow| flow.value) else { return };
        if value.index() < self.inputs {
            let message = format!("the output `{}` is an input as it came in", name.text);
            let diagnostic = Diagnostic::error(&codes::INCOMPLETE_NETWORK, message)
                .at(span, "no step before it")
                .help("write the steps that make it before the `output`");
            self.report.push(diagnostic);
            return;
        }
        self.net.set_place(span, true);
        if let Err(error) = self.net.output(name.text, &value) {
            self.report.push(Diagnostic::error(error.fault.code, error.fault.message).at(span, ""));
        }
    }

    /// The value that a name stands for.
    fn labelled(&mut self, name: Name<'s>) -> Option<Flow> {
        let known = self.names.get(name.text).copied();
        if let Some(flow) = known.and_then(|declared| declared.flow) {
            return Some(flow);
        }
        if self.model.broken_body {
            return None;
        }
        let later = self.model.body.iter().find_map(|statement| match statement {
            Statement::Step(Step { label: Some(label), .. }) if label.text == name.text => Some(label.span),
            _ => None,
        });
        let values = self.names.iter().filter(|(_, declared)| declared.flow.is_some()).map(|(name, _)| *name);
        let diagnostic =
            Diagnostic::error(&codes::UNKNOWN_NAME, format!("no label or input named `{}` is known here", name.text));
        let diagnostic = diagnostic.at(name.span, "");
        self.report.push(match (known, later, suggest::nearest(name.text, values)) {
            (Some(parameter), _, _) => {
                diagnostic.see(parameter.span, format!("this is a {}, not a value", parameter.what))
            }
            (_, Some(later), _) => diagnostic.see(later, "declared later"),
            (_, _, Some(meant)) => diagnostic.edit(format!("did you mean `{meant}`?"), name.span, meant),
            _ => diagnostic.help(format!("label the step that makes it: `{}: …`", name.text)),
        });
        None
    }

    /// Makes a name known; parameters, inputs and labels of a model share one list.
    fn declare(&mut self, name: Name<'s>, what: &'static str, flow: Option<Flow>) {
        check_name(name, self.report);
        if let Some(first) = self.names.get(name.text) {
            let message = format!("the name `{}` is given twice", name.text);
            let diagnostic = Diagnostic::error(&codes::DUPLICATE_NAME, message)
                .at(name.span, format!("this {what}"))
                .see(first.span, format!("and this {}", first.what));
            self.report.push(diagnostic);
            return;
        }
        self.names.insert(name.text, Declared { what, span: name.span, flow });
    }

    /// A model needs an input and a step; without an `output`, its last value is the output.
    fn check_completeness(&mut self) {
        let broken = self.model.body.iter().any(|statement| matches!(statement, Statement::Broken { .. }));
        if broken {
            return;
        }
        let name = self.model.name.text;
        if self.inputs == 0 {
            let diagnostic = Diagnostic::error(&codes::INCOMPLETE_NETWORK, format!("the model `{name}` has no input"))
                .at(self.model.head, "")
                .help("begin with its inputs, channels first, without the batch: `input image: [1, 28, 28]`");
            self.report.push(diagnostic);
        } else if self.steps == 0 && self.outputs.is_empty() {
            let diagnostic = Diagnostic::error(&codes::INCOMPLETE_NETWORK, format!("the model `{name}` has no steps"))
                .at(self.model.head, "")
                .help("write what happens to its input: `conv(6, kernel = 5) -> relu`");
            self.report.push(diagnostic);
        } else if self.outputs.is_empty()
            && let Some(Flow { value: Some(value), place }) = self.current
        {
            self.net.set_place(place, false);
            // Only a second output of the same name could be refused.
            let _ = self.net.output(DEFAULT_OUTPUT, &value);
        }
    }

    fn warn_unused_params(&mut self) {
        for param in &self.model.params {
            let used = self.scope.bindings.get(param.name.text).is_some_and(|binding| binding.used.get());
            if !used {
                let message = format!("the parameter `{}` is never used", param.name.text);
                self.report.push(Diagnostic::warning(&codes::UNUSED_PARAMETER, message).at(param.name.span, ""));
            }
        }
    }
}

/// The name of the output of a model that names none.
const DEFAULT_OUTPUT: &str = "output";

/// Warns of layers and inputs that no output depends on.
fn warn_unused(network: &Network, report: &mut Report) {
    let inputs = network.inputs.len();
    let mut needed = vec![false; inputs + network.layers.len()];
    for output in &network.outputs {
        needed[output.value.index()] = true;
    }
    for (index, layer) in network.layers.iter().enumerate().rev() {
        if needed[inputs + index] {
            layer.inputs.iter().for_each(|input| needed[input.index()] = true);
        }
    }
    for (input, _) in network.inputs.iter().zip(&needed).filter(|(_, needed)| !**needed) {
        let message = format!("no output depends on the input `{}`", input.name);
        report.push(Diagnostic::warning(&codes::UNUSED_INPUT, message).at(input.span, ""));
    }
    let mut unused =
        network.layers.iter().zip(&needed[inputs..]).filter(|(_, needed)| !**needed).map(|(layer, _)| layer);
    if let Some(first) = unused.next() {
        let message = match unused.count() {
            0 => "no output depends on this layer".to_owned(),
            1 => "no output depends on this layer and one more".to_owned(),
            more => format!("no output depends on this layer and {more} more"),
        };
        let diagnostic = Diagnostic::warning(&codes::UNUSED_LAYER, message)
            .at(first.span, "")
            .help("remove it, or declare an `output` after it");
        report.push(diagnostic);
    }
}
