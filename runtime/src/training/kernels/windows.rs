//! The windows of pooling: for each place of the output the elements of the input that it is made of.

use crate::Error;
use crate::engine::kernels::axes::volume;
use crate::engine::select::Layer;
use std::ops::Range;

/// The window of a place along one axis: `count` elements from `start` on, `step` apart, all within the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub start: usize,
    pub count: usize,
    pub step: usize,
    /// Elements of the window with those that lie in the padding.
    pub padded: usize,
}

/// For depth, height and width the window of each place.
pub(crate) type Spans = [Vec<Span>; 3];

/// All windows of a layer, over depth, height and width.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    pub channels: usize,
    pub input: [usize; 3],
    pub output: [usize; 3],
    /// One for all channels, or one for each.
    tables: Vec<Spans>,
}

impl Windows {
    /// Those that `spans` gives for a table and an axis of the layer, given the sizes of input and output along it. Axes
    /// that the layer lacks have one place of one element.
    fn new<const D: usize>(
        layer: &Layer<'_>,
        tables: usize,
        spans: impl Fn(usize, usize, [usize; 2]) -> Vec<Span>,
    ) -> Result<Self, Error> {
        let ([channels, input @ ..], [_, output @ ..]) = (volume(layer.input, layer)?, volume(layer.output, layer)?);
        let along = |table: usize, axis: usize| match (axis + D).checked_sub(3) {
            Some(own) => spans(table, own, [input[axis], output[axis]]),
            None => vec![Span { start: 0, count: 1, step: 1, padded: 1 }],
        };
        let tables: Vec<Spans> = (0..tables).map(|table| [0, 1, 2].map(|axis| along(table, axis))).collect();
        // The kernels rely on it.
        let is_within = |axis: usize, span: &Span| span.count == 0 || span.last() < input[axis];
        let fits = |spans: &Spans| {
            (0..3).all(|axis| spans[axis].len() == output[axis] && spans[axis].iter().all(|span| is_within(axis, span)))
        };
        if tables.is_empty() || !tables.iter().all(fits) {
            return Err(layer.error("its windows do not lie within its input"));
        }
        Ok(Self { channels, input, output, tables })
    }

    /// Sliding windows: the kernel's sizes, strides, dilations, and the padding before and after each axis.
    pub fn sliding<const D: usize, const S: usize>(
        layer: &Layer<'_>,
        kernel: [usize; D],
        stride: [usize; D],
        dilation: [usize; D],
        padding: [usize; S],
    ) -> Result<Self, Error> {
        Self::new::<D>(layer, 1, |_, axis, [size, places]| {
            let (step, before, after) = (dilation[axis], padding[2 * axis], padding[2 * axis + 1]);
            let span = |place: usize| {
                let first = place * stride[axis];
                // The first element of the window that is not before the input, and those before its end.
                let skipped = before.saturating_sub(first).div_ceil(step).min(kernel[axis]);
                let start = first + skipped * step - before.min(first + skipped * step);
                let count = size.saturating_sub(start).div_ceil(step).min(kernel[axis] - skipped);
                let padded = (size + before + after).saturating_sub(first).div_ceil(step).min(kernel[axis]);
                Span { start, count, step, padded }
            };
            (0..places).map(span).collect()
        })
    }

    /// Ranges of adjacent elements, which `ranges` gives for a channel and an axis of the layer with so many elements.
    /// `channels` is 1 where they are the same for all.
    pub fn ranges<const D: usize>(
        layer: &Layer<'_>,
        channels: usize,
        ranges: impl Fn(usize, usize, usize) -> Vec<Range<usize>>,
    ) -> Result<Self, Error> {
        Self::new::<D>(layer, channels, |channel, axis, [size, _]| {
            let span =
                |range: Range<usize>| Span { start: range.start, count: range.len(), step: 1, padded: range.len() };
            ranges(channel, axis, size).into_iter().map(span).collect()
        })
    }

    /// The whole of each channel.
    pub fn whole(layer: &Layer<'_>) -> Result<Self, Error> {
        Self::ranges::<3>(layer, 1, |_, _, size| std::iter::once(0..size).collect())
    }

    /// Elements of a channel of the input and of the output.
    pub fn elements(&self) -> [usize; 2] {
        [self.input, self.output].map(|sizes| sizes.iter().product())
    }

    /// The windows of a channel.
    pub fn of(&self, channel: usize) -> &Spans {
        &self.tables[channel % self.tables.len()]
    }

    /// Whether each window has so many adjacent elements along height and width, and one along depth.
    pub fn are(&self, size: usize) -> bool {
        let has = |spans: &[Span], count: usize| spans.iter().all(|span| span.count == count && span.step == 1);
        self.tables.iter().all(|[d, h, w]| has(d, 1) && has(h, size) && has(w, size))
    }

    /// Whether no element is in two windows.
    pub fn are_apart(&self) -> bool {
        let is_apart = |spans: &Vec<Span>| spans.windows(2).all(|pair| pair[0].end() <= pair[1].start);
        self.tables.iter().flatten().all(is_apart)
    }

    /// Whether every element is in a window. Not always seen where there are several tables or elements between those of a
    /// window.
    pub fn cover(&self) -> bool {
        let covers = |(spans, size): (&Vec<Span>, usize)| {
            let starts = spans.first().is_some_and(|span| span.start == 0);
            let ends = spans.last().is_some_and(|span| span.end() == size);
            let is_dense = spans.iter().all(|span| span.count > 0 && (span.step == 1 || span.count == 1));
            starts && ends && is_dense && spans.windows(2).all(|pair| pair[1].start <= pair[0].end())
        };
        self.tables.iter().all(|spans| spans.iter().zip(self.input).all(covers))
    }

    /// Calls `each` with the place's number, and the window along each axis, for the first channel.
    pub fn places(&self, mut each: impl FnMut(usize, [Span; 3])) {
        let mut place = 0;
        let [depths, rows, columns] = self.of(0);
        for &d in depths {
            for &h in rows {
                for &w in columns {
                    each(place, [d, h, w]);
                    place += 1;
                }
            }
        }
    }
}

impl Span {
    /// The last element.
    fn last(&self) -> usize {
        self.start + self.count.saturating_sub(1) * self.step
    }

    /// One past the last element; the start where there is none.
    fn end(&self) -> usize {
        if self.count == 0 { self.start } else { self.last() + 1 }
    }
}
