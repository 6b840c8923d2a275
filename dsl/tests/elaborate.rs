//! What models become: the calls on a builder, every option of every op, names, settings and defaults.

#![allow(clippy::unwrap_used)]

use cnn_dsl::{Compilation, Settings, Sources, Style, compile, render};
use cnn_ir::{Network, TraceBuilder};

fn compile_with(text: &str, settings: &[&str]) -> Compilation {
    let settings: Vec<String> = settings.iter().map(|&setting| setting.into()).collect();
    let sources = Sources::new("test.cnn", text);
    let compilation = compile(&sources, &Settings::parse(&settings).unwrap());
    assert!(!compilation.has_errors(), "{}", render(&compilation.diagnostics, &sources, Style::Plain));
    compilation
}

fn network(text: &str) -> Network {
    compile_with(text, &[]).models.remove(0)
}

fn trace(network: &Network) -> String {
    let mut trace = TraceBuilder::new();
    network.replay(&mut trace).unwrap();
    trace.text().to_owned()
}

/// The output's shape of one layer on a map of `channels`×`height`×`width`.
fn shape_of(layer: &str, input: &str) -> String {
    network(&format!("model M {{ input x: {input} {layer} }}")).layers[0].shape.to_string()
}

const LENET: &str = include_str!("../../models/lenet.cnn");

#[test]
fn lenet() {
    let network = network(LENET);
    insta::assert_snapshot!(trace(&network));
    assert_eq!(network.cost().params, 61_706);
    assert!(
        network.doc().starts_with("LeNet-5 (LeCun et al.") && network.doc().lines().count() == 2,
        "{}",
        network.doc()
    );
    let parameters: Vec<String> = network.parameters().into_iter().map(|parameter| parameter.name).collect();
    let layers = ["c1", "c2", "f1", "f2", "f3"];
    let expected: Vec<String> =
        layers.iter().flat_map(|layer| [format!("{layer}.weight"), format!("{layer}.bias")]).collect();
    assert_eq!(parameters, expected);
}

#[test]
fn lenet_on_one_line_is_the_same() {
    // As the tokens of a macro would be: no line ends, no comments.
    let lines = LENET.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    let line = lines.collect::<Vec<_>>().join(" ");
    assert!(!line.contains('\n'));
    assert_eq!(trace(&network(&line)), trace(&network(LENET)));
    assert_eq!(trace(&network(&line.replace(' ', " \r\n\t"))), trace(&network(LENET)));
}

#[test]
fn every_option() {
    let text = "model Options {
        input image: [4, 33, 17]
        conv(8, 3)
        conv(channels = 8, kernel = (3, 5), stride = (1, 2), padding = (0, 1, 2, 3), dilation = (2, 1), groups = 4, bias = false)
        conv(8, 3, 1, same, 2, 8, true)
        conv(8, (4, 3), padding = same_tf, stride = 2)
        conv(8, 3, padding = valid)
        conv(8, 1, padding = (3, 4))
        max_pool(3, stride = 2, padding = 1, dilation = 1, ceil_mode = true)
        max_pool((2, 1), 1)
        avg_pool(3, stride = (1, 1), padding = (1, 1), ceil_mode = true, count_include_pad = false, divisor_override = 5)
        avg_pool(2, padding = same_tf)
        relu sigmoid tanh
        softmax -> softmax(dim = -1) -> softmax(2)
        dropout -> dropout(0.25) -> dropout(p = 1)
        flatten(start_dim = 2, end_dim = -1)
        flatten
        dense(7) -> dense(features = 5, bias = false)
    }
    model Global { input image: [4, 33, 17] global_avg_pool }";
    let models = compile_with(text, &[]).models;
    insta::assert_snapshot!(models.iter().map(trace).collect::<String>());
}

