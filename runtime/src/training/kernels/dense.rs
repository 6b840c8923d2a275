//! Dense layers: blocks of examples are the places of the convolutions' tiles.

use super::super::state::Slot;
use super::Memory;
use super::tile::{MOST, Tile, TileFn, cut, tile_of, tile_sizes};
use super::weight_tile::{WeightTile, WeightTileFn, channel_sum, weight_tile_of};
use crate::Error;
use crate::engine::Isa;
use crate::engine::kernels::activation::Epilogue;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::threads::Shared;
use cnn_ir::ops::DenseSpec;
use std::fmt;

/// Outputs of a task.
const OUTPUTS: usize = 24;

/// Inputs of a task of the weights' gradient.
const INPUTS: usize = 96;

/// A product with the weights, or with their transpose.
pub(crate) struct Dense {
    name: &'static str,
    inputs: usize,
    outputs: usize,
    weight: Slot,
    bias: Option<Slot>,
    w_output: usize,
    w_input: usize,
    isa: Isa,
    epilogue: Epilogue,
}

impl Dense {
    pub fn new(spec: &DenseSpec, layer: &Layer<'_>, memory: &Memory) -> Result<Self, Error> {
        let (inputs, outputs) = (spec.in_features, spec.out_features);
        let weight = weight(layer, memory, inputs * outputs)?;
        let (bias, epilogue) = (memory.optional(layer, "bias"), layer.epilogue());
        let isa = layer.isa;
        Ok(Self { name: "dense", inputs, outputs, weight, bias, w_output: inputs, w_input: 1, isa, epilogue })
    }

    pub fn input_gradient(spec: &DenseSpec, layer: &Layer<'_>, memory: &Memory) -> Result<Self, Error> {
        let (inputs, outputs) = (spec.out_features, spec.in_features);
        let weight = weight(layer, memory, inputs * outputs)?;
        let (name, isa, epilogue) = ("dense input gradient", layer.isa, Epilogue::new(&[], layer.isa));
        Ok(Self { name, inputs, outputs, weight, bias: None, w_output: 1, w_input: outputs, isa, epilogue })
    }
}

fn weight(layer: &Layer<'_>, memory: &Memory, elements: usize) -> Result<Slot, Error> {
    let weight = memory.value(layer, "weight")?;
    if weight.len() == elements { Ok(weight) } else { Err(layer.error("its weights do not have its sizes")) }
}

impl Kernel for Dense {
    fn run(&self, call: Call<'_>) {
        let lanes = self.isa.lanes();
        let blocks = call.batch / lanes;
        let [p, o] = tile_sizes(self.isa, blocks, self.outputs.min(OUTPUTS));
        let code: [[TileFn; MOST]; MOST] =
            std::array::from_fn(|p| std::array::from_fn(|o| tile_of(self.isa, p + 1, o + 1)));
        // SAFETY: nobody writes parameters while this kernel runs.
        let (weight, bias) = unsafe { (self.weight.get(), self.bias.as_ref().map(|bias| bias.get())) };
        let (columns, output) = (self.outputs.div_ceil(OUTPUTS), Shared::new(call.output));
        let threads = call.threads.for_work(call.batch * self.inputs * self.outputs);
        let groups = cut(blocks, p);
        threads.run(columns * groups.clone().count(), |number, _| {
            let (Some(group), column) = (groups.clone().nth(number / columns), number % columns) else { return };
            let (first, places) = (group.start, group.len());
            let outputs = column * OUTPUTS..self.outputs.min((column + 1) * OUTPUTS);
            for part in cut(outputs.len(), o) {
                let from = outputs.start + part.start;
                let at = (first * self.outputs + from) * lanes;
                let tile = Tile {
                    channels: self.inputs,
                    x: call.input[first * self.inputs * lanes..].as_ptr(),
                    x_channel: lanes,
                    x_place: self.inputs * lanes,
                    taps: &[0, 0],
                    tap_count: 1,
                    w: weight[from * self.w_output..].as_ptr(),
                    w_channel: self.w_input,
                    w_output: self.w_output,
                    bias: bias.map_or(std::ptr::null(), |bias| bias[from..].as_ptr()),
                    // The outputs of these blocks are this task's alone.
                    y: output.as_ptr().wrapping_add(at),
                    y_output: lanes,
                    y_place: self.outputs * lanes,
                };
                // SAFETY: the blocks and outputs exist; the instruction set was checked.
                unsafe { code[places - 1][part.len() - 1](&tile) };
            }
            if !self.epilogue.is_empty() {
                for block in first..first + places {
                    let at = (block * self.outputs + outputs.start) * lanes;
                    // SAFETY: as above.
                    self.epilogue.apply(unsafe { output.part(at..at + outputs.len() * lanes) });
                }
            }
        });
    }
}

