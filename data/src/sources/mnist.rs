//! MNIST and Fashion-MNIST.

use super::Part;
use super::bytes::Bytes;
use super::idx::idx;
use crate::error::Error;
use std::path::{Path, PathBuf};

/// Where the Debian package `dataset-fashion-mnist` puts its files.
pub const FASHION_MNIST_FOLDER: &str = "/usr/share/datasets/fashion-mnist";

/// The ten classes of Fashion-MNIST, in the order of the labels.
pub const FASHION_MNIST_CLASSES: [&str; 10] =
    ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

/// Reads Fashion-MNIST (60 000 and 10 000 grey pictures of 28×28 clothes; Zalando SE, MIT licence) from `folder`, or from
/// the Debian package when there is none.
///
/// # Errors
///
/// [`Error::File`] with the command that installs the data when it is not there, and the errors of [`idx`].
pub fn fashion_mnist(folder: Option<&Path>, part: Part) -> Result<Bytes, Error> {
    let remedy = "install it with `apt-get install dataset-fashion-mnist`, or name the folder with its four files";
    let folder = folder.unwrap_or(Path::new(FASHION_MNIST_FOLDER));
    read(folder, part, FASHION_MNIST_CLASSES.map(String::from).to_vec(), "Fashion-MNIST", remedy)
}

/// Reads MNIST (60 000 and 10 000 grey pictures of 28×28 digits) from `folder`, which holds its four files, compressed or
/// not.
///
/// # Errors
///
/// [`Error::File`] with a command that gets them when the files are not there, and the errors of [`idx`].
pub fn mnist(folder: &Path, part: Part) -> Result<Bytes, Error> {
    let remedy = "name the folder with its four files; `python3 -c \"from torchvision.datasets import MNIST; \
                  MNIST('mnist', download=True)\"` puts them in mnist/MNIST/raw";
    read(folder, part, (0..10).map(|digit| digit.to_string()).collect(), "MNIST", remedy)
}

fn read(folder: &Path, part: Part, classes: Vec<String>, name: &str, remedy: &str) -> Result<Bytes, Error> {
    let prefix = match part {
        Part::Train => "train",
        Part::Test => "t10k",
    };
    let find = |what: &str| {
        find(folder, &format!("{prefix}-{what}")).ok_or_else(|| {
            let problem = format!("there is no `{prefix}-{what}-ubyte` or `{prefix}-{what}-ubyte.gz` of {name}");
            Error::file(folder, problem, remedy)
        })
    };
    idx(&find("images-idx3")?, &find("labels-idx1")?, classes)
}

/// The file of this stem, in the spellings that are about: `train-images-idx3-ubyte`, `train-images.idx3-ubyte`.
fn find(folder: &Path, stem: &str) -> Option<PathBuf> {
    let dotted = stem.replace("-idx", ".idx");
    let names = [stem, &dotted].map(|stem| [format!("{stem}-ubyte"), format!("{stem}-ubyte.gz")]);
    names.as_flattened().iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::super::idx::tests::{file, gzip};
    use super::*;
    use crate::Dataset;
    use std::fs;

    #[test]
    fn every_spelling_is_found() {
        let (images, labels) = (file(&[2, 1, 1], &[0, 255]), file(&[2], &[9, 0]));
        for (image_name, label_name, part) in [
            ("train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz", Part::Train),
            ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte", Part::Test),
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(image_name), &images).unwrap();
            let labels = if label_name.ends_with("gz") { gzip(&labels) } else { labels.clone() };
            fs::write(folder.path().join(label_name), labels).unwrap();
            let data = fashion_mnist(Some(folder.path()), part).unwrap();
            assert_eq!(data.classes()[data.label(0).unwrap()], "ankle boot");
            assert_eq!(mnist(folder.path(), part).unwrap().classes()[9], "9");
        }
    }

    #[test]
    fn what_is_not_there_comes_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = fashion_mnist(Some(folder.path()), Part::Train).unwrap_err().to_string();
        assert!(error.contains("no `train-images-idx3-ubyte`") && error.contains("apt-get install"), "{error}");
        fs::write(folder.path().join("t10k-images-idx3-ubyte"), file(&[0, 1, 1], &[])).unwrap();
        let error = mnist(folder.path(), Part::Test).unwrap_err().to_string();
        assert!(error.contains("no `t10k-labels-idx1-ubyte`") && error.contains("download=True"), "{error}");
    }

    /// The published test set, where the Debian package is installed.
    #[test]
    fn the_debian_package_is_read() {
        if !Path::new(FASHION_MNIST_FOLDER).is_dir() {
            println!("skipped: dataset-fashion-mnist is not installed");
            return;
        }
        let data = fashion_mnist(None, Part::Test).unwrap();
        assert_eq!((data.len(), data.shape()), (10_000, Some([1, 28, 28])));
        let mut counts = [0; 10];
        (0..data.len()).for_each(|index| counts[data.label(index).unwrap()] += 1);
        assert_eq!(counts, [1000; 10]);
    }
}