/// The shape lines of the reference table, with PyTorch's rule ⌊(n + 2p − d(k−1) − 1)/s⌋ + 1.
#[test]
fn shapes_anyone_can_check() {
    for (layer, input, output) in [
        ("conv(1, 2)", "[1, 3, 3]", "1×2×2"),
        ("conv(3, 2)", "[2, 3, 3]", "3×2×2"),
        ("conv(2, 1)", "[3, 3, 3]", "2×3×3"),
        ("conv(1, (1, 2))", "[1, 6, 8]", "1×6×7"),
        ("conv(1, 3, padding = 1)", "[1, 8, 8]", "1×8×8"),
        ("conv(1, (5, 3), padding = (2, 1))", "[1, 8, 8]", "1×8×8"),
        ("conv(1, 3, padding = 1, stride = 2)", "[1, 8, 8]", "1×4×4"),
        ("conv(1, (3, 5), padding = (0, 1), stride = (3, 4))", "[1, 8, 8]", "1×2×2"),
        ("max_pool(2, stride = 1)", "[1, 3, 3]", "1×2×2"),
        ("avg_pool(2, stride = 1)", "[1, 3, 3]", "1×2×2"),
        ("max_pool(3)", "[1, 4, 4]", "1×1×1"),
        ("max_pool(3, padding = 1, stride = 2)", "[1, 4, 4]", "1×2×2"),
        ("max_pool((2, 3), padding = (1, 1), stride = (2, 3))", "[1, 4, 4]", "1×3×2"),
        ("max_pool(3, padding = 1, stride = (2, 1))", "[2, 4, 4]", "2×2×4"),
        ("max_pool(2, ceil_mode = true)", "[1, 5, 5]", "1×3×3"),
        ("max_pool(2)", "[1, 5, 5]", "1×2×2"),
        ("conv(4, 3, dilation = 2)", "[1, 9, 9]", "4×5×5"),
        ("conv(4, 5, padding = same)", "[1, 9, 7]", "4×9×7"),
        ("conv(4, 5, padding = same_tf, stride = 2)", "[1, 9, 7]", "4×5×4"),
        ("flatten", "[16, 5, 5]", "400"),
        ("flatten(2)", "[16, 5, 5]", "16×25"),
        ("global_avg_pool", "[16, 5, 5]", "16×1×1"),
        ("dense(10)", "[84]", "10"),
    ] {
        assert_eq!(shape_of(layer, input), output, "{layer} on {input}");
    }
}

#[test]
fn names_are_labels_or_positions() {
    let network = network("model M { input x: [4] a: dense(3) -> relu dense(2) b: relu }");
    let names: Vec<(&str, bool)> = network.layers.iter().map(|layer| (layer.name.as_str(), layer.labelled)).collect();
    assert_eq!(names, [("a", true), ("1", false), ("2", false), ("b", true)]);
}

#[test]
fn outputs_name_values() {
    let network =
        network("model M { input x: [4] a: dense(3) output early b: relu dense(2) output late output again = a }");
    let outputs: Vec<(&str, usize)> = network.outputs.iter().map(|o| (o.name.as_str(), o.value.index())).collect();
    assert_eq!(outputs, [("early", 1), ("late", 3), ("again", 1)]);
}

#[test]
fn without_an_output_the_last_value_is_one() {
    let network = network("model M { input x: [4] relu dense(3) }");
    assert_eq!((network.outputs[0].name.as_str(), network.outputs[0].value.index()), ("output", 2));
}

#[test]
fn settings_replace_defaults() {
    let text =
        "model M(n: int, p: float = 0.5, b: bool = true, s: shape = [4], k: (int, int) = (1, 2), l: [int] = [1]) {
        input x: s
        dense(n * 2, bias = b) dropout(p)
    }";
    let model = compile_with(text, &["n=5", "p=1", " b = false", "s=[6,]"]).models.remove(0);
    insta::assert_snapshot!(trace(&model));
    for wrong in ["n", "n=", "n=x", "n=1 2", "n=1/0", "n=)", "n=model M {}", "n=((((", "n=1;"] {
        let error = Settings::parse(&[wrong.into()]).unwrap_err();
        assert!(!error.contains('\n') && error.contains("write"), "{wrong}: {error}");
    }
    assert!(Settings::parse(&["n=1".into(), "n=2".into()]).unwrap_err().contains("twice"));
}

#[test]
fn arithmetic_is_pythons() {
    for (expression, value) in [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 2 - 3", 5),
        ("100 / 10 / 2", 5),
        ("7 / 2", 3),
        ("2 + 7 % 4 * 2 - 1", 7),
        ("5 + -7 / 2", 1),
        ("-(-7) / 2", 3),
        ("9 + -7 % 5", 12),
        ("7 % -5 + 9", 6),
        ("--3", 3),
        ("- - -3 + 4", 1),
        ("1_000 / 1_0", 100),
        ("n * n", 9),
        ("-n + 4", 1),
        ("1 + 2 // a comment\n + 3", 6),
    ] {
        let model = network(&format!("model M(n: int = 3) {{ input x: [4] dense({expression} + 0 * n) }}"));
        assert_eq!(model.layers[0].shape.to_string(), value.to_string(), "{expression}");
    }
}

