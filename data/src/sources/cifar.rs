//! The binary versions of CIFAR-10 and CIFAR-100: <https://www.cs.toronto.edu/~kriz/cifar.html>.

use super::Part;
use super::bytes::Bytes;
use super::file::{MAX_UNPACKED, Source};
use crate::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

const SHAPE: [usize; 3] = [3, 32, 32];
const PIXELS: usize = 3 * 32 * 32;
/// A file of names is this long at most.
const MAX_NAMES: u64 = 1 << 16;

const CIFAR10_CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Which of CIFAR-100's two labels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cifar100Labels {
    /// The 100 classes.
    #[default]
    Fine,
    /// The 20 superclasses.
    Coarse,
}

/// One dataset's files.
struct Format {
    name: &'static str,
    subfolder: &'static str,
    train: &'static [&'static str],
    test: &'static [&'static str],
    names: &'static str,
    classes: usize,
    /// Labels before each picture, and the one of them that counts.
    labels: usize,
    label: usize,
}

/// Reads CIFAR-10 (50 000 and 10 000 RGB pictures of 32×32) from `folder`: `data_batch_1.bin` to `data_batch_5.bin` for
/// training or `test_batch.bin`, there or in its `cifar-10-batches-bin`. The classes' names come from `batches.meta.txt`
/// where it is.
///
/// # Errors
///
/// [`Error::File`], which names the file, when it is not there, when its length is not that of whole pictures, or when a
/// label is no class; [`Error::Read`] when it cannot be read.
pub fn cifar10(folder: &Path, part: Part) -> Result<Bytes, Error> {
    let format = Format {
        name: "CIFAR-10",
        subfolder: "cifar-10-batches-bin",
        train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
        test: &["test_batch.bin"],
        names: "batches.meta.txt",
        classes: 10,
        labels: 1,
        label: 0,
    };
    format.read(folder, part, || CIFAR10_CLASSES.map(String::from).to_vec())
}

/// Reads CIFAR-100 (50 000 and 10 000 RGB pictures of 32×32) from `folder`: `train.bin` or `test.bin`, there or in its
/// `cifar-100-binary`. The classes' names come from `fine_label_names.txt` or `coarse_label_names.txt` where it is; else
/// they are their numbers.
///
/// # Errors
///
/// As [`cifar10`].
pub fn cifar100(folder: &Path, part: Part, labels: Cifar100Labels) -> Result<Bytes, Error> {
    let (names, classes, label) = match labels {
        Cifar100Labels::Coarse => ("coarse_label_names.txt", 20, 0),
        Cifar100Labels::Fine => ("fine_label_names.txt", 100, 1),
    };
    let format = Format {
        name: "CIFAR-100",
        subfolder: "cifar-100-binary",
        train: &["train.bin"],
        test: &["test.bin"],
        names,
        classes,
        labels: 2,
        label,
    };
    format.read(folder, part, || (0..classes).map(|class| class.to_string()).collect())
}

impl Format {
    fn read(&self, folder: &Path, part: Part, built_in: impl Fn() -> Vec<String>) -> Result<Bytes, Error> {
        let files = match part {
            Part::Train => self.train,
            Part::Test => self.test,
        };
        let folder = self.find(folder, files)?;
        let classes = self.read_names(&folder.join(self.names))?.unwrap_or_else(built_in);
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        for name in files {
            self.append(&folder.join(name), &mut values, &mut labels)?;
        }
        Bytes::new(SHAPE, values, labels, classes)
    }

    /// The folder that has the first of the files.
    fn find(&self, folder: &Path, files: &[&str]) -> Result<PathBuf, Error> {
        let folders = [folder.to_owned(), folder.join(self.subfolder)];
        let first = files.first().copied().unwrap_or_default();
        folders.into_iter().find(|folder| folder.join(first).is_file()).ok_or_else(|| {
            let remedy = format!("unpack the binary version of {} and name its folder", self.name);
            Error::file(folder, format!("there is no `{first}`, nor in `{}`", self.subfolder), remedy)
        })
    }

    fn append(&self, path: &Path, values: &mut Vec<u8>, labels: &mut Vec<u8>) -> Result<(), Error> {
        let cannot = |source| Error::Read { path: path.to_owned(), source };
        let wrong =
            |problem: String| Error::file(path, problem, format!("fetch the binary version of {} again", self.name));
        let record = self.labels + PIXELS;
        let mut source = Source::open(path)?;
        let bytes = source.take(u64::MAX).map_err(cannot)?;
        if !source.is_at_end().map_err(cannot)? {
            return Err(wrong(format!("it has more than {MAX_UNPACKED} bytes")));
        }
        if bytes.is_empty() || bytes.len() % record != 0 {
            let problem = format!("its {} bytes are not whole pictures of {record} bytes each", bytes.len());
            return Err(wrong(problem));
        }
        let count = bytes.len() / record;
        values.try_reserve(count * PIXELS).map_err(|_| cannot(std::io::ErrorKind::OutOfMemory.into()))?;
        for (index, record) in bytes.chunks_exact(record).enumerate() {
            let (record_labels, pixels) = record.split_at(self.labels);
            let label = record_labels[self.label];
            if usize::from(label) >= self.classes {
                let classes = self.classes;
                let problem = format!("the label of picture {index} is {label}, and there are {classes} classes");
                return Err(wrong(problem));
            }
            labels.push(label);
            values.extend_from_slice(pixels);
        }
        Ok(())
    }

