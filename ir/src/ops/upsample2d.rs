//! More rows and columns by repeating or by interpolating.

use crate::spec::{choice, spec};
use crate::window::map_input;
use crate::{Args, Extent, Fault, Field, Kind, MAX_ELEMENTS, Op, OpDef, OpSpec, Param, Reach, Shape, codes};

choice! {
    /// How values between the input's elements are found.
    UpsampleMode {
        /// The element before.
        Nearest = "nearest",
        /// Linear in both axes.
        Bilinear = "bilinear",
    }
}

spec! {
    /// Another height and width, as `torch.nn.Upsample`. Either `size` or `scale_factor` is given.
    ///
    /// `[C, H, W]` → `[C, H', W']`, which is `size`, or ⌊H·scale_factor⌋ and likewise for W.
    Upsample2dSpec {
        ;
        /// Height and width of the output.
        size: Option<[usize; 2]> = None,
        /// Factors for height and width.
        scale_factor: Option<[f64; 2]> = None,
        /// How values between the input's elements are found.
        mode: UpsampleMode = UpsampleMode::Nearest,
        /// Whether the corners' centres stay in place, instead of the corners; for `Bilinear` only.
        align_corners: bool = false,
    }
}

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

impl Upsample2dSpec {
    /// What each of `outputs` rows (axis 0) or columns (1) is made of, from `n` of the input.
    ///
    /// In f32, as PyTorch computes it (`area_pixel_compute_scale`, `area_pixel_compute_source_index`).
    pub fn taps(&self, axis: usize, n: usize, outputs: usize) -> impl Iterator<Item = UpsampleTap> + use<> {
        let (mode, align_corners) = (self.mode, self.align_corners);
        let scale = match self.scale_factor {
            _ if align_corners && outputs == 1 => 0.0,
            _ if align_corners => (n - 1) as f32 / (outputs - 1) as f32,
            Some(scale) => (1.0 / scale[axis]) as f32,
            None => n as f32 / outputs as f32,
        };
        (0..outputs).map(move |i| {
            let place = match mode {
                UpsampleMode::Bilinear if !align_corners => (scale * (i as f32 + 0.5) - 0.5).max(0.0),
                _ => scale * i as f32,
            };
            let first = (place as usize).min(n - 1);
            match mode {
                UpsampleMode::Nearest => UpsampleTap { first, second: first, weight: 0.0 },
                UpsampleMode::Bilinear => {
                    let weight = (place - first as f32).clamp(0.0, 1.0);
                    UpsampleTap { first, second: (first + 1).min(n - 1), weight }
                }
            }
        })
    }

    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault> {
        let mut spec = Self::new();
        if args.has("scale") {
            spec.scale_factor = Some(args.scale("scale")?);
        }
        if args.has("size") {
            spec.size = Some(args.pair("size")?);
        }
        spec.mode = args.word("mode").and_then(UpsampleMode::from_word).unwrap_or(spec.mode);
        spec.align_corners = args.bool_or("align_corners", spec.align_corners);
        Ok(spec.into())
    }

    fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2], Fault> {
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
        let mut output = [0; 2];
        for axis in 0..2 {
            let (n, scale) = (input[axis], scale[axis]);
            let size = (n as f64 * scale).floor();
            if !scale.is_finite() || scale <= 0.0 || size < 1.0 {
                return Err(refuse(format!(
                    "a `scale` of {scale} leaves nothing of {n} {}",
                    ["rows", "columns"][axis]
                ))
                .about("scale")
                .figure(format!("⌊{n}·{scale}⌋ must be at least 1")));
            }
            if size > MAX_ELEMENTS as f64 {
                return Err(Fault::new(&codes::TOO_LARGE, format!("{n}·{scale} elements are too many")).about("scale"));
            }
            output[axis] = size as usize;
        }
        Ok(output)
    }
}

impl OpSpec for Upsample2dSpec {
    const NAME: &'static str = "Upsample2d";
    const ALIASES: &'static [&'static str] =
        &["interpolate", "resize", "upsampling", "upsamplingnearest", "upsamplingbilinear"];
    const DEF: OpDef = OpDef {
        name: "upsample",
        doc: "another height and width, by repeating or interpolating",
        params: &[
            Param::optional("scale", Kind::Scale, "none", "factors for height and width"),
            Param::optional("size", Kind::Pair, "none", "height and width of the output, instead of `scale`"),
            Param::optional("mode", Kind::Word(UpsampleMode::WORDS), "nearest", "how values in between are found"),
            Param::optional("align_corners", Kind::Bool, "false", "the corners' centres stay in place"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, height, width] = map_input("upsample", inputs)?;
        if self.align_corners && self.mode == UpsampleMode::Nearest {
            return Err(Fault::new(&codes::BAD_ARGUMENT, "`align_corners` needs `mode = bilinear`")
                .about("align_corners")
                .advice("leave it out, or interpolate"));
        }
        let [out_height, out_width] = self.output_size([height, width])?;
        Shape::new(&[channels, out_height, out_width])
    }

    fn reach(&self, input: &Shape, output: &Shape) -> Reach {
        let size = if self.mode == UpsampleMode::Bilinear { 2.0 } else { 1.0 };
        let axes = input.iter().zip(output.iter()).skip(1);
        Reach::Window(axes.map(|(&n, &outputs)| Extent { size, stride: n as f64 / outputs as f64 }).collect())
    }
}
