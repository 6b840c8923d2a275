//! Fully connected layers: products of rows of the weights with examples.
//!
//! A tile is some rows by some examples, one vector of partial sums for each pair. Weights are read once from memory for all
//! examples. The sum of a pair always runs in the same order, whatever the tile, the batch and the number of threads.
//! Weights of 32 bits are read where they lie, those of 16 bits become f32 when they are loaded.

use super::gemm::cut;
use super::split::split;
use super::{Call, Kernel, activation::Epilogue};
use crate::buffer::LINE;
use crate::engine::Isa;
use crate::engine::select::Layer;
#[cfg(target_arch = "x86_64")]
use crate::engine::simd::{Avx2, Avx512};
use crate::engine::simd::{MAX_LANES, Portable, Simd, prefetch, reduce_add};
use crate::engine::threads::{Shared, Threads};
use crate::weights::SharedTensor;
use crate::{Error, WeightDtype, Weights};
use cnn_ir::ops::DenseSpec;

/// A fully connected layer.
pub(crate) struct Dense {
    in_features: usize,
    out_features: usize,
    weight: SharedTensor,
    dtype: WeightDtype,
    /// Elements from one row of the weight to the next.
    pitch: usize,
    bias: Option<SharedTensor>,
    tiles: Tiles,
    epilogue: Epilogue,
}

/// Features of a sum that go through all rows and examples of a block before the next: those of the examples stay in cache.
const CHUNK: usize = 4096;

/// Rows of a block, and those of a block that is read once.
const BLOCK: usize = 64;
const STREAM: usize = 8;

/// Tiles by which weights are fetched ahead, into the second-level cache: rows are too short for the processor to find in
/// time that one follows the other.
const AHEAD: usize = 2;

impl Dense {
    pub fn new(spec: &DenseSpec, layer: &Layer<'_>, weights: &Weights, dtype: WeightDtype) -> Result<Self, Error> {
        let &DenseSpec { in_features, out_features, .. } = spec;
        let (weight, pitch) = match dtype {
            WeightDtype::F32 => (layer.weight(weights)?, in_features),
            WeightDtype::F16 | WeightDtype::Bf16 => rounded(layer, weights, [out_features, in_features], dtype)?,
        };
        let (bias, tiles, epilogue) = (layer.bias(weights)?, Tiles::of(layer.isa, dtype), layer.epilogue());
        Ok(Self { in_features, out_features, weight, dtype, pitch, bias, tiles, epilogue })
    }

    fn multiply(&self, batch: usize, input: &[f32], output: &mut [f32], threads: &Threads) {
        let &Self { in_features, out_features, dtype, pitch, tiles, .. } = self;
        let weight = self.weight.data();
        let bias = self.bias.as_ref().map(SharedTensor::data);
        let block = if batch <= tiles.max_examples { STREAM } else { BLOCK };
        let to = Shared::new(&mut *output);
        split(threads, out_features.div_ceil(block), block * in_features * batch, |blocks| {
            let rows = blocks.start * block..out_features.min(blocks.end * block);
            for example in 0..batch {
                // SAFETY: no other task has these rows.
                let sums = unsafe { to.part(example * out_features + rows.start..example * out_features + rows.end) };
                match bias {
                    Some(bias) => sums.copy_from_slice(&bias[rows.clone()]),
                    None => sums.fill(0.0),
                }
            }
            for first in rows.clone().step_by(block) {
                for start in (0..in_features).step_by(CHUNK) {
                    let mut row = first;
                    while row < rows.end.min(first + block) {
                        let (count, code) = tiles.code(rows.end.min(first + block) - row, batch);
                        for examples in cut(batch, tiles.max_examples) {
                            let tile = Tile {
                                depth: CHUNK.min(in_features - start),
                                in_features,
                                pitch,
                                out_features,
                                // SAFETY: the row is in the matrix.
                                weight: unsafe {
                                    weight.as_ptr().cast::<u8>().add((row * pitch + start) * dtype.bytes())
                                },
                                input: input[examples.start * in_features + start..].as_ptr(),
                                // SAFETY: the place is in the output.
                                output: unsafe { to.as_ptr().add(examples.start * out_features + row) },
                            };
                            // SAFETY: the instruction set was checked before the kernel was made; rows, examples and depth
                            // are within the matrices, and no other task has these rows of the output.
                            unsafe { code[examples.len() - 1](&tile) };
                        }
                        row += count;
                    }
                }
            }
        });
        self.epilogue.apply(output);
    }
}

impl Kernel for Dense {
    fn run(&self, call: Call<'_>) {
        self.multiply(call.batch, call.input, call.output, call.threads);
    }
}

