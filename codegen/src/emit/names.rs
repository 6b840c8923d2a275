//! Rust identifiers for names of the language.

use proc_macro2::{Ident, Span};
use std::collections::BTreeMap;

/// The module that holds a model's code: its name in lower case.
///
/// ```
/// assert_eq!(cnn_codegen::module_name("LeNet"), "lenet");
/// ```
pub fn module_name(model: &str) -> String {
    let name = model.to_lowercase();
    // A module and a type share a namespace, and a module `cnn` would hide the crate.
    if name == model || matches!(name.as_str(), "cnn" | "core" | "std" | "alloc") { name + "_model" } else { name }
}

/// What every emitted module imports from `::cnn`.
pub(super) const IMPORTS: [&str; 8] =
    ["BuildError", "Builder", "CompileOptions", "Error", "Session", "Tensor", "TensorView", "Weights"];

/// Why a model of this name could not become a type beside the names that its module uses, if it could not.
pub(crate) fn check_model_name(model: &str) -> Result<(), String> {
    if cnn_dsl::is_reserved_model_name(model) {
        return Err(format!("a model cannot be called `{model}`: the generated code uses that name itself"));
    }
    Ok(())
}

/// The name as an identifier: raw where it is a keyword, with an underscore where not even that is allowed.
pub(crate) fn ident(name: &str) -> Ident {
    // Edition 2024 reserves `gen`, which syn takes for a name.
    if name != "gen" && syn::parse_str::<Ident>(name).is_ok() {
        return Ident::new(name, Span::call_site());
    }
    match name {
        "self" | "Self" | "super" | "crate" | "_" => Ident::new(&format!("{name}_"), Span::call_site()),
        _ => Ident::new_raw(name, Span::call_site()),
    }
}

/// Gives out local variable names that do not collide.
pub(crate) struct Locals {
    /// How often each name was asked for.
    taken: BTreeMap<String, u32>,
}

impl Locals {
    /// The name for values that only the next lines use; never given out by [`Self::fresh`].
    pub const PASSING: &str = "x";

    pub fn new() -> Self {
        // `net` is the builder in emitted functions; a pattern named like a variant would be that variant.
        Self { taken: ["net", Self::PASSING, "Ok", "Err", "Some", "None"].map(|name| (name.to_owned(), 1)).into() }
    }

    /// Keeps a name from being given out.
    pub fn take(&mut self, name: &str) {
        self.taken.entry(name.trim_start_matches("r#").to_owned()).or_insert(1);
    }

    /// This name, or the first free of `name_2`, `name_3`, ….
    pub fn fresh(&mut self, name: &str) -> Ident {
        let mut count = self.taken.get(name).copied().unwrap_or(0) + 1;
        let mut candidate = name.to_owned();
        if count > 1 {
            candidate = format!("{name}_{count}");
            while self.taken.contains_key(&candidate) {
                count += 1;
                candidate = format!("{name}_{count}");
            }
            self.taken.insert(candidate.clone(), 1);
        }
        self.taken.insert(name.to_owned(), count);
        ident(&candidate)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_imported_is_reserved() {
        assert!(super::IMPORTS.iter().all(|name| cnn_dsl::is_reserved_model_name(name)));
    }
}
