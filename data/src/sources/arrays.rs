//! Pictures from the program's own memory.

use super::bytes::{check_labels, check_lengths, in_memory};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::picture::{Picture, elements};

/// Pictures of one size from the program's own memory, a float for each value.
///
/// For pictures in bytes, [`Bytes`](crate::Bytes) takes a quarter of the memory.
#[derive(Debug, Clone)]
pub struct Arrays {
    shape: [usize; 3],
    values: Vec<f32>,
    labels: Vec<usize>,
    classes: Vec<String>,
}

impl Arrays {
    /// Pictures of `shape` (channels, height, width) one after the other, each plane by plane, usually from 0 black to
    /// 1 white; one label for each, and the classes' names in the order of the labels.
    ///
    /// # Errors
    ///
    /// [`Error::Array`] when the lengths do not go together; [`Error::Example`] when a value of it is NaN or infinite, or
    /// when its label is no class.
    pub fn new(shape: [usize; 3], values: Vec<f32>, labels: Vec<usize>, classes: Vec<String>) -> Result<Self, Error> {
        check_lengths(shape, values.len(), labels.len())?;
        check_labels(labels.iter().copied(), classes.len())?;
        if let Some((place, value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            let size = elements(shape);
            let (index, at) = (place / size, place % size);
            let (channel, pixel) = (at / (shape[1] * shape[2]), at % (shape[1] * shape[2]));
            let problem = format!(
                "the value of channel {channel}, row {}, column {} is {value}",
                pixel / shape[2],
                pixel % shape[2]
            );
            let error = Error::array(problem, "replace it, or leave the example out");
            return Err(error.of_example(|| format!("example {index}")));
        }
        Ok(Self { shape, values, labels, classes })
    }
}

in_memory!(Arrays, set_values);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_labels_are_as_given() {
        let arrays =
            Arrays::new([2, 1, 1], vec![1.0, 2.0, -3.0, 4.0], vec![0, 1], vec!["a".into(), "b".into()]).unwrap();
        let mut picture = Picture::default();
        assert_eq!(arrays.read(1, &mut picture).unwrap(), 1);
        assert_eq!((picture.shape(), &*picture.values), ([2, 1, 1], &[-3.0, 4.0][..]));
        assert!(matches!(arrays.read(2, &mut picture), Err(Error::Index { index: 2, len: 2 })));
    }

    #[test]
    fn what_cannot_be_trained_on_is_refused() {
        let nan = vec![0.0, 0.0, 0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0];
        let infinite = vec![f32::NEG_INFINITY; 8];
        for (shape, values, labels, message) in [
            ([2, 1, 2], nan, vec![0, 0], "example 1: the value of channel 0, row 0, column 1 is NaN; replace it"),
            ([1, 2, 2], infinite, vec![0, 0], "example 0: the value of channel 0, row 0, column 0 is -inf"),
            (
                [1, 2, 2],
                vec![0.0; 8],
                vec![0],
                "1 pictures of [1, 2, 2] (channels, height, width) have 4 values, not 8",
            ),
            ([1, 2, 2], vec![0.0; 8], vec![0, 1], "example 1: the label is 1, and there are 1 classes"),
        ] {
            let error = Arrays::new(shape, values, labels, vec!["only".into()]).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
