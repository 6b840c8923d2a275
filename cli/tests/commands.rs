//! The command as a user runs it: what it prints, and its exit status.

#![allow(clippy::unwrap_used)]

mod workspace;

use std::fs;
use std::path::Path;
use std::process::Command;
use workspace::{Workspace, stderr};

/// A folder with the demonstration's files.
fn demo() -> Workspace {
    let workspace = Workspace::empty();
    workspace.prints(&["demo", "--save", "."]);
    workspace
}

/// `predict` with the saved model and weights, and these arguments.
fn predict<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["predict", "lenet.cnn", "--weights", "lenet.safetensors"], args].concat()
}

#[test]
fn the_demonstration_classifies_real_pictures() {
    let text = demo().prints(&[]);
    assert!(text.contains("220 of 256 right: 85.9 %"), "{text}");
    assert!(text.contains("61 706"), "{text}");
    assert!(text.contains("ankle boot"), "{text}");
}

#[test]
fn check_and_show_and_emit_and_graph() {
    let workspace = demo();
    assert_eq!(
        workspace.prints(&["check", "lenet.cnn"]),
        "LeNet: no errors (12 layers, 61 706 parameters, 416 520 MACs)\n"
    );
    let show = workspace.prints(&["show", "lenet.cnn"]);
    // What runs take depends on the machine.
    let (table, arena) = show.split_once("arena").unwrap();
    assert!(arena.contains("kB  values and scratch of the CPU engine"), "{show}");
    insta::assert_snapshot!("show", table);
    let batch = workspace.prints(&["show", "lenet.cnn", "--batch", "32", "--set", "classes=3"]);
    assert!(batch.contains("32×6×28×28") && batch.contains("32×3\u{20}"), "{batch}");
    let code = workspace.prints(&["emit", "lenet.cnn"]);
    assert!(code.contains("pub struct LeNet"), "{code}");
    workspace.prints(&["emit", "lenet.cnn", "-o", "lenet.rs"]);
    assert_eq!(fs::read_to_string(workspace.path("lenet.rs")).unwrap(), code);
    let graph = workspace.prints(&["graph", "lenet.cnn", "--primitives"]);
    assert!(graph.contains("Conv2d") && graph.contains("SumReduce"), "{graph}");
}

#[test]
fn bench_measures_a_network_and_its_layers() {
    let workspace = demo();
    let bench = |more: &[&str]| {
        workspace.prints(&[&["bench", "lenet.cnn", "--seconds", "0", "--runs", "2", "--threads", "1"], more].concat())
    };
    let text = bench(&["--layers"]);
    assert!(text.starts_with("LeNet, random weights, 1 thread\n") && text.contains("\nf3 "), "{text}");

    let args = ["--json", "--layers", "-w", "lenet.safetensors", "--batch", "3", "--outputs", "y.safetensors"];
    let figures: serde_json::Value = serde_json::from_str(&bench(&args)).unwrap();
    assert_eq!((&figures["batch"], &figures["macs"]), (&3.into(), &(3 * 416_520).into()), "{figures}");
    let layers = figures["layers"].as_array().unwrap();
    let macs: u64 = layers.iter().map(|layer| layer["macs"].as_u64().unwrap()).sum();
    assert_eq!(macs, 3 * 416_520, "every layer's arithmetic has a step: {layers:?}");
    let limits: f64 = layers.iter().map(|layer| layer["limit_seconds"].as_f64().unwrap()).sum();
    let limit = figures["limit"]["seconds"].as_f64().unwrap();
    assert!(limit > 0.0 && (limit / limits - 1.0).abs() < 1e-9, "the layers' limits sum up: {limit} {layers:?}");
    let outputs = fs::read(workspace.path("y.safetensors")).unwrap();
    assert_eq!(safetensors::SafeTensors::deserialize(&outputs).unwrap().tensor("logits").unwrap().shape(), [3, 10]);

    // Weights and inputs are files of the same kind; this one has no `image`.
    let refused = ["bench", "lenet.cnn", "--inputs", "lenet.safetensors"];
    assert!(workspace.refuses(&refused).contains("`image`"));
    assert!(workspace.refuses(&["bench", "lenet.cnn", "--seconds=-1"]).contains("0 to 3600"));
}

