//! The emitted text, and the files that a build script writes.

#![allow(clippy::unwrap_used)]

use cnn_codegen::{Build, emit};
use cnn_dsl::{Settings, Sources};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

const TEXT: &str = "
/// Every kind of field, and names that Rust reserves.
model Options(classes: int = 7) {
    input image: [4, 33, 17]
    stem: conv(8, kernel = (5, 3), stride = (2, 1), padding = (2, 1), groups = 2, bias = false) -> relu
    avg_pool(2, padding = 1, count_include_pad = false, divisor_override = 3) -> dropout(0.25)
    flatten
    type: dense(classes) -> softmax
    output self
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
fn is_what_rustfmt_would_write() {
    let text = code(TEXT);
    let started = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "max_width=120"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut rustfmt) = started else {
        println!("skipped: no rustfmt");
        return;
    };
    rustfmt.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = rustfmt.wait_with_output().unwrap();
    assert_eq!(text, String::from_utf8(output.stdout).unwrap());
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
    assert!(written.contains("SELF_SHAPE: [usize; 1] = [3]"), "{written}");
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
