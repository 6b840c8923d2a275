//! Local response norm and its gradient (Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural
//! Networks", 2012). A task has some adjacent places of all channels.

use super::super::state::Control;
use super::Memory;
use super::sums::examples_of;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{MAX_LANES, Simd, per_isa};
use crate::engine::threads::Shared;
use cnn_ir::ops::LocalResponseNormSpec;
use std::fmt;
use std::sync::Arc;

/// Vectors of a channel that a task has at most.
const WIDTH: usize = 8;

/// s = k + α/n · Σ x² over the channels from `before` before to `behind` behind.
#[derive(Debug, Clone, Copy)]
struct Geometry {
    channels: usize,
    /// Elements from one channel to the next.
    plane: usize,
    before: usize,
    behind: usize,
    /// α/n.
    factor: f32,
    k: f32,
    beta: f32,
    lanes: usize,
}

impl Geometry {
    fn new(spec: &LocalResponseNormSpec, layer: &Layer<'_>) -> Self {
        let (channels, lanes) = (layer.input[0], layer.isa.lanes());
        Self {
            channels,
            plane: layer.input[1..].iter().product::<usize>() * lanes,
            before: spec.size / 2,
            behind: spec.size.saturating_sub(1) / 2,
            factor: (spec.alpha / spec.size.max(1) as f64) as f32,
            k: spec.k as f32,
            beta: spec.beta as f32,
            lanes,
        }
    }

    /// Tasks of a block.
    fn tasks(&self) -> usize {
        self.plane.div_ceil(WIDTH * self.lanes)
    }

    /// Where a task begins in the first channel of its block, and how many elements of each channel it has.
    fn task(&self, number: usize) -> [usize; 2] {
        let first = number % self.tasks() * WIDTH * self.lanes;
        [number / self.tasks() * self.channels * self.plane + first, (WIDTH * self.lanes).min(self.plane - first)]
    }

    /// Makes lanes without an example 0: they are 0 / 0 where k is 0.
    ///
    /// # Safety
    /// The task's elements of the output are nobody else's.
    unsafe fn clear(&self, number: usize, examples: usize, output: &Shared<'_>) {
        let count = examples_of(number / self.tasks(), self.lanes, examples);
        if self.k > 0.0 || count == self.lanes {
            return;
        }
        let [start, width] = self.task(number);
        for channel in 0..self.channels {
            let at = start + channel * self.plane;
            // SAFETY: the caller keeps the condition.
            let part = unsafe { output.part(at..at + width) };
            part.chunks_exact_mut(self.lanes).for_each(|vector| vector[count..].fill(0.0));
        }
    }
}

/// The layer itself: x · s^−β.
pub(crate) struct LocalResponseNorm {
    geometry: Geometry,
    control: Arc<Control>,
    code: unsafe fn(&Geometry, *const f32, *mut f32, usize),
}

impl LocalResponseNorm {
    pub fn new(spec: &LocalResponseNormSpec, layer: &Layer<'_>, memory: &Memory) -> Self {
        Self { geometry: Geometry::new(spec, layer), control: memory.control.clone(), code: norm_of(layer.isa) }
    }
}

impl Kernel for LocalResponseNorm {
    fn run(&self, call: Call<'_>) {
        let (geometry, input, examples) = (&self.geometry, call.input, self.control.settings().examples);
        let tasks = call.batch / geometry.lanes * geometry.tasks();
        let (threads, output) = (call.threads.for_work(16 * call.output.len()), Shared::new(call.output));
        threads.run(tasks, |number, _| {
            let [start, width] = geometry.task(number);
            // SAFETY: each task has its own places; the instruction set was checked.
            unsafe {
                (self.code)(geometry, input[start..].as_ptr(), output.as_ptr().add(start), width);
                geometry.clear(number, examples, &output);
            }
        });
    }
}

impl fmt::Debug for LocalResponseNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("local_response_norm")
    }
}

/// dx = dy · s^−β − 2 · β · α/n · x · Σ dy · x · s^−(β+1), the sum over the channels that the element's own is summed for.
pub(crate) struct Gradient {
    geometry: Geometry,
    control: Arc<Control>,
    code: unsafe fn(&Geometry, *const f32, *const f32, *mut f32, usize, &mut [f32]),
}

impl Gradient {
    pub fn new(spec: &LocalResponseNormSpec, layer: &Layer<'_>, memory: &Memory) -> Self {
        Self { geometry: Geometry::new(spec, layer), control: memory.control.clone(), code: gradient_of(layer.isa) }
    }

    /// Elements of a worker's memory: for each channel s^−β, and dy · x · s^−(β+1).
    fn room(&self) -> usize {
        (2 * WIDTH * self.geometry.lanes).saturating_mul(self.geometry.channels)
    }
}

impl Kernel for Gradient {
    fn may_overwrite(&self) -> usize {
        1
    }

    fn scratch(&self, _: usize, threads: usize) -> usize {
        self.room().saturating_mul(threads)
    }

