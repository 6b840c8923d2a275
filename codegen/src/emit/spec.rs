//! Specs as Rust expressions.

use super::names::ident;
use cnn_ir::ops::ExternSpec;
use cnn_ir::{Field, Op};
use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, format_ident, quote};
use std::fmt::Write;

/// The numbers of a block, each with the name of its field, in the order of its calls.
pub(super) type Slots = Vec<(String, usize)>;

/// The type of an op's spec.
pub(super) fn spec_name(op: &Op) -> Ident {
    format_ident!("{}Spec", op.name())
}

/// An op without its sizes, which are added to the slots.
pub(super) fn outline(op: &Op, slots: &mut Slots) -> String {
    let mut text = op.name().to_owned();
    for field in op.fields() {
        let value = each_number(&field, |number| {
            slots.push((field.name.to_owned(), number));
            "_".to_owned()
        });
        // Writing to a string cannot fail.
        let _ = write!(text, " {value}");
    }
    text
}

/// `Conv2dSpec { padding: [2, 2, 2, 2], ..Conv2dSpec::new(1, 6, [5, 5]) }`, or just the `new` where all else is default.
///
/// `argument` says of each number in turn whether it is an argument of the function, and which.
pub(super) fn emit_spec(op: &Op, mut argument: impl FnMut() -> Option<Ident>) -> TokenStream {
    let spec = spec_name(op);
    if let Op::Extern(layer) = op {
        return emit_extern(layer, argument);
    }
    let mut required = Vec::new();
    let mut set = Vec::new();
    let mut is_update = false;
    for field in op.fields() {
        let mut is_argument = false;
        let value = each_number(&field, |number| match argument() {
            Some(name) => {
                is_argument = true;
                name.to_string()
            }
            None => number.to_string(),
        });
        let is_shorthand = value == field.name;
        let value = literal(&value);
        if field.required {
            required.push(value);
        } else if is_shorthand {
            set.push(value);
        } else if is_argument || !field.default {
            let name = ident(field.name);
            set.push(quote! { #name: #value });
        } else {
            is_update = true;
        }
    }
    let new = quote! { #spec::new(#(#required),*) };
    if set.is_empty() {
        new
    } else if is_update || !required.is_empty() {
        quote! { #spec { #(#set,)* ..#new } }
    } else {
        // `..new()` next to a full list of fields would be a needless update.
        quote! { #spec { #(#set),* } }
    }
}

/// `ExternSpec::new("scale", &[("factor", "2.0")], [4], [4], crate::Scale { factor: 2.0 })`
fn emit_extern(layer: &ExternSpec, mut argument: impl FnMut() -> Option<Ident>) -> TokenStream {
    let ExternSpec { name, arguments, input, output, path, .. } = layer;
    let mut sizes = |shape: &[usize]| -> Vec<TokenStream> {
        let size = |size: &usize| match argument() {
            Some(name) => quote! { #name },
            None => Literal::usize_unsuffixed(*size).into_token_stream(),
        };
        shape.iter().map(size).collect()
    };
    let (input, output) = (sizes(input), sizes(output));
    let texts = arguments.iter().map(|(name, value)| quote! { (#name, #value) });
    let fields = arguments.iter().map(|(name, value)| {
        let (name, value) = (ident(name), literal(value));
        quote! { #name: #value }
    });
    let path = literal_path(path);
    quote! { ExternSpec::new(#name, &[#(#texts),*], [#(#input),*], [#(#output),*], #path { #(#fields),* }) }
}

fn literal_path(path: &str) -> TokenStream {
    path.parse().unwrap_or_else(|_| quote! { ::core::compile_error!("a path that is no Rust path") })
}

/// The field's value with each of its sizes replaced; what is no size stays.
fn each_number(field: &Field, mut replace: impl FnMut(usize) -> String) -> String {
    if !field.ty.contains("usize") {
        return field.value.clone();
    }
    let mut text = String::new();
    let mut rest = field.value.as_str();
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = rest[start..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |length| start + length);
        text.push_str(&rest[..start]);
        match rest[start..digits].parse() {
            Ok(number) => text.push_str(&replace(number)),
            Err(_) => text.push_str(&rest[start..digits]),
        }
        rest = &rest[digits..];
    }
    text + rest
}

/// A field's value; the IR prints it as Rust, and the variants of its enums with their type.
fn literal(value: &str) -> TokenStream {
    let value = if value.contains("::") { &format!("::cnn::ops::{value}") } else { value };
    value.parse().unwrap_or_else(|_| quote! { ::core::compile_error!("a field that is no Rust literal") })
}
