//! What cannot be trained, resumed or written says so, and loses nothing.

// Tests may panic.
#![allow(clippy::unwrap_used, clippy::panic)]

mod tiny;

use cnn_data::{Arrays, Dataset, Error as DataError, Picture};
use cnn_ir::ops::{DenseSpec, FlattenSpec, TanhSpec};
use cnn_ir::{Builder, Network, NetworkBuilder};
use cnn_train::{Checkpoint, Error, Evaluation, Event, Memory, Recipe, RunFolder, Trainer};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tiny::{data, network, recipe, tensors, trainer};

fn new_run(parent: &Path) -> RunFolder {
    RunFolder::create_next(parent, "run").unwrap()
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run_with_the_state_before_it() {
    let parent = tempfile::tempdir().unwrap();
    for (settings, message) in [
        (&[("optimizer", "sgd"), ("rate", "1e25")][..], "try a lower learning rate"),
        (&[("optimizer", "adam"), ("rate", "1e25"), ("accumulate", "3")], "not finite in step"),
    ] {
        let run = new_run(parent.path());
        let error = trainer(&recipe(settings)).folder(run.clone()).run().unwrap_err();
        let text = error.to_string();
        let Error::NotFinite { step, kept: Some(kept), .. } = error else { panic!("{error}") };
        assert!(text.contains(message) && text.contains("the last good state is kept in"), "{text}");
        assert_eq!((kept, step > 0), (run.last(), true));
        // The same as of a run that ends before the step.
        let mut shorter = recipe(settings);
        shorter.set("steps", &step.to_string()).unwrap();
        let other = new_run(parent.path());
        trainer(&shorter).folder(other.clone()).run().unwrap();
        assert!(tensors(&run.last()) == tensors(&other.last()));
        assert_eq!(Checkpoint::open(run.last()).unwrap().progress().step, step);
    }
}

/// The first update makes what is no number of the parameters, the next step finds it.
#[test]
fn parameters_that_overflow_are_not_kept() {
    let parent = tempfile::tempdir().unwrap();
    let run = new_run(parent.path());
    let settings = recipe(&[("optimizer", "sgd"), ("rate", "1e39"), ("epochs", "2")]);
    let start = |event: Event<'_>| {
        if let Event::Start(_) = event {
            fs::write(run.last(), "an earlier state").unwrap();
        }
    };
    let error = trainer(&settings).folder(run.clone()).observe(start).run().unwrap_err();
    assert!(matches!(error, Error::NotFinite { .. }), "{error}");
    assert_eq!(fs::read(run.last()).unwrap(), b"an earlier state");

    // There is no next step to find it.
    let settings = recipe(&[("optimizer", "sgd"), ("rate", "1e39"), ("steps", "1")]);
    let run = new_run(parent.path());
    for trainer in [trainer(&settings), trainer(&settings).folder(run.clone())] {
        let error = trainer.run().map(|_| ()).unwrap_err().to_string();
        assert!(
            error.contains("a parameter is not finite in step 1 (epoch 1)") && error.contains("than 1e39"),
            "{error}"
        );
    }
    assert!(!run.best().exists() && !run.last().exists());
}

/// Data of which an example cannot be read, or all have a label that is no class's.
struct Faulty {
    data: Arc<Arrays>,
    unreadable: Option<usize>,
    label: Option<usize>,
}

impl Dataset for Faulty {
    fn len(&self) -> usize {
        self.data.len()
    }

    fn classes(&self) -> &[String] {
        self.data.classes()
    }

    fn shape(&self) -> Option<[usize; 3]> {
        self.data.shape()
    }

    fn label(&self, index: usize) -> Result<usize, DataError> {
        self.label.map_or_else(|| self.data.label(index), Ok)
    }

    fn read(&self, index: usize, picture: &mut Picture) -> Result<usize, DataError> {
        if self.unreadable == Some(index) {
            return Err(DataError::Index { index, len: 0 });
        }
        self.data.read(index, picture).map(|label| self.label.unwrap_or(label))
    }
}

