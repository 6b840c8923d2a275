//! Mean over windows.

use crate::spec::spec;
use crate::window::{Window, map_input};
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape};

spec! {
    /// The mean of each window, as `torch.nn.AvgPool2d`.
    ///
    /// `[C, H, W]` → `[C, H', W']`.
    AvgPool2dSpec {
        /// Height and width of the window.
        kernel_size: [usize; 2],
        /// Step between windows.
        stride: [usize; 2],
        ;
        /// Zeros around the input: top, bottom, left, right; each at most half of the kernel.
        padding: [usize; 4] = [0, 0, 0, 0],
        /// Round the output size up instead of down. What a last window covers beyond the padding never counts.
        ceil_mode: bool = false,
        /// Whether padding counts as elements of the mean.
        count_include_pad: bool = true,
        /// Divide by this number instead of the number of elements.
        divisor_override: Option<usize> = None,
    }
}

impl AvgPool2dSpec {
    fn window(&self) -> Window {
        let Self { kernel_size, stride, padding, ceil_mode, .. } = *self;
        Window { kernel_size, stride, padding, dilation: [1, 1], ceil_mode }
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let [_, height, width] = map_input("avg_pool", inputs)?;
        let kernel = args.pair("kernel")?;
        let mut spec = Self::new(kernel, args.pair_or("stride", kernel)?);
        spec.ceil_mode = args.bool_or("ceil_mode", spec.ceil_mode);
        spec.count_include_pad = args.bool_or("count_include_pad", spec.count_include_pad);
        if args.has("divisor_override") {
            spec.divisor_override = Some(args.size("divisor_override")?);
        }
        spec.padding = spec.window().resolve_padding(args.padding("padding")?, [height, width])?;
        Ok(spec.into())
    }
}

impl OpSpec for AvgPool2dSpec {
    const NAME: &'static str = "AvgPool2d";
    const ALIASES: &'static [&'static str] = &["averagepool", "averagepooling"];
    const DEF: OpDef = OpDef {
        name: "avg_pool",
        doc: "mean over windows",
        params: &[
            Param::required("kernel", Kind::Pair, "height and width of the window"),
            Param::optional("stride", Kind::Pair, "the kernel", "step between windows"),
            Param::optional("padding", Kind::Padding, "0", "zeros around the input"),
            Param::optional("ceil_mode", Kind::Bool, "false", "round the output size up"),
            Param::optional("count_include_pad", Kind::Bool, "true", "padding counts in the mean"),
            Param::optional("divisor_override", Kind::Size, "the window's size", "divide by this instead"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, height, width] = map_input("avg_pool", inputs)?;
        super::check_pool_padding(self.kernel_size, self.padding)?;
        if self.divisor_override == Some(0) {
            return Err(Fault::new(&crate::codes::BAD_ARGUMENT, "`divisor_override` must be at least 1, not 0")
                .about("divisor_override"));
        }
        let [out_height, out_width] = self.window().output_size([height, width])?;
        Shape::new(&[channels, out_height, out_width])
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::windows(self.kernel_size, self.stride, [1, 1])
    }
}
