//! The accuracy of the shipped LeNet on the 10 000 test pictures of Fashion-MNIST.
//!
//! ```text
//! apt-get install dataset-fashion-mnist
//! cargo run --release -p cnn-tests --example eval_fashion_mnist [FOLDER]
//! ```

use cnn::Tensor;
use cnn_models::{LeNet, weights};
use flate2::read::GzDecoder;
use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const DEBIAN: &str = "/usr/share/datasets/fashion-mnist";
const BATCH: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or(PathBuf::from(DEBIAN), PathBuf::from);
    let images = read_idx(&folder.join("t10k-images-idx3-ubyte.gz"), 16)?;
    let labels = read_idx(&folder.join("t10k-labels-idx1-ubyte.gz"), 8)?;
    let mut model = LeNet::new(&weights::lenet()?)?;
    let mut right = 0;
    for (images, labels) in images.chunks(BATCH * 784).zip(labels.chunks(BATCH)) {
        let values = images.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
        let batch = Tensor::new(&[labels.len(), 1, 28, 28], values)?;
        let logits = model.run(&batch)?.logits;
        right +=
            labels.iter().enumerate().filter(|(i, label)| best(logits.example(*i)) == usize::from(**label)).count();
    }
    println!("{right} of {} right", labels.len());
    Ok(())
}

/// The data of a compressed IDX file, after a header of `header` bytes.
fn read_idx(path: &Path, header: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes)?;
    Ok(bytes.get(header..).ok_or("the file is too short")?.to_vec())
}

fn best(scores: &[f32]) -> usize {
    (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0)
}
