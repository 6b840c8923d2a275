//! The calls that build a network, as Rust statements.

use super::names::{Locals, ident};
use cnn_ir::{Block, BlockId, Layer, Member, Network, Op, ValueId};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use std::collections::BTreeSet;

/// The statements of `build`, from the inputs to the outputs.
pub(super) fn emit_body(network: &Network) -> TokenStream {
    let mut emitter = Emitter { network, locals: Locals::new(), values: Vec::new(), statements: Vec::new() };
    for input in &network.inputs {
        let (variable, name) = (emitter.locals.fresh(&input.name), &input.name);
        let shape = shape_constant(name);
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

/// The constant that holds the shape of an input or output.
pub(super) fn shape_constant(name: &str) -> Ident {
    format_ident!("{}_SHAPE", name.to_uppercase())
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
        if layer.labelled {
            return self.locals.fresh(&layer.name);
        }
        if self.is_passing(self.network.value_of(index), index) {
            ident(Locals::PASSING)
        } else {
            self.locals.fresh(layer.op.def().name)
        }
    }

    fn is_passing(&self, value: ValueId, index: usize) -> bool {
        let later = self.network.layers.get(index + 2..).unwrap_or_default();
        let is_output = self.network.outputs.iter().any(|output| output.value == value);
        let is_last = index + 1 == self.network.layers.len();
        (!is_output || is_last) && !later.iter().any(|layer| layer.inputs.contains(&value))
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
