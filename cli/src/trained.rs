//! Weights with what `cnn train` has stored with them.

use crate::failure::Failure;
use cnn::Weights;
use cnn_data::transforms::Scratch;
use cnn_data::{Picture, Pipeline, Random, read_picture};
use cnn_train::{Checkpoint, Error, Evaluation};
use std::path::Path;

/// Weights, how pictures are prepared for them, and what their classes are called.
pub struct Trained {
    pub weights: Weights,
    /// None where the file does not say.
    pub transforms: Option<Pipeline>,
    /// Empty where the file does not say.
    pub classes: Vec<String>,
}

impl Trained {
    /// Reads `best.safetensors`, `last.safetensors`, or weights of anywhere else.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        match Checkpoint::open(path) {
            Ok(checkpoint) => {
                let transforms = Some(checkpoint.recipe().evaluation());
                let weights = checkpoint.weights().map_err(Failure::new)?;
                return Ok(Self { weights, transforms, classes: checkpoint.classes().to_vec() });
            }
            Err(error @ Error::Damaged { .. }) => return Err(Failure::new(error)),
            // Whether it has weights at all is seen below.
            Err(_) => {}
        }
        let weights = Weights::open(path)?;
        let Some(stored) = Evaluation::read(path).map_err(Failure::new)? else {
            return Ok(Self { weights, transforms: None, classes: Vec::new() });
        };
        let failure = |error| Failure::Message(format!("`{}`: {error}", path.display()));
        let transforms = Some(stored.transforms.parse().map_err(failure)?);
        Ok(Self { weights, transforms, classes: stored.classes })
    }
}

/// Prepares pictures of any size as stored transforms say.
pub struct Stored {
    transforms: Pipeline,
    /// Channels, height and width of what comes out.
    shape: [usize; 3],
    picture: Picture,
    scratch: Scratch,
}

impl Stored {
    /// For a network's input of this shape.
    pub fn new(transforms: Pipeline, shape: &[usize]) -> Result<Self, Failure> {
        let &[channels, height, width] = shape else {
            return Err(Failure::Message(
                "pictures have channels, rows and columns, and the model's input has not".into(),
            ));
        };
        let shape = [channels, height, width];
        Ok(Self { transforms, shape, picture: Picture::default(), scratch: Scratch::default() })
    }

    /// Appends a picture's values.
    pub fn read(&mut self, path: &Path, values: &mut Vec<f32>) -> Result<(), Failure> {
        read_picture(path, &mut self.picture).map_err(Failure::new)?;
        let steps = self.fit(self.picture.shape()).map_err(|problem| {
            Failure::Message(format!("`{}` cannot be prepared as the weights say: {problem}", path.display()))
        })?;
        // What evaluation keeps does nothing at random.
        let mut random = Random::of(0, 0, 0);
        steps.apply(&mut self.picture, &mut random, &mut self.scratch).map_err(Failure::new)?;
        values.extend_from_slice(&self.picture.values);
        Ok(())
    }

    /// The transforms, with what turns a photo into a picture as the data had them before: grey, or of the input's size.
    fn fit(&self, picture: [usize; 3]) -> Result<Pipeline, String> {
        let [channels, height, width] = self.shape;
        let colour = if channels == 1 { "grayscale" } else { "rgb" };
        let size = format!("resize([{height}, {width}])");
        let mut problem = String::new();
        for before in ["", colour, &size, &format!("{colour} -> {size}")] {
            let mut steps: Pipeline = before.parse().map_err(|error: cnn_data::Error| error.to_string())?;
            steps.0.extend(self.transforms.0.iter().cloned());
            match steps.shape(picture) {
                Ok(shape) if shape == self.shape => return Ok(steps),
                Ok(shape) => problem = format!("it becomes {shape:?}, and the input is {:?}", self.shape),
                Err(error) => problem = error.to_string(),
            }
        }
        Err(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_become_pictures_of_the_datas_kind() {
        for (transforms, shape, picture, expected) in [
            ("", [1, 28, 28], [1, 28, 28], ""),
            ("normalize(0.5, 0.5)", [3, 8, 8], [3, 8, 8], "normalize(0.5, 0.5)"),
            ("normalize([0.5], [0.5])", [1, 28, 28], [3, 28, 28], "grayscale -> normalize([0.5], [0.5])"),
            ("", [1, 28, 28], [3, 100, 50], "grayscale -> resize([28, 28])"),
            ("", [3, 28, 28], [3, 100, 50], "resize([28, 28])"),
            ("resize(8) -> center_crop(8)", [1, 8, 8], [3, 100, 50], "grayscale -> resize(8) -> center_crop(8)"),
            ("center_crop(8)", [3, 8, 8], [3, 100, 50], "center_crop(8)"),
        ] {
            let stored = Stored::new(transforms.parse().unwrap(), &shape).unwrap();
            let expected: Pipeline = expected.parse().unwrap();
            assert_eq!(stored.fit(picture).unwrap().to_string(), expected.to_string(), "{transforms} {picture:?}");
        }
        let stored = Stored::new("resize([4, 4])".parse().unwrap(), &[1, 8, 8]).unwrap();
        assert!(stored.fit([3, 9, 9]).unwrap_err().contains("[1, 4, 4]"));
    }
}
