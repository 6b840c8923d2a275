//! Elements picked by tables, one per axis: slicing, shuffling, cropping, padding, repeating.

use super::axes::volume;
use super::{Call, Kernel};
use crate::Error;
use crate::engine::select::Layer;
use cnn_ir::ops::{ChannelShuffleSpec, CropSpec, PadSpec, SliceSpec, UpsampleSpec};

/// A copy in another order.
pub(crate) struct Gather {
    name: &'static str,
    /// Channels, slices, rows and columns.
    input: [usize; 4],
    /// Where each channel, slice and row of the output comes from; [`NOWHERE`] is the value.
    channels: Vec<u32>,
    slices: Vec<u32>,
    rows: Vec<u32>,
    columns: Columns,
    value: f32,
}

/// No place of an input: sizes are at most 2³¹ − 1.
const NOWHERE: u32 = u32::MAX;

/// Where the columns of the output come from. Most are adjacent and copied at once.
struct Columns {
    before: Vec<u32>,
    /// The first of the adjacent columns and how many there are.
    start: usize,
    count: usize,
    after: Vec<u32>,
}

impl Gather {
    /// Some channels, whatever the other axes are.
    pub fn slice(spec: &SliceSpec, layer: &Layer<'_>) -> Self {
        Self::of_channels("slice", layer, spec.start..spec.end)
    }

    /// Channels of all groups in turn.
    pub fn shuffle(spec: &ChannelShuffleSpec, layer: &Layer<'_>) -> Self {
        let (groups, channels) = (spec.groups, layer.input[0]);
        let source = move |channel: usize| channel % groups * (channels / groups) + channel / groups;
        Self::of_channels("channel_shuffle", layer, (0..channels).map(source))
    }

    /// A map without its outer rows and columns.
    pub fn crop<const D: usize, const S: usize>(spec: &CropSpec<D, S>, layer: &Layer<'_>) -> Result<Self, Error> {
        Self::of_axes::<D>("crop", layer, |axis, _, outputs| {
            (0..outputs).map(|i| Some(spec.sides[2 * axis] + i)).collect()
        })
    }

    /// A map with rows and columns around it.
    pub fn pad<const D: usize, const S: usize>(spec: &PadSpec<D, S>, layer: &Layer<'_>) -> Result<Self, Error> {
        let gather = Self::of_axes::<D>("pad", layer, |axis, n, _| spec.sources(axis, n).collect())?;
        Ok(Self { value: spec.value as f32, ..gather })
    }

    /// A map whose rows and columns are repeated.
    pub fn upsample<const D: usize>(spec: &UpsampleSpec<D>, layer: &Layer<'_>) -> Result<Self, Error> {
        Self::of_axes::<D>("upsample_nearest", layer, |axis, n, outputs| {
            spec.taps(axis, n, outputs).map(|tap| Some(tap.first)).collect()
        })
    }

    fn of_channels(name: &'static str, layer: &Layer<'_>, sources: impl Iterator<Item = usize>) -> Self {
        let count = layer.input[1..].iter().product();
        Self {
            name,
            input: [layer.input[0], 1, 1, count],
            channels: sources.map(|source| source as u32).collect(),
            slices: vec![0],
            rows: vec![0],
            columns: Columns { before: Vec::new(), start: 0, count, after: Vec::new() },
            value: 0.0,
        }
    }

    /// Every channel alike: `sources` tells for each of the last D axes, of `n` elements in the input, where each of as many
    /// elements of the output comes from.
    fn of_axes<const D: usize>(
        name: &'static str,
        layer: &Layer<'_>,
        sources: impl Fn(usize, usize, usize) -> Vec<Option<usize>>,
    ) -> Result<Self, Error> {
        let (input, output) = (volume(layer.input, layer)?, volume(layer.output, layer)?);
        let table = |axis: usize| -> Vec<u32> {
            let Some(own) = (axis + D).checked_sub(3) else { return vec![0] };
            let sources = sources(own, input[1 + axis], output[1 + axis]);
            sources.into_iter().map(|source| source.map_or(NOWHERE, |source| source as u32)).collect()
        };
        let (slices, rows, columns) = (table(0), table(1), Columns::new(&table(2)));
        Ok(Self { name, input, channels: (0..output[0] as u32).collect(), slices, rows, columns, value: 0.0 })
    }
}

impl Columns {
    fn new(table: &[u32]) -> Self {
        let (mut start, mut end) = (0, 0);
        let mut first = 0;
        for run in table.chunk_by(|a, b| *a != NOWHERE && a + 1 == *b) {
            if run.len() > end - start && run[0] != NOWHERE {
                (start, end) = (first, first + run.len());
            }
            first += run.len();
        }
        Self {
            before: table[..start].to_vec(),
            start: table.get(start).map_or(0, |&source| source as usize),
            count: end - start,
            after: table[end..].to_vec(),
        }
    }

    fn len(&self) -> usize {
        self.before.len() + self.count + self.after.len()
    }

    fn copy(&self, from: &[f32], to: &mut [f32], value: f32) {
        let (before, rest) = to.split_at_mut(self.before.len());
        let (adjacent, after) = rest.split_at_mut(self.count);
        adjacent.copy_from_slice(&from[self.start..][..self.count]);
        for (to, table) in [(before, &self.before), (after, &self.after)] {
            for (to, &source) in to.iter_mut().zip(table) {
                *to = if source == NOWHERE { value } else { from[source as usize] };
            }
        }
    }
}

impl Kernel for Gather {
    fn run(&self, call: Call<'_>) {
        let [_, depth, height, width] = self.input;
        let columns = self.columns.len();
        let (examples, _) = call.examples();
        for (input, output) in examples {
            let sources =
                self.channels.iter().flat_map(|&channel| self.slices.iter().map(move |&slice| (channel, slice)));
            let planes = output.chunks_exact_mut(self.rows.len() * columns);
            for (plane, (channel, slice)) in planes.zip(sources) {
                if slice == NOWHERE {
                    plane.fill(self.value);
                    continue;
                }
                let input = &input[(channel as usize * depth + slice as usize) * height * width..][..height * width];
                for (y, &source) in self.rows.iter().enumerate() {
                    let place = y * columns;
                    if source == NOWHERE {
                        plane[place..][..columns].fill(self.value);
                    } else if y > 0 && self.rows[y - 1] == source {
                        plane.copy_within(place - columns..place, place);
                    } else {
                        let row = &input[source as usize * width..][..width];
                        self.columns.copy(row, &mut plane[place..][..columns], self.value);
                    }
                }
            }
        }
    }
}

impl std::fmt::Debug for Gather {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
