//! Bilinear interpolation: two rows become one, then two columns become one.

use super::{Call, Kernel};
use crate::Error;
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use cnn_ir::ops::{Upsample2dSpec, UpsampleTap};

/// Another height and width, linear in both axes.
pub(crate) struct Bilinear {
    interpolate: unsafe fn(&Geometry, &[f32], &mut [f32], &mut [f32]),
    geometry: Geometry,
}

struct Geometry {
    /// Height and width.
    input: [usize; 2],
    rows: Vec<UpsampleTap>,
    columns: Vec<UpsampleTap>,
}

impl Bilinear {
    pub fn new(spec: &Upsample2dSpec, layer: &Layer<'_>) -> Result<Self, Error> {
        let (&[_, height, width], &[_, out_height, out_width]) = (layer.input, layer.output) else {
            return Err(layer.error("`upsample` takes maps"));
        };
        let geometry = Geometry {
            input: [height, width],
            rows: spec.taps(0, height, out_height).collect(),
            columns: spec.taps(1, width, out_width).collect(),
        };
        Ok(Self { interpolate: interpolate_of(layer.isa), geometry })
    }
}

impl Kernel for Bilinear {
    fn scratch(&self, _batch: usize) -> usize {
        self.geometry.input[1]
    }

    fn run(&self, call: Call<'_>) {
        // SAFETY: the instruction set was checked before the kernel was made.
        unsafe { (self.interpolate)(&self.geometry, call.input, call.output, call.scratch) };
    }
}

impl std::fmt::Debug for Bilinear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("upsample_bilinear")
    }
}

per_isa!(fn interpolate_of(geometry: &Geometry, input: &[f32], output: &mut [f32], row: &mut [f32]) = interpolate_body);

/// Loops over rows are left to the compiler to vectorise.
#[inline(always)]
unsafe fn interpolate_body<S: Simd>(geometry: &Geometry, input: &[f32], output: &mut [f32], row: &mut [f32]) {
    let Geometry { input: [height, width], rows, columns } = geometry;
    let row = &mut row[..*width];
    let maps = output.chunks_exact_mut(rows.len() * columns.len());
    for (input, output) in input.chunks_exact(height * width).zip(maps) {
        for (tap, output) in rows.iter().zip(output.chunks_exact_mut(columns.len())) {
            let [first, second] = [tap.first, tap.second].map(|y| &input[y * width..][..*width]);
            for (to, (&a, &b)) in row.iter_mut().zip(first.iter().zip(second)) {
                *to = a * (1.0 - tap.weight) + b * tap.weight;
            }
            for (to, tap) in output.iter_mut().zip(columns) {
                *to = row[tap.first] * (1.0 - tap.weight) + row[tap.second] * tap.weight;
            }
        }
    }
}
