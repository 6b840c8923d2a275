//! Where a convolution's outputs find their inputs: one description for the convolution, its transpose and its gradients.

use crate::Error;
use crate::engine::kernels::axes::{before, in_volume, volume};
use crate::engine::select::Layer;
use cnn_ir::ops::{ConvSpec, ConvTransposeSpec};
use std::ops::Range;

/// A convolution over depth, height and width; axes that a layer lacks have the size 1. For a transposed convolution it is
/// the convolution that it transposes: from the larger value to the smaller.
#[derive(Debug, Clone)]
pub(crate) struct Geometry {
    pub groups: usize,
    /// Channels and sizes of the larger value, which the windows slide over.
    pub channels: usize,
    pub sizes: [usize; 3],
    /// Channels and sizes of the smaller one, which has one element for each place of the windows.
    pub places_channels: usize,
    pub places: [usize; 3],
    pub kernel: [usize; 3],
    pub stride: [usize; 3],
    pub dilation: [usize; 3],
    /// What is added before each axis of the larger value.
    pub padding: [usize; 3],
}

/// A tap of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tap {
    /// Its number in the kernel.
    pub index: usize,
    /// Where it reads, from the position of the output on.
    pub offset: [isize; 3],
}

/// Outputs that read the same taps: those at `start + m · step`, of which each reads at `m · input_step + offset`.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    pub start: [usize; 3],
    pub step: [usize; 3],
    pub count: [usize; 3],
    pub input_step: [usize; 3],
    /// In the order of their offsets.
    pub taps: Vec<Tap>,
}

impl Geometry {
    pub fn new<const D: usize, const S: usize>(spec: &ConvSpec<D, S>, layer: &Layer<'_>) -> Result<Self, Error> {
        let ConvSpec { groups, kernel_size, stride, dilation, padding, .. } = *spec;
        Self::between([layer.input, layer.output], groups, [kernel_size, stride, dilation, before(padding)], layer)
    }

    pub fn transposed<const D: usize, const S: usize>(
        spec: &ConvTransposeSpec<D, S>,
        layer: &Layer<'_>,
    ) -> Result<Self, Error> {
        let ConvTransposeSpec { groups, kernel_size, stride, dilation, padding, .. } = *spec;
        Self::between([layer.output, layer.input], groups, [kernel_size, stride, dilation, before(padding)], layer)
    }

    /// From the larger value to the smaller; the numbers of each axis are the kernel's sizes, stride, dilation and padding.
    fn between<const D: usize>(
        values: [&[usize]; 2],
        groups: usize,
        axes: [[usize; D]; 4],
        layer: &Layer<'_>,
    ) -> Result<Self, Error> {
        let ([channels, sizes @ ..], [places_channels, places @ ..]) =
            (volume(values[0], layer)?, volume(values[1], layer)?);
        let [kernel, stride, dilation] = [0, 1, 2].map(|number| in_volume(axes[number], 1));
        let padding = in_volume(axes[3], 0);
        let mut geometry = Self { groups, channels, sizes, places_channels, places, kernel, stride, dilation, padding };
        // Where every place is made of the same place, all of them are one long row.
        if kernel == [1; 3] && stride == [1; 3] && sizes == places {
            let row = [1, 1, sizes.iter().product()];
            (geometry.sizes, geometry.places) = (row, row);
        }
        Ok(geometry)
    }

    /// Taps of the kernel.
    pub fn kernel_taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Pairs of a place and a tap that reads within the larger value.
    pub fn pairs(&self) -> usize {
        let along = |axis: usize| {
            let reads = |place: usize, k: usize| {
                let at = place * self.stride[axis] + k * self.dilation[axis];
                (self.padding[axis]..self.padding[axis] + self.sizes[axis]).contains(&at)
            };
            let of_place = |place: usize| (0..self.kernel[axis]).filter(|&k| reads(place, k)).count();
            (0..self.places[axis]).map(of_place).sum::<usize>()
        };
        (0..3).map(along).product()
    }

    /// From the larger value to the smaller.
    pub fn gather(&self) -> Class {
        let offset = |axis: usize, k: usize| (k * self.dilation[axis]) as isize - self.padding[axis] as isize;
        let axes: [Vec<(usize, isize)>; 3] =
            std::array::from_fn(|axis| (0..self.kernel[axis]).map(|k| (k, offset(axis, k))).collect());
        let (start, step) = ([0; 3], [1; 3]);
        Class { start, step, count: self.places, input_step: self.stride, taps: self.taps(&axes) }
    }

    /// From the smaller value to the larger: one class for each remainder that a position leaves by the stride.
    pub fn scatter(&self) -> Vec<Class> {
        let mut classes = Vec::new();
        for d in 0..self.stride[0].min(self.sizes[0]) {
            for h in 0..self.stride[1].min(self.sizes[1]) {
                for w in 0..self.stride[2].min(self.sizes[2]) {
                    let start = [d, h, w];
                    let axes: [Vec<(usize, isize)>; 3] = std::array::from_fn(|axis| self.reaching(axis, start[axis]));
                    let count =
                        std::array::from_fn(|axis| (self.sizes[axis] - start[axis]).div_ceil(self.stride[axis]));
                    let taps = self.taps(&axes);
                    classes.push(Class { start, step: self.stride, count, input_step: [1; 3], taps });
                }
            }
        }
        classes
    }

