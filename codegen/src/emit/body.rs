//! The calls that build a network, as Rust statements.

use super::names::{Locals, ident};
use cnn_ir::{Block, BlockId, Layer, Member, Network, Op};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use std::collections::BTreeSet;

/// The statements of `build`, from the inputs to the outputs.
pub(super) fn emit_body(network: &Network) -> TokenStream {
    let mut emitter = Emitter {
        network,
        last_use: last_uses(network),
        locals: Locals::new(),
        values: Vec::new(),
        statements: Vec::new(),
    };
    for (index, (input, shape)) in network.inputs.iter().zip(shape_constants(network)).enumerate() {
        let (variable, name) = (emitter.named(&input.name, index), &input.name);
        emitter.statements.push(quote! { let #variable = net.input(#name, &Self::#shape)?; });
        emitter.values.push(variable);
    }
    emitter.emit_block(BlockId::ROOT);
    for output in &network.outputs {
        let (name, variable) = (&output.name, &emitter.values[output.value.index()]);
        emitter.statements.push(quote! { net.output(#name, &#variable)?; });
    }
    let statements = emitter.statements;
    quote! { #(#statements)* Ok(()) }
}

/// The constants that hold the shapes of the inputs, then of the outputs.
pub(super) fn shape_constants(network: &Network) -> Vec<Ident> {
    let mut taken = Locals::new();
    let inputs = network.inputs.iter().map(|input| format!("{}_SHAPE", input.name.to_uppercase()));
    let outputs = network.outputs.iter().map(|output| format!("{}_SHAPE", output.name.to_uppercase()));
    inputs.chain(outputs).map(|name| taken.fresh(&name)).collect()
}

/// For every value the last layer that uses it; outputs are used after all layers.
fn last_uses(network: &Network) -> Vec<Option<usize>> {
    let mut last = vec![None; network.inputs.len() + network.layers.len()];
    for (index, layer) in network.layers.iter().enumerate() {
        layer.inputs.iter().for_each(|value| last[value.index()] = Some(index));
    }
    network.outputs.iter().for_each(|output| last[output.value.index()] = Some(network.layers.len()));
    last
}

/// The spec types that the body names, sorted.
pub(super) fn spec_names(network: &Network) -> BTreeSet<Ident> {
    network.layers.iter().map(|layer| spec_name(&layer.op)).collect()
}

fn spec_name(op: &Op) -> Ident {
    format_ident!("{}Spec", op.name())
}

struct Emitter<'a> {
    network: &'a Network,
    /// See [`last_uses`].
    last_use: Vec<Option<usize>>,
    locals: Locals,
    /// The variable of each value made so far.
    values: Vec<Ident>,
    statements: Vec<TokenStream>,
}

impl Emitter<'_> {
    fn emit_block(&mut self, block: BlockId) {
        for member in &self.network.blocks[block.index()].members {
            match *member {
                Member::Layer(layer) => self.emit_layer(layer),
                Member::Block(inner) => {
                    let Block { name, definition, .. } = &self.network.blocks[inner.index()];
                    self.statements.push(quote! { net.begin_block(#name, #definition); });
                    self.emit_block(inner);
                    self.statements.push(quote! { net.end_block(); });
                }
            }
        }
    }

    fn emit_layer(&mut self, index: usize) {
        let Layer { name, op, inputs, .. } = &self.network.layers[index];
        let spec = emit_spec(op);
        let inputs: Vec<Ident> = inputs.iter().map(|value| self.values[value.index()].clone()).collect();
        let variable = self.variable(index);
        self.statements.push(quote! { let #variable = net.layer(#name, #spec, &[#(&#inputs),*])?; });
        self.values.push(variable);
    }

    /// A label gives its name to the variable; a value that only the next layer uses is called `x`.
    fn variable(&mut self, index: usize) -> Ident {
        let layer = &self.network.layers[index];
        let value = self.network.value_of(index).index();
        let passing = self.last_use[value].is_some_and(|last| last <= index + 1);
        match (layer.labelled, passing) {
            (true, _) => self.named(&layer.name, value),
            (false, true) => ident(Locals::PASSING),
            (false, false) => self.named(layer.op.def().name, value),
        }
    }

    /// A variable of this name; one that nobody reads begins with an underscore.
    fn named(&mut self, name: &str, value: usize) -> Ident {
        match self.last_use[value] {
            Some(_) => self.locals.fresh(name),
            None => self.locals.fresh(&format!("_{name}")),
        }
    }
}

/// `Conv2dSpec { padding: [2, 2, 2, 2], ..Conv2dSpec::new(1, 6, [5, 5]) }`, or just the `new` where all else is default.
fn emit_spec(op: &Op) -> TokenStream {
    let spec = spec_name(op);
    let fields = op.fields();
    let required = fields.iter().filter(|field| field.required).map(|field| literal(&field.value));
    let new = quote! { #spec::new(#(#required),*) };
    let set: Vec<_> = fields.iter().filter(|field| !field.required && !field.default).collect();
    if set.is_empty() {
        return new;
    }
    let assignments = set.iter().map(|field| {
        let (name, value) = (ident(field.name), literal(&field.value));
        quote! { #name: #value }
    });
    // `..new()` next to a full list of fields would be a needless update.
    if fields.iter().all(|field| !field.required && !field.default) {
        quote! { #spec { #(#assignments),* } }
    } else {
        quote! { #spec { #(#assignments,)* ..#new } }
    }
}

/// A field's value; the IR prints it as Rust, and the variants of its enums with their type.
fn literal(value: &str) -> TokenStream {
    let value = if value.contains("::") { &format!("::cnn::ops::{value}") } else { value };
    value.parse().unwrap_or_else(|_| quote! { ::core::compile_error!("a field that is no Rust literal") })
}
