//! A run that was stopped and resumed ends with the same bits as one that was not.

// Tests may panic.
#![allow(clippy::unwrap_used, clippy::panic)]

mod tiny;

use cnn_train::record::{Phase, read_rows};
use cnn_train::{Checkpoint, Ended, Event, Progress, Recipe, RunFolder, Trainer};
use std::collections::BTreeMap;
use std::path::Path;
use tiny::{data, recipe, tensors, trainer};

/// Settings that make state of every kind, and the run's steps.
const RUNS: &[(&[(&str, &str)], u64)] = &[
    (&[("optimizer", "sgd(momentum = 0.9, nesterov = true)"), ("validation", "0.2")], 18),
    (
        &[
            ("clip", "norm(max = 0.1)"),
            ("accumulate", "3"),
            ("schedule", "warmup(4) -> cosine(total = 5)"),
            ("schedule_per", "step"),
        ],
        9,
    ),
    (
        &[
            ("optimizer", "rmsprop(momentum = 0.5, centered = true)"),
            ("accumulate", "2"),
            ("drop_last", "true"),
            ("steps", "11"),
        ],
        11,
    ),
    (
        &[
            ("optimizer", "adamw"),
            ("schedule", "reduce_on_plateau(patience = 0, threshold = 0.5)"),
            ("validation", "0.3"),
            ("transforms", "random_crop(6, padding = 1) -> normalize(0.5, 0.3)"),
            ("checkpoint_every", "2"),
        ],
        18,
    ),
    (
        &[
            ("optimizer", "adagrad"),
            ("freeze", "conv"),
            ("weight_decay", "0.1"),
            ("shuffle", "false"),
            ("log_every", "3"),
        ],
        24,
    ),
];

/// Runs in a folder, new or not, and stops after so many steps of the run, or never.
fn run(folder: &Path, recipe: &Recipe, until: u64) -> (Ended, Progress) {
    let is_new = !folder.exists();
    let (parent, name) = (folder.parent().unwrap(), folder.file_name().unwrap().to_str().unwrap());
    let run = if is_new { RunFolder::create(parent, name) } else { RunFolder::open(folder) }.unwrap();
    let mut trainer = trainer(recipe);
    if !is_new {
        trainer = trainer.resume(Checkpoint::open(run.last()).unwrap());
    }
    let stop = trainer.stop();
    let stops = move |event: Event<'_>| {
        if let Event::Step(step) = event
            && step.step >= until
        {
            stop.request();
        }
    };
    let outcome = trainer.folder(run).observe(stops).run().unwrap();
    (outcome.ended, outcome.progress)
}

/// What must be the same: all but the times.
fn state(folder: &Path) -> (Vec<u8>, String) {
    let checkpoint = Checkpoint::open(folder.join("last.safetensors")).unwrap();
    let p = checkpoint.progress();
    let progress = (p.step, p.epoch, p.example, p.is_unvalidated, &p.plateau, p.best, p.no_better);
    let rows = read_rows(folder).unwrap().into_iter();
    let rows: Vec<_> = rows.map(|row| (row.step, row.epoch, row.phase, row.loss, row.accuracy, row.rate)).collect();
    let tensors = |name: &str| tensors(&folder.join(name));
    (tensors("last.safetensors"), format!("{progress:?} {rows:?} {:?}", tensors("best.safetensors")))
}

#[test]
fn a_run_stopped_after_any_step_goes_on_to_the_same_bits() {
    for (settings, steps) in RUNS {
        let (recipe, parent) = (recipe(settings), tempfile::tempdir().unwrap());
        let whole = parent.path().join("whole");
        let (ended, progress) = run(&whole, &recipe, u64::MAX);
        assert_eq!((ended, progress.step), (Ended::Finished, *steps), "{settings:?}");
        let expected = state(&whole);
        // All of the first epoch, and into the second.
        for until in (1..*steps).take(9) {
            let stopped = parent.path().join(format!("stopped-{until}"));
            let (ended, progress) = run(&stopped, &recipe, until);
            assert_eq!((ended, progress.step), (Ended::Stopped, until), "{settings:?}");
            assert_eq!(run(&stopped, &recipe, u64::MAX).0, Ended::Finished);
            assert!(state(&stopped) == expected, "{settings:?}: stopped after {until}");
        }
        // Stopped after each step.
        let often = parent.path().join("often");
        for until in 1..=*steps {
            run(&often, &recipe, until);
        }
        run(&often, &recipe, u64::MAX);
        assert!(state(&often) == expected, "{settings:?}: stopped after each step");
    }
}

