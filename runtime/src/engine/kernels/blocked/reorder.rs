//! Maps from one layout to the other.

use crate::engine::Isa;
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::layout::Layout;
use crate::engine::simd::{MAX_LANES, Simd, per_isa};
use crate::engine::threads::{Shared, Threads};

/// Copies a map into the other layout.
pub(crate) struct Reorder {
    to: Layout,
    channels: usize,
    pixels: usize,
    lanes: usize,
    code: unsafe fn(&Part),
}

/// Adjacent pixels of a block of channels.
struct Part {
    from: *const f32,
    to: *mut f32,
    /// Channels that there are in the block.
    channels: usize,
    /// Pixels of the part, and of the whole map.
    count: usize,
    pixels: usize,
}

/// The most pixels of a part: both sides of it fit the nearest cache.
const RUN: usize = 128;

impl Reorder {
    /// Takes maps `[channels, height, width]` into the layout `to` from the other one. The lanes behind the last channel
    /// become zero.
    pub fn new(shape: &[usize], to: Layout, isa: Isa) -> Self {
        let channels = shape.first().copied().unwrap_or(1);
        let code = match to {
            Layout::Plain => to_plain_of(isa),
            Layout::Blocked => to_blocked_of(isa),
        };
        Self { to, channels, pixels: shape.iter().skip(1).product(), lanes: isa.lanes(), code }
    }

    pub(super) fn reorder(&self, batch: usize, input: &[f32], output: &mut [f32], threads: &Threads) {
        let &Self { channels, pixels, lanes, .. } = self;
        let (blocks, runs) = (channels.div_ceil(lanes), pixels.div_ceil(RUN));
        let output = Shared::new(output);
        split(threads, batch * blocks * runs, 2 * RUN * lanes, |parts| {
            for number in parts {
                let (plane, first) = (number / runs, number % runs * RUN);
                let (example, block) = (plane / blocks, plane % blocks);
                let plain = (example * channels + block * lanes) * pixels + first;
                let blocked = (plane * pixels + first) * lanes;
                let (from, to) = match self.to {
                    Layout::Plain => (blocked, plain),
                    Layout::Blocked => (plain, blocked),
                };
                let (channels, count) = (lanes.min(channels - block * lanes), RUN.min(pixels - first));
                // SAFETY: the instruction set was checked before the kernel was made. The part lies within the map, of
                // which input and output are the two layouts, and no other part has its elements.
                unsafe {
                    let (from, to) = (input.as_ptr().add(from), output.as_ptr().add(to));
                    (self.code)(&Part { from, to, channels, count, pixels });
                }
            }
        });
    }
}

impl Kernel for Reorder {
    fn run(&self, call: Call<'_>) {
        self.reorder(call.batch, call.input, call.output, call.threads);
    }
}

impl std::fmt::Debug for Reorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.to {
            Layout::Plain => "reorder_to_plain",
            Layout::Blocked => "reorder_to_blocked",
        })
    }
}

per_isa!(fn to_blocked_of(part: &Part) = to_blocked_body);
per_isa!(fn to_plain_of(part: &Part) = to_plain_body);

/// A square that is not whole in the map.
type Square = [f32; MAX_LANES * MAX_LANES];

/// # Safety
/// The CPU has the vector's instruction set; the part's memory is valid.
#[inline(always)]
unsafe fn to_blocked_body<S: Simd>(part: &Part) {
    let &Part { from, to, channels, count, pixels } = part;
    let mut pixel = 0;
    // SAFETY: only channels and pixels that the part has are read, and whole vectors written for its pixels.
    unsafe {
        while channels == S::LANES && pixel + S::LANES <= count {
            S::transpose(from.add(pixel), pixels, to.add(pixel * S::LANES), S::LANES);
            pixel += S::LANES;
        }
        while pixel < count {
            let n = S::LANES.min(count - pixel);
            let (mut square, mut turned): (Square, Square) = ([0.0; _], [0.0; _]);
            for channel in 0..channels {
                load_up_to::<S>(from.add(channel * pixels + pixel), n)
                    .store(square.as_mut_ptr().add(channel * S::LANES));
            }
            S::transpose(square.as_ptr(), S::LANES, turned.as_mut_ptr(), S::LANES);
            for i in 0..n {
                S::load(turned.as_ptr().add(i * S::LANES)).store(to.add((pixel + i) * S::LANES));
            }
            pixel += n;
        }
    }
}

