//! Fully connected layers: products of rows of the weights, which are read where they lie, with examples.
//!
//! A tile is some rows by some examples, one vector of partial sums for each pair. Weights are read once from memory for all
//! examples. The sum of a pair always runs in the same order, whatever the tile, the batch and the number of threads.

use super::gemm::cut;
use super::split::split;
use super::{Call, Kernel, activation::Epilogue};
use crate::engine::Isa;
use crate::engine::select::Layer;
use crate::engine::simd::{MAX_LANES, Simd, per_isa, reduce_add};
use crate::engine::threads::{Shared, Threads};
use crate::weights::SharedTensor;
use crate::{Error, Weights};
use cnn_ir::ops::DenseSpec;

/// A fully connected layer.
pub(crate) struct Dense {
    in_features: usize,
    out_features: usize,
    weight: SharedTensor,
    bias: Option<SharedTensor>,
    tiles: Tiles,
    epilogue: Epilogue,
}

/// Features of a sum that go through all rows and examples of a block before the next: those of the examples stay in cache.
const CHUNK: usize = 4096;

/// Rows of a block, and those of a block that is read once.
const BLOCK: usize = 64;
const STREAM: usize = 8;

impl Dense {
    pub fn new(spec: &DenseSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        Ok(Self {
            in_features: spec.in_features,
            out_features: spec.out_features,
            weight: layer.weight(weights)?,
            bias: layer.bias(weights)?,
            tiles: Tiles::of(layer.isa),
            epilogue: layer.epilogue(),
        })
    }

    fn multiply(&self, batch: usize, input: &[f32], output: &mut [f32], threads: &Threads) {
        let &Self { in_features, out_features, tiles, .. } = self;
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
                                out_features,
                                weight: weight[row * in_features + start..].as_ptr(),
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
        self.epilogue.name("dense", f)
    }
}

/// Where a tile's rows of weights, examples and results begin.
struct Tile {
    /// Features of the sum, fewer than all.
    depth: usize,
    in_features: usize,
    out_features: usize,
    weight: *const f32,
    input: *const f32,
    /// Added to.
    output: *mut f32,
}

type TileFn = unsafe fn(&Tile);

/// Tiles of an instruction set whose sums fit its registers.
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
    fn of(isa: Isa) -> Self {
        Self {
            max_examples: match isa {
                Isa::Portable => 2,
                Isa::Avx2 => 3,
                Isa::Avx512 => 6,
            },
            one_row: [tile_1_1(isa), tile_1_2(isa), tile_1_3(isa), tile_1_4(isa), tile_1_5(isa), tile_1_6(isa)],
            four_rows: [tile_4_1(isa), tile_4_2(isa), tile_4_3(isa), tile_4_4(isa), tile_4_5(isa), tile_4_6(isa)],
            eight_rows: [tile_8_1(isa)],
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

macro_rules! tiles {
    ($($name:ident $body:ident $rows:literal $examples:literal;)*) => {$(
        per_isa!(fn $name(tile: &Tile) = $body);
        #[inline(always)]
        unsafe fn $body<S: Simd>(t: &Tile) {
            // SAFETY: the caller keeps the conditions.
            unsafe { tile::<S, $rows, $examples>(t) }
        }
    )*};
}

tiles! {
    tile_1_1 tile_1_1_body 1 1;
    tile_1_2 tile_1_2_body 1 2;
    tile_1_3 tile_1_3_body 1 3;
    tile_1_4 tile_1_4_body 1 4;
    tile_1_5 tile_1_5_body 1 5;
    tile_1_6 tile_1_6_body 1 6;
    tile_4_1 tile_4_1_body 4 1;
    tile_4_2 tile_4_2_body 4 2;
    tile_4_3 tile_4_3_body 4 3;
    tile_4_4 tile_4_4_body 4 4;
    tile_4_5 tile_4_5_body 4 5;
    tile_4_6 tile_4_6_body 4 6;
    tile_8_1 tile_8_1_body 8 1;
}

/// # Safety
/// The CPU has the vector's instruction set; the tile's memory is valid, and no one else writes its results.
// Plain counted loops are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn tile<S: Simd, const R: usize, const B: usize>(t: &Tile) {
    // SAFETY: k + LANES ≤ depth in the loop and k + rest = depth behind it; the caller keeps the conditions.
    unsafe {
        let mut sums = [[S::splat(0.0); B]; R];
        let mut k = 0;
        while k + S::LANES <= t.depth {
            let mut x = [S::splat(0.0); B];
            for b in 0..B {
                x[b] = S::load(t.input.add(b * t.in_features + k));
            }
            for r in 0..R {
                let w = S::load(t.weight.add(r * t.in_features + k));
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
                    let w = S::load_first(t.weight.add(r * t.in_features + k), rest);
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

    #[test]
    fn every_size_is_the_formula_whatever_the_batch_and_the_threads() -> Result<(), Error> {
        let pools = [Threads::one(), Threads::new(3)?];
        for isa in Isa::available() {
            for (inputs, outputs) in [(1, 1), (5, 3), (16, 8), (67, 13), (400, 120), (4096, 9), (9001, 71)] {
                let spec = DenseSpec { bias: outputs % 2 == 1, ..DenseSpec::new(inputs, outputs) };
                let tensors = spec.parameters();
                let made = tensors.iter().enumerate().map(|(seed, tensor)| {
                    let data = values(tensor.shape.iter().product(), seed);
                    Tensor::new(&tensor.shape, data).map(|made| (tensor.name.to_string(), made))
                });
                let weights = Weights::from_tensors(made.collect::<Result<Vec<_>, _>>()?)?;
                let parameters: Vec<String> = tensors.iter().map(|tensor| tensor.name.to_string()).collect();
                let layer = Layer {
                    path: "layer",
                    op: &Op::from(spec.clone()),
                    input: &[inputs],
                    inputs: &[&[inputs]],
                    output: &[outputs],
                    parameters: &parameters,
                    prologue: None,
                    norm: None,
                    residual: false,
                    activations: &[],
                    isa,
                };
                let kernel = Dense::new(&spec, &layer, &weights)?;
                let x = values(13 * inputs, 7);
                let run = |batch: usize, threads: &Threads| {
                    let mut output = vec![f32::NAN; batch * outputs];
                    kernel.multiply(batch, &x[..batch * inputs], &mut output, threads);
                    output
                };
                let all = run(13, &pools[0]);
                for batch in [1, 2, 3, 6, 7, 13] {
                    for threads in &pools {
                        assert_eq!(run(batch, threads), all[..batch * outputs], "{isa} {inputs}→{outputs}, {batch}");
                    }
                }
                let (weight, bias) = (weights.get("weight")?, spec.bias.then(|| weights.get("bias")).transpose()?);
                for (i, &found) in all.iter().enumerate() {
                    let (example, row) = (&x[i / outputs * inputs..], &weight.data()[i % outputs * inputs..]);
                    let products = example.iter().zip(row).take(inputs).map(|(x, w)| f64::from(x * w));
                    let exact =
                        bias.as_ref().map_or(0.0, |bias| f64::from(bias.data()[i % outputs])) + products.sum::<f64>();
                    let tolerance = 1e-6 * inputs as f64;
                    assert!(
                        (f64::from(found) - exact).abs() <= tolerance,
                        "{isa} {inputs}→{outputs}: {found}, not {exact}"
                    );
                }
            }
        }
        Ok(())
    }
}