#[test]
fn outlines_are_known_despite_errors() {
    let text =
        "model A { input x: [4] rleu output y } model B { input x: [4 } model C(n int) { input z: [1] output w = q }";
    let compilation = compile(&Sources::new("test.cnn", text), &Settings::default());
    let outlines: Vec<String> =
        compilation.outlines.iter().map(|o| format!("{}({:?}) -> {:?}", o.name, o.inputs, o.outputs)).collect();
    assert_eq!(outlines, [r#"A(["x"]) -> ["y"]"#, "B([]) -> []", r#"C(["z"]) -> ["w"]"#]);
    assert!(compilation.models.is_empty());
}

#[test]
fn good_models_survive_bad_ones() {
    let text = "model A { rleu } model B { input x: [4] relu } model C {";
    let compilation = compile(&Sources::new("test.cnn", text), &Settings::default());
    assert_eq!(compilation.models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>(), ["B"]);
}

/// The names of all layers, with their blocks'.
fn paths(body: &str) -> Vec<String> {
    let network = network(&format!("block two {{ relu -> tanh }} model M {{ input x: [4, 8, 8] {body} }}"));
    (0..network.layers.len()).map(|layer| network.path(layer)).collect()
}

#[test]
fn positions_count_as_in_a_sequential() {
    assert_eq!(paths("relu a: relu relu"), ["0", "a", "2"]);
    // Blocks and groups are sequences of their own.
    assert_eq!(
        paths("two a: two { relu two } b: { relu }"),
        ["0.0", "0.1", "a.0", "a.1", "2.0", "2.1.0", "2.1.1", "b.0"]
    );
    // Loops and conditions count on, as if they were written out.
    assert_eq!(paths("relu repeat 2 { relu tanh } relu"), ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(paths("for i in 1..3 { a{i}: relu  b{2 * i}: { relu } } relu"), ["a1", "b2.0", "a2", "b4.0", "4"]);
    assert_eq!(paths("if true { relu } else { tanh tanh } if false { relu } relu"), ["0", "1"]);
    assert_eq!(paths("a: repeat 2 { relu } relu"), ["a.0", "a.1", "1"]);
    // So do branches; the join comes after them.
    assert_eq!(paths("add { | relu tanh | a: relu | } relu"), ["0", "1", "a", "3", "4"]);
    assert_eq!(paths("s: add { | relu | tanh } t: { mul { | | relu } }"), ["0", "1", "s", "t.0", "t.1"]);
    // The name of a value is no step.
    assert_eq!(paths("a: relu tanh -> add(a) a -> relu -> x -> concat(a, x)"), ["a", "1", "2", "3", "4"]);
}

#[test]
fn an_empty_block_is_the_identity() {
    let network = network("block none {} model M { input x: [4] none a: none b: {} repeat 0 { relu } relu }");
    assert_eq!((network.blocks.len(), network.path(0)), (1, "3".to_owned()));
}

#[test]
fn values_of_the_language() {
    for (expression, value) in [
        ("min(4, 3, 5)", 3),
        ("max(1, n)", 3),
        ("ceil_div(7, 2) + ceil_div(-7, 2) + ceil_div(8, 2)", 5),
        ("len([1, 2, 3])", 3),
        ("pair.0 + pair.1.1", 7),
        ("[7, 8].1", 8),
        ("if n == 3 { 5 } else { 6 }", 5),
        ("if n < 3 { 1 } else if n >= 3 and not n != 3 { 2 } else { 3 }", 2),
        ("if n > 3 or 2 <= n { 1 } else { 2 }", 1),
        ("if pair == (1, (5, 6)) { 1 } else { 2 }", 1),
        ("if n < 3.5 { 1 } else { 2 }", 1),
        ("if 1 == 2 and in.nothing { 1 } else { 2 }", 2),
        ("2 * in.channels + in.height", 16),
        ("1 + if true { 2 } else { 3 } * 4", 9),
    ] {
        let text = format!(
            "model M(n: int = 3, pair: (int, (int, int)) = (1, (5, 6))) {{
                input x: [4, 8, 9] conv({expression} + 0 * n * pair.0, 1) }}"
        );
        assert_eq!(network(&text.replace("in.nothing", "in.width > 3")).layers[0].shape[0], value, "{expression}");
    }
}

#[test]
fn layers_are_values() {
    let text = "block twice(f: layer, g: layer = relu) { f -> g -> f }
        block wrap(f: layer) { f(3, padding = same) }
        model M {
            input x: [4, 8, 8]
            twice(dropout(0.25))
            twice(twice(relu), tanh)
            twice(f = conv(2, kernel = 1), g = wrap(conv(5)))
        }";
    insta::assert_snapshot!(trace(&network(text)));
}

/// The design's examples.
#[test]
fn blocks_branches_and_presets() {
    let text = "
        block vgg_block(channels: int, convs: int) {
            repeat convs { conv(channels, kernel = 3, padding = same) -> relu }
            max_pool(2)
        }
        model Vgg(stages: [(int, int)], classes: int = 10) {
            input image: [1, 224, 224]                     // channels first; the batch is implicit and symbolic
            for (channels, convs) in stages { vgg_block(channels, convs) }
            flatten
            repeat 2 { dense(4096) -> relu -> dropout(0.5) }
            dense(classes)
            output logits                                  // optional: names the last value
            assert params < 130M
        }
        model Vgg11 = Vgg(stages = [(64, 1), (128, 1), (256, 2), (512, 2), (512, 2)])
        block conv_relu(channels: int, kernel: int) { conv(channels, kernel, padding = kernel / 2) -> relu }
        block inception(c1: int, c2: (int, int), c3: (int, int), c4: int) {
            concat {
                | conv_relu(c1, 1)
                | conv_relu(c2.0, 1) -> conv_relu(c2.1, 3)
                | conv_relu(c3.0, 1) -> conv_relu(c3.1, 5)
                | max_pool(3, stride = 1, padding = 1) -> conv_relu(c4, 1)
            }
        }
        block dense_layer(growth: int) { concat { | identity | batch_norm -> relu -> conv(growth, 3, padding = 1) } }
        block excite(ratio: int) {
            mul {
                |
                | global_avg_pool -> conv(in.channels / ratio, 1) -> relu -> conv(in.channels, 1) -> sigmoid
            }
        }
        model Mixed {
            input image: [3, 8, 8]
            inception(2, (3, 4), (5, 6), 7)
            growing: dense_layer(5)
            excite(4)
        }";
    let models = compile_with(text, &[]).models;
    assert_eq!(models.iter().map(|model| model.cost().params).collect::<Vec<_>>()[0], 128_806_154);
    insta::assert_snapshot!(models.iter().map(trace).collect::<String>());
}

#[test]
fn inputs_and_outputs_by_name() {
    let text = "model M {
        input image: [3, 8, 8]
        input depth: [1, 8, 8]
        conv(4, 3, padding = 1)
        both: concat { | | depth -> conv(2, 1) }
        repeat 2 { relu }
        output features
        for i in 0..2 { head{i}: { both -> flatten -> dense(i + 1) } }
        add { | head0 -> dense(2) | head1 }
        output logits
        output small = head0
    }";
    insta::assert_snapshot!(trace(&network(text)));
}

