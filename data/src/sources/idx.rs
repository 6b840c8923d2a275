//! The IDX format, as MNIST's files have it: <http://yann.lecun.com/exdb/mnist/>.

use super::bytes::Bytes;
use super::file::{MAX_UNPACKED, Source};
use crate::error::Error;
use crate::picture::{MAX_PIXELS, MAX_SIDE};
use std::path::Path;

const REMEDY: &str = "fetch the file again, or name the right one";

/// Reads pictures and labels from a pair of IDX files, compressed by gzip or not.
///
/// The pictures are unsigned bytes in three dimensions (number, rows, columns) and become grey pictures; the labels are
/// unsigned bytes in one. `classes` are the classes' names in the order of the labels.
///
/// # Errors
///
/// [`Error::Read`] when a file cannot be read; [`Error::File`], which names the file, when it is no IDX file, has another
/// number of dimensions or another length than it says, or when a label is no class. Nothing is allocated on a header's
/// word: its sizes are held against the file's.
pub fn idx(images: &Path, labels: &Path, classes: Vec<String>) -> Result<Bytes, Error> {
    let ([count, height, width], values) = read::<3>(images, "pictures")?;
    let ([label_count], label_values) = read::<1>(labels, "labels")?;
    if count == 0 {
        return Err(Error::file(images, "it has no pictures", REMEDY));
    }
    if height == 0 || width == 0 || height > MAX_SIDE || width > MAX_SIDE || height * width > MAX_PIXELS {
        let problem = format!("its pictures have {height} rows and {width} columns");
        return Err(Error::file(images, problem, format!("sides are from 1 to {MAX_SIDE} pixels; {REMEDY}")));
    }
    if count != label_count {
        let problem = format!("it has {label_count} labels, and {} has {count} pictures", images.display());
        return Err(Error::file(labels, problem, "name two files of the same part of a dataset"));
    }
    if let Some(at) = label_values.iter().position(|&label| usize::from(label) >= classes.len()) {
        let problem = format!(
            "the label of example {at} is {}, and there are {} classes, counted from 0",
            label_values[at],
            classes.len()
        );
        return Err(Error::file(labels, problem, "name the file that belongs to these classes"));
    }
    Bytes::new([1, height, width], values, label_values, classes)
}

/// The sizes and the data of an IDX file of bytes in `D` dimensions.
fn read<const D: usize>(path: &Path, what: &str) -> Result<([usize; D], Vec<u8>), Error> {
    let cannot = |source| Error::Read { path: path.to_owned(), source };
    let wrong = |problem: String| Error::file(path, problem, REMEDY);
    let mut source = Source::open(path)?;
    let header = source.take(4 + 4 * D as u64).map_err(cannot)?;
    let &[a, b, kind, dimensions, ref sizes @ ..] = &header[..] else {
        return Err(wrong(format!("it ends after {} bytes, within the header", header.len())));
    };
    if [a, b] != [0, 0] {
        return Err(wrong(format!("it is no IDX file: it begins with the bytes {a:02x} {b:02x}, not with 00 00")));
    }
    if kind != 8 {
        return Err(wrong(format!("its values are {}, and {what} are unsigned bytes (08)", type_name(kind))));
    }
    if usize::from(dimensions) != D {
        return Err(wrong(format!("it has {dimensions} dimensions, and {what} have {D}")));
    }
    if sizes.len() < 4 * D {
        return Err(wrong(format!("it ends after {} bytes, within the header", header.len())));
    }
    let mut shape = [0; D];
    let mut expected = 1u64;
    for (size, bytes) in shape.iter_mut().zip(sizes.chunks_exact(4)) {
        let value = bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        expected = expected.saturating_mul(value);
        *size = value as usize;
    }
    let header = header.len() as u64;
    if !source.can_hold(expected.saturating_add(header)) {
        let limit = if source.packed && expected > MAX_UNPACKED {
            format!("; a compressed file may hold {MAX_UNPACKED} bytes")
        } else {
            String::new()
        };
        return Err(wrong(format!("it is too short: its header says {}{limit}", text(&shape))));
    }
    let values = source.take(expected).map_err(cannot)?;
    if values.len() as u64 != expected {
        let problem = format!("it is too short: its header says {}, and {} bytes follow", text(&shape), values.len());
        return Err(wrong(problem));
    }
    if !source.is_at_end().map_err(cannot)? {
        return Err(wrong(format!("it is too long: its header says {}, and more bytes follow", text(&shape))));
    }
    Ok((shape, values))
}

fn text(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ") + " bytes"
}

