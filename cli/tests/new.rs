//! `cnn new` as a user runs it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

fn cnn(folder: &TempDir, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cnn")).args(args).current_dir(folder.path()).output().unwrap()
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// A project made with the crate of this checkout.
fn project(name: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let output = cnn(&folder, &["new", name, "--path", checkout().to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    folder
}

#[test]
fn a_project_is_made_whole() {
    let folder = project("flower-net");
    let mut files: Vec<String> = fs::read_dir(folder.path().join("flower-net"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, [".gitignore", "Cargo.toml", "flower_net.cnn", "src"]);
    let output = cnn(&folder, &["check", "flower-net/flower_net.cnn"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && output.stderr.is_empty() && text.starts_with("FlowerNet: no errors"),
        "{output:?}"
    );
    assert!(cnn(&folder, &["fmt", "--check", "flower-net"]).status.success());
    let main = fs::read_to_string(folder.path().join("flower-net/src/main.rs")).unwrap();
    assert!(main.contains("cnn::cnn!(\"flower_net.cnn\")") && !main.to_lowercase().contains("template"), "{main}");
    // Another folder beside it would be a half-made one.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn without_a_path_the_crate_is_the_published_one() {
    let folder = TempDir::new().unwrap();
    // An empty folder will do.
    fs::create_dir(folder.path().join("flowers")).unwrap();
    assert!(cnn(&folder, &["new", "flowers"]).status.success());
    let manifest = fs::read_to_string(folder.path().join("flowers/Cargo.toml")).unwrap();
    assert!(manifest.contains(&format!("cnn = \"{}\"", env!("CARGO_PKG_VERSION"))), "{manifest}");
}

#[test]
fn what_is_there_and_bad_names_are_refused() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("full")).unwrap();
    fs::write(folder.path().join("full/file"), "mine").unwrap();
    fs::write(folder.path().join("file"), "mine").unwrap();
    let refuses = |args: &[&str], part: &str| {
        let output = cnn(&folder, &[&["new"], args].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && text.contains(part), "{args:?}: {text}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "{args:?}");
    };
    refuses(&["full"], "not empty");
    refuses(&["file"], "file of this name");
    refuses(&["3d"], "begins with a letter");
    refuses(&["blümchen"], "begins with a letter");
    refuses(&[".."], "begins with a letter");
    refuses(&["a b"], "letters, digits");
    refuses(&["cnn"], "try `cnn_net`");
    refuses(&["match"], "word of Rust");
    refuses(&["tensor"], "Tensor");
    refuses(&["missing/flowers"], "cannot make");
    refuses(&["flowers", "--path", "full"], "not the folder of the crate");
}

/// Builds and runs a project; the crates below it are compiled once more for it.
#[test]
#[ignore = "takes a minute or two: cargo test -p cnn-cli --test new -- --ignored"]
fn a_project_builds_and_runs() {
    let folder = project("flowers");
    let flowers = folder.path().join("flowers");
    fs::copy(checkout().join("Cargo.lock"), flowers.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["run", "--offline", "--quiet"])
        .current_dir(&flowers)
        .env("RUSTFLAGS", "-D warnings")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    // 3·16·9 + 16·32·9 + 32·64·9 of convolutions, 2·(16 + 32 + 64) of norms, 65·10 of the classifier.
    assert_eq!(text, "Flowers: 24346 parameters\nimages [2, 3, 32, 32]\nlogits [2, 10]\n");
}
