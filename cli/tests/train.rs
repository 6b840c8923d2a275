//! Training as a user does it: what it prints, what it leaves, and its exit status.

#![allow(clippy::unwrap_used)]

mod workspace;

use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::fs;
#[cfg(unix)]
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};
use workspace::{Workspace, idx, stderr};

const MODEL: &str = r#"
model Tiny {
    input image: [1, 8, 8]
    conv(4, kernel = 3, padding = 1) -> sigmoid -> avg_pool(2) -> flatten
    fc: dense(10)
    output logits
    train {
        data: mnist("digits")
        optimizer: adam
        rate: 0.01
        batch: 8
        epochs: 2
        seed: 1
    }
}
"#;

/// A folder with the model and its data.
fn tiny() -> Workspace {
    let workspace = Workspace::empty();
    workspace.write("tiny.cnn", MODEL);
    workspace.digits("digits", 60, 24);
    workspace
}

/// `count` pictures a file in the form of CIFAR-10's binary version; each class has a colour.
fn cifar10(workspace: &Workspace, folder: &str, count: usize) {
    fs::create_dir_all(workspace.path(folder)).unwrap();
    let record = |i: usize| {
        let label = i * 7 % 10;
        let channels = [label % 3, label / 3 % 3, label / 9];
        let value = move |p: usize| (channels[p / 1024] * 90 + (i * 31 + p * 17) % 60) as u8;
        std::iter::once(label as u8).chain((0..3072).map(value))
    };
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"] {
        workspace.write(&format!("{folder}/{name}.bin"), (0..count).flat_map(record).collect::<Vec<u8>>());
    }
}

