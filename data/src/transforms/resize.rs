//! Resizing: bilinear, antialiased.

use super::arguments::{Arguments, Size, Value, Writer};
use super::text::Literal;
use super::{Scratch, Step};
use crate::error::Error;
use crate::picture::{MAX_SIDE, Picture, resize_values};
use crate::random::Random;
use std::fmt;

/// Scales the picture: `resize(256)`, `resize([224, 224])`.
///
/// Every value is the mean of the source's, weighted by a triangle over the area that the pixel covers (antialiased bilinear,
/// as torchvision's default). Weights are computed in `f64` and sums in `f32`; torchvision does both in `f32`: the
/// tests hold the two within 3·10⁻⁶ on values from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Resize {
    /// The new size.
    pub size: ResizeSize,
}

/// What a picture is scaled to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResizeSize {
    /// The shorter side becomes this long and the longer one in proportion; as text `256`.
    Shorter(usize),
    /// Both sides; as text `[height, width]`.
    Exact(Size),
}

impl ResizeSize {
    /// The size that a picture of `height` and `width` becomes.
    fn of(self, height: usize, width: usize) -> Size {
        let scaled = |side: usize, long: usize, short: usize| side.saturating_mul(long) / short.max(1);
        match self {
            Self::Exact(size) => size,
            Self::Shorter(side) if height <= width => Size { height: side, width: scaled(side, width, height) },
            Self::Shorter(side) => Size { height: scaled(side, height, width), width: side },
        }
    }
}

impl Value for ResizeSize {
    const EXPECTED: &'static str = "the shorter side in pixels or [height, width]";

    fn from_literal(literal: &Literal) -> Option<Self> {
        let size = Size::from_literal(literal)?;
        Some(if let Literal::Number(_) = literal { Self::Shorter(size.height) } else { Self::Exact(size) })
    }

    fn write(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Shorter(side) => write!(f, "{side}"),
            Self::Exact(Size { height, width }) => write!(f, "[{height}, {width}]"),
        }
    }
}

impl Step for Resize {
    const NAME: &'static str = "resize";

    fn read(arguments: &mut Arguments) -> Result<Self, Error> {
        Ok(Self { size: arguments.required("size")? })
    }

    fn write(&self, writer: &mut Writer) -> fmt::Result {
        writer.plain(&self.size)
    }

    fn check(&self) -> Result<(), String> {
        check_size(match self.size {
            ResizeSize::Shorter(side) => Size::square(side),
            ResizeSize::Exact(size) => size,
        })
    }

    fn shape(&self, [channels, height, width]: [usize; 3]) -> Result<[usize; 3], String> {
        let Size { height, width } = self.size.of(height, width);
        Ok([channels, height, width])
    }

    fn apply(&self, picture: &mut Picture, _: &mut Random, scratch: &mut Scratch) -> Result<(), Error> {
        let window = Window { top: 0, left: 0, height: picture.height, width: picture.width };
        resize_window(picture, window, self.size.of(picture.height, picture.width), scratch)
    }
}

/// Says what is wrong with a size.
pub(super) fn check_size(Size { height, width }: Size) -> Result<(), String> {
    if (1..=MAX_SIDE).contains(&height) && (1..=MAX_SIDE).contains(&width) {
        return Ok(());
    }
    Err(format!("`size` is from 1 to {MAX_SIDE} pixels a side"))
}

/// A part of a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub top: usize,
    pub left: usize,
    pub height: usize,
    pub width: usize,
}

/// Makes the picture what its window is, scaled to `size`. The window lies within the picture.
pub(super) fn resize_window(
    picture: &mut Picture,
    window: Window,
    size: Size,
    scratch: &mut Scratch,
) -> Result<(), Error> {
    let Picture { channels, height, width, .. } = *picture;
    let whole = (window.height, window.width) == (height, width);
    if whole && (size.height, size.width) == (height, width) {
        return Ok(());
    }
    let Scratch { values: narrow, columns, rows } = scratch;
    columns.set(window.width, size.width);
    rows.set(window.height, size.height);

    // Along the rows first: every row of the window becomes as wide as the result.
    resize_values(narrow, channels * window.height * size.width)?;
    let lines = picture.values.chunks_exact(height * width).flat_map(|plane| {
        plane.chunks_exact(width).skip(window.top).take(window.height).map(|line| &line[window.left..][..window.width])
    });
    for (line, narrow) in lines.zip(narrow.chunks_exact_mut(size.width)) {
        for (value, (start, weights)) in narrow.iter_mut().zip(columns.iter()) {
            *value = line[start..].iter().zip(weights).map(|(value, weight)| value * weight).sum();
        }
    }

    picture.reshape([channels, size.height, size.width])?;
    let planes = narrow.chunks_exact(window.height * size.width);
    for (plane, narrow) in picture.values.chunks_exact_mut(size.height * size.width).zip(planes) {
        for (line, (start, weights)) in plane.chunks_exact_mut(size.width).zip(rows.iter()) {
            line.fill(0.0);
            for (source, weight) in narrow.chunks_exact(size.width).skip(start).zip(weights) {
                line.iter_mut().zip(source).for_each(|(sum, value)| *sum += value * weight);
            }
        }
    }
    Ok(())
}

/// For each place along an axis of the result, which places of the source it is made of, and their weights.
#[derive(Debug, Clone, Default)]
pub(super) struct Taps {
    /// The first place of the source, and where its weights end in `weights`.
    places: Vec<(usize, usize)>,
    weights: Vec<f32>,
}

impl Taps {
    /// Scales an axis of `from` places to `to`.
    fn set(&mut self, from: usize, to: usize) {
        self.places.clear();
        self.weights.clear();
        let scale = from as f64 / to as f64;
        // The triangle reaches over one pixel of the source when that is scaled up, and over one of the result otherwise.
        let reach = scale.max(1.0);
        for place in 0..to {
            let centre = scale * (place as f64 + 0.5);
            let start = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).clamp(start + 1, from.max(start + 1));
            let weight = |at: usize| (1.0 - ((at as f64 + 0.5 - centre) / reach).abs()).max(0.0);
            let sum: f64 = (start..end).map(weight).sum();
            self.weights.extend((start..end).map(|at| (weight(at) / sum) as f32));
            self.places.push((start, self.weights.len()));
        }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let mut begin = 0;
        self.places.iter().map(move |&(start, end)| {
            let weights = &self.weights[begin..end];
            begin = end;
            (start, weights)
        })
    }
}
