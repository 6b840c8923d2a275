//! Pictures in folders: one folder for each class.

use crate::dataset::Dataset;
use crate::error::Error;
use crate::picture::{MAX_PIXELS, MAX_SIDE, Picture};
use image::{DynamicImage, ImageError, ImageFormat, ImageReader, Limits};
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::thread;

/// The most memory that decoding one picture may take, in bytes.
const MAX_MEMORY: u64 = 256 << 20;

/// How a folder is read.
#[derive(Debug, Clone, Default)]
pub struct FolderOptions {
    /// Whether bad pictures are left out and listed; otherwise the first one is an error. To find them all, every picture
    /// is decoded once when the folder is opened.
    pub skip_bad: bool,
}

/// A picture that was left out.
#[derive(Debug)]
pub struct BadPicture {
    /// Its file.
    pub path: PathBuf,
    /// Why.
    pub error: Error,
}

/// Pictures in folders, one folder for each class: `FOLDER/CLASS/NAME.png`.
///
/// The classes are the folders' names and the examples are the files, both in the order of their names. Files that end in
/// `.png`, `.jpg` or `.jpeg` are pictures; what else is there is no part of the dataset, but for pictures in other formats,
/// which are bad ones. Every picture is read as RGB; opacity and orientation marks are dropped.
#[derive(Debug)]
pub struct Folder {
    classes: Vec<String>,
    examples: Vec<Example>,
    shape: Option<[usize; 3]>,
    bad: Vec<BadPicture>,
}

#[derive(Debug)]
struct Example {
    path: PathBuf,
    label: usize,
}

