//! Colour jitter.

use super::arguments::{Arguments, Spread, Writer};
use super::color::{grey, planes};
use super::{Scratch, Step, Transform, check_grey_or_rgb};
use crate::error::Error;
use crate::picture::Picture;
use crate::random::Random;
use std::fmt;

/// Changes brightness, contrast, saturation and hue by random factors, in random order:
/// `color_jitter(brightness = 0.4, contrast = 0.4, saturation = 0.4, hue = 0.1)`.
///
/// It is for values from 0 to 1 and leaves no others, so that it belongs before `normalize`. On grey pictures saturation
/// and hue do nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct ColorJitter {
    /// The range of the factor around 1.
    pub brightness: Spread,
    /// The range of the factor around 1: how far from the mean grey.
    pub contrast: Spread,
    /// The range of the factor around 1: how far from each pixel's grey.
    pub saturation: Spread,
    /// The range of the shift around 0, in turns of the colour wheel; from −0.5 to 0.5.
    pub hue: Spread,
}

/// What changes nothing.
const OFF: Spread = Spread::By(0.0);

impl ColorJitter {
    /// The factors' ranges: around 1 and not negative for three of them, around 0 for the hue.
    fn ranges(&self) -> [[f32; 2]; 4] {
        let factor = |spread: Spread| match spread {
            Spread::By(by) => [(1.0 - by).max(0.0), 1.0 + by],
            Spread::Between(min, max) => [min, max],
        };
        [factor(self.brightness), factor(self.contrast), factor(self.saturation), self.hue.range(0.0)]
    }
}

impl Step for ColorJitter {
    const NAME: &'static str = "color_jitter";

    fn read(arguments: &mut Arguments) -> Result<Self, Error> {
        Ok(Self {
            brightness: arguments.optional("brightness", OFF)?,
            contrast: arguments.optional("contrast", OFF)?,
            saturation: arguments.optional("saturation", OFF)?,
            hue: arguments.optional("hue", OFF)?,
        })
    }

    fn write(&self, writer: &mut Writer) -> fmt::Result {
        writer.named("brightness", &self.brightness, &OFF)?;
        writer.named("contrast", &self.contrast, &OFF)?;
        writer.named("saturation", &self.saturation, &OFF)?;
        writer.named("hue", &self.hue, &OFF)
    }

    fn check(&self) -> Result<(), String> {
        let ranges = self.ranges();
        let named = [("brightness", self.brightness), ("contrast", self.contrast), ("saturation", self.saturation)];
        for ((name, spread), [min, _]) in named.into_iter().zip(ranges) {
            spread.check(name)?;
            if min < 0.0 {
                return Err(format!("the factors of `{name}` are not negative"));
            }
        }
        self.hue.check("hue")?;
        match self.hue.range(0.0) {
            [min, max] if min >= -0.5 && max <= 0.5 => Ok(()),
            _ => Err("`hue` is at most 0.5, half a turn of the colour wheel".into()),
        }
    }

    fn shape(&self, input: [usize; 3]) -> Result<[usize; 3], String> {
        check_grey_or_rgb(input[0])?;
        Ok(input)
    }

    fn evaluation(&self) -> Vec<Transform> {
        Vec::new()
    }

    fn apply(&self, picture: &mut Picture, random: &mut Random, _: &mut Scratch) -> Result<(), Error> {
        let mut order = [0, 1, 2, 3];
        random.shuffle(&mut order);
        let ranges = self.ranges();
        let factors = ranges.map(|[min, max]| random.uniform(min, max));
        for index in order {
            let (range, factor) = (ranges[index], factors[index]);
            // A change that is off must neither round nor clamp.
            match index {
                0 if range != [1.0; 2] => brightness(picture, factor),
                1 if range != [1.0; 2] => contrast(picture, factor),
                2 if range != [1.0; 2] => saturation(picture, factor),
                3 if range != [0.0; 2] => hue(picture, factor),
                _ => {}
            }
        }
        Ok(())
    }
}

fn brightness(picture: &mut Picture, factor: f32) {
    picture.values.iter_mut().for_each(|value| *value = blend(*value, 0.0, factor));
}

fn contrast(picture: &mut Picture, factor: f32) {
    let count = (picture.height * picture.width) as f64;
    // In f64, so that the mean of a large picture is exact enough whatever the order of the sum.
    let sum: f64 = match planes(picture) {
        Some([red, green, blue]) => {
            red.iter().zip(green).zip(blue).map(|((r, g), b)| f64::from(grey(*r, *g, *b))).sum()
        }
        None => picture.values.iter().map(|value| f64::from(*value)).sum(),
    };
    let mean = (sum / count) as f32;
    picture.values.iter_mut().for_each(|value| *value = blend(*value, mean, factor));
}

fn saturation(picture: &mut Picture, factor: f32) {
    let Some([red, green, blue]) = planes(picture) else { return };
    for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
        let grey = grey(*r, *g, *b);
        [*r, *g, *b] = [*r, *g, *b].map(|value| blend(value, grey, factor));
    }
}

fn hue(picture: &mut Picture, shift: f32) {
    let Some([red, green, blue]) = planes(picture) else { return };
    for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
        let [h, s, v] = to_hsv([*r, *g, *b]);
        [*r, *g, *b] = to_rgb([wrap(h + shift), s, v]);
    }
}

fn blend(value: f32, other: f32, factor: f32) -> f32 {
    (factor * value + (1.0 - factor) * other).clamp(0.0, 1.0)
}

/// Hue in turns, saturation and value of a colour (Alvy Ray Smith, "Color Gamut Transform Pairs", 1978).
fn to_hsv([r, g, b]: [f32; 3]) -> [f32; 3] {
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let chroma = max - min;
    if chroma == 0.0 {
        return [0.0, 0.0, max];
    }
    let sixths = if max == r {
        (g - b) / chroma
    } else if max == g {
        2.0 + (b - r) / chroma
    } else {
        4.0 + (r - g) / chroma
    };
    [wrap(sixths / 6.0), chroma / max, max]
}

/// A hue that is off by less than a turn; the same as a remainder, and several times as fast.
fn wrap(hue: f32) -> f32 {
    if hue < 0.0 {
        hue + 1.0
    } else if hue >= 1.0 {
        hue - 1.0
    } else {
        hue
    }
}

/// The inverse of [`to_hsv`].
fn to_rgb([h, s, v]: [f32; 3]) -> [f32; 3] {
    let sector = (h * 6.0) as i32;
    let part = h * 6.0 - sector as f32;
    let [p, q, t] =
        [v * (1.0 - s), v * (1.0 - s * part), v * (1.0 - s * (1.0 - part))].map(|value| value.clamp(0.0, 1.0));
    // A hue that rounded up to a whole turn is sector 6, which is 0 again.
    match sector % 6 {
        0 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}
