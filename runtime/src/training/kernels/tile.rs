//! The innermost loop of convolutions and dense layers: some outputs of some places at once, in registers.

use crate::engine::Isa;
use crate::engine::simd::{Simd, per_isa, unrolled};

/// A tile's operands. Distances are in f32.
pub(crate) struct Tile {
    /// Input channels that are summed over, and the distance from one to the next.
    pub channels: usize,
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

/// Places and outputs of the largest tiles; one more register than their product and the places is needed.
pub(crate) const MOST: usize = 6;

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
                let (at, weight) = (x.add(x_tap), w.add(w_tap));
                let mut inputs = [S::splat(0.0); P];
                unrolled!(p < P => { inputs[p] = S::load(at.add(p * tile.x_place)); }, 0 1 2 3 4 5);
                unrolled!(o < O => {
                    let factor = S::splat(*weight.add(o * tile.w_output));
                    unrolled!(p < P => { sums[o][p] = inputs[p].mul_add(factor, sums[o][p]); }, 0 1 2 3 4 5);
                }, 0 1 2 3 4 5);
                tap += 1;
            }
            (x, w) = (x.add(tile.x_channel), w.add(tile.w_channel));
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

        /// The code of a tile of this many places and outputs; there is none for more than 24 sums.
        pub(crate) fn tile_of(isa: Isa, places: usize, outputs: usize) -> TileFn {
            match (places, outputs) {
                $(($p, $o) => $name(isa),)*
                _ => p1o1(isa),
            }
        }
    };
}
tiles! {
    p1o1 p1o1_body 1 1; p1o2 p1o2_body 1 2; p1o3 p1o3_body 1 3; p1o4 p1o4_body 1 4; p1o5 p1o5_body 1 5; p1o6 p1o6_body 1 6;
    p2o1 p2o1_body 2 1; p2o2 p2o2_body 2 2; p2o3 p2o3_body 2 3; p2o4 p2o4_body 2 4; p2o5 p2o5_body 2 5; p2o6 p2o6_body 2 6;
    p3o1 p3o1_body 3 1; p3o2 p3o2_body 3 2; p3o3 p3o3_body 3 3; p3o4 p3o4_body 3 4; p3o5 p3o5_body 3 5; p3o6 p3o6_body 3 6;
    p4o1 p4o1_body 4 1; p4o2 p4o2_body 4 2; p4o3 p4o3_body 4 3; p4o4 p4o4_body 4 4; p4o5 p4o5_body 4 5; p4o6 p4o6_body 4 6;
    p5o1 p5o1_body 5 1; p5o2 p5o2_body 5 2; p5o3 p5o3_body 5 3; p5o4 p5o4_body 5 4;
    p6o1 p6o1_body 6 1; p6o2 p6o2_body 6 2; p6o3 p6o3_body 6 3; p6o4 p6o4_body 6 4;
}

/// How many places and outputs the tiles of a layer have at most: what takes the least time for all of its places.
pub(crate) fn tile_sizes(isa: Isa, places: usize, outputs: usize) -> [usize; 2] {
    let options: &[[usize; 2]] = match isa.lanes() {
        16 => &[[4, 6], [6, 4], [5, 4], [3, 6], [4, 5], [2, 6], [1, 6], [6, 2], [6, 3], [6, 1]],
        // Sixteen registers.
        _ => &[[4, 3], [3, 4], [2, 5], [6, 2], [2, 4], [1, 6], [6, 1]],
    };
    // A load takes about half as long as a multiplication, which it can overlap with.
    let time = |[p, o]: [usize; 2]| (2 * p * o).max(2 * p + o) + 2;
    let total = |&[p, o]: &[usize; 2]| {
        let (full_p, rest_p, full_o, rest_o) = (places / p, places % p, outputs / o, outputs % o);
        let part = |p: usize, o: usize, count: usize| if p * o > 0 { time([p, o]) * count } else { 0 };
        part(p, o, full_p * full_o) + part(rest_p, o, full_o) + part(p, rest_o, full_p) + part(rest_p, rest_o, 1)
    };
    options.iter().copied().min_by_key(|option| total(option)).unwrap_or([1, 1])
}
