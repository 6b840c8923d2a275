//! `train { … }` and `init`: what the trainer reads, and that nothing else changes.

#![allow(clippy::unwrap_used)]

use cnn_dsl::{Settings, Sources, Style, TRAIN_SETTINGS, compile, render};
use cnn_ir::{Network, TraceBuilder};

fn models(text: &str) -> Vec<Network> {
    let sources = Sources::new("test.cnn", text);
    let compilation = compile(&sources, &Settings::default());
    assert_eq!(render(&compilation.diagnostics, &sources, Style::Plain), "");
    compilation.models
}

fn trace(network: &Network) -> String {
    let mut trace = TraceBuilder::new();
    network.replay(&mut trace).unwrap();
    trace.text().to_owned()
}

const BODY: &str = "input x: [4]\n train_only { dense(2) output aux }\n dense(3, bias = wide)\n output y";

/// A model with this section and the parameters `wide`, `rate`, `epochs` and `betas`.
fn model(section: &str) -> String {
    let parameters = "wide: bool = true, rate: float = 0.5, epochs: int = 3, betas: (float, float) = (0.5, 0.75)";
    // What a section leaves out is used here, so that nothing is unused.
    format!("model M({parameters}) {{ {BODY} assert rate > 0 and epochs > 0 and betas.0 < 1 {section} }}")
}

/// What is written, and what the trainer reads.
const SETTINGS: &[(&str, &str)] = &[
    ("data: fashion_mnist", "fashion_mnist"),
    ("data: mnist(\"data/it's here\")", "mnist(\"data/it's here\")"),
    ("data: cifar100(\"c\", labels = coarse)", "cifar100(\"c\", labels = coarse)"),
    ("data: if wide { folder(\"wide // photos\") } else { fashion_mnist }", "folder(\"wide // photos\")"),
    ("transforms: random_crop(28, padding = 4)", "random_crop(28, padding = 4)"),
    (
        "transforms: resize((32, 2 * 16), interpolation = nearest)\n -> horizontal_flip()->normalize([0.5], [1e-3])",
        "resize([32, 32], interpolation = nearest) -> horizontal_flip -> normalize([0.5], [0.001])",
    ),
    ("validation: 0.1", "0.1"),
    ("validation: 0", "0"),
    ("loss: cross_entropy", "cross_entropy"),
    ("loss: cross_entropy(label_smoothing = 1 - 0.5)", "cross_entropy(label_smoothing = 0.5)"),
    ("loss: cross_entropy(weight = [1, 2, 3])", "cross_entropy(weight = [1.0, 2.0, 3.0])"),
    ("loss: mse + 0.3 * cross_entropy(output = aux)", "mse + 0.3 * cross_entropy(output = aux)"),
    ("loss: mse(output = y) + rate * l1(output = aux)", "mse(output = y) + 0.5 * l1(output = aux)"),
    ("loss: rate * 0.5 * mse + l1", "0.25 * mse + l1"),
    ("optimizer: adam", "adam"),
    ("optimizer: adam(betas = (0.9, 0.999), eps = 1e-8)", "adam"),
    ("optimizer: adam(betas)", "adam(betas = (0.5, 0.75))"),
    (
        "optimizer: if epochs > 2 { sgd(momentum = 0.9, nesterov = wide) } else { adam }",
        "sgd(momentum = 0.9, nesterov = true)",
    ),
    ("rate: 1e-3", "0.001"),
    ("rate: rate / 10", "0.05"),
    ("schedule: cosine(total = 10 * epochs)", "cosine(total = 30)"),
    (
        "schedule: warmup(5) -> multi_step([3, 9], gamma = 0.5)",
        "warmup(steps = 5) -> multi_step(milestones = [3, 9], gamma = 0.5)",
    ),
    ("schedule: reduce_on_plateau(mode = max)", "reduce_on_plateau(mode = max)"),
    ("weight_decay: 5e-4", "weight_decay(rate = 0.0005)"),
    ("weight_decay: weight_decay(5e-4, wide)", "weight_decay(rate = 0.0005, exclude_norms_and_biases = true)"),
    ("clip: norm(max(1, 2))", "norm(max = 2.0)"),
    ("clip: value(max = 0.5)", "value(max = 0.5)"),
    ("batch: 256", "256"),
    ("accumulate: 2", "2"),
    ("drop_last: true", "true"),
    ("drop_last: not wide or epochs > 5", "false"),
    ("epochs: epochs", "3"),
    ("steps: 10_000", "10000"),
    ("early_stopping: 5", "5"),
    ("init: xavier_uniform", "xavier_uniform"),
    ("init: kaiming_normal(fan_out, relu)", "kaiming_normal(mode = fan_out, nonlinearity = relu)"),
    ("seed: 7", "7"),
];

