//! Calls: finding the op or block, and applying it.

use super::arguments::{self, Signature};
use super::context::BLOCK;
use super::expr::{Input, find_target, layer_names};
use super::fault::describe;
use super::model::{Elaborator, Flow};
use super::params;
use super::value::{Given, Target, Value};
use crate::diagnostic::Diagnostic;
use crate::syntax::{Action, Call, Statement, Step};
use crate::{codes, suggest};
use cnn_ir::{Args, Builder, NetworkBuilder, OpDef, Param, Shape, Span, ValueId};

impl<'a, 's> Elaborator<'a, 's> {
    /// A step that is a call; leaves what it makes as the current value.
    pub fn call(&mut self, call: &'a Call<'s>, step: &'a Step<'s>, name: &str) {
        let errors = self.cx.report.errors();
        let target = self.target(call);
        let Some((target, bound)) = target else {
            return self.poison(call.span);
        };
        if let Target::Op(def) = target
            && def.joins()
        {
            let flow = self.join_named(call, def, bound, step, name);
            return self.set_current(flow, call.span);
        }
        let last = self.frames.len() - 1;
        let mut givens = bound;
        let own = arguments::evaluate(call, target.op(), &givens, &self.frames[last].scope, &mut self.cx);
        givens.extend(own);
        match target {
            Target::Op(def) => {
                let inputs: Vec<Flow> = self.current.into_iter().collect();
                let value = self.apply(call, def, &givens, &inputs, errors, step, name);
                self.set_current(value, call.span);
            }
            Target::Block(index) => self.call_block(index, call, &givens, errors, step, name),
        }
    }

    pub fn set_current(&mut self, value: Option<ValueId>, place: Span) {
        self.failed |= value.is_none();
        self.current = Some(Flow::made(value, place));
    }

