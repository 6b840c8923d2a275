//! The innermost loop of the weights' gradients: products of two values, summed over places and examples.

use crate::engine::Isa;
use crate::engine::simd::{MAX_LANES, Simd, per_isa, unrolled};

/// A tile's operands: `sums[o][j] = Σ over blocks, places and lanes of y[o] · x[j]`. Distances are in f32.
pub(crate) struct WeightTile {
    pub y: *const f32,
    /// From one `o` to the next, and from one block of examples to the next; places lie one behind the other.
    pub y_output: usize,
    pub y_block: usize,
    pub x: *const f32,
    /// Where each `j` begins.
    pub offsets: *const usize,
    pub x_block: usize,
    /// From one place to the next on each axis.
    pub x_place: [usize; 3],
    pub blocks: usize,
    pub places: [usize; 3],
    /// `O · J` numbers, those of an `o` one behind the other, to which the sums are added; or as many vectors.
    pub sums: *mut f32,
    /// From one `o` to the next, in numbers or vectors.
    pub sums_output: usize,
    /// Whether the lanes are summed apart, as vectors.
    pub keeps_lanes: bool,
}

pub(crate) type WeightTileFn = unsafe fn(&WeightTile);

/// The most sums of a tile.
const MOST: usize = 24;

/// # Safety
/// The operands of `O` outputs and `J` inputs lie in valid memory.
#[inline(always)]
unsafe fn body<S: Simd, const O: usize, const J: usize>(tile: &WeightTile) {
    // SAFETY: the caller keeps the conditions.
    unsafe {
        let mut sums = [[S::splat(0.0); J]; O];
        let mut from = [tile.x; J];
        unrolled!(j < J => { from[j] = tile.x.add(*tile.offsets.add(j)); }, 0 1 2 3 4 5);
        let mut block = 0;
        while block < tile.blocks {
            let mut y = tile.y.add(block * tile.y_block);
            let mut d = 0;
            while d < tile.places[0] {
                let mut h = 0;
                while h < tile.places[1] {
                    let mut x = block * tile.x_block + d * tile.x_place[0] + h * tile.x_place[1];
                    let mut w = 0;
                    while w < tile.places[2] {
                        let mut inputs = [S::splat(0.0); J];
                        unrolled!(j < J => { inputs[j] = S::load(from[j].add(x)); }, 0 1 2 3 4 5);
                        unrolled!(o < O => {
                            let factor = S::load(y.add(o * tile.y_output));
                            unrolled!(j < J => { sums[o][j] = inputs[j].mul_add(factor, sums[o][j]); }, 0 1 2 3 4 5);
                        }, 0 1 2 3 4 5);
                        (x, y) = (x + tile.x_place[2], y.add(S::LANES));
                        w += 1;
                    }
                    h += 1;
                }
                d += 1;
            }
            block += 1;
        }
        if tile.keeps_lanes {
            unrolled!(o < O => {
                unrolled!(j < J => {
                    let to = tile.sums.add((o * tile.sums_output + j) * S::LANES);
                    S::load(to).add(sums[o][j]).store(to);
                }, 0 1 2 3 4 5);
            }, 0 1 2 3 4 5);
            return;
        }
        let mut rows = [0.0f32; (MOST + MAX_LANES) * MAX_LANES];
        unrolled!(o < O => {
            unrolled!(j < J => { sums[o][j].store(rows.as_mut_ptr().add((o * J + j) * S::LANES)); }, 0 1 2 3 4 5);
        }, 0 1 2 3 4 5);
        let mut first = 0;
        while first < O * J {
            let mut totals = [0.0f32; MAX_LANES];
            sums_of_lanes::<S>(rows.as_ptr().add(first * S::LANES)).store(totals.as_mut_ptr());
            let mut lane = 0;
            while lane < S::LANES && first + lane < O * J {
                let (o, j) = ((first + lane) / J, (first + lane) % J);
                *tile.sums.add(o * tile.sums_output + j) += totals[lane];
                lane += 1;
            }
            first += S::LANES;
        }
    }
}

