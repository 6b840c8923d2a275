//! `cnn show`: tables and JSON, as they are printed.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;
use tempfile::TempDir;

const MODEL: &str = "
block basic(channels: int, stride: int = 1) {
    add {
        | conv(channels, 3, stride = stride, padding = 1, bias = false) -> batch_norm -> relu
          conv(channels, 3, padding = 1, bias = false) -> batch_norm
        | if stride != 1 or in.channels != channels {
              downsample: { conv(channels, 1, stride = stride, bias = false) -> batch_norm }
          }
    }
    relu
}

block stage(channels: int, blocks: int, stride: int) {
    basic(channels, stride)
    repeat blocks - 1 { basic(channels) }
}

/// A small residual network for rectangular pictures.
model Residual {
    input image: [3, 64, 96]
    conv(16, (3, 5), padding = same) -> relu
    stage1: stage(16, 3, stride = 1)
    stage2: stage(32, 4, stride = 2)
    global_avg_pool -> flatten
    fc: dense(10)
    output logits
}
";

/// What `cnn show` with these arguments prints about the model.
fn show(args: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("residual.cnn"), MODEL).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cnn"))
        .args([&["show", "residual.cnn"], args].concat())
        .current_dir(folder.path())
        // Memory depends on both.
        .envs([("CNN_ISA", "portable"), ("CNN_THREADS", "1"), ("CNN_PASSES", "")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn blocks_are_folded_at_the_depth() {
    insta::assert_snapshot!("depth_1", show(&["--depth", "1"]));
    insta::assert_snapshot!("depth_2", show(&["--depth", "2"]));
    let whole = show(&["--depth", "9"]);
    assert!(whole.contains("\n      0    ") && whole.contains("downsample"), "{whole}");
}

#[test]
fn the_default_is_the_deepest_table_that_is_short() {
    assert_eq!(show(&[]), show(&["--depth", "2"]));
}

#[test]
fn narrow_tables_cut_ops_and_then_leave_out_inputs() {
    for width in ["100", "80"] {
        let text = show(&["--width", width, "--depth", "4"]);
        let limit: usize = width.parse().unwrap();
        let table = text.lines().take_while(|line| !line.starts_with("total"));
        assert!(table.clone().all(|line| line.chars().count() <= limit), "{text}");
        let header = text.lines().nth(2).unwrap();
        assert_eq!(header.contains("input"), width == "100", "{text}");
    }
}

#[test]
fn a_batch_multiplies_arithmetic_and_activations_alone() {
    let text = show(&["--depth", "1", "--batch", "8"]);
    assert!(text.contains("8×32×32×48") && text.contains("for a batch of 8"), "{text}");
    let (one, eight) = (json(&[]), json(&["--batch", "8"]));
    let arena = |report: &serde_json::Value, field: &str| report["totals"]["arena"][field].as_u64().unwrap();
    assert_eq!(arena(&eight, "value_bytes"), 8 * arena(&one, "value_bytes"));
    // Scratch memory grows less.
    assert!((arena(&one, "bytes")..=8 * arena(&one, "bytes")).contains(&arena(&eight, "bytes")));
    for (field, factor) in [("params", 1), ("macs", 8), ("weight_bytes", 1), ("peak_activation_bytes", 8)] {
        let figure = |report: &serde_json::Value| report["totals"][field].as_u64().unwrap();
        assert_eq!(figure(&eight), factor * figure(&one), "{field}");
    }
}

fn json(args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&show(&[&["--json"], args].concat())).unwrap()
}

#[test]
fn the_fields_of_the_report_stay_as_they_are() {
    let mut report = json(&["--depth", "1"]);
    report["rows"].as_array_mut().unwrap().truncate(3);
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn rows_of_layers_add_up_to_the_totals() {
    let report = json(&[]);
    let rows = report["rows"].as_array().unwrap();
    for field in ["params", "macs"] {
        let sum = |kind: &str, depth: Option<u64>| -> u64 {
            let chosen = rows.iter().filter(|row| row["kind"] == kind);
            let chosen = chosen.filter(|row| depth.is_none_or(|depth| row["depth"] == depth));
            chosen.map(|row| row[field].as_u64().unwrap()).sum()
        };
        assert_eq!(report["totals"][field], sum("layer", None), "{field}");
        assert_eq!(report["totals"][field], sum("layer", Some(0)) + sum("block", Some(0)), "{field}");
    }
}
