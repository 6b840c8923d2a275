//! Bytes that are no text, places in odd texts, and JSON.

#![allow(clippy::unwrap_used)]

use cnn_dsl::{MAX_SOURCE_BYTES, Settings, Sources, Style, compile, render, to_json};
use serde_json::Value;

fn rejected(bytes: Vec<u8>) -> (Sources, String) {
    let (sources, diagnostics) = Sources::from_bytes("odd.cnn", bytes);
    let compilation = compile(&sources, &Settings::default());
    assert_eq!((compilation.models.len(), compilation.diagnostics.len()), (0, 0), "the bytes are reported once");
    let text = render(&diagnostics, &sources, Style::Plain);
    (sources, text)
}

#[test]
fn other_encodings_are_refused_with_their_place() {
    let (_, text) = rejected(b"model Caf\xe9 {\n}\n".to_vec());
    insta::assert_snapshot!("latin1", text);
    let (_, text) = rejected(b"\xef\xbb\xbfmodel M {\n  // \xe6\xbc\xa2 \xff\n}\n".to_vec());
    insta::assert_snapshot!("broken_utf8", text);
}

#[test]
fn binary_files_are_refused() {
    let (_, text) = rejected(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec());
    insta::assert_snapshot!("binary", text);
    let (_, text) = rejected("model M {}".encode_utf16().flat_map(u16::to_le_bytes).collect());
    assert!(text.contains("cnn::not_text"), "{text}");
}

#[test]
fn huge_files_are_refused() {
    let (_, text) = rejected(vec![b' '; MAX_SOURCE_BYTES + 1]);
    insta::assert_snapshot!("huge", text);
    let sources = Sources::new("huge.cnn", " ".repeat(MAX_SOURCE_BYTES + 1));
    assert_eq!(compile(&sources, &Settings::default()).diagnostics[0].code.name, "cnn::file_too_large");
    let (_, diagnostics) = Sources::from_bytes("large.cnn", vec![b' '; MAX_SOURCE_BYTES]);
    assert_eq!(diagnostics, []);
}

/// Line, column and byte of the first place of the first diagnostic, and the text of its span in the file.
fn first_place(bytes: &[u8]) -> (u64, u64, String) {
    let (sources, diagnostics) = Sources::from_bytes("odd.cnn", bytes.to_vec());
    assert_eq!(diagnostics, []);
    let compilation = compile(&sources, &Settings::default());
    let json: Value = serde_json::from_str(&to_json(&compilation.diagnostics[0], &sources)).unwrap();
    let (start, end) = (&json["spans"][0]["start"], &json["spans"][0]["end"]);
    let range = start["byte"].as_u64().unwrap() as usize..end["byte"].as_u64().unwrap() as usize;
    let text = String::from_utf8(bytes[range].to_vec()).unwrap();
    // What people read and what tools read must agree.
    let header = format!("odd.cnn:{}:{}\n", start["line"], start["column"]);
    let rendered = json["rendered"].as_str().unwrap();
    assert!(rendered.contains(&header), "{header}{rendered}");
    (start["line"].as_u64().unwrap(), start["column"].as_u64().unwrap(), text)
}

#[test]
fn columns_count_characters() {
    let model = |line: &str| format!("model M {{\n input x: [4]\n{line}\n}}");
    assert_eq!(first_place(model("rleu").as_bytes()), (3, 1, "rleu".into()));
    assert_eq!(first_place(model("\trleu").as_bytes()), (3, 2, "rleu".into()));
    assert_eq!(first_place(model("\trelu\t->\trleu").as_bytes()), (3, 10, "rleu".into()));
    assert_eq!(first_place(model("rleu // 漢字").replace('\n', "\r\n").as_bytes()), (3, 1, "rleu".into()));
    assert_eq!(first_place(model("relu ä rleu").as_bytes()), (3, 6, "ä".into()));
    assert_eq!(first_place(format!("\u{feff}{}", model("rleu")).as_bytes()), (3, 1, "rleu".into()));
    assert_eq!(first_place("\u{feff}modle M {}".as_bytes()), (1, 1, "modle".into()));
    assert_eq!(first_place("/// 漢字\nmodel M { input x: [4] /// é\n relu 漢字 }".as_bytes()), (3, 7, "漢字".into()));
    let long = format!("model M {{ input x: [4] {} rleu }}", "relu ".repeat(1000));
    assert_eq!(first_place(long.as_bytes()), (1, 5025, "rleu".into()));
}

#[test]
fn json_has_all_that_is_rendered() {
    let text = "model M(n: int = 9) {\n    input image: [1, 8, 8]\n    conv(4, kernel = n)\n}\n";
    let sources = Sources::new("dir/m.cnn", text);
    let compilation = compile(&sources, &Settings::default());
    let line = to_json(&compilation.diagnostics[0], &sources);
    assert!(!line.contains('\n'));
    let json: Value = serde_json::from_str(&line).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn colours_are_only_in_coloured_text() {
    let sources = Sources::new("m.cnn", "model M { input x: [4] rleu }");
    let diagnostics = compile(&sources, &Settings::default()).diagnostics;
    assert!(render(&diagnostics, &sources, Style::Color).contains("\u{1b}["));
    assert!(!render(&diagnostics, &sources, Style::Plain).contains('\u{1b}'));
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    for c in ['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}', '\u{7f}'] {
        let sources = Sources::new("m.cnn", format!("model M {{ input x: [4] relu {c}[31m }}"));
        let text = render(&compile(&sources, &Settings::default()).diagnostics, &sources, Style::Plain);
        assert!(!text.is_empty() && !text.contains(c), "{text}");
    }
}
