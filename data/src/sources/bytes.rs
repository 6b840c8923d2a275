//! Pictures of one size whose values are bytes.

use crate::dataset::Dataset;
use crate::error::Error;
use crate::picture::{Picture, elements};

/// Pictures of one size in memory, a byte for each value: what IDX and CIFAR files are read into.
#[derive(Debug, Clone)]
pub struct Bytes {
    shape: [usize; 3],
    values: Vec<u8>,
    labels: Vec<u8>,
    classes: Vec<String>,
}

impl Bytes {
    /// Pictures of `shape` (channels, height, width) one after the other, each plane by plane, 0 black to 255 white; one
    /// label for each, and the classes' names in the order of the labels.
    ///
    /// # Errors
    ///
    /// [`Error::Array`] when the lengths do not go together, [`Error::Example`] with [`Error::Label`] when a label is no
    /// class.
    pub fn new(shape: [usize; 3], values: Vec<u8>, labels: Vec<u8>, classes: Vec<String>) -> Result<Self, Error> {
        check_lengths(shape, values.len(), labels.len())?;
        check_labels(labels.iter().map(|&label| usize::from(label)), classes.len())?;
        Ok(Self { shape, values, labels, classes })
    }
}

/// Makes a dataset of pictures of one size in memory, with `shape`, `values`, `labels` and `classes`.
macro_rules! in_memory {
    ($name:ty, $set:ident) => {
        impl Dataset for $name {
            fn len(&self) -> usize {
                self.labels.len()
            }

            fn classes(&self) -> &[String] {
                &self.classes
            }

            fn shape(&self) -> Option<[usize; 3]> {
                Some(self.shape)
            }

            fn label(&self, index: usize) -> Result<usize, Error> {
                let label = self.labels.get(index).ok_or(Error::Index { index, len: self.labels.len() })?;
                Ok(usize::from(*label))
            }

            fn memory(&self) -> u64 {
                (size_of_val(&*self.values) + size_of_val(&*self.labels)) as u64
            }

            fn read(&self, index: usize, picture: &mut Picture) -> Result<usize, Error> {
                let label = self.label(index)?;
                let size = elements(self.shape);
                picture.$set(self.shape, &self.values[index * size..][..size])?;
                Ok(label)
            }
        }
    };
}
pub(super) use in_memory;

in_memory!(Bytes, set_bytes);

/// Checks that `values` are one picture of `shape` for each of the `labels`.
pub(crate) fn check_lengths(shape: [usize; 3], values: usize, labels: usize) -> Result<(), Error> {
    let size = elements(shape);
    if size == 0 {
        return Err(Error::array(
            format!("pictures of {shape:?} (channels, height, width) have no values"),
            "each of the three must be at least 1",
        ));
    }
    match labels.checked_mul(size) {
        Some(expected) if expected == values => Ok(()),
        expected => Err(Error::array(
            format!(
                "{labels} pictures of {shape:?} (channels, height, width) have {} values, not {values}",
                expected.map_or("too many".into(), |n| n.to_string())
            ),
            "give one label for each picture, and as many values as all pictures have",
        )),
    }
}

/// Checks that every label is a class.
pub(crate) fn check_labels(mut labels: impl Iterator<Item = usize>, classes: usize) -> Result<(), Error> {
    let Some((index, label)) = labels.by_ref().enumerate().find(|(_, label)| *label >= classes) else {
        return Ok(());
    };
    Err(Error::Label { label, classes }.of_example(|| format!("example {index}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Vec<String> {
        vec!["a".into(), "b".into()]
    }

    #[test]
    fn pictures_are_read_by_number() {
        let bytes = Bytes::new([1, 1, 2], vec![0, 51, 102, 255], vec![1, 0], classes()).unwrap();
        let mut picture = Picture::default();
        assert_eq!(bytes.read(1, &mut picture).unwrap(), 0);
        assert_eq!(picture.values, [0.4, 1.0]);
        assert_eq!(bytes.label(0).unwrap(), 1);
        assert!(matches!(bytes.read(2, &mut picture), Err(Error::Index { index: 2, len: 2 })));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (shape, values, labels, message) in [
            ([1, 1, 2], 3, vec![0, 0], "2 pictures of [1, 1, 2] (channels, height, width) have 4 values, not 3"),
            ([1, 0, 2], 0, vec![0, 0], "have no values"),
            ([1, usize::MAX, 2], 3, vec![0, 0], "have too many values, not 3"),
            ([1, 1, 1], 2, vec![0, 2], "example 1: the label is 2, and there are 2 classes"),
        ] {
            let error = Bytes::new(shape, vec![0; values], labels, classes()).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
