//! The type a model becomes: constants, constructors, `run`.

use super::body::{emit_body, shape_constants};
use super::doc::model_doc;
use super::function::Functions;
use super::names::ident;
use cnn_ir::{Network, Output, Shape, group_digits};
use proc_macro2::{Literal, TokenStream};
use quote::quote;

/// The struct, its outputs and its methods.
pub(super) fn emit_api(network: &Network, functions: &Functions) -> TokenStream {
    let model = ident(&network.name);
    let docs = doc_lines(&model_doc(network));
    let outputs = emit_outputs(network);
    let constants = emit_constants(network);
    let body = emit_body(network, functions);
    let run = emit_run(network);
    quote! {
        #docs
        #[derive(Debug, Clone)]
        pub struct #model {
            session: Session,
        }

        #outputs

        impl #model {
            #constants

            /// Compiles the network for this CPU. Weights, and what is packed from them, are shared between models.
            ///
            /// # Errors
            /// Parameters that are missing, unexpected or have another shape; all of them are named.
            pub fn new(weights: &Weights) -> Result<Self, Error> {
                Self::with_options(weights, &CompileOptions::default())
            }

            /// [`Self::new`] with options.
            ///
            /// # Errors
            /// As [`Self::new`], and options that this machine cannot honour.
            pub fn with_options(weights: &Weights, options: &CompileOptions) -> Result<Self, Error> {
                let session = Session::new(Self::build, weights, options)?;
                Ok(Self { session })
            }

            /// Makes the network's calls on any builder: one call per layer.
            ///
            /// # Errors
            /// What the builder refuses.
            pub fn build<B: Builder>(net: &mut B) -> Result<(), BuildError> {
                #body
            }

            #run
        }
    }
}

fn emit_outputs(network: &Network) -> TokenStream {
    let doc = format!(" What [`{}::run`] returns, the batch first.", network.name);
    let fields = outputs(network).map(|output| {
        let (name, shape) = (ident(&output.name), network.shape(output.value));
        let doc = format!(" {shape} per example.");
        quote! { #[doc = #doc] pub #name: TensorView<'a> }
    });
    quote! {
        #[doc = #doc]
        #[derive(Debug, Clone, Copy)]
        pub struct Outputs<'a> {
            #(#fields,)*
        }
    }
}

fn emit_constants(network: &Network) -> TokenStream {
    let inputs = network.inputs.iter().map(|input| (&input.name, &input.shape));
    let outputs = outputs(network).map(|output| (&output.name, network.shape(output.value)));
    let shapes = inputs.chain(outputs).zip(shape_constants(network)).map(|((name, shape), constant)| {
        let (sizes, rank) = (sizes(shape), Literal::usize_unsuffixed(shape.len()));
        let doc = format!(" The shape of `{name}`, without the batch.");
        quote! { #[doc = #doc] pub const #constant: [usize; #rank] = [#(#sizes),*]; }
    });
    let parameters = network.parameters();
    let named = parameters.iter().map(|parameter| {
        let (name, sizes) = (&parameter.name, sizes(&parameter.shape));
        quote! { (#name, &[#(#sizes),*]) }
    });
    let count = number(network.cost().params);
    quote! {
        #(#shapes)*
        /// The number of trainable scalars, without those that only training needs.
        pub const PARAMETER_COUNT: u64 = #count;
        /// Every parameter's name, as in PyTorch's state dict, and shape; also of those that only training needs, which a
        /// weights file for inference may leave out.
        pub const PARAMETERS: &'static [(&'static str, &'static [usize])] = &[#(#named),*];
    }
}

fn emit_run(network: &Network) -> TokenStream {
    let inputs: Vec<_> = network.inputs.iter().map(|input| ident(&input.name)).collect();
    let shapes: Vec<String> =
        network.inputs.iter().map(|input| format!("`{}` is {}", input.name, with_batch(&input.shape))).collect();
    let doc = format!(" Runs the network: {}.", shapes.join(", "));
    let outputs = outputs(network).enumerate().map(|(index, output)| {
        let (name, index) = (ident(&output.name), Literal::usize_unsuffixed(index));
        quote! { #name: outputs.get(#index) }
    });
    quote! {
        #[doc = #doc]
        ///
        /// The outputs live in this model until its next run.
        ///
        /// # Errors
        /// An input of another shape, an empty batch, or one for which there is no memory.
        pub fn run(&mut self, #(#inputs: &Tensor),*) -> Result<Outputs<'_>, Error> {
            let outputs = self.session.run(&[#(#inputs),*])?;
            Ok(Outputs { #(#outputs),* })
        }
    }
}

/// The outputs that are there in inference.
fn outputs(network: &Network) -> impl Iterator<Item = &Output> {
    network.outputs.iter().filter(|output| !output.train_only)
}

/// One `///` per line.
pub(crate) fn doc_lines(text: &str) -> TokenStream {
    let lines = text.lines().map(|line| if line.is_empty() { String::new() } else { format!(" {line}") });
    quote! { #(#[doc = #lines])* }
}

fn with_batch(shape: &Shape) -> String {
    format!("batch×{shape}")
}

fn sizes(shape: &[usize]) -> Vec<Literal> {
    shape.iter().map(|&size| Literal::usize_unsuffixed(size)).collect()
}

/// A number with its thousands marked.
fn number(value: u64) -> TokenStream {
    group_digits(value.into(), "_").parse().unwrap_or_else(|_| quote! { #value })
}