#[test]
fn tune_measures_what_bench_chooses_by() {
    let workspace = demo();
    let tune = ["tune", "lenet.cnn", "-o", "times.json", "--threads", "1"];
    let text = workspace.prints(&tune);
    assert_eq!(text, "times.json: times of 4 different layers on this machine\n");
    let times = fs::read_to_string(workspace.path("times.json")).unwrap();
    assert!(times.contains("Conv2d { in_channels: 1, out_channels: 6") && times.contains("\"blocked\": "), "{times}");
    // What is known is not measured again.
    workspace.prints(&tune);
    assert_eq!(fs::read_to_string(workspace.path("times.json")).unwrap(), times);

    let bench = ["bench", "lenet.cnn", "--seconds", "0", "--runs", "1", "--threads", "1", "--layers"];
    assert!(workspace.prints(&bench).contains("plain ~0."));
    let tuned = workspace.prints(&[&bench[..], &["--tuning", "times.json"]].concat());
    assert!(!tuned.contains('~') && tuned.contains("plain 0."), "{tuned}");

    fs::write(workspace.path("bad.json"), "[1, 2]").unwrap();
    let refused = workspace.refuses(&[&bench[..], &["--tuning", "bad.json"]].concat());
    assert!(refused.contains("holds no measured times") && refused.contains("cnn tune"), "{refused}");
    assert!(workspace.refuses(&["tune", "lenet.cnn", "-o", "bad.json"]).contains("holds no measured times"));
    assert_eq!(fs::read_to_string(workspace.path("bad.json")).unwrap(), "[1, 2]");
}

#[test]
fn the_engine_can_be_told_how_to_run() {
    let workspace = demo();
    fn bench<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["bench", "lenet.cnn", "--seconds", "0", "--runs", "1", "--layers"], more].concat()
    }
    assert!(workspace.prints(&bench(&["--algorithm", "blocked"])).contains("conv2d_blocked + Sigmoid"));
    assert!(workspace.prints(&bench(&["--exact", "--threads", "3"])).contains("3 threads"));
    assert!(workspace.refuses(&bench(&["--threads", "0"])).contains("there can be 1 to 256"));
    assert!(workspace.prints(&bench(&["--weight-dtype", "f16"])).contains("dense_f16 + Sigmoid"));
    assert!(workspace.prints(&bench(&["--weight-dtype", "bf16", "--exact"])).contains("dense_bf16 + Sigmoid"));
    for (option, value, known) in [
        ("--algorithm", "winograd5", "the algorithms are: plain"),
        ("--weight-dtype", "f8", "the types are: f32, f16, bf16"),
    ] {
        let unknown = workspace.run(&bench(&[option, value]));
        assert_eq!(unknown.status.code(), Some(2));
        assert!(stderr(&unknown).contains(known), "{}", stderr(&unknown));
    }
}

#[test]
fn graph_draws_in_three_formats() {
    let workspace = demo();
    let draws = |format: &str, start: &str| {
        let text = workspace.prints(&["graph", "lenet.cnn", format]);
        assert!(text.starts_with(start) && text.contains("sigmoid"), "{text}");
        text
    };
    let svg = draws("--svg", "<svg ");
    draws("--dot", "digraph \"LeNet\" {");
    draws("--mermaid", "---\ntitle: \"LeNet, 61.7 k parameters");
    assert_eq!(workspace.prints(&["graph", "lenet.cnn", "--svg", "-o", "lenet.svg"]), "");
    assert_eq!(fs::read_to_string(workspace.path("lenet.svg")).unwrap(), svg);
    for wrong in [&["--svg", "--dot"][..], &["--depth", "1"], &["--svg", "--depth", "0"], &["--svg", "--primitives"]] {
        assert_eq!(workspace.run(&[&["graph", "lenet.cnn"], wrong].concat()).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn predict_names_the_classes() {
    let workspace = demo();
    let text = workspace.prints(&predict(&["--classes", "classes.txt", "--top", "1", "0-ankle-boot.png"]));
    assert!(text.starts_with("0-ankle-boot.png\n") && text.contains("ankle boot"), "{text}");
    let json = workspace.prints(&predict(&["--json", "0-ankle-boot.png", "2-trouser.png"]));
    let lines: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[1]["predictions"][0]["index"], 1);
    assert_eq!(lines[0]["predictions"].as_array().unwrap().len(), 5);
    let total: f64 = workspace
        .prints(&predict(&["--json", "--top", "10", "0-ankle-boot.png"]))
        .lines()
        .flat_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["predictions"].as_array().unwrap().clone()
        })
        .map(|prediction| prediction["probability"].as_f64().unwrap())
        .sum();
    assert!((total - 1.0).abs() < 1e-9, "{total}");
}

