//! Tensors that go into a network and come out of it.

use crate::Error;

/// A dense tensor of f32, row-major; the first size is the batch.
///
/// ```
/// use cnn_runtime::Tensor;
///
/// # fn main() -> Result<(), cnn_runtime::Error> {
/// let batch = Tensor::new(&[2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(batch.view().example(1), [4.0, 5.0, 6.0]);
/// assert!(Tensor::new(&[2, 3], vec![1.0]).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Tensor {
    /// A tensor of this shape, batch first, from its elements in row-major order.
    ///
    /// # Errors
    /// Another number of elements than the shape has.
    pub fn new(shape: &[usize], data: Vec<f32>) -> Result<Self, Error> {
        check_size(shape, data.len())?;
        Ok(Self { shape: shape.to_vec(), data })
    }

    /// A tensor of zeros.
    ///
    /// # Errors
    /// A shape too large for the memory.
    pub fn zeros(shape: &[usize]) -> Result<Self, Error> {
        let elements = count(shape)?;
        let mut data = Vec::new();
        let bytes = elements.saturating_mul(size_of::<f32>());
        data.try_reserve_exact(elements).map_err(|_| Error::OutOfMemory { what: "a tensor", bytes })?;
        data.resize(elements, 0.0);
        Ok(Self { shape: shape.to_vec(), data })
    }

    /// The sizes, batch first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements in row-major order.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The elements in row-major order.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The elements in row-major order, taken out.
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }

    /// The tensor, borrowed.
    pub fn view(&self) -> TensorView<'_> {
        TensorView { shape: &self.shape, data: &self.data }
    }
}

/// A borrowed tensor; the first size is the batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TensorView<'a> {
    shape: &'a [usize],
    data: &'a [f32],
}

impl<'a> TensorView<'a> {
    /// A view of these elements, row-major, in this shape.
    ///
    /// # Errors
    /// Another number of elements than the shape has.
    pub fn new(shape: &'a [usize], data: &'a [f32]) -> Result<Self, Error> {
        check_size(shape, data.len())?;
        Ok(Self { shape, data })
    }

    pub(crate) const EMPTY: TensorView<'static> = TensorView { shape: &[0], data: &[] };

    /// A view whose sizes are known to fit.
    pub(crate) fn of(shape: &'a [usize], data: &'a [f32]) -> Self {
        Self { shape, data }
    }

    /// The sizes, batch first.
    pub fn shape(&self) -> &'a [usize] {
        self.shape
    }

    /// The elements in row-major order.
    pub fn data(&self) -> &'a [f32] {
        self.data
    }

    /// The elements of example `i` of the batch; empty when there is no such example.
    pub fn example(&self, i: usize) -> &'a [f32] {
        self.examples().nth(i).unwrap_or(&[])
    }

    /// The examples of the batch, each in row-major order.
    pub fn examples(&self) -> impl ExactSizeIterator<Item = &'a [f32]> + use<'a> {
        let batch = self.shape.first().copied().unwrap_or(1);
        self.data.chunks_exact(self.data.len().checked_div(batch).unwrap_or(0).max(1))
    }

    /// A copy that owns its elements.
    pub fn to_tensor(&self) -> Tensor {
        Tensor { shape: self.shape.to_vec(), data: self.data.to_vec() }
    }
}

/// The number of elements of a shape.
pub(crate) fn count(shape: &[usize]) -> Result<usize, Error> {
    let elements = shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
    elements.ok_or_else(|| Error::TensorTooLarge { shape: shape.to_vec() })
}

fn check_size(shape: &[usize], found: usize) -> Result<(), Error> {
    let expected = count(shape)?;
    if expected == found { Ok(()) } else { Err(Error::TensorSize { shape: shape.to_vec(), expected, found }) }
}
