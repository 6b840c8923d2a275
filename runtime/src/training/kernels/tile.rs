//! The innermost loop of convolutions and dense layers: some outputs of some places at once, in registers.

use crate::engine::Isa;
use crate::engine::simd::{Simd, per_isa, unrolled};
use std::ops::Range;

/// A tile's operands. Distances are in f32.
pub(crate) struct Tile {
    /// Input channels that are summed over, and the distance from one to the next.
    pub channels: usize,
    /// May lie before the value that is read, when no tap reads there.
    pub x: *const f32,
    pub x_channel: usize,
    /// From one place to the next.
    pub x_place: usize,
    /// For each tap its distance in the input and in the weights.
    pub taps: *const [usize; 2],
    pub tap_count: usize,
    pub w: *const f32,
    pub w_channel: usize,
    /// From one output channel to the next, in the weights and in the output.
    pub w_output: usize,
    /// One for each output channel; null for zeros.
    pub bias: *const f32,
    pub y: *mut f32,
    pub y_output: usize,
    pub y_place: usize,
}

pub(crate) type TileFn = unsafe fn(&Tile);

/// Places or outputs of tiles; one more register than their product and the places is needed.
const SIZES: [usize; 4] = [6, 4, 2, 1];
/// The most of them.
pub(crate) const MOST: usize = SIZES[0];

/// Cuts `0..total` into parts that tiles have, of at most `most`.
pub(crate) fn cut(total: usize, most: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    let mut start = 0;
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|&size| size <= most && size <= total - start)?;
        start += size;
        Some(start - size..start)
    })
}

/// # Safety
/// The operands of `P` places and `O` outputs lie in valid memory.
#[inline(always)]
unsafe fn body<S: Simd, const P: usize, const O: usize>(tile: &Tile) {
    // SAFETY: the caller keeps the conditions.
    unsafe {
        let mut sums = [[S::splat(0.0); P]; O];
        if !tile.bias.is_null() {
            unrolled!(o < O => {
                let bias = S::splat(*tile.bias.add(o));
                unrolled!(p < P => { sums[o][p] = bias; }, 0 1 2 3 4 5);
            }, 0 1 2 3 4 5);
        }
        let (mut x, mut w) = (tile.x, tile.w);
        let mut channel = 0;
        while channel < tile.channels {
            let mut tap = 0;
            while tap < tile.tap_count {
                let [x_tap, w_tap] = *tile.taps.add(tap);
                let (at, weight) = (x.wrapping_add(x_tap), w.add(w_tap));
                let mut inputs = [S::splat(0.0); P];
                unrolled!(p < P => { inputs[p] = S::load(at.add(p * tile.x_place)); }, 0 1 2 3 4 5);
                unrolled!(o < O => {
                    let factor = S::splat(*weight.add(o * tile.w_output));
                    unrolled!(p < P => { sums[o][p] = inputs[p].mul_add(factor, sums[o][p]); }, 0 1 2 3 4 5);
                }, 0 1 2 3 4 5);
                tap += 1;
            }
            (x, w) = (x.wrapping_add(tile.x_channel), w.wrapping_add(tile.w_channel));
            channel += 1;
        }
        unrolled!(o < O => {
            unrolled!(p < P => { sums[o][p].store(tile.y.add(o * tile.y_output + p * tile.y_place)); }, 0 1 2 3 4 5);
        }, 0 1 2 3 4 5);
    }
}

macro_rules! tiles {
    ($($name:ident $body:ident $p:literal $o:literal;)*) => {
        $(
            #[inline(always)]
            unsafe fn $body<S: Simd>(tile: &Tile) {
                // SAFETY: the caller keeps the conditions.
                unsafe { body::<S, $p, $o>(tile) }
            }
            per_isa!(fn $name(tile: &Tile) = $body);
        )*

        /// The code of a tile of this many places and outputs, each one of [`SIZES`], and at most 24 sums.
        pub(crate) fn tile_of(isa: Isa, places: usize, outputs: usize) -> TileFn {
            match (places, outputs) {
                $(($p, $o) => $name(isa),)*
                _ => p1o1(isa),
            }
        }
    };
}
tiles! {
    p1o1 p1o1_body 1 1;
    p1o2 p1o2_body 1 2;
    p1o4 p1o4_body 1 4;
    p1o6 p1o6_body 1 6;
    p2o1 p2o1_body 2 1;
    p2o2 p2o2_body 2 2;
    p2o4 p2o4_body 2 4;
    p2o6 p2o6_body 2 6;
    p4o1 p4o1_body 4 1;
    p4o2 p4o2_body 4 2;
    p4o4 p4o4_body 4 4;
    p4o6 p4o6_body 4 6;
    p6o1 p6o1_body 6 1;
    p6o2 p6o2_body 6 2;
    p6o4 p6o4_body 6 4;
}

/// How many places and outputs the tiles of a layer have at most: what takes the least time for all of its places.
pub(crate) fn tile_sizes(isa: Isa, places: usize, outputs: usize) -> [usize; 2] {
    let options: &[[usize; 2]] = match isa.lanes() {
        16 => &[[4, 6], [6, 4], [4, 4], [2, 6], [6, 2], [1, 6], [6, 1]],
        // Sixteen registers.
        _ => &[[2, 6], [6, 2], [4, 2], [2, 4], [1, 6], [6, 1]],
    };
    // A load takes about half as long as a multiplication, which it can overlap with.
    let time = |p: usize, o: usize| (2 * p * o).max(2 * p + o) + 2;
    let row = |p: usize, most: usize| cut(outputs, most).map(|part| time(p, part.len())).sum::<usize>();
    let total = |&[p, o]: &[usize; 2]| cut(places, p).map(|part| row(part.len(), o)).sum::<usize>();
    options.iter().copied().min_by_key(|option| total(option)).unwrap_or([1, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_whole_and_have_code() {
        for total in 0..30 {
            for most in 1..=MOST {
                let parts: Vec<_> = cut(total, most).collect();
                assert!(parts.iter().flat_map(Clone::clone).eq(0..total));
                assert!(parts.iter().all(|part| part.len() <= most && SIZES.contains(&part.len())));
            }
        }
    }
}
