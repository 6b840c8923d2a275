//! Dropout and running statistics are resumed, too, and a step that fails leaves them as they were.

// Tests may panic.
#![allow(clippy::unwrap_used, clippy::panic)]

mod tiny;

use cnn_ir::ops::{BatchNormSpec, Conv2dSpec, DenseSpec, DropoutSpec, FlattenSpec};
use cnn_ir::{Builder, Network, NetworkBuilder};
use cnn_train::{Checkpoint, Error, Event, Recipe, RunFolder, Trainer};
use std::path::Path;
use tiny::{data, recipe, tensors};

fn network() -> Network {
    let mut network = NetworkBuilder::new("Noisy");
    let x = network.input("image", &[1, 6, 6]).unwrap();
    let x = network.layer("conv", Conv2dSpec::new(1, 4, [3, 3]), &[&x]).unwrap();
    let x = network.layer("bn", BatchNormSpec::new(4), &[&x]).unwrap();
    let x = network.layer("dropout", DropoutSpec::new(), &[&x]).unwrap();
    let x = network.layer("flatten", FlattenSpec::new(), &[&x]).unwrap();
    let x = network.layer("fc", DenseSpec::new(64, 3), &[&x]).unwrap();
    network.output("logits", &x).unwrap();
    network.finish().unwrap()
}

fn run(parent: &Path, name: &str, recipe: &Recipe, until: u64) -> Result<Vec<u8>, Error> {
    let path = parent.join(name);
    let mut trainer = Trainer::new(&network(), data(37, 1), recipe.clone())?;
    let folder = if path.exists() {
        let folder = RunFolder::open(&path)?;
        trainer = trainer.resume(Checkpoint::open(folder.last())?);
        folder
    } else {
        RunFolder::create(parent, name)?
    };
    let stop = trainer.stop();
    let stops = move |event: Event<'_>| {
        if let Event::Step(step) = event
            && step.step >= until
        {
            stop.request();
        }
    };
    trainer.folder(folder.clone()).observe(stops).run()?;
    Ok(tensors(&folder.last()))
}

#[test]
fn noise_is_the_same_after_a_resumption() {
    let parent = tempfile::tempdir().unwrap();
    for (name, settings) in [
        ("plain", &[("epochs", "2"), ("validation", "0.2")][..]),
        ("accumulating", &[("epochs", "2"), ("accumulate", "3"), ("threads", "2")]),
    ] {
        let recipe = recipe(settings);
        let whole = run(parent.path(), name, &recipe, u64::MAX).unwrap();
        for until in 1..7 {
            let name = format!("{name}-{until}");
            run(parent.path(), &name, &recipe, until).unwrap();
            assert!(run(parent.path(), &name, &recipe, u64::MAX).unwrap() == whole, "{name}");
        }
        let mut other = recipe.clone();
        other.set("seed", "4").unwrap();
        assert!(run(parent.path(), &format!("{name}-other"), &other, u64::MAX).unwrap() != whole);
    }
}

#[test]
fn a_step_that_fails_leaves_the_running_statistics() {
    let parent = tempfile::tempdir().unwrap();
    let settings = [("optimizer", "sgd"), ("rate", "1e30"), ("accumulate", "3"), ("epochs", "9")];
    let error = run(parent.path(), "run", &recipe(&settings), u64::MAX).unwrap_err();
    let Error::NotFinite { step, kept: Some(kept), .. } = error else { panic!("{error}") };
    assert!(step > 0);
    let mut shorter = recipe(&settings);
    shorter.set("steps", &step.to_string()).unwrap();
    assert!(tensors(&kept) == run(parent.path(), "shorter", &shorter, u64::MAX).unwrap());
}
