//! Other sizes by repeating or by interpolating.

use super::axes::{axis_name, by_axes, spatial_input, spatial_shape};
use crate::spec::{choice, spec};
use crate::{Args, Extent, Fault, Field, Kind, MAX_ELEMENTS, Op, OpDef, OpSpec, Param, Reach, Shape, codes};

choice! {
    /// How values between the input's elements are found.
    UpsampleMode {
        /// The element at or before the place, the corner of an element being its place.
        Nearest = "nearest",
        /// The element at the place, the centre of an element being its place: `nearest-exact` in PyTorch.
        NearestExact = "nearest_exact",
        /// Linear, over one axis.
        Linear = "linear",
        /// Linear in both axes of a map.
        Bilinear = "bilinear",
        /// Linear in all three axes of a volume.
        Trilinear = "trilinear",
    }
}

impl UpsampleMode {
    /// Whether values are mixed of several elements.
    pub fn interpolates(self) -> bool {
        !matches!(self, Self::Nearest | Self::NearestExact)
    }
}

spec! {
    /// Other sizes, as `torch.nn.Upsample`. Either `size` or `scale_factor` is given.
    ///
    /// `[C, H, W]` → `[C, H', W']`, which is `size`, or ⌊H·scale_factor⌋ and likewise for W, over one axis and over three.
    UpsampleSpec<D> {
        ;
        /// Sizes of the output, as (depth, height, width).
        size: Option<[usize; D]> = None,
        /// Factors for the sizes.
        scale_factor: Option<[f64; D]> = None,
        /// How values between the input's elements are found.
        mode: UpsampleMode = UpsampleMode::Nearest,
        /// Whether the corners' centres stay in place, instead of the corners; not for `Nearest`.
        align_corners: bool = false,
    }
}

/// Another length of a sequence.
pub type Upsample1dSpec = UpsampleSpec<1>;
/// Another height and width of a map.
pub type Upsample2dSpec = UpsampleSpec<2>;
/// Another depth, height and width of a volume.
pub type Upsample3dSpec = UpsampleSpec<3>;

/// What an element of the output is along one axis: (1 − `weight`)·input\[`first`\] + `weight`·input\[`second`\].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpsampleTap {
    /// One place in the input.
    pub first: usize,
    /// The next one, or the same at the end.
    pub second: usize,
    /// The share of the second, from 0 to 1; 0 for `Nearest`.
    pub weight: f32,
}

impl<const D: usize> UpsampleSpec<D> {
    /// What each of `outputs` elements along an axis (from 0) is made of, from `n` of the input.
    ///
    /// In f32, as PyTorch computes it (`area_pixel_compute_scale`, `area_pixel_compute_source_index`).
    pub fn taps(&self, axis: usize, n: usize, outputs: usize) -> impl Iterator<Item = UpsampleTap> + use<D> {
        let (mode, align_corners) = (self.mode, self.align_corners);
        let scale = match self.scale_factor {
            _ if align_corners && outputs == 1 => 0.0,
            _ if align_corners => (n - 1) as f32 / (outputs - 1) as f32,
            Some(scale) => (1.0 / scale[axis]) as f32,
            None => n as f32 / outputs as f32,
        };
        (0..outputs).map(move |i| {
            let place = match mode {
                UpsampleMode::Nearest => scale * i as f32,
                UpsampleMode::NearestExact => scale * (i as f32 + 0.5),
                _ if align_corners => scale * i as f32,
                _ => (scale * (i as f32 + 0.5) - 0.5).max(0.0),
            };
            let first = (place as usize).min(n - 1);
            if mode.interpolates() {
                let weight = (place - first as f32).clamp(0.0, 1.0);
                UpsampleTap { first, second: (first + 1).min(n - 1), weight }
            } else {
                UpsampleTap { first, second: first, weight: 0.0 }
            }
        })
    }

    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault>
    where
        Op: From<Self>,
    {
        let mut spec = Self::new();
        if args.has("scale") {
            spec.scale_factor = Some(args.scale("scale")?);
        }
        if args.has("size") {
            spec.size = Some(args.axes("size")?);
        }
        spec.mode = args.word("mode").and_then(UpsampleMode::from_word).unwrap_or(spec.mode);
        spec.align_corners = args.bool_or("align_corners", spec.align_corners);
        Ok(spec.into())
    }

