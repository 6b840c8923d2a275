//! Drawings of all shipped models and of small texts.

#![allow(clippy::unwrap_used, clippy::panic)]

mod formats;
mod geometry;
mod sizes;

use super::Drawing;
use cnn::Network;
use std::path::Path;

/// A network from the text of a body.
fn network(text: &str) -> Network {
    let sources = cnn_dsl::Sources::new("test.cnn", text);
    let compilation = cnn_dsl::compile(&sources, &cnn_dsl::Settings::default());
    let messages = cnn_dsl::render(&compilation.diagnostics, &sources, cnn_dsl::Style::Plain);
    compilation.models.into_iter().next().unwrap_or_else(|| panic!("{messages}"))
}

fn drawing(text: &str) -> Drawing {
    Drawing::new(&network(text), None).unwrap()
}

/// Every model of every file in `models/`, by the name of its file and its own.
fn shipped() -> Vec<(String, Network)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let mut files = Vec::new();
    for folder in [folder.clone(), folder.join("torchvision")] {
        files.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "cnn"));
    files.sort();
    let mut networks = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let sources = cnn_codegen::read_source(&file, &name).unwrap().sources;
        let models = cnn_dsl::compile(&sources, &cnn_dsl::Settings::default()).models;
        networks.extend(models.into_iter().map(|network| (format!("{name}: {}", network.name), network)));
    }
    assert!(networks.len() > 20, "{}", networks.len());
    networks
}

/// Texts with what the shipped models do not have.
const TEXTS: &[&str] = &[
    // Values that jump about: no sequence and no branches.
    "model Tangle { input x: [4, 8, 8]
        a: conv(4, 3, padding = 1)
        b: conv(4, 3, padding = 1)
        c: add(a)
        d: conv(4, 1) -> add(b)
        e: conv(4, 1) -> concat(a, c)
        output y
    }",
    // Two inputs, two outputs, a value used far away.
    "model Two {
        input left: [3, 16, 16]
        input right: [1, 16, 16]
        conv(8, 3, padding = 1) -> relu
        deep: { conv(8, 3, padding = 1) -> concat(right) -> conv(8, 1) }
        concat(left, right)
        output first
        conv(2, 1)
        output second
    }",
    // Squeeze and excitation, and branches of all lengths in a block that repeats.
    "block se(n: int) {
        mul { | | global_avg_pool -> conv(n, 1) -> relu -> conv(in.channels, 1) -> sigmoid }
    }
    block mixed {
        add {
            | conv(16, 1) -> se(4)
            |
            | conv(16, 1) -> relu -> conv(16, 3, padding = 1) -> concat { | conv(8, 1) | conv(8, 3, padding = 1) }
        }
    }
    model Mixed {
        input x: [16, 9, 9]
        repeat 3 { mixed }
        repeat 4 { conv(16, 1) -> add { | conv(16, 1) | } -> max_pool(1) }
        output y
    }",
    // Shared weights, and a head that exists in training only.
    "block unit(n: int) {
        add { | conv(n, 3, padding = 1) -> batch_norm -> relu -> conv(n, 3, padding = 1) | }
        relu
    }
    model Shared {
        input image: [3, 32, 32]
        stem: conv(16, 3, padding = 1) -> relu
        u: unit(16)
        share u
        mid: conv(16, 3, padding = 1)
        train_only {
            global_avg_pool -> flatten
            aux: dense(10)
            output hint
        }
        v: unit(16)
        share mid
        global_avg_pool -> flatten -> dense(10)
        output logits
    }",
];