/// The tensors of a file as bytes.
fn tensors(workspace: &Workspace, name: &str) -> BTreeMap<String, Vec<u8>> {
    let bytes = fs::read(workspace.path(name)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors().into_iter().map(|(name, tensor)| (name, tensor.data().to_vec())).collect()
}

#[test]
fn a_network_is_trained_evaluated_and_used() {
    let workspace = tiny();
    let text = workspace.prints(&["train", "tiny.cnn", "--epochs", "20", "--batch", "4"]);
    for part in [
        "network     Tiny, 690 parameters\n",
        "data        60 examples of 10 classes from mnist:/",
        "validation  24 examples, the test part of the data",
        "20 epochs of 15 steps, batch 4",
        "run         runs/tiny\n",
        "    1/20  ",
        "to evaluate: cnn eval runs/tiny\nto predict:  cnn predict runs/tiny PICTURE\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for name in
        ["config.json", "tiny.cnn", "metrics.csv", "metrics.jsonl", "curves.svg", "confusion.svg", "last.safetensors"]
    {
        assert!(workspace.path("runs/tiny").join(name).is_file(), "{name}");
    }
    let rows = fs::read_to_string(workspace.path("runs/tiny/metrics.csv")).unwrap();
    assert_eq!(rows.lines().filter(|line| line.contains(",validation,")).count(), 20, "{rows}");
    let parsed = |name| roxmltree::Document::parse(&fs::read_to_string(workspace.path(name)).unwrap()).is_ok();
    assert!(parsed("runs/tiny/curves.svg") && parsed("runs/tiny/confusion.svg"));

    let eval = ["eval", "tiny.cnn", "--weights", "runs/tiny/best.safetensors", "--data", "mnist:digits", "--json"];
    let scores: serde_json::Value = serde_json::from_str(&workspace.prints(&eval)).unwrap();
    assert_eq!((&scores["accuracy"], &scores["examples"], &scores["split"]), (&1.0.into(), &24.into(), &"test".into()));
    let all = workspace.prints(&[&eval[..6], &["--split", "all", "--confusion", "c.svg"]].concat());
    assert!(all.contains("of 84 examples") && parsed("c.svg"), "{all}");
    let last = workspace.prints(&["eval", "tiny.cnn", "--weights", "runs/tiny/last.safetensors"]);
    assert!(last.contains("of 24 examples"), "{last}");

    let weights = ["--weights", "runs/tiny/best.safetensors"];
    let found =
        workspace.prints(&[&["lr-find", "tiny.cnn", "--steps", "40", "--svg", "lr.svg"], &weights[..]].concat());
    assert!(found.contains("smoothed") && parsed("lr.svg"), "{found}");

    for (range, message) in [
        (&["--steps", "100"][..], " bring it from 2."),
        (&["--to", "1e-4"], "at most, too little to suggest a rate: raise `--steps`"),
        (&["--from", "1e10", "--to", "1e30", "--steps", "20"], "the loss rises before it has fallen by 20.0 %"),
    ] {
        let found = workspace.prints(&[&["lr-find", "tiny.cnn"], range].concat());
        let rows = found.lines().take_while(|line| !line.is_empty());
        assert!(found.contains(message) && rows.into_iter().all(|row| row.len() == 34), "{range:?}: {found}");
    }

    for drawn in [[&eval[..6], &["--confusion", "c.png"]].concat(), vec!["lr-find", "tiny.cnn", "--svg", "c.PNG"]] {
        workspace.prints(&drawn);
        let name = drawn.last().unwrap();
        assert!(fs::read(workspace.path(name)).unwrap().starts_with(b"\x89PNG"), "{drawn:?}");
        let gif = workspace.run(&[&drawn[..drawn.len() - 1], &["c.gif"]].concat());
        assert!(gif.status.code() == Some(2) && stderr(&gif).contains("let its name end in .svg or .png"), "{gif:?}");
    }

    // A run of the same name gets a number, and one that is named so does not begin.
    let tuned = workspace.prints(&[&["train", "tiny.cnn", "--freeze", "0", "--drop-last"], &weights[..]].concat());
    assert!(tuned.contains("2 epochs of 7 steps, batch 8"), "{tuned}");
    assert!(tuned.contains("40 of them frozen") && tuned.contains("runs/tiny-2/"), "{tuned}");
    let frozen = |run: &str| tensors(&workspace, &format!("runs/{run}/best.safetensors"))["0.weight"].clone();
    assert_eq!(frozen("tiny"), frozen("tiny-2"));
    assert!(workspace.refuses(&["train", "tiny.cnn", "--name", "tiny"]).contains("there is a run runs/tiny already"));
}

#[test]
fn prediction_prepares_pictures_as_training_did() {
    let workspace = tiny();
    let train = ["train", "tiny.cnn", "--epochs", "20", "--transforms", "normalize(0.4, 0.3)"];
    workspace.prints(&train);
    // The middle third is bright; as a photo of twice the size, in colour.
    let picture =
        image::RgbImage::from_fn(16, 16, |_, y| image::Rgb(if (6..12).contains(&y) { [220; 3] } else { [30; 3] }));
    picture.save(workspace.path("one.png")).unwrap();
    let predict = ["predict", "tiny.cnn", "--weights", "runs/tiny/best.safetensors", "one.png", "--json"];
    let line: serde_json::Value = serde_json::from_str(&workspace.prints(&predict)).unwrap();
    assert_eq!(line["predictions"][0]["index"], 1, "{line}");
    let sure = |line: &serde_json::Value| line["predictions"][0]["probability"].as_f64().unwrap();
    let asked = [&predict[..], &["--mean", "0.4", "--std", "0.3"]].concat();
    let asked: serde_json::Value = serde_json::from_str(&workspace.prints(&asked)).unwrap();
    assert!((sure(&line) - sure(&asked)).abs() < 0.02, "{line} {asked}");
}

#[test]
fn files_of_cifar10_are_trained_on_with_augmentation() {
    let workspace = Workspace::empty();
    cifar10(&workspace, "cifar", 20);
    workspace.write("net.cnn", include_str!("../../models/examples/cifar10.cnn"));
    let train = ["train", "net.cnn", "--data", "cifar10:cifar", "--set", "epochs=6", "--batch", "10"];
    let text = workspace.prints(&[&train[..], &["--threads", "1", "--workers", "1"]].concat());
    assert!(text.contains("100 examples of 10 classes") && text.contains("validation  20 examples"), "{text}");

    // Crop, flip and jitter follow from the seed alone; evaluation keeps what is not random.
    workspace.prints(&[&train[..], &["--threads", "2", "--workers", "3", "--name", "again"]].concat());
    let best = "runs/cifar10net/best.safetensors";
    assert_eq!(tensors(&workspace, best), tensors(&workspace, "runs/again/best.safetensors"));
    let other = ["--transforms", "normalize([0.491, 0.482, 0.447], [0.247, 0.243, 0.262])", "--name", "plain"];
    workspace.prints(&[&train[..], &other].concat());
    assert_ne!(tensors(&workspace, best), tensors(&workspace, "runs/plain/best.safetensors"));
    let eval = ["eval", "net.cnn", "--weights", best, "--data", "cifar10:cifar", "--json"];
    let scores: serde_json::Value = serde_json::from_str(&workspace.prints(&eval)).unwrap();
    assert_eq!(scores["transforms"], format!("center_crop(32) -> {}", other[1]), "{scores}");
    assert!(scores["accuracy"].as_f64().unwrap() > 0.8, "{scores}");
}

/// Sends SIGINT once the run has made some steps.
#[cfg(unix)]
fn interrupt(workspace: &Workspace, run: &str, child: Child) -> Output {
    let rows = workspace.path(&format!("runs/{run}/metrics.jsonl"));
    let started = Instant::now();
    while fs::read_to_string(&rows).map_or(0, |text| text.lines().count()) < 5 {
        assert!(started.elapsed() < Duration::from_secs(60), "the run has not begun");
        std::thread::sleep(Duration::from_millis(2));
    }
    send_interrupt(&child);
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
fn send_interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_as_if_it_had_not_been() {
    let workspace = tiny();
    workspace.digits("digits", 6000, 24);
    let train = ["train", "tiny.cnn", "--log-every", "1", "--epochs", "2", "--batch", "4", "--threads", "1"];
    workspace.prints(&[&train[..], &["--name", "whole"]].concat());

    let output = interrupt(&workspace, "cut", workspace.start(&[&train[..], &["--name", "cut"]].concat()));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("interrupted after step") && text.contains("cnn train --resume runs/cut\n"), "{text}");
    assert!(!workspace.path("runs/cut/confusion.svg").exists());

    // The run has its own model: the file is no longer needed.
    fs::remove_file(workspace.path("tiny.cnn")).unwrap();
    let text = workspace.prints(&["train", "--resume", "runs/cut", "--threads", "2"]);
    assert!(text.contains("goes on after step") && text.contains("finished: 3 000 steps"), "{text}");
    assert_eq!(tensors(&workspace, "runs/cut/last.safetensors"), tensors(&workspace, "runs/whole/last.safetensors"));
    assert_eq!(tensors(&workspace, "runs/cut/best.safetensors"), tensors(&workspace, "runs/whole/best.safetensors"));
    let losses = |run: &str| -> Vec<String> {
        let rows = fs::read_to_string(workspace.path(&format!("runs/{run}/metrics.csv"))).unwrap();
        rows.lines().map(|line| line.split(',').take(5).collect::<Vec<_>>().join(",")).collect()
    };
    assert!(losses("cut") == losses("whole"), "the record of both is the same");

    // The latest run is the one that went on; it has nothing left to do, until it is to be longer.
    let files = || -> BTreeMap<_, _> {
        let files = fs::read_dir(workspace.path("runs/cut")).unwrap().map(|file| file.unwrap().path());
        files.map(|file| (file.clone(), fs::read(file).unwrap())).collect()
    };
    let before = files();
    // As a process leaves it that is killed behind its last checkpoint.
    for picture in ["curves.svg", "confusion.svg"] {
        fs::remove_file(workspace.path("runs/cut").join(picture)).unwrap();
    }
    let text = workspace.prints(&["train", "--resume"]);
    assert!(
        text.contains("the run is finished after 3 000 steps: all of it is done, and no state was changed\n"),
        "{text}"
    );
    assert!(text.ends_with("to train on: cnn train --resume runs/cut --epochs 4\n"), "{text}");
    assert!(files() == before);
    assert!(workspace.prints(&["train", "--resume", "--epochs", "3"]).contains("finished: 4 500 steps"));
    let config: serde_json::Value = serde_json::from_str(&workspace.read("runs/cut/config.json")).unwrap();
    let length = &config["recipe"]["length"]["epochs"];
    assert_eq!(
        (length, &config["source"]["data"]),
        (&3.into(), &format!("mnist:{}", workspace.path("digits").canonicalize().unwrap().display()).into())
    );
}

/// A step of this takes seconds, so that the second Ctrl-C comes before its end.
#[cfg(unix)]
#[test]
fn a_second_interruption_ends_the_run_at_once() {
    let workspace = tiny();
    workspace.write("slow.cnn", MODEL.replace("conv(4", "conv(400, kernel = 3, padding = 1) -> conv(400"));
    workspace.digits("digits", 1200, 6);
    let settings = ["--batch", "400", "--checkpoint-every", "1", "--epochs", "99", "--threads", "1"];
    let mut child = workspace.start(&[&["train", "slow.cnn"], &settings[..]].concat());
    let last = workspace.path("runs/tiny/last.safetensors");
    let started = Instant::now();
    while !last.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "there is no checkpoint");
        std::thread::sleep(Duration::from_millis(2));
    }
    let before = fs::read(&last).unwrap();
    // Who works on the run keeps others away.
    let text = workspace.refuses(&["train", "--resume", "runs/tiny"]);
    assert!(text.contains("another process works on the run runs/tiny; wait until it ends"), "{text}");

    send_interrupt(&child);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().starts_with("interrupted: the step is finished")));
    send_interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("interrupted after step"), "the step was not finished");
    let after = fs::read(&last).unwrap();
    assert!(before == after || SafeTensors::deserialize(&after).is_ok(), "the checkpoint is whole");
    // Nobody holds the run any more.
    let text = workspace.refuses(&["train", "--resume", "runs/tiny", "--rate", "0.5"]);
    assert!(text.contains("the run had 0.01 for `rate`"), "{text}");
}

