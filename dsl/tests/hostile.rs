//! Texts made to hurt: each is refused in bounded time, with few errors.

#![allow(clippy::unwrap_used)]

use cnn_dsl::{Compilation, Settings, Sources, Style, compile, render, to_json};
use std::time::{Duration, Instant};

/// A megabyte each; less in a debug build, for patience.
const SIZE: usize = if cfg!(debug_assertions) { 64 << 10 } else { 1 << 20 };

/// Generous, for a busy machine.
const LIMIT: Duration = Duration::from_secs(10);

fn body(text: &str) -> String {
    format!("model M {{ input x: [4] {text} }}")
}

fn repeated(unit: &str) -> String {
    unit.repeat(SIZE / unit.len())
}

fn hostile_texts() -> Vec<(String, String)> {
    let units = [
        "(",
        "[",
        "{",
        ")",
        "-",
        "a->",
        "a ",
        "a:",
        "a(",
        "a(1)",
        "->",
        ";\n",
        "/",
        "/*",
        "//\n",
        "///\n",
        "model ",
        "model M{",
        "model M{}\n",
        "model M(",
        "input ",
        "input a:[1]\n",
        "output a\n",
        "relu\n",
        "1",
        "1+",
        "1,",
        "é",
        "\u{a0}",
        "\"",
        "\r",
        "\t",
        "a=",
        "conv(-",
        "conv(1,\n",
        "dense(4)->\n",
        "|",
        "repeat 2 {",
        "block b{}",
        "x: relu ",
    ];
    let mut texts: Vec<(String, String)> = Vec::new();
    for unit in units {
        texts.push((format!("{unit:?} bare"), repeated(unit)));
        texts.push((format!("{unit:?} in a body"), body(&repeated(unit))));
        texts.push((format!("{unit:?} in a call"), body(&format!("dense({})", repeated(unit)))));
        texts.push((format!("{unit:?} as parameters"), format!("model M({}) {{}}", repeated(unit))));
    }
    texts.push(("minus signs".into(), body(&format!("dense({}1)", repeated("-")))));
    texts.push(("a long sum".into(), body(&format!("dense(1{})", "+1".repeat(30_000)))));
    texts.push(("a long product".into(), body(&format!("dense(1{})", "*1+1".repeat(15_000)))));
    texts.push(("a long list".into(), body(&format!("dense([1{}])", ",1".repeat(30_000)))));
    texts.push(("deep brackets".into(), body(&format!("dense({}1{})", "(".repeat(126), ")".repeat(126)))));
    texts.push(("deep types".into(), format!("model M(a: {}int{} = 1) {{}}", "[".repeat(126), "]".repeat(126))));
    texts.push(("a long name".into(), body(&repeated("a"))));
    texts
}

fn compile_text(text: &str) -> (Sources, Compilation) {
    let sources = Sources::new("hostile.cnn", text);
    let compilation = compile(&sources, &Settings::default());
    (sources, compilation)
}

#[test]
fn hostile_texts_are_refused_in_bounded_time() {
    let print = std::env::var_os("CNN_PRINT_TIMES").is_some();
    for (name, text) in hostile_texts() {
        let start = Instant::now();
        let (sources, compilation) = compile_text(&text);
        let compiled = start.elapsed();
        let rendered = render(&compilation.diagnostics, &sources, Style::Plain);
        let total = start.elapsed();
        if print {
            println!(
                "{:>9.3} ms, rendered {:>9.3} ms ({} bytes): {name}",
                compiled.as_secs_f64() * 1e3,
                (total - compiled).as_secs_f64() * 1e3,
                rendered.len()
            );
        }
        assert!(compilation.diagnostics.len() <= 101, "{name}: {} diagnostics", compilation.diagnostics.len());
        assert!(total < LIMIT, "{name} took {total:?}");
    }
}

#[test]
fn the_deepest_nesting_fits_a_small_stack() {
    let text = body(&format!("dense({}1{})", "(".repeat(126), ")".repeat(126)));
    let run = move || compile_text(&text).1.diagnostics.len();
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap();
    assert_eq!(thread.join().unwrap(), 0);
}

#[test]
fn the_most_layers_are_100_000() {
    let (_, compilation) = compile_text(&body(&"relu ".repeat(99_999)));
    assert_eq!(compilation.diagnostics, []);
    assert_eq!(compilation.models[0].layers.len(), 99_999);
    let (_, compilation) = compile_text(&body(&"relu ".repeat(100_001)));
    assert_eq!(compilation.diagnostics.len(), 1);
    assert_eq!(compilation.diagnostics[0].code.name, "cnn::too_large");
}

#[test]
fn errors_beyond_a_hundred_are_left_out() {
    let (sources, compilation) = compile_text(&body(&";\n".repeat(1000)));
    assert_eq!(compilation.diagnostics.len(), 101);
    let (_, compilation) = compile_text(&body(&"rleu\n".repeat(1000)));
    assert_eq!(compilation.diagnostics.len(), 101);
    assert_eq!(compilation.diagnostics[100].code.name, "cnn::too_many_errors");
    assert!(to_json(&compilation.diagnostics[100], &sources).contains("too many errors"));
}
