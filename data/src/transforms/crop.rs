//! Crops.

use super::arguments::{Arguments, Size, Writer};
use super::resize::{Resize, ResizeSize, Window, check_size, resize_window};
use super::{Scratch, Step, Transform, check_channels, check_values, per_channel};
use crate::error::Error;
use crate::picture::{MAX_SIDE, Picture, elements, resize_values};
use crate::random::Random;
use std::fmt;
use std::mem::swap;

/// Cuts the middle out: `center_crop(224)`. Around a picture that is smaller, zeros are laid.
#[derive(Debug, Clone, PartialEq)]
pub struct CenterCrop {
    /// The size of what is cut out.
    pub size: Size,
}

impl Step for CenterCrop {
    const NAME: &'static str = "center_crop";

    fn read(arguments: &mut Arguments) -> Result<Self, Error> {
        Ok(Self { size: arguments.required("size")? })
    }

    fn write(&self, writer: &mut Writer) -> fmt::Result {
        writer.plain(&self.size)
    }

    fn check(&self) -> Result<(), String> {
        check_size(self.size)
    }

    fn shape(&self, [channels, ..]: [usize; 3]) -> Result<[usize; 3], String> {
        Ok([channels, self.size.height, self.size.width])
    }

    fn apply(&self, picture: &mut Picture, _: &mut Random, scratch: &mut Scratch) -> Result<(), Error> {
        // A middle between two pixels is rounded as Python rounds, and the smaller part of the zeros comes first.
        let begin = |whole: usize, part: usize| match whole.checked_sub(part) {
            Some(rest) => (rest as f64 / 2.0).round_ties_even() as isize,
            None => -((part - whole) as isize / 2),
        };
        let (top, left) = (begin(picture.height, self.size.height), begin(picture.width, self.size.width));
        cut(picture, top, left, self.size, &[0.0], scratch)
    }
}

/// Cuts a part out at random, after padding: `random_crop(32, padding = 4)`.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomCrop {
    /// The size of what is cut out.
    pub size: Size,
    /// Pixels laid around the picture before, on each of the four sides.
    pub padding: usize,
    /// Their value, for all channels or for each.
    pub fill: Vec<f32>,
}

impl RandomCrop {
    /// Cuts out `size` after padding with `padding` zeros on each side.
    pub fn new(size: Size, padding: usize) -> Self {
        Self { size, padding, fill: vec![0.0] }
    }
}

impl Step for RandomCrop {
    const NAME: &'static str = "random_crop";

    fn read(arguments: &mut Arguments) -> Result<Self, Error> {
        Ok(Self {
            size: arguments.required("size")?,
            padding: arguments.optional("padding", 0)?,
            fill: arguments.optional("fill", vec![0.0])?,
        })
    }

    fn write(&self, writer: &mut Writer) -> fmt::Result {
        writer.plain(&self.size)?;
        writer.named("padding", &self.padding, &0)?;
        writer.named("fill", &self.fill, &vec![0.0])
    }

    fn check(&self) -> Result<(), String> {
        check_size(self.size)?;
        check_values("fill", &self.fill)?;
        if self.padding <= MAX_SIDE { Ok(()) } else { Err(format!("`padding` is at most {MAX_SIDE} pixels")) }
    }

    fn shape(&self, [channels, height, width]: [usize; 3]) -> Result<[usize; 3], String> {
        check_channels("fill", &self.fill, channels)?;
        let padded = [height, width].map(|side| side + 2 * self.padding);
        if padded[0] < self.size.height || padded[1] < self.size.width {
            return Err(format!(
                "it cuts out {}×{}, and the picture is {height}×{width} and with the padding {}×{}; \
                 give a larger `padding` or resize before",
                self.size.height, self.size.width, padded[0], padded[1]
            ));
        }
        Ok([channels, self.size.height, self.size.width])
    }

    fn evaluation(&self) -> Vec<Transform> {
        vec![CenterCrop { size: self.size }.into()]
    }

    fn apply(&self, picture: &mut Picture, random: &mut Random, scratch: &mut Scratch) -> Result<(), Error> {
        let mut begin = |whole: usize, part: usize| {
            random.below((whole + 2 * self.padding).saturating_sub(part) + 1) as isize - self.padding as isize
        };
        let top = begin(picture.height, self.size.height);
        let left = begin(picture.width, self.size.width);
        cut(picture, top, left, self.size, &self.fill, scratch)
    }
}

/// Cuts a part of random area and proportions out and scales it: `random_resized_crop(224)`.
///
/// As torchvision: up to ten draws of an area and of proportions are tried until the part fits into the picture, then the
/// largest part in the middle is taken whose proportions are allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomResizedCrop {
    /// The size after scaling.
    pub size: Size,
    /// The least and the largest share of the picture's area.
    pub scale: [f32; 2],
    /// The least and the largest width for a height of 1.
    pub ratio: [f32; 2],
}

impl RandomResizedCrop {
    const SCALE: [f32; 2] = [0.08, 1.0];
    const RATIO: [f32; 2] = [3.0 / 4.0, 4.0 / 3.0];

    /// With PyTorch's scale (0.08 to 1) and ratio (3/4 to 4/3).
    pub fn new(size: Size) -> Self {
        Self { size, scale: Self::SCALE, ratio: Self::RATIO }
    }

