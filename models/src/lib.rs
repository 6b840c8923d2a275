//! The networks that ship with cnn: each as a Rust type, as its `.cnn` text, and with weights where there are some.
//!
//! ```
//! # fn main() -> Result<(), cnn::Error> {
//! let mut model = cnn_models::LeNet::new(&cnn_models::weights::lenet()?)?;
//! let pictures = cnn_models::fashion_mnist::pictures();
//! let batch = cnn::Tensor::new(&[1, 1, 28, 28], pictures[0].to_floats())?;
//! let scores = model.run(&batch)?.logits;
//! let best = (0..10).max_by(|&a, &b| scores.data()[a].total_cmp(&scores.data()[b]));
//! assert_eq!(best, Some(pictures[0].label));
//! # Ok(())
//! # }
//! ```

cnn::include_model!("lenet");

pub mod fashion_mnist;
pub mod sources;
pub mod weights;
