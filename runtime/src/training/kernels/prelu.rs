//! The rectified linear unit with a trained slope, and its gradient.

use super::super::state::{Control, Slot};
use super::Memory;
use super::sums::{LaneSums, add_lanes, examples_of, total};
use crate::Error;
use crate::engine::kernels::map::{MapFn, leaky_relu_of};
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{MAX_LANES, Simd, per_isa};
use crate::engine::threads::Shared;
use std::fmt;
use std::sync::Arc;

/// Vectors that are summed in f32 before the sum goes on in f64.
const CHUNK: usize = 256;

/// Channels, each a run of vectors in every block.
struct Channels {
    count: usize,
    vectors: usize,
    lanes: usize,
    /// One for all channels, or one for each.
    slope: Slot,
}

impl Channels {
    fn new(layer: &Layer<'_>, memory: &Memory) -> Result<Self, Error> {
        let (count, slope) = (layer.output[0], memory.value(layer, "weight")?);
        if slope.len() != 1 && slope.len() != count {
            return Err(layer.error("its parameters do not have its sizes"));
        }
        Ok(Self { count, vectors: layer.output[1..].iter().product(), lanes: layer.isa.lanes(), slope })
    }

    fn slope(&self, channel: usize) -> f32 {
        // SAFETY: nobody writes parameters while a kernel that reads them runs.
        let slopes = unsafe { self.slope.get() };
        slopes[channel % slopes.len()]
    }
}

/// The layer itself, in place.
pub(crate) struct Prelu {
    channels: Channels,
    code: MapFn,
}

impl Prelu {
    pub fn new(layer: &Layer<'_>, memory: &Memory) -> Result<Self, Error> {
        Ok(Self { channels: Channels::new(layer, memory)?, code: leaky_relu_of(layer.isa) })
    }
}

impl Kernel for Prelu {
    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, call: Call<'_>) {
        let size = self.channels.vectors * self.channels.lanes;
        let (runs, output) = (call.output.len() / size.max(1), Shared::new(call.output));
        split(call.threads, runs, size, |range| {
            for run in range {
                // SAFETY: each run is one task's alone; the instruction set was checked.
                unsafe {
                    let part = output.part(run * size..(run + 1) * size);
                    (self.code)(part, self.channels.slope(run % self.channels.count));
                }
            }
        });
    }
}

impl fmt::Debug for Prelu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("prelu")
    }
}

/// dx = dy above 0, else the slope times that; the slope's is Σ dy · x over what is not above 0.
pub(crate) struct Gradient {
    channels: Channels,
    /// Where the slopes' gradient is added.
    gradient: Option<Slot>,
    control: Arc<Control>,
    code: GradientFn,
}

impl Gradient {
    pub fn new(layer: &Layer<'_>, memory: &Memory) -> Result<Self, Error> {
        let (channels, gradient) = (Channels::new(layer, memory)?, memory.gradient(layer, "weight"));
        Ok(Self { channels, gradient, control: memory.control.clone(), code: gradient_of(layer.isa) })
    }
}

impl Kernel for Gradient {
    fn may_overwrite(&self) -> usize {
        1
    }

    fn scratch(&self, _: usize, _: usize) -> usize {
        self.channels.count
    }

    fn run(&self, call: Call<'_>) {
        let Channels { count: channels, vectors, lanes, .. } = self.channels;
        let (input, values, size) = (call.input, call.others.get(0), vectors * lanes);
        let (blocks, examples) = (call.batch / lanes, self.control.settings().examples);
        let (output, sums) = (Shared::new(call.output), Shared::new(&mut call.scratch[..channels]));
        split(call.threads, channels, 4 * blocks * size, |range| {
            for channel in range {
                let mut sum = [0.0; MAX_LANES];
                for block in 0..blocks {
                    let at = (block * channels + channel) * size;
                    let count = examples_of(block, lanes, examples);
                    // SAFETY: each channel is one task's alone, and the gradient may lie in the output; the instruction set
                    // was checked.
                    unsafe {
                        let dx = output.part(at..at + size).as_mut_ptr();
                        let dy = if input.is_empty() { dx.cast_const() } else { input[at..].as_ptr() };
                        let slope = self.channels.slope(channel);
                        (self.code)(dy, values[at..].as_ptr(), dx, vectors, slope, count, &mut sum);
                    }
                }
                // SAFETY: as above.
                unsafe { sums.part(channel..channel + 1) }.fill(total(&sum) as f32);
            }
        });
        let Some(gradient) = &self.gradient else { return };
        // SAFETY: the tasks are done, and nobody else uses the gradient while this kernel runs.
        let (gradient, sums) = unsafe { (gradient.get_mut(), sums.part(0..channels)) };
        match gradient {
            [single] => *single += sums.iter().map(|&sum| f64::from(sum)).sum::<f64>() as f32,
            all => all.iter_mut().zip(sums).for_each(|(to, sum)| *to += *sum),
        }
    }
}

impl fmt::Debug for Gradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("prelu gradient")
    }
}

type GradientFn = unsafe fn(*const f32, *const f32, *mut f32, usize, f32, usize, &mut LaneSums);

per_isa!(
    fn gradient_of(
        dy: *const f32,
        x: *const f32,
        dx: *mut f32,
        vectors: usize,
        slope: f32,
        count: usize,
        sums: &mut LaneSums,
    ) = gradient_body
);

#[inline(always)]
unsafe fn gradient_body<S: Simd>(
    dy: *const f32,
    x: *const f32,
    dx: *mut f32,
    vectors: usize,
    slope: f32,
    count: usize,
    sums: &mut LaneSums,
) {
    // SAFETY: all have so many vectors, and the gradients may be in one place; the CPU has the instruction set.
    unsafe {
        let (zero, slope) = (S::splat(0.0), S::splat(slope));
        let mut i = 0;
        while i < vectors {
            let end = if i + CHUNK < vectors { i + CHUNK } else { vectors };
            let mut sum = zero;
            while i < end {
                let (g, x) = (S::load(dy.add(i * S::LANES)), S::load(x.add(i * S::LANES)));
                sum = zero.select_less(x, zero, x.mul(g)).add(sum);
                zero.select_less(x, g, g.mul(slope)).store(dx.add(i * S::LANES));
                i += 1;
            }
            add_lanes(sum, count, sums);
        }
    }
}
