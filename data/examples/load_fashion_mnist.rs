//! How long it takes to open the training pictures of Fashion-MNIST and to load all 60 000 of them.
//!
//! ```text
//! apt-get install dataset-fashion-mnist
//! cargo run --release -p cnn-data --example load_fashion_mnist [TRANSFORMS]
//! ```

use cnn_data::{Batch, Loader, LoaderOptions, Part, Pipeline, fashion_mnist};
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

const EPOCHS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let pipeline: Pipeline = std::env::args().nth(1).unwrap_or_default().parse()?;
    let start = Instant::now();
    let data = Arc::new(fashion_mnist(None, Part::Train)?);
    println!("open: {:.3} s", start.elapsed().as_secs_f64());
    for workers in [0, 1, 2] {
        let options =
            LoaderOptions { batch_size: 256, shuffle: true, workers, epochs: EPOCHS, ..LoaderOptions::default() };
        let mut loader = Loader::new(data.clone(), pipeline.clone(), options)?;
        let (mut batch, mut best, mut start) = (Batch::default(), f64::INFINITY, Instant::now());
        while loader.load(&mut batch)? {
            if batch.next.epoch != batch.epoch {
                best = best.min(start.elapsed().as_secs_f64());
                start = Instant::now();
            }
        }
        println!("workers {workers}: {best:.3} s an epoch (best of {EPOCHS})");
    }
    Ok(())
}
