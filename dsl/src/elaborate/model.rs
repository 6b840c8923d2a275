//! One model: its inputs, its outputs, and what it needs to be whole.

use super::check_name;
use super::context::Context;
use super::expr::{Input, Scope};
use super::value::Value;
use crate::codes;
use crate::diagnostic::{Diagnostic, Report};
use crate::syntax::{Definition, Expr, Name, Statement};
use cnn_ir::{Builder, Member, Network, NetworkBuilder, Shape, Span, Training, ValueId};
use std::collections::BTreeMap;

/// A value on its way through the model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    /// `None` when its maker failed, which was reported.
    pub value: Option<ValueId>,
    /// The call or input that makes it.
    pub place: Span,
    /// How deep in blocks and groups it was named to get here; `None` if it is what the step before made.
    pub named: Option<usize>,
}

impl Flow {
    /// What a call or input at `place` makes.
    pub fn made(value: Option<ValueId>, place: Span) -> Self {
        Self { value, place, named: None }
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Declared {
    pub what: &'static str,
    pub span: Span,
    /// The value, for labels and inputs.
    pub flow: Option<Flow>,
    /// The layer or block instance that the step of a label made, to be shared.
    pub made: Option<Made>,
}

/// What a step made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    pub member: Member,
    /// What it was applied to.
    pub from: ValueId,
    /// What came out.
    pub to: ValueId,
    /// How deep in blocks and groups the step is.
    pub level: usize,
}

/// A sequence of steps that has a name of its own in parameter names: a model, a block instance or a group.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// Parameters, variables, labels and inputs share one list.
    pub names: BTreeMap<String, Declared>,
    /// Steps so far; an unlabelled step is named by its position, as in `nn.Sequential`.
    pub steps: usize,
}

/// A definition at work: the model, or a block instance.
pub(super) struct Frame<'a, 's> {
    pub definition: &'a Definition<'s>,
    pub scope: Scope<'s>,
    /// The definition's own sequence, and the groups that are open.
    pub sequences: Vec<Sequence>,
}

/// What a model is made of, and what it is called: the two differ in a preset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan<'a, 's> {
    pub name: Name<'s>,
    pub doc: &'a str,
    pub head: Span,
    pub definition: &'a Definition<'s>,
    /// Not a model: a block that nothing calls.
    pub is_block: bool,
}

pub(super) struct Elaborator<'a, 's> {
    pub plan: Plan<'a, 's>,
    pub cx: Context<'a, 's>,
    pub net: NetworkBuilder,
    pub frames: Vec<Frame<'a, 's>>,
    outputs: BTreeMap<&'s str, Span>,
    /// Some output is there in inference.
    has_output: bool,
    pub inputs: usize,
    /// The value that the next step takes.
    pub current: Option<Flow>,
    pub first_step: Option<Span>,
    /// Some value is unknown; the reason was reported.
    pub failed: bool,
    /// The model goes beyond a limit, which was reported.
    pub given_up: bool,
    /// Groups, branches, loops, conditions and blocks that are open.
    pub depth: usize,
    /// For inputs of layers that were named, and not what the step before made, how deep: by layer and position.
    pub named_inputs: BTreeMap<(usize, usize), usize>,
    /// How many `train_only` are open.
    pub train_only: usize,
    /// How often the loops that are open run, multiplied.
    pub rounds: u64,
    /// Within an arm of an `if` whose condition is unknown: what is declared may be declared twice.
    pub uncertain: bool,
    /// Conditions on the whole network, to be checked at its end.
    pub budgets: Vec<&'a Expr<'s>>,
    /// What `train { … }` says.
    pub training: Option<Training>,
    /// The outputs that the loss names, and where.
    pub loss_outputs: Vec<(&'s str, Span)>,
}

impl<'a, 's> Elaborator<'a, 's> {
    pub fn new(plan: Plan<'a, 's>, scope: Scope<'s>, cx: Context<'a, 's>) -> Self {
        let mut net = NetworkBuilder::new(plan.name.text);
        net.set_doc(plan.doc);
        let mut elaborator = Self {
            plan,
            cx,
            net,
            frames: Vec::new(),
            outputs: BTreeMap::new(),
            has_output: false,
            inputs: 0,
            current: None,
            first_step: None,
            failed: false,
            given_up: false,
            depth: 0,
            named_inputs: BTreeMap::new(),
            train_only: 0,
            rounds: 1,
            uncertain: false,
            budgets: Vec::new(),
            training: None,
            loss_outputs: Vec::new(),
        };
        elaborator.open_frame(plan.definition, scope);
        elaborator
    }

