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

cnn::include_model!("alexnet");
cnn::include_model!("batch_norm_convnet");
cnn::include_model!("densenet");
cnn::include_model!("efficientnet_lite0");
cnn::include_model!("googlenet");
cnn::include_model!("group_norm_net");
cnn::include_model!("lenet");
cnn::include_model!("mnist_convnet");
cnn::include_model!("nin");
cnn::include_model!("resnet");
cnn::include_model!("resnet_flat");
cnn::include_model!("squeezenet");
cnn::include_model!("unet");
cnn::include_model!("vgg");

pub mod fashion_mnist;
pub mod sources;
pub mod weights;

/// Torchvision's networks, with the parameter names of their published weights.
pub mod torchvision {
    cnn::include_model!("torchvision/alexnet");
    cnn::include_model!("torchvision/densenet");
    cnn::include_model!("torchvision/googlenet");
    cnn::include_model!("torchvision/mobilenet_v2");
    cnn::include_model!("torchvision/resnet");
    cnn::include_model!("torchvision/vgg");
}
