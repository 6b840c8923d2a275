//! Between grey and RGB.

use super::arguments::{Arguments, Writer};
use super::{Scratch, Step, check_grey_or_rgb};
use crate::error::Error;
use crate::picture::Picture;
use crate::random::Random;
use std::fmt;

/// Makes the picture grey: `grayscale`, `grayscale(3)`.
///
/// Grey is 0.2989 red + 0.587 green + 0.114 blue, as torchvision has it for tensors, and of
/// what is grey already its own value.
#[derive(Debug, Clone, PartialEq)]
pub struct Grayscale {
    /// 1, or 3 for red, green and blue that are the same.
    pub num_output_channels: usize,
}

/// Makes a grey picture RGB, its three channels the same: `rgb`. An RGB picture stays as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Rgb;

impl Step for Grayscale {
    const NAME: &'static str = "grayscale";

    fn read(arguments: &mut Arguments) -> Result<Self, Error> {
        Ok(Self { num_output_channels: arguments.optional("num_output_channels", 1)? })
    }

    fn write(&self, writer: &mut Writer) -> fmt::Result {
        if self.num_output_channels == 1 { Ok(()) } else { writer.plain(&self.num_output_channels) }
    }

    fn check(&self) -> Result<(), String> {
        if matches!(self.num_output_channels, 1 | 3) { Ok(()) } else { Err("`num_output_channels` is 1 or 3".into()) }
    }

    fn shape(&self, [channels, height, width]: [usize; 3]) -> Result<[usize; 3], String> {
        check_grey_or_rgb(channels)?;
        Ok([self.num_output_channels, height, width])
    }

    fn apply(&self, picture: &mut Picture, _: &mut Random, _: &mut Scratch) -> Result<(), Error> {
        if let Some([red, green, blue]) = planes(picture) {
            for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
                // What is grey stays as it is: the factors do not quite sum to 1.
                *r = if *r == *g && *g == *b { *r } else { grey(*r, *g, *b) };
            }
        }
        repeat_first(picture, self.num_output_channels)
    }
}

impl Step for Rgb {
    const NAME: &'static str = "rgb";

    fn read(_: &mut Arguments) -> Result<Self, Error> {
        Ok(Self)
    }

    fn write(&self, _: &mut Writer) -> fmt::Result {
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn shape(&self, [channels, height, width]: [usize; 3]) -> Result<[usize; 3], String> {
        check_grey_or_rgb(channels)?;
        Ok([3, height, width])
    }

    fn apply(&self, picture: &mut Picture, _: &mut Random, _: &mut Scratch) -> Result<(), Error> {
        if picture.channels == 1 { repeat_first(picture, 3) } else { Ok(()) }
    }
}

/// The brightness of a colour.
pub(super) fn grey(red: f32, green: f32, blue: f32) -> f32 {
    0.2989 * red + 0.587 * green + 0.114 * blue
}

/// The planes of an RGB picture; `None` for others.
pub(super) fn planes(picture: &mut Picture) -> Option<[&mut [f32]; 3]> {
    if picture.channels != 3 {
        return None;
    }
    let plane = picture.height * picture.width;
    let (red, rest) = picture.values.split_at_mut_checked(plane)?;
    let (green, blue) = rest.split_at_mut_checked(plane)?;
    Some([red, green, blue])
}

fn repeat_first(picture: &mut Picture, channels: usize) -> Result<(), Error> {
    let plane = picture.height * picture.width;
    picture.reshape([channels, picture.height, picture.width])?;
    for channel in 1..channels {
        picture.values.copy_within(..plane, channel * plane);
    }
    Ok(())
}
