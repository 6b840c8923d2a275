//! Pictures as a network's input.

use crate::args::Fit;
use crate::failure::Failure;
use image::imageops::{self, FilterType};
use image::{ImageFormat, ImageReader, Limits, RgbImage};
use std::collections::TryReserveError;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// How a picture becomes numbers.
#[derive(Debug)]
pub struct Preparation {
    /// Channels, height and width of the result; one channel is grey, three are RGB.
    pub shape: [usize; 3],
    /// How a picture of another format is made to fit.
    pub fit: Fit,
    /// Whether black and white are swapped.
    pub invert: bool,
    /// Subtracted from each channel, after division by 255.
    pub mean: Vec<f32>,
    /// Each channel is divided by it.
    pub std: Vec<f32>,
}

/// The largest side of a picture that is read: beyond it a small file could fill the memory.
const MAX_SIDE: u32 = 1 << 14;
/// The most memory that decoding may take, in bytes.
const MAX_MEMORY: u64 = 256 << 20;
/// The most pixels of a model's input.
const MAX_PIXELS: usize = 1 << 24;

impl Preparation {
    /// Checks that the shape and the numbers of channels go together.
    pub fn new(shape: &[usize], fit: Fit, invert: bool, mean: &[f32], std: &[f32]) -> Result<Self, Failure> {
        let &[channels @ (1 | 3), height, width] = shape else {
            return Err(Failure::Message(
                "pictures have 1 channel (grey) or 3 (RGB), rows and columns, and the model's input has not".into(),
            ));
        };
        if height.saturating_mul(width) > MAX_PIXELS {
            let text = format!("the model's input is {height}×{width}: pictures may have {MAX_PIXELS} pixels");
            return Err(Failure::Message(text));
        }
        let per_channel = |name: &str, values: &[f32]| match values.len() {
            1 => Ok(vec![values[0]; channels]),
            n if n == channels => Ok(values.to_vec()),
            n => Err(Failure::Message(format!(
                "`--{name}` has {n} numbers; the model's input has {channels} channel{}",
                if channels == 1 { "" } else { "s" }
            ))),
        };
        let (mean, std) = (per_channel("mean", mean)?, per_channel("std", std)?);
        if std.iter().any(|&value| !value.is_normal() || value < 0.0) || mean.iter().any(|value| !value.is_finite()) {
            return Err(Failure::Message("`--std` takes positive numbers and `--mean` finite ones".into()));
        }
        Ok(Self { shape: [channels, height, width], fit, invert, mean, std })
    }

    /// Reads a picture and appends its numbers, channel by channel, to `values`.
    pub fn read(&self, path: &Path, values: &mut Vec<f32>) -> Result<(), Failure> {
        let error = |reason: String| Failure::Message(format!("cannot read `{}`: {reason}", path.display()));
        let file = File::open(path).map_err(|e| error(e.to_string()))?;
        let mut reader =
            ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(|e| error(e.to_string()))?;
        if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
            return Err(error("it is neither a PNG nor a JPEG picture".into()));
        }
        let mut limits = Limits::default();
        limits.max_image_width = Some(MAX_SIDE);
        limits.max_image_height = Some(MAX_SIDE);
        limits.max_alloc = Some(MAX_MEMORY);
        reader.limits(limits);
        let picture = reader.decode().map_err(|e| match e {
            image::ImageError::Limits(_) => {
                error(format!("a side is longer than {MAX_SIDE} pixels, or it takes more than {} MB", MAX_MEMORY >> 20))
            }
            e => error(e.to_string()),
        })?;
        self.append(picture.into_rgb8(), values).map_err(|_| error("there is not enough memory".into()))
    }

    fn append(&self, picture: RgbImage, values: &mut Vec<f32>) -> Result<(), TryReserveError> {
        let [channels, height, width] = self.shape;
        values.try_reserve(channels * height * width)?;
        let picture = self.resize(picture, width as u32, height as u32);
        let channel = |pixel: &image::Rgb<u8>, channel: usize| -> f32 {
            let [r, g, b] = pixel.0.map(f32::from);
            // ITU-R BT.601, as Pillow's conversion to "L".
            let value = if channels == 1 { 0.299 * r + 0.587 * g + 0.114 * b } else { [r, g, b][channel] };
            let value = if self.invert { 255.0 - value } else { value };
            (value / 255.0 - self.mean[channel]) / self.std[channel]
        };
        for index in 0..channels {
            values.extend(picture.pixels().map(|pixel| channel(pixel, index)));
        }
        Ok(())
    }

    /// Scales with a triangle filter over all source pixels, as Pillow's `BILINEAR` does.
    fn resize(&self, picture: RgbImage, width: u32, height: u32) -> RgbImage {
        if picture.dimensions() == (width, height) {
            return picture;
        }
        match self.fit {
            Fit::Stretch => imageops::resize(&picture, width, height, FilterType::Triangle),
            Fit::Crop => {
                let scale = (f64::from(width) / f64::from(picture.width()))
                    .max(f64::from(height) / f64::from(picture.height()));
                // The part of the source that is shown, cut before it is scaled.
                let part = |shown: u32, whole: u32| ((f64::from(shown) / scale).round() as u32).clamp(1, whole);
                let (w, h) = (part(width, picture.width()), part(height, picture.height()));
                let (x, y) = ((picture.width() - w) / 2, (picture.height() - h) / 2);
                let part = imageops::crop_imm(&picture, x, y, w, h).to_image();
                imageops::resize(&part, width, height, FilterType::Triangle)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepare(shape: &[usize], fit: Fit, picture: &RgbImage) -> Vec<f32> {
        let preparation = Preparation::new(shape, fit, false, &[0.0], &[1.0]).unwrap();
        let mut values = Vec::new();
        preparation.append(picture.clone(), &mut values).unwrap();
        values
    }

    #[test]
    fn colours_become_channels_or_grey() {
        let picture = RgbImage::from_pixel(1, 1, image::Rgb([255, 0, 51]));
        assert_eq!(prepare(&[3, 1, 1], Fit::Stretch, &picture), [1.0, 0.0, 0.2]);
        let grey = prepare(&[1, 1, 1], Fit::Stretch, &picture)[0];
        assert!((grey - (0.299 + 0.114 * 0.2)).abs() < 1e-6);
    }

    #[test]
    fn cropping_keeps_the_centre() {
        let mut picture = RgbImage::new(4, 2);
        picture.put_pixel(1, 0, image::Rgb([255; 3]));
        assert_eq!(prepare(&[1, 2, 2], Fit::Crop, &picture), [1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn numbers_per_channel_must_match() {
        assert!(Preparation::new(&[3, 8, 8], Fit::Crop, false, &[0.5; 2], &[1.0]).is_err());
        assert!(Preparation::new(&[3, 8, 8], Fit::Crop, false, &[0.5; 3], &[0.0]).is_err());
        assert!(Preparation::new(&[2, 8, 8], Fit::Crop, false, &[0.5], &[1.0]).is_err());
    }
}