fn type_name(kind: u8) -> String {
    let name = match kind {
        0x09 => "signed bytes",
        0x0B => "16-bit integers",
        0x0C => "32-bit integers",
        0x0D => "32-bit floats",
        0x0E => "64-bit floats",
        _ => "of an unknown type",
    };
    format!("{name} ({kind:02x})")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Dataset, Picture};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::fs;
    use std::io::Write;

    /// An IDX file of bytes: its dimensions and data.
    pub(crate) fn file(sizes: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, sizes.len() as u8];
        sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn open(images: &[u8], labels: &[u8]) -> Result<Bytes, String> {
        let folder = tempfile::tempdir().unwrap();
        let (i, l) = (folder.path().join("images"), folder.path().join("labels"));
        fs::write(&i, images).unwrap();
        fs::write(&l, labels).unwrap();
        idx(&i, &l, vec!["a".into(), "b".into(), "c".into()]).map_err(|error| error.to_string())
    }

    #[test]
    fn files_are_read_compressed_or_not() {
        let (images, labels) = (file(&[2, 1, 2], &[0, 51, 102, 255]), file(&[2], &[2, 0]));
        for (images, labels) in [(images.clone(), labels.clone()), (gzip(&images), gzip(&labels))] {
            let data = open(&images, &labels).unwrap();
            assert_eq!((data.len(), data.shape()), (2, Some([1, 1, 2])));
            let mut picture = Picture::default();
            assert_eq!(data.read(0, &mut picture).unwrap(), 2);
            assert_eq!(picture.values, [0.0, 0.2]);
        }
    }

    #[test]
    fn a_file_that_is_none_is_named_with_its_fault() {
        let (images, labels) = (file(&[2, 1, 2], &[0; 4]), file(&[2], &[0; 2]));
        let changed = |at: usize, byte: u8| {
            let mut bytes = images.clone();
            bytes[at] = byte;
            bytes
        };
        let cases: &[(Vec<u8>, Vec<u8>, &str)] = &[
            (vec![], labels.clone(), "images: it ends after 0 bytes, within the header"),
            (images[..7].to_vec(), labels.clone(), "images: it ends after 7 bytes, within the header"),
            (changed(0, 0x89), labels.clone(), "images: it is no IDX file: it begins with the bytes 89 00"),
            (changed(2, 0x0D), labels.clone(), "its values are 32-bit floats (0d), and pictures are unsigned bytes"),
            (changed(2, 0x07), labels.clone(), "of an unknown type (07)"),
            (labels.clone(), labels.clone(), "images: it has 1 dimensions, and pictures have 3"),
            (images.clone(), images.clone(), "labels: it has 3 dimensions, and labels have 1"),
            (images[..19].to_vec(), labels.clone(), "images: it is too short: its header says 2 × 1 × 2 bytes"),
            (
                gzip(&images[..19]),
                labels.clone(),
                "it is too short: its header says 2 × 1 × 2 bytes, and 3 bytes follow",
            ),
            ([&images[..], &[0]].concat(), labels.clone(), "images: it is too long: its header says 2 × 1 × 2 bytes"),
            (gzip(&[&images[..], &[0]].concat()), labels.clone(), "images: it is too long"),
            (gzip(&images)[..30].to_vec(), labels.clone(), "cannot read "),
            (images.clone(), file(&[3], &[0; 3]), "labels: it has 3 labels, and "),
            (images.clone(), file(&[2], &[0, 3]), "the label of example 1 is 3, and there are 3 classes"),
            (file(&[2, 0, 2], &[]), labels.clone(), "images: its pictures have 0 rows and 2 columns"),
            (file(&[0, 28, 28], &[]), file(&[0], &[]), "images: it has no pictures; fetch the file again"),
            (file(&[0, 28, 28], &[]), labels.clone(), "images: it has no pictures"),
        ];
        for (images, labels, message) in cases {
            let error = open(images, labels).unwrap_err();
            assert!(error.contains(message), "{message}: {error}");
        }
    }

    /// Headers that promise gigabytes; the test would be killed if they were believed.
    #[test]
    fn a_header_allocates_nothing() {
        let huge = file(&[u32::MAX; 3], &[0; 4]);
        let large = file(&[60_000, 1000, 1000], &[0; 4]);
        for (images, message) in [
            (huge.clone(), "too short: its header says 4294967295 × 4294967295 × 4294967295 bytes"),
            (gzip(&huge), "a compressed file may hold 1073741824 bytes"),
            (large.clone(), "too short"),
            (gzip(&large), "a compressed file may hold"),
            (gzip(&file(&[1, 1000, 900], &[0; 4])), "too short"),
        ] {
            let error = open(&images, &file(&[0], &[])).unwrap_err();
            assert!(error.contains(message), "{message}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("nothing");
        assert!(matches!(idx(&missing, &missing, vec![]), Err(Error::Read { path, .. }) if path == missing));
        assert!(idx(folder.path(), &missing, vec![]).unwrap_err().to_string().contains("it is no file"));
    }
}
