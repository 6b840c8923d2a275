//! A picture as numbers.

use crate::error::Error;

/// The most pixels of a picture, channels not counted: what larger ones would be is refused before memory is asked for.
pub const MAX_PIXELS: usize = 1 << 26;
/// The longest side of a picture in pixels.
pub const MAX_SIDE: usize = 1 << 14;

/// A picture: planes of `height × width` values, one after the other, row by row (CHW).
///
/// Values are from 0 (black) to 1 (white) as a dataset gives them; transforms may take them elsewhere. The memory is kept
/// when another picture is read into the same value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Picture {
    /// The number of planes: 1 is grey, 3 are red, green and blue.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `channels · height · width` values.
    pub values: Vec<f32>,
}

impl Picture {
    /// Channels, height and width.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// Takes the shape and makes room for as many values; what they are is up to the caller.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`] when the system has not got as much.
    pub fn reshape(&mut self, [channels, height, width]: [usize; 3]) -> Result<(), Error> {
        let size = elements([channels, height, width]);
        resize_values(&mut self.values, size)?;
        (self.channels, self.height, self.width) = (channels, height, width);
        Ok(())
    }

    /// Takes the shape and the values of bytes from 0 to 255, which become 0 to 1.
    ///
    /// # Errors
    ///
    /// [`Error::Array`] when the bytes do not fill the shape, [`Error::OutOfMemory`] when there is no memory.
    pub fn set_bytes(&mut self, shape: [usize; 3], bytes: &[u8]) -> Result<(), Error> {
        check_len(shape, bytes.len())?;
        self.reshape(shape)?;
        for (value, byte) in self.values.iter_mut().zip(bytes) {
            *value = f32::from(*byte) / 255.0;
        }
        Ok(())
    }

    /// Takes the shape and a copy of the values.
    ///
    /// # Errors
    ///
    /// As [`Self::set_bytes`].
    pub fn set_values(&mut self, shape: [usize; 3], values: &[f32]) -> Result<(), Error> {
        check_len(shape, values.len())?;
        self.reshape(shape)?;
        self.values.copy_from_slice(values);
        Ok(())
    }
}

/// The number of values; `usize::MAX` when it does not fit.
pub(crate) fn elements(shape: [usize; 3]) -> usize {
    shape.iter().fold(1, |product: usize, &size| product.saturating_mul(size))
}

/// Gives `values` the length, without aborting when there is no memory for it.
pub(crate) fn resize_values(values: &mut Vec<f32>, len: usize) -> Result<(), Error> {
    let more = len.saturating_sub(values.len());
    let bytes = len.saturating_mul(size_of::<f32>());
    values.try_reserve(more).map_err(|_| Error::OutOfMemory { what: "a picture", bytes })?;
    values.resize(len, 0.0);
    Ok(())
}

fn check_len(shape: [usize; 3], len: usize) -> Result<(), Error> {
    let expected = elements(shape);
    if expected == len {
        return Ok(());
    }
    Err(Error::array(
        format!("a picture of {shape:?} (channels, height, width) has {expected} values, not {len}"),
        "give as many values as the shape has",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_zero_to_one() {
        let mut picture = Picture::default();
        picture.set_bytes([1, 1, 3], &[0, 51, 255]).unwrap();
        assert_eq!((picture.shape(), &*picture.values), ([1, 1, 3], &[0.0, 0.2, 1.0][..]));
        picture.set_values([2, 1, 1], &[3.0, 4.0]).unwrap();
        assert_eq!((picture.shape(), &*picture.values), ([2, 1, 1], &[3.0, 4.0][..]));
    }

    #[test]
    fn wrong_lengths_and_impossible_sizes_are_errors() {
        let mut picture = Picture::default();
        assert!(picture.set_bytes([1, 2, 2], &[0; 3]).unwrap_err().to_string().contains("has 4 values, not 3"));
        assert!(matches!(picture.reshape([usize::MAX, 2, 2]), Err(Error::OutOfMemory { .. })));
        assert_eq!(picture.shape(), [0, 0, 0]);
    }
}
