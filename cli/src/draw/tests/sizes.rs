//! Small and large networks.

use super::super::{Drawing, MAX_BOXES, svg};
use super::{drawing, network};
use cnn::Builder;
use cnn::{Network, NetworkBuilder, ops};
use std::time::{Duration, Instant};

#[test]
fn a_network_of_nothing_but_a_line() {
    let text = svg(&drawing("model Nothing { input x: [3] identity output y }"));
    assert!(text.contains(">x<") && text.contains(">y<") && text.contains(">3<"), "{text}");
}

#[test]
fn a_hundred_thousand_equal_layers_are_folded() {
    let text = "model Deep { input x: [1, 4, 4] repeat 49000 { conv(1, 1) -> relu } output y }";
    let drawing = timed(&network(text), None).unwrap();
    let text = svg(&drawing);
    assert!(text.contains("×49000") && text.len() < 10_000, "{text}");
}

#[test]
fn growing_blocks_fold_at_any_depth() {
    let text = "block grow { concat { | | batch_norm -> conv(4, 3, padding = 1) } }
        model Dense { input x: [4, 8, 8] for i in 0..5 { layer{i}: grow } output y }";
    for (depth, said) in [(None, "layer0–4"), (Some(1), ">3 layers<")] {
        let text = svg(&Drawing::new(&network(text), depth).unwrap());
        assert!(text.contains(said) && text.contains("×5") && text.contains("24×8×8"), "{text}");
        // Widths that differ from layer to layer are not those of all.
        assert!(!text.contains("8×8×8"), "{text}");
    }
}

#[test]
fn too_many_different_boxes_are_folded_or_refused() {
    let blocks = "block pair(n: int) { conv(n, 1) -> max_pool(1) }
        block many { for i in 1..300 { pair(i) } }";
    let text = format!(
        "{blocks} model Wide {{ input x: [1, 4, 4] many -> conv(7, 1) -> many -> conv(8, 1) -> many output y }}"
    );
    let folded = timed(&network(&text), None).unwrap();
    assert!(folded.caption.contains("folded at depth 2"), "{}", folded.caption);
    assert!(svg(&folded).len() > 100_000);

    let network = different(99_000);
    let message = timed(&network, None).unwrap_err();
    assert!(message.contains(&MAX_BOXES.to_string()) && message.contains("blocks"), "{message}");
}

#[test]
fn deeply_nested_skips_end() {
    let mut network = NetworkBuilder::new("Nested");
    let mut value = network.input("x", &[1]).unwrap();
    let mut skips = Vec::new();
    for step in 0..400 {
        value = network.layer(&format!("relu{step}"), ops::ReluSpec::new(), &[&value]).unwrap();
        skips.push(value);
    }
    while let Some(skip) = skips.pop() {
        value = network.layer(&format!("add{}", skips.len()), ops::AddSpec::new(), &[&value, &skip]).unwrap();
    }
    network.output("y", &value).unwrap();
    let network = network.finish().unwrap();
    let start = Instant::now();
    let text = svg(&timed(&network, None).unwrap());
    assert!(text.len() > 10_000 && start.elapsed() < Duration::from_secs(60));
}

/// Layers of which no two neighbours are equal.
fn different(layers: usize) -> Network {
    let mut network = NetworkBuilder::new("Different");
    let mut value = network.input("x", &[1]).unwrap();
    for layer in 0..layers {
        // The sizes of a walk that does not repeat.
        let size = 1 + (layer * layer / 7 + layer) % 97;
        let from = if layer == 0 { 1 } else { 1 + ((layer - 1) * (layer - 1) / 7 + layer - 1) % 97 };
        value = network.layer(&layer.to_string(), ops::DenseSpec::new(from, size), &[&value]).unwrap();
    }
    network.output("y", &value).unwrap();
    network.finish().unwrap()
}

fn timed(network: &Network, depth: Option<usize>) -> Result<Drawing, String> {
    let start = Instant::now();
    let drawing = Drawing::new(network, depth);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    drawing
}
