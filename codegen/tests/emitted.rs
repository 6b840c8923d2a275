//! The emitted text, and the files that a build script writes.

#![allow(clippy::unwrap_used)]

use cnn_codegen::{Build, emit, rustfmt};
use cnn_dsl::{Settings, Sources};
use std::fs;

const TEXT: &str = "
/// Every kind of field, and names that Rust reserves.
model Options(classes: int = 7) {
    input image: [4, 33, 17]
    stem: conv(8, kernel = (5, 3), stride = (2, 1), padding = (2, 1), groups = 2, bias = false) -> relu
    avg_pool(2, padding = 1, count_include_pad = false, divisor_override = 3) -> dropout(0.25)
    gen: flatten
    type: dense(classes) -> softmax
    output match
}
";

fn code(text: &str) -> String {
    let compilation = cnn_dsl::compile(&Sources::new("options.cnn", text), &Settings::default());
    assert!(!compilation.has_errors(), "{:?}", compilation.diagnostics);
    emit(&compilation.models, "options.cnn").unwrap()
}

#[test]
fn reads_as_if_a_person_had_written_it() {
    insta::assert_snapshot!(code(TEXT));
}

#[test]
fn how_a_model_is_trained_changes_no_code() {
    let trained = TEXT
        .replace("bias = false)", "bias = false, init = xavier_uniform)")
        .replace("match\n}", "match\ntrain { epochs: 5 }\n}");
    assert_eq!(trained.matches("init").count() + trained.matches("train").count(), 2);
    assert_eq!(code(&trained), code(TEXT));
}

const BLOCKS: &str = "
/// A convolution and its activation.
block conv_relu(channels: int, size: int = 3) { conv(channels, size, padding = size / 2) -> relu }

block residual(channels: int) {
    add {
        | conv1: conv_relu(channels) -> conv(channels, 1)
        | if in.channels != channels { shortcut: { conv(channels, 1) -> batch_norm } }
    }
}

model Blocks {
    input left: [3, 16, 16]
    input right: [3, 16, 16]
    left -> features: { conv_relu(8, 1) -> residual(8) -> residual(16) -> residual(16) }
    train_only { global_avg_pool -> flatten -> dense(10)  output aux }
    right -> other: share features
    repeat 2 { residual(16) }
    concat(features)
    output both
}
";

#[test]
fn a_block_is_a_function_whatever_its_numbers() {
    let code = code(BLOCKS);
    let functions = code.split_once("    /// Runs the network").unwrap().1;
    insta::assert_snapshot!(functions);
    let build = code.split_once("pub fn build").unwrap().1.split_once("    /// Runs").unwrap().0;
    insta::assert_snapshot!(build);
}

#[test]
fn rustfmt_changes_no_more_than_the_layout() {
    let words = |text: &str| text.split(|c: char| c.is_whitespace() || c == ',').collect::<String>();
    let text = code(TEXT);
    let formatted = rustfmt(&text);
    assert_eq!(words(&text), words(&formatted));
    assert_eq!(rustfmt(&formatted), formatted);
    // Where rustfmt breaks a line depends on the style; where a person would leave one blank does not.
    let blank = |text: &str| text.lines().filter(|line| line.is_empty()).count();
    assert_eq!(blank(&text), blank(&formatted));
}

#[test]
fn names_no_crate_but_cnn() {
    let text = code(TEXT);
    let mut roots: Vec<&str> = text.split_whitespace().filter_map(|word| word.strip_prefix("::")).collect();
    roots.retain(|path| !path.starts_with("cnn::"));
    assert!(roots.is_empty(), "{roots:?}");
    assert!(!text.contains("luminal"));
}

#[test]
fn a_build_script_writes_one_file_for_each_model_file() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("options.cnn");
    fs::write(&source, TEXT).unwrap();
    Build::new().file(&source).set("classes=3").out_dir(folder.path()).compile().unwrap();
    let written = fs::read_to_string(folder.path().join("options.rs")).unwrap();
    assert!(written.contains("MATCH_SHAPE: [usize; 1] = [3]"), "{written}");
}

#[test]
fn errors_are_rendered_and_the_last_good_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("options.cnn");
    fs::write(folder.path().join("options.rs"), "old").unwrap();
    fs::write(&source, TEXT.replace("kernel = (5, 3)", "kernel = (50, 3)")).unwrap();
    let build = Build::new().file(&source).out_dir(folder.path());
    let error = build.compile().unwrap_err().to_string();
    assert!(error.contains("cnn::kernel_too_large") && error.contains("options.cnn:5:"), "{error}");
    assert_eq!(fs::read_to_string(folder.path().join("options.rs")).unwrap(), "old");
    let error = Build::new().file("missing.cnn").out_dir(folder.path()).compile().unwrap_err().to_string();
    assert!(error.contains("missing.cnn"), "{error}");
    fs::write(&source, TEXT).unwrap();
    let nowhere = folder.path().join("options.rs");
    let error = Build::new().file(&source).out_dir(&nowhere).compile().unwrap_err().to_string();
    assert!(error.contains("cannot write"), "{error}");
}

#[test]
fn awkward_names_become_names_of_their_own() {
    let text = code("model lenet { input x: [2] relu output x }");
    assert!(text.contains("pub mod lenet_model") && text.contains("pub struct lenet"), "{text}");
    assert!(text.contains("X_SHAPE: ") && text.contains("X_SHAPE_2: "), "{text}");
    let text = code("model Cnn { input x: [2] input unused: [3] relu }");
    assert!(text.contains("pub mod cnn_model") && text.contains("let _unused = "), "{text}");
}

#[test]
fn two_files_that_would_make_one_are_refused_and_all_errors_told() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a", "b"].map(|name| {
        fs::create_dir(folder.path().join(name)).unwrap();
        let path = folder.path().join(name).join("net.cnn");
        fs::write(&path, "model Net { input x: [2] rellu }").unwrap();
        path
    });
    let build = Build::new().file(&files[0]).file(&files[1]).file("missing.cnn").out_dir(folder.path());
    let error = build.compile().unwrap_err().to_string();
    for part in ["did you mean `relu`", "would make the same .rs file", "cannot read `missing.cnn`"] {
        assert!(error.contains(part), "{error}");
    }
}