#[test]
fn threads_change_no_bit_and_everything_else_does() {
    let bits = |settings: &[(&str, &str)]| {
        let parent = tempfile::tempdir().unwrap();
        run(&parent.path().join("run"), &recipe(settings), u64::MAX);
        tensors(&parent.path().join("run/last.safetensors"))
    };
    let expected = bits(&[]);
    for (settings, is_same) in [
        (&[("threads", "2"), ("workers", "2")][..], true),
        (&[("threads", "3"), ("checkpoint_every", "1"), ("log_every", "3")], true),
        (&[("seed", "4")], false),
        (&[("rate", "0.02")], false),
        (&[("shuffle", "false")], false),
        (&[("weight_decay", "0.1")], false),
        (&[("clip", "value(max = 0.001)")], false),
        (&[("schedule", "exponential(gamma = 0.5)")], false),
        (&[("loss", "cross_entropy(label_smoothing = 0.1)")], false),
        (&[("transforms", "normalize(0.5, 0.3)")], false),
        (&[("init.fc", "kaiming_normal")], false),
    ] {
        assert_eq!(bits(settings) == expected, is_same, "{settings:?}");
    }
}

#[test]
fn a_longer_run_goes_on_from_the_end_of_a_shorter_one() {
    let parent = tempfile::tempdir().unwrap();
    let long = recipe(&[("steps", "13"), ("validation", "0.2")]);
    run(&parent.path().join("long"), &long, u64::MAX);
    let twice = parent.path().join("twice");
    // Step 7 is the first of the second epoch.
    let (_, progress) = run(&twice, &recipe(&[("steps", "7"), ("validation", "0.2")]), u64::MAX);
    assert_eq!(progress.best.map(|best| (best.epoch, best.step)), Some((2, 7)));
    run(&twice, &long, u64::MAX);
    assert!(tensors(&twice.join("last.safetensors")) == tensors(&parent.path().join("long/last.safetensors")));
}

/// Every file of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn a_run_that_is_finished_changes_nothing() {
    let parent = tempfile::tempdir().unwrap();
    for (name, settings) in [
        ("within", &[("steps", "7"), ("validation", "0.2")][..]),
        ("epochs", &[("epochs", "2"), ("validation", "0.2")]),
        ("alone", &[("steps", "8")]),
    ] {
        let (folder, recipe) = (parent.path().join(name), recipe(settings));
        run(&folder, &recipe, u64::MAX);
        let before = files(&folder);
        assert_eq!(run(&folder, &recipe, u64::MAX).0, Ended::Finished, "{name}");
        assert!(files(&folder) == before, "{name}");
    }
    // A run that was stopped where it should end now is still to be validated, once.
    let (folder, short) = (parent.path().join("cut"), recipe(&[("steps", "7"), ("validation", "0.2")]));
    run(&folder, &recipe(&[("steps", "9"), ("validation", "0.2")]), 7);
    run(&folder, &short, u64::MAX);
    let before = files(&folder);
    run(&folder, &short, u64::MAX);
    assert!(files(&folder) == before);
    let validations = read_rows(&folder).unwrap().into_iter().filter(|row| row.phase == Phase::Validation);
    assert_eq!(validations.map(|row| row.step).collect::<Vec<_>>(), [6, 7]);
    let config: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["recipe"]["length"]["steps"], 7, "the configuration is that of the run that went on");
}