impl Folder {
    /// Lists the classes and pictures of a folder, and looks at each picture's header (its size and format).
    ///
    /// # Errors
    ///
    /// [`Error::Read`] when a folder cannot be read; [`Error::File`] when there are no class folders, when one of them has
    /// no pictures, or for a bad picture, unless those are skipped.
    pub fn open(folder: &Path, options: &FolderOptions) -> Result<Self, Error> {
        let remedy = "make a folder for each class with its pictures inside";
        let (folders, files): (Vec<_>, Vec<_>) = list(folder)?.into_iter().partition(|path| path.is_dir());
        if folders.is_empty() {
            let loose = files.iter().filter(|path| format_of(path).is_some()).count();
            let problem = match loose {
                0 => "it has no class folders".into(),
                _ => format!("it has no class folders, but pictures of no class ({loose})"),
            };
            return Err(Error::file(folder, problem, remedy));
        }
        let (mut classes, mut examples) = (Vec::new(), Vec::new());
        for (label, class) in folders.iter().enumerate() {
            let paths = list(class)?.into_iter().filter(|path| path.is_file() && format_of(path).is_some());
            let before = examples.len();
            examples.extend(paths.map(|path| Example { path, label }));
            if examples.len() == before {
                return Err(no_pictures(class));
            }
            classes.push(class.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
        let sizes = look_at(&examples, options.skip_bad)?;
        let (mut bad, mut good, mut shapes) = (Vec::new(), Vec::new(), Vec::new());
        for (example, size) in examples.into_iter().zip(sizes) {
            match size {
                Ok([height, width]) => {
                    shapes.push([3, height, width]);
                    good.push(example);
                }
                Err(error) if options.skip_bad => bad.push(BadPicture { path: example.path, error }),
                Err(error) => return Err(error),
            }
        }
        if let Some(label) = (0..classes.len()).find(|label| good.iter().all(|example| example.label != *label)) {
            return Err(no_pictures(&folders[label]));
        }
        shapes.dedup();
        let shape = if let [shape] = shapes[..] { Some(shape) } else { None };
        Ok(Self { classes, examples: good, shape, bad })
    }

    /// The pictures that were left out, in the order of their names.
    pub fn bad(&self) -> &[BadPicture] {
        &self.bad
    }

    /// The file of an example.
    pub fn path(&self, index: usize) -> Option<&Path> {
        self.examples.get(index).map(|example| &*example.path)
    }

    fn example(&self, index: usize) -> Result<&Example, Error> {
        self.examples.get(index).ok_or(Error::Index { index, len: self.examples.len() })
    }
}

impl Dataset for Folder {
    fn len(&self) -> usize {
        self.examples.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn shape(&self) -> Option<[usize; 3]> {
        self.shape
    }

    fn label(&self, index: usize) -> Result<usize, Error> {
        Ok(self.example(index)?.label)
    }

    /// The names of the files.
    fn memory(&self) -> u64 {
        let bytes = |example: &Example| size_of::<Example>() + example.path.as_os_str().len();
        self.examples.iter().map(bytes).sum::<usize>() as u64
    }

    fn read(&self, index: usize, picture: &mut Picture) -> Result<usize, Error> {
        let example = self.example(index)?;
        read_picture(&example.path, picture)?;
        Ok(example.label)
    }

    fn name(&self, index: usize) -> String {
        self.path(index).map_or_else(|| format!("example {index}"), |path| path.display().to_string())
    }
}

/// Reads a PNG or JPEG picture as RGB, with values from 0 to 1.
///
/// # Errors
///
/// [`Error::Read`] when the file cannot be read, [`Error::File`] when it is no such picture, is damaged or is too large.
pub fn read_picture(path: &Path, picture: &mut Picture) -> Result<(), Error> {
    let rgb = decode(path)?.into_rgb8();
    let [width, height] = [rgb.width(), rgb.height()].map(|side| side as usize);
    picture.reshape([3, height, width])?;
    let plane = height * width;
    for (at, pixel) in rgb.as_raw().chunks_exact(3).enumerate() {
        for (channel, byte) in pixel.iter().enumerate() {
            picture.values[channel * plane + at] = f32::from(*byte) / 255.0;
        }
    }
    Ok(())
}

/// The height and width of each example; with `whole`, each is decoded to the end.
fn look_at(examples: &[Example], whole: bool) -> Result<Vec<Result<[usize; 2], Error>>, Error> {
    let look = |example: &Example| {
        let size = read_size(&example.path)?;
        if whole {
            decode(&example.path)?;
        }
        Ok(size)
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = examples.len().div_ceil(threads).max(1);
    let shares = thread::scope(|scope| {
        let spawned = examples.chunks(share).map(|examples| {
            let work = move || examples.iter().map(look).collect::<Vec<_>>();
            thread::Builder::new().spawn_scoped(scope, work).map_err(|source| Error::Thread { source })
        });
        let threads: Vec<_> = spawned.collect::<Result<_, _>>()?;
        let panicked = |_| Error::Panic { message: "decoding a picture".into() };
        threads.into_iter().map(|thread| thread.join().map_err(panicked)).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(shares.into_iter().flatten().collect())
}

/// Height and width from the header.
fn read_size(path: &Path) -> Result<[usize; 2], Error> {
    let (width, height) = reader(path)?.into_dimensions().map_err(|error| bad(path, error))?;
    let [height, width] = [height as usize, width as usize];
    if height > MAX_SIDE || width > MAX_SIDE || height * width > MAX_PIXELS {
        return Err(too_large(path));
    }
    Ok([height, width])
}

fn decode(path: &Path) -> Result<DynamicImage, Error> {
    let picture = reader(path)?.decode().map_err(|error| bad(path, error))?;
    // Its bytes are few enough; its floats need not be.
    let pixels = u64::from(picture.width()) * u64::from(picture.height());
    if pixels > MAX_PIXELS as u64 { Err(too_large(path)) } else { Ok(picture) }
}

fn reader(path: &Path) -> Result<ImageReader<BufReader<File>>, Error> {
    let cannot = |source| Error::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(cannot)?;
    let mut reader = ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(cannot)?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err(Error::file(path, "it is neither a PNG nor a JPEG picture", "convert it or remove it"));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE as u32);
    limits.max_image_height = Some(MAX_SIDE as u32);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    Ok(reader)
}

fn bad(path: &Path, error: ImageError) -> Error {
    match error {
        ImageError::Limits(_) => too_large(path),
        error => {
            // Some decoders explain themselves over several lines.
            let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            Error::file(path, format!("the picture is damaged: {reason}"), "replace it or remove it")
        }
    }
}

fn too_large(path: &Path) -> Error {
    let problem = format!(
        "a side is longer than {MAX_SIDE} pixels, or it has more than {MAX_PIXELS}, or takes more than {} MB",
        MAX_MEMORY >> 20
    );
    Error::file(path, problem, "make it smaller or remove it")
}

fn no_pictures(class: &Path) -> Error {
    Error::file(class, "this class has no pictures", "add PNG or JPEG pictures, or remove the folder")
}

/// What is in a folder, in the order of the names, without what is hidden.
fn list(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| (entry.file_name(), entry.path()))).collect::<io::Result<Vec<_>>>()
    });
    let mut entries = entries.map_err(|source| Error::Read { path: folder.to_owned(), source })?;
    entries.retain(|(name, _)| !name.as_encoded_bytes().starts_with(b"."));
    entries.sort();
    Ok(entries.into_iter().map(|(_, path)| path).collect())
}

/// The format that the file's name says, of any picture.
fn format_of(path: &Path) -> Option<ImageFormat> {
    path.extension().and_then(ImageFormat::from_extension)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    fn paint(path: &Path, width: u32, height: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_pixel(width, height, Rgb([255, 51, 0])).save(path).unwrap();
    }

    fn open(folder: &Path, skip_bad: bool) -> Result<Folder, String> {
        Folder::open(folder, &FolderOptions { skip_bad }).map_err(|error| error.to_string())
    }

    /// A PNG file with another size in its header.
    fn sized(png: &[u8], width: u32, height: u32) -> Vec<u8> {
        let mut png = png.to_vec();
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&height.to_be_bytes());
        let mut checksum = flate2::Crc::new();
        checksum.update(&png[12..29]);
        png[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
        png
    }

    /// Two classes of one picture each, with files beside them that are none.
    fn example() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        paint(&folder.path().join("dogs/b.jpg"), 2, 1);
        paint(&folder.path().join("cats/a.PNG"), 2, 1);
        for name in ["cats/notes.txt", "cats/.hidden.png", "readme.md"] {
            fs::write(folder.path().join(name), "no picture").unwrap();
        }
        folder
    }

