//! The macro on files: what it expands to, seen as text. `tests/compile_fail` has what rustc says of inline models.

#![allow(clippy::unwrap_used)]

use cnn_codegen::expand;
use quote::quote;

#[test]
fn a_file_is_tracked_and_becomes_a_type() {
    let text = expand(quote!("../models/lenet.cnn")).to_string();
    assert!(text.contains("pub struct LeNet"), "{text}");
    assert!(text.contains("include_bytes"), "{text}");
    assert!(!text.contains("compile_error"), "{text}");
    assert!(!text.contains(env!("CARGO_MANIFEST_DIR")), "an absolute path: {text}");
}

#[test]
fn errors_in_a_file_are_printed_in_full_and_a_skeleton_is_left() {
    let text = expand(quote!("tests/broken.cnn")).to_string();
    assert_eq!(text.matches("compile_error").count(), 1, "{text}");
    let rendered = text.replace("\\n", "\n");
    for part in ["`tests/broken.cnn` has 1 error", "--> tests/broken.cnn:4:69", "kernel = 5", "pub struct Broken"] {
        assert!(rendered.contains(part), "{rendered}");
    }
    assert!(text.contains("include_bytes"), "a mended file must be noticed: {text}");
}

#[test]
fn what_is_no_model_and_no_file_is_refused() {
    let says = |tokens| expand(tokens).to_string();
    assert!(says(quote!("missing.cnn")).contains("cannot read `missing.cnn`: there is no such file"));
    assert!(says(quote!(5)).contains("takes a model, or a string"));
    assert!(says(quote!()).contains("compile_error"));
    assert!(
        says(quote!(
            struct A;
        ))
        .contains("compile_error")
    );
    assert!(says(quote!(model Tensor { input x: [1] relu })).contains("cannot be called `Tensor`"));
}

#[test]
fn warnings_reach_rustc() {
    let text = expand(quote!(model Net(unused: int = 1) { input x: [1] relu })).to_string();
    assert!(text.contains("deprecated") && text.contains("cnn::unused_parameter"), "{text}");
    assert!(!text.contains("compile_error"), "{text}");
}
