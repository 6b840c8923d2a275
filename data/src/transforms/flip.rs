//! Flips.

use super::arguments::{Arguments, Writer};
use super::{Scratch, Step, Transform, check_p};
use crate::error::Error;
use crate::picture::Picture;
use crate::random::Random;
use std::fmt;

/// Swaps left and right, at random: `horizontal_flip(0.5)`.
#[derive(Debug, Clone, PartialEq)]
pub struct HorizontalFlip {
    /// The probability.
    pub p: f32,
}

/// Swaps top and bottom, at random: `vertical_flip(0.5)`.
#[derive(Debug, Clone, PartialEq)]
pub struct VerticalFlip {
    /// The probability.
    pub p: f32,
}

macro_rules! flip {
    ($name:ident, $text:literal, $flip:ident) => {
        impl Step for $name {
            const NAME: &'static str = $text;

            fn read(arguments: &mut Arguments) -> Result<Self, Error> {
                Ok(Self { p: arguments.optional("p", 0.5)? })
            }

            fn write(&self, writer: &mut Writer) -> fmt::Result {
                writer.plain(&self.p)
            }

            fn check(&self) -> Result<(), String> {
                check_p(self.p)
            }

            fn shape(&self, input: [usize; 3]) -> Result<[usize; 3], String> {
                Ok(input)
            }

            fn evaluation(&self) -> Vec<Transform> {
                Vec::new()
            }

            fn apply(&self, picture: &mut Picture, random: &mut Random, _: &mut Scratch) -> Result<(), Error> {
                if random.chance(self.p) {
                    $flip(picture);
                }
                Ok(())
            }
        }
    };
}

flip!(HorizontalFlip, "horizontal_flip", swap_columns);
flip!(VerticalFlip, "vertical_flip", swap_rows);

fn swap_columns(picture: &mut Picture) {
    picture.values.chunks_exact_mut(picture.width).for_each(<[f32]>::reverse);
}

fn swap_rows(picture: &mut Picture) {
    let Picture { height, width, ref mut values, .. } = *picture;
    for plane in values.chunks_exact_mut(height * width) {
        let (top, bottom) = plane.split_at_mut(height / 2 * width);
        for (upper, lower) in top.chunks_exact_mut(width).zip(bottom.chunks_exact_mut(width).rev()) {
            upper.swap_with_slice(lower);
        }
    }
}
