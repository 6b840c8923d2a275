use super::*;
use crate::{Arrays, Picture, Subset};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Pictures of 3×3 whose values are their numbers, of two classes.
fn numbers(len: usize) -> Arc<dyn Dataset> {
    let values = (0..len * 9).map(|at| (at / 9) as f32).collect();
    let labels = (0..len).map(|example| example % 2).collect();
    Arc::new(Arrays::new([1, 3, 3], values, labels, vec!["even".into(), "odd".into()]).unwrap())
}

fn options(batch_size: usize, workers: usize) -> LoaderOptions {
    LoaderOptions { batch_size, workers, seed: 3, shuffle: true, epochs: 3, ..LoaderOptions::default() }
}

const AUGMENT: &str = "random_crop(3, padding = 1) -> horizontal_flip(0.5) -> random_erasing(0.5, value = random)";

fn loader(dataset: Arc<dyn Dataset>, text: &str, options: LoaderOptions) -> Result<Loader, Error> {
    Loader::new(dataset, text.parse().unwrap(), options)
}

fn all(mut loader: Loader) -> Result<Vec<Batch>, Error> {
    let (mut batches, mut batch) = (Vec::new(), Batch::default());
    while loader.load(&mut batch)? {
        batches.push(batch.clone());
    }
    Ok(batches)
}

#[test]
fn an_epoch_has_every_example_once_in_its_own_order() {
    let batches = all(loader(numbers(10), "", options(4, 1)).unwrap()).unwrap();
    assert_eq!(batches.iter().map(|batch| batch.labels.len()).collect::<Vec<_>>(), [4, 4, 2, 4, 4, 2, 4, 4, 2]);
    let epochs: Vec<Vec<usize>> =
        batches.chunks(3).map(|epoch| epoch.iter().flat_map(|batch| batch.indices.clone()).collect()).collect();
    for epoch in &epochs {
        assert_eq!(epoch.iter().copied().collect::<BTreeSet<_>>(), (0..10).collect());
    }
    assert_eq!(epochs.iter().collect::<BTreeSet<_>>().len(), 3);
    for batch in &batches {
        for (place, &index) in batch.indices.iter().enumerate() {
            assert_eq!(batch.labels[place], index % 2);
            assert_eq!(batch.values[place * 9..][..9], [index as f32; 9]);
        }
    }
    let next: Vec<_> = batches.iter().map(|batch| (batch.epoch, batch.next.epoch, batch.next.example)).collect();
    assert_eq!(next[..4], [(0, 0, 4), (0, 0, 8), (0, 1, 0), (1, 1, 4)]);
    assert_eq!(next[8], (2, 3, 0));
    let plain = LoaderOptions { shuffle: false, drop_last: true, ..options(4, 0) };
    let batches = all(loader(numbers(10), "", plain).unwrap()).unwrap();
    assert_eq!(batches.len(), 6);
    assert_eq!(batches[1].indices, [4, 5, 6, 7]);
    assert_eq!(batches[1].next, Position { epoch: 1, example: 0 });
}

#[test]
fn batches_are_the_same_for_every_number_of_workers() {
    let one = all(loader(numbers(50), AUGMENT, options(4, 0)).unwrap()).unwrap();
    for workers in [1, 2, 7] {
        assert_eq!(all(loader(numbers(50), AUGMENT, options(4, workers)).unwrap()).unwrap(), one);
    }
    let other = LoaderOptions { seed: 4, ..options(4, 1) };
    assert_ne!(all(loader(numbers(50), AUGMENT, other).unwrap()).unwrap(), one);
}

#[test]
fn an_example_is_augmented_anew_in_every_epoch() {
    let options = LoaderOptions { shuffle: false, ..options(12, 1) };
    let epochs = all(loader(numbers(12), AUGMENT, options).unwrap()).unwrap();
    assert!(epochs[0].values != epochs[1].values && epochs[1].values != epochs[2].values);
}

/// The augmentation is the example's, whatever batch it is in.
#[test]
fn batches_of_another_size_have_the_same_examples() {
    let examples = |batch_size| {
        let batches = all(loader(numbers(12), AUGMENT, options(batch_size, 1)).unwrap()).unwrap();
        batches.into_iter().flat_map(|batch| batch.values).collect::<Vec<_>>()
    };
    assert_eq!(examples(5), examples(12));
}

#[test]
fn a_run_goes_on_from_where_it_stopped() {
    let whole = all(loader(numbers(10), AUGMENT, options(4, 1)).unwrap()).unwrap();
    for (stop, workers) in (0..whole.len()).zip([0, 1, 3].into_iter().cycle()) {
        let rest = LoaderOptions { start: whole[stop].next, ..options(4, workers) };
        assert_eq!(all(loader(numbers(10), AUGMENT, rest).unwrap()).unwrap(), whole[stop + 1..], "{stop}");
    }
    // From a place that a run with batches of another size stopped at, every batch is still full.
    let odd = LoaderOptions { start: Position { epoch: 0, example: 5 }, drop_last: true, epochs: 1, ..options(4, 1) };
    let sizes: Vec<usize> =
        all(loader(numbers(10), "", odd).unwrap()).unwrap().iter().map(|batch| batch.labels.len()).collect();
    assert_eq!(sizes, [4]);
    // The end of an epoch is the start of the next.
    let end = LoaderOptions { start: Position { epoch: 1, example: 10 }, ..options(4, 1) };
    assert_eq!(all(loader(numbers(10), AUGMENT, end).unwrap()).unwrap(), whole[6..]);
}

