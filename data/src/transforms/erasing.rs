//! Random erasing.

use super::arguments::{Arguments, Erase, Writer};
use super::crop::{check_part, draw_part};
use super::{Scratch, Step, Transform, check_channels, check_p, check_values, per_channel};
use crate::error::Error;
use crate::picture::Picture;
use crate::random::Random;
use std::fmt;

/// Fills a rectangle at random: `random_erasing(0.5, scale = [0.02, 0.33], ratio = [0.3, 3.3], value = 0)`.
///
/// Zhun Zhong et al., "Random Erasing Data Augmentation", 2017. As torchvision: up to ten rectangles are drawn until one is
/// smaller than the picture in both directions; then nothing is erased.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomErasing {
    /// The probability.
    pub p: f32,
    /// The least and the largest share of the picture's area.
    pub scale: [f32; 2],
    /// The least and the largest height for a width of 1.
    pub ratio: [f32; 2],
    /// What the rectangle is filled with.
    pub value: Erase,
}

impl RandomErasing {
    const SCALE: [f32; 2] = [0.02, 0.33];
    const RATIO: [f32; 2] = [0.3, 3.3];

    /// With PyTorch's scale (0.02 to 0.33), ratio (0.3 to 3.3) and value (0).
    pub fn new(p: f32) -> Self {
        Self { p, scale: Self::SCALE, ratio: Self::RATIO, value: Erase::Value(vec![0.0]) }
    }
}

impl Step for RandomErasing {
    const NAME: &'static str = "random_erasing";

    fn read(arguments: &mut Arguments) -> Result<Self, Error> {
        let default = Self::new(arguments.optional("p", 0.5)?);
        Ok(Self {
            scale: arguments.optional("scale", default.scale)?,
            ratio: arguments.optional("ratio", default.ratio)?,
            value: arguments.optional("value", default.value)?,
            p: default.p,
        })
    }

    fn write(&self, writer: &mut Writer) -> fmt::Result {
        writer.plain(&self.p)?;
        writer.named("scale", &self.scale, &Self::SCALE)?;
        writer.named("ratio", &self.ratio, &Self::RATIO)?;
        writer.named("value", &self.value, &Erase::Value(vec![0.0]))
    }

    fn check(&self) -> Result<(), String> {
        check_p(self.p)?;
        check_part(self.scale, self.ratio)?;
        match &self.value {
            Erase::Random => Ok(()),
            Erase::Value(values) => check_values("value", values),
        }
    }

    fn shape(&self, input: [usize; 3]) -> Result<[usize; 3], String> {
        if let Erase::Value(values) = &self.value {
            check_channels("value", values, input[0])?;
        }
        Ok(input)
    }

    fn evaluation(&self) -> Vec<Transform> {
        Vec::new()
    }

    fn apply(&self, picture: &mut Picture, random: &mut Random, _: &mut Scratch) -> Result<(), Error> {
        let Picture { height, width, .. } = *picture;
        if !random.chance(self.p) {
            return Ok(());
        }
        let mut parts = (0..10).map(|_| draw_part(height, width, self.scale, self.ratio, random));
        let Some([h, w]) = parts.find(|&[h, w]| h < height && w < width) else { return Ok(()) };
        let (top, left) = (random.below(height - h + 1), random.below(width - w + 1));
        for (channel, plane) in picture.values.chunks_exact_mut(height * width).enumerate() {
            for line in plane.chunks_exact_mut(width).skip(top).take(h) {
                let part = &mut line[left..][..w];
                match &self.value {
                    Erase::Value(values) => part.fill(per_channel(values, channel)),
                    Erase::Random => part.iter_mut().for_each(|value| *value = random.normal()),
                }
            }
        }
        Ok(())
    }
}