    fn output_size(&self, input: [usize; D]) -> Result<[usize; D], Fault> {
        let refuse = |message: String| Fault::new(&codes::BAD_ARGUMENT, message);
        let scale = match (self.size, self.scale_factor) {
            (Some(size), None) => return Ok(size),
            (None, Some(scale)) => scale,
            (None, None) => {
                return Err(refuse("`upsample` needs `scale` or `size`".into())
                    .advice("`upsample(2)` doubles height and width, `upsample(size = 56)` makes them 56"));
            }
            (Some(_), Some(_)) => {
                return Err(refuse("`upsample` takes `scale` or `size`, not both".into())
                    .about("size")
                    .advice("leave one of them out"));
            }
        };
        let mut output = input;
        for (axis, (size, scale)) in output.iter_mut().zip(scale).enumerate() {
            let n = *size;
            let scaled = (n as f64 * scale).floor();
            if !scale.is_finite() || scale <= 0.0 || scaled < 1.0 {
                let message = format!("a `scale` of {scale} leaves nothing of a {} of {n}", axis_name(D, axis));
                return Err(refuse(message).about("scale").figure(format!("⌊{n}·{scale}⌋ must be at least 1")));
            }
            if scaled > MAX_ELEMENTS as f64 {
                return Err(Fault::new(&codes::TOO_LARGE, format!("{n}·{scale} elements are too many")).about("scale"));
            }
            *size = scaled as usize;
        }
        Ok(output)
    }

    /// The linear mode for as many axes, and its word.
    const LINEAR: (UpsampleMode, &'static str) = [
        (UpsampleMode::Linear, "linear"),
        (UpsampleMode::Bilinear, "bilinear"),
        (UpsampleMode::Trilinear, "trilinear"),
    ][D - 1];
}

impl<const D: usize> OpSpec for UpsampleSpec<D>
where
    Op: From<Self>,
{
    const NAME: &'static str = ["Upsample1d", "Upsample2d", "Upsample3d"][D - 1];
    const ALIASES: &'static [&'static str] =
        &["interpolate", "resize", "upsampling", "upsamplingnearest", "upsamplingbilinear"];
    const DEF: OpDef = OpDef {
        name: "upsample",
        doc: "other sizes, by repeating or interpolating",
        params: &[
            Param::optional("scale", Kind::Scale, "none", "factors for the sizes"),
            Param::optional("size", Kind::Axes, "none", "sizes of the output, instead of `scale`"),
            Param::optional("mode", Kind::Word(UpsampleMode::WORDS), "nearest", "how values in between are found"),
            Param::optional("align_corners", Kind::Bool, "false", "the corners' centres stay in place"),
        ],
        from_call: |args, inputs| by_axes!("upsample", args, inputs, Upsample1dSpec, Upsample2dSpec, Upsample3dSpec),
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let (channels, sizes) = spatial_input::<D>("upsample", inputs)?;
        let (linear, word) = Self::LINEAR;
        if self.mode.interpolates() && self.mode != linear {
            let message = format!("over {D} {} the mode is `{word}`", if D == 1 { "axis" } else { "axes" });
            return Err(Fault::new(&codes::BAD_ARGUMENT, message).about("mode").fix(crate::Fix::SetArgument {
                advice: "each number of axes has a word of its own, as in PyTorch".into(),
                name: "mode",
                value: word.into(),
            }));
        }
        if self.align_corners && !self.mode.interpolates() {
            return Err(Fault::new(&codes::BAD_ARGUMENT, format!("`align_corners` needs `mode = {word}`"))
                .about("align_corners")
                .advice("leave it out, or interpolate"));
        }
        spatial_shape(channels, self.output_size(sizes)?)
    }

    fn reach(&self, input: &Shape, output: &Shape) -> Reach {
        let size = if self.mode.interpolates() { 2.0 } else { 1.0 };
        let axes = input.iter().zip(output.iter()).skip(1);
        Reach::Window(axes.map(|(&n, &outputs)| Extent { size, stride: n as f64 / outputs as f64 }).collect())
    }
}