    /// The network, unless there is an error.
    pub fn run(mut self) -> Option<Network> {
        let definition = self.plan.definition;
        let errors = self.cx.report.errors();
        self.statements(&definition.body);
        if !definition.broken_body && !self.is_stopped() {
            self.check_completeness();
            let outputs: Vec<&'s str> = self.outputs.keys().copied().collect();
            self.check_loss_outputs(&outputs);
        }
        let broken = definition.broken_head || definition.broken_body || self.is_stopped();
        if broken || self.failed || self.cx.report.errors() > errors {
            return None;
        }
        let scope = self.frames.pop().map(|frame| frame.scope).unwrap_or_default();
        let Self { net, mut cx, plan, budgets, training, .. } = self;
        match net.finish() {
            Ok(network) => {
                let network = Network { training, ..network };
                let met = super::assertion::check_budgets(&network, &budgets, scope, &mut cx);
                warn_unused(&network, cx.report);
                met.then_some(network)
            }
            Err(error) => {
                cx.report.push(Diagnostic::error(error.fault.code, error.to_string()).at(plan.head, ""));
                None
            }
        }
    }

    /// Looks for errors in a block that nothing calls; what comes in is unknown.
    pub fn check(mut self) {
        let definition = self.plan.definition;
        self.current = Some(Flow::made(None, definition.head));
        if let Some(frame) = self.frames.last_mut() {
            frame.scope.input = Input::Unknown;
        }
        self.statements(&definition.body);
    }

    /// Whether nothing more is to be done: there are too many errors, or there was too much work.
    pub fn is_stopped(&self) -> bool {
        self.given_up || self.cx.report.is_full() || self.cx.is_exhausted()
    }

    /// Whether the definition at work is a block.
    pub fn is_in_block(&self) -> bool {
        self.plan.is_block || self.frames.len() > 1
    }

    /// Enters a definition, with its parameters as names.
    pub fn open_frame(&mut self, definition: &'a Definition<'s>, scope: Scope<'s>) {
        self.frames.push(Frame { definition, scope, sequences: vec![Sequence::default()] });
        for param in &definition.params {
            self.declare(param.name.text, param.name.span, "parameter", None);
        }
    }

    /// How deep in blocks and groups the next step is.
    pub fn level(&self) -> usize {
        self.frames.iter().map(|frame| frame.sequences.len()).sum()
    }

