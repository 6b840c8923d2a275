//! Mean over windows of a sequence.

use super::AvgPool2dSpec;
use super::axes::{about_length, as_map, as_sequence, sequence_input};
use crate::spec::spec;
use crate::window::Window;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape};

spec! {
    /// The mean of each window, as `torch.nn.AvgPool1d`.
    ///
    /// `[C, L]` → `[C, L']`.
    AvgPool1dSpec {
        /// Length of the window.
        kernel_size: usize,
        /// Step between windows.
        stride: usize,
        ;
        /// Zeros around the input: before, after; each at most half of the kernel.
        padding: [usize; 2] = [0, 0],
        /// Round the output size up instead of down. What a last window covers beyond the padding never counts.
        ceil_mode: bool = false,
        /// Whether padding counts as elements of the mean.
        count_include_pad: bool = true,
    }
}

impl AvgPool1dSpec {
    /// The same over a map of one row.
    pub fn as_2d(&self) -> AvgPool2dSpec {
        AvgPool2dSpec {
            padding: [0, 0, self.padding[0], self.padding[1]],
            ceil_mode: self.ceil_mode,
            count_include_pad: self.count_include_pad,
            ..AvgPool2dSpec::new([1, self.kernel_size], [1, self.stride])
        }
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let [_, length] = sequence_input("avg_pool1d", inputs)?;
        let kernel = args.size("kernel")?;
        let mut spec = Self::new(kernel, args.size_or("stride", kernel)?);
        spec.ceil_mode = args.bool_or("ceil_mode", spec.ceil_mode);
        spec.count_include_pad = args.bool_or("count_include_pad", spec.count_include_pad);
        let AvgPool2dSpec { kernel_size, stride, padding, ceil_mode, .. } = spec.as_2d();
        let window = Window { kernel_size, stride, padding, dilation: [1, 1], ceil_mode };
        let [_, _, before, after] = window.resolve_padding(args.ends("padding")?, [1, length])?;
        spec.padding = [before, after];
        Ok(spec.into())
    }
}

impl OpSpec for AvgPool1dSpec {
    const NAME: &'static str = "AvgPool1d";
    const DEF: OpDef = OpDef {
        name: "avg_pool1d",
        doc: "mean over windows of a sequence",
        params: &[
            Param::required("kernel", Kind::Size, "length of the window"),
            Param::optional("stride", Kind::Size, "the kernel", "step between windows"),
            Param::optional("padding", Kind::Ends, "0", "zeros around the input"),
            Param::optional("ceil_mode", Kind::Bool, "false", "round the output size up"),
            Param::optional("count_include_pad", Kind::Bool, "true", "padding counts in the mean"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        sequence_input("avg_pool1d", inputs)?;
        let map = self.as_2d().output_shape(&[&as_map(inputs[0])?]).map_err(about_length)?;
        as_sequence(&map)
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::windows([self.kernel_size], [self.stride], [1])
    }
}
