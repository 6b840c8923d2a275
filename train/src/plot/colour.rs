//! Colours: those of the drawings of networks, and scales for values and classes.

use std::fmt;

/// A colour of red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(
    /// Red, from 0 to 255.
    pub u8,
    /// Green.
    pub u8,
    /// Blue.
    pub u8,
);

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

pub(super) const WHITE: Colour = Colour(0xff, 0xff, 0xff);
pub(super) const INK: Colour = Colour(0x2f, 0x35, 0x42);
pub(super) const SOFT_INK: Colour = Colour(0x69, 0x70, 0x7d);
pub(super) const FRAME: Colour = Colour(0xa9, 0xb1, 0xbf);
pub(super) const GRID: Colour = Colour(0xe8, 0xea, 0xef);
pub(super) const BLUE: Colour = CLASSES[0];
pub(super) const ORANGE: Colour = CLASSES[1];
/// What is not a number.
pub(super) const NOT_A_NUMBER: Colour = Colour(0xd6, 0x2c, 0x3a);

/// Colours that are told apart with most kinds of colour blindness where they are few, and by most people where they are
/// many.
const CLASSES: [Colour; 10] = [
    Colour(0x2f, 0x6d, 0xb5),
    Colour(0xe0, 0x7b, 0x1f),
    Colour(0x2e, 0x96, 0x62),
    Colour(0xc6, 0x3a, 0x4d),
    Colour(0x7d, 0x5b, 0xb8),
    Colour(0x8a, 0x5a, 0x44),
    Colour(0xd9, 0x70, 0xb5),
    Colour(0x59, 0x60, 0x6d),
    Colour(0xa8, 0xa2, 0x1f),
    Colour(0x2b, 0xae, 0xc4),
];

impl Colour {
    /// The colour of a class, a run or a line, of `count`: ten chosen ones, or `count` hues around the circle.
    pub fn of(index: usize, count: usize) -> Self {
        if count <= CLASSES.len() {
            return CLASSES[index % CLASSES.len()];
        }
        // Neighbours among the hues differ in lightness.
        let lightness = [0.38, 0.52, 0.66][index % 3];
        Self::hue(index as f64 / count as f64, lightness)
    }

    /// A strong colour of a hue from 0 to 1, and a lightness from 0 to 1.
    fn hue(hue: f64, lightness: f64) -> Self {
        let chroma = 0.65 * (1.0 - (2.0 * lightness - 1.0).abs());
        let part = |shift: f64| {
            let place = (6.0 * hue + shift).rem_euclid(6.0);
            let height = (2.0 - (place - 3.0).abs()).clamp(0.0, 1.0);
            (255.0 * (lightness + chroma * (0.5 - height))).round() as u8
        };
        Self(part(0.0), part(4.0), part(2.0))
    }

    /// A colour between this one and another, at a part from 0 to 1 of the way.
    pub(super) fn towards(self, other: Self, part: f64) -> Self {
        let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
        let mix = |a: u8, b: u8| (f64::from(a) + part * (f64::from(b) - f64::from(a))).round() as u8;
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// Whether dark letters have more contrast on it than white ones: by its luminance, as far as 2.2 is its gamma.
    pub(super) fn is_light(self) -> bool {
        let linear = |part: u8| (f64::from(part) / 255.0).powf(2.2);
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2) > 0.25
    }

    /// A grey from 0 (black) to 1 (white).
    pub(super) fn grey(part: f64) -> Self {
        Self(0, 0, 0).towards(WHITE, part)
    }
}
