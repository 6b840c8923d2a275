//! The `cnn!` macro. All of its work is in `cnn-codegen`; users reach it as `cnn::cnn!`.

use proc_macro::TokenStream;

/// Turns a model into a Rust type.
///
/// The model is written inline, or in a `.cnn` file named relative to the crate's `Cargo.toml`:
///
/// ```ignore
/// cnn::cnn! {
///     model Tiny {
///         input image: [1, 28, 28]
///         conv(8, 3) -> relu -> flatten -> dense(10)
///         output logits
///     }
/// }
///
/// cnn::cnn!("models/lenet.cnn");
/// ```
///
/// A model `Tiny` becomes `tiny::Tiny` with `new`, `with_options`, `build` and `run`, the type `tiny::Outputs`, and
/// constants for its shapes and parameters; `Tiny` itself is re-exported beside the module.
#[proc_macro]
pub fn cnn(input: TokenStream) -> TokenStream {
    cnn_codegen::expand(input.into()).into()
}