#[test]
fn what_cannot_be_trained_is_refused_with_one_message() {
    let workspace = tiny();
    let digits = |folder: &str, name: &str, bytes: Vec<u8>| {
        workspace.digits(folder, 6, 6);
        workspace.write(&format!("{folder}/{name}"), bytes);
    };
    digits("high", "train-labels-idx1-ubyte", idx(&[6], &[0, 1, 2, 0, 1, 77]));
    digits("magic", "train-images-idx3-ubyte", b"\x89PNG\r\n\x1a\n-----------".to_vec());
    digits("short", "train-images-idx3-ubyte", idx(&[6, 8, 8], &[0; 100]));
    digits("none", "train-images-idx3-ubyte", idx(&[0, 8, 8], &[]));
    digits("other", "train-images-idx3-ubyte", idx(&[6, 9, 9], &[0; 6 * 81]));
    fs::create_dir_all(workspace.path("photos/cats")).unwrap();
    fs::create_dir_all(workspace.path("photos/dogs")).unwrap();
    image::GrayImage::new(8, 8).save(workspace.path("photos/cats/a.png")).unwrap();
    fs::create_dir_all(workspace.path("bad/cats")).unwrap();
    image::GrayImage::new(8, 8).save(workspace.path("bad/cats/a.png")).unwrap();
    workspace.write("bad/cats/b.png", "no picture");
    workspace.write("file", "");

    for (args, message) in [
        (&["--data", "mnist:high"][..], "the label of example 5 is 77, and there are 10 classes"),
        (&["--data", "mnist:magic"], "it is no IDX file"),
        (&["--data", "mnist:short"], "it is too short"),
        (&["--data", "mnist:other"], "the pictures are 1×9×9 after the transforms; add `resize([8, 8])`"),
        (&["--data", "mnist:nowhere"], "name the folder with its four files; `python3 -c"),
        (&["--data", "fashion-mnist:nowhere"], "apt-get install dataset-fashion-mnist"),
        (&["--data", "folder:photos"], "dogs: this class has no pictures"),
        (&["--data", "folder:bad"], "or leave such pictures out with `--skip-bad`"),
        (&["--data", "mnist:none"], "train-images-idx3-ubyte: it has no pictures"),
        (&["--data", "imagenet"], "there are no data `imagenet`"),
        (&["--rate", "0"], "`--rate 0`: the learning rate must be a number above 0"),
        (&["--rate", "-1"], "`--rate -1`: the learning rate must be a number above 0"),
        (&["--optimizer", "adma"], "there is no optimizer `adma`"),
        (&["--transforms", "blur(3)"], "there is no transform `blur`"),
        (&["--batch", "0"], "`--batch 0`: `batch` is 0"),
        (&["--validation", "1"], "it is the share of the examples that is held back"),
        (&["--drop-last=maybe"], "`--drop-last maybe`: `drop_last` is `maybe`; it is `true` or `false`"),
        (&["--freeze", "nothing"], "nothing"),
        (&["--runs", "file"], "file is a file, and a folder is wanted there"),
        (&["--loss", "cross_entropy(weight = [1, 2])"], "the list of class weights has 2 elements where"),
        (&["--schedule", "one_cycle"], "`total` of `one_cycle` must be given"),
        (&["--schedule", "one_cycle(total = 2)"], "that ends after 2 of the run's"),
        (&["--name", "a/b"], "it is the name of one folder"),
        (&["--weights", "file"], "file"),
        (&["--resume", "runs/a", "--name", "b"], "both name the run"),
        (&["--loss", "cross_entropy(weight = [1, 2])"], "class weights has 2 elements where 10 are needed"),
        (&["--workers", "1000"], "`--workers 1000`: `workers` is 1000; it is at most 256"),
        (&["--seed", "-1"], "`--seed -1`: `seed` is `-1`; it is a whole number from 0"),
        (&["--epochs", "99999999999999999999"], "no number is so large here"),
        (&["--resume", "file"], "is not the folder of a run"),
        (&["--resume"], "has no run of `tiny.cnn` to go on with"),
    ] {
        let text = workspace.refuses(&[&["train", "tiny.cnn"], args].concat());
        assert!(text.contains(message), "{args:?}: {text}");
        assert_eq!(text.matches("error").count() - text.matches("os error").count(), 1, "{args:?}: {text}");
    }
    // What was refused before its first step has left nothing.
    assert!(!workspace.path("runs").exists());
    let diverged = workspace.run(&["train", "tiny.cnn", "--rate", "1e38", "--optimizer", "sgd"]);
    assert!(diverged.status.code() == Some(1) && stderr(&diverged).contains("not finite in step"), "{diverged:?}");
}