#[test]
fn an_example_that_cannot_be_read_is_named_and_the_state_is_kept() {
    let parent = tempfile::tempdir().unwrap();
    let (run, recipe) = (new_run(parent.path()), recipe(&[("shuffle", "false")]));
    let trainer =
        Trainer::new(&network(3), Arc::new(Faulty { data: data(37, 1), unreadable: Some(23), label: None }), recipe)
            .unwrap();
    let error = trainer.folder(run.clone()).run().unwrap_err().to_string();
    assert!(error.contains("example 23"), "{error}");
    // Four batches of five are before the one with example 23.
    assert_eq!(Checkpoint::open(run.last()).unwrap().progress().step, 4);
}

#[test]
fn a_run_that_needs_too_much_memory_is_refused_with_the_batch_that_fits() {
    let memory_of = |trainer: Trainer<'_>| {
        let mut memory = Memory::default();
        let start = |event: Event<'_>| {
            if let Event::Start(start) = event {
                memory = start.memory;
            }
        };
        trainer.observe(start).run().unwrap();
        memory
    };
    let base = recipe(&[("batch", "37"), ("validation", "0.2"), ("epochs", "1")]);
    let memory = memory_of(trainer(&base));
    // Fewer examples than a batch has are validated in a smaller one.
    let whole = memory_of(trainer(&recipe(&[("batch", "37"), ("epochs", "1")])).validate_on(data(37, 2)));
    assert!(memory.validation < whole.validation, "{memory:?} {whole:?}");
    // 37 pictures of 36 floats, and their labels.
    assert_eq!(memory.data, 37 * (36 * 4 + 8));
    let (needed, held) = (memory.total(), memory.data + memory.program);
    assert!(trainer(&base).memory_limit(needed).run().is_ok());
    let error = trainer(&base).memory_limit(needed - 1).run().unwrap_err();
    let Error::Memory { largest, .. } = error else { panic!("{error}") };
    assert!((1..37).contains(&largest), "{largest}");
    let mut smaller = base.clone();
    smaller.set("batch", &largest.to_string()).unwrap();
    assert!(trainer(&smaller).memory_limit(needed - 1).run().is_ok());
    for (left, message) in [(5000, "not even a batch of 1 fits"), (4000, "no batch fits: make the network smaller")] {
        let error = trainer(&base).memory_limit(held + left).run().unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

/// Nothing is allocated for a network whose parameters there is no memory for.
#[test]
fn parameters_without_memory_are_refused_at_once() {
    let mut huge = NetworkBuilder::new("Huge");
    let x = huge.input("image", &[1, 6, 6]).unwrap();
    let x = huge.layer("flatten", FlattenSpec::new(), &[&x]).unwrap();
    let x = huge.layer("wide", DenseSpec::new(36, 50_000_000), &[&x]).unwrap();
    let x = huge.layer("fc", DenseSpec::new(50_000_000, 3), &[&x]).unwrap();
    huge.output("logits", &x).unwrap();
    let trainer = Trainer::new(&huge.finish().unwrap(), data(37, 1), recipe(&[])).unwrap();
    let error = trainer.memory_limit(30 << 30).run().unwrap_err();
    // Twice the weights, gradients and the two vectors of Adam, in bytes.
    let Error::ParameterMemory { needed, .. } = error else { panic!("{error}") };
    assert_eq!(needed, 5 * 4 * (37 * 50_000_000 + 3 * 50_000_000 + 3));
}

#[test]
fn network_data_and_loss_must_go_together() {
    let pictures = |shape: [usize; 3]| -> Arc<dyn Dataset> {
        let values = vec![0.0; 4 * shape.iter().product::<usize>()];
        Arc::new(Arrays::new(shape, values, vec![0, 1, 2, 0], ["a", "b", "c"].map(String::from).to_vec()).unwrap())
    };
    for (settings, data, classes, message) in [
        (&[][..], pictures([1, 8, 8]), 3, "the pictures are 1×8×8 after the transforms; add `resize([6, 6])`"),
        (&[], pictures([3, 6, 6]), 3, "add `grayscale` to the transforms"),
        (&[], pictures([1, 6, 6]), 2, "the data have 3 classes, and `logits` tells 2 apart"),
        (&[("loss", "mse")], pictures([1, 6, 6]), 5, "give the targets by `Trainer::targets`"),
        (&[("loss", "mse(output = mask)")], pictures([1, 6, 6]), 3, "no such output or layer; its outputs are logits"),
        (&[("best", "accuracy"), ("loss", "mse")], pictures([1, 6, 6]), 3, "there is no accuracy without labels"),
        (&[("freeze", "conv, fc")], pictures([1, 6, 6]), 3, "no parameter of `Tiny` is to be trained; freeze less"),
        (&[("freeze", "convv")], pictures([1, 6, 6]), 3, "there is no `convv` to freeze"),
        (&[("validation", "0.01")], pictures([1, 6, 6]), 3, "at least one for each of the two parts"),
        (&[("init.head", "constant")], pictures([1, 6, 6]), 3, "the network has no such layer"),
        (&[("fresh", "head")], pictures([1, 6, 6]), 3, "the network has no such layer"),
        (&[("loss", "cross_entropy(weight = [1, 2])")], pictures([1, 6, 6]), 3, "has 2 elements where 3 are needed"),
        (&[("loss", "cross_entropy(weight = [0, 0, 0])")], pictures([1, 6, 6]), 3, "of classes whose weight is 0"),
        (&[("loss", "bce_with_logits(pos_weight = [1, 2])")], pictures([1, 6, 6]), 3, "2 elements where 3 are needed"),
        (&[("drop_last", "true")], pictures([1, 6, 6]), 3, "the batch size is 5; of 4 examples no batch is full"),
        (&[("schedule", "one_cycle(total = 2)")], pictures([1, 6, 6]), 3, "ends after 2 of the run's 3 steps; write"),
        (
            &[("schedule", "warmup(4) -> one_cycle(total = 2)"), ("schedule_per", "epoch"), ("steps", "7")],
            pictures([1, 6, 6]),
            3,
            "that ends after 6 of the run's 7 epochs; write `total = 3`",
        ),
        (
            &[("evaluation_transforms", "resize([3, 3])")],
            pictures([1, 6, 6]),
            3,
            "pictures of evaluation are [1, 3, 3]",
        ),
        (&[("transforms", "random_crop(9)")], pictures([1, 6, 6]), 3, "random_crop"),
        (
            &[],
            Arc::new(Faulty { data: data(4, 1), unreadable: None, label: Some(3) }),
            3,
            "the label of example 0 is 3, and there are 3 classes",
        ),
    ] {
        let parent = tempfile::tempdir().unwrap();
        let run = new_run(parent.path());
        let trainer = Trainer::new(&network(classes), data, recipe(settings)).unwrap();
        let error = trainer.folder(run.clone()).run().unwrap_err().to_string();
        assert!(error.contains(message), "{settings:?}: {error}");
        assert_eq!(fs::read_dir(run.path()).unwrap().count(), 0, "{settings:?}: the folder is as it was");
    }
}

/// Labels are numbers, which mean the same class in both or nothing.
#[test]
fn validation_has_the_classes_of_training() {
    let data = |classes: [&str; 3]| -> Arc<dyn Dataset> {
        let classes = classes.map(String::from).to_vec();
        Arc::new(Arrays::new([1, 6, 6], vec![0.0; 4 * 36], vec![0, 1, 2, 0], classes).unwrap())
    };
    let trainer = Trainer::new(&network(3), data(["a", "b", "c"]), recipe(&[])).unwrap();
    let error = trainer.validate_on(data(["a", "c", "b"])).run().unwrap_err().to_string();
    assert!(error.contains("class 1 of the data for validation is `c`, and of those for training `b`"), "{error}");
}

#[test]
fn one_hot_and_custom_targets() {
    let accuracy = |outcome: cnn_train::Outcome| outcome.train.unwrap().loss;
    let settings = [("loss", "mse"), ("epochs", "8")];
    let one_hot = accuracy(trainer(&recipe(&settings)).run().unwrap());
    assert!(one_hot < 0.1, "{one_hot}");
    // The same targets, by hand.
    let by_hand = trainer(&recipe(&settings)).targets(|batch, term, targets| {
        assert_eq!((term, targets.len()), (0, 3 * batch.labels.len()));
        batch.labels.iter().enumerate().for_each(|(example, label)| targets[3 * example + label] = 1.0);
        Ok(())
    });
    assert_eq!(accuracy(by_hand.run().unwrap()), one_hot);
    let bad = trainer(&recipe(&settings)).targets(|_, _, _| Err("there are none".to_owned()));
    assert!(bad.run().unwrap_err().to_string().contains("there are none"));
}

#[test]
fn a_checkpoint_of_something_else_names_the_differences() {
    let parent = tempfile::tempdir().unwrap();
    let run = new_run(parent.path());
    trainer(&recipe(&[("epochs", "1")])).folder(run.clone()).run().unwrap();
    let before = fs::read(run.last()).unwrap();
    let resume_as = |network: &Network, examples: usize, recipe: Recipe| {
        let checkpoint = Checkpoint::open(run.last()).unwrap();
        let trainer = Trainer::new(network, data(examples, 1), recipe).unwrap();
        trainer.folder(run.clone()).resume(checkpoint).run().map(|_| ()).unwrap_err().to_string()
    };
    let resume = |classes: usize, examples: usize, recipe: Recipe| resume_as(&network(classes), examples, recipe);
    // The same parameters, and another function of them.
    let (mut tanh, mut mid) = (network(3), network(3));
    tanh.layers[1].op = TanhSpec::new().into();
    mid.outputs[0].train_only = true;
    for (error, messages) in [
        (
            resume(4, 37, recipe(&[])),
            &["is of another model", "`fc.weight` must be [4, 64], but is [3, 64]", "`optimizer.exp_avg.fc.bias`"][..],
        ),
        (resume(3, 38, recipe(&[])), &["the run is on 37 examples, and these data have 38"]),
        (resume(3, 37, recipe(&[("rate", "0.5")])), &["had 0.01 for `rate`, and it should go on with 0.5"]),
        (resume(3, 37, recipe(&[("freeze", "conv")])), &["had none for `freeze`, and it should go on with conv"]),
        (resume(3, 37, recipe(&[("optimizer", "adamw")])), &["had adam for `optimizer`"]),
        (resume_as(&tanh, 37, recipe(&[])), &["`relu: Relu (conv) -> ", "this one has `relu: Tanh (conv) -> "]),
        (resume_as(&mid, 37, recipe(&[])), &["`the output logits: fc`", "`the output logits: fc, in training only`"]),
    ] {
        assert!(messages.iter().all(|message| error.contains(message)), "{error}");
    }
    // Renamed folders change the order of the classes.
    let renamed = Arrays::new([1, 6, 6], vec![0.0; 37 * 36], vec![0; 37], ["middle", "top"].map(String::from).to_vec());
    let other = Trainer::new(&network(3), Arc::new(renamed.unwrap()), recipe(&[])).unwrap();
    let error = other.resume(Checkpoint::open(run.last()).unwrap()).run().unwrap_err().to_string();
    assert!(error.contains("the class `top` where these have `middle`"), "{error}");
    assert_eq!(fs::read(run.last()).unwrap(), before);

    let file = parent.path().join("file");
    let whole = tensors(&run.best()).len();
    let best = fs::read(run.best()).unwrap();
    for (bytes, message) in [
        (&b""[..], "is no checkpoint: it is too short"),
        (b"not a file of tensors", "is no safetensors file"),
        (&best, "it has no state of a run, only weights"),
        (&before[..before.len() - whole], "is damaged: its bytes are not those that were written"),
    ] {
        fs::write(&file, bytes).unwrap();
        let error = Checkpoint::open(&file).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    assert!(Checkpoint::open(parent.path().join("none")).unwrap_err().to_string().starts_with("cannot read"));
}

/// A flipped bit is noticed wherever it is. Without the key of the checksum a file is as those that never had one.
#[test]
fn a_damaged_file_is_not_read() {
    let parent = tempfile::tempdir().unwrap();
    let run = new_run(parent.path());
    trainer(&recipe(&[("epochs", "1")])).folder(run.clone()).run().unwrap();
    let progress = Checkpoint::open(run.last()).unwrap().progress().clone();
    let file = parent.path().join("file");
    for (whole, is_best) in [(fs::read(run.last()).unwrap(), false), (fs::read(run.best()).unwrap(), true)] {
        let key = whole.windows(12).position(|bytes| bytes == b"cnn.checksum").unwrap();
        let mut damaged = 0;
        for at in (0..whole.len()).filter(|at| *at < 100 || at % 7 == 0) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&file, &bytes).unwrap();
            let error = match is_best {
                true => Evaluation::read(&file).and_then(|_| Ok(cnn_runtime::Weights::open(&file)?)).err(),
                false => Checkpoint::open(&file).map(|other| assert_eq!(*other.progress(), progress)).err(),
            };
            assert!(error.is_some() || (key..key + 22).contains(&at), "byte {at} of {}", whole.len());
            damaged += usize::from(error.is_some_and(|error| error.to_string().contains("is damaged: its bytes")));
        }
        assert!(damaged > whole.len() / 7, "{damaged}");
    }
}

