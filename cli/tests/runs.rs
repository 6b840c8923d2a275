//! What other commands make of a run's folder, wherever they are started.

#![allow(clippy::unwrap_used)]

mod workspace;

use serde_json::Value;
use std::fs;
use workspace::{Workspace, stderr};

const MODEL: &str = r#"
model Tiny(classes: int = 10) {
    input image: [1, 8, 8]
    flatten
    fc: dense(classes)
    output logits
    train { data: mnist("digits") drop_last: true transforms: normalize(0.5, (0.25)) batch: 8 epochs: 2 }
}
"#;

/// Pictures of `names` in folders, each class of one grey.
fn photos(workspace: &Workspace, folder: &str, names: &[&str]) {
    for (class, name) in names.iter().enumerate() {
        fs::create_dir_all(workspace.path(&format!("{folder}/{name}"))).unwrap();
        for number in 0..4u8 {
            let grey = image::Luma([(class * 100) as u8 + number]);
            let path = workspace.path(&format!("{folder}/{name}/{number}.png"));
            image::GrayImage::from_pixel(8, 8, grey).save(path).unwrap();
        }
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The commands that a run prints at its end work in the folder where it was started.
#[test]
fn a_run_is_all_that_commands_need() {
    let workspace = Workspace::empty();
    fs::create_dir_all(workspace.path("my models")).unwrap();
    workspace.write("my models/tiny.cnn", MODEL);
    workspace.digits("my models/digits", 60, 24);
    let text = workspace.prints(&["train", "my models/tiny.cnn", "--runs", "my runs", "--set", "classes=12"]);
    assert!(text.contains("2 epochs of 7 steps"), "{text}");
    let printed = |head: &str, text: &str| -> Vec<String> {
        let line = text.lines().find_map(|line| line.strip_prefix(head)).unwrap_or_else(|| panic!("{head}: {text}"));
        line.split('\'')
            .enumerate()
            .flat_map(|(at, part)| match at % 2 {
                0 => part.split_whitespace().map(str::to_owned).collect(),
                _ => vec![part.to_owned()],
            })
            .skip(1)
            .collect()
    };
    let words = |head| printed(head, &text);
    fn run(workspace: &Workspace, words: &[String], more: &[&str]) -> String {
        workspace.prints(&words.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>())
    }
    let scores = parsed(&run(&workspace, &words("to evaluate: "), &["--json"]));
    assert_eq!((&scores["examples"], &scores["split"]), (&24.into(), &"test".into()), "{scores}");
    assert_eq!(scores["transforms"], "normalize(0.5, 0.25)");
    image::GrayImage::new(8, 8).save(workspace.path("one.png")).unwrap();
    let mut predict = words("to predict:  ");
    assert_eq!(predict.pop().unwrap(), "PICTURE");
    assert!(run(&workspace, &predict, &["one.png", "--top", "12"]).contains("class 11\n"));
    assert!(run(&workspace, &words("to train on: "), &[]).contains("finished: 28 steps"));

    // The same from another folder, with another part, and without the model's file.
    fs::remove_file(workspace.path("my models/tiny.cnn")).unwrap();
    fs::create_dir_all(workspace.path("else/where")).unwrap();
    let there = |args: &[&str]| {
        let output = workspace.command(args).current_dir(workspace.path("else/where")).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let folder = "../../my runs/tiny";
    assert_eq!(parsed(&there(&["eval", folder, "--split", "all", "--json"]))["examples"], 84);
    assert!(there(&["viz", "confusion", folder]).contains("of 24 examples right"));
    let text = there(&["train", "--resume", folder, "--epochs", "5"]);
    assert!(text.contains("finished: 35 steps") && text.contains("cnn eval '../../my runs/tiny'\n"), "{text}");
    // Data named from there are found from here.
    there(&["train", "--resume", folder, "--epochs", "6", "--data", "mnist:../../my models/digits"]);
    assert!(workspace.prints(&["train", "--resume", "my runs/tiny", "--epochs", "7"]).contains("finished: 49 steps"));
}

#[test]
fn a_model_is_evaluated_as_before_and_what_is_missing_is_said() {
    let workspace = Workspace::empty();
    workspace.write("tiny.cnn", MODEL);
    workspace.digits("digits", 60, 24);
    // The option goes before the section.
    let text = workspace.prints(&["train", "tiny.cnn", "--drop-last=false", "--validation", "0.25", "--name", "a"]);
    assert!(text.contains("2 epochs of 6 steps"), "{text}");
    let weights = ["-w", "runs/a/last.safetensors"];
    // The model's section names the data.
    let scores = parsed(&workspace.prints(&[&["eval", "tiny.cnn", "--json"], &weights[..]].concat()));
    assert_eq!((&scores["examples"], &scores["data"]), (&24.into(), &"mnist:digits".into()));
    for name in ["young", "moved"] {
        fs::create_dir(workspace.path(&format!("runs/{name}"))).unwrap();
        for file in ["config.json", "tiny.cnn", "last.safetensors"] {
            let copy = fs::read(workspace.path(&format!("runs/a/{file}"))).unwrap();
            workspace.write(&format!("runs/{name}/{file}"), copy);
        }
    }
    let config = workspace.read("runs/a/config.json").replace("/digits\"", "/gone\"");
    workspace.write("runs/moved/config.json", config);
    workspace.write("runs/moved/best.safetensors", fs::read(workspace.path("runs/a/best.safetensors")).unwrap());
    for (args, message) in [
        (&["eval", "tiny.cnn"][..], "the weights are missing: add `--weights FILE`, or give a run's folder"),
        (&["predict", "tiny.cnn", "a.png"], "the weights are missing"),
        (&["eval", "digits"], "`digits` is not the folder of a run"),
        (&["eval", "runs/a/best.safetensors"], "runs/a/best.safetensors` is weights"),
        (&["eval", "runs/young"], "the run `runs/young` has no best weights, as no epoch of it is over"),
        (&["eval", "runs/moved"], "no `t10k-images-idx3-ubyte` or"),
        (&["eval", "runs/moved"], "if the data of the run have moved, name them with `--data`"),
        (&["train", "--resume", "runs/moved"], "name them with `--data`"),
        (&["eval", "runs/b"], "there is no `runs/b`: name the folder of a run"),
    ] {
        let text = workspace.refuses(args);
        assert!(text.contains(message), "{args:?}: {text}");
    }
}

/// Of data without a test part, what was held back is evaluated on, and classes without examples have no name.
#[test]
fn fewer_classes_than_outputs_are_told_and_keep_their_names() {
    let workspace = Workspace::empty();
    workspace.write("tiny.cnn", MODEL);
    photos(&workspace, "photos", &["cat", "dog", "emu"]);
    let train = ["train", "tiny.cnn", "--data", "folder:photos", "--transforms", "grayscale", "--batch", "4"];
    let output = workspace.run(&[&train[..], &["--validation", "0.25", "--epochs", "40"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let warning = "warning: `logits` tells 10 classes apart, and the data have 3: the others never occur;";
    assert_eq!(stderr(&output).matches(warning).count(), 1, "{}", stderr(&output));
    for weights in ["best", "last"] {
        let weights = format!("runs/tiny/{weights}.safetensors");
        let args = ["predict", "runs/tiny", "-w", &weights, "photos/emu/0.png", "--top", "10"];
        let text = workspace.prints(&args);
        assert!(text.lines().nth(1).unwrap().ends_with("emu"), "{text}");
        assert!(text.contains("class 3\n") && text.contains("cat\n") && !text.contains("class 0"), "{text}");
    }
    let scores = parsed(&workspace.prints(&["eval", "runs/tiny", "--json"]));
    assert_eq!((&scores["examples"], &scores["split"]), (&3.into(), &"validation".into()), "{scores}");
    assert_eq!((&scores["classes"][2]["name"], &scores["classes"][3]["name"]), (&"emu".into(), &"3".into()));
    // As many classes as outputs are nothing to speak of.
    let quiet = workspace.run(&[&train[..], &["--set", "classes=3"]].concat());
    assert_eq!((stderr(&quiet), quiet.status.success()), (String::new(), true));
}
