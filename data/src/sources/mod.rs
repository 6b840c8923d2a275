//! Where pictures come from: files and memory.

mod arrays;
mod bytes;
mod cifar;
mod file;
mod folder;
mod idx;
mod mnist;

pub use arrays::Arrays;
pub use bytes::Bytes;
pub use cifar::{Cifar100Labels, cifar10, cifar100};
pub use folder::{BadPicture, Folder, FolderOptions, read_picture};
pub use idx::idx;
pub use mnist::{FASHION_MNIST_CLASSES, FASHION_MNIST_FOLDER, fashion_mnist, mnist};

/// Which part of a published dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is trained on.
    Train,
    /// What is held back for the test.
    Test,
}
