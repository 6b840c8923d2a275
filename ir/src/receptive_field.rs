//! What part of the input a value depends on.

use crate::ops::gcd;
use crate::window::adaptive_windows;
use crate::{Network, Op, Shape, ValueId};

/// What one element of an op's output depends on in its input, along the axes behind the channels.
///
/// Statistics that a norm takes over a whole map do not count, as is usual.
#[derive(Debug, Clone, PartialEq)]
pub enum Reach {
    /// The element in its place.
    Point,
    /// A window, one extent for each axis.
    Window(Vec<Extent>),
    /// Everything.
    Whole,
}

/// A window along one axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// From its first to its last element; dilation counts.
    pub size: f64,
    /// Distance in the input between neighbouring windows; below 1 where the output is larger.
    pub stride: f64,
}

impl Reach {
    /// `kernel` taps on each axis, `dilation` apart, in windows `stride` apart.
    pub fn windows<const N: usize>(kernel: [usize; N], stride: [usize; N], dilation: [usize; N]) -> Self {
        let extent = |axis: usize| Extent {
            size: dilation[axis] as f64 * kernel[axis].saturating_sub(1) as f64 + 1.0,
            stride: stride[axis] as f64,
        };
        Self::Window((0..N).map(extent).collect())
    }

    /// The transpose of [`Reach::windows`]. Taps meet an element of the output when they are a multiple of the stride
    /// apart: every s/g-th of them, g being what stride and dilation have in common.
    pub fn transposed_windows<const N: usize>(kernel: [usize; N], stride: [usize; N], dilation: [usize; N]) -> Self {
        let extent = |axis: usize| {
            let (k, s, d) = (kernel[axis], stride[axis].max(1), dilation[axis]);
            let common = gcd(s, d).max(1);
            let taps = k.div_ceil(s / common);
            Extent { size: taps.saturating_sub(1) as f64 * (d / common) as f64 + 1.0, stride: 1.0 / s as f64 }
        };
        Self::Window((0..N).map(extent).collect())
    }

    /// Windows of `size` elements, as many as the output has, spread over the whole input.
    pub fn spread(size: &[usize], input: &Shape, output: &Shape) -> Self {
        let axes = size.iter().zip(input.iter().zip(output.iter()).skip(1));
        let extents = axes.map(|(&size, (&n, &outputs))| Extent {
            size: size as f64,
            stride: n.saturating_sub(size) as f64 / outputs.saturating_sub(1).max(1) as f64,
        });
        Self::Window(extents.collect())
    }

    /// The windows of adaptive pooling, the largest of each axis; see [`adaptive_windows`].
    pub(crate) fn adaptive(input: &Shape, output: &Shape) -> Self {
        let axes = || input.iter().zip(output.iter()).skip(1);
        if axes().all(|(_, &outputs)| outputs == 1) {
            return Self::Whole;
        }
        let extent = |(&n, &outputs): (&usize, &usize)| Extent {
            size: adaptive_windows(n, outputs).map(|window| window.len()).max().unwrap_or(1) as f64,
            stride: n as f64 / outputs as f64,
        };
        Self::Window(axes().map(extent).collect())
    }
}

/// The part of the model's input that one element of a value depends on, along each axis behind the channels: its size
/// and stride as in Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019.
///
/// Through a window of size k and stride s, size and stride become r + (k − 1)·S and S·s. An op that sees everything is a
/// window as large as its input. Padding counts, so the size may be larger than the input. Where values join, the largest
/// size and the smallest stride count; with several inputs, likewise.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceptiveField {
    /// Along each axis of the input.
    axes: Vec<Extent>,
    /// Whether an element depends on all that the layers before see.
    pub whole: bool,
}

/// No figure goes beyond this, so that all of them are exact and finite.
const MOST: f64 = (1u64 << 53) as f64;

