//! What happens to a picture between the dataset and the network.

mod arguments;
mod color;
mod color_jitter;
mod crop;
mod erasing;
mod flip;
mod normalize;
mod resize;
mod rotation;
mod text;

pub use arguments::{Erase, Interpolation, Size, Spread};
pub use color::{Grayscale, Rgb};
pub use color_jitter::ColorJitter;
pub use crop::{CenterCrop, RandomCrop, RandomResizedCrop};
pub use erasing::RandomErasing;
pub use flip::{HorizontalFlip, VerticalFlip};
pub use normalize::Normalize;
pub use resize::{Resize, ResizeSize};
pub use rotation::Rotation;

use crate::error::Error;
use crate::picture::{MAX_PIXELS, MAX_SIDE, Picture, elements};
use crate::random::Random;
use arguments::{Arguments, Writer};
use std::fmt::{self, Display};
use std::str::FromStr;

/// Memory that transforms work in; kept from picture to picture, so that a pipeline allocates only for the first ones.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    values: Vec<f32>,
    columns: resize::Taps,
    rows: resize::Taps,
}

/// What every transform says of itself.
trait Step: Sized + Clone + Into<Transform> {
    /// Its name in text.
    const NAME: &'static str;

    /// Takes its parameters, in their order.
    fn read(arguments: &mut Arguments) -> Result<Self, Error>;

    /// Writes its parameters, in their order.
    fn write(&self, writer: &mut Writer) -> fmt::Result;

    /// Says what is wrong with the parameters.
    fn check(&self) -> Result<(), String>;

    /// The shape of what comes out, or why nothing can; the parameters have been checked.
    fn shape(&self, input: [usize; 3]) -> Result<[usize; 3], String>;

    /// What evaluation does in its place.
    fn evaluation(&self) -> Vec<Transform> {
        vec![self.clone().into()]
    }

    /// Does it; the shape has been checked.
    fn apply(&self, picture: &mut Picture, random: &mut Random, scratch: &mut Scratch) -> Result<(), Error>;
}

/// The list of transforms, from which the enum, its names and its dispatch come.
macro_rules! transforms {
    ($($name:ident),* $(,)?) => {
        /// One transform; its fields have PyTorch's names (torchvision's, strictly).
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Transform {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        $(impl From<$name> for Transform {
            fn from(step: $name) -> Self {
                Self::$name(step)
            }
        })*

        /// The names of all transforms in text.
        pub const NAMES: &[&str] = &[$($name::NAME),*];

        fn read(name: &str, arguments: &mut Arguments) -> Option<Result<Transform, Error>> {
            $(if name == $name::NAME {
                return Some($name::read(arguments).map(Transform::from));
            })*
            None
        }

        macro_rules! each {
            ($transform:expr, $step:ident => $body:expr) => {
                match $transform { $(Transform::$name($step) => $body,)* }
            };
        }
    };
}

transforms! {
    Resize, CenterCrop, RandomCrop, RandomResizedCrop, HorizontalFlip, VerticalFlip, Rotation, ColorJitter, RandomErasing,
    Normalize, Grayscale, Rgb,
}

/// Names that PyTorch's users know them by.
const ALIASES: &[(&str, &str)] = &[
    ("random_horizontal_flip", HorizontalFlip::NAME),
    ("random_vertical_flip", VerticalFlip::NAME),
    ("random_rotation", Rotation::NAME),
];

impl Transform {
    fn check(&self) -> Result<(), String> {
        each!(self, step => step.check())
    }

    fn shape(&self, input: [usize; 3]) -> Result<[usize; 3], String> {
        self.check()?;
        check_shape("the picture is", input)?;
        let output = each!(self, step => step.shape(input))?;
        check_shape("the result would be", output)?;
        Ok(output)
    }

    fn evaluation(&self) -> Vec<Self> {
        each!(self, step => step.evaluation())
    }

    fn apply(&self, picture: &mut Picture, random: &mut Random, scratch: &mut Scratch) -> Result<(), Error> {
        each!(self, step => step.apply(picture, random, scratch))
    }
}

impl Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fn write<S: Step>(step: &S, f: &mut fmt::Formatter) -> fmt::Result {
            let mut writer = Writer::new(f, S::NAME)?;
            step.write(&mut writer)?;
            writer.finish()
        }
        each!(self, step => write(step, f))
    }
}

/// Transforms, one after the other.
///
/// As text they are calls that follow each other; parameters have their names or come in their order, and those that are
/// left out have PyTorch's defaults. Blank text is the pipeline that does nothing.
///
/// ```
/// use cnn_data::Pipeline;
///
/// let text = "random_crop(32, padding = 4) -> horizontal_flip(0.5) -> normalize([0.49, 0.48, 0.45], [0.25, 0.24, 0.26])";
/// let pipeline: Pipeline = text.parse()?;
/// assert_eq!(pipeline.to_string(), text);
/// assert_eq!(pipeline.shape([3, 32, 32])?, [3, 32, 32]);
/// let evaluation = "center_crop(32) -> normalize([0.49, 0.48, 0.45], [0.25, 0.24, 0.26])";
/// assert_eq!(pipeline.evaluation().to_string(), evaluation);
/// # Ok::<(), cnn_data::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pipeline(pub Vec<Transform>);