/// The sum of the lanes of each of LANES vectors: a transpose turns sums of lanes into sums of rows.
///
/// # Safety
/// They lie in valid memory.
#[inline(always)]
unsafe fn sums_of_lanes<S: Simd>(vectors: *const f32) -> S {
    // SAFETY: the caller keeps the conditions.
    unsafe {
        let mut columns = [0.0f32; MAX_LANES * MAX_LANES];
        S::transpose(vectors, S::LANES, columns.as_mut_ptr(), S::LANES);
        let mut sum = S::load(columns.as_ptr());
        let mut lane = 1;
        while lane < S::LANES {
            sum = sum.add(S::load(columns.as_ptr().add(lane * S::LANES)));
            lane += 1;
        }
        sum
    }
}

/// Adds the sum of the lanes of each vector to a number.
///
/// # Safety
/// There are as many vectors as numbers.
#[inline(always)]
unsafe fn add_lanes_body<S: Simd>(vectors: &[f32], to: &mut [f32]) {
    // SAFETY: the caller keeps the conditions; behind the last whole group each vector is summed alone.
    unsafe {
        let whole = to.len() / S::LANES * S::LANES;
        let mut i = 0;
        while i < whole {
            let to = to.as_mut_ptr().add(i);
            S::load(to).add(sums_of_lanes::<S>(vectors.as_ptr().add(i * S::LANES))).store(to);
            i += S::LANES;
        }
        while i < to.len() {
            to[i] += crate::engine::simd::reduce_add(S::load(vectors.as_ptr().add(i * S::LANES)));
            i += 1;
        }
    }
}
per_isa!(pub(crate) fn add_lanes(vectors: &[f32], to: &mut [f32]) = add_lanes_body);

macro_rules! tiles {
    ($($name:ident $body:ident $o:literal $j:literal;)*) => {
        $(
            #[inline(always)]
            unsafe fn $body<S: Simd>(tile: &WeightTile) {
                // SAFETY: the caller keeps the conditions.
                unsafe { body::<S, $o, $j>(tile) }
            }
            per_isa!(fn $name(tile: &WeightTile) = $body);
        )*

        /// The code of a tile of this many outputs and inputs; each a size that [`cut`](super::tile::cut) gives, and at most 24 sums.
        pub(crate) fn weight_tile_of(isa: Isa, outputs: usize, inputs: usize) -> WeightTileFn {
            match (outputs, inputs) {
                $(($o, $j) => $name(isa),)*
                _ => o1j1(isa),
            }
        }
    };
}
tiles! {
    o1j1 o1j1_body 1 1;
    o2j1 o2j1_body 2 1;
    o4j1 o4j1_body 4 1;
    o6j1 o6j1_body 6 1;
    o1j2 o1j2_body 1 2;
    o2j2 o2j2_body 2 2;
    o4j2 o4j2_body 4 2;
    o6j2 o6j2_body 6 2;
    o1j4 o1j4_body 1 4;
    o2j4 o2j4_body 2 4;
    o4j4 o4j4_body 4 4;
    o6j4 o6j4_body 6 4;
    o1j6 o1j6_body 1 6;
    o2j6 o2j6_body 2 6;
    o4j6 o4j6_body 4 6;
}

/// The sums of all places, blocks and lanes of one channel: `places` vectors for each of `blocks`.
///
/// # Safety
/// They lie in valid memory.
#[inline(always)]
unsafe fn channel_body<S: Simd>(from: *const f32, places: usize, blocks: usize, block: usize) -> f32 {
    // SAFETY: the caller keeps the conditions.
    unsafe {
        let mut sum = S::splat(0.0);
        let mut b = 0;
        while b < blocks {
            let mut part = S::splat(0.0);
            let mut p = 0;
            while p < places {
                part = part.add(S::load(from.add(b * block + p * S::LANES)));
                p += 1;
            }
            sum = sum.add(part);
            b += 1;
        }
        crate::engine::simd::reduce_add(sum)
    }
}
per_isa!(pub(crate) fn channel_sum(from: *const f32, places: usize, blocks: usize, block: usize) -> f32 = channel_body);
