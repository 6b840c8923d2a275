//! Maximum over windows.

use crate::spec::spec;
use crate::window::{Window, map_input};
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape};

spec! {
    /// The largest element of each window, as `torch.nn.MaxPool2d`: padding counts as −∞.
    ///
    /// `[C, H, W]` → `[C, H', W']`.
    MaxPool2dSpec {
        /// Height and width of the window.
        kernel_size: [usize; 2],
        /// Step between windows.
        stride: [usize; 2],
        ;
        /// Padding: top, bottom, left, right; each at most half of the kernel.
        padding: [usize; 4] = [0, 0, 0, 0],
        /// Distance between the window's elements; 1 = none.
        dilation: [usize; 2] = [1, 1],
        /// Round the output size up instead of down.
        ceil_mode: bool = false,
    }
}

impl MaxPool2dSpec {
    fn window(&self) -> Window {
        let Self { kernel_size, stride, padding, dilation, ceil_mode } = *self;
        Window { kernel_size, stride, padding, dilation, ceil_mode }
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let [_, height, width] = map_input("max_pool", inputs)?;
        let kernel = args.pair("kernel")?;
        let mut spec = Self::new(kernel, args.pair_or("stride", kernel)?);
        spec.dilation = args.pair_or("dilation", spec.dilation)?;
        spec.ceil_mode = args.bool_or("ceil_mode", spec.ceil_mode);
        spec.padding = spec.window().resolve_padding(args.padding("padding")?, [height, width])?;
        Ok(spec.into())
    }
}

impl OpSpec for MaxPool2dSpec {
    const NAME: &'static str = "MaxPool2d";
    const ALIASES: &'static [&'static str] = &["maxpooling"];
    const DEF: OpDef = OpDef {
        name: "max_pool",
        doc: "maximum over windows",
        params: &[
            Param::required("kernel", Kind::Pair, "height and width of the window"),
            Param::optional("stride", Kind::Pair, "the kernel", "step between windows"),
            Param::optional("padding", Kind::Padding, "0", "padding that never wins"),
            Param::optional("dilation", Kind::Pair, "1", "distance between the window's elements"),
            Param::optional("ceil_mode", Kind::Bool, "false", "round the output size up"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, height, width] = map_input("max_pool", inputs)?;
        super::check_pool_padding(self.kernel_size, self.padding)?;
        let [out_height, out_width] = self.window().output_size([height, width])?;
        Shape::new(&[channels, out_height, out_width])
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::windows(self.kernel_size, self.stride, self.dilation)
    }
}
