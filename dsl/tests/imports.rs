//! Files that use files.

#![allow(clippy::unwrap_used)]

use cnn_dsl::{Compilation, Settings, Sources, Style, compile, render};
use std::collections::BTreeMap;

/// Compiles the first of some files; the others are found by their paths.
fn compile_files(files: &[(&str, &str)]) -> (Compilation, String) {
    let by_path: BTreeMap<&str, &str> = files.iter().copied().collect();
    let mut sources = Sources::new(format!("nets/{}", files[0].0), files[0].1);
    let mut diagnostics = Vec::new();
    loop {
        let missing = sources.missing();
        if missing.is_empty() {
            break;
        }
        for path in missing {
            match by_path.get(path.as_str()) {
                Some(text) => diagnostics.extend(sources.add(&path, text.as_bytes().to_vec())),
                None => sources.add_unreadable(&path, "there is no such file"),
            }
        }
    }
    let compilation = compile(&sources, &Settings::default());
    diagnostics.extend(compilation.diagnostics.clone());
    let text = render(&diagnostics, &sources, Style::Plain);
    (compilation, text)
}

#[test]
fn blocks_and_models_come_from_other_files() {
    let (compilation, text) = compile_files(&[
        (
            "main.cnn",
            "use \"blocks/residual.cnn\" use \"vgg.cnn\"
            model Net { input x: [3, 8, 8] residual(3, act = relu) }
            model Small = Vgg(stages = [(4, 1)])",
        ),
        (
            "blocks/residual.cnn",
            "use \"../shared.cnn\" block residual(n: int, act: layer) { add { | | conv_act(n, act) } }",
        ),
        ("shared.cnn", "block conv_act(n: int, act: layer) { conv(n, 3, padding = 1) -> act } block other { relu }"),
        (
            "vgg.cnn",
            "use \"shared.cnn\"
            model Vgg(stages: [(int, int)]) {
                input x: [3, 8, 8]
                for (channels, convs) in stages { repeat convs { conv_act(channels, relu) } max_pool(2) }
            }
            model Big = Vgg(stages = [(8, 1)])",
        ),
    ]);
    assert_eq!(text, "");
    let names: Vec<&str> = compilation.models.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["Net", "Small"]);
    assert_eq!(compilation.outlines.len(), 2);
    assert_eq!(compilation.models[0].parameters()[0].name, "0.0.0.weight");
}

#[test]
fn a_file_knows_only_what_it_uses() {
    let (compilation, text) = compile_files(&[
        ("main.cnn", "use \"a.cnn\"\nmodel M {\n    input x: [4]\n    outer -> inner\n}\n"),
        ("a.cnn", "use \"b.cnn\"\nblock outer { inner }\n"),
        ("b.cnn", "block inner { relu }\n"),
    ]);
    assert!(compilation.models.is_empty());
    insta::assert_snapshot!(text);
}

#[test]
fn errors_name_the_files_on_the_way() {
    let (_, text) = compile_files(&[
        ("main.cnn", "use \"blocks.cnn\"\nuse \"gone.cnn\"\nmodel M {\n    input x: [3, 8, 8]\n    a: wide(9)\n}\n"),
        ("blocks.cnn", "// Blocks.\nblock wide(kernel: int) {\n    conv(4, kernel)\n}\nblock broken { conv(1 2) }\n"),
    ]);
    insta::assert_snapshot!(text);
}

#[test]
fn circles_are_refused_with_their_path() {
    let (_, text) = compile_files(&[
        ("main.cnn", "use \"a.cnn\"\nmodel M {\n    input x: [4]\n    one\n}\n"),
        ("a.cnn", "use \"b.cnn\"\nblock one { two }\n"),
        ("b.cnn", "use \"a.cnn\"\nblock two { relu }\n"),
    ]);
    insta::assert_snapshot!(text);
}

#[test]
fn bytes_that_are_no_text_are_reported_in_their_file() {
    let mut sources = Sources::new("main.cnn", "use \"a.cnn\" use \"b.cnn\" model M { input x: [4] block_of_a }");
    assert_eq!(sources.missing(), ["a.cnn", "b.cnn"]);
    let mut diagnostics = sources.add("a.cnn", b"block block_of_a { \xff }".to_vec());
    diagnostics.extend(sources.add("b.cnn", vec![0; 10]));
    let compilation = compile(&sources, &Settings::default());
    assert_eq!(compilation.diagnostics, [], "what is missing from them is no second error");
    assert!(compilation.models.is_empty());
    insta::assert_snapshot!(render(&diagnostics, &sources, Style::Plain));
}

#[test]
fn there_is_an_end_to_files() {
    let mut sources = Sources::new("0.cnn", "use \"1.cnn\" model M { input x: [4] relu }");
    let mut added = 0;
    while let Some(path) = sources.missing().pop() {
        added += 1;
        sources.add(&path, format!("use \"{}.cnn\"", added + 1).into_bytes());
    }
    assert_eq!(added, Sources::MAX_FILES - 1);
    let compilation = compile(&sources, &Settings::default());
    assert_eq!(compilation.diagnostics[0].code.name, "cnn::too_large");
}
