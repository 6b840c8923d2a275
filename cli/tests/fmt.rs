//! `cnn fmt` as a user runs it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const UGLY: &str = "model A{input x:[4]\n  relu}// c\n";
const NEAT: &str = "model A {\n    input x: [4]\n    relu\n} // c\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn cnn(folder: &Path, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cnn"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Status, standard output and standard error.
fn fmt(folder: &Path, args: &[&str], input: &str) -> (i32, String, String) {
    let output = cnn(folder, &[&["fmt"], args].concat(), input);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

#[test]
fn folders_are_walked_and_files_changed_where_they_must() {
    let inside: PathBuf = Path::new("deep").join("b.cnn");
    let inside = inside.to_str().unwrap();
    let files = [("a.cnn", NEAT), (inside, UGLY), ("a.txt", UGLY), (".hidden/c.cnn", UGLY), ("target/d.cnn", UGLY)];
    let folder = folder(&files);
    let before = fs::metadata(folder.path().join("a.cnn")).unwrap().modified().unwrap();
    let (status, out, errors) = fmt(folder.path(), &["."], "");
    assert_eq!((status, errors.as_str()), (0, ""));
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.contains(inside), "{out}");
    assert_eq!(read(&folder, inside), NEAT);
    for (name, text) in files.iter().filter(|(name, _)| *name != inside) {
        assert_eq!(read(&folder, name), *text, "{name}");
    }
    assert_eq!(fs::metadata(folder.path().join("a.cnn")).unwrap().modified().unwrap(), before);
    assert_eq!(fmt(folder.path(), &["."], "").1, "");
}

#[test]
fn check_shows_the_difference_and_changes_nothing() {
    let folder = folder(&[("a.cnn", UGLY), ("b.cnn", NEAT)]);
    let (status, out, errors) = fmt(folder.path(), &["--check", "a.cnn", "b.cnn"], "");
    assert_eq!(status, 1);
    assert!(
        out.contains("-model A{input x:[4]") && out.contains("+    input x: [4]") && !out.contains("b.cnn"),
        "{out}"
    );
    assert_eq!(errors, "error: 1 file is not formatted: run `cnn fmt` without `--check`\n");
    assert_eq!(read(&folder, "a.cnn"), UGLY);
    assert_eq!(fmt(folder.path(), &["--check", "b.cnn"], ""), (0, String::new(), String::new()));
}

#[test]
fn the_standard_input_goes_to_the_standard_output() {
    let folder = TempDir::new().unwrap();
    assert_eq!(fmt(folder.path(), &["-"], UGLY), (0, NEAT.to_owned(), String::new()));
    assert_eq!(fmt(folder.path(), &["-"], NEAT), (0, NEAT.to_owned(), String::new()));
    assert_eq!(fmt(folder.path(), &["-", "--check"], NEAT), (0, String::new(), String::new()));
    assert_eq!(fmt(folder.path(), &["-", "--check"], UGLY).0, 1);
    let (status, out, errors) = fmt(folder.path(), &["-"], "model A {");
    assert!(status == 1 && out.is_empty() && errors.contains("cnn::unbalanced"), "{errors}");
}

#[test]
fn a_file_with_errors_stays_and_the_others_are_formatted() {
    let broken = "model A { input x: [4] relu( }";
    let folder = folder(&[("a.cnn", broken), ("b.cnn", UGLY), ("c.cnn", "model C { input x: [4] rleu }")]);
    fs::write(folder.path().join("d.cnn"), b"\xff\x00").unwrap();
    let (status, out, errors) = fmt(folder.path(), &["missing.cnn", "."], "");
    assert_eq!(status, 1);
    assert!(
        errors.contains("missing.cnn") && errors.contains("unbalanced") && errors.contains("not a text"),
        "{errors}"
    );
    assert!(
        !errors.contains("rleu") && !errors.contains("not formatted"),
        "an unknown layer is no syntax error: {errors}"
    );
    assert_eq!(out.lines().count(), 2, "{out}");
    assert_eq!(read(&folder, "a.cnn"), broken);
    assert_eq!(read(&folder, "b.cnn"), NEAT);
}

#[cfg(unix)]
#[test]
fn rights_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder(&[("a.cnn", UGLY)]);
    let path = folder.path().join("a.cnn");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(fmt(folder.path(), &["a.cnn"], "").0, 0);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(read(&folder, "a.cnn"), NEAT);
}
