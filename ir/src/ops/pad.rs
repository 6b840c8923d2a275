//! More around a map.

use super::axes::{axis_name, by_axes, spatial_input, spatial_shape};
use crate::spec::{choice, spec};
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape, codes};

choice! {
    /// What stands around the input.
    PadMode {
        /// One value, zero by default: `torch.nn.ZeroPad2d`, `torch.nn.ConstantPad2d`.
        Zeros = "zeros",
        /// The input mirrored at its border, which is not repeated: `torch.nn.ReflectionPad2d`.
        Reflect = "reflect",
        /// The border, repeated: `torch.nn.ReplicationPad2d`.
        Replicate = "replicate",
        /// The input again, from its other end: `torch.nn.CircularPad2d`.
        Circular = "circular",
    }
}

spec! {
    /// More on all sides of D axes, as `torch.nn.functional.pad`; S = 2·D.
    ///
    /// `[C, H, W]` → `[C, top + H + bottom, left + W + right]`, and likewise over one axis and over three.
    PadSpec<D, S> {
        /// Before and after each axis: top, bottom, left, right.
        padding: [usize; S],
        ;
        /// What stands there.
        mode: PadMode = PadMode::Zeros,
        /// The value for `Zeros`; finite in f32.
        value: f64 = 0.0,
    }
}

/// More at the ends of a sequence.
pub type Pad1dSpec = PadSpec<1, 2>;
/// More rows and columns of a map.
pub type Pad2dSpec = PadSpec<2, 4>;
/// More on the six sides of a volume.
pub type Pad3dSpec = PadSpec<3, 6>;

impl<const D: usize, const S: usize> PadSpec<D, S> {
    /// Where each element of the output along an axis (from 0) comes from, of `n` in the input; `None` is the value.
    pub fn sources(&self, axis: usize, n: usize) -> impl Iterator<Item = Option<usize>> + use<D, S> {
        let (mode, before, after) = (self.mode, self.padding[2 * axis], self.padding[2 * axis + 1]);
        (0..before + n + after).map(move |i| match (i.checked_sub(before), mode) {
            (Some(inside), _) if inside < n => Some(inside),
            (_, PadMode::Zeros) => None,
            (None, PadMode::Reflect) => Some(before - i),
            (None, PadMode::Replicate) => Some(0),
            (None, PadMode::Circular) => Some(n + i - before),
            (Some(inside), PadMode::Reflect) => Some(2 * (n - 1) - inside),
            (Some(_), PadMode::Replicate) => Some(n - 1),
            (Some(inside), PadMode::Circular) => Some(inside - n),
        })
    }

    /// The sizes with what is around them.
    pub(super) fn padded_sizes(&self, sizes: [usize; D]) -> Result<[usize; D], Fault> {
        let mut output = sizes;
        for (axis, size) in output.iter_mut().enumerate() {
            let (before, after, n) = (self.padding[2 * axis], self.padding[2 * axis + 1], *size);
            let (most, why) = match self.mode {
                PadMode::Zeros | PadMode::Replicate => (usize::MAX, ""),
                PadMode::Reflect => (n - 1, "the border itself is not repeated"),
                PadMode::Circular => (n, "the input comes back once"),
            };
            let (side, name) = (before.max(after), axis_name(D, axis));
            if side > most {
                let mode = if self.mode == PadMode::Reflect { "reflect" } else { "circular" };
                let message = format!("`{mode}` cannot reach {side} behind a {name} of {n}");
                return Err(Fault::new(&codes::BAD_ARGUMENT, message)
                    .about("sides")
                    .figure(why)
                    .advice(format!("use at most {most}")));
            }
            let Some(padded) = n.checked_add(before).and_then(|sum| sum.checked_add(after)) else {
                return Err(Fault::new(&codes::TOO_LARGE, "the padded input is too large").about("sides"));
            };
            *size = padded;
        }
        Ok(output)
    }

    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault>
    where
        Op: From<Self>,
    {
        let mut spec = Self::new(args.sides("sides")?);
        spec.mode = args.word("mode").and_then(PadMode::from_word).unwrap_or(spec.mode);
        spec.value = args.float_or("value", spec.value);
        Ok(spec.into())
    }
}

impl<const D: usize, const S: usize> OpSpec for PadSpec<D, S>
where
    Op: From<Self>,
{
    const NAME: &'static str = ["Pad1d", "Pad2d", "Pad3d"][D - 1];
    const ALIASES: &'static [&'static str] =
        &["zeropad", "zeropadding", "constantpad", "reflectionpad", "replicationpad", "circularpad"];
    const DEF: OpDef = OpDef {
        name: "pad",
        doc: "more on all sides",
        params: &[
            Param::required("sides", Kind::Sides, "how much on each side"),
            Param::optional("mode", Kind::Word(PadMode::WORDS), "zeros", "what stands there"),
            Param::optional("value", Kind::Float, "0", "the value that `zeros` puts there"),
        ],
        from_call: |args, inputs| by_axes!("pad", args, inputs, Pad1dSpec, Pad2dSpec, Pad3dSpec),
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let (channels, sizes) = spatial_input::<D>("pad", inputs)?;
        if !(self.value as f32).is_finite() || (self.value != 0.0 && self.mode != PadMode::Zeros) {
            let message = format!("`value` must be finite and needs `mode = zeros`, not {}", self.value);
            return Err(Fault::new(&codes::BAD_ARGUMENT, message).about("value"));
        }
        spatial_shape(channels, self.padded_sizes(sizes)?)
    }
}