impl Pipeline {
    /// The shape (channels, height, width) of what pictures of shape `input` become.
    ///
    /// # Errors
    ///
    /// [`Error::Transform`] for the first transform whose parameters make no sense or which cannot take such a picture.
    pub fn shape(&self, input: [usize; 3]) -> Result<[usize; 3], Error> {
        self.0.iter().enumerate().try_fold(input, |shape, (index, transform)| self.step_shape(index, transform, shape))
    }

    /// The transforms that evaluation and prediction repeat: the same for every picture, every time.
    ///
    /// What is random becomes what it is in the middle or falls away, and what is not stays:
    ///
    /// - `random_crop(size, …)` becomes `center_crop(size)`, without padding;
    /// - `random_resized_crop(size, …)` becomes `resize(s) -> center_crop(size)` where s is the longer side of `size` times
    ///   8/7, rounded, as 256 is to 224;
    /// - flips, rotation, colour jitter and random erasing fall away;
    /// - resizing, centre crops, normalisation and the conversions between grey and RGB stay.
    pub fn evaluation(&self) -> Self {
        Self(self.0.iter().flat_map(Transform::evaluation).collect())
    }

    /// Transforms a picture with the random numbers of its example.
    ///
    /// # Errors
    ///
    /// [`Error::Transform`] when a transform cannot take the picture, [`Error::OutOfMemory`] when there is no memory.
    pub fn apply(&self, picture: &mut Picture, random: &mut Random, scratch: &mut Scratch) -> Result<(), Error> {
        let (size, len) = (elements(picture.shape()), picture.values.len());
        if size == 0 || size != len {
            let problem = format!("a picture of {:?} (channels, height, width) has {len} values", picture.shape());
            return Err(Error::array(problem, "give as many values as the shape has, and at least one"));
        }
        for (index, transform) in self.0.iter().enumerate() {
            self.step_shape(index, transform, picture.shape())?;
            transform.apply(picture, random, scratch)?;
        }
        Ok(())
    }

    fn step_shape(&self, index: usize, transform: &Transform, input: [usize; 3]) -> Result<[usize; 3], Error> {
        transform.shape(input).map_err(|problem| Error::Transform {
            step: index + 1,
            transform: transform.to_string(),
            problem,
        })
    }
}

impl Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (index, transform) in self.0.iter().enumerate() {
            write!(f, "{}{transform}", if index == 0 { "" } else { " -> " })?;
        }
        Ok(())
    }
}

impl FromStr for Pipeline {
    type Err = Error;

    /// Reads transforms from text; [`Error::Text`] says where it is none.
    fn from_str(text: &str) -> Result<Self, Error> {
        let transform = |call: text::Call| {
            let (name, at) = (call.name, call.at);
            let known = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
            let mut arguments = Arguments::new(text, call);
            let transform = read(known, &mut arguments).unwrap_or_else(|| Err(unknown(text, name, at)))?;
            arguments.finish()?;
            let remedy = "correct the parameter";
            transform.check().map_err(|problem| text::error(text, at, format!("`{known}`: {problem}"), remedy))?;
            Ok(transform)
        };
        text::parse(text)?.into_iter().map(transform).collect::<Result<_, _>>().map(Self)
    }
}

fn unknown(text: &str, name: &str, at: usize) -> Error {
    let near = NAMES.iter().max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let remedy = match near.filter(|near| strsim::jaro_winkler(near, name) > 0.8) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", NAMES.join(", ")),
    };
    text::error(text, at, format!("there is no transform `{name}`"), remedy)
}

/// Says what is wrong with a picture's shape.
fn check_shape(what: &str, shape: [usize; 3]) -> Result<(), String> {
    let [_, height, width] = shape;
    let sides = 1..=MAX_SIDE;
    if sides.contains(&height) && sides.contains(&width) && (1..=4 * MAX_PIXELS).contains(&elements(shape)) {
        return Ok(());
    }
    Err(format!(
        "{what} {shape:?} (channels, height, width); sides are from 1 to {MAX_SIDE} pixels, and it has at most {} values",
        4 * MAX_PIXELS
    ))
}

/// Says what is wrong, unless `p` is a probability.
fn check_p(p: f32) -> Result<(), String> {
    if (0.0..=1.0).contains(&p) { Ok(()) } else { Err("`p` is a probability, from 0 to 1".into()) }
}

/// Says what is wrong, unless the values are finite and there is at least one.
fn check_values(name: &str, values: &[f32]) -> Result<(), String> {
    if !values.is_empty() && values.iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    Err(format!("`{name}` takes a finite number, or a list with one for each channel"))
}

/// Says what is wrong, unless there is one value, or one for each channel.
fn check_channels(name: &str, values: &[f32], channels: usize) -> Result<(), String> {
    if values.len() == 1 || values.len() == channels {
        return Ok(());
    }
    let count = if channels == 1 { "1 channel".into() } else { format!("{channels} channels") };
    Err(format!("`{name}` has {} values, and the picture has {count}; give 1 or {channels}", values.len()))
}

/// The value for a channel, of one for all or one for each.
fn per_channel(values: &[f32], channel: usize) -> f32 {
    values.get(channel).or(values.first()).copied().unwrap_or(0.0)
}

/// Says what is wrong, unless the picture is grey or RGB.
fn check_grey_or_rgb(channels: usize) -> Result<(), String> {
    if matches!(channels, 1 | 3) {
        return Ok(());
    }
    Err(format!("the picture has {channels} channels; this is for grey (1) and RGB (3) ones"))
}

#[cfg(test)]
mod tests;
