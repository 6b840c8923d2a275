//! The calls that build a network, as Rust statements: `build`, and the function of a block.

use super::api::doc_lines;
use super::function::{Call, Function, Functions};
use super::names::{Locals, ident};
use super::spec::{emit_spec, spec_name};
use cnn_ir::{Block, BlockId, Layer, Member, Network};
use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;
use std::collections::{BTreeMap, BTreeSet};

/// The statements of `build`, from the inputs to the outputs.
pub(super) fn emit_body(network: &Network, functions: &Functions) -> TokenStream {
    let mut emitter = Emitter::new(network, functions, BlockId::ROOT, &[]);
    for output in &network.outputs {
        emitter.last_use.insert(output.value.index(), usize::MAX);
    }
    for (index, (input, shape)) in network.inputs.iter().zip(shape_constants(network)).enumerate() {
        let (variable, name) = (emitter.named(&input.name, index), &input.name);
        emitter.statements.push(quote! { let #variable = net.input(#name, &Self::#shape)?; });
        emitter.values.insert(index, quote! { &#variable });
    }
    emitter.emit_block(BlockId::ROOT);
    for output in &network.outputs {
        let (name, value) = (&output.name, emitter.value(output.value.index()));
        let call = quote! { net.output(#name, #value)?; };
        emitter.statements.push(match output.train_only {
            true => quote! { net.begin_train_only(); #call net.end_train_only(); },
            false => call,
        });
    }
    let statements = emitter.statements;
    quote! { #(#statements)* Ok(()) }
}

/// The function of a block.
pub(super) fn emit_function(network: &Network, functions: &Functions, function: &Function) -> TokenStream {
    let Some(Call { takes, gives, .. }) = &functions.calls[function.example.index()] else { return quote! {} };
    let mut emitter = Emitter::new(network, functions, function.example, &function.names);
    emitter.numbers = function.arguments.iter().map(|argument| Some(function.names[(*argument)?].clone())).collect();
    emitter.last_use.extend(gives.map(|value| (value, usize::MAX)));
    let inputs: Vec<Ident> = takes
        .iter()
        .map(|value| {
            // What only the first call takes may be hidden by what that makes.
            let passing = takes.len() == 1 && emitter.last_use.get(value).is_some_and(|last| *last <= 1);
            let name = if passing { ident(Locals::PASSING) } else { emitter.locals.fresh("input") };
            emitter.values.insert(*value, quote! { #name });
            name
        })
        .collect();
    emitter.emit_block(function.example);
    let Block { definition, doc, .. } = &network.blocks[function.example.index()];
    let doc = doc_lines(if doc.is_empty() { format!("The block `{definition}`.") } else { doc.clone() }.as_str());
    let result = if gives.is_some() {
        quote! { B::Value }
    } else {
        quote! { () }
    };
    let last = gives.and_then(|value| emitter.last_made.take_if(|(made, _)| *made == value));
    let end = match (last, gives.and_then(|value| emitter.owned.get(&value))) {
        // What the last call makes is given back at once.
        (Some((_, call)), _) => {
            emitter.statements.pop();
            call
        }
        (None, Some(variable)) => quote! { Ok(#variable) },
        (None, None) => quote! { Ok(()) },
    };
    let (name, numbers, statements) = (&function.name, &function.names, &emitter.statements);
    quote! {
        #doc
        fn #name<B: Builder>(net: &mut B #(, #inputs: &B::Value)* #(, #numbers: usize)*) -> Result<#result, BuildError> {
            #(#statements)*
            #end
        }
    }
}

/// The constants that hold the shapes of the inputs, then of the outputs.
pub(super) fn shape_constants(network: &Network) -> Vec<Ident> {
    let mut taken = Locals::new();
    let inputs = network.inputs.iter().map(|input| format!("{}_SHAPE", input.name.to_uppercase()));
    let outputs = network.outputs.iter().filter(|output| !output.train_only);
    let outputs = outputs.map(|output| format!("{}_SHAPE", output.name.to_uppercase()));
    inputs.chain(outputs).map(|name| taken.fresh(&name)).collect()
}

/// The spec types that the code names, sorted.
pub(super) fn spec_names(network: &Network) -> BTreeSet<Ident> {
    network.layers.iter().map(|layer| spec_name(&layer.op)).collect()
}

struct Emitter<'a> {
    network: &'a Network,
    functions: &'a Functions,
    /// For every value the last call of this function that takes it.
    last_use: BTreeMap<usize, usize>,
    /// For every number of this function the argument that it is, if it is one.
    numbers: Vec<Option<Ident>>,
    /// How many numbers have been written.
    number: usize,
    /// How many calls have been written, and how many there will be.
    calls: usize,
    total: usize,
    locals: Locals,
    /// How each value known so far is passed on, and the variables of those made here.
    values: BTreeMap<usize, TokenStream>,
    owned: BTreeMap<usize, Ident>,
    /// What the last statement makes, and its call.
    last_made: Option<(usize, TokenStream)>,
    statements: Vec<TokenStream>,
}

impl<'a> Emitter<'a> {
    fn new(network: &'a Network, functions: &'a Functions, block: BlockId, taken: &[Ident]) -> Self {
        let mut locals = Locals::new();
        // A variable would hide a function of its name.
        let functions_named = functions.list.iter().map(|function| &function.name);
        functions_named.chain(taken).for_each(|name| locals.take(&name.to_string()));
        let (numbers, values, owned, statements) = Default::default();
        let mut emitter = Self {
            network,
            functions,
            last_use: BTreeMap::new(),
            numbers,
            number: 0,
            calls: 0,
            total: 0,
            locals,
            values,
            owned,
            last_made: None,
            statements,
        };
        let mut total = 0;
        emitter.find_uses(block, &mut total);
        emitter.total = total;
        emitter
    }

    /// Fills `last_use`, counting calls as they will be written.
    fn find_uses(&mut self, block: BlockId, call: &mut usize) {
        let network = self.network;
        for member in &network.blocks[block.index()].members {
            let takes: Vec<usize> = match *member {
                Member::Layer(layer) => network.layers[layer].inputs.iter().map(|value| value.index()).collect(),
                Member::Block(inner) => match &self.functions.calls[inner.index()] {
                    Some(made) => made.takes.clone(),
                    None => {
                        self.find_uses(inner, call);
                        continue;
                    }
                },
            };
            *call += 1;
            self.last_use.extend(takes.into_iter().map(|value| (value, *call)));
        }
    }

    fn emit_block(&mut self, block: BlockId) {
        let network = self.network;
        let Block { members, train_only, .. } = &network.blocks[block.index()];
        for run in members.chunk_by(|a, b| network.is_train_only(*a) == network.is_train_only(*b)) {
            let training = run.first().is_some_and(|member| network.is_train_only(*member)) && !train_only;
            if training {
                self.statements.push(quote! { net.begin_train_only(); });
            }
            for member in run {
                match *member {
                    Member::Layer(layer) => self.emit_layer(layer),
                    Member::Block(inner) => self.emit_inner(inner),
                }
            }
            if training {
                self.statements.push(quote! { net.end_train_only(); });
                self.last_made = None;
            }
        }
    }

    fn emit_inner(&mut self, block: BlockId) {
        let Block { name, definition, .. } = &self.network.blocks[block.index()];
        let of = self.network.shared_block(block);
        let functions = self.functions;
        let Some(Call { function, numbers, takes, gives }) = &functions.calls[block.index()] else {
            self.statements.push(match of {
                Some(of) => quote! { net.begin_shared_block(#name, #of, #definition)?; },
                None => quote! { net.begin_block(#name, #definition); },
            });
            self.emit_block(block);
            self.statements.push(quote! { net.end_block(); });
            self.last_made = None;
            return;
        };
        let takes: Vec<_> = takes.iter().map(|value| self.value(*value)).collect();
        let numbers: Vec<TokenStream> = numbers
            .iter()
            .map(|number| match self.argument() {
                Some(name) => quote! { #name },
                None => {
                    let number = Literal::usize_unsuffixed(*number);
                    quote! { #number }
                }
            })
            .collect();
        let function = &functions.list[*function].name;
        let call = quote! { |net| #function(net #(, #takes)* #(, #numbers)*) };
        let call = match of {
            Some(of) => quote! { net.share_block(#name, #of, #definition, #call) },
            None => quote! { net.block(#name, #definition, #call) },
        };
        self.calls += 1;
        let Some(value) = *gives else {
            self.statements.push(quote! { #call?; });
            self.last_made = None;
            return;
        };
        let labelled = !name.starts_with(|c: char| c.is_ascii_digit());
        let variable = self.variable(labelled.then_some(name.as_str()), definition, value);
        self.make(value, &variable, call);
    }

    fn make(&mut self, value: usize, variable: &Ident, call: TokenStream) {
        self.statements.push(quote! { let #variable = #call?; });
        self.last_made = Some((value, call));
    }

    fn emit_layer(&mut self, index: usize) {
        let network = self.network;
        let Layer { name, op, inputs, labelled, .. } = &network.layers[index];
        let spec = emit_spec(op, || self.argument());
        let inputs: Vec<_> = inputs.iter().map(|value| self.value(value.index())).collect();
        self.calls += 1;
        let value = network.value_of(index).index();
        let variable = self.variable(labelled.then_some(name.as_str()), op.def().name, value);
        let call = match network.shared_layer(index) {
            Some(of) => quote! { net.share_layer(#name, #of, #spec, &[#(#inputs),*]) },
            None => quote! { net.layer(#name, #spec, &[#(#inputs),*]) },
        };
        self.make(value, &variable, call);
    }

    /// The argument that the next number is, if it is one.
    fn argument(&mut self) -> Option<Ident> {
        let argument = self.numbers.get(self.number).cloned().flatten();
        self.number += 1;
        argument
    }

    /// How a value is passed on.
    fn value(&self, value: usize) -> TokenStream {
        self.values.get(&value).cloned().unwrap_or_default()
    }

    /// A label gives its name to the variable; a value that only the next call takes is called `x`.
    fn variable(&mut self, label: Option<&str>, otherwise: &str, value: usize) -> Ident {
        let passing = match self.last_use.get(&value) {
            // What is given back at the end is taken by nothing after it.
            Some(&usize::MAX) => self.calls == self.total,
            Some(last) => *last <= self.calls + 1,
            None => false,
        };
        let variable = match label {
            Some(label) => self.named(label, value),
            None if passing => ident(Locals::PASSING),
            None => self.named(otherwise, value),
        };
        self.values.insert(value, quote! { &#variable });
        self.owned.insert(value, variable.clone());
        variable
    }

    /// A variable of this name; one that nobody reads begins with an underscore.
    fn named(&mut self, name: &str, value: usize) -> Ident {
        match self.last_use.get(&value) {
            Some(_) => self.locals.fresh(name),
            None => self.locals.fresh(&format!("_{name}")),
        }
    }
}
