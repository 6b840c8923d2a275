//! What a kernel is expected to take: the model by which kernels and layouts are chosen.
//!
//! Times are nominal, of one core and one example: they say which way is faster, not how fast a machine is, so that the
//! choice is the same on every machine with the same instruction set. `cnn tune` measures instead.

use super::Isa;
use super::select::Layer;
use cnn_ir::Op;
use cnn_ir::ops::Conv2dSpec;

/// Bytes per second between a kernel and the caches, and from main memory: one stream of weights.
const CACHE: f64 = 30e9;
const MEMORY: f64 = 30e9;

/// Seconds of a step that does nothing.
const STEP: f64 = 0.2e-6;

impl Isa {
    /// Floating-point operations per second of one core, nominally.
    fn flops(self) -> f64 {
        match self {
            Isa::Portable => 10e9,
            Isa::Avx2 => 80e9,
            Isa::Avx512 => 118e9,
        }
    }
}

/// Seconds that a kernel takes for one example, by its name in the table.
pub(crate) fn cost(layer: &Layer<'_>, algorithm: &str) -> f64 {
    let elements = |shape: &[usize]| shape.iter().map(|&size| size as f64).product::<f64>();
    // What comes before a plain kernel is a step of its own.
    let before = if layer.prologue.is_some() && algorithm == "plain" { 2.0 * elements(layer.input) } else { 0.0 };
    let moved = 4.0 * (before + layer.inputs.iter().map(|shape| elements(shape)).sum::<f64>() + elements(layer.output));
    let moving = STEP + moved / CACHE;
    match (layer.op, layer.output) {
        (Op::Conv2d(spec), &[channels, height, width]) => {
            moving + conv2d(spec, [channels, height, width], layer.isa, algorithm)
        }
        // Row by row, with short rows and steps between columns.
        _ if algorithm == "plain" && layer.op.name().contains("Pool") => 4.0 * moving,
        _ => moving,
    }
}

/// Seconds to change the layout of a value.
pub(crate) fn reorder(elements: usize) -> f64 {
    STEP + 12.0 * elements as f64 / CACHE
}

fn conv2d(spec: &Conv2dSpec, [channels, height, width]: [usize; 3], isa: Isa, algorithm: &str) -> f64 {
    let lanes = isa.lanes();
    let padded = |channels: usize| channels.next_multiple_of(lanes) as f64;
    let (pixels, taps) = ((height * width) as f64, (spec.kernel_size[0] * spec.kernel_size[1]) as f64);
    let in_channels = (spec.in_channels / spec.groups) as f64;
    let weights = in_channels * taps * channels as f64;
    let read = 4.0 * weights / MEMORY;
    // Multiply-adds, and the part of the peak at which they are done.
    let at = |macs: f64, part: f64| 2.0 * macs / (isa.flops() * part);
    match algorithm {
        "winograd2" => winograd(spec, [channels, height, width], isa, 2),
        "winograd4" => winograd(spec, [channels, height, width], isa, 4),
        "winograd6" => winograd(spec, [channels, height, width], isa, 6),
        "depthwise" => at(pixels * taps * padded(channels), 0.4),
        // Few channels leave most of a block empty, and its pixels far apart.
        "blocked" if in_channels < lanes as f64 / 2.0 => at(pixels * taps * in_channels * padded(channels), 0.8),
        "blocked" => read.max(at(pixels * taps * in_channels * padded(channels), 0.95)),
        "first" if in_channels < lanes as f64 => at(pixels * taps * in_channels * padded(channels), 0.93),
        "first" => at(pixels * taps * in_channels * padded(channels), 0.7),
        // One kernel of one output channel at a time.
        "plain" if spec.groups > 1 && channels / spec.groups < 4 => at(pixels * weights, 0.05),
        "plain" => {
            // Whole vectors of pixels, in the pitch of the copy.
            let pitch = (width + spec.kernel_size[1] - 1) as f64;
            let vectors = (pitch * height as f64 / lanes as f64).ceil() * lanes as f64;
            read.max(at(vectors * weights, 0.85)) + 8.0 * taps.min(4.0) * pixels * in_channels / CACHE
        }
        _ => at(pixels * weights, 0.01),
    }
}

/// The products of the transformed tiles, their weights from memory, and the transforms.
fn winograd(spec: &Conv2dSpec, [channels, height, width]: [usize; 3], isa: Isa, tile: usize) -> f64 {
    let lanes = isa.lanes();
    let tiles = (height.div_ceil(tile) * width.div_ceil(tile)) as f64;
    let points = ((tile + 2) * (tile + 2)) as f64;
    let (inputs, outputs) = (spec.in_channels.next_multiple_of(lanes) as f64, channels.next_multiple_of(lanes) as f64);
    let products = 2.0 * points * tiles * spec.in_channels as f64 * outputs / (isa.flops() * 0.93);
    let read = 4.0 * points * spec.in_channels as f64 * outputs / MEMORY;
    // Operations for each channel of a tile, from measured times of 16 channels: 23, 80 and 190 ns for the input of
    // tiles of 2, 4 and 6, and 13, 55 and 130 ns for the output, at 118 GFLOP/s.
    let [input, output] = match tile {
        2 => [170.0, 96.0],
        4 => [590.0, 406.0],
        _ => [1400.0, 960.0],
    };
    products.max(read) + tiles * (inputs * input + outputs * output) / isa.flops()
}
