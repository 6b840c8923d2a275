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
        texts.push((format!("{unit:?} in `train`"), body(&format!("dense(2) train {{ {} }}", repeated(unit)))));
        texts.push((format!("{unit:?} in a call"), body(&format!("dense({})", repeated(unit)))));
        texts.push((format!("{unit:?} as parameters"), format!("model M({}) {{}}", repeated(unit))));
    }
    texts.push(("minus signs".into(), body(&format!("dense({}1)", repeated("-")))));
    texts.push(("a long sum".into(), body(&format!("dense(1{})", "+1".repeat(30_000)))));
    texts.push(("a long product".into(), body(&format!("dense(1{})", "*1+1".repeat(15_000)))));
    for value in ["seed: 1\n", "loss: mse\n", "a: b", "schedule: a -> ", "loss: 1 * ", "loss: l1(output = x) + "] {
        texts.push((format!("{value:?} in `train`"), body(&format!("dense(2) train {{ {} }}", repeated(value)))));
        let (key, part) = value.split_once(": ").unwrap_or_default();
        let long = part.repeat(60_000 / part.len());
        texts.push((
            format!("a long {key} of {part:?}"),
            body(&format!("dense(2) train {{ {key}: {long} l1(l1 = 1) }}")),
        ));
    }
    texts.push(("a long list".into(), body(&format!("dense([1{}])", ",1".repeat(30_000)))));
    texts.push(("deep brackets".into(), body(&format!("dense({}1{})", "(".repeat(126), ")".repeat(126)))));
    texts.push(("deep types".into(), format!("model M(a: {}int{} = 1) {{}}", "[".repeat(126), "]".repeat(126))));
    for unit in ["add{|", "{", "repeat 2 {", "if true {", "for i in 0..2 {", "a:{", "add{|repeat 2{", "a{"] {
        let depth = 126 / unit.matches('{').count();
        let closing = "}".repeat(unit.matches('{').count() * depth);
        texts.push((format!("deep {unit:?}"), body(&format!("{}relu{closing}", unit.repeat(depth)))));
    }
    texts.push(("a long chain of else".into(), body(&"if false {} else ".repeat(SIZE / 20))));
    let else_if = "if false { 1 } else ".repeat(2_000);
    texts.push(("a long chain of else in a value".into(), body(&format!("dense({else_if} {{ 2 }})"))));
    texts.push(("a long conjunction".into(), body(&format!("if true{} {{ }}", " and true".repeat(5_000)))));
    texts.push(("many parameters".into(), format!("model M({}) {{}}", "a: int = 1, ".repeat(4_000))));
    texts.push(("many blocks".into(), numbered(20_000, |i| format!("block b{i} {{ b{} }}\n", i + 1))));
    texts.push(("a cycle of many blocks".into(), numbered(20_000, |i| format!("block b{i} {{ b{} b0 }}\n", i + 1))));
    texts.push(("many presets".into(), format!("{}model M {{}}", numbered(5_000, |i| format!("model P{i} = M\n")))));
    texts.extend(exploding_texts());
    texts.push(("a long name".into(), body(&repeated("a"))));
    texts
}

fn numbered(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// Small texts that would become large networks, values or amounts of work.
fn exploding_texts() -> Vec<(String, String)> {
    let nested = |head: &str, inner: &str| body(&format!("{}{inner}{}", head.repeat(20), "}".repeat(20)));
    let doubling = |last: &str| {
        let blocks = numbered(40, |i| format!("block b{i} {{ b{next} b{next} }}\n", next = i + 1));
        format!("{blocks}block b40 {{ {last} }}\n{}", body("b0"))
    };
    let halves = numbered(40, |i| format!("block b{i} {{ if true {{ b{next} b{next} }} }}\n", next = i + 1));
    let conditional = format!("{halves}block b40 {{ relu }}\n{}", body("b0"));
    let lists = |n: usize| {
        let types = |i: usize| format!("{}int{}", "[".repeat(i), "]".repeat(i));
        let params = numbered(n, |i| format!("a{}: {} = [a{i}, a{i}], ", i + 1, types(i + 1)));
        format!("model M(a0: int = 1, {params}) {{ input x: [4] relu }}")
    };
    let presets = format!(
        "model M(n: int) {{ input x: [4] repeat n {{ relu }} }}\n{}",
        numbered(1_000, |i| format!("model P{i} = M(n = 99_999)\n"))
    );
    [
        ("a trillion layers", body("repeat 1000000000000 { relu }")),
        ("a trillion calculated layers", body("repeat 1000000 * 1000000 { relu }")),
        ("20 nested loops", nested("repeat 100 {", "relu")),
        ("20 nested calculated loops", nested("repeat 10 * 10 {", "relu")),
        ("20 nested loops over nothing", nested("repeat 10 * 10 {", "")),
        ("20 nested ranges", nested("for i in 0..100 {", "relu")),
        ("20 nested groups of loops", nested("a: repeat 100 {", "relu")),
        ("a long range", body("for i in 0..9223372036854775807 { relu }")),
        ("2^40 layers by blocks", doubling("relu")),
        ("2^40 empty blocks", doubling("")),
        ("2^40 conditional layers", doubling("if false { relu }")),
        ("2^40 layers under conditions", conditional),
        ("a block that doubles itself", "block a(f: layer) { f(f) f(f) } model M { input x: [4] a(a) }".into()),
        ("2^60 values", lists(60)),
        ("work without layers", body(&format!("repeat 100_000 {{ if {}true {{ }} }}", "true and ".repeat(6_000)))),
        ("errors in a loop", body("repeat 100000 - 1 { rleu }")),
        ("long layer names", body("for i in 0..99999 { a{i}: relu }")),
        ("many presets of a large model", presets),
        ("a long chain of presets", numbered(5_000, |i| format!("model P{i} = P{}\n", i + 1))),
        ("a long circle of presets", numbered(5_000, |i| format!("model P{i} = P{}\n", (i + 1) % 5_000))),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into()
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

/// What is too large is refused by counting, before it is expanded.
#[test]
fn explosions_are_refused_before_they_happen() {
    for (name, text) in exploding_texts().into_iter().take(9) {
        let start = Instant::now();
        let (_, compilation) = compile_text(&text);
        let codes: Vec<&str> = compilation.diagnostics.iter().map(|diagnostic| diagnostic.code.name).collect();
        assert_eq!(codes, ["cnn::too_large"], "{name}: {:?}", compilation.diagnostics);
        assert!(start.elapsed() < Duration::from_millis(100), "{name} took {:?}", start.elapsed());
    }
}

#[test]
fn the_deepest_nesting_fits_a_small_stack() {
    let groups = |unit: &str| body(&format!("{}relu{}", unit.repeat(126), "}".repeat(126)));
    let texts = [
        body(&format!("dense({}1{})", "(".repeat(126), ")".repeat(126))),
        groups("{"),
        groups("a: {"),
        groups("add { | relu |"),
        groups("repeat 1 {"),
        groups("if true {"),
        format!("{}block b120 {{}}\n{}", numbered(120, |i| format!("block b{i} {{ b{} }}", i + 1)), body("b0 -> relu")),
    ];
    for text in texts {
        let run = move || compile_text(&text).1.diagnostics;
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap();
        assert_eq!(thread.join().unwrap(), []);
    }
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
