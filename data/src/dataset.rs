//! What a dataset is, and parts of one.

use crate::error::Error;
use crate::picture::Picture;
use crate::random::Random;
use std::sync::Arc;

/// Labelled pictures, by number.
///
/// A dataset is read by several threads at once and gives the same picture for the same number every time.
pub trait Dataset: Send + Sync {
    /// The number of examples.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the classes, in the order of the labels.
    fn classes(&self) -> &[String];

    /// Channels, height and width of every picture; `None` when they differ.
    fn shape(&self) -> Option<[usize; 3]>;

    /// The label of an example: an index into [`Self::classes`]. The picture is not decoded for it.
    ///
    /// # Errors
    ///
    /// [`Error::Index`] when there is no such example.
    fn label(&self, index: usize) -> Result<usize, Error>;

    /// Reads an example's picture, with values from 0 to 1, and gives its label.
    ///
    /// # Errors
    ///
    /// [`Error::Index`] when there is no such example, and whatever is wrong with it.
    fn read(&self, index: usize, picture: &mut Picture) -> Result<usize, Error>;

    /// Bytes of memory that it holds as long as it lives; 0 where pictures are read when they are wanted.
    fn memory(&self) -> u64 {
        0
    }

    /// What messages call an example.
    fn name(&self, index: usize) -> String {
        format!("example {index}")
    }
}

/// Some examples of a dataset, in an order of their own.
#[derive(Clone)]
pub struct Subset {
    dataset: Arc<dyn Dataset>,
    indices: Vec<usize>,
}

impl Subset {
    /// The examples of `dataset` that `indices` name.
    ///
    /// # Errors
    ///
    /// [`Error::Index`] when one of them does not exist.
    pub fn new(dataset: Arc<dyn Dataset>, indices: Vec<usize>) -> Result<Self, Error> {
        let len = dataset.len();
        match indices.iter().find(|index| **index >= len) {
            Some(&index) => Err(Error::Index { index, len }),
            None => Ok(Self { dataset, indices }),
        }
    }

    /// Which examples of the whole dataset these are.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    fn whole(&self, index: usize) -> Result<usize, Error> {
        self.indices.get(index).copied().ok_or(Error::Index { index, len: self.indices.len() })
    }
}

impl Dataset for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn classes(&self) -> &[String] {
        self.dataset.classes()
    }

    fn shape(&self) -> Option<[usize; 3]> {
        self.dataset.shape()
    }

    fn label(&self, index: usize) -> Result<usize, Error> {
        self.dataset.label(self.whole(index)?)
    }

    fn read(&self, index: usize, picture: &mut Picture) -> Result<usize, Error> {
        self.dataset.read(self.whole(index)?, picture)
    }

    /// Its share of the whole dataset's.
    fn memory(&self) -> u64 {
        let share = self.indices.len() as f64 / self.dataset.len().max(1) as f64;
        (share * self.dataset.memory() as f64) as u64
    }

    fn name(&self, index: usize) -> String {
        self.whole(index).map_or_else(|_| format!("example {index}"), |index| self.dataset.name(index))
    }
}

/// Splits a dataset into training and validation, at random and without regard to the classes.
///
/// `fraction`, more than 0 and less than 1, of the examples, rounded, become validation. The same seed and length give the
/// same split. Both parts keep the order of the whole.
///
/// # Errors
///
/// [`Error::Option`] when `fraction` leaves one of the two parts empty.
pub fn split(dataset: Arc<dyn Dataset>, fraction: f64, seed: u64) -> Result<(Subset, Subset), Error> {
    let len = dataset.len();
    // NaN becomes 0, which is refused.
    let count = (fraction * len as f64).round() as usize;
    if !(0.0..1.0).contains(&fraction) || count == 0 || count >= len {
        return Err(Error::option(
            "the fraction for validation",
            fraction,
            format!("of {len} examples, it must leave at least one for each of the two parts"),
        ));
    }
    let mut indices: Vec<usize> = (0..len).collect();
    // No epoch of a run has this number.
    Random::of(seed, u64::MAX, 0).shuffle(&mut indices);
    let mut training = indices.split_off(count);
    let mut validation = indices;
    training.sort_unstable();
    validation.sort_unstable();
    Ok((Subset { dataset: Arc::clone(&dataset), indices: training }, Subset { dataset, indices: validation }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Arrays;

    fn numbers(len: usize) -> Arc<dyn Dataset> {
        let values = (0..len).map(|i| i as f32).collect();
        Arc::new(Arrays::new([1, 1, 1], values, vec![0; len], vec!["number".into()]).unwrap())
    }

    #[test]
    fn a_split_is_fixed_by_its_seed_and_loses_nothing() {
        let (training, validation) = split(numbers(100), 0.2, 7).unwrap();
        assert_eq!((training.len(), validation.len()), (80, 20));
        assert_eq!((training.memory(), validation.memory()), (80 * 12, 20 * 12), "a float and a label each");
        let mut all = [training.indices(), validation.indices()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        let again = split(numbers(100), 0.2, 7).unwrap();
        assert_eq!(again.1.indices(), validation.indices());
        let other = split(numbers(100), 0.2, 8).unwrap();
        assert_ne!(other.1.indices(), validation.indices());
    }

    #[test]
    fn both_parts_have_an_example() {
        for (len, fraction) in
            [(10, 0.0), (10, 1.0), (10, -0.1), (10, f64::NAN), (10, 0.01), (1, 0.5), (0, 0.5), (10, 0.99)]
        {
            let error = split(numbers(len), fraction, 0).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("at least one for each"), "{len} {fraction}: {error}");
        }
    }

    #[test]
    fn a_subset_reads_the_examples_it_names() {
        let subset = Subset::new(numbers(5), vec![4, 0, 4]).unwrap();
        let mut picture = Picture::default();
        for (index, value) in [4.0, 0.0, 4.0].into_iter().enumerate() {
            assert_eq!(subset.read(index, &mut picture).unwrap(), 0);
            assert_eq!(picture.values, [value]);
        }
        assert_eq!(subset.name(0), "example 4");
        assert!(matches!(subset.label(3), Err(Error::Index { index: 3, len: 3 })));
        assert!(matches!(Subset::new(numbers(5), vec![0, 5]), Err(Error::Index { index: 5, len: 5 })));
    }
}
