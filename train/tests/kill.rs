//! A process that is killed leaves a checkpoint that is whole, and a state that existed.

// Tests may panic.
#![allow(clippy::unwrap_used, clippy::panic)]
#![cfg(unix)]

mod tiny;

use cnn_data::Random;
use cnn_train::{Checkpoint, Event, Recipe, RunFolder};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tiny::{recipe, tensors, trainer};

const FOLDER: &str = "CNN_TEST_FOLDER";

/// More steps than are done before the process is killed; a checkpoint after each.
fn endless() -> Recipe {
    recipe(&[("steps", "1000000"), ("checkpoint_every", "1"), ("validation", "0.2")])
}

fn hash(file: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    fs::read(file).unwrap().hash(&mut hasher);
    hasher.finish()
}

/// Not a test by itself: trains on from wherever the folder's run is, and writes down what each file has in it before that
/// takes its place.
#[test]
#[ignore = "is started and killed by the tests below"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let run = RunFolder::open(folder).unwrap();
    let mut states = OpenOptions::new().create(true).append(true).open(run.path().join("states")).unwrap();
    let mut trainer = trainer(&endless());
    if run.last().exists() {
        trainer = trainer.resume(Checkpoint::open(run.last()).unwrap());
    }
    let written = |event: Event<'_>| {
        if let Event::Written(file) = event {
            // A line shorter than a page is written at once.
            states.write_all(format!("{:016x}\n", hash(file)).as_bytes()).unwrap();
        }
    };
    trainer.folder(run).observe(written).run().unwrap();
}

/// Updates before the state that a run has.
fn step(run: &RunFolder) -> u64 {
    Checkpoint::open(run.last()).unwrap().progress().step
}

/// Kills the run so often, at random times, and looks at what it left.
fn kill(times: u64) {
    let parent = tempfile::tempdir().unwrap();
    let run = RunFolder::create(parent.path(), "run").unwrap();
    let mut random = Random::new(5);
    let mut steps = BTreeSet::new();
    for number in 0..times {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored"])
            .env(FOLDER, run.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Every other one is given the time to make a step, however busy the machine is; the others may be still beginning.
        let before = steps.last().copied().unwrap_or(0);
        while number % 2 == 0 && (!run.last().exists() || step(&run) == before) {
            assert!(child.try_wait().unwrap().is_none(), "the run ended by itself");
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_micros((150_000.0 * random.unit()) as u64));
        child.kill().unwrap();
        child.wait().unwrap();

        let states = fs::read_to_string(run.path().join("states")).unwrap();
        for file in [run.last(), run.best()].iter().filter(|file| file.exists()) {
            let found = format!("{:016x}", hash(file));
            assert!(states.lines().any(|state| state == found), "{file:?} after kill {number} was never a state");
        }
        steps.insert(step(&run));
    }
    // The last state is the one that an uninterrupted run has after as many steps.
    let step = step(&run);
    assert!(steps.len() as u64 >= times / 2, "the runs made no steps: {steps:?}");
    let mut whole = endless();
    whole.set("steps", &step.to_string()).unwrap();
    let other = RunFolder::create(parent.path(), "other").unwrap();
    trainer(&whole).folder(other.clone()).run().unwrap();
    assert!(tensors(&other.last()) == tensors(&run.last()), "after step {step}");
    println!("killed {times} times; the last state is after step {step}");
}

#[test]
fn a_killed_run_leaves_a_state_that_existed() {
    kill(10);
}

#[test]
#[ignore = "minutes; bench/kill.sh runs it"]
fn a_run_killed_200_times_leaves_a_state_that_existed() {
    kill(200);
}
