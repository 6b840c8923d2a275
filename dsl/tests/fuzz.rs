//! Any text at all: no panic, places within the text, nothing that cannot be shown.

use cnn_dsl::{Settings, Sources, Style, compile, render, to_json};
use proptest::prelude::*;

/// What must hold for any bytes.
fn check(bytes: Vec<u8>) {
    let (sources, mut diagnostics) = Sources::from_bytes("any.cnn", bytes);
    let compilation = compile(&sources, &Settings::default());
    assert!(compilation.models.len() <= compilation.outlines.len());
    diagnostics.extend(compilation.diagnostics);
    let text = sources.text(0);
    for diagnostic in &diagnostics {
        let edits = diagnostic.help.iter().filter_map(|help| help.edit.as_ref()).map(|edit| edit.span);
        for span in diagnostic.labels.iter().map(|label| label.span).chain(edits) {
            let place = text.get(span.start as usize..span.end as usize);
            assert!(span.source == 0 && place.is_some(), "{span:?} in {text:?}: {diagnostic:?}");
        }
        assert!(!diagnostic.message.is_empty() && !diagnostic.message.contains('\n'), "{diagnostic:?}");
        assert!(!to_json(diagnostic, &sources).is_empty());
    }
    render(&diagnostics, &sources, Style::Plain);
    render(&diagnostics, &sources, Style::Color);
    for model in compilation.models {
        assert!(model.validate().is_ok());
    }
}

/// The language's own words and signs, and some that are not.
const TOKENS: &[&str] = &[
    "model",
    "M",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    "->",
    "-",
    "+",
    "*",
    "/",
    "%",
    ".",
    "|",
    ";",
    "==",
    "//",
    "///",
    "\n",
    "\r\n",
    "\t",
    "input",
    "output",
    "block",
    "repeat",
    "if",
    "for",
    "in",
    "train",
    "use",
    "true",
    "false",
    "int",
    "float",
    "shape",
    "x",
    "classes",
    "c1",
    "same",
    "conv",
    "dense",
    "relu",
    "flatten",
    "max_pool",
    "avg_pool",
    "softmax",
    "dropout",
    "global_avg_pool",
    "kernel",
    "padding",
    "stride",
    "groups",
    "0",
    "1",
    "2",
    "3",
    "28",
    "0.5",
    "1e9",
    "99999999999999999999",
    "9223372036854775807",
    "é",
    "漢",
    "\u{feff}",
    "\u{a0}",
    "\u{202e}",
    "\u{1b}",
    "\"",
    "#",
    "self",
    "_",
    "5x",
    "input x: [1, 8, 8]",
    "model M { input x: [3, 8, 8]",
    "conv(4, 3)",
    "a: dense(2)",
    "output y",
    "(n: int = 3)",
    "add { |",
    "concat { | relu |",
    "| relu",
    "repeat 2 {",
    "repeat n {",
    "for i in 0..3 {",
    "for (i, j) in [(1, 2), (3, 4)] {",
    "if n > 2 {",
    "} else {",
    "if n == 2 { 3 } else { 4 }",
    "in.channels",
    "block b(f: layer = relu) {",
    "block c { b }",
    "b(f = b)",
    "c",
    "f",
    "i",
    "assert params < 3k",
    "assert shape == [3, 8, 8]",
    "x{n}:",
    "concat(x{n})",
    "..",
    ".0",
    "min(1, 2)",
    "len([1, 2])",
    "and",
    "or",
    "not",
    "<",
    "model P = M(n = 2)",
    "share",
    "identity",
    "train {",
    "train { loss: mse + 0.5 * cross_entropy(output = y)",
    "transforms: random_crop(28, padding = (4, 4)) -> horizontal_flip",
    "schedule: warmup(5) -> cosine(total = n)",
    "data: mnist(\"folder\")",
    "optimizer: adam(betas = (0.9, 0.999))",
    "epochs: n",
    "rate:",
    "init = kaiming_normal(mode = fan_out)",
    "if n > 2 { sgd(0.9) } else { adam }",
];

fn token_soup() -> impl Strategy<Value = String> {
    let separator = prop_oneof![4 => Just(" "), 1 => Just(""), 1 => Just("\n")];
    let token = (0..TOKENS.len()).prop_map(|index| TOKENS[index]);
    prop::collection::vec((token, separator), 0..60)
        .prop_map(|tokens| tokens.into_iter().flat_map(|(token, separator)| [token, separator]).collect())
}

