//! Pictures as a network's input.

use crate::args::{Fit, PictureArgs};
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
    /// The share of the shorter side that cropping keeps.
    pub keep: f64,
    /// Whether black and white are swapped.
    pub invert: bool,
    /// What the values from 0 to 255 are divided by.
    pub scale: f32,
    /// Then subtracted from each channel.
    pub mean: Vec<f32>,
    /// Then each channel is divided by it.
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
    pub fn new(shape: &[usize], args: &PictureArgs) -> Result<Self, Failure> {
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
        let PictureArgs { fit, keep, invert, scale, .. } = *args;
        let (mean, std) = (per_channel("mean", &args.mean)?, per_channel("std", &args.std)?);
        if std.iter().any(|&value| !value.is_normal() || value < 0.0) || mean.iter().any(|value| !value.is_finite()) {
            return Err(Failure::Message("`--std` takes positive numbers and `--mean` finite ones".into()));
        }
        if !(scale.is_normal() && scale > 0.0) {
            return Err(Failure::Message("`--scale` takes a positive number".into()));
        }
        // A mean outside of what the values can be is meant for the other scale.
        if let Some(mean) = mean.iter().find(|mean| **mean > 255.0 / scale) {
            let text = format!("`--mean {mean}` is more than white, which is {}: add `--scale 1`?", 255.0 / scale);
            return Err(Failure::Message(text));
        }
        if !(keep > 0.0 && keep <= 1.0) {
            return Err(Failure::Message("`--keep` takes a share: more than 0, at most 1".into()));
        }
        if keep < 1.0 && fit != Fit::Crop {
            return Err(Failure::Message("`--keep` goes with `--fit crop`".into()));
        }
        Ok(Self { shape: [channels, height, width], fit, keep, invert, scale, mean, std })
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
            e => error(e.to_string().split_whitespace().collect::<Vec<_>>().join(" ")),
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
            (value / self.scale - self.mean[channel]) / self.std[channel]
        };
        for index in 0..channels {
            values.extend(picture.pixels().map(|pixel| channel(pixel, index)));
        }
        Ok(())
    }

    /// Scales with a triangle filter over all source pixels, as Pillow's `BILINEAR` does.
    fn resize(&self, picture: RgbImage, width: u32, height: u32) -> RgbImage {
        if picture.dimensions() == (width, height) && self.keep == 1.0 {
            return picture;
        }
        match self.fit {
            Fit::Stretch => imageops::resize(&picture, width, height, FilterType::Triangle),
            Fit::Crop => {
                let scale = 1.0 / self.keep
                    * (f64::from(width) / f64::from(picture.width()))
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

    fn args() -> PictureArgs {
        PictureArgs { fit: Fit::Crop, keep: 1.0, invert: false, scale: 255.0, mean: vec![0.0], std: vec![1.0] }
    }

    fn prepare(shape: &[usize], args: PictureArgs, picture: &RgbImage) -> Vec<f32> {
        let preparation = Preparation::new(shape, &args).unwrap();
        let mut values = Vec::new();
        preparation.append(picture.clone(), &mut values).unwrap();
        values
    }

    #[test]
    fn colours_become_channels_or_grey() {
        let picture = RgbImage::from_pixel(1, 1, image::Rgb([255, 0, 51]));
        assert_eq!(prepare(&[3, 1, 1], args(), &picture), [1.0, 0.0, 0.2]);
        let grey = prepare(&[1, 1, 1], args(), &picture)[0];
        assert!((grey - (0.299 + 0.114 * 0.2)).abs() < 1e-6);
    }

    #[test]
    fn values_are_scaled_then_normalised() {
        let picture = RgbImage::from_pixel(1, 1, image::Rgb([255, 0, 51]));
        let bytes = PictureArgs { scale: 1.0, mean: vec![127.0], std: vec![128.0], ..args() };
        assert_eq!(prepare(&[3, 1, 1], bytes, &picture), [1.0, -127.0 / 128.0, -76.0 / 128.0]);
        let channels = PictureArgs { mean: vec![0.5, 0.0, 0.2], std: vec![0.5, 1.0, 2.0], ..args() };
        assert_eq!(prepare(&[3, 1, 1], channels, &picture), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn cropping_keeps_the_centre() {
        let mut picture = RgbImage::new(4, 2);
        picture.put_pixel(1, 0, image::Rgb([255; 3]));
        assert_eq!(prepare(&[1, 2, 2], args(), &picture), [1.0, 0.0, 0.0, 0.0]);
        let mut square = RgbImage::new(4, 4);
        square.put_pixel(2, 1, image::Rgb([255; 3]));
        assert_eq!(prepare(&[1, 2, 2], PictureArgs { keep: 0.5, ..args() }, &square), [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn numbers_must_make_sense() {
        let refused = |shape: &[usize], args: PictureArgs| match Preparation::new(shape, &args) {
            Err(Failure::Message(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(refused(&[3, 8, 8], PictureArgs { mean: vec![0.5; 2], ..args() }).contains("`--mean` has 2 numbers"));
        assert!(refused(&[3, 8, 8], PictureArgs { std: vec![0.0], ..args() }).contains("positive"));
        assert!(refused(&[3, 8, 8], PictureArgs { mean: vec![127.0], ..args() }).contains("add `--scale 1`"));
        assert!(refused(&[3, 8, 8], PictureArgs { scale: 0.0, ..args() }).contains("`--scale`"));
        assert!(refused(&[3, 8, 8], PictureArgs { keep: 1.5, ..args() }).contains("at most 1"));
        assert!(refused(&[3, 8, 8], PictureArgs { keep: 0.5, fit: Fit::Stretch, ..args() }).contains("--fit crop"));
        assert!(refused(&[2, 8, 8], args()).contains("pictures have 1 channel"));
    }
}
