//! The type of a model that did not compile, so that code which uses it adds no errors of its own.

use crate::emit::{ident, module_name};
use cnn_dsl::Outline;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use std::collections::BTreeSet;

/// The same names as the real module, with bodies that never run, since the crate does not compile.
pub(crate) fn skeleton(outline: &Outline) -> TokenStream {
    let (module, model) = (ident(&module_name(&outline.name)), ident(&outline.name));
    let inputs: Vec<_> = outline.inputs.iter().map(|name| ident(name)).collect();
    let outputs: Vec<_> = outline.outputs.iter().map(|name| ident(name)).collect();
    let names = outline.inputs.iter().chain(&outline.outputs).map(|name| name.to_uppercase()).collect::<BTreeSet<_>>();
    let shapes = names.iter().map(|name| format_ident!("{name}_SHAPE"));
    quote! {
        #[allow(dead_code, missing_docs, unused_variables)]
        pub mod #module {
            #[derive(Debug, Clone)]
            pub struct #model {}

            #[derive(Debug, Clone, Copy)]
            pub struct Outputs<'a> {
                #(pub #outputs: ::cnn::TensorView<'a>,)*
                __lifetime: ::core::marker::PhantomData<&'a ()>,
            }

            impl #model {
                #(pub const #shapes: &'static [usize] = &[];)*
                pub const PARAMETER_COUNT: u64 = 0;
                pub const PARAMETERS: &'static [(&'static str, &'static [usize])] = &[];

                pub fn new(weights: &::cnn::Weights) -> Result<Self, ::cnn::Error> {
                    ::core::unimplemented!()
                }

                pub fn with_options(
                    weights: &::cnn::Weights,
                    options: &::cnn::CompileOptions,
                ) -> Result<Self, ::cnn::Error> {
                    ::core::unimplemented!()
                }

                pub fn build<B: ::cnn::Builder>(net: &mut B) -> Result<(), ::cnn::BuildError> {
                    ::core::unimplemented!()
                }

                pub fn run(&mut self, #(#inputs: &::cnn::Tensor),*) -> Result<Outputs<'_>, ::cnn::Error> {
                    ::core::unimplemented!()
                }
            }
        }
        #[allow(unused_imports)]
        pub use #module::#model;
    }
}