impl std::fmt::Debug for Dense {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.dtype {
            WeightDtype::F32 => "dense",
            WeightDtype::F16 => "dense_f16",
            WeightDtype::Bf16 => "dense_bf16",
        };
        self.epilogue.name(name, f)
    }
}

/// The weight in 16 bits, and its pitch: rows are whole cache lines, so that tiles load whole vectors.
fn rounded(
    layer: &Layer<'_>,
    weights: &Weights,
    [rows, columns]: [usize; 2],
    dtype: WeightDtype,
) -> Result<(SharedTensor, usize), Error> {
    let pitch = columns.next_multiple_of(2 * LINE);
    let elements = rows * pitch / 2;
    let name = layer.parameter("weight")?;
    let buffer = layer.packed_weight(weights, &format!("rows of {dtype}"), elements, |weight, to| {
        let to = to.as_mut_halves().chunks_exact_mut(pitch.max(1));
        for (row, to) in weight.folded().chunks_exact(columns.max(1)).zip(to) {
            let range = |value| Error::WeightRange { name: name.to_owned(), value, dtype };
            dtype.round(row, &mut to[..columns]).map_err(range)?;
        }
        Ok(())
    })?;
    Ok((SharedTensor::Packed { buffer, elements }, pitch))
}

/// Where a tile's rows of weights, examples and results begin.
struct Tile {
    /// Features of the sum, fewer than all.
    depth: usize,
    in_features: usize,
    /// Elements from one row of the weights to the next.
    pitch: usize,
    out_features: usize,
    weight: *const u8,
    input: *const f32,
    /// Added to.
    output: *mut f32,
}

/// A tile's code for one number of rows and of examples.
///
/// # Safety
/// The CPU has the instruction set; the tile's memory is valid, and no one else writes its results.
type TileFn = unsafe fn(&Tile);

/// Tiles of an instruction set and a type of weights, whose sums fit the registers.
#[derive(Clone, Copy)]
struct Tiles {
    max_examples: usize,
    /// By examples.
    one_row: [TileFn; 6],
    four_rows: [TileFn; 6],
    /// For one example.
    eight_rows: [TileFn; 1],
}

impl Tiles {
    fn of(isa: Isa, dtype: WeightDtype) -> Self {
        match dtype {
            WeightDtype::F32 => Self::reading::<f32>(isa),
            WeightDtype::F16 => Self::reading::<F16>(isa),
            WeightDtype::Bf16 => Self::reading::<Bf16>(isa),
        }
    }

    fn reading<W: Weight>(isa: Isa) -> Self {
        macro_rules! tiles {
            ($f:ident, $max_examples:literal) => {
                Self {
                    max_examples: $max_examples,
                    one_row: [$f::<W, 1, 1>, $f::<W, 1, 2>, $f::<W, 1, 3>, $f::<W, 1, 4>, $f::<W, 1, 5>, $f::<W, 1, 6>],
                    four_rows: [
                        $f::<W, 4, 1>,
                        $f::<W, 4, 2>,
                        $f::<W, 4, 3>,
                        $f::<W, 4, 4>,
                        $f::<W, 4, 5>,
                        $f::<W, 4, 6>,
                    ],
                    eight_rows: [$f::<W, 8, 1>],
                }
            };
        }
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => tiles!(avx512, 6),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => tiles!(avx2, 3),
            _ => tiles!(portable, 2),
        }
    }

    /// How many rows of the remaining ones a tile takes, and its code by examples.
    fn code(&self, remaining: usize, batch: usize) -> (usize, &[TileFn]) {
        match remaining {
            8.. if batch == 1 => (8, &self.eight_rows),
            4.. => (4, &self.four_rows),
            _ => (1, &self.one_row),
        }
    }
}

