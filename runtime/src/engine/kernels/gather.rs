//! Elements picked by tables, one per axis: slicing, shuffling, cropping, padding, repeating.

use super::{Call, Kernel};
use crate::Error;
use crate::engine::select::Layer;
use cnn_ir::ops::{ChannelShuffleSpec, Crop2dSpec, Pad2dSpec, SliceSpec, Upsample2dSpec};

/// A copy in another order.
pub(crate) struct Gather {
    name: &'static str,
    /// Channels, rows and columns.
    input: [usize; 3],
    /// Where each channel and row of the output comes from; [`NOWHERE`] is the value.
    channels: Vec<u32>,
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
    pub fn crop(spec: &Crop2dSpec, layer: &Layer<'_>) -> Result<Self, Error> {
        let [top, _, left, _] = spec.sides;
        let inside = |before: usize| move |i: usize| Some(before + i);
        Self::of_maps("crop", layer, [&inside(top), &inside(left)])
    }

    /// A map with rows and columns around it.
    pub fn pad(spec: &Pad2dSpec, layer: &Layer<'_>) -> Result<Self, Error> {
        let [rows, columns] = [0, 1].map(|axis| spec.sources(axis, layer.input[1 + axis]).collect::<Vec<_>>());
        let gather = Self::of_maps("pad", layer, [&|i| rows[i], &|i| columns[i]])?;
        Ok(Self { value: spec.value as f32, ..gather })
    }

    /// A map whose rows and columns are repeated.
    pub fn upsample(spec: &Upsample2dSpec, layer: &Layer<'_>) -> Result<Self, Error> {
        let [rows, columns] = [1, 2].map(|axis| {
            let taps = spec.taps(axis - 1, layer.input[axis], layer.output[axis]);
            taps.map(|tap| Some(tap.first)).collect::<Vec<_>>()
        });
        Self::of_maps("upsample_nearest", layer, [&|i| rows[i], &|i| columns[i]])
    }

    fn of_channels(name: &'static str, layer: &Layer<'_>, sources: impl Iterator<Item = usize>) -> Self {
        let count = layer.input[1..].iter().product();
        Self {
            name,
            input: [layer.input[0], 1, count],
            channels: sources.map(|source| source as u32).collect(),
            rows: vec![0],
            columns: Columns { before: Vec::new(), start: 0, count, after: Vec::new() },
            value: 0.0,
        }
    }

    /// Every channel alike, from where each row and each column comes.
    fn of_maps(
        name: &'static str,
        layer: &Layer<'_>,
        sources: [&dyn Fn(usize) -> Option<usize>; 2],
    ) -> Result<Self, Error> {
        let (Ok(input), &[channels, height, width]) = (<[usize; 3]>::try_from(layer.input), layer.output) else {
            return Err(layer.error("the layer takes maps"));
        };
        let table = |axis: usize, size: usize| -> Vec<u32> {
            (0..size).map(|i| sources[axis](i).map_or(NOWHERE, |source| source as u32)).collect()
        };
        let (rows, columns) = (table(0, height), Columns::new(&table(1, width)));
        Ok(Self { name, input, channels: (0..channels as u32).collect(), rows, columns, value: 0.0 })
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
        let [_, height, width] = self.input;
        let columns = self.columns.len();
        let (examples, _) = call.examples();
        for (input, output) in examples {
            let planes = output.chunks_exact_mut(self.rows.len() * columns);
            for (plane, &channel) in planes.zip(&self.channels) {
                let input = &input[channel as usize * height * width..][..height * width];
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