/// # Safety
/// The CPU has the vector's instruction set; the part's memory is valid.
#[inline(always)]
unsafe fn to_plain_body<S: Simd>(part: &Part) {
    let &Part { from, to, channels, count, pixels } = part;
    let mut pixel = 0;
    // SAFETY: whole vectors are read for the part's pixels, and only channels and pixels that it has are written.
    unsafe {
        while channels == S::LANES && pixel + S::LANES <= count {
            S::transpose(from.add(pixel * S::LANES), S::LANES, to.add(pixel), pixels);
            pixel += S::LANES;
        }
        while pixel < count {
            let n = S::LANES.min(count - pixel);
            let (mut square, mut turned): (Square, Square) = ([0.0; _], [0.0; _]);
            for i in 0..n {
                S::load(from.add((pixel + i) * S::LANES)).store(square.as_mut_ptr().add(i * S::LANES));
            }
            S::transpose(square.as_ptr(), S::LANES, turned.as_mut_ptr(), S::LANES);
            for channel in 0..channels {
                let row = S::load(turned.as_ptr().add(channel * S::LANES));
                let to = to.add(channel * pixels + pixel);
                if n == S::LANES {
                    row.store(to);
                } else {
                    row.store_first(to, n);
                }
            }
            pixel += n;
        }
    }
}

/// Loads the first `n` ≤ LANES lanes.
///
/// # Safety
/// As for [`Simd::load_first`].
#[inline(always)]
unsafe fn load_up_to<S: Simd>(from: *const f32, n: usize) -> S {
    // SAFETY: the caller keeps the conditions.
    unsafe { if n == S::LANES { S::load(from) } else { S::load_first(from, n) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_are_the_formula_and_each_other_s_inverse() -> Result<(), crate::Error> {
        let pools = [Threads::one(), Threads::new(3)?];
        for isa in Isa::available() {
            for threads in &pools {
                for [channels, height, width] in
                    [[1, 1, 1], [3, 5, 7], [16, 4, 4], [17, 13, 11], [67, 1, 19], [48, 37, 31]]
                {
                    for batch in [1, 3] {
                        check(isa, threads, batch, channels, height, width);
                    }
                }
            }
        }
        Ok(())
    }

    fn check(isa: Isa, threads: &Threads, batch: usize, channels: usize, height: usize, width: usize) {
        let (shape, lanes, pixels) = ([channels, height, width], isa.lanes(), height * width);
        let padded = channels.next_multiple_of(lanes);
        let plain: Vec<f32> = (0..batch * channels * pixels).map(|i| i as f32 + 1.0).collect();
        let mut blocked = vec![f32::NAN; batch * padded * pixels];
        Reorder::new(&shape, Layout::Blocked, isa).reorder(batch, &plain, &mut blocked, threads);
        for (i, value) in blocked.iter_mut().enumerate() {
            let (lane, pixel, plane) = (i % lanes, i / lanes % pixels, i / lanes / pixels);
            let (example, channel) = (plane / (padded / lanes), plane % (padded / lanes) * lanes + lane);
            let expected =
                if channel < channels { plain[(example * channels + channel) * pixels + pixel] } else { 0.0 };
            assert_eq!(*value, expected, "{isa} {shape:?} {i}");
            if channel >= channels {
                *value = f32::NAN; // whatever is there must not matter
            }
        }
        let mut back = vec![f32::NAN; plain.len()];
        Reorder::new(&shape, Layout::Plain, isa).reorder(batch, &blocked, &mut back, threads);
        assert_eq!(back, plain, "{isa} {shape:?}");
    }
}