#[test]
fn settings_reach_presets() {
    let text = "model Base(n: int, m: int = 2) { input x: [4] dense(n) dense(m) } model A = Base(n = 3) model B = Base(n = 4, m = 5)";
    let shapes = |settings: &[&str]| {
        let models = compile_with(text, settings).models;
        models
            .iter()
            .map(|m| format!("{}{:?}", m.name, m.layers.iter().map(|l| l.shape[0]).collect::<Vec<_>>()))
            .collect::<Vec<_>>()
    };
    assert_eq!(shapes(&[]), ["A[3, 2]", "B[4, 5]"]);
    // With all its values, the template is a model as well.
    assert_eq!(shapes(&["n=7", "m=8"]), ["Base[7, 8]", "A[7, 8]", "B[7, 8]"]);
}

/// What each layer takes, by position among the values.
fn inputs(network: &Network) -> Vec<Vec<usize>> {
    let layers = network.layers.iter();
    layers.map(|layer| layer.inputs.iter().map(|value| value.index()).collect()).collect()
}

#[test]
fn what_is_shared_takes_the_value_before_it_and_keeps_what_it_names() {
    let network = network(
        "model M {
            input x: [3, 4, 4]
            stem: relu
            g: { conv(3, 1) -> add(stem) }
            tanh
            share g
            h: { stem -> a: conv(3, 1) -> share a }
            j: add(stem)
            k: share j
            share k
            tanh -> i: { share h }
            share i
        }",
    );
    // x; stem; g; tanh; share g; h: its convolution on the stem, and again; j, k and share k; tanh; share h, and again.
    let expected: &[&[usize]] = &[
        &[0],
        &[1],
        &[2, 1],
        &[3],
        &[4],
        &[5, 1],
        &[1],
        &[7],
        &[8, 1],
        &[9, 1],
        &[10, 1],
        &[11],
        &[1],
        &[13],
        &[1],
        &[15],
    ];
    assert_eq!(inputs(&network), expected);
    let owners: Vec<usize> = (0..network.layers.len()).map(|layer| network.owner(layer)).collect();
    assert_eq!(owners, [0, 1, 2, 3, 1, 2, 6, 6, 8, 8, 8, 11, 6, 6, 6, 6]);
}
