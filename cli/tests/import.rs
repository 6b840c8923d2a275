//! `cnn import` as a user runs it, on files that PyTorch wrote (`data/generate.py`).

#![allow(clippy::unwrap_used)]

use cnn::Weights;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// `cnn import FILE -o out.safetensors` and more arguments, in a folder of its own.
fn import(folder: &TempDir, file: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cnn"));
    command.arg("import").arg(file).args(["-o", "out.safetensors"]).args(more).current_dir(folder.path());
    command.output().unwrap()
}

/// What it prints, without the first line's path, and the weights it writes.
fn imported(file: &Path, more: &[&str]) -> (String, Weights) {
    let folder = TempDir::new().unwrap();
    let output = import(&folder, file, more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let text = text.split_once("pth: ").map_or(text.clone(), |(_, rest)| rest.to_owned());
    (text, Weights::from_bytes(fs::read(folder.path().join("out.safetensors")).unwrap()).unwrap())
}

/// What it says when it refuses, with status 1; nothing is written.
fn refused(file: &Path, more: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    let output = import(&folder, file, more);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    String::from_utf8(output.stderr).unwrap()
}

/// The tensors of `state_dict()` in the script, as they must arrive.
fn assert_state_dict(weights: &Weights) {
    let expected: [(&str, &[usize], &[f32]); 9] = [
        ("bn.running_mean", &[2], &[0.0, 0.5]),
        ("bn.running_var", &[2], &[0.0, 0.5]),
        ("conv.bias", &[2], &[0.0, 0.5]),
        ("conv.weight", &[2, 1, 2, 2], &[0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]),
        ("empty", &[0, 3], &[]),
        ("fc.bias", &[2], &[2.0, 2.5]),
        ("fc.weight", &[2, 3], &[0.0, 1.0, 2.0, 0.5, 1.5, 2.5]),
        ("scalar", &[], &[2.5]),
        ("shared", &[4], &[0.0, 1.5, 3.0, 4.5]),
    ];
    assert_eq!(weights.names().collect::<Vec<_>>(), expected.map(|(name, ..)| name));
    for (name, shape, values) in expected {
        let tensor = weights.get(name).unwrap();
        assert_eq!((tensor.shape(), tensor.data(), weights.dtype(name)), (shape, values, Some("F32".into())), "{name}");
    }
}

const CONVERTED: &str = "  left out 2 tensors that are no floats: `bn.num_batches_tracked`, …
  converted to F32: 1 of BF16, 1 of F16, 1 of F64
out.safetensors: 9 tensors, 27 elements, 692 bytes
";

#[test]
fn the_legacy_and_the_zip_format() {
    for (file, kind) in [("legacy.pth", "a PyTorch file of the legacy format"), ("zip.pth", "a PyTorch file")] {
        let (text, weights) = imported(&data(file), &[]);
        assert_eq!(text, format!("{kind} with 11 tensors\n{CONVERTED}"));
        assert_state_dict(&weights);
    }
}

#[test]
fn a_nested_file_of_a_parallel_model() {
    let (text, weights) = imported(&data("nested.pth"), &[]);
    let taken = "a PyTorch file with 11 tensors\n  took the entry `state_dict`\n  took off the prefix `module.`\n";
    assert_eq!(text, format!("{taken}{CONVERTED}"));
    assert_state_dict(&weights);
    let (_, same) = imported(&data("nested.pth"), &["--key", "state_dict"]);
    assert_state_dict(&same);
    let text = refused(&data("nested.pth"), &["--key", "ema"]);
    assert!(text.contains("Available top-level keys") && text.contains("state_dict"), "{text}");
}

#[test]
fn a_state_dict_as_pytorch_gives_it_beside_other_tensors() {
    for (file, kind) in [("checkpoint.pth", ""), ("checkpoint_legacy.pth", " of the legacy format")] {
        let (text, weights) = imported(&data(file), &[]);
        let taken = format!("a PyTorch file{kind} with 7 tensors\n  took the entry `model`\n  left out 1 tensor");
        assert!(text.starts_with(&taken), "{text}");
        let names: Vec<&str> = weights.names().collect();
        assert_eq!(names[..4], ["0.bias", "0.weight", "1.bias", "1.running_mean"]);
        assert_eq!(names[4..], ["1.running_var", "1.weight"]);
        assert_eq!(weights.get("0.weight").unwrap().data(), [0.0, 0.5]);
    }
}

#[test]
fn counters_are_left_out_whatever_their_type() {
    let (text, weights) = imported(&data("half.pth"), &[]);
    assert!(text.contains("left out 1 counter of training steps: `bn.num_batches_tracked`\n"), "{text}");
    assert_eq!(weights.names().collect::<Vec<_>>(), ["bn.bias"]);
}

#[test]
fn an_input_is_never_overwritten() {
    let folder = TempDir::new().unwrap();
    let before = fs::read(data("zip.pth")).unwrap();
    fs::write(folder.path().join("zip.pth"), &before).unwrap();
    let same = |output: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cnn"));
        let output = command.args(["import", "zip.pth", "-o", output]).current_dir(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("would overwrite `zip.pth`"), "{output:?}");
        assert_eq!(fs::read(folder.path().join("zip.pth")).unwrap(), before);
    };
    same("zip.pth");
    same("./zip.pth");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("zip.pth", folder.path().join("link")).unwrap();
        same("link");
    }
}

#[test]
fn an_error_of_writing_has_the_words_of_the_system() {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cnn"));
    command.arg("import").arg(data("zip.pth")).args(["-o", "none/out.safetensors"]).current_dir(folder.path());
    let text = String::from_utf8(command.output().unwrap().stderr).unwrap();
    let system = fs::File::create(folder.path().join("none/out")).unwrap_err();
    assert!(text.ends_with(&format!("cannot write `none/out.safetensors`: {system}\n")), "{text}");
}

