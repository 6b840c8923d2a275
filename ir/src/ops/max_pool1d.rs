//! Maximum over windows of a sequence.

use super::MaxPool2dSpec;
use super::axes::{about_length, as_map, as_sequence, sequence_input};
use crate::spec::spec;
use crate::window::Window;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape};

spec! {
    /// The largest element of each window, as `torch.nn.MaxPool1d`: padding counts as −∞.
    ///
    /// `[C, L]` → `[C, L']`.
    MaxPool1dSpec {
        /// Length of the window.
        kernel_size: usize,
        /// Step between windows.
        stride: usize,
        ;
        /// Padding that never wins: before, after; each at most half of the kernel.
        padding: [usize; 2] = [0, 0],
        /// Distance between the window's elements; 1 = none.
        dilation: usize = 1,
        /// Round the output size up instead of down.
        ceil_mode: bool = false,
    }
}

impl MaxPool1dSpec {
    /// The same over a map of one row.
    pub fn as_2d(&self) -> MaxPool2dSpec {
        MaxPool2dSpec {
            padding: [0, 0, self.padding[0], self.padding[1]],
            dilation: [1, self.dilation],
            ceil_mode: self.ceil_mode,
            ..MaxPool2dSpec::new([1, self.kernel_size], [1, self.stride])
        }
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let [_, length] = sequence_input("max_pool1d", inputs)?;
        let kernel = args.size("kernel")?;
        let mut spec = Self::new(kernel, args.size_or("stride", kernel)?);
        spec.dilation = args.size_or("dilation", spec.dilation)?;
        spec.ceil_mode = args.bool_or("ceil_mode", spec.ceil_mode);
        let MaxPool2dSpec { kernel_size, stride, padding, dilation, ceil_mode } = spec.as_2d();
        let window = Window { kernel_size, stride, padding, dilation, ceil_mode };
        let [_, _, before, after] = window.resolve_padding(args.ends("padding")?, [1, length])?;
        spec.padding = [before, after];
        Ok(spec.into())
    }
}

impl OpSpec for MaxPool1dSpec {
    const NAME: &'static str = "MaxPool1d";
    const DEF: OpDef = OpDef {
        name: "max_pool1d",
        doc: "maximum over windows of a sequence",
        params: &[
            Param::required("kernel", Kind::Size, "length of the window"),
            Param::optional("stride", Kind::Size, "the kernel", "step between windows"),
            Param::optional("padding", Kind::Ends, "0", "padding that never wins"),
            Param::optional("dilation", Kind::Size, "1", "distance between the window's elements"),
            Param::optional("ceil_mode", Kind::Bool, "false", "round the output size up"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        sequence_input("max_pool1d", inputs)?;
        let map = self.as_2d().output_shape(&[&as_map(inputs[0])?]).map_err(about_length)?;
        as_sequence(&map)
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::windows([self.kernel_size], [self.stride], [self.dilation])
    }
}
