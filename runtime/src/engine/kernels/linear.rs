//! Linear interpolation over one, two and three axes: slices and rows become one row by their shares, then two columns
//! become one element.

use super::axes::volume;
use super::{Call, Kernel};
use crate::Error;
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use cnn_ir::ops::{UpsampleSpec, UpsampleTap};

/// Other sizes, linear in all axes.
pub(crate) struct Linear {
    interpolate: unsafe fn(&Geometry, &[f32], &mut [f32], &mut [f32]),
    geometry: Geometry,
}

struct Geometry {
    /// Depth, height and width.
    input: [usize; 3],
    slices: Vec<UpsampleTap>,
    rows: Vec<UpsampleTap>,
    columns: Vec<UpsampleTap>,
}

impl Linear {
    pub fn new<const D: usize>(spec: &UpsampleSpec<D>, layer: &Layer<'_>) -> Result<Self, Error> {
        let ([_, input @ ..], [_, output @ ..]) = (volume(layer.input, layer)?, volume(layer.output, layer)?);
        let taps = |axis: usize| match (axis + D).checked_sub(3) {
            Some(own) => spec.taps(own, input[axis], output[axis]).collect(),
            None => vec![UpsampleTap { first: 0, second: 0, weight: 0.0 }],
        };
        let geometry = Geometry { input, slices: taps(0), rows: taps(1), columns: taps(2) };
        Ok(Self { interpolate: interpolate_of(layer.isa), geometry })
    }
}

impl Kernel for Linear {
    fn scratch(&self, _batch: usize, _threads: usize) -> usize {
        self.geometry.input[2]
    }

    fn run(&self, call: Call<'_>) {
        // SAFETY: the instruction set was checked before the kernel was made.
        unsafe { (self.interpolate)(&self.geometry, call.input, call.output, call.scratch) };
    }
}

impl std::fmt::Debug for Linear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("upsample_linear")
    }
}

per_isa!(fn interpolate_of(geometry: &Geometry, input: &[f32], output: &mut [f32], row: &mut [f32]) = interpolate_body);

/// Loops over rows are left to the compiler to vectorise.
#[inline(always)]
unsafe fn interpolate_body<S: Simd>(geometry: &Geometry, input: &[f32], output: &mut [f32], row: &mut [f32]) {
    let Geometry { input: [depth, height, width], slices, rows, columns } = geometry;
    let row = &mut row[..*width];
    let channels = output.chunks_exact_mut(slices.len() * rows.len() * columns.len());
    for (input, output) in input.chunks_exact(depth * height * width).zip(channels) {
        let places = slices.iter().flat_map(|slice| rows.iter().map(move |row| (slice, row)));
        for ((slice, tap), output) in places.zip(output.chunks_exact_mut(columns.len())) {
            mix::<true>(&input[slice.first * height * width..], tap, 1.0 - slice.weight, row);
            if slice.weight > 0.0 {
                mix::<false>(&input[slice.second * height * width..], tap, slice.weight, row);
            }
            for (to, tap) in output.iter_mut().zip(columns) {
                *to = row[tap.first] * (1.0 - tap.weight) + row[tap.second] * tap.weight;
            }
        }
    }
}

/// The share of a slice in a row: two of its rows by their shares.
#[inline(always)]
fn mix<const FIRST: bool>(slice: &[f32], tap: &UpsampleTap, share: f32, row: &mut [f32]) {
    let width = row.len();
    let [first, second] = [tap.first, tap.second].map(|y| &slice[y * width..][..width]);
    let (a, b) = (share * (1.0 - tap.weight), share * tap.weight);
    for (to, (&first, &second)) in row.iter_mut().zip(first.iter().zip(second)) {
        let mixed = first * a + second * b;
        *to = if FIRST { mixed } else { *to + mixed };
    }
}