    /// What a call applies, and the arguments it already has.
    pub fn target(&mut self, call: &Call<'s>) -> Option<(Target, Vec<Given>)> {
        let name = call.name.text;
        let frame = self.frame();
        if let Some(value) = frame.scope.bindings.get(name) {
            return match value.clone()? {
                Value::Layer(layer) => Some((layer.target, layer.bound)),
                other => {
                    let declared = self.find_name(name);
                    let message = format!("`{name}` is {}, not a layer", other.a_type());
                    let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, message);
                    let diagnostic = diagnostic.at(call.name.span, format!("this is {}", other.brief()));
                    self.cx.fail(match declared {
                        Some(declared) => diagnostic.see(declared.span, "declared here"),
                        None => diagnostic,
                    })
                }
            };
        }
        if let Some(target) = find_target(name, call.span, &self.cx) {
            return Some((target, Vec::new()));
        }
        if self.frame().scope.incomplete {
            return None;
        }
        let diagnostic = Diagnostic::error(&codes::UNKNOWN_LAYER, format!("there is no layer `{name}`"))
            .at(call.name.span, "unknown layer");
        let body = &self.frame().definition.body;
        let foreign = OpDef::find_alias(&suggest::plain(name));
        // `c1 conv(6)`: a name with a number is likely none of a layer.
        if call.parenthesis.is_none()
            && foreign.is_none()
            && name.ends_with(|c: char| c.is_ascii_digit())
            && super::warnings::follows_closely(body, call.span)
        {
            let end = Span { start: call.span.end, ..call.span };
            return self.cx.fail(diagnostic.edit("a label is followed by a colon", end, ":"));
        }
        // `ouput y`: of the word after a misspelt keyword nothing more is to be said.
        let follows_keyword = preceding(body, call.span).is_some_and(|before| {
            let name = before.name.text;
            !self.frame().scope.bindings.contains_key(name)
                && find_target(name, before.span, &self.cx).is_none()
                && self.meant(name, before.span).is_some_and(|meant| suggest::keyword(name) == Some(meant.as_str()))
        });
        if follows_keyword {
            return None;
        }
        let diagnostic = match self.meant(name, call.span) {
            Some(meant) => {
                let diagnostic = diagnostic.edit(format!("did you mean `{meant}`?"), call.name.span, meant.as_str());
                match first_is_input_size(call, &meant) {
                    Some(first) => diagnostic.note(format!("`{first}` is not given here: what comes in tells it")),
                    None => diagnostic,
                }
            }
            None => {
                const MOST: usize = 8;
                let known: Vec<&str> =
                    self.cx.blocks.names(call.span.source).chain(layer_names(call.span, &self.cx)).take(MOST).collect();
                diagnostic.note(format!("some of the layers: {}, …", known.join(", ")))
            }
        };
        self.cx.fail(diagnostic)
    }

    /// What an unknown name of a layer may stand for: a layer, a parameter, a label or the keyword of a statement.
    fn meant(&mut self, name: &str, span: Span) -> Option<String> {
        if let Some(def) = OpDef::find_alias(&suggest::plain(name)) {
            return Some(def.name.to_owned());
        }
        let labels = self.labels();
        let keyword = suggest::keyword(name);
        let params = self.frame().scope.bindings.keys().copied().collect::<Vec<_>>();
        let names = layer_names(span, &self.cx).chain(params).chain(labels.iter().map(String::as_str)).chain(keyword);
        suggest::nearest(name, names).or(keyword).map(str::to_owned)
    }

    /// The labels and inputs that are known.
    fn labels(&mut self) -> Vec<String> {
        let names = self.frame().sequences.iter().flat_map(|sequence| &sequence.names);
        names.filter(|(_, declared)| declared.flow.is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// Applies an op to values; `errors` is how many errors there were before the arguments were looked at.
    #[allow(clippy::too_many_arguments)]
    pub fn apply(
        &mut self,
        call: &Call<'s>,
        def: &'static OpDef,
        givens: &[Given],
        inputs: &[Flow],
        errors: usize,
        step: &Step<'s>,
        name: &str,
    ) -> Option<ValueId> {
        let args = self.op_args(call, def, givens, errors, step)?;
        let values = inputs.iter().map(|flow| flow.value).collect::<Option<Vec<ValueId>>>()?;
        if values.is_empty() {
            return None;
        }
        if self.is_too_many_layers(step.span) {
            return None;
        }
        let shapes = values.iter().map(|value| self.net.shape(*value).cloned()).collect::<Option<Vec<Shape>>>()?;
        let made = (def.from_call)(&args, &shapes.iter().collect::<Vec<_>>());
        self.net.set_place(step.span, step.label.is_some());
        let made = made.and_then(|op| {
            let values: Vec<&ValueId> = values.iter().collect();
            self.net.layer(name, op, &values).map_err(|error| error.fault)
        });
        let fault = match made {
            Ok(value) => {
                self.note_named(inputs);
                if let Some(initialiser) = args.word(Param::INIT.name) {
                    self.net.set_initialiser(initialiser);
                }
                return Some(value);
            }
            Err(fault) => fault,
        };
        let mut diagnostic = describe(fault, call, def, givens, step.span);
        let mut seen = Vec::new();
        for (flow, shape) in inputs.iter().zip(&shapes).take(8) {
            if !seen.contains(&flow.place) {
                seen.push(flow.place);
                let is_input = flow.value.is_some_and(|value| value.index() < self.inputs);
                let text = if is_input { format!("the input is {shape}") } else { format!("makes {shape}") };
                diagnostic = diagnostic.see(flow.place, text);
            }
        }
        self.cx.fail(diagnostic)
    }

    /// Keeps in mind which inputs of the layer just made were named.
    pub fn note_named(&mut self, inputs: &[Flow]) {
        let Some(layer) = self.net.layers().checked_sub(1) else { return };
        let named = inputs.iter().enumerate().filter_map(|(input, flow)| Some(((layer, input), flow.named?)));
        self.named_inputs.extend(named);
    }

    /// Whether the network is full; then there is no use in going on.
    fn is_too_many_layers(&mut self, span: Span) -> bool {
        if self.net.layers() < NetworkBuilder::MAX_LAYERS {
            return false;
        }
        let message = format!("a network may have {} layers", NetworkBuilder::MAX_LAYERS);
        self.cx.report.push(Diagnostic::error(&codes::TOO_LARGE, message).at(span, "one too many"));
        self.given_up = true;
        true
    }

    fn op_args(
        &mut self,
        call: &Call<'s>,
        def: &'static OpDef,
        givens: &[Given],
        errors: usize,
        step: &Step<'s>,
    ) -> Option<Args> {
        let mut args = Args::new();
        let assigned = arguments::assign(&Signature::of_op(def), givens, call, errors, &mut self.cx);
        // Even if something else is wrong, the values that are there are looked at.
        let pairs = assigned.iter().flatten().zip(def.params);
        let mut known = assigned.is_some();
        for (index, param) in pairs {
            let Some(given) = index.and_then(|index| givens.get(index)) else { continue };
            let Some(value) = &given.value else {
                known = false;
                continue;
            };
            let bound = match value.to_ir() {
                Some(value) => args.bind(param, value),
                None => {
                    let message = format!("`{}` takes {}, not a layer", param.name, param.kind.expects());
                    Err(cnn_ir::Fault::new(&codes::BAD_ARGUMENT, message).about(param.name))
                }
            };
            if let Err(fault) = bound {
                self.cx.report.push(describe(fault, call, def, givens, step.span));
                known = false;
            }
        }
        known.then_some(args)
    }

    fn call_block(
        &mut self,
        index: usize,
        call: &'a Call<'s>,
        givens: &[Given],
        errors: usize,
        step: &'a Step<'s>,
        name: &str,
    ) {
        let Some(block) = self.cx.blocks.list.get(index) else { return self.poison(call.span) };
        self.cx.spend(BLOCK, call.span);
        let definition = block.definition;
        let signature = Signature::of_definition(definition);
        let assigned = arguments::assign(&signature, givens, call, errors, &mut self.cx);
        block.was_called.set(true);
        if block.is_recursive {
            return self.poison(call.span);
        }
        // What is said of the arguments is said of the call, and what is said of the defaults of the block.
        let arguments = assigned.map(|assigned| (givens, assigned));
        let unknown = arguments.is_none();
        let mut scope = params::bind(definition, &block.types, &arguments, None, &mut self.cx);
        scope.input = match self.current.and_then(|flow| self.shape_of(flow)) {
            Some(shape) => Input::Known(shape.clone()),
            None => Input::Unknown,
        };
        if let Some(external) = &definition.external {
            let value = if unknown { None } else { self.external(definition, external, &scope, step, name) };
            return self.set_current(value, call.span);
        }
        let (rounds, uncertain) = (self.rounds, self.uncertain);
        self.uncertain = false;
        self.net.set_place(step.span, step.label.is_some());
        self.net.begin_block(name, definition.name.text);
        self.net.set_doc(&definition.doc);
        let labelled = step.label.as_ref().map_or(String::new(), |_| format!(", `{name}`"));
        self.cx.report.enter(call.span, format!("in this call to `{}`{labelled}", definition.name.text));
        self.deeper(call.span, |this| {
            this.open_frame(definition, scope);
            this.statements(&definition.body);
            this.frames.pop();
        });
        self.cx.report.leave();
        self.net.end_block();
        (self.rounds, self.uncertain) = (rounds, uncertain);
        if unknown || definition.broken_body || definition.broken_head {
            self.poison(call.span);
        }
    }
}

/// What PyTorch calls the first argument of a call of `meant`, if it is what this language leaves out.
fn first_is_input_size(call: &Call<'_>, meant: &str) -> Option<&'static str> {
    let positional = call.arguments.iter().filter(|argument| argument.name.is_none()).count();
    match meant {
        "dense" if call.name.text == "Linear" && positional >= 2 => Some("in_features"),
        // Those of Keras end in a capital D and begin with the output channels.
        "conv" | "conv_transpose" if call.name.text.ends_with('d') && positional >= 3 => Some("in_channels"),
        _ => None,
    }
}

/// The call without label or arguments that stands right before `call`.
fn preceding<'a, 's>(statements: &'a [Statement<'s>], call: Span) -> Option<&'a Call<'s>> {
    let here = statements.windows(2).find_map(|pair| match pair {
        [Statement::Step(Step { label: None, action: Action::Call(before), .. }), Statement::Step(next)] => {
            let is_close = before.parenthesis.is_none() && before.span.end + 1 == next.span.start;
            (is_close && next.label.is_none() && next.span.start == call.start).then_some(before)
        }
        _ => None,
    });
    here.or_else(|| statements.iter().flat_map(Statement::inner).find_map(|inner| preceding(inner, call)))
}
