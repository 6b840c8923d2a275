//! A map without its outer rows and columns.

use super::axes::{axis_name, by_axes, spatial_input, spatial_shape};
use crate::spec::spec;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape, codes};

spec! {
    /// A map without its outer rows and columns, as `torch.nn.functional.pad` with negative padding; S = 2·D.
    ///
    /// `[C, H, W]` → `[C, H − top − bottom, W − left − right]`, and likewise over one axis and over three.
    CropSpec<D, S> {
        /// What is cut off, before and after each axis: top, bottom, left, right.
        sides: [usize; S],
        ;
    }
}

/// A sequence without its ends.
pub type Crop1dSpec = CropSpec<1, 2>;
/// A map without its outer rows and columns.
pub type Crop2dSpec = CropSpec<2, 4>;
/// The inside of a volume.
pub type Crop3dSpec = CropSpec<3, 6>;

impl<const D: usize, const S: usize> CropSpec<D, S> {
    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault>
    where
        Op: From<Self>,
    {
        Ok(Self::new(args.sides("sides")?).into())
    }
}

impl<const D: usize, const S: usize> OpSpec for CropSpec<D, S>
where
    Op: From<Self>,
{
    const NAME: &'static str = ["Crop1d", "Crop2d", "Crop3d"][D - 1];
    const ALIASES: &'static [&'static str] = &["centercrop", "cropping"];
    const DEF: OpDef = OpDef {
        name: "crop",
        doc: "less on all sides",
        params: &[Param::required("sides", Kind::Sides, "how much is cut off each side")],
        from_call: |args, inputs| by_axes!("crop", args, inputs, Crop1dSpec, Crop2dSpec, Crop3dSpec),
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let (channels, mut sizes) = spatial_input::<D>("crop", inputs)?;
        for (axis, size) in sizes.iter_mut().enumerate() {
            let (before, after, n) = (self.sides[2 * axis], self.sides[2 * axis + 1], *size);
            *size = n.saturating_sub(before.saturating_add(after));
            if *size == 0 {
                return Err(Fault::new(&codes::BAD_ARGUMENT, format!("cropping leaves no {}", axis_name(D, axis)))
                    .about("sides")
                    .figure(format!("{before} + {after} of {n}"))
                    .advice(format!("both sides together may have at most {}", n - 1)));
            }
        }
        spatial_shape(channels, sizes)
    }
}