    fn window(&self, height: usize, width: usize, random: &mut Random) -> Window {
        for _ in 0..10 {
            let [w, h] = draw_part(height, width, self.scale, self.ratio, random);
            if (1..=width).contains(&w) && (1..=height).contains(&h) {
                let top = random.below(height - h + 1);
                return Window { top, left: random.below(width - w + 1), height: h, width: w };
            }
        }
        let (ratio, [min, max]) = (width as f64 / height as f64, self.ratio.map(f64::from));
        let [h, w] = if ratio < min {
            [((width as f64 / min).round_ties_even() as usize).clamp(1, height), width]
        } else if ratio > max {
            [height, ((height as f64 * max).round_ties_even() as usize).clamp(1, width)]
        } else {
            [height, width]
        };
        Window { top: (height - h) / 2, left: (width - w) / 2, height: h, width: w }
    }
}

impl Step for RandomResizedCrop {
    const NAME: &'static str = "random_resized_crop";

    fn read(arguments: &mut Arguments) -> Result<Self, Error> {
        Ok(Self {
            size: arguments.required("size")?,
            scale: arguments.optional("scale", Self::SCALE)?,
            ratio: arguments.optional("ratio", Self::RATIO)?,
        })
    }

    fn write(&self, writer: &mut Writer) -> fmt::Result {
        writer.plain(&self.size)?;
        writer.named("scale", &self.scale, &Self::SCALE)?;
        writer.named("ratio", &self.ratio, &Self::RATIO)
    }

    fn check(&self) -> Result<(), String> {
        check_size(self.size)?;
        check_part(self.scale, self.ratio)
    }

    fn shape(&self, [channels, ..]: [usize; 3]) -> Result<[usize; 3], String> {
        Ok([channels, self.size.height, self.size.width])
    }

    fn evaluation(&self) -> Vec<Transform> {
        let longer = self.size.height.max(self.size.width);
        // ⌊8n/7 + 1/2⌋, in whole numbers; no longer than pictures may be.
        let side = ((longer * 16 + 7) / 14).min(MAX_SIDE);
        vec![Resize { size: ResizeSize::Shorter(side) }.into(), CenterCrop { size: self.size }.into()]
    }

    fn apply(&self, picture: &mut Picture, random: &mut Random, scratch: &mut Scratch) -> Result<(), Error> {
        let window = self.window(picture.height, picture.width, random);
        resize_window(picture, window, self.size, scratch)
    }
}

/// The sides of a part of random area and proportions: √(area · ratio) and √(area / ratio), rounded as Python rounds.
pub(super) fn draw_part(
    height: usize,
    width: usize,
    scale: [f32; 2],
    ratio: [f32; 2],
    random: &mut Random,
) -> [usize; 2] {
    let area = (height * width) as f64 * f64::from(random.uniform(scale[0], scale[1]));
    let ratio = f64::from(random.uniform(ratio[0].ln(), ratio[1].ln())).exp();
    [area * ratio, area / ratio].map(|square| square.sqrt().round_ties_even() as usize)
}

/// Says what is wrong with the bounds of a random part.
pub(super) fn check_part(scale: [f32; 2], ratio: [f32; 2]) -> Result<(), String> {
    if !(scale[0] >= 0.0 && scale[0] <= scale[1] && scale[1] <= 1.0) {
        return Err("`scale` is a range of shares [min, max], from 0 to 1".into());
    }
    if !(ratio[0] > 0.0 && ratio[0] <= ratio[1] && ratio[1].is_finite()) {
        return Err("`ratio` is a range of positive numbers [min, max]".into());
    }
    Ok(())
}

/// Makes the picture what lies at `top` and `left`; what lies outside of it is `fill`.
fn cut(
    picture: &mut Picture,
    top: isize,
    left: isize,
    size: Size,
    fill: &[f32],
    scratch: &mut Scratch,
) -> Result<(), Error> {
    let Picture { channels, height, width, .. } = *picture;
    if (top, left) == (0, 0) && (size.height, size.width) == (height, width) {
        return Ok(());
    }
    let shape = [channels, size.height, size.width];
    resize_values(&mut scratch.values, elements(shape))?;
    // The columns that lie within the picture, seen from the result.
    let inside = |begin: isize, part: usize, whole: usize| {
        let first = begin.saturating_neg().clamp(0, part as isize) as usize;
        let last = (whole as isize).saturating_sub(begin).clamp(first as isize, part as isize) as usize;
        first..last
    };
    let (rows, columns) = (inside(top, size.height, height), inside(left, size.width, width));
    let first_column = (left + columns.start as isize) as usize;
    let planes = picture.values.chunks_exact(height * width);
    let cut_planes = scratch.values.chunks_exact_mut(size.height * size.width);
    for (channel, (plane, cut_plane)) in planes.zip(cut_planes).enumerate() {
        let fill = per_channel(fill, channel);
        for (row, line) in cut_plane.chunks_exact_mut(size.width).enumerate() {
            if !rows.contains(&row) || columns.is_empty() {
                line.fill(fill);
                continue;
            }
            let source = (top + row as isize) as usize * width + first_column;
            line[..columns.start].fill(fill);
            line[columns.clone()].copy_from_slice(&plane[source..][..columns.len()]);
            line[columns.end..].fill(fill);
        }
    }
    swap(&mut picture.values, &mut scratch.values);
    (picture.height, picture.width) = (size.height, size.width);
    Ok(())
}