#[test]
fn a_run_goes_on_with_its_own_model_and_settings() {
    let workspace = tiny();
    workspace.prints(&["train", "tiny.cnn", "--name", "a"]);
    workspace.write("wide.cnn", MODEL.replace("conv(4", "conv(6"));
    let text = workspace.refuses(&["train", "wide.cnn", "--resume", "runs/a", "--epochs", "3"]);
    assert!(text.contains("is of another model") && text.contains("`0.weight`"), "{text}");
    workspace.write("tanh.cnn", MODEL.replace("sigmoid", "tanh"));
    let text = workspace.refuses(&["train", "tanh.cnn", "--resume", "runs/a", "--epochs", "3"]);
    assert!(text.contains("`1: Sigmoid (0) -> ") && text.contains("and this one has `1: Tanh (0) -> "), "{text}");
    let text = workspace.refuses(&["train", "--resume", "runs/a", "--rate", "0.5"]);
    assert!(text.contains("the run had 0.01 for `rate`"), "{text}");
    let text = workspace.refuses(&["train", "--resume", "runs/a/best.safetensors"]);
    assert!(text.contains("is no checkpoint"), "{text}");
    for (name, args) in [
        ("last.safetensors", &["train", "--resume", "runs/a", "--epochs", "3"][..]),
        ("last.safetensors", &["eval", "tiny.cnn", "--weights", "runs/a/last.safetensors"]),
        ("best.safetensors", &["eval", "tiny.cnn", "--weights", "runs/a/best.safetensors"]),
    ] {
        let path = workspace.path(&format!("runs/a/{name}"));
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 1;
        fs::write(&path, damaged).unwrap();
        assert!(workspace.refuses(args).contains("is damaged: its bytes are not those that were written"), "{args:?}");
        fs::write(&path, whole).unwrap();
    }

    fs::remove_file(workspace.path("runs/a/last.safetensors")).unwrap();
    assert!(
        workspace.refuses(&["train", "tiny.cnn", "--name", "a"]).contains("there is a run"),
        "best weights are kept"
    );
    assert!(workspace.refuses(&["train", "--resume", "runs/a"]).contains("train anew from `best.safetensors`"));
    fs::remove_file(workspace.path("runs/a/best.safetensors")).unwrap();
    assert!(workspace.refuses(&["train", "--resume", "runs/a"]).contains("it ended before its first checkpoint"));
    assert!(workspace.prints(&["train", "tiny.cnn", "--name", "a"]).contains("finished: "), "the name is free");

    // A model's file may be called as one of the run's is.
    workspace.write("config.json", MODEL);
    workspace.prints(&["train", "config.json", "--name", "b"]);
    assert!(workspace.prints(&["train", "--resume", "runs/b", "--epochs", "3"]).contains("finished: 24 steps"));

    // Values of the section are shown where they stand.
    workspace.write("bad.cnn", MODEL.replace("mnist(\"digits\")", "imagenet"));
    let text = workspace.refuses(&["train", "bad.cnn"]);
    assert!(text.contains("bad.cnn:8:15") && text.contains("there are no data `imagenet`"), "{text}");
    workspace.write("bad.cnn", MODEL.replace("rate: 0.01", "transforms: rgb -> resize(3, 4)"));
    let text = workspace.refuses(&["train", "bad.cnn"]);
    assert!(text.contains("]: `resize` has fewer parameters; it has size") && text.contains("bad.cnn:10:21"), "{text}");
}