    #[test]
    fn folders_are_classes_in_the_order_of_their_names() {
        let folder = example();
        let data = open(folder.path(), false).unwrap();
        assert_eq!(data.classes(), ["cats", "dogs"]);
        assert_eq!((data.len(), data.shape()), (2, Some([3, 1, 2])));
        let mut picture = Picture::default();
        assert_eq!(data.read(0, &mut picture).unwrap(), 0);
        assert_eq!(picture.values, [1.0, 1.0, 0.2, 0.2, 0.0, 0.0]);
        assert_eq!(data.read(1, &mut picture).unwrap(), 1);
        assert!((picture.values[2] - 0.2).abs() < 0.05);
        assert!(data.name(1).ends_with("b.jpg"));
        assert!(matches!(data.label(2), Err(Error::Index { index: 2, len: 2 })));
        paint(&folder.path().join("dogs/c.png"), 1, 1);
        assert_eq!(open(folder.path(), false).unwrap().shape(), None);
    }

    #[test]
    fn bad_pictures_are_named_or_left_out_and_listed() {
        let good = example();
        let png = fs::read(good.path().join("cats/a.PNG")).unwrap();
        // Its header is whole, and its pixels are not.
        let cut = &png[..png.len() - 20];
        // Headers that promise more than may be: they are refused before memory is asked for.
        let (long, large) = (sized(&png, 1 << 15, 1), sized(&png, 8200, 8200));
        let cases: &[(&str, &[u8], &str)] = &[
            ("empty.png", b"", "neither a PNG nor a JPEG"),
            ("text.jpg", b"no picture", "neither a PNG nor a JPEG"),
            ("old.gif", b"GIF89a", "neither a PNG nor a JPEG"),
            ("short.png", &png[..20], "damaged"),
            ("cut.png", cut, "damaged"),
            ("long.png", &long, "make it smaller"),
            ("large.png", &large, "make it smaller"),
        ];
        for (name, bytes, message) in cases {
            let folder = example();
            let path = folder.path().join("dogs").join(name);
            fs::write(&path, bytes).unwrap();
            let error = match open(folder.path(), false) {
                Err(error) => error,
                Ok(data) => {
                    let index = (0..data.len()).find(|&index| data.path(index) == Some(&path)).unwrap();
                    data.read(index, &mut Picture::default()).unwrap_err().to_string()
                }
            };
            assert!(error.contains(name) && error.contains(message), "{error}");
            let data = open(folder.path(), true).unwrap();
            assert_eq!(data.len(), 2, "{name}");
            assert_eq!(data.bad().iter().map(|bad| &bad.path).collect::<Vec<_>>(), [&path]);
        }
    }

    #[test]
    fn folders_without_classes_or_pictures_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        assert!(open(folder.path(), false).unwrap_err().contains("it has no class folders; make a folder"));
        paint(&folder.path().join("loose.png"), 1, 1);
        assert!(open(folder.path(), false).unwrap_err().contains("but pictures of no class (1)"));
        fs::create_dir(folder.path().join("empty")).unwrap();
        assert!(open(folder.path(), true).unwrap_err().contains("empty: this class has no pictures"));
        fs::write(folder.path().join("empty/bad.png"), "bad").unwrap();
        assert!(open(folder.path(), true).unwrap_err().contains("empty: this class has no pictures"));
        let missing = folder.path().join("missing");
        assert!(open(&missing, false).unwrap_err().contains("cannot read"));
    }
}