    fn run(&self, call: Call<'_>) {
        let (geometry, input, values) = (&self.geometry, call.input, call.others.get(0));
        let (room, examples) = (self.room(), self.control.settings().examples);
        let tasks = call.batch / geometry.lanes * geometry.tasks();
        let threads = call.threads.for_work(32 * call.output.len());
        let (output, scratch) = (Shared::new(call.output), Shared::new(call.scratch));
        threads.run(tasks, |number, worker| {
            let [start, width] = geometry.task(number);
            // SAFETY: each task has its own places, where the gradient may lie, and each worker its own memory; the
            // instruction set was checked.
            unsafe {
                let dx = output.as_ptr().add(start);
                let dy = if input.is_empty() { dx.cast_const() } else { input[start..].as_ptr() };
                let room = scratch.part(worker * room..(worker + 1) * room);
                (self.code)(geometry, dy, values[start..].as_ptr(), dx, width, room);
                geometry.clear(number, examples, &output);
            }
        });
    }
}

impl fmt::Debug for Gradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("local_response_norm gradient")
    }
}

/// The places of one channel.
#[inline(always)]
unsafe fn row<'a>(from: *const f32, geometry: &Geometry, channel: usize, width: usize) -> &'a [f32] {
    // SAFETY: the caller's memory has so many elements in each channel.
    unsafe { std::slice::from_raw_parts(from.add(channel * geometry.plane), width) }
}

/// s of a channel's places. The loops are left to the compiler to vectorise.
#[inline(always)]
unsafe fn sums(geometry: &Geometry, x: *const f32, channel: usize, sums: &mut [f32]) {
    let first = channel.saturating_sub(geometry.before);
    let last = channel.saturating_add(geometry.behind).min(geometry.channels - 1);
    sums.fill(0.0);
    for other in first..last + 1 {
        // SAFETY: the caller's memory has all channels.
        let x = unsafe { row(x, geometry, other, sums.len()) };
        for (sum, &x) in sums.iter_mut().zip(x) {
            *sum += x * x;
        }
    }
    for sum in sums {
        *sum = geometry.k + geometry.factor * *sum;
    }
}

/// s^−β. The exponent of AlexNet and GoogLeNet is two roots away; any other needs a power.
#[inline(always)]
fn powers(beta: f32, sums: &[f32], powers: &mut [f32]) {
    if beta == 0.75 {
        for (power, &s) in powers.iter_mut().zip(sums) {
            let root = s.sqrt();
            *power = 1.0 / (root * root.sqrt());
        }
    } else {
        for (power, &s) in powers.iter_mut().zip(sums) {
            *power = s.powf(-beta);
        }
    }
}

per_isa!(fn norm_of(geometry: &Geometry, x: *const f32, y: *mut f32, width: usize) = norm_body);

#[inline(always)]
unsafe fn norm_body<S: Simd>(geometry: &Geometry, x: *const f32, y: *mut f32, width: usize) {
    let (mut s, mut p) = ([0.0; WIDTH * MAX_LANES], [0.0; WIDTH * MAX_LANES]);
    let (s, p) = (&mut s[..width], &mut p[..width]);
    for channel in 0..geometry.channels {
        // SAFETY: both have so many elements in each channel.
        unsafe {
            sums(geometry, x, channel, s);
            powers(geometry.beta, s, p);
            let y = std::slice::from_raw_parts_mut(y.add(channel * geometry.plane), width);
            for ((y, &x), &p) in y.iter_mut().zip(row(x, geometry, channel, width)).zip(&*p) {
                *y = x * p;
            }
        }
    }
}

per_isa!(
    fn gradient_of(
        geometry: &Geometry,
        dy: *const f32,
        x: *const f32,
        dx: *mut f32,
        width: usize,
        room: &mut [f32],
    ) = gradient_body
);

#[inline(always)]
unsafe fn gradient_body<S: Simd>(
    geometry: &Geometry,
    dy: *const f32,
    x: *const f32,
    dx: *mut f32,
    width: usize,
    room: &mut [f32],
) {
    let (all_powers, all_products) = room.split_at_mut(room.len() / 2);
    let mut s = [0.0; WIDTH * MAX_LANES];
    let s = &mut s[..width];
    for channel in 0..geometry.channels {
        let p = &mut all_powers[channel * width..][..width];
        let products = &mut all_products[channel * width..][..width];
        // SAFETY: all have so many elements in each channel.
        unsafe {
            sums(geometry, x, channel, s);
            powers(geometry.beta, s, p);
            let (dy, x) = (row(dy, geometry, channel, width), row(x, geometry, channel, width));
            for ((((to, &dy), &x), &p), &s) in products.iter_mut().zip(dy).zip(x).zip(&*p).zip(&*s) {
                *to = dy * x * p / s;
            }
        }
    }
    let factor = -2.0 * geometry.beta * geometry.factor;
    for channel in 0..geometry.channels {
        // The channels in whose sums this one is.
        let first = channel.saturating_sub(geometry.behind);
        let last = channel.saturating_add(geometry.before).min(geometry.channels - 1);
        s.fill(0.0);
        for products in all_products[first * width..(last + 1) * width].chunks_exact(width) {
            for (sum, &product) in s.iter_mut().zip(products) {
                *sum += product;
            }
        }
        // SAFETY: as above; each element of the gradient is read before it is written where they are in one place.
        unsafe {
            let x = row(x, geometry, channel, width);
            let p = &all_powers[channel * width..][..width];
            for (i, ((&x, &p), &s)) in x.iter().zip(p).zip(&*s).enumerate() {
                let at = channel * geometry.plane + i;
                *dx.add(at) = *dy.add(at) * p + factor * x * s;
            }
        }
    }
}
