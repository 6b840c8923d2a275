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
/// Places are computed in `f64`, and torchvision does it in `f32`: the tests hold the two within 3·10⁻⁶ on values from 0 to 1.
/// With `nearest`, a place that is almost exactly between two pixels may go to the other one.
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
        let degrees = random.uniform(min, max);
        match self.interpolation {
            Interpolation::Nearest => rotate(picture, degrees, nearest, &self.fill, &mut scratch.values),
            Interpolation::Bilinear => rotate(picture, degrees, bilinear, &self.fill, &mut scratch.values),
        }
    }
}

/// Turns by `degrees`, counter-clockwise; `turned` is memory to work in. `taps` are the pixels that a place between them is
/// made of, as columns, rows and weights.
fn rotate<const N: usize>(
    picture: &mut Picture,
    degrees: f32,
    taps: impl Fn(f64, f64) -> [(isize, isize, f32); N],
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
            let taps = taps(cos * x - sin * y + middle_x, sin * x + cos * y + middle_y);
            // Those that lie within the picture, as places in a plane and their weights.
            let taps = taps.map(|(x, y, weight)| {
                let inside = (0..width as isize).contains(&x) && (0..height as isize).contains(&y);
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

/// The pixel at the nearest whole numbers; halves go to the even one.
fn nearest(x: f64, y: f64) -> [(isize, isize, f32); 1] {
    // At 1.5 · 2⁵² an `f64` has no fraction: adding it rounds, and without a call that older processors need for `rint`.
    const WHOLE: f64 = 1.5 * (1u64 << 52) as f64;
    let round = |place: f64| ((place + WHOLE) - WHOLE) as isize;
    [(round(x), round(y), 1.0)]
}

fn bilinear(x: f64, y: f64) -> [(isize, isize, f32); 4] {
    let floor = |place: f64| place as isize - isize::from(place < (place as isize) as f64);
    let (left, top) = (floor(x), floor(y));
    let (right_share, lower_share) = (x - left as f64, y - top as f64);
    let (left_share, upper_share) = (1.0 - right_share, 1.0 - lower_share);
    [
        (left, top, (left_share * upper_share) as f32),
        (left + 1, top, (right_share * upper_share) as f32),
        (left, top + 1, (left_share * lower_share) as f32),
        (left + 1, top + 1, (right_share * lower_share) as f32),
    ]
}