#[test]
fn accumulated_batches_act_as_one() {
    let weights = |settings: &[(&str, &str)]| {
        let outcome = trainer(&recipe(settings)).run().unwrap();
        outcome.weights.get("fc.weight").unwrap().data().to_vec()
    };
    let one = weights(&[("batch", "12"), ("optimizer", "sgd")]);
    for (batch, accumulate) in [("4", "3"), ("6", "2"), ("1", "12")] {
        let several = weights(&[("batch", batch), ("accumulate", accumulate), ("optimizer", "sgd")]);
        let error = one.iter().zip(&several).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(error < 1e-6, "{batch}·{accumulate}: {error}");
    }
}

#[test]
fn the_best_state_is_kept_and_the_run_ends_when_it_gets_no_better() {
    let parent = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(parent.path(), "run").unwrap();
    // From the second epoch on the rate is so high that nothing gets better.
    let schedule = ("schedule", "multi_step(milestones = [1], gamma = 10000)");
    let settings = [schedule, ("optimizer", "sgd"), ("epochs", "20"), ("early_stopping", "2"), ("clip", "norm(1)")];
    let mut epochs = Vec::new();
    let trainer = tiny::trainer(&recipe(&settings)).validate_on(data(12, 2)).folder(folder.clone());
    let outcome = trainer
        .observe(|event| {
            if let Event::Epoch(epoch) = event {
                epochs.push((epoch.epoch, epoch.is_best));
            }
        })
        .run()
        .unwrap();
    assert_eq!((outcome.ended, epochs), (Ended::NoBetter, vec![(1, true), (2, false), (3, false)]));
    let best = outcome.progress.best.unwrap();
    assert_eq!((best.epoch, outcome.progress.no_better), (1, 2));

    // The file is plain weights, and says how they are evaluated.
    let weights = cnn_runtime::Weights::open(folder.best()).unwrap();
    assert_eq!(weights.names().collect::<Vec<_>>(), ["conv.bias", "conv.weight", "fc.bias", "fc.weight"]);
    let evaluation = cnn_train::Evaluation::read(folder.best()).unwrap().unwrap();
    assert_eq!((evaluation.network.as_str(), evaluation.classes.len(), evaluation.best), ("Tiny", 3, best));
    // An early end is final: a resumed run makes no further step.
    let (ended, progress) = {
        let checkpoint = Checkpoint::open(folder.last()).unwrap();
        let trainer = Trainer::new(&tiny::network(3), data(37, 1), checkpoint.recipe().clone()).unwrap();
        let outcome = trainer.validate_on(data(12, 2)).folder(folder).resume(checkpoint).run().unwrap();
        (outcome.ended, outcome.progress.step)
    };
    assert_eq!((ended, progress), (Ended::NoBetter, outcome.progress.step));
}

#[test]
fn a_tiny_network_learns_rows() {
    let outcome = trainer(&recipe(&[("epochs", "10")])).validate_on(data(30, 2)).run().unwrap();
    assert_eq!(outcome.validation.unwrap().accuracy, Some(1.0), "{:?}", outcome.train);
}

#[test]
fn a_run_leaves_its_configuration_and_a_record() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("run");
    run(&folder, &recipe(&[("log_every", "3"), ("validation", "0.2"), ("epochs", "2")]), u64::MAX);
    let rows = read_rows(&folder).unwrap();
    let found: Vec<_> = rows.iter().map(|row| (row.step, row.phase == Phase::Train)).collect();
    // Six steps an epoch.
    assert_eq!(found, [(3, true), (6, true), (6, false), (9, true), (12, true), (12, false)]);
    assert!(rows.iter().all(|row| row.loss.is_finite() && row.accuracy.is_some() && row.seconds > 0.0));
    assert_eq!(rows[2].epoch, 1.0);
    let config: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("config.json")).unwrap()).unwrap();
    assert_eq!((&config["recipe"]["batch"], &config["classes"][2]), (&5.into(), &"bottom".into()));
    let recipe: Recipe = serde_json::from_value(config["recipe"].clone()).unwrap();
    assert_eq!(recipe.length, cnn_train::Length::Epochs(2));

    // A second run does not overwrite the first.
    let again = trainer(&recipe).folder(RunFolder::open(&folder).unwrap()).run().map(|_| ());
    assert!(matches!(again, Err(cnn_train::Error::RunExists { .. })));
}