    /// The definition at work. There always is one until the model is done.
    pub fn frame(&mut self) -> &mut Frame<'a, 's> {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// The value of an expression where the elaborator is.
    pub fn value(&mut self, expr: &Expr<'s>) -> Option<Value> {
        let last = self.frames.len() - 1;
        self.frames[last].scope.value(expr, &[], &mut self.cx)
    }

    pub fn input(&mut self, name: Name<'s>, shape: &Expr<'s>, span: Span) {
        if self.is_in_block() || self.depth > 0 {
            return self.misplaced_input(name, span);
        }
        self.inputs += 1;
        let sizes = self.sizes(shape);
        super::warnings::warn_channels_last(shape, sizes.as_deref().unwrap_or_default(), self.cx.report);
        let mut value = None;
        if let Some(first_step) = self.first_step {
            let message = format!("the input `{}` comes after the first step", name.text);
            let diagnostic = Diagnostic::error(&codes::MISPLACED_INPUT, message)
                .at(span, "")
                .see(first_step, "the first step")
                .help("declare inputs at the beginning of the model");
            self.cx.report.push(diagnostic);
        } else if let Some(sizes) = sizes {
            self.net.set_place(span, true);
            match self.net.input(name.text, &sizes) {
                Ok(made) => value = Some(made),
                Err(error) => {
                    let mut diagnostic = Diagnostic::error(error.fault.code, error.fault.message).at(shape.span, "");
                    for figure in error.fault.figures {
                        diagnostic = diagnostic.note(figure);
                    }
                    self.cx.report.push(diagnostic);
                }
            }
        }
        self.failed |= value.is_none();
        let flow = Flow::made(value, span);
        check_name(name, self.cx.report);
        self.declare(name.text, name.span, "input", Some(flow));
        // Steps take the first input; the others are joined by name.
        if self.current.is_none() {
            self.current = Some(flow);
            let shape = value.and_then(|value| self.net.shape(value).cloned());
            self.frame().scope.input = shape.map_or(Input::Unknown, Input::Known);
        }
    }

    fn misplaced_input(&mut self, name: Name<'s>, span: Span) {
        let message = format!("the input `{}` is not at the beginning of a model", name.text);
        let diagnostic = Diagnostic::error(&codes::MISPLACED_INPUT, message).at(span, "");
        self.cx.report.push(match self.is_in_block() {
            true => diagnostic.note("what comes into a block is the value before its call"),
            false => diagnostic.help("declare inputs at the beginning of the model, outside of loops and groups"),
        });
        self.failed = true;
    }

    /// The sizes of an input's shape.
    fn sizes(&mut self, shape: &Expr<'s>) -> Option<Vec<usize>> {
        let value = self.value(shape)?;
        self.sizes_of(&value, shape)
    }

    /// The sizes that a value is.
    pub fn sizes_of(&mut self, value: &Value, shape: &Expr<'s>) -> Option<Vec<usize>> {
        let error = match value {
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
                Diagnostic::error(&codes::BAD_SHAPE, format!("{} is not a shape", value.brief()))
                    .at(shape.span, "sizes are integers of at least 1")
            }
            other => {
                let message = format!("expected a shape, found {}", other.brief());
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
        self.cx.fail(error)
    }

    pub fn output(&mut self, name: Name<'s>, value: Option<Name<'s>>, span: Span) {
        check_name(name, self.cx.report);
        if self.is_in_block() {
            let message = format!("the output `{}` is declared in a block", name.text);
            let diagnostic = Diagnostic::error(&codes::MISPLACED_OUTPUT, message)
                .at(span, "")
                .help("outputs belong to models: label the block's call there, and write `output name = label`");
            self.cx.report.push(diagnostic);
            return;
        }
        self.has_output |= self.train_only == 0;
        if let Some(first) = self.outputs.insert(name.text, name.span).filter(|_| !self.uncertain) {
            let message = format!("two outputs are named `{}`", name.text);
            let diagnostic =
                Diagnostic::error(&codes::DUPLICATE_NAME, message).at(name.span, "again").see(first, "first here");
            self.cx.report.push(diagnostic);
        }
        let flow = match value {
            Some(value) => self.labelled(value.text, value.span),
            None => self.current,
        };
        let Some(value) = flow.and_then(|flow| flow.value) else { return };
        if value.index() < self.inputs {
            let message = format!("the output `{}` is an input as it came in", name.text);
            let diagnostic = Diagnostic::error(&codes::INCOMPLETE_NETWORK, message)
                .at(span, "no step before it")
                .help("write the steps that make it before the `output`");
            self.cx.report.push(diagnostic);
            return;
        }
        self.net.set_place(span, true);
        if let Err(error) = self.net.output(name.text, &value) {
            self.cx.report.push(Diagnostic::error(error.fault.code, error.fault.message).at(span, ""));
        }
    }

    /// A model needs an input and a step; without an `output`, its last value is the output.
    fn check_completeness(&mut self) {
        let body = &self.plan.definition.body;
        if body.iter().any(|statement| matches!(statement, Statement::Broken { .. })) {
            return;
        }
        let (name, head) = (self.plan.name.text, self.plan.head);
        if self.inputs == 0 {
            let diagnostic = Diagnostic::error(&codes::INCOMPLETE_NETWORK, format!("the model `{name}` has no input"))
                .at(head, "")
                .help("begin with its inputs, channels first, without the batch: `input image: [1, 28, 28]`");
            self.cx.report.push(diagnostic);
        } else if self.first_step.is_none() && !self.has_output {
            let diagnostic = Diagnostic::error(&codes::INCOMPLETE_NETWORK, format!("the model `{name}` has no steps"))
                .at(head, "")
                .help("write what happens to its input: `conv(6, kernel = 5) -> relu`");
            self.cx.report.push(diagnostic);
        } else if !self.has_output
            && let Some(Flow { value: Some(value), place, .. }) = self.current
        {
            self.net.set_place(place, false);
            // Only a second output of the same name could be refused.
            let _ = self.net.output(DEFAULT_OUTPUT, &value);
        }
    }

    /// The shape of a value, for a message.
    pub fn shape_of(&self, flow: Flow) -> Option<&Shape> {
        flow.value.and_then(|value| self.net.shape(value))
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
