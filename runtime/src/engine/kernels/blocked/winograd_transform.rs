//! Winograd's transforms, over vectors of channels.
//!
//! A tile of the output, m×m pixels, is computed from a patch of the input, (m + 2)×(m + 2) pixels; with kernels of 5×5
//! there are two pixels less of the output. Every function here walks over a range of tiles, which are numbered through:
//! rows of tiles of an example, then the next example.

use super::interleave::{Rows, interleave};
use super::winograd_points::{F2, F4, F6, Points};
use crate::engine::Isa;
use crate::engine::fold::Unpacked;
use crate::engine::simd::{MAX_LANES, Simd, per_isa};
use std::ops::Range;

/// The transforms of one m for one instruction set. All need its CPU, and valid memory behind their arguments' pointers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transforms {
    pub input: unsafe fn(&InputTiles<'_>),
    pub output: unsafe fn(&OutputTiles<'_>),
    pub weight: unsafe fn(&WeightGroup<'_>, &mut [f32]),
}

impl Transforms {
    /// `None` for an m that there are no points for.
    pub fn of(m: usize, isa: Isa) -> Option<Self> {
        Some(match m {
            2 => Self { input: input2(isa), output: output2(isa), weight: weight2(isa) },
            4 => Self { input: input4(isa), output: output4(isa), weight: weight4(isa) },
            6 => Self { input: input6(isa), output: output6(isa), weight: weight6(isa) },
            _ => return None,
        })
    }
}

/// The transforms of maps alone, with patches of [`PATCH`]² pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MapTransforms {
    pub input: unsafe fn(&InputTiles<'_>),
    pub output: unsafe fn(&OutputTiles<'_>),
}

/// Height and width of the patches of [`MapTransforms`].
pub(crate) const PATCH: usize = 6;

impl MapTransforms {
    /// For kernels of 3×3 and 5×5 taps, which have tiles of 4×4 and 2×2 pixels; `None` for others.
    pub fn of(taps: usize, isa: Isa) -> Option<Self> {
        Some(match taps {
            3 => Self { input: input4(isa), output: output4(isa) },
            5 => Self { input: input2_of5(isa), output: output2_of5(isa) },
            _ => return None,
        })
    }
}

/// How tiles cover the maps of a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    /// Blocks of channels.
    pub in_blocks: usize,
    pub out_blocks: usize,
    /// Height and width.
    pub input: [usize; 2],
    pub output: [usize; 2],
    /// Top and left.
    pub padding: [usize; 2],
    /// Rows and columns of tiles.
    pub tiles: [usize; 2],
}

impl Grid {
    /// Example, row and column of a tile.
    fn place(&self, tile: usize) -> Place {
        let [rows, columns] = self.tiles;
        Place { example: tile / (rows * columns), row: tile / columns % rows, column: tile % columns }
    }

    fn next(&self, place: &mut Place) {
        place.column += 1;
        if place.column == self.tiles[1] {
            (place.column, place.row) = (0, place.row + 1);
            if place.row == self.tiles[0] {
                (place.row, place.example) = (0, place.example + 1);
            }
        }
    }
}

struct Place {
    example: usize,
    row: usize,
    column: usize,
}

/// Tiles to transform, in one block of input channels.
pub(crate) struct InputTiles<'a> {
    pub grid: &'a Grid,
    /// The input of the whole batch.
    pub input: *const f32,
    pub block: usize,
    pub tiles: Range<usize>,
    /// Where the first tile's vector at point 0, 0 goes; those of the next tiles follow it.
    pub to: *mut f32,
    /// From one point to the next.
    pub point_stride: usize,
}

/// Sums of products to transform back, in some blocks of output channels.
pub(crate) struct OutputTiles<'a> {
    pub grid: &'a Grid,
    pub tiles: Range<usize>,
    pub blocks: Range<usize>,
    /// `[point][block][tile][LANES]`, points `point_stride` and blocks `block_stride` apart.
    pub from: *const f32,
    pub point_stride: usize,
    pub block_stride: usize,
    /// `[block][LANES]`, of all blocks.
    pub bias: *const f32,
    /// Of the whole batch, addressed as the output and added to it, or null.
    pub residual: *const f32,
    /// The output of the whole batch.
    pub output: *mut f32,
    /// What the results are clamped to; NaN stays NaN.
    pub low: f32,
    pub high: f32,
}

