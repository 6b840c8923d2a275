//! Normalisation.

use super::arguments::{Arguments, Writer};
use super::{Scratch, Step, check_channels, check_values, per_channel};
use crate::error::Error;
use crate::picture::Picture;
use crate::random::Random;
use std::fmt;

/// Subtracts a mean and divides by a standard deviation: `normalize(0.286, 0.353)`, `normalize([r, g, b], [r, g, b])`.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalize {
    /// What is subtracted, for all channels or for each.
    pub mean: Vec<f32>,
    /// What is then divided by, for all channels or for each.
    pub std: Vec<f32>,
}

impl Step for Normalize {
    const NAME: &'static str = "normalize";

    fn read(arguments: &mut Arguments) -> Result<Self, Error> {
        Ok(Self { mean: arguments.required("mean")?, std: arguments.required("std")? })
    }

    fn write(&self, writer: &mut Writer) -> fmt::Result {
        writer.plain(&self.mean)?;
        writer.plain(&self.std)
    }

    fn check(&self) -> Result<(), String> {
        check_values("mean", &self.mean)?;
        check_values("std", &self.std)?;
        if self.std.iter().all(|std| std.is_normal() && *std > 0.0) {
            return Ok(());
        }
        Err("`std` takes positive numbers".into())
    }

    fn shape(&self, input: [usize; 3]) -> Result<[usize; 3], String> {
        check_channels("mean", &self.mean, input[0])?;
        check_channels("std", &self.std, input[0])?;
        Ok(input)
    }

    fn apply(&self, picture: &mut Picture, _: &mut Random, _: &mut Scratch) -> Result<(), Error> {
        for (channel, plane) in picture.values.chunks_exact_mut(picture.height * picture.width).enumerate() {
            let (mean, std) = (per_channel(&self.mean, channel), per_channel(&self.std, channel));
            plane.iter_mut().for_each(|value| *value = (*value - mean) / std);
        }
        Ok(())
    }
}