    /// The taps along an axis that reach a position, and from where.
    fn reaching(&self, axis: usize, position: usize) -> Vec<(usize, isize)> {
        let stride = self.stride[axis] as isize;
        let distance = |k: usize| (position + self.padding[axis]) as isize - (k * self.dilation[axis]) as isize;
        let taps = (0..self.kernel[axis]).rev().filter(|&k| distance(k).rem_euclid(stride) == 0);
        taps.map(|k| (k, distance(k).div_euclid(stride))).collect()
    }

    fn taps(&self, axes: &[Vec<(usize, isize)>; 3]) -> Vec<Tap> {
        let mut taps = Vec::new();
        for &(d, depth) in &axes[0] {
            for &(h, height) in &axes[1] {
                for &(w, width) in &axes[2] {
                    let index = (d * self.kernel[1] + h) * self.kernel[2] + w;
                    taps.push(Tap { index, offset: [depth, height, width] });
                }
            }
        }
        taps.sort_by_key(|tap| tap.offset);
        taps
    }
}

impl Class {
    /// The smallest and the largest offset along an axis; zeros where there are no taps.
    pub fn reach(&self, axis: usize) -> [isize; 2] {
        let offsets = || self.taps.iter().map(|tap| tap.offset[axis]);
        [offsets().min().unwrap_or(0), offsets().max().unwrap_or(0)]
    }

    /// The places along the last axis, in parts that read the same offsets of so many elements.
    pub fn spans(&self, size: usize) -> Vec<(Range<usize>, Vec<isize>)> {
        let mut spans: Vec<(Range<usize>, Vec<isize>)> = Vec::new();
        for place in 0..self.count[2] {
            let reads = |offset: isize| (0..size as isize).contains(&((place * self.input_step[2]) as isize + offset));
            let mut offsets: Vec<isize> = self.taps.iter().map(|tap| tap.offset[2]).filter(|&o| reads(o)).collect();
            offsets.sort_unstable();
            offsets.dedup();
            match spans.last_mut() {
                Some((last, of_last)) if *of_last == offsets => last.end = place + 1,
                _ => spans.push((place..place + 1, offsets)),
            }
        }
        spans
    }

    /// Whether no output reads beyond the ends of these sizes.
    pub fn stays_within(&self, sizes: [usize; 3]) -> bool {
        (0..3).all(|axis| {
            let [first, last] = self.reach(axis);
            let end = (self.count[axis].saturating_sub(1) * self.input_step[axis]) as isize + last;
            first >= 0 && end < sizes[axis] as isize
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(size: usize, kernel: usize, stride: usize, dilation: usize, padding: usize) -> Geometry {
        let places = (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
        Geometry {
            groups: 1,
            channels: 1,
            sizes: [1, 1, size],
            places_channels: 1,
            places: [1, 1, places],
            kernel: [1, 1, kernel],
            stride: [1, 1, stride],
            dilation: [1, 1, dilation],
            padding: [0, 0, padding],
        }
    }

    /// All (output, input, tap) of classes, within the sizes.
    fn edges(classes: &[Class], inputs: usize) -> Vec<(usize, usize, usize)> {
        let mut edges = Vec::new();
        for class in classes {
            for m in 0..class.count[2] {
                for tap in &class.taps {
                    let input = (m * class.input_step[2]) as isize + tap.offset[2];
                    if (0..inputs as isize).contains(&input) {
                        edges.push((class.start[2] + m * class.step[2], input as usize, tap.index));
                    }
                }
            }
        }
        edges
    }

    #[test]
    fn the_transpose_has_the_same_edges() {
        for (size, kernel, stride, dilation, padding) in
            [(7, 3, 1, 1, 1), (8, 3, 2, 1, 1), (9, 5, 3, 1, 0), (11, 3, 2, 2, 2), (4, 1, 2, 1, 0), (2, 2, 5, 1, 0)]
        {
            let geometry = geometry(size, kernel, stride, dilation, padding);
            let mut forward = edges(&[geometry.gather()], size);
            let mut backward: Vec<_> =
                edges(&geometry.scatter(), geometry.places[2]).into_iter().map(|(x, y, tap)| (y, x, tap)).collect();
            forward.sort_unstable();
            backward.sort_unstable();
            assert_eq!(forward, backward, "{geometry:?}");
            for class in geometry.scatter().into_iter().chain([geometry.gather()]) {
                let sizes = [geometry.places[2], size];
                for (size, spans) in sizes.map(|size| (size, class.spans(size))) {
                    assert!(spans.iter().flat_map(|(places, _)| places.clone()).eq(0..class.count[2]));
                    for (place, tap) in (0..class.count[2]).flat_map(|m| class.taps.iter().map(move |tap| (m, tap))) {
                        let at = (place * class.input_step[2]) as isize + tap.offset[2];
                        let span = spans.iter().find(|(places, _)| places.contains(&place));
                        let is_read = span.is_some_and(|(_, offsets)| offsets.contains(&tap.offset[2]));
                        assert_eq!(is_read, (0..size as isize).contains(&at), "{geometry:?}: {place} at {at}");
                    }
                }
            }
            assert_eq!(geometry.pairs(), backward.len());
            let covered: usize = geometry.scatter().iter().map(|class| class.count[2]).sum();
            assert_eq!(covered, size);
        }
    }
}
