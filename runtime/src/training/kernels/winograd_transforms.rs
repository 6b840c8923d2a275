//! Winograd's transforms that only training has: of the weights and of the output's gradient to the points, and of sums and
//! products at the points to the gradients of weights and input. All are of patches of 6×6 inputs.

use crate::engine::kernels::blocked::winograd_points::{F4, Points};
use crate::engine::kernels::blocked::winograd_transform::{Grid, PATCH, evaluate_taps, interpolate};
use crate::engine::simd::{MAX_LANES, Simd, per_isa};

/// What [`evaluate_taps`] divides by at the points of an axis.
const DIVISORS: [f32; PATCH] = {
    let table = <F4 as Points<2>>::TABLE;
    let [first, second] = [table.divisor(0) as f32, table.divisor(1) as f32];
    [table.all[0] as f32, first, first, second, second, 1.0]
};

/// The functions below for taps, or outputs of a tile, along an axis.
macro_rules! codes {
    ($($name:ident $of_isa:ident($($argument:ident: $type:ty),*) = $body:ident<$size:literal>;)*) => {$(
        #[inline(always)]
        unsafe fn $of_isa<S: Simd>($($argument: $type),*) {
            // SAFETY: the caller keeps the conditions.
            unsafe { $body::<S, $size>($($argument),*) }
        }
        per_isa!(pub(super) fn $name($($argument: $type),*) = $of_isa);
    )*};
}
codes! {
    transform_3 transform_of_3(weights: &Weights<'_>) = transform_body<3>;
    transform_5 transform_of_5(weights: &Weights<'_>) = transform_body<5>;
    gradient_4 gradient_of_4(tiles: &GradientTiles<'_>) = gradient_body<4>;
    gradient_2 gradient_of_2(tiles: &GradientTiles<'_>) = gradient_body<2>;
    taps_3 taps_of_3(sums: *const f32, point: usize, inputs: usize, to: &mut [f32]) = taps_body<3>;
    taps_5 taps_of_5(sums: *const f32, point: usize, inputs: usize, to: &mut [f32]) = taps_body<5>;
}

/// The weights of one output channel.
pub(super) struct Weights<'a> {
    pub from: &'a [f32],
    /// Distance from one input channel to the next.
    pub w_input: usize,
    pub inputs: usize,
    pub is_turned: bool,
    /// Whether they are left undivided, because what they are multiplied with is divided.
    pub is_undivided: bool,
    /// Where those of the first point go, and from one point to the next.
    pub to: *mut f32,
    pub point: usize,
}

/// # Safety
/// The CPU has the vector's instruction set; there is room for all inputs at every point.
#[inline(always)]
unsafe fn transform_body<S: Simd, const T: usize>(weights: &Weights<'_>) {
    let mut first = 0;
    while first < weights.inputs {
        let count = S::LANES.min(weights.inputs - first);
        let mut taps = [0.0f32; 25 * MAX_LANES];
        for lane in 0..count {
            let kernel = &weights.from[(first + lane) * weights.w_input..][..T * T];
            for tap in 0..T * T {
                taps[tap * S::LANES + lane] = kernel[if weights.is_turned { T * T - 1 - tap } else { tap }];
            }
        }
        // SAFETY: the caller keeps the conditions.
        unsafe {
            let mut columns = [[S::splat(0.0); T]; PATCH];
            let mut x = 0;
            while x < T {
                let mut column = [S::splat(0.0); T];
                let mut y = 0;
                while y < T {
                    column[y] = S::load(taps.as_ptr().add((T * y + x) * S::LANES));
                    y += 1;
                }
                let column = evaluate_taps::<S, F4, 2, T, PATCH>(column);
                y = 0;
                while y < PATCH {
                    columns[y][x] = column[y];
                    y += 1;
                }
                x += 1;
            }
            let mut y = 0;
            while y < PATCH {
                let row = evaluate_taps::<S, F4, 2, T, PATCH>(columns[y]);
                let mut x = 0;
                while x < PATCH {
                    let to = weights.to.add((y * PATCH + x) * weights.point + first);
                    let undo = if weights.is_undivided { DIVISORS[y] * DIVISORS[x] } else { 1.0 };
                    let value = row[x].mul(S::splat(undo));
                    if count == S::LANES {
                        value.store(to)
                    } else {
                        value.store_first(to, count)
                    }
                    x += 1;
                }
                y += 1;
            }
        }
        first += S::LANES;
    }
}

/// Tiles of the output's gradient in one channel.
pub(super) struct GradientTiles<'a> {
    pub grid: &'a Grid,
    pub gradient: *const f32,
    pub channel: usize,
    pub first: usize,
    pub count: usize,
    /// Where the first tile's vector at point 0, 0 goes; those of the next tiles follow it.
    pub to: *mut f32,
    /// From one point to the next.
    pub point: usize,
}

/// What stands behind the last place.
static ZEROS: [f32; MAX_LANES] = [0.0; MAX_LANES];

/// # Safety
/// The CPU has the vector's instruction set; the gradient holds the tiles' blocks, and there is room for every point.
#[inline(always)]
unsafe fn gradient_body<S: Simd, const M: usize>(t: &GradientTiles<'_>) {
    let ([height, width], [tile_rows, columns]) = (t.grid.output, t.grid.tiles);
    // SAFETY: the caller keeps the conditions.
    unsafe {
        let mut tile = 0;
        while tile < t.count {
            let number = t.first + tile;
            let (block, row, column) =
                (number / (tile_rows * columns), number / columns % tile_rows * M, number % columns * M);
            let map = t.gradient.add((block * t.grid.out_blocks + t.channel) * height * width * S::LANES);
            let mut rows = [[S::splat(0.0); PATCH]; M];
            let mut y = 0;
            while y < M {
                let mut places = [S::splat(0.0); M];
                let mut x = 0;
                while x < M {
                    let exists = row + y < height && column + x < width;
                    let at = map.wrapping_add(((row + y) * width + column + x) * S::LANES);
                    places[x] = S::load(if exists { at } else { ZEROS.as_ptr() });
                    x += 1;
                }
                rows[y] = evaluate_taps::<S, F4, 2, M, PATCH>(places);
                y += 1;
            }
            let mut x = 0;
            while x < PATCH {
                let mut column = [S::splat(0.0); M];
                let mut y = 0;
                while y < M {
                    column[y] = rows[y][x];
                    y += 1;
                }
                let column = evaluate_taps::<S, F4, 2, M, PATCH>(column);
                y = 0;
                while y < PATCH {
                    column[y].store(t.to.add((y * PATCH + x) * t.point + tile * S::LANES));
                    y += 1;
                }
                x += 1;
            }
            tile += 1;
        }
    }
}

/// Adds what an output channel's sums at all points make of its weights.
///
/// # Safety
/// The CPU has the vector's instruction set; the sums of all inputs are valid, `point` from one point to the next.
#[inline(always)]
unsafe fn taps_body<S: Simd, const T: usize>(sums: *const f32, point: usize, inputs: usize, to: &mut [f32]) {
    let mut first = 0;
    while first < inputs {
        let count = S::LANES.min(inputs - first);
        let mut values = [0.0f32; 25 * MAX_LANES];
        // SAFETY: the caller keeps the conditions.
        unsafe {
            let load = |number: usize| {
                let from = sums.add(number * point + first);
                if count == S::LANES { S::load(from) } else { S::load_first(from, count) }
            };
            let mut rows = [[S::splat(0.0); T]; PATCH];
            let mut y = 0;
            while y < PATCH {
                let mut row = [S::splat(0.0); PATCH];
                let mut x = 0;
                while x < PATCH {
                    row[x] = load(y * PATCH + x);
                    x += 1;
                }
                rows[y] = interpolate::<S, F4, 2, T, PATCH>(row);
                y += 1;
            }
            let mut x = 0;
            while x < T {
                let mut column = [S::splat(0.0); PATCH];
                let mut y = 0;
                while y < PATCH {
                    column[y] = rows[y][x];
                    y += 1;
                }
                let column = interpolate::<S, F4, 2, T, PATCH>(column);
                y = 0;
                while y < T {
                    column[y].store(values.as_mut_ptr().add((T * y + x) * S::LANES));
                    y += 1;
                }
                x += 1;
            }
        }
        for lane in 0..count {
            for tap in 0..T * T {
                to[(first + lane) * T * T + tap] += values[tap * S::LANES + lane];
            }
        }
        first += S::LANES;
    }
}

/// Products at all points of tiles in one channel, which are added to the patches of the input's gradient that the tiles' outputs
/// are made of. That is the transpose of the input's transform.
pub(super) struct PatchTiles<'a> {
    pub grid: &'a Grid,
    pub channel: usize,
    pub first: usize,
    pub count: usize,
    /// Outputs of a tile along an axis.
    pub outputs: usize,
    /// Where the first tile's vector at point 0, 0 lies; those of the next tiles follow it.
    pub from: *const f32,
    /// From one point to the next.
    pub point: usize,
    /// The input's gradient of the whole batch.
    pub to: *mut f32,
}

per_isa!(pub(super) fn patches(tiles: &PatchTiles<'_>) = patches_body);

/// # Safety
/// The CPU has the vector's instruction set; the products of the tiles are valid, and the input's gradient holds their blocks.
#[inline(always)]
unsafe fn patches_body<S: Simd>(t: &PatchTiles<'_>) {
    let Grid { in_blocks, input: [height, width], padding: [top, left], tiles: [tile_rows, columns], .. } = *t.grid;
    // SAFETY: the caller keeps the conditions.
    unsafe {
        let mut tile = 0;
        while tile < t.count {
            let number = t.first + tile;
            let (block, row, column) = (
                number / (tile_rows * columns),
                number / columns % tile_rows * t.outputs,
                number % columns * t.outputs,
            );
            let map = t.to.wrapping_add((block * in_blocks + t.channel) * height * width * S::LANES);
            let from = t.from.add(tile * S::LANES);
            let mut rows = [[S::splat(0.0); PATCH]; PATCH];
            let mut y = 0;
            while y < PATCH {
                let mut row = [S::splat(0.0); PATCH];
                let mut x = 0;
                while x < PATCH {
                    row[x] = S::load(from.add((y * PATCH + x) * t.point));
                    x += 1;
                }
                rows[y] = patch_of::<S, F4>(row);
                y += 1;
            }
            let mut x = 0;
            while x < PATCH {
                let mut pixels = [S::splat(0.0); PATCH];
                let mut y = 0;
                while y < PATCH {
                    pixels[y] = rows[y][x];
                    y += 1;
                }
                let pixels = patch_of::<S, F4>(pixels);
                y = 0;
                while y < PATCH {
                    // Above and left of the map these wrap, and so are no smaller than its sizes.
                    let (at_y, at_x) = ((row + y).wrapping_sub(top), (column + x).wrapping_sub(left));
                    if at_y < height && at_x < width {
                        let to = map.add((at_y * width + at_x) * S::LANES);
                        S::load(to).add(pixels[y]).store(to);
                    }
                    y += 1;
                }
                x += 1;
            }
            tile += 1;
        }
    }
}

/// One axis of the transpose of the input's transform.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn patch_of<S: Simd, F: Points<2>>(at: [S; PATCH]) -> [S; PATCH] {
    // SAFETY: the caller keeps the condition.
    unsafe {
        let [zero, .., infinity] = at;
        let [all_0, all_1] = F::TABLE.all.map(|factor| S::splat(factor as f32));
        let (mut even, mut odd) = ([zero; 2], [zero; 2]);
        let mut pixels = [zero.mul(all_0), infinity.mul(all_0), zero.mul(all_1), infinity.mul(all_1), zero, infinity];
        let mut k = 0;
        while k < 2 {
            even[k] = at[1 + 2 * k].add(at[2 + 2 * k]);
            odd[k] = at[1 + 2 * k].sub(at[2 + 2 * k]).mul(S::splat(F::TABLE.points[k] as f32));
            let other = S::splat(F::TABLE.others[k][0] as f32);
            pixels[1] = odd[k].mul_add(other, pixels[1]);
            pixels[2] = even[k].mul_add(other, pixels[2]);
            k += 1;
        }
        pixels[3] = pixels[3].add(odd[0].add(odd[1]));
        pixels[4] = pixels[4].add(even[0].add(even[1]));
        pixels
    }
}