#[test]
fn a_whole_module_is_read_as_its_state_dict() {
    let (_, weights) = imported(&data("module.pth"), &[]);
    let names: Vec<&str> = weights.names().collect();
    assert_eq!(names[..3], ["body.0.bias", "body.0.weight", "body.1.bias"]);
    assert_eq!(names[3..], ["body.1.running_mean", "body.1.running_var", "body.1.weight"]);
}

#[test]
fn nothing_in_a_file_is_run() {
    let (text, weights) = imported(&data("command.pth"), &[]);
    assert!(text.contains("left out 1 entry that is no tensor: `command` (posix.system)\n"), "{text}");
    assert_eq!(weights.names().collect::<Vec<_>>(), ["fc.bias"]);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let text = refused(&data("sparse.pth"), &[]);
    assert!(text.contains("sparse.pth`") && text.contains("torch._utils._rebuild_sparse_tensor"), "{text}");
    assert!(refused(&data("generate.py"), &[]).contains("not a PyTorch checkpoint"));
    assert!(refused(&data("nothing.pth"), &[]).contains("cannot read"));

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("changed.pth");
    let legacy = fs::read(data("legacy.pth")).unwrap();
    let place = legacy.windows(13).position(|part| part == b"little_endian").unwrap();
    // NEWTRUE becomes NEWFALSE.
    let mut big = legacy.clone();
    let truth = big[place..].iter().position(|byte| *byte == 0x88).unwrap();
    big[place + truth] = 0x89;
    fs::write(&file, big).unwrap();
    assert!(refused(&file, &[]).contains("Big-endian PyTorch files are not supported"));
    fs::write(&file, &legacy[..legacy.len() - 1]).unwrap();
    assert!(refused(&file, &[]).contains("changed.pth"));
}

#[test]
fn tensors_are_dropped_and_renamed() {
    let (text, weights) =
        imported(&data("legacy.pth"), &["--drop", "bn", "--rename", "fc=classifier.1", "--drop", "empty"]);
    assert!(text.contains("left out 4 tensors, as `--drop` says\n"), "{text}");
    let names: Vec<&str> = weights.names().collect();
    assert_eq!(names, ["classifier.1.bias", "classifier.1.weight", "conv.bias", "conv.weight", "scalar", "shared"]);
    let text = refused(&data("legacy.pth"), &["--rename", "shared=scalar"]);
    assert!(text.contains("`scalar` and `shared` would both be `scalar`"), "{text}");
    assert!(refused(&data("legacy.pth"), &["--rename", "shared"]).contains("write `OLD=NEW`"));
    assert!(refused(&data("module.pth"), &["--drop", "body"]).contains("has no tensors to keep"));
    for (argument, value) in [("--drop", "b"), ("--rename", "norm.1=norm1"), ("--rename", "conv.conv=fc")] {
        let text = refused(&data("legacy.pth"), &[argument, value]);
        let expected = format!("`{argument} {value}` matches nothing; the first name is `bn.num_batches_tracked`");
        assert!(text.contains(&expected), "{text}");
    }
    let (_, chained) = imported(&data("legacy.pth"), &["--rename", "fc=head", "--rename", "head=classifier"]);
    assert!(chained.shape("classifier.bias").is_some());
}

#[test]
fn names_and_shapes_are_compared_with_a_model() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let model = |channels: &str, norm: &str| {
        format!(
            "model Net {{\n    input image: [1, 4, 4]\n    body: {{ conv({channels}, 2) -> {norm} }}\n    output x\n}}\n\
             model Other(n: int = 2) {{\n    input image: [1, 4, 4]\n    body: conv(n, 2)\n    output x\n}}\n"
        )
    };
    let fits = write("fits.cnn", &model("2", "batch_norm"));
    let (text, _) = imported(&data("module.pth"), &["--check", &fits, "--model", "Net"]);
    assert!(text.contains("fits `Net`: every name and shape\n"), "{text}");
    let text = refused(&data("module.pth"), &["--check", &fits]);
    assert!(text.contains("several models"), "{text}");
    let text = refused(&data("module.pth"), &["--check", &fits, "--model", "Other", "--set", "n=3"]);
    assert!(text.contains("module.pth and the network do not fit"), "{text}");
    assert!(text.contains("missing: `body.bias` (the weights have `body.0.bias`)"), "{text}");
    assert!(text.contains("unexpected: `body.1.running_mean`"), "{text}");
    let text =
        refused(&data("module.pth"), &["--check", &write("wide.cnn", &model("3", "batch_norm")), "--model", "Net"]);
    assert!(text.contains("wrong shape: `body.0.weight` must be [3, 1, 2, 2], but is [2, 1, 2, 2]"), "{text}");
}

#[test]
fn safetensors_are_rewritten_as_the_same_bytes() {
    let folder = TempDir::new().unwrap();
    assert!(import(&folder, &data("legacy.pth"), &[]).status.success());
    let first = fs::read(folder.path().join("out.safetensors")).unwrap();
    let source = folder.path().join("source.safetensors");
    fs::write(&source, &first).unwrap();
    assert!(import(&folder, &source, &[]).status.success());
    assert_eq!(fs::read(folder.path().join("out.safetensors")).unwrap(), first);
    assert!(import(&folder, &data("zip.pth"), &[]).status.success());
    assert_eq!(fs::read(folder.path().join("out.safetensors")).unwrap(), first, "another format, the same weights");
}
