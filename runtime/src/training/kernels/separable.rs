//! Padding, cropping and upsampling: every channel alike, and every axis by itself, so that an element of the output is a
//! sum of elements of the input by the products of three factors. The gradient is the same with each axis transposed.

use crate::Error;
use crate::engine::kernels::axes::volume;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::engine::threads::Shared;
use cnn_ir::ops::{CropSpec, PadSpec, UpsampleSpec, UpsampleTap};
use std::fmt;

/// A map of another size.
pub(crate) struct Separable {
    name: &'static str,
    is_gradient: bool,
    maps: Maps,
    channels: usize,
    code: unsafe fn(&Maps, &[f32], &mut [f32]),
    lanes: usize,
}

/// Depth, height and width.
struct Maps {
    input: [usize; 3],
    axes: [Axis; 3],
    /// What an element is that has no part of the input.
    value: f32,
}

/// What each place along an axis is made of.
struct Axis {
    /// Where the parts of each place begin, and the number of all parts.
    starts: Vec<usize>,
    /// Elements of the input with their factors.
    parts: Vec<(usize, f32)>,
}

impl Separable {
    pub fn pad<const D: usize, const S: usize>(
        spec: &PadSpec<D, S>,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Result<Self, Error> {
        let part = |source: Option<usize>| source.map(|source| (source, 1.0));
        let axis = |axis, size, _| spec.sources(axis, size).map(part).collect();
        let pad = Self::new::<D, _>("pad", layer, is_gradient, axis)?;
        let value = if is_gradient { 0.0 } else { spec.value as f32 };
        Ok(Self { maps: Maps { value, ..pad.maps }, ..pad })
    }

    pub fn crop<const D: usize, const S: usize>(
        spec: &CropSpec<D, S>,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Result<Self, Error> {
        let axis = |axis: usize, _, places| (0..places).map(|i| Some((spec.sides[2 * axis] + i, 1.0))).collect();
        Self::new::<D, _>("crop", layer, is_gradient, axis)
    }

    pub fn upsample<const D: usize>(
        spec: &UpsampleSpec<D>,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Result<Self, Error> {
        // Both places are the same at the end; a place without a share is left out.
        let parts = |tap: UpsampleTap| {
            let both = [(tap.first, 1.0 - tap.weight), (tap.second, tap.weight)];
            both.into_iter().filter(|(_, share)| *share > 0.0)
        };
        let axis = |axis, size, places| spec.taps(axis, size, places).map(parts).collect();
        Self::new::<D, _>("upsample", layer, is_gradient, axis)
    }

    /// `axis` gives the parts of each place along an axis of the layer, given the sizes of its input and its output.
    fn new<const D: usize, P: IntoIterator<Item = (usize, f32)>>(
        name: &'static str,
        layer: &Layer<'_>,
        is_gradient: bool,
        axis: impl Fn(usize, usize, usize) -> Vec<P>,
    ) -> Result<Self, Error> {
        let ([channels, input @ ..], [_, output @ ..]) = (volume(layer.input, layer)?, volume(layer.output, layer)?);
        let along = |number: usize| match (number + D).checked_sub(3) {
            Some(own) => Axis::new(axis(own, input[number], output[number])),
            None => Axis::new([[(0, 1.0)]]),
        };
        let axes = [along(0), along(1), along(2)];
        // The kernels rely on it.
        let fits = |number: usize| {
            let Axis { starts, parts } = &axes[number];
            starts.len() == output[number] + 1 && parts.iter().all(|(element, _)| *element < input[number])
        };
        if !(0..3).all(fits) {
            return Err(layer.error("it reads what is not in its input"));
        }
        let [d, h, w] = &axes;
        let maps = match is_gradient {
            false => Maps { input, axes, value: 0.0 },
            true => {
                let axes = [d.transposed(input[0]), h.transposed(input[1]), w.transposed(input[2])];
                Maps { input: output, axes, value: 0.0 }
            }
        };
        Ok(Self { name, is_gradient, maps, channels, code: sums(layer.isa), lanes: layer.isa.lanes() })
    }
}

impl Axis {
    fn new<P: IntoIterator<Item = (usize, f32)>>(places: impl IntoIterator<Item = P>) -> Self {
        let (mut starts, mut parts) = (vec![0], Vec::new());
        for place in places {
            parts.extend(place);
            starts.push(parts.len());
        }
        Self { starts, parts }
    }

    fn places(&self) -> usize {
        self.starts.len() - 1
    }

    /// What each place adds to which of `size` elements, as the parts of those.
    fn transposed(&self, size: usize) -> Self {
        let mut back = vec![Vec::new(); size];
        for place in 0..self.places() {
            for &(element, factor) in &self.parts[self.starts[place]..self.starts[place + 1]] {
                back[element].push((place, factor));
            }
        }
        Self::new(back)
    }
}

impl Kernel for Separable {
    fn run(&self, call: Call<'_>) {
        let maps = call.batch / self.lanes * self.channels;
        let from = self.maps.input.iter().product::<usize>() * self.lanes;
        let to = self.maps.axes.iter().map(Axis::places).product::<usize>() * self.lanes;
        let output = Shared::new(call.output);
        call.threads.for_work(maps * from.max(to)).run(maps, |map, _| {
            let input = &call.input[map * from..(map + 1) * from];
            // SAFETY: each map is one task's alone; parts lie within the input, and the instruction set was checked.
            unsafe { (self.code)(&self.maps, input, output.part(map * to..(map + 1) * to)) };
        });
    }
}

impl fmt::Debug for Separable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, if self.is_gradient { " gradient" } else { "" })
    }
}

per_isa!(fn sums(maps: &Maps, from: &[f32], to: &mut [f32]) = sums_body);

#[inline(always)]
unsafe fn sums_body<S: Simd>(maps: &Maps, from: &[f32], to: &mut [f32]) {
    let Maps { input: [_, height, width], axes: [depths, rows, columns], value } = maps;
    let mut place = 0;
    let mut d = 1;
    while d < depths.starts.len() {
        let slices = &depths.parts[depths.starts[d - 1]..depths.starts[d]];
        let mut h = 1;
        while h < rows.starts.len() {
            let lines = &rows.parts[rows.starts[h - 1]..rows.starts[h]];
            let mut w = 1;
            while w < columns.starts.len() {
                let elements = &columns.parts[columns.starts[w - 1]..columns.starts[w]];
                let is_outside = slices.is_empty() || lines.is_empty() || elements.is_empty();
                // SAFETY: the parts lie within the input, and the caller keeps the conditions.
                unsafe {
                    let mut sum = S::splat(if is_outside { *value } else { 0.0 });
                    let mut i = 0;
                    while i < slices.len() {
                        let mut j = 0;
                        while j < lines.len() {
                            let row = (slices[i].0 * height + lines[j].0) * width;
                            let share = slices[i].1 * lines[j].1;
                            let mut k = 0;
                            while k < elements.len() {
                                let (element, factor) = elements[k];
                                let vector = S::load(from.as_ptr().add((row + element) * S::LANES));
                                sum = vector.mul_add(S::splat(share * factor), sum);
                                k += 1;
                            }
                            j += 1;
                        }
                        i += 1;
                    }
                    sum.store(to.as_mut_ptr().add(place * S::LANES));
                }
                place += 1;
                w += 1;
            }
            h += 1;
        }
        d += 1;
    }
}