impl fmt::Debug for Dense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.epilogue.name(self.name, f)
    }
}

/// The gradient of a dense layer's weights and bias.
pub(crate) struct WeightGradient {
    inputs: usize,
    outputs: usize,
    weight: Option<Slot>,
    bias: Option<Slot>,
    isa: Isa,
}

impl WeightGradient {
    pub fn new(spec: &DenseSpec, layer: &Layer<'_>, memory: &Memory) -> Self {
        let (weight, bias) = (memory.gradient(layer, "weight"), memory.gradient(layer, "bias"));
        Self { inputs: spec.in_features, outputs: spec.out_features, weight, bias, isa: layer.isa }
    }
}

impl Kernel for WeightGradient {
    fn run(&self, call: Call<'_>) {
        let lanes = self.isa.lanes();
        let (blocks, values) = (call.batch / lanes, call.others.get(0));
        let (y_block, x_block) = (self.outputs * lanes, self.inputs * lanes);
        if let Some(weight) = &self.weight {
            let [j, o] = tile_sizes(self.isa, self.inputs.min(INPUTS), self.outputs);
            let code: [[WeightTileFn; 6]; 6] =
                std::array::from_fn(|o| std::array::from_fn(|j| weight_tile_of(self.isa, o + 1, j + 1)));
            let offsets: [usize; INPUTS] = std::array::from_fn(|input| input * lanes);
            // SAFETY: nobody else uses the gradient while this kernel runs.
            let weight = Shared::new(unsafe { weight.get_mut() });
            let columns = self.inputs.div_ceil(INPUTS);
            let threads = call.threads.for_work(call.batch * self.inputs * self.outputs);
            let groups = cut(self.outputs, o);
            threads.run(columns * groups.clone().count(), |number, _| {
                let (Some(group), column) = (groups.clone().nth(number / columns), number % columns) else { return };
                let (first, outputs) = (group.start, group.len());
                let inputs = column * INPUTS..self.inputs.min((column + 1) * INPUTS);
                for part in cut(inputs.len(), j) {
                    let at = first * self.inputs + inputs.start + part.start;
                    let tile = WeightTile {
                        y: call.input[first * lanes..].as_ptr(),
                        y_output: lanes,
                        y_block,
                        x: values[inputs.start * lanes..].as_ptr(),
                        offsets: offsets[part.start..].as_ptr(),
                        x_block,
                        x_place: [0; 3],
                        blocks,
                        places: [1; 3],
                        // These weights are this task's alone.
                        sums: weight.as_ptr().wrapping_add(at),
                        sums_output: self.inputs,
                        keeps_lanes: false,
                    };
                    // SAFETY: the outputs and inputs exist; the instruction set was checked.
                    unsafe { code[outputs - 1][part.len() - 1](&tile) };
                }
            });
        }
        if let Some(bias) = &self.bias {
            // SAFETY: nobody else uses the gradient while this kernel runs.
            for (channel, sum) in unsafe { bias.get_mut() }.iter_mut().enumerate() {
                // SAFETY: the channel's vectors lie within the output's gradient.
                *sum += unsafe { channel_sum(self.isa)(call.input[channel * lanes..].as_ptr(), 1, blocks, y_block) };
            }
        }
    }
}

impl fmt::Debug for WeightGradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dense weight gradient")
    }
}
