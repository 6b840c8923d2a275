//! Rotation.

use super::arguments::{Arguments, Interpolation, Spread, Writer};
use super::{Scratch, Step, Transform, check_channels, check_values, per_channel};
use crate::error::Error;
use crate::picture::{Picture, resize_values};
use crate::random::Random;
use std::fmt;
use std::mem::swap;

/// Turns the picture about its middle by a random angle, counter-clockwise: `rotation(15, interpolation = bilinear)`.
///
/// Places are computed in `f64`; torchvision does it in `f32`, and the two agree within 10⁻⁵ on values from 0 to 1, but for
/// pixels that lie exactly between two with `nearest`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    /// The range of the angle in degrees.
    pub degrees: Spread,
    /// How values between pixels are found.
    pub interpolation: Interpolation,
    /// The value outside of the picture, for all channels or for each.
    pub fill: Vec<f32>,
}

impl Rotation {
    /// Turns by up to `degrees` to either side, as [`Interpolation::Nearest`] and with zeros outside.
    pub fn new(degrees: f32) -> Self {
        Self { degrees: Spread::By(degrees), interpolation: Interpolation::Nearest, fill: vec![0.0] }
    }
}

impl Step for Rotation {
    const NAME: &'static str = "rotation";

    fn read(arguments: &mut Arguments) -> Result<Self, Error> {
        Ok(Self {
            degrees: arguments.required("degrees")?,
            interpolation: arguments.optional("interpolation", Interpolation::Nearest)?,
            fill: arguments.optional("fill", vec![0.0])?,
        })
    }

    fn write(&self, writer: &mut Writer) -> fmt::Result {
        writer.plain(&self.degrees)?;
        writer.named("interpolation", &self.interpolation, &Interpolation::Nearest)?;
        writer.named("fill", &self.fill, &vec![0.0])
    }

    fn check(&self) -> Result<(), String> {
        self.degrees.check("degrees")?;
        check_values("fill", &self.fill)
    }

    fn shape(&self, input: [usize; 3]) -> Result<[usize; 3], String> {
        check_channels("fill", &self.fill, input[0])?;
        Ok(input)
    }

    fn evaluation(&self) -> Vec<Transform> {
        Vec::new()
    }

    fn apply(&self, picture: &mut Picture, random: &mut Random, scratch: &mut Scratch) -> Result<(), Error> {
        let [min, max] = self.degrees.range(0.0);
        rotate(picture, random.uniform(min, max), self.interpolation, &self.fill, &mut scratch.values)
    }
}

/// Turns by `degrees`, counter-clockwise; `turned` is memory to work in.
fn rotate(
    picture: &mut Picture,
    degrees: f32,
    interpolation: Interpolation,
    fill: &[f32],
    turned: &mut Vec<f32>,
) -> Result<(), Error> {
    resize_values(turned, picture.values.len())?;
    let Picture { height, width, .. } = *picture;
    let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
    let [middle_y, middle_x] = [height, width].map(|side| (side as f64 - 1.0) / 2.0);
    for row in 0..height {
        for column in 0..width {
            let (x, y) = (column as f64 - middle_x, row as f64 - middle_y);
            let (x, y) = (cos * x - sin * y + middle_x, sin * x + cos * y + middle_y);
            let taps = match interpolation {
                Interpolation::Nearest => nearest(x, y),
                Interpolation::Bilinear => bilinear(x, y),
            };
            // Each tap that lies within the picture, as a place in a plane and its weight.
            let taps = taps.map(|(x, y, weight)| {
                let inside = x >= 0.0 && y >= 0.0 && x < width as f64 && y < height as f64;
                if inside { (y as usize * width + x as usize, weight) } else { (0, 0.0) }
            });
            let share: f32 = taps.iter().map(|tap| tap.1).sum();
            for (channel, plane) in picture.values.chunks_exact(height * width).enumerate() {
                let value: f32 = taps.iter().map(|&(at, weight)| plane[at] * weight).sum();
                // Where a pixel is partly outside, torchvision weighs the sum, of which a part is missing, once more.
                let value = value * share + (1.0 - share) * per_channel(fill, channel);
                turned[(channel * height + row) * width + column] = value;
            }
        }
    }
    swap(&mut picture.values, turned);
    Ok(())
}

fn nearest(x: f64, y: f64) -> [(f64, f64, f32); 4] {
    let nothing = (0.0, 0.0, 0.0);
    [(x.round_ties_even(), y.round_ties_even(), 1.0), nothing, nothing, nothing]
}

fn bilinear(x: f64, y: f64) -> [(f64, f64, f32); 4] {
    let (left, top) = (x.floor(), y.floor());
    let (right_share, lower_share) = (x - left, y - top);
    let (left_share, upper_share) = (1.0 - right_share, 1.0 - lower_share);
    [
        (left, top, (left_share * upper_share) as f32),
        (left + 1.0, top, (right_share * upper_share) as f32),
        (left, top + 1.0, (left_share * lower_share) as f32),
        (left + 1.0, top + 1.0, (right_share * lower_share) as f32),
    ]
}