impl ReceptiveField {
    /// An element of an input sees itself.
    pub fn of_input(shape: &Shape) -> Self {
        Self { axes: shape.iter().skip(1).map(|_| Extent { size: 1.0, stride: 1.0 }).collect(), whole: false }
    }

    /// The field of what `op` makes of these values.
    pub fn of_output(op: &Op, inputs: &[(&Self, &Shape)], output: &Shape) -> Self {
        let fields = inputs.iter().map(|(field, shape)| field.through(&op.reach(shape, output), shape));
        fields.reduce(Self::join).unwrap_or(Self { axes: Vec::new(), whole: false })
    }

    /// Elements of the input along each axis behind its channels; none for a vector.
    pub fn size(&self) -> Vec<u64> {
        // Fractions come from upsampling; what is seen in part is seen.
        self.axes.iter().map(|axis| (axis.size - 1e-6).ceil() as u64).collect()
    }

    /// How far apart in the input the fields of neighbouring elements are.
    pub fn stride(&self) -> Vec<f64> {
        self.axes.iter().map(|axis| axis.stride).collect()
    }

    fn through(&self, reach: &Reach, shape: &Shape) -> Self {
        let extents = match reach {
            Reach::Point => return self.clone(),
            Reach::Window(extents) => extents.clone(),
            Reach::Whole => shape.iter().skip(1).map(|&n| Extent { size: n as f64, stride: n as f64 }).collect(),
        };
        let mut field = self.clone();
        field.whole |= *reach == Reach::Whole;
        // Behind a change of the number of axes all has been seen already.
        if extents.len() == field.axes.len() {
            for (axis, Extent { size, stride }) in field.axes.iter_mut().zip(extents) {
                axis.size = (axis.size + (size - 1.0) * axis.stride).min(MOST);
                axis.stride = (axis.stride * stride).min(MOST);
            }
        }
        field
    }

    fn join(mut self, mut other: Self) -> Self {
        if self.axes.len() < other.axes.len() {
            std::mem::swap(&mut self, &mut other);
        }
        for (axis, other) in self.axes.iter_mut().zip(&other.axes) {
            axis.size = axis.size.max(other.size);
            axis.stride = axis.stride.min(other.stride);
        }
        self.whole |= other.whole;
        self
    }
}

impl Network {
    /// The receptive field of every value, inputs first.
    ///
    /// ```
    /// # use cnn_ir::{Builder, NetworkBuilder, ops::{Conv2dSpec, MaxPool2dSpec}};
    /// # fn main() -> Result<(), cnn_ir::BuildError> {
    /// let mut net = NetworkBuilder::new("Tiny");
    /// let image = net.input("image", &[3, 32, 32])?;
    /// let conv = net.layer("conv", Conv2dSpec::new(3, 8, [3, 3]), &[&image])?;
    /// let pool = net.layer("pool", MaxPool2dSpec::new([2, 2], [2, 2]), &[&conv])?;
    /// net.output("features", &pool)?;
    /// let net = net.finish()?;
    /// assert_eq!(net.receptive_fields()[pool.index()].size(), [4, 4]);
    /// assert_eq!(net.receptive_fields()[pool.index()].stride(), [2.0, 2.0]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn receptive_fields(&self) -> Vec<ReceptiveField> {
        let mut fields = Vec::with_capacity(self.inputs.len() + self.layers.len());
        self.extend_receptive_fields(&mut fields);
        fields
    }

    /// Adds the fields of the values that were made since.
    pub(crate) fn extend_receptive_fields(&self, fields: &mut Vec<ReceptiveField>) {
        fields.extend(self.inputs.iter().skip(fields.len()).map(|input| ReceptiveField::of_input(&input.shape)));
        for layer in self.layers.iter().skip(fields.len() - self.inputs.len()) {
            let input = |value: &ValueId| (&fields[value.index()], self.shape(*value));
            let inputs: Vec<_> = layer.inputs.iter().map(input).collect();
            let field = ReceptiveField::of_output(&layer.op, &inputs, &layer.shape);
            fields.push(field);
        }
    }
}