#[test]
fn an_epoch_has_so_many_batches() {
    assert_eq!(loader(numbers(10), "", options(4, 0)).unwrap().batches_per_epoch(), 3);
    let full = LoaderOptions { drop_last: true, ..options(4, 0) };
    assert_eq!(loader(numbers(10), "", full).unwrap().batches_per_epoch(), 2);
}

#[test]
fn memory_of_a_batch_is_used_again() {
    let mut loader = loader(numbers(64), "", LoaderOptions { epochs: 20, ..options(4, 0) }).unwrap();
    let mut batch = Batch::default();
    let mut places = BTreeSet::new();
    while loader.load(&mut batch).unwrap() {
        places.insert(batch.values.as_ptr().addr());
    }
    assert_eq!(places.len(), 1);
}

/// A dataset that fails, panics, or gives something else for one example; it counts what is read.
struct Odd {
    at: usize,
    fault: Fault,
    read: AtomicUsize,
    classes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    Error,
    Panic,
    Label,
    Size,
    NaN,
}

fn odd(at: usize, fault: Fault) -> Arc<Odd> {
    Arc::new(Odd { at, fault, read: AtomicUsize::new(0), classes: vec!["only".into()] })
}

impl Dataset for Odd {
    fn len(&self) -> usize {
        1000
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn shape(&self) -> Option<[usize; 3]> {
        None
    }

    fn label(&self, _: usize) -> Result<usize, Error> {
        Ok(0)
    }

    fn read(&self, index: usize, picture: &mut Picture) -> Result<usize, Error> {
        self.read.fetch_add(1, Ordering::Relaxed);
        picture.set_bytes([1, 1, 1], &[0])?;
        let fault = if index == self.at { self.fault } else { Fault::None };
        match fault {
            Fault::None => Ok(0),
            Fault::Error => Err(Error::array("it is odd", "make it even")),
            Fault::Panic => panic!("oh no"),
            Fault::Label => Ok(1),
            Fault::Size => picture.set_bytes([1, 1, 2], &[0, 0]).map(|()| 0),
            Fault::NaN => picture.set_values([1, 1, 1], &[f32::NAN]).map(|()| 0),
        }
    }
}

#[test]
fn a_fault_is_given_to_the_caller_with_the_example_named() {
    let plain = |workers| LoaderOptions { shuffle: false, ..options(10, workers) };
    for (fault, message) in [
        (Fault::Error, "example 25: it is odd; make it even"),
        (Fault::Panic, "reading the dataset panicked: oh no"),
        (Fault::Label, "example 25: the label is 1, and there are 1 classes"),
        (Fault::Size, "example 25: after the transforms the picture is [1, 1, 2]"),
        (Fault::NaN, "example 25: a value of the picture is NaN or infinite after the transforms"),
    ] {
        for workers in [0, 1, 4] {
            let mut loader = loader(odd(25, fault), "", plain(workers)).unwrap();
            let mut batch = Batch::default();
            assert!(loader.load(&mut batch).unwrap() && loader.load(&mut batch).unwrap(), "{fault:?}");
            let error = loader.load(&mut batch).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
            assert!(!loader.load(&mut batch).unwrap());
        }
    }
    let resized = loader(odd(25, Fault::Size), "resize([4, 4])", plain(1)).unwrap();
    assert_eq!((resized.shape(), all(resized).unwrap().len()), ([1, 4, 4], 300));
    let first = loader(odd(0, Fault::Error), "", plain(1)).err().map(|error| error.to_string());
    assert_eq!(first.unwrap(), "example 0: it is odd; make it even");
}

#[test]
fn the_threads_run_ahead_by_a_few_batches_and_stop_with_the_loader() {
    let dataset = odd(0, Fault::None);
    let mut loader = loader(Arc::clone(&dataset) as Arc<dyn Dataset>, "", options(10, 2)).unwrap();
    assert!(loader.load(&mut Batch::default()).unwrap());
    // Four batches may be ready or under way behind the one that was had, and one example was read for its shape.
    let most = 10 + 4 * 10 + 1;
    for _ in 0..500 {
        if dataset.read.load(Ordering::Relaxed) == most {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(Duration::from_millis(30));
    assert_eq!(dataset.read.load(Ordering::Relaxed), most);
    drop(loader);
    // Nobody holds the dataset any more: the threads have ended.
    assert_eq!(Arc::strong_count(&dataset), 1);
}

#[test]
fn options_are_checked() {
    let none = Arc::new(Subset::new(numbers(1), vec![]).unwrap());
    let default = || options(4, 1);
    let cases: Vec<(Arc<dyn Dataset>, &str, LoaderOptions, &str)> = vec![
        (none, "", default(), "the dataset has no examples; give it at least one"),
        (numbers(9), "", options(0, 1), "the batch size is 0; it is at least 1"),
        (numbers(9), "", LoaderOptions { drop_last: true, ..options(10, 1) }, "of 9 examples no batch is full"),
        (numbers(9), "", options(4, 1000), "the number of workers is 1000; it is at most 256"),
        (numbers(9), "", LoaderOptions { start: Position { epoch: 0, example: 10 }, ..default() }, "an epoch has 9"),
        (numbers(9), "random_crop(4)", default(), "transform 1, `random_crop(4)`: it cuts out 4×4"),
    ];
    for (dataset, text, options, message) in cases {
        let error = loader(dataset, text, options).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(message), "{message}: {error}");
    }
    let past = LoaderOptions { start: Position { epoch: 3, example: 0 }, ..default() };
    assert!(all(loader(numbers(9), "", past).unwrap()).unwrap().is_empty());
    let large = LoaderOptions { batch_size: usize::MAX, ..default() };
    assert_eq!(all(loader(numbers(9), "", large).unwrap()).unwrap()[0].labels.len(), 9);
}