#[test]
fn an_observer_that_fails_ends_the_run_with_its_state() {
    let parent = tempfile::tempdir().unwrap();
    for (fails_at, message) in
        [("start", "after step 0: no"), ("step", "after step 4: no"), ("epoch", "after step 8: no")]
    {
        let run = new_run(parent.path());
        let observed = trainer(&recipe(&[])).folder(run.clone()).try_observe(|event| match event {
            Event::Start(_) if fails_at == "start" => Err("no"),
            Event::Step(step) if fails_at == "step" && step.step == 4 => Err("no"),
            Event::Epoch(_) if fails_at == "epoch" => Err("no"),
            _ => Ok(()),
        });
        let error = observed.run().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(message) && error.contains("; the state is kept in "), "{error}");
        let step = Checkpoint::open(run.last()).unwrap().progress().step;
        assert!(message.starts_with(&format!("after step {step}:")), "{step}");
    }
}

#[test]
fn two_runs_do_not_work_in_one_folder() {
    let parent = tempfile::tempdir().unwrap();
    let run = new_run(parent.path());
    let mut others = Vec::new();
    let second = |event: Event<'_>| {
        if let Event::Saved(path) = event
            && path == run.last()
        {
            let checkpoint = Checkpoint::open(path).unwrap();
            others.push(trainer(&recipe(&[])).folder(run.clone()).resume(checkpoint).run().map(|_| ()));
        }
    };
    let early = {
        let outcome = trainer(&recipe(&[("epochs", "2")])).folder(run.clone()).observe(second).run();
        outcome.unwrap();
        Checkpoint::open(run.last()).unwrap()
    };
    assert!(matches!(&others[..], [Err(Error::RunInUse { .. }), Err(Error::RunInUse { .. })]), "{others:?}");
    // The folder is free again; a checkpoint that was opened before somebody went on is not its state.
    trainer(&recipe(&[])).folder(run.clone()).resume(early.clone()).run().unwrap();
    let error = trainer(&recipe(&[("epochs", "9")])).folder(run.clone()).resume(early).run().map(|_| ());
    assert!(matches!(error, Err(Error::RunInUse { .. })));
}