#[test]
fn settings_are_what_the_trainer_reads() {
    let plain = trace(&models(&model(""))[0]);
    for (written, text) in SETTINGS {
        let source = model(&format!("train {{ {written} }}"));
        let network = models(&source).remove(0);
        assert_eq!(trace(&network), plain, "{written}");
        let training = network.training.unwrap();
        let [setting] = training.settings.as_slice() else { panic!("{written}: {training:?}") };
        let (key, value) = written.split_once(": ").unwrap();
        assert_eq!((setting.key.as_str(), setting.text.as_str()), (key, *text), "{written}");
        assert_eq!(&source[setting.span.start as usize..setting.span.end as usize], value);
        assert!(source[training.span.start as usize..].starts_with("train {"));
        // Written out, it means the same.
        let again = models(&model(&format!("train {{ {key}: {text} }}"))).remove(0).training.unwrap();
        assert_eq!(again.settings[0].text, *text);
    }
    for known in TRAIN_SETTINGS {
        assert!(
            SETTINGS.iter().any(|(written, _)| written.starts_with(&format!("{}: ", known.name))),
            "{}",
            known.name
        );
    }
}

#[test]
fn the_section_is_optional_and_may_be_empty() {
    assert_eq!(models(&model(""))[0].training, None);
    assert_eq!(models(&model("train {}"))[0].training.clone().unwrap().settings, []);
    let several = models(&model("train { epochs: 5 batch: 2\nseed: 1 }"))[0].training.clone().unwrap();
    let read = |key: &str| several.get(key).map(|setting| setting.text.as_str());
    assert_eq!([read("epochs"), read("batch"), read("seed"), read("rate")], [Some("5"), Some("2"), Some("1"), None]);
}

#[test]
fn presets_have_the_section_with_their_own_values() {
    let text = "model Net(epochs: int) { input x: [4] dense(2) train { epochs: 2 * epochs } }\n\
                model Short = Net(epochs = 1)\nmodel Long = Net(epochs = 50)";
    let epochs = models(text).into_iter().map(|network| network.training.unwrap().settings[0].text.clone());
    assert_eq!(epochs.collect::<Vec<_>>(), ["2", "100"]);
}

#[test]
fn layers_have_initialisers_of_their_own_and_change_in_nothing_else() {
    let layers = |init: bool| {
        let init = |text: &'static str| if init { text } else { "" };
        format!(
            "block b(f: layer) {{ f f }} model M(gain: float = 2) {{ input x: [1, 8, 8]\n\
             b(f = conv(2, 3{})) conv_transpose(2, 3{}) c: conv(2, 1{}) share c\n\
             flatten dense(4{}) dense(if gain > 0 {{ 3 }} else {{ 4 }})\n }}",
            init(", init = constant(gain)"),
            init(", init = kaiming_normal(mode = fan_out)"),
            init(", init = xavier_uniform"),
            init(", true, xavier_normal(gain / 4)"),
        )
    };
    let (with, without) = (models(&layers(true)).remove(0), models(&layers(false)).remove(0));
    assert_eq!(trace(&with), trace(&without));
    let initialisers = |network: &Network| -> Vec<Option<String>> {
        (0..network.layers.len()).map(|layer| network.initialiser(layer).map(str::to_owned)).collect()
    };
    let expected = [
        Some("constant(value = 2.0)"),
        Some("constant(value = 2.0)"),
        Some("kaiming_normal(mode = fan_out)"),
        Some("xavier_uniform"),
        // Shared: the owner's.
        Some("xavier_uniform"),
        None,
        Some("xavier_normal(gain = 0.5)"),
        None,
    ];
    assert_eq!(initialisers(&with), expected.map(|text| text.map(str::to_owned)));
    assert!(initialisers(&without).iter().all(Option::is_none));
    // The model's own is for the layers that say nothing.
    let both = models("model M { input x: [4] dense(3) dense(2, init = pytorch) train { init: constant } }").remove(0);
    assert_eq!([both.initialiser(0), both.initialiser(1)], [Some("constant"), Some("pytorch")]);
}
