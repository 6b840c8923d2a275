//! Mean over as many windows as asked for.

use crate::spec::spec;
use crate::window::{adaptive_windows, map_input};
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape};
use std::ops::Range;

spec! {
    /// The mean of each window, as `torch.nn.AdaptiveAvgPool2d`: the windows are as many as asked for and cover the input.
    ///
    /// `[C, H, W]` → `[C, H', W']`; window i of H' reaches from row ⌊i·H/H'⌋ to before row ⌈(i+1)·H/H'⌉.
    AdaptiveAvgPool2dSpec {
        /// Height and width of the output.
        output_size: [usize; 2],
        ;
    }
}

impl AdaptiveAvgPool2dSpec {
    /// The windows along the rows (axis 0) or columns (1) of an input of `n` of them.
    pub fn windows(&self, axis: usize, n: usize) -> impl Iterator<Item = Range<usize>> + Clone + use<> {
        adaptive_windows(n, self.output_size[axis])
    }

    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault> {
        Ok(Self::new(args.pair("size")?).into())
    }
}

impl OpSpec for AdaptiveAvgPool2dSpec {
    const NAME: &'static str = "AdaptiveAvgPool2d";
    const ALIASES: &'static [&'static str] = &["adaptiveaveragepool"];
    const DEF: OpDef = OpDef {
        name: "adaptive_avg_pool",
        doc: "mean over as many windows as asked for",
        params: &[Param::required("size", Kind::Pair, "height and width of the output")],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, _, _] = map_input("adaptive_avg_pool", inputs)?;
        let [height, width] = self.output_size;
        Shape::new(&[channels, height, width])
    }

    fn reach(&self, input: &Shape, output: &Shape) -> Reach {
        Reach::adaptive(input, output)
    }
}