/// A process that was killed before its first checkpoint has left what a new run of its name must not take for its own.
#[test]
fn a_run_without_a_checkpoint_is_begun_anew() {
    let parent = tempfile::tempdir().unwrap();
    let run = new_run(parent.path());
    trainer(&recipe(&[("epochs", "2")])).folder(run.clone()).run().unwrap();
    // Best weights are worth keeping by themselves.
    fs::remove_file(run.last()).unwrap();
    assert!(matches!(RunFolder::create(parent.path(), "run"), Err(Error::RunExists { .. })));
    fs::remove_file(run.best()).unwrap();
    let run = RunFolder::create(parent.path(), "run").unwrap();
    let start = |event: Event<'_>| assert!(!matches!(event, Event::Start(_)) || !run.best().exists());
    trainer(&recipe(&[("epochs", "1")])).folder(run.clone()).observe(start).run().unwrap();
    let rows = cnn_train::record::read_rows(run.path()).unwrap();
    assert!(run.best().exists() && rows.iter().all(|row| row.epoch <= 1.0), "{rows:?}");
}

/// What lies in the place of the temporary file cannot be written over, by no user.
#[test]
fn a_checkpoint_that_cannot_be_written_keeps_the_old_one() {
    let parent = tempfile::tempdir().unwrap();
    let run = new_run(parent.path());
    trainer(&recipe(&[("epochs", "1")])).folder(run.clone()).run().unwrap();
    let before = fs::read(run.last()).unwrap();
    fs::create_dir(run.path().join(".last.safetensors.tmp")).unwrap();
    let checkpoint = Checkpoint::open(run.last()).unwrap();
    let error = trainer(&recipe(&[])).folder(run.clone()).resume(checkpoint).run().unwrap_err().to_string();
    assert!(error.starts_with("cannot write") && error.contains("what was there before is kept"), "{error}");
    assert_eq!(fs::read(run.last()).unwrap(), before);
}