#[test]
fn errors_are_shown_in_the_file_and_as_json() {
    let workspace = demo();
    workspace.write("bad.cnn", "model Bad {\n    input image: [1, 8, 8]\n    conv(4, kernel = 9)\n    output x\n}\n");
    let text = workspace.refuses(&["check", "bad.cnn"]);
    assert!(text.contains("cnn::kernel_too_large") && text.contains("bad.cnn:3:"), "{text}");
    let json = workspace.refuses(&["check", "bad.cnn", "--message-format", "json"]);
    let line: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(line["code"], "cnn::kernel_too_large");
    assert_eq!(line["spans"][0]["start"]["line"], 3);
    assert!(workspace.prints(&["explain", "kernel_too_large"]).contains("does not fit"));
}

#[test]
fn wrong_command_lines_name_the_right_one() {
    let workspace = demo();
    for (word, meant) in [
        ("lenet.cnn", "cnn show lenet.cnn"),
        ("lenet.safetensors", "--weights lenet.safetensors"),
        ("a.png", "predict"),
    ] {
        let output = workspace.run(&[word]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(meant), "{}", stderr(&output));
    }
    assert_eq!(workspace.run(&["shwo", "lenet.cnn"]).status.code(), Some(2));
    assert_eq!(workspace.run(&["show"]).status.code(), Some(2));
    assert_eq!(workspace.run(&["show", "lenet.cnn", "--batch", "0"]).status.code(), Some(2));
}

#[test]
fn files_that_are_no_models_are_refused() {
    let workspace = demo();
    let refuses = |name: &str, part: &str| {
        let text = workspace.refuses(&["check", name]);
        assert!(text.contains(part), "{name}: {text}");
        assert!(text.len() < 4000, "{name}: {} bytes of messages", text.len());
    };
    refuses("missing.cnn", "no such file");
    refuses(".", "folder");
    workspace.write("empty.cnn", "");
    refuses("empty.cnn", "model");
    workspace.write("binary.cnn", b"\xff\xfe\x00\x01\x02");
    refuses("binary.cnn", "not a text file");
    workspace.write("latin1.cnn", b"model M { input x: [1] relu } // caf\xe9");
    refuses("latin1.cnn", "UTF-8");
    fs::File::create(workspace.path("large.cnn")).unwrap().set_len(100 << 20).unwrap();
    refuses("large.cnn", "large");
    workspace.write("deep.cnn", "(".repeat(1 << 20));
    refuses("deep.cnn", "deep");
    workspace.write("huge.cnn", "model M { input x: [99999999999, 99999999999] relu output y }");
    refuses("huge.cnn", "error");
    workspace.write("overflow.cnn", "model M { input x: [1, 8, 8] conv(99999999999999999999, 1) output y }");
    refuses("overflow.cnn", "error");
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let workspace = demo();
    let refuses = |weights: &Path, part: &str| {
        let weights = weights.to_str().unwrap();
        let text = workspace.refuses(&["predict", "lenet.cnn", "--weights", weights, "0-ankle-boot.png"]);
        assert!(text.contains(part), "{weights}: {text}");
    };
    let whole = fs::read(workspace.path("lenet.safetensors")).unwrap();
    refuses(&workspace.path("missing"), "missing");
    refuses(&workspace.write("truncated", &whole[..whole.len() / 2]), "truncated");
    refuses(&workspace.write("other", b"this is no safetensors file at all"), "safetensors");
    refuses(&workspace.write("empty", b""), "safetensors");
    workspace
        .write("wide.cnn", fs::read_to_string(workspace.path("lenet.cnn")).unwrap().replace("dense(84)", "dense(85)"));
    let text = workspace.refuses(&["predict", "wide.cnn", "--weights", "lenet.safetensors", "0-ankle-boot.png"]);
    for name in ["f2.weight", "f2.bias", "f3.weight"] {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn pictures_that_are_none_are_refused_and_the_others_classified() {
    let workspace = demo();
    workspace.write("text.png", "not a picture");
    workspace.write("model.png", fs::read(workspace.path("lenet.cnn")).unwrap());
    let whole = fs::read(workspace.path("0-ankle-boot.png")).unwrap();
    workspace.write("truncated.png", &whole[..whole.len() / 2]);
    workspace.write("bomb.png", bomb(&whole));
    for name in ["text.png", "model.png", "truncated.png", "bomb.png", "missing.png"] {
        let text = workspace.refuses(&predict(&[name]));
        assert!(text.contains(name), "{text}");
    }
    let output = workspace.run(&predict(&["text.png", "0-ankle-boot.png"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("0-ankle-boot.png"));
}

/// A picture whose header says that it is 200 000 pixels wide and high.
fn bomb(png: &[u8]) -> Vec<u8> {
    let mut bytes = png.to_vec();
    let side = 200_000u32.to_be_bytes();
    bytes[16..20].copy_from_slice(&side);
    bytes[20..24].copy_from_slice(&side);
    // The checksum of the changed header, so that the size is what is refused.
    let checksum = bytes[12..29].iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (0u32.wrapping_sub(crc & 1))))
    });
    bytes[29..33].copy_from_slice(&(!checksum).to_be_bytes());
    bytes
}

