//! Pictures of runs and networks: what is in the files, and what is said when there can be none.

#![allow(clippy::unwrap_used)]

mod workspace;

use std::fs;
use workspace::Workspace;

const MODEL: &str = r#"
model Tiny {
    input image: [1, 8, 8]
    c1: conv(4, 3, padding = 1) -> relu -> avg_pool(2)
    stage: { conv(6, 3) -> relu }
    flatten
    f1: dense(5) -> relu
    fc: dense(10)
    output logits
    train {
        data: mnist("digits")
        transforms: normalize(0.5, 0.5)
        batch: 8
        epochs: 2
    }
}

model Dense {
    input values: [3]
    dense(2)
    output y
}
"#;

/// A folder with a model, data, a picture and the run of a training.
fn trained() -> Workspace {
    let workspace = Workspace::empty();
    workspace.write("tiny.cnn", MODEL);
    workspace.digits("digits", 40, 24);
    let photo = image::RgbImage::from_fn(20, 12, |x, y| image::Rgb([12 * x as u8, 20 * y as u8, 99]));
    photo.save(workspace.path("photo.png")).unwrap();
    workspace.prints(&["train", "tiny.cnn", "--model", "Tiny"]);
    workspace
}

#[test]
fn every_picture_is_drawn() {
    let workspace = trained();
    let weights = ["tiny.cnn", "--model", "Tiny", "--weights", "runs/tiny/best.safetensors"];
    let of_weights = |command, more: &[&'static str]| [&["viz", command][..], &weights, more].concat();
    let features = ["viz", "features", "runs/tiny", "--image", "photo.png"];
    // Of t-SNE there is a dot for each example, and one for each class.
    for (args, said, images, dots, words) in [
        (vec!["viz", "curves", "runs/tiny"], "curves.svg: loss and accuracy of tiny\n", 0, 8, ">validation<"),
        (
            vec!["viz", "curves", "runs/tiny", "runs/tiny/metrics.jsonl", "--steps", "--title", "Two", "-o", "two.svg"],
            "two.svg: loss and accuracy of 2 runs\n",
            0,
            16,
            ">Two<",
        ),
        (vec!["viz", "confusion", "runs/tiny"], "confusion.svg: ", 0, 0, "of 24 examples right<"),
        (of_weights("confusion", &["--data", "mnist:digits"]), "confusion.svg: ", 0, 0, "of 24 examples right<"),
        (vec!["viz", "filters", "runs/tiny"], "filters.svg: the 4 filters of `c1`\n", 4, 0, "c1: 4 filters of 1×3×3"),
        (
            of_weights("filters", &["--layer", "stage.0", "-o", "stage.svg"]),
            "stage.svg: the 6 filters of `stage.0`\n",
            24,
            0,
            "a row for each filter",
        ),
        (features.to_vec(), "features.svg: the values of `c1` for photo.png\n", 5, 0, ">c1, 4×8×8<"),
        (
            [&features[..], &["--layer", "stage", "--layer", "f1", "--layer", "logits"]].concat(),
            "features.svg: the values of `stage`, `f1`, `logits` for photo.png\n",
            9,
            0,
            ">stage, 6×2×2<",
        ),
        (
            vec!["viz", "tsne", "runs/tiny"],
            "tsne.svg: 24 examples by the 5 values before `fc`\n",
            0,
            24 + 3,
            "24 examples",
        ),
        (
            of_weights("tsne", &["--data", "mnist:digits", "--count", "9", "--layer", "c1", "--perplexity", "2"]),
            "tsne.svg: 9 examples by the 256 values of `c1`\n",
            0,
            9 + 3,
            ">2<",
        ),
    ] {
        let output = workspace.run(&args);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(text.starts_with(said), "{args:?}: {text}");
        let svg = fs::read_to_string(workspace.path(text.split(':').next().unwrap())).unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let count = |name| {
            document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", name))).count()
        };
        assert_eq!((count("image"), count("circle")), (images, dots), "{args:?}");
        assert!(svg.contains(words), "{args:?}: {svg}");
    }
    let output = workspace.run(&["viz", "filters", "runs/tiny", "-o", "filters.PNG"]);
    assert!(output.status.success() && fs::read(workspace.path("filters.PNG")).unwrap().starts_with(b"\x89PNG"));
}

/// The examples that a run held back, or its test part.
#[test]
fn what_a_run_has_validated_on_is_drawn() {
    let workspace = trained();
    let train = ["train", "tiny.cnn", "--model", "Tiny", "--validation", "0.25", "--name", "held"];
    let trained_to = workspace.prints(&[&train[..], &["--best", "accuracy"]].concat());
    assert!(trained_to.contains("10 examples, 25.0 % of the training part"), "{trained_to}");
    let drawn = workspace.prints(&["viz", "confusion", "runs/held"]);
    assert!(drawn.contains(" of 10 examples right"), "{drawn}");
    // The same pictures: the matrix is that of the run itself.
    assert_eq!(workspace.read("confusion.svg"), workspace.read("runs/held/confusion.svg"));
}

#[test]
fn the_same_command_draws_the_same_picture() {
    let workspace = trained();
    let tsne = |file| {
        let output = workspace.run(&["viz", "tsne", "runs/tiny", "--count", "15", "--seed", "3", "-o", file]);
        assert!(output.status.success());
        fs::read(workspace.path(file)).unwrap()
    };
    assert_eq!(tsne("a.svg"), tsne("b.svg"));
}

#[test]
fn what_cannot_be_drawn_says_why() {
    let workspace = trained();
    fs::create_dir(workspace.path("empty")).unwrap();
    fs::write(workspace.path("empty/metrics.jsonl"), "").unwrap();
    fs::write(workspace.path("bad.png"), "no picture").unwrap();
    let run = |command, more: &[&'static str]| [&["viz", command, "runs/tiny"][..], more].concat();
    for (args, status, message) in [
        (vec!["viz", "curves", "nothing"], 1, "cannot read nothing: "),
        (vec!["viz", "curves", "empty"], 1, "the run `empty` has no metrics yet"),
        (vec!["viz", "filters", "empty"], 1, "`empty` is not the folder of a run: `empty/config.json`: "),
        (vec!["viz", "filters", "tiny.cnn", "--model", "Tiny"], 1, "the weights are missing: add `--weights FILE`"),
        (vec!["viz", "filters", "tiny.cnn", "-w", "runs/tiny/best.safetensors"], 1, "choose one with `--model NAME`"),
        (run("filters", &["--model", "Dense"]), 1, "`Dense` has no convolution"),
        (run("filters", &["--layer", "C1"]), 1, "`Tiny` has no convolution `C1`; did you mean `c1`?"),
        (run("filters", &["--layer", "backbone"]), 1, "no convolution `backbone`; there are c1, stage.0"),
        (run("filters", &["-w", "photo.png"]), 1, "photo.png"),
        (run("filters", &["-o", "no/where.svg"]), 1, "cannot write `no/where.svg`: "),
        (run("filters", &["-o", "filters.gif"]), 2, "let its name end in .svg or .png"),
        (run("features", &["--image", "bad.png"]), 1, "bad.png: it is neither a PNG nor a JPEG picture"),
        (run("features", &["--image", "photo.png", "--layer", "stag"]), 1, "no layer `stag`; did you mean `stage`?"),
        (
            run("features", &["--image", "photo.png", "--transforms", "resize(4)"]),
            1,
            "`photo.png` cannot be prepared as the weights say",
        ),
        (run("confusion", &["--data", "mnis:digits"]), 1, "`--data`: there are no data `mnis`; "),
        (run("confusion", &["--transforms", "normalise(1)"]), 1, "did you mean `normalize`?"),
        (run("tsne", &["--count", "6000"]), 2, "6000 is not in 1..=5000"),
        (run("tsne", &["--perplexity", "0"]), 1, "the perplexity is 0; "),
        (run("tsne", &["--transforms", "resize([4, 4])"]), 1, "4×4"),
        (run("tsne", &["--model", "Dense"]), 1, "name a layer with `--layer`"),
    ] {
        let output = workspace.run(&args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{args:?}: {text}");
        assert!(text.contains(message), "{args:?}: {text}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}