/// Not a test by itself: trains in a process of its own, whose files may be no larger than its shell allows.
#[test]
#[ignore = "is started by the test below"]
fn child_without_room() {
    let Some(folder) = std::env::var_os("CNN_TEST_FOLDER") else { return };
    let run = RunFolder::open(folder).unwrap();
    let checkpoint = Checkpoint::open(run.last()).unwrap();
    let error = trainer(&recipe(&[("optimizer", "adam")])).folder(run).resume(checkpoint).run().unwrap_err();
    println!("the error: {error}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_without_room_keeps_the_old_checkpoint() {
    let parent = tempfile::tempdir().unwrap();
    let run = new_run(parent.path());
    let mut first = recipe(&[("optimizer", "adam")]);
    first.set("epochs", "1").unwrap();
    trainer(&first).folder(run.clone()).run().unwrap();
    let (before, size) = (fs::read(run.last()).unwrap(), fs::metadata(run.last()).unwrap().len());
    // Half of the checkpoint's size, in blocks of 512 bytes. The signal that comes with the error is ignored, as the
    // error of a full disk comes without one.
    let limit = format!(
        "trap '' XFSZ; ulimit -f {}; exec \"$0\" --exact child_without_room --ignored --nocapture",
        size / 1024
    );
    let test = std::env::current_exe().unwrap();
    let output = Command::new("sh").arg("-c").arg(limit).arg(test).env("CNN_TEST_FOLDER", run.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("the error: cannot write") && text.contains("bytes are needed"), "{output:?}");
    assert!(text.contains("what was there before is kept"), "{text}");
    assert_eq!(fs::read(run.last()).unwrap(), before);
    assert!(
        fs::read_dir(run.path()).unwrap().all(|entry| !entry.unwrap().file_name().to_string_lossy().ends_with("tmp"))
    );
}
