//! Shapes of values, without the batch.

use crate::{Fault, codes};
use std::fmt;
use std::ops::Deref;

/// The most elements one value or one parameter may have: luminal counts them in an `i32`.
pub const MAX_ELEMENTS: usize = i32::MAX as usize;

/// The shape of one example: channels first, the batch left out, all sizes at least 1.
///
/// `[1, 28, 28]` is a map of one channel, 28 rows and 28 columns; `[400]` is a vector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// A shape from its sizes.
    ///
    /// # Errors
    /// A size of zero, no size at all, or more than [`MAX_ELEMENTS`] elements.
    ///
    /// ```
    /// # use cnn_ir::Shape;
    /// assert_eq!(Shape::new(&[6, 14, 14]).unwrap().elements(), 1176);
    /// assert!(Shape::new(&[1 << 40, 1 << 40]).is_err());
    /// ```
    pub fn new(sizes: &[usize]) -> Result<Self, Fault> {
        if sizes.is_empty() {
            return Err(Fault::new(&codes::BAD_SHAPE, "a shape needs at least one size"));
        }
        if sizes.contains(&0) {
            return Err(Fault::new(&codes::BAD_SHAPE, format!("the shape {} has a size of zero", Cross(sizes))));
        }
        let elements = sizes.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        match elements {
            Some(n) if n <= MAX_ELEMENTS => Ok(Self(sizes.to_vec())),
            _ => Err(Fault::new(&codes::TOO_LARGE, format!("{} elements are too many", Cross(sizes)))
                .figure(format!("one tensor may have at most {MAX_ELEMENTS} elements"))),
        }
    }

    /// The number of elements of one example.
    pub fn elements(&self) -> usize {
        self.0.iter().product()
    }

    /// Channels, height and width, when the shape is a map.
    pub fn as_map(&self) -> Option<[usize; 3]> {
        self.0.as_slice().try_into().ok()
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Cross(&self.0).fmt(f)
    }
}

/// Sizes joined by `×`.
pub(crate) struct Cross<'a>(pub &'a [usize]);

impl fmt::Display for Cross<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, size) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("×")?;
            }
            write!(f, "{size}")?;
        }
        Ok(())
    }
}
