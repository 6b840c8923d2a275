//! The accuracy of the shipped LeNet on the 10 000 test pictures of Fashion-MNIST.
//!
//! ```text
//! apt-get install dataset-fashion-mnist
//! cargo run --release -p cnn-tests --example eval_fashion_mnist [FOLDER]
//! ```

use cnn::Tensor;
use cnn_data::{Batch, Loader, LoaderOptions, Part, Pipeline, fashion_mnist};
use cnn_models::{LeNet, weights};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let data = fashion_mnist(folder.as_deref(), Part::Test)?;
    let options = LoaderOptions { batch_size: 100, ..LoaderOptions::default() };
    let mut loader = Loader::new(Arc::new(data), Pipeline::default(), options)?;
    let [channels, height, width] = loader.shape();
    let mut model = LeNet::new(&weights::lenet()?)?;
    let (mut batch, mut right, mut all) = (Batch::default(), 0, 0);
    while loader.load(&mut batch)? {
        let images = Tensor::new(&[batch.labels.len(), channels, height, width], batch.values.clone())?;
        let logits = model.run(&images)?.logits;
        right += batch.labels.iter().enumerate().filter(|(i, label)| best(logits.example(*i)) == **label).count();
        all += batch.labels.len();
    }
    println!("{right} of {all} right");
    Ok(())
}

fn best(scores: &[f32]) -> usize {
    (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0)
}
