//! Rows and columns around a map.

use crate::spec::{choice, spec};
use crate::window::map_input;
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
    }
}

spec! {
    /// Rows and columns around a map, as `torch.nn.functional.pad`.
    ///
    /// `[C, H, W]` → `[C, top + H + bottom, left + W + right]`.
    Pad2dSpec {
        /// Top, bottom, left, right.
        padding: [usize; 4],
        ;
        /// What stands there.
        mode: PadMode = PadMode::Zeros,
        /// The value for `Zeros`; finite in f32.
        value: f64 = 0.0,
    }
}

impl Pad2dSpec {
    /// Where each row (axis 0) or column (1) of the output comes from, of `n` in the input; `None` is the value.
    pub fn sources(&self, axis: usize, n: usize) -> impl Iterator<Item = Option<usize>> + use<> {
        let (mode, before, after) = (self.mode, self.padding[2 * axis], self.padding[2 * axis + 1]);
        (0..before + n + after).map(move |i| match (i.checked_sub(before), mode) {
            (Some(inside), _) if inside < n => Some(inside),
            (_, PadMode::Zeros) => None,
            (None, PadMode::Reflect) => Some(before - i),
            (None, PadMode::Replicate) => Some(0),
            (Some(inside), PadMode::Reflect) => Some(2 * (n - 1) - inside),
            (Some(_), PadMode::Replicate) => Some(n - 1),
        })
    }

    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault> {
        let mut spec = Self::new(args.sides("sides")?);
        spec.mode = args.word("mode").and_then(PadMode::from_word).unwrap_or(spec.mode);
        spec.value = args.float_or("value", spec.value);
        Ok(spec.into())
    }
}

impl OpSpec for Pad2dSpec {
    const NAME: &'static str = "Pad2d";
    const ALIASES: &'static [&'static str] =
        &["zeropad", "zeropadding", "constantpad", "reflectionpad", "replicationpad"];
    const DEF: OpDef = OpDef {
        name: "pad",
        doc: "rows and columns around a map",
        params: &[
            Param::required("sides", Kind::Sides, "how many rows and columns"),
            Param::optional("mode", Kind::Word(PadMode::WORDS), "zeros", "what stands there"),
            Param::optional("value", Kind::Float, "0", "the value that `zeros` puts there"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, height, width] = map_input("pad", inputs)?;
        if !(self.value as f32).is_finite() || (self.value != 0.0 && self.mode != PadMode::Zeros) {
            let message = format!("`value` must be finite and needs `mode = zeros`, not {}", self.value);
            return Err(Fault::new(&codes::BAD_ARGUMENT, message).about("value"));
        }
        let mut output = [height, width];
        for (axis, size) in output.iter_mut().enumerate() {
            let (before, after, n) = (self.padding[2 * axis], self.padding[2 * axis + 1], *size);
            let name = ["height", "width"][axis];
            if self.mode == PadMode::Reflect && before.max(after) >= n {
                let message = format!("`reflect` cannot reach {} behind a {name} of {n}", before.max(after));
                return Err(Fault::new(&codes::BAD_ARGUMENT, message)
                    .about("sides")
                    .figure("the border itself is not repeated")
                    .advice(format!("use at most {}", n - 1)));
            }
            let Some(padded) = n.checked_add(before).and_then(|sum| sum.checked_add(after)) else {
                return Err(Fault::new(&codes::TOO_LARGE, "the padded input is too large").about("sides"));
            };
            *size = padded;
        }
        Shape::new(&[channels, output[0], output[1]])
    }
}