#[test]
fn other_arguments_that_do_not_fit_are_refused() {
    let workspace = demo();
    workspace.write("two.txt", "a\nb\n");
    let refuses = |args: &[&str], part: &str| {
        let text = workspace.refuses(&predict(args));
        assert!(text.contains(part), "{args:?}: {text}");
    };
    let boot = "0-ankle-boot.png";
    refuses(&["--classes", "two.txt", boot], "2 lines");
    refuses(&["--classes", "none.txt", boot], "none.txt");
    refuses(&["--classes", "lenet.safetensors", boot], "lenet.safetensors");
    #[cfg(unix)]
    refuses(&["--classes", "/dev/zero", boot], "too many");
    refuses(&["--mean", "0.1,0.2", boot], "--mean");
    refuses(&["--std", "0", boot], "--std");
    refuses(&["--model", "Other", boot], "LeNet");
    refuses(&["--output", "other", boot], "logits");
    assert!(workspace.refuses(&["show", "lenet.cnn", "--set", "clases=3"]).contains("classes"));
    assert!(workspace.refuses(&["explain", "nonsense"]).contains("nonsense"));
}

#[test]
fn an_output_that_cannot_be_written_leaves_nothing_behind() {
    let workspace = demo();
    fs::create_dir(workspace.path("folder")).unwrap();
    let before = fs::read_dir(workspace.root()).unwrap().count();
    assert!(workspace.refuses(&["emit", "lenet.cnn", "-o", "no/such/folder/lenet.rs"]).contains("lenet.rs"));
    assert!(workspace.refuses(&["emit", "lenet.cnn", "-o", "folder"]).contains("folder"));
    assert_eq!(fs::read_dir(workspace.root()).unwrap().count(), before);
}

#[cfg(unix)]
#[test]
fn links_are_followed_devices_written_and_rights_kept() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let workspace = demo();
    fs::write(workspace.path("real.rs"), "old").unwrap();
    fs::set_permissions(workspace.path("real.rs"), fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("real.rs", workspace.path("link.rs")).unwrap();
    workspace.prints(&["emit", "lenet.cnn", "-o", "link.rs"]);
    assert!(fs::symlink_metadata(workspace.path("link.rs")).unwrap().is_symlink());
    assert!(fs::read_to_string(workspace.path("real.rs")).unwrap().contains("LeNet"));
    assert_eq!(fs::metadata(workspace.path("real.rs")).unwrap().permissions().mode() & 0o777, 0o600);
    workspace.prints(&["emit", "lenet.cnn", "-o", "/dev/null"]);
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

#[test]
fn saved_files_that_were_changed_are_kept() {
    let workspace = demo();
    workspace.write("lenet.cnn", "// mine\n");
    let text = workspace.prints(&["demo", "--save", "."]);
    assert!(text.contains("kept ./lenet.cnn"), "{text}");
    assert_eq!(fs::read_to_string(workspace.path("lenet.cnn")).unwrap(), "// mine\n");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let workspace = demo();
    let mut child = Command::new(env!("CARGO_BIN_EXE_cnn"))
        .args(["graph", "lenet.cnn", "--primitives"])
        .current_dir(workspace.root())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