unsafe fn portable<W: Weight, const R: usize, const B: usize>(t: &Tile) {
    // SAFETY: the caller keeps `TileFn`'s conditions.
    unsafe { tile::<Portable, W, R, B>(t) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2<W: Weight, const R: usize, const B: usize>(t: &Tile) {
    // SAFETY: the CPU has AVX2, FMA and F16C, and the caller keeps `TileFn`'s conditions.
    unsafe { tile::<Avx2, W, R, B>(t) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma,f16c")]
unsafe fn avx512<W: Weight, const R: usize, const B: usize>(t: &Tile) {
    // SAFETY: the CPU has AVX-512F, and the caller keeps `TileFn`'s conditions.
    unsafe { tile::<Avx512, W, R, B>(t) }
}

/// A stored weight.
///
/// # Safety
/// Loading needs a CPU with the vector's instruction set, and valid memory.
trait Weight: Copy {
    unsafe fn load<S: Simd>(from: *const Self) -> S;
    /// Loads at least the first `n` < LANES.
    unsafe fn load_first<S: Simd>(from: *const Self, n: usize) -> S;
}

impl Weight for f32 {
    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const Self) -> S {
        // SAFETY: the caller keeps the conditions.
        unsafe { S::load(from) }
    }

    #[inline(always)]
    unsafe fn load_first<S: Simd>(from: *const Self, n: usize) -> S {
        // SAFETY: the caller keeps the conditions.
        unsafe { S::load_first(from, n) }
    }
}

macro_rules! sixteen_bits {
    ($($name:ident $load:ident,)*) => {$(
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        struct $name(u16);

        impl Weight for $name {
            #[inline(always)]
            unsafe fn load<S: Simd>(from: *const Self) -> S {
                // SAFETY: the caller keeps the conditions.
                unsafe { S::$load(from.cast()) }
            }

            #[inline(always)]
            unsafe fn load_first<S: Simd>(from: *const Self, _: usize) -> S {
                // SAFETY: rows are padded with zeros to whole vectors.
                unsafe { S::$load(from.cast()) }
            }
        }
    )*};
}
sixteen_bits!(F16 load_f16, Bf16 load_bf16,);

/// # Safety
/// See [`TileFn`].
// Plain counted loops are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn tile<S: Simd, W: Weight, const R: usize, const B: usize>(t: &Tile) {
    // SAFETY: k + LANES ≤ depth in the loop and k + rest = depth behind it; the caller keeps the conditions.
    unsafe {
        let weight = t.weight.cast::<W>();
        let mut sums = [[S::splat(0.0); B]; R];
        let mut k = 0;
        while k + S::LANES <= t.depth {
            let mut x = [S::splat(0.0); B];
            for b in 0..B {
                x[b] = S::load(t.input.add(b * t.in_features + k));
            }
            for r in 0..R {
                let row = weight.add(r * t.pitch + k);
                prefetch(row.wrapping_add(AHEAD * R * t.pitch).cast());
                let w = W::load::<S>(row);
                for b in 0..B {
                    sums[r][b] = w.mul_add(x[b], sums[r][b]);
                }
            }
            k += S::LANES;
        }
        if k < t.depth {
            let rest = t.depth - k;
            for b in 0..B {
                let x = S::load_first(t.input.add(b * t.in_features + k), rest);
                for r in 0..R {
                    let w = W::load_first::<S>(weight.add(r * t.pitch + k), rest);
                    sums[r][b] = w.mul_add(x, sums[r][b]);
                }
            }
        }
        // Through memory: the loop is too long for the compiler to unroll, and would keep the sums from the registers.
        let mut lanes = [[[0.0; MAX_LANES]; B]; R];
        for r in 0..R {
            for b in 0..B {
                sums[r][b].store(lanes[r][b].as_mut_ptr());
            }
        }
        for r in 0..R {
            for b in 0..B {
                *t.output.add(b * t.out_features + r) += reduce_add(S::load(lanes[r][b].as_ptr()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;
    use cnn_ir::{Op, OpSpec};

    fn values(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1000.0 - 1.0).collect()
    }

    fn layer<'a>(spec: &'a DenseSpec, op: &'a Op, parameters: &'a [String], isa: Isa) -> Layer<'a> {
        let (input, output) = (std::slice::from_ref(&spec.in_features), std::slice::from_ref(&spec.out_features));
        let (inputs, prologue, norm) = (&[], None, None);
        Layer {
            path: "layer",
            op,
            input,
            inputs,
            output,
            parameters,
            prologue,
            norm,
            residual: false,
            activations: &[],
            isa,
        }
    }

    fn weights(spec: &DenseSpec, of: impl Fn(usize, usize) -> Vec<f32>) -> Result<(Weights, Vec<String>), Error> {
        let tensors = spec.parameters();
        let made = tensors.iter().enumerate().map(|(seed, tensor)| {
            let data = of(tensor.shape.iter().product(), seed);
            Ok((tensor.name.to_string(), Tensor::new(&tensor.shape, data)?))
        });
        let names = tensors.iter().map(|tensor| tensor.name.to_string()).collect();
        Ok((Weights::from_tensors(made.collect::<Result<Vec<_>, Error>>()?)?, names))
    }

    /// The most that rounding a weight changes it.
    fn rounding(dtype: WeightDtype, weight: f64) -> f64 {
        match dtype {
            WeightDtype::F32 => 0.0,
            WeightDtype::F16 => (weight.abs() * 2f64.powi(-11)).max(2f64.powi(-25)),
            WeightDtype::Bf16 => weight.abs() * 2f64.powi(-8),
        }
    }

    #[test]
    fn every_size_is_the_formula_whatever_the_batch_and_the_threads() -> Result<(), Error> {
        let pools = [Threads::one(), Threads::new(3)?];
        let sizes = [(1, 1), (1, 200), (5, 3), (16, 8), (67, 13), (400, 120), (4096, 9), (9001, 71)];
        let cases = sizes.iter().flat_map(|&size| WeightDtype::ALL.map(|dtype| (size, dtype)));
        for ((inputs, outputs), dtype) in cases {
            let spec = DenseSpec { bias: outputs % 2 == 1, ..DenseSpec::new(inputs, outputs) };
            let (weights, names) = weights(&spec, values)?;
            let x = values(13 * inputs, 7);
            let (weight, bias) = (weights.get("weight")?, spec.bias.then(|| weights.get("bias")).transpose()?);
            for isa in Isa::available() {
                let kernel = Dense::new(&spec, &layer(&spec, &Op::from(spec.clone()), &names, isa), &weights, dtype)?;
                let run = |batch: usize, threads: &Threads| {
                    let mut output = vec![f32::NAN; batch * outputs];
                    kernel.multiply(batch, &x[..batch * inputs], &mut output, threads);
                    output
                };
                let all = run(13, &pools[0]);
                for batch in [1, 2, 3, 6, 7, 13] {
                    for threads in &pools {
                        let found = run(batch, threads);
                        assert_eq!(found, all[..batch * outputs], "{isa} {dtype} {inputs}→{outputs}, {batch}");
                    }
                }
                for (i, &found) in all.iter().enumerate() {
                    let (example, row) = (&x[i / outputs * inputs..], &weight.data()[i % outputs * inputs..]);
                    let mut exact = bias.as_ref().map_or(0.0, |bias| f64::from(bias.data()[i % outputs]));
                    // Of the sum in f32, and of the weights.
                    let mut tolerance = 1e-6 * inputs as f64;
                    for (&x, &w) in example.iter().zip(row).take(inputs) {
                        let (x, w) = (f64::from(x), f64::from(w));
                        exact += x * w;
                        tolerance += rounding(dtype, w) * x.abs();
                    }
                    let error = (f64::from(found) - exact).abs();
                    assert!(error <= tolerance, "{isa} {dtype} {inputs}→{outputs}: {found}, not {exact}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn each_weight_is_rounded_to_the_nearest() -> Result<(), Error> {
        let weights_of = |count: usize, _| {
            // All sizes down to those that f16 has no full precision for, and below.
            let mut found: Vec<f32> =
                (0..count).map(|i| 1.1f32.powi(i as i32 % 300 - 200) * (1.0 - 0.01 * i as f32)).collect();
            found[..4].copy_from_slice(&[65504.0, -65504.0, 0.0, 2f32.powi(-24)]);
            found
        };
        let spec = DenseSpec { bias: false, ..DenseSpec::new(1, 600) };
        let (weights, names) = weights(&spec, weights_of)?;
        for (isa, dtype) in Isa::available().flat_map(|isa| WeightDtype::ALL.map(|dtype| (isa, dtype))) {
            let kernel = Dense::new(&spec, &layer(&spec, &Op::from(spec.clone()), &names, isa), &weights, dtype)?;
            let mut output = vec![f32::NAN; 600];
            kernel.multiply(1, &[1.0], &mut output, &Threads::one());
            for (&found, &weight) in output.iter().zip(weights.get("weight")?.data()) {
                let error = (f64::from(found) - f64::from(weight)).abs();
                assert!(error <= rounding(dtype, weight.into()), "{isa} {dtype}: {found}, not {weight}");
            }
        }
        Ok(())
    }

    #[test]
    fn weights_that_16_bits_cannot_hold_are_refused() -> Result<(), Error> {
        let spec = DenseSpec { bias: false, ..DenseSpec::new(2, 2) };
        for (value, refused) in [
            (65504.0, [false, false]),
            (65520.0, [true, false]),
            (-1e6, [true, false]),
            (f32::MAX, [true, true]),
            (f32::NAN, [true, true]),
        ] {
            let (weights, names) = weights(&spec, |_, _| vec![0.5, 1.0, value, 2.0])?;
            for (dtype, refused) in [WeightDtype::F16, WeightDtype::Bf16].into_iter().zip(refused) {
                match Dense::new(&spec, &layer(&spec, &Op::from(spec.clone()), &names, Isa::detect()), &weights, dtype)
                {
                    Ok(_) => assert!(!refused, "{dtype} {value}"),
                    Err(error) => {
                        let expected = format!("`weight` has an element of {value}, which is not finite as {dtype}");
                        assert!(refused && error.to_string().contains(&expected), "{error}");
                    }
                }
            }
        }
        Ok(())
    }
}
