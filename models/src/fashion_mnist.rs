//! The first 256 pictures of the Fashion-MNIST test set (MIT, Zalando SE; see `models/data/README.md`).

use safetensors::SafeTensors;
use std::sync::OnceLock;

/// The ten classes, in the order of the labels.
pub const CLASSES: [&str; 10] =
    ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

const FILE: &[u8] = include_bytes!("../data/fashion_mnist_256.safetensors");

/// A picture of 28×28 grey pixels.
#[derive(Debug, Clone, Copy)]
pub struct Picture {
    /// The pixels, row by row, 0 black to 255 white.
    pub pixels: &'static [u8],
    /// The class: an index into [`CLASSES`].
    pub label: usize,
}

impl Picture {
    /// Width and height in pixels.
    pub const SIZE: usize = 28;

    /// The pixels from 0 to 1, as LeNet was trained on them.
    pub fn to_floats(&self) -> Vec<f32> {
        self.pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect()
    }
}

/// The 256 pictures.
pub fn pictures() -> &'static [Picture] {
    static PICTURES: OnceLock<Vec<Picture>> = OnceLock::new();
    PICTURES.get_or_init(|| read(FILE).unwrap_or_default())
}

fn read(file: &'static [u8]) -> Result<Vec<Picture>, safetensors::SafeTensorError> {
    let tensors = SafeTensors::deserialize(file)?;
    let (images, labels) = (tensors.tensor("images")?.data(), tensors.tensor("labels")?.data());
    let pictures = images.chunks_exact(Picture::SIZE * Picture::SIZE).zip(labels);
    Ok(pictures.map(|(pixels, &label)| Picture { pixels, label: usize::from(label) }).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_file_holds_256_pictures_of_ten_classes() {
        let pictures = super::pictures();
        assert_eq!(pictures.len(), 256);
        assert!(pictures.iter().all(|picture| picture.label < super::CLASSES.len()));
    }
}