/// A block, a loop, branches and a preset.
const BLOCKS: &str = "block basic(channels: int, stride: int = 1, act: layer = relu) {\n    add {\n        | conv1: \
    conv(channels, 3, stride = stride, padding = 1) -> act\n        | if stride != 1 or in.channels != channels { \
    down: { conv(channels, 1, stride = stride) } }\n    }\n}\nmodel Net(stages: [(int, int)]) {\n    input x: [3, 16, 16]\n    \
    for (c, n) in stages { layer{c}: { repeat n { basic(c, min(n, 2)) } } }\n    stem: basic(8) -> concat(stem, dim = 1)\n    \
    assert shape.0 == 16 assert params < 1M\n}\nmodel Small = Net(stages = [(4, 1), (8, 2)])\n";

/// Every setting of `train`.
const TRAINED: &str = "model T(n: int = 2) {\n    input x: [1, 8, 8]\n    conv(2, 3, init = kaiming_normal(mode = fan_out)) -> \
    flatten -> dense(3)\n    output y\n    train {\n        data: mnist(\"a b\")\n        transforms: resize((8, 8)) -> \
    horizontal_flip // é\n        validation: 0.1\n        loss: mse + 0.5 * n * l1(output = y)\n        optimizer: if n > 1 \
    { sgd(0.9, nesterov = true) } else { adam }\n        rate: 1e-3 * n\n        schedule: warmup(5) -> step(3, 0.1)\n        \
    weight_decay: 5e-4\n        clip: norm(1.0)\n        batch: 8 accumulate: 2 drop_last: true epochs: 3 early_stopping: 1\n        init: \
    pytorch seed: 0\n    }\n}\n";

/// A valid model with something put in, taken out or doubled.
fn damaged_model() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![damaged(MODEL), damaged(BLOCKS), damaged(TRAINED)]
}

const MODEL: &str = "/// Doc\nmodel LeNet(classes: int = 10, p: float = 0.5) {\n    input image: [1, 28, 28] // é\n    c1: conv(6, \
        kernel = 5, padding = (2, 2)) -> sigmoid -> avg_pool(2)\n    c2: conv(16, kernel = 5 * 1) -> sigmoid\n    flatten -> \
        dropout(p)\n    output features = c2\n    dense(classes)\n    output logits\n}\n";

fn damaged(model: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let token = (0..TOKENS.len()).prop_map(|index| TOKENS[index].as_bytes().to_vec());
    (0..model.len(), 0..20usize, prop_oneof![token, prop::collection::vec(any::<u8>(), 0..4)]).prop_map(
        |(at, length, new)| {
            let mut bytes = model.as_bytes().to_vec();
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, new);
            bytes
        },
    )
}

/// What is damaged is sound at first.
#[test]
fn damage_begins_with_sound_models() {
    for model in [MODEL, BLOCKS, TRAINED] {
        let compilation = compile(&Sources::new("any.cnn", model), &Settings::default());
        assert_eq!(compilation.diagnostics, [], "{model}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(bytes);
    }

    #[test]
    fn any_characters(text in any::<String>()) {
        check(text.into_bytes());
    }

    #[test]
    fn any_tokens(text in token_soup()) {
        check(text.into_bytes());
    }

    #[test]
    fn any_body(text in token_soup()) {
        check(format!("model M(n: int = 3) {{ input x: [3, 8, 8]\n{text}\n}}").into_bytes());
    }

    #[test]
    fn any_training(text in token_soup()) {
        let model = format!("model M(n: int = 3) {{ input x: [3, 8, 8] flatten -> dense(2) output y train {{\n{text}\n}} }}");
        check(model.into_bytes());
    }

    #[test]
    fn any_block(text in token_soup()) {
        check(format!("block b(n: int, f: layer = relu) {{\n{text}\n}}\nmodel M {{ input x: [3, 8, 8] b(2) b(3, b) }}").into_bytes());
    }

    #[test]
    fn any_damage(bytes in damaged_model()) {
        check(bytes);
    }

    #[test]
    fn any_setting(texts in prop::collection::vec(any::<String>(), 0..3)) {
        let _ = Settings::parse(&texts);
        let _ = Settings::parse(&texts.iter().map(|text| format!("n={text}")).collect::<Vec<_>>());
    }
}
