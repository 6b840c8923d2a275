//! A map without its outer rows and columns.

use crate::spec::spec;
use crate::window::map_input;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape, codes};

spec! {
    /// A map without its outer rows and columns, as `torch.nn.functional.pad` with negative padding.
    ///
    /// `[C, H, W]` → `[C, H − top − bottom, W − left − right]`.
    Crop2dSpec {
        /// What is cut off: top, bottom, left, right.
        sides: [usize; 4],
        ;
    }
}

impl Crop2dSpec {
    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault> {
        Ok(Self::new(args.sides("sides")?).into())
    }
}

impl OpSpec for Crop2dSpec {
    const NAME: &'static str = "Crop2d";
    const ALIASES: &'static [&'static str] = &["centercrop", "cropping"];
    const DEF: OpDef = OpDef {
        name: "crop",
        doc: "a map without its outer rows and columns",
        params: &[Param::required("sides", Kind::Sides, "how many rows and columns are cut off")],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, height, width] = map_input("crop", inputs)?;
        let mut output = [height, width];
        for (axis, size) in output.iter_mut().enumerate() {
            let (before, after, n) = (self.sides[2 * axis], self.sides[2 * axis + 1], *size);
            let name = ["height", "width"][axis];
            *size = n.saturating_sub(before.saturating_add(after));
            if *size == 0 {
                return Err(Fault::new(&codes::BAD_ARGUMENT, format!("cropping leaves no {name}"))
                    .about("sides")
                    .figure(format!("{before} + {after} of {n}"))
                    .advice(format!("both sides together may have at most {}", n - 1)));
            }
        }
        Shape::new(&[channels, output[0], output[1]])
    }
}