/// Weights to transform: those of some blocks of output channels.
pub(crate) struct WeightGroup<'a> {
    /// `[out channel][in channel][3][3]`.
    pub weight: &'a Unpacked<'a>,
    pub in_channels: usize,
    pub out_channels: usize,
    pub blocks: Range<usize>,
}

/// `$body` for $i = 0, 1, … below $n ≤ 8, written out: the compiler unrolls loops of so many steps too late to see that
/// arrays of vectors can live in registers.
macro_rules! each {
    ($i:ident < $n:expr => $body:block) => { each!($i < $n => $body, 0 1 2 3 4 5 6 7) };
    ($i:ident < $n:expr => $body:block, $($number:literal)*) => {
        $(if $number < $n {
            let $i = $number;
            $body
        })*
    };
}

/// Instances of the maps' transforms.
macro_rules! maps {
    ($($points:ident, $n:literal, $m:literal, $a:literal: $input:ident $input_body:ident, $output:ident $output_body:ident;)*) => {$(
        per_isa! { fn $input(tiles: &InputTiles<'_>) = $input_body }
        per_isa! { fn $output(tiles: &OutputTiles<'_>) = $output_body }

        #[inline(always)]
        unsafe fn $input_body<S: Simd>(tiles: &InputTiles<'_>) {
            // SAFETY: the caller keeps the conditions.
            unsafe { input_tiles::<S, $points, $n, $m, $a>(tiles) }
        }

        #[inline(always)]
        unsafe fn $output_body<S: Simd>(tiles: &OutputTiles<'_>) {
            // SAFETY: the caller keeps the conditions.
            unsafe { output_tiles::<S, $points, $n, $m, $a>(tiles) }
        }
    )*};
}

/// Instances of the weights' transforms.
macro_rules! weights {
    ($($points:ident, $n:literal, $a:literal: $weight:ident $weight_body:ident;)*) => {$(
        per_isa! { fn $weight(group: &WeightGroup<'_>, to: &mut [f32]) = $weight_body }

        #[inline(always)]
        unsafe fn $weight_body<S: Simd>(group: &WeightGroup<'_>, to: &mut [f32]) {
            // SAFETY: the caller keeps the condition.
            unsafe { weight_group::<S, $points, $n, $a>(group, to) };
        }
    )*};
}

maps! {
    F2, 1, 2, 4: input2 input2_body, output2 output2_body;
    F4, 2, 4, 6: input4 input4_body, output4 output4_body;
    F4, 2, 2, 6: input2_of5 input2_of5_body, output2_of5 output2_of5_body;
    F6, 3, 6, 8: input6 input6_body, output6 output6_body;
}
weights! {
    F2, 1, 4: weight2 weight2_body;
    F4, 2, 6: weight4 weight4_body;
    F6, 3, 8: weight6 weight6_body;
}

/// # Safety
/// The CPU has the vector's instruction set; the input holds the tiles' examples, and there is room at `to`.
#[inline(always)]
unsafe fn input_tiles<S: Simd, F: Points<N>, const N: usize, const M: usize, const A: usize>(t: &InputTiles<'_>) {
    let Grid { in_blocks, input: [height, width], padding: [top, left], .. } = *t.grid;
    let mut place = t.grid.place(t.tiles.start);
    for tile in 0..t.tiles.len() {
        // Above and left of the map these wrap, and back again in the address of what lies inside.
        let (y, x) = ((place.row * M).wrapping_sub(top), (place.column * M).wrapping_sub(left));
        let inside = |start: usize, size: usize| {
            let (start, size) = (start as isize, size as isize);
            [(-start).clamp(0, A as isize) as usize, (size - start).clamp(0, A as isize) as usize]
        };
        let map = t.input.wrapping_add((place.example * in_blocks + t.block) * height * width * S::LANES);
        let patch = Patch {
            from: map.wrapping_add(y.wrapping_mul(width).wrapping_add(x).wrapping_mul(S::LANES)),
            row_stride: width * S::LANES,
            rows: inside(y, height),
            columns: inside(x, width),
        };
        // SAFETY: the patch's rows and columns lie in the tile's map; A² points of all tiles have room.
        unsafe {
            let to = t.to.add(tile * S::LANES);
            if patch.rows == [0, A] && patch.columns == [0, A] {
                transform_patch::<S, F, N, A, true>(&patch, to, t.point_stride);
            } else {
                transform_patch::<S, F, N, A, false>(&patch, to, t.point_stride);
            }
        }
        t.grid.next(&mut place);
    }
}

/// A×A pixels of a map, of which those in `rows` and `columns` exist; the others are zero.
struct Patch {
    from: *const f32,
    row_stride: usize,
    rows: [usize; 2],
    columns: [usize; 2],
}

/// What stands outside a map.
static ZEROS: [f32; MAX_LANES] = [0.0; MAX_LANES];

/// Evaluates a patch at all points, along rows and then along columns. `WHOLE` says that all its pixels exist.
///
/// # Safety
/// The CPU has the vector's instruction set; the patch's pixels that exist are valid, and A² vectors at `to`.
#[inline(always)]
unsafe fn transform_patch<S: Simd, F: Points<N>, const N: usize, const A: usize, const WHOLE: bool>(
    patch: &Patch,
    to: *mut f32,
    stride: usize,
) {
    // SAFETY: the caller keeps the conditions; what does not exist is read from `ZEROS`.
    unsafe {
        let mut rows = [[S::splat(0.0); A]; A];
        each!(y < A => {
            let row_exists = WHOLE || (patch.rows[0] <= y && y < patch.rows[1]);
            let mut pixels = [S::splat(0.0); A];
            each!(x < A => {
                let exists = WHOLE || (row_exists && patch.columns[0] <= x && x < patch.columns[1]);
                let pixel = patch.from.wrapping_add(y * patch.row_stride + x * S::LANES);
                pixels[x] = S::load(if exists { pixel } else { ZEROS.as_ptr() });
            });
            rows[y] = evaluate::<S, F, N, A>(pixels);
        });
        each!(x < A => {
            let mut column = [S::splat(0.0); A];
            each!(y < A => {
                column[y] = rows[y][x];
            });
            let column = evaluate::<S, F, N, A>(column);
            each!(y < A => {
                column[y].store(to.add((y * A + x) * stride));
            });
        });
    }
}

/// One axis of the input's transform.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn evaluate<S: Simd, F: Points<N>, const N: usize, const A: usize>(d: [S; A]) -> [S; A] {
    // SAFETY: the caller keeps the condition.
    unsafe {
        let (mut zero, mut infinity) = (d[2 * N], d[2 * N + 1]);
        each!(j < N => {
            let factor = S::splat(F::TABLE.all[j] as f32);
            zero = d[2 * j].mul_add(factor, zero);
            infinity = d[2 * j + 1].mul_add(factor, infinity);
        });
        let mut out = [zero; A];
        out[2 * N + 1] = infinity;
        each!(k < N => {
            let (mut odd, mut even) = (d[2 * N - 1], d[2 * N]);
            each!(j < N - 1 => {
                let factor = S::splat(F::TABLE.others[k][j] as f32);
                odd = d[2 * j + 1].mul_add(factor, odd);
                even = d[2 * j + 2].mul_add(factor, even);
            });
            let point = F::TABLE.points[k] as f32;
            out[1 + 2 * k] = odd.mul_add(S::splat(point), even);
            out[2 + 2 * k] = odd.mul_add(S::splat(-point), even);
        });
        out
    }
}

/// # Safety
/// The CPU has the vector's instruction set; all that [`OutputTiles`] describes is valid.
#[inline(always)]
unsafe fn output_tiles<S: Simd, F: Points<N>, const N: usize, const M: usize, const A: usize>(t: &OutputTiles<'_>) {
    let Grid { out_blocks, output: [height, width], .. } = *t.grid;
    for block in t.blocks.clone() {
        let mut place = t.grid.place(t.tiles.start);
        for tile in 0..t.tiles.len() {
            let (y, x) = (place.row * M, place.column * M);
            let map = (place.example * out_blocks + block) * height;
            // SAFETY: the caller keeps the conditions; rows and columns stay inside the output's map.
            unsafe {
                let from = t.from.add((block - t.blocks.start) * t.block_stride + tile * S::LANES);
                let bias = S::load(t.bias.add(block * S::LANES));
                let offset = ((map + y) * width + x) * S::LANES;
                transform_sums::<S, F, N, M, A>(t, from, bias, offset, [height - y, width - x]);
            }
            t.grid.next(&mut place);
        }
    }
}

/// Interpolates one tile of the output, along rows and then along columns. Of its pixels, those below `limits` exist.
///
/// # Safety
/// The CPU has the vector's instruction set; A² vectors from `from` on are valid, and the pixels from `offset` on.
#[inline(always)]
unsafe fn transform_sums<S: Simd, F: Points<N>, const N: usize, const M: usize, const A: usize>(
    t: &OutputTiles<'_>,
    from: *const f32,
    bias: S,
    offset: usize,
    limits: [usize; 2],
) {
    // SAFETY: the caller keeps the conditions.
    unsafe {
        let (low, high) = (S::splat(t.low), S::splat(t.high));
        let row_stride = t.grid.output[1] * S::LANES;
        let mut rows = [[S::splat(0.0); M]; A];
        each!(y < A => {
            let mut sums = [S::splat(0.0); A];
            each!(x < A => {
                sums[x] = S::load(from.add((y * A + x) * t.point_stride));
            });
            rows[y] = interpolate::<S, F, N, M, A>(sums);
        });
        each!(x < M => {
            if x < limits[1] {
                let mut sums = [S::splat(0.0); A];
                each!(y < A => {
                    sums[y] = rows[y][x];
                });
                let pixels = interpolate::<S, F, N, M, A>(sums);
                each!(y < M => {
                    if y < limits[0] {
                        let offset = offset + y * row_stride + x * S::LANES;
                        let mut pixel = pixels[y].add(bias);
                        if !t.residual.is_null() {
                            pixel = pixel.add(S::load(t.residual.add(offset)));
                        }
                        high.min(low.max(pixel)).store(t.output.add(offset));
                    }
                });
            }
        });
    }
}

/// One axis of the output's transform.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
pub(crate) unsafe fn interpolate<S: Simd, F: Points<N>, const N: usize, const M: usize, const A: usize>(
    sums: [S; A],
) -> [S; M] {
    // SAFETY: the caller keeps the condition.
    unsafe {
        let (mut even, mut odd) = ([sums[0]; N], [sums[0]; N]);
        each!(k < N => {
            even[k] = sums[1 + 2 * k].add(sums[2 + 2 * k]);
            odd[k] = sums[1 + 2 * k].sub(sums[2 + 2 * k]);
        });
        let mut out = [sums[0]; M];
        each!(i < M => {
            let terms = if i % 2 == 0 { even } else { odd };
            let power = F::TABLE.power[i];
            let mut sum = terms[0].mul(S::splat(power[0] as f32));
            each!(k < N => {
                if k > 0 {
                    sum = terms[k].mul_add(S::splat(power[k] as f32), sum);
                }
            });
            out[i] = sum;
        });
        out[0] = out[0].add(sums[0]);
        out[M - 1] = out[M - 1].add(sums[2 * N + 1]);
        out
    }
}

/// One axis of a kernel's transform, in vectors of kernels: their polynomial at all points, divided as the product has to be.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
pub(crate) unsafe fn evaluate_taps<S: Simd, F: Points<N>, const N: usize, const T: usize, const A: usize>(
    taps: [S; T],
) -> [S; A] {
    // SAFETY: the caller keeps the condition.
    unsafe {
        let mut out = [taps[0].mul(S::splat((1.0 / F::TABLE.all[0]) as f32)); A];
        each!(k < N => {
            let scale = 1.0 / F::TABLE.divisor(k);
            let mut sums = [taps[0].mul(S::splat(scale as f32)), S::splat(0.0)];
            each!(i < T => {
                let factor = S::splat((F::TABLE.power[i][k] * scale) as f32);
                match i {
                    0 => {}
                    1 => sums[1] = taps[i].mul(factor),
                    _ => sums[i % 2] = taps[i].mul_add(factor, sums[i % 2]),
                }
            });
            let [even, odd] = sums;
            (out[1 + 2 * k], out[2 + 2 * k]) = (even.add(odd), even.sub(odd));
        });
        out[A - 1] = taps[T - 1];
        out
    }
}

/// Packs weights as `[point][in channel][block][LANES]`, computed in f64; zeros stand behind the last channel.
///
/// # Safety
/// The CPU has the vector's instruction set.
// Counted loops over lanes are what the compiler makes vectors of.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn weight_group<S: Simd, F: Points<N>, const N: usize, const A: usize>(group: &WeightGroup<'_>, to: &mut [f32]) {
    let (channels, blocks) = (group.in_channels, group.blocks.len());
    let mut kernels = [[0.0f32; 9 * MAX_LANES]; MAX_LANES];
    for first in (0..channels).step_by(S::LANES) {
        let end = channels.min(first + S::LANES);
        for block in group.blocks.clone() {
            let row = block * S::LANES;
            let rows = Rows {
                elements: group.weight.elements.get(row * channels * 9..).unwrap_or(&[]),
                pitch: channels * 9,
                count: S::LANES.min(group.out_channels - row),
                factors: group.weight.factors.get(row..).unwrap_or(&[]),
            };
            let factors = rows.lane_factors();
            // SAFETY: there is room for the taps of LANES channels; the caller keeps the other condition.
            unsafe { interleave::<S>(&rows, first * 9..end * 9, kernels.as_mut_ptr().cast()) };
            for channel in first..end {
                let kernel = &kernels.as_flattened()[(channel - first) * 9 * S::LANES..][..9 * S::LANES];
                let mut taps = [[[0.0; MAX_LANES]; 3]; 3];
                for tap in 0..9 {
                    for lane in 0..S::LANES {
                        taps[tap / 3][tap % 3][lane] = f64::from(kernel[tap * S::LANES + lane]) * factors[lane];
                    }
                }
                let mut rows = [[[0.0; MAX_LANES]; 3]; A];
                each!(x < 3 => {
                    let column = evaluate_weight::<S, F, N, A>([&taps[0][x], &taps[1][x], &taps[2][x]]);
                    each!(y < A => {
                        rows[y][x] = column[y];
                    });
                });
                each!(y < A => {
                    let row = evaluate_weight::<S, F, N, A>([&rows[y][0], &rows[y][1], &rows[y][2]]);
                    each!(x < A => {
                        let vector = ((y * A + x) * channels + channel) * blocks + block - group.blocks.start;
                        let to = &mut to[vector * S::LANES..][..S::LANES];
                        for lane in 0..S::LANES {
                            to[lane] = row[x][lane] as f32;
                        }
                    });
                });
            }
        }
    }
}

type Lanes = [f64; MAX_LANES];

/// One axis of the weights' transform.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn evaluate_weight<S: Simd, F: Points<N>, const N: usize, const A: usize>(taps: [&Lanes; 3]) -> [Lanes; A] {
    let mut out = [[0.0; MAX_LANES]; A];
    for lane in 0..S::LANES {
        let [g0, g1, g2] = [taps[0][lane], taps[1][lane], taps[2][lane]];
        out[0][lane] = g0 * (1.0 / F::TABLE.all[0]);
        each!(k < N => {
            let (point, scale) = (F::TABLE.points[k], 1.0 / F::TABLE.divisor(k));
            let (even, odd) = ((g0 + g2 * (point * point)) * scale, g1 * (point * scale));
            out[1 + 2 * k][lane] = even + odd;
            out[2 + 2 * k][lane] = even - odd;
        });
        out[2 * N + 1][lane] = g2;
    }
    out
}
