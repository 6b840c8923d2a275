//! Values cut, joined and shuffled: runs of elements from one place to another. The gradients go the way back.

use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::threads::Shared;
use cnn_ir::ops::{ChannelShuffleSpec, ConcatSpec, SliceSpec};
use std::fmt;

/// A value made of runs of others.
pub(crate) struct Copy {
    name: &'static str,
    is_gradient: bool,
    /// They cover the output.
    runs: Vec<Run>,
    lanes: usize,
}

/// Adjacent elements of an example.
struct Run {
    /// The input that they come from and where they begin in it; zeros where there is none.
    from: Option<[usize; 2]>,
    to: usize,
    count: usize,
}

impl Copy {
    pub fn concat(spec: &ConcatSpec, layer: &Layer<'_>) -> Self {
        let parts = parts(spec, layer.inputs);
        let run = |input: usize, [own, joined, count]: [usize; 3]| Run { from: Some([input, own]), to: joined, count };
        let runs = parts.enumerate().flat_map(|(input, part)| part.map(move |part| run(input, part)));
        Self { name: "concat", is_gradient: false, runs: runs.collect(), lanes: layer.isa.lanes() }
    }

    /// The gradient with respect to one of the joined values.
    pub fn concat_gradient(spec: &ConcatSpec, layer: &Layer<'_>, input: usize) -> Self {
        let part = parts(spec, layer.inputs).nth(input).into_iter().flatten();
        let runs = part.map(|[own, joined, count]| Run { from: Some([0, joined]), to: own, count });
        Self { name: "concat", is_gradient: true, runs: runs.collect(), lanes: layer.isa.lanes() }
    }

    pub fn slice(spec: &SliceSpec, layer: &Layer<'_>, is_gradient: bool) -> Self {
        let channel: usize = layer.input.iter().skip(1).product();
        let [start, end, all] = [spec.start, spec.end, layer.input[0]].map(|channels| channels * channel);
        let count = end - start;
        let zeros = |to: usize, end: usize| Run { from: None, to, count: end - to };
        let runs = match is_gradient {
            false => vec![Run { from: Some([0, start]), to: 0, count }],
            true => vec![zeros(0, start), Run { from: Some([0, 0]), to: start, count }, zeros(end, all)],
        };
        Self { name: "slice", is_gradient, runs, lanes: layer.isa.lanes() }
    }

    pub fn shuffle(spec: &ChannelShuffleSpec, layer: &Layer<'_>, is_gradient: bool) -> Self {
        let (channels, count) = (layer.input[0], layer.input.iter().skip(1).product::<usize>());
        let run = |channel: usize| {
            let source = channel % spec.groups * (channels / spec.groups) + channel / spec.groups;
            let (from, to) = if is_gradient { (channel, source) } else { (source, channel) };
            Run { from: Some([0, from * count]), to: to * count, count }
        };
        let runs = (0..channels).map(run).collect();
        Self { name: "channel_shuffle", is_gradient, runs, lanes: layer.isa.lanes() }
    }
}

/// For each joined value its runs: where each begins in the value, where in what they are joined to, and its elements.
fn parts(spec: &ConcatSpec, inputs: &[&[usize]]) -> impl Iterator<Item = impl Iterator<Item = [usize; 3]> + use<>> {
    let axis = spec.dim.saturating_sub(1);
    let run = move |shape: &&[usize]| shape.iter().skip(axis).product::<usize>();
    let row: usize = inputs.iter().map(run).sum();
    let rows: usize = inputs.first().map_or(0, |shape| shape.iter().take(axis).product());
    let mut start = 0;
    let lengths: Vec<usize> = inputs.iter().map(run).collect();
    lengths.into_iter().map(move |count| {
        let first = start;
        start += count;
        (0..rows).map(move |number| [number * count, number * row + first, count])
    })
}

impl Kernel for Copy {
    fn run(&self, call: Call<'_>) {
        let (lanes, runs) = (self.lanes, self.runs.len().max(1));
        let blocks = call.batch / lanes;
        let of_block = call.output.len() / blocks.max(1);
        let output = Shared::new(call.output);
        split(call.threads, blocks * self.runs.len(), of_block / runs, |units| {
            for unit in units {
                let (block, run) = (unit / runs, &self.runs[unit % runs]);
                let count = run.count * lanes;
                let at = block * of_block + run.to * lanes;
                // SAFETY: no two runs overlap, and each is one task's.
                let to = unsafe { output.part(at..at + count) };
                match run.from {
                    Some([input, from]) => {
                        let values = if input == 0 { call.input } else { call.others.get(input - 1) };
                        let at = block * (values.len() / blocks) + from * lanes;
                        to.copy_from_slice(&values[at..at + count]);
                    }
                    None => to.fill(0.0),
                }
            }
        });
    }
}

impl fmt::Debug for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, if self.is_gradient { " gradient" } else { "" })
    }
}
