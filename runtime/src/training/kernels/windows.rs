//! The windows of pooling: for each place of the output the elements of the input that it is made of.

use crate::Error;
use crate::engine::kernels::axes::volume;
use crate::engine::select::Layer;

/// The window of a place along one axis: `count` elements from `start` on, `step` apart, all within the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub start: usize,
    pub count: usize,
    pub step: usize,
    /// Elements of the window with those that lie in the padding.
    pub padded: usize,
}

/// All windows of a layer, over depth, height and width.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    pub channels: usize,
    pub input: [usize; 3],
    pub output: [usize; 3],
    /// For each axis the window of each place.
    pub spans: [Vec<Span>; 3],
}

impl Windows {
    /// Those that `span` gives for an axis (0 for depth) and a place on it, given the input's size. Axes that the layer lacks
    /// have one place of one element.
    pub fn new(layer: &Layer<'_>, mut span: impl FnMut(usize, usize, usize) -> Span) -> Result<Self, Error> {
        let ([channels, input @ ..], [_, output @ ..]) = (volume(layer.input, layer)?, volume(layer.output, layer)?);
        let missing = 4 - layer.input.len();
        let spans = std::array::from_fn(|axis| {
            (0..output[axis])
                .map(|place| match axis < missing {
                    true => Span { start: 0, count: 1, step: 1, padded: 1 },
                    false => span(axis, place, input[axis]),
                })
                .collect()
        });
        Ok(Self { channels, input, output, spans })
    }

    /// Sliding windows: the kernel's sizes, strides, dilations, and the padding before and after each axis. The layer's own
    /// axes are the last ones of the three.
    pub fn sliding<const D: usize, const S: usize>(
        layer: &Layer<'_>,
        kernel: [usize; D],
        stride: [usize; D],
        dilation: [usize; D],
        padding: [usize; S],
    ) -> Result<Self, Error> {
        Self::new(layer, |axis, place, size| {
            let axis = axis + D - 3;
            let (step, before, after) = (dilation[axis], padding[2 * axis], padding[2 * axis + 1]);
            let first = place * stride[axis];
            // The first element of the window that is not before the input, and those before its end.
            let skipped = before.saturating_sub(first).div_ceil(step).min(kernel[axis]);
            let start = first + skipped * step - before.min(first + skipped * step);
            let within = size.saturating_sub(start).div_ceil(step).min(kernel[axis] - skipped);
            let padded = (size + before + after).saturating_sub(first).div_ceil(step).min(kernel[axis]);
            Span { start, count: within, step, padded }
        })
    }

    /// Elements of a channel of the input and of the output.
    pub fn elements(&self) -> [usize; 2] {
        [self.input, self.output].map(|sizes| sizes.iter().product())
    }

    /// Calls `each` with the place's number, and the window along each axis.
    #[inline(always)]
    pub fn places(&self, mut each: impl FnMut(usize, [Span; 3])) {
        let mut place = 0;
        for &d in &self.spans[0] {
            for &h in &self.spans[1] {
                for &w in &self.spans[2] {
                    each(place, [d, h, w]);
                    place += 1;
                }
            }
        }
    }
}
