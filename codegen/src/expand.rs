//! What the `cnn!` macro does.

use crate::emit::{check_model_name, emit_tokens};
use crate::inline::InlineSource;
use crate::read::{SourceFiles, read_source, read_used};
use crate::skeleton::skeleton;
use cnn_dsl::{Compilation, Diagnostic, Level, Settings, Sources, Style};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use std::path::Path;

/// Expands `cnn! { model … }` or `cnn!("models/lenet.cnn")`.
///
/// Inline text is compiled from its tokens, and errors point at them. A file is looked up from the crate's
/// `Cargo.toml`, is tracked for rebuilds, and its errors are printed in full at the literal. Either way a model with
/// errors leaves a type with the same names behind, so that its users see those errors and no others.
pub fn expand(input: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = input.clone().into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Literal(_)] => match syn::parse2::<syn::LitStr>(input) {
            Ok(path) => expand_file(&path),
            Err(error) => {
                syn::Error::new(error.span(), "`cnn!` takes a model, or a string with a file's path").to_compile_error()
            }
        },
        _ => expand_inline(input),
    }
}

fn expand_inline(input: TokenStream) -> TokenStream {
    let inline = InlineSource::new(input);
    let mut sources = Sources::new("cnn!", inline.text());
    let mut diagnostics = Vec::new();
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let used = read_used(&mut sources, Path::new(&root), &mut diagnostics);
    let track = track(&used, Span::call_site());
    let mut compilation = cnn_dsl::compile(&sources, &Settings::default());
    compilation.diagnostics.append(&mut diagnostics);
    let errors =
        compilation.diagnostics.iter().filter(|diagnostic| diagnostic.level == Level::Error).map(|diagnostic| {
            let span = diagnostic.labels.iter().find(|label| label.primary).map(|label| label.span);
            let tokens = inline.tokens(span);
            syn::Error::new_spanned(tokens, message(diagnostic, &sources)).to_compile_error()
        });
    let errors: TokenStream = errors.collect();
    let warnings = compilation.diagnostics.iter().filter(|diagnostic| diagnostic.level == Level::Warning);
    let warnings: TokenStream = warnings
        .map(|diagnostic| {
            let span = inline.tokens(diagnostic.span()).into_iter().next().map_or(Span::call_site(), |t| t.span());
            warning(&message(diagnostic, &sources), span)
        })
        .collect();
    let code = models(&compilation);
    quote! { #errors #warnings #code #track }
}

/// A warning by rustc: macros cannot give one of their own, but the use of something deprecated is one.
fn warning(text: &str, span: Span) -> TokenStream {
    quote_spanned! {span=>
        const _: () = {
            #[deprecated(note = #text)]
            #[allow(non_upper_case_globals)]
            const model: () = ();
            model
        };
    }
}

/// A diagnostic as the text of a compile error, under which rustc draws the primary place itself.
fn message(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let mut text = format!("{} [{}]", diagnostic.message, diagnostic.code.name);
    for label in diagnostic.labels.iter().filter(|label| !label.primary) {
        let range = label.span.start as usize..label.span.end as usize;
        let quoted = sources.text(label.span.source).get(range).and_then(|text| text.lines().next()).unwrap_or("…");
        text.push_str(&format!("\n  = `{quoted}`: {}", label.text));
    }
    for note in &diagnostic.notes {
        text.push_str(&format!("\n  = note: {note}"));
    }
    for help in &diagnostic.help {
        text.push_str(&format!("\n  = help: {}", help.message));
        let replacement = help.edit.as_ref().map_or("", |edit| edit.replacement.trim());
        if !help.message.contains(replacement) {
            text.push_str(&format!(": `{replacement}`"));
        }
    }
    text
}

fn expand_file(literal: &syn::LitStr) -> TokenStream {
    let (name, span) = (literal.value(), literal.span());
    let Ok(root) = std::env::var("CARGO_MANIFEST_DIR") else {
        return syn::Error::new(span, "`cnn!(\"…\")` needs Cargo, which says where the crate is").to_compile_error();
    };
    let SourceFiles { sources, mut diagnostics, used } = match read_source(&Path::new(&root).join(&name), &name) {
        Ok(read) => read,
        Err(error) => {
            let text = format!("{error}\n  = help: paths are relative to the crate's Cargo.toml");
            return syn::Error::new(span, text).to_compile_error();
        }
    };
    let mut compilation = Compilation::default();
    if diagnostics.is_empty() {
        compilation = cnn_dsl::compile(&sources, &Settings::default());
        diagnostics = std::mem::take(&mut compilation.diagnostics);
    }
    let (errors, warnings): (Vec<_>, Vec<_>) = diagnostics.into_iter().partition(|d| d.level == Level::Error);
    let warnings: TokenStream = warnings
        .iter()
        .map(|diagnostic| {
            let rendered = cnn_dsl::render(std::slice::from_ref(diagnostic), &sources, Style::Plain);
            warning(&format!("in `{name}`\n\n{rendered}"), span)
        })
        .collect();
    let errors = (!errors.is_empty()).then(|| {
        let rendered = cnn_dsl::render(&errors, &sources, Style::Plain);
        let count = errors.len();
        let text = format!("`{name}` has {count} error{}\n\n{rendered}", if count == 1 { "" } else { "s" });
        syn::Error::new(span, text).to_compile_error()
    });
    let code = models(&compilation);
    let used = used.iter().map(|used| Path::new(&name).with_file_name("").join(used).to_string_lossy().into_owned());
    let files: Vec<String> = std::iter::once(name.clone()).chain(used).collect();
    let track = track(&files, span);
    quote! { #errors #warnings #code #track }
}

/// Includes files, named from the crate's folder, so that Cargo rebuilds when they change.
fn track(files: &[String], span: Span) -> TokenStream {
    let files = files.iter();
    quote_spanned! {span=>
        #(const _: &[u8] = ::core::include_bytes!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", #files));)*
    }
}

/// The modules of the models that compiled, and skeletons of those that did not.
fn models(compilation: &Compilation) -> TokenStream {
    let compiled = |name: &str| compilation.models.iter().any(|network| network.name == name);
    let skeletons = compilation.outlines.iter().filter(|outline| !compiled(&outline.name)).map(skeleton);
    let models = compilation.models.iter().map(|network| match check_model_name(&network.name) {
        Ok(()) => emit_tokens(network),
        Err(message) => quote! { ::core::compile_error!(#message); },
    });
    models.chain(skeletons).collect()
}
