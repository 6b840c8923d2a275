//! A file is a test: each `cases/*.cnn` stands beside a snapshot of exactly what is said about it.
//!
//! A first line `// settings: a=1, b=2` gives settings.

#![allow(clippy::unwrap_used)]

use cnn_dsl::{Compilation, Settings, Sources, Style, codes, compile, render};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Codes that no text can raise, and why.
const NOT_FROM_TEXT: &[&str] = &[
    "cnn::file_too_large",  // said of bytes: see bytes.rs
    "cnn::not_text",        // said of bytes: see bytes.rs
    "cnn::not_utf8",        // said of bytes: see bytes.rs
    "cnn::too_many_errors", // a text of many lines: see hostile.rs
];

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "cnn")).collect();
    cases.sort();
    cases
}

fn check(path: &Path) -> (Sources, Compilation) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let (sources, diagnostics) = Sources::from_bytes(name, std::fs::read(path).unwrap());
    assert_eq!(diagnostics, []);
    let first_line = sources.text(0).lines().next().unwrap_or_default();
    let settings: Vec<String> = match first_line.strip_prefix("// settings: ") {
        Some(settings) => settings.split(", ").map(str::to_owned).collect(),
        None => Vec::new(),
    };
    let compilation = compile(&sources, &Settings::parse(&settings).unwrap());
    (sources, compilation)
}

#[test]
fn every_case_says_what_its_snapshot_says() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("cases");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for path in cases() {
            let (sources, compilation) = check(&path);
            let stem = path.file_stem().unwrap().to_str().unwrap();
            insta::assert_snapshot!(stem, render(&compilation.diagnostics, &sources, Style::Plain));
        }
    });
}

#[test]
fn every_code_has_a_case() {
    let raised: BTreeSet<&str> =
        cases().iter().flat_map(|path| check(path).1.diagnostics).map(|diagnostic| diagnostic.code.name).collect();
    let all = codes::all().into_iter().map(|code| code.name);
    let missing: Vec<&str> = all.filter(|code| !raised.contains(code) && !NOT_FROM_TEXT.contains(code)).collect();
    assert!(missing.is_empty(), "no case in tests/cases raises {missing:?}");
    let wrong: Vec<&&str> = NOT_FROM_TEXT.iter().filter(|code| raised.contains(**code)).collect();
    assert!(wrong.is_empty(), "cases raise {wrong:?}");
}

/// Applying a suggestion must lead somewhere: the error it is about is gone.
#[test]
fn every_suggested_edit_removes_its_error() {
    for path in cases() {
        let (sources, compilation) = check(&path);
        for diagnostic in &compilation.diagnostics {
            for edit in diagnostic.help.iter().filter_map(|help| help.edit.as_ref()) {
                let mut text = sources.text(0).to_owned();
                text.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.replacement);
                let edited = compile(&Sources::new("edited.cnn", text), &Settings::default());
                let again = |other: &cnn_dsl::Diagnostic| {
                    other.message == diagnostic.message
                        && other.span().map(|s| s.start) == diagnostic.span().map(|s| s.start)
                };
                let remains = edited.diagnostics.iter().any(again);
                assert!(!remains, "{}: {} remains after {edit:?}", path.display(), diagnostic.message);
            }
        }
    }
}
