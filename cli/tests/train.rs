//! Training as a user does it: what it prints, what it leaves, and its exit status.

#![allow(clippy::unwrap_used)]

use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

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

/// A folder with a model and data of three classes that are easy to tell apart: which third of the picture is bright.
struct Workspace(TempDir);

impl Workspace {
    fn new() -> Self {
        let workspace = Self(TempDir::new().unwrap());
        workspace.write("tiny.cnn", MODEL);
        workspace.digits("digits", 60, 24);
        workspace
    }

    /// Training and test data as MNIST's files.
    fn digits(&self, folder: &str, train: usize, test: usize) {
        fs::create_dir_all(self.path(folder)).unwrap();
        for (part, count) in [("train", train), ("t10k", test)] {
            let labels: Vec<u8> = (0..count).map(|i| (i * 7 % 3) as u8).collect();
            let pixels = |i: usize, label: u8| {
                (0..64).map(move |p| {
                    let noise = ((i * 31 + p * 17) % 60) as u8;
                    if p / 8 * 3 / 8 == usize::from(label) { 190 + noise } else { noise }
                })
            };
            let images: Vec<u8> = labels.iter().enumerate().flat_map(|(i, label)| pixels(i, *label)).collect();
            self.write(&format!("{folder}/{part}-images-idx3-ubyte"), idx(&[count, 8, 8], &images));
            self.write(&format!("{folder}/{part}-labels-idx1-ubyte"), idx(&[count], &labels));
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cnn"));
        let names = ["ISA", "PASSES", "THREADS", "ALGORITHM", "TUNING", "PACKED"];
        command.args(args).current_dir(self.0.path());
        for name in names {
            command.env_remove(format!("CNN_{name}"));
        }
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// What the command prints to the standard output; it must succeed.
    fn prints(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The one message with which the command refuses, with status 1.
    fn refuses(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {text}");
        assert_eq!(text.matches("error").count() - text.matches("os error").count(), 1, "{args:?}: {text}");
        text
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `count` pictures a file in the form of CIFAR-10's binary version; each class has a colour.
    fn cifar10(&self, folder: &str, count: usize) {
        fs::create_dir_all(self.path(folder)).unwrap();
        let record = |i: usize| {
            let label = i * 7 % 10;
            let channels = [label % 3, label / 3 % 3, label / 9];
            let value = move |p: usize| (channels[p / 1024] * 90 + (i * 31 + p * 17) % 60) as u8;
            std::iter::once(label as u8).chain((0..3072).map(value))
        };
        for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"] {
            self.write(&format!("{folder}/{name}.bin"), (0..count).flat_map(record).collect::<Vec<u8>>());
        }
    }

    /// The tensors of a file as bytes.
    fn tensors(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let bytes = fs::read(self.path(name)).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        file.tensors().into_iter().map(|(name, tensor)| (name, tensor.data().to_vec())).collect()
    }
}

fn idx(sizes: &[usize], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| bytes.extend((*size as u32).to_be_bytes()));
    bytes.extend(data);
    bytes
}

#[test]
fn a_network_is_trained_evaluated_and_used() {
    let workspace = Workspace::new();
    let text = workspace.prints(&["train", "tiny.cnn", "--epochs", "20", "--batch", "4"]);
    for part in [
        "network     Tiny, 690 parameters\n",
        "data        mnist:digits: 60 examples of 10 classes",
        "validation  24 examples, the test part of the data",
        "20 epochs of 15 steps, batch 4",
        "run         runs/tiny\n",
        "    1/20  ",
        "to evaluate: cnn eval tiny.cnn --weights runs/tiny/best.safetensors --data mnist:digits\n",
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

    // A run of the same name gets a number, and one that is named so does not begin.
    let tuned = workspace.prints(&[&["train", "tiny.cnn", "--freeze", "0", "--drop-last"], &weights[..]].concat());
    assert!(tuned.contains("2 epochs of 7 steps, batch 8"), "{tuned}");
    assert!(tuned.contains("40 of them frozen") && tuned.contains("runs/tiny-2/"), "{tuned}");
    let frozen = |run: &str| workspace.tensors(&format!("runs/{run}/best.safetensors"))["0.weight"].clone();
    assert_eq!(frozen("tiny"), frozen("tiny-2"));
    assert!(workspace.refuses(&["train", "tiny.cnn", "--name", "tiny"]).contains("there is a run runs/tiny already"));
}

#[test]
fn prediction_prepares_pictures_as_training_did() {
    let workspace = Workspace::new();
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
    let workspace = Workspace::new();
    workspace.cifar10("cifar", 20);
    workspace.write("net.cnn", include_str!("../../models/examples/cifar10.cnn"));
    let train = ["train", "net.cnn", "--data", "cifar10:cifar", "--set", "epochs=6", "--batch", "10"];
    let text = workspace.prints(&[&train[..], &["--threads", "1", "--workers", "1"]].concat());
    assert!(text.contains("100 examples of 10 classes") && text.contains("validation  20 examples"), "{text}");

    // Crop, flip and jitter follow from the seed alone; evaluation keeps what is not random.
    workspace.prints(&[&train[..], &["--threads", "2", "--workers", "3", "--name", "again"]].concat());
    let best = "runs/cifar10net/best.safetensors";
    assert_eq!(workspace.tensors(best), workspace.tensors("runs/again/best.safetensors"));
    let other = ["--transforms", "normalize([0.491, 0.482, 0.447], [0.247, 0.243, 0.262])", "--name", "plain"];
    workspace.prints(&[&train[..], &other].concat());
    assert_ne!(workspace.tensors(best), workspace.tensors("runs/plain/best.safetensors"));
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
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_as_if_it_had_not_been() {
    let workspace = Workspace::new();
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
    assert_eq!(workspace.tensors("runs/cut/last.safetensors"), workspace.tensors("runs/whole/last.safetensors"));
    assert_eq!(workspace.tensors("runs/cut/best.safetensors"), workspace.tensors("runs/whole/best.safetensors"));
    let losses = |run: &str| -> Vec<String> {
        let rows = fs::read_to_string(workspace.path(&format!("runs/{run}/metrics.csv"))).unwrap();
        rows.lines().map(|line| line.split(',').take(5).collect::<Vec<_>>().join(",")).collect()
    };
    assert!(losses("cut") == losses("whole"), "the record of both is the same");

    // The latest run is the one that went on; it has nothing left to do, until it is to be longer.
    assert!(workspace.prints(&["train", "--resume"]).contains("goes on after step 3 000 of 3 000"));
    assert!(workspace.prints(&["train", "--resume", "--epochs", "3"]).contains("finished: 4 500 steps"));
}

#[test]
fn what_cannot_be_trained_is_refused_with_one_message() {
    let workspace = Workspace::new();
    let digits = |folder: &str, name: &str, bytes: Vec<u8>| {
        workspace.digits(folder, 6, 6);
        workspace.write(&format!("{folder}/{name}"), bytes);
    };
    digits("high", "train-labels-idx1-ubyte", idx(&[6], &[0, 1, 2, 0, 1, 77]));
    digits("magic", "train-images-idx3-ubyte", b"\x89PNG\r\n\x1a\n-----------".to_vec());
    digits("short", "train-images-idx3-ubyte", idx(&[6, 8, 8], &[0; 100]));
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
        (&["--data", "mnist:nowhere"], "name the folder with its four files"),
        (&["--data", "fashion-mnist:nowhere"], "apt-get install dataset-fashion-mnist"),
        (&["--data", "folder:photos"], "dogs: this class has no pictures"),
        (&["--data", "folder:bad"], "b.png"),
        (&["--data", "imagenet"], "there are no data `imagenet`"),
        (&["--rate", "0"], "`--rate 0`: the learning rate must be a number above 0"),
        (&["--rate", "-1"], "`--rate -1`: the learning rate must be a number above 0"),
        (&["--optimizer", "adma"], "there is no optimizer `adma`"),
        (&["--transforms", "blur(3)"], "there is no transform `blur`"),
        (&["--batch", "0"], "`--batch 0`: `batch` is 0"),
        (&["--validation", "1"], "`--validation 1`"),
        (&["--freeze", "nothing"], "nothing"),
        (&["--runs", "file"], "cannot write file/tiny"),
        (&["--name", "a/b"], "it is the name of one folder"),
        (&["--weights", "file"], "file"),
        (&["--resume", "file"], "is no run that can go on"),
        (&["--resume"], "has no run of `tiny.cnn` to go on with"),
        (&["--rate", "1e38", "--optimizer", "sgd"], "not finite in step"),
    ] {
        let text = workspace.refuses(&[&["train", "tiny.cnn"], args].concat());
        assert!(text.contains(message), "{args:?}: {text}");
    }
    // What was refused before its first step has left nothing.
    let left: Vec<_> = fs::read_dir(workspace.path("runs")).unwrap().map(|run| run.unwrap().file_name()).collect();
    assert_eq!(left, ["tiny"], "the run that diverged");
}

#[test]
fn a_run_goes_on_with_its_own_model_and_settings() {
    let workspace = Workspace::new();
    workspace.prints(&["train", "tiny.cnn", "--name", "a"]);
    workspace.write("wide.cnn", MODEL.replace("conv(4", "conv(6"));
    let text = workspace.refuses(&["train", "wide.cnn", "--resume", "runs/a", "--epochs", "3"]);
    assert!(text.contains("is of another model") && text.contains("`0.weight`"), "{text}");
    let text = workspace.refuses(&["train", "--resume", "runs/a", "--rate", "0.5"]);
    assert!(text.contains("the run had 0.01 for `rate`"), "{text}");
    let text = workspace.refuses(&["train", "--resume", "runs/a/best.safetensors"]);
    assert!(text.contains("is no checkpoint"), "{text}");

    // Values of the section are shown where they stand.
    workspace.write("bad.cnn", MODEL.replace("mnist(\"digits\")", "imagenet"));
    let text = workspace.refuses(&["train", "bad.cnn"]);
    assert!(text.contains("bad.cnn:8:15") && text.contains("there are no data `imagenet`"), "{text}");
}