    /// The names in a file, one a line; `None` when there is no such file.
    fn read_names(&self, path: &Path) -> Result<Option<Vec<String>>, Error> {
        match fs::metadata(path) {
            Err(_) => return Ok(None),
            Ok(metadata) if metadata.len() > MAX_NAMES => {
                return Err(Error::file(path, "it is too long for a list of names", "remove it or fetch it again"));
            }
            Ok(_) => {}
        }
        let text = fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let names: Vec<String> =
            text.lines().map(str::trim).filter(|name| !name.is_empty()).map(String::from).collect();
        if names.len() == self.classes {
            return Ok(Some(names));
        }
        let problem = format!("it has {} names, and {} has {} classes", names.len(), self.name, self.classes);
        Err(Error::file(path, problem, "remove it or fetch it again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dataset, Picture};

    /// A file of pictures: each has its labels and is filled with one byte.
    fn batch(pictures: &[(&[u8], u8)]) -> Vec<u8> {
        pictures.iter().flat_map(|(labels, byte)| [labels, &[*byte; PIXELS][..]].concat()).collect()
    }

    fn cifar10_folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..=5u8 {
            let bytes = batch(&[(&[number], number), (&[0], 0)]);
            fs::write(folder.path().join(format!("data_batch_{number}.bin")), bytes).unwrap();
        }
        folder
    }

    #[test]
    fn the_five_files_are_one_dataset() {
        let folder = cifar10_folder();
        let data = cifar10(folder.path(), Part::Train).unwrap();
        assert_eq!((data.len(), data.shape()), (10, Some([3, 32, 32])));
        let mut picture = Picture::default();
        assert_eq!(data.read(8, &mut picture).unwrap(), 5);
        assert_eq!(picture.values, [5.0 / 255.0; PIXELS]);
        assert_eq!(data.classes()[9], "truck");
        fs::write(folder.path().join("batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n").unwrap();
        assert_eq!(cifar10(folder.path(), Part::Train).unwrap().classes()[9], "j");
    }

    #[test]
    fn either_label_of_the_hundred_classes() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("cifar-100-binary");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("test.bin"), batch(&[(&[19, 99], 7)])).unwrap();
        for (labels, label, classes) in [(Cifar100Labels::Fine, 99, 100), (Cifar100Labels::Coarse, 19, 20)] {
            let data = cifar100(folder.path(), Part::Test, labels).unwrap();
            assert_eq!((data.label(0).unwrap(), data.classes().len()), (label, classes));
            assert_eq!(data.classes()[label], label.to_string());
        }
        let names: String = (0..100).map(|class| format!("class {class}\n")).collect();
        fs::write(inner.join("fine_label_names.txt"), names).unwrap();
        let data = cifar100(folder.path(), Part::Test, Cifar100Labels::Fine).unwrap();
        assert_eq!(data.classes()[99], "class 99");
    }

    #[test]
    fn a_bad_file_is_named_with_its_fault() {
        let cases: &[(&str, Option<Vec<u8>>, &str)] = &[
            ("data_batch_1.bin", None, "there is no `data_batch_1.bin`, nor in `cifar-10-batches-bin`; unpack"),
            ("data_batch_4.bin", None, "data_batch_4.bin"),
            ("data_batch_3.bin", Some(vec![]), "data_batch_3.bin: its 0 bytes are not whole pictures of 3073 bytes"),
            ("data_batch_3.bin", Some(vec![0; 3074]), "its 3074 bytes are not whole pictures"),
            ("data_batch_5.bin", Some(batch(&[(&[10], 0)])), "the label of picture 0 is 10, and there are 10 classes"),
            ("batches.meta.txt", Some(b"one\ntwo\n".to_vec()), "it has 2 names, and CIFAR-10 has 10 classes"),
            ("batches.meta.txt", Some(vec![b'\n'; 70_000]), "too long for a list of names"),
        ];
        for (name, bytes, message) in cases {
            let folder = cifar10_folder();
            let path = folder.path().join(name);
            match bytes {
                Some(bytes) => fs::write(path, bytes).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
            let error = cifar10(folder.path(), Part::Train).unwrap_err().to_string();
            assert!(error.contains(message), "{message}: {error}");
        }
    }
}
