//! Two-dimensional transposed convolution.

use crate::spec::spec;
use crate::window::map_input;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape, TensorSpec, codes};

spec! {
    /// The transpose of a convolution, as `torch.nn.ConvTranspose2d`: every element of the input adds its multiple of
    /// the kernel to the output, `stride` apart (Zeiler et al., "Deconvolutional networks", 2010).
    ///
    /// `[in_channels, H, W]` → `[out_channels, H', W']` with H' = (H − 1)·s − top − bottom + d(k−1) + output_padding + 1.
    ConvTranspose2dSpec {
        /// Channels of the input; a multiple of `groups`.
        in_channels: usize,
        /// Channels of the output; a multiple of `groups`.
        out_channels: usize,
        /// Height and width of the kernel.
        kernel_size: [usize; 2],
        ;
        /// Step in the output between the elements of the input (height, width).
        stride: [usize; 2] = [1, 1],
        /// What is cut off the output: top, bottom, left, right.
        padding: [usize; 4] = [0, 0, 0, 0],
        /// Rows and columns added at the bottom and right; fewer than the stride or the dilation.
        output_padding: [usize; 2] = [0, 0],
        /// Distance between the kernel's taps; 1 = none.
        dilation: [usize; 2] = [1, 1],
        /// Independent groups of channels.
        groups: usize = 1,
        /// Whether a bias is added to each output channel.
        bias: bool = true,
    }
}

impl ConvTranspose2dSpec {
    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let [in_channels, _, _] = map_input("conv_transpose", inputs)?;
        let mut spec = Self::new(in_channels, args.size("channels")?, args.pair("kernel")?);
        spec.stride = args.pair_or("stride", spec.stride)?;
        if args.has("padding") {
            spec.padding = args.sides("padding")?;
        }
        if args.has("output_padding") {
            spec.output_padding = args.pair_of("output_padding", 0)?;
        }
        spec.dilation = args.pair_or("dilation", spec.dilation)?;
        spec.groups = args.size_or("groups", spec.groups)?;
        spec.bias = args.bool_or("bias", spec.bias);
        Ok(spec.into())
    }

    /// Rows (axis 0) or columns (1) of the output for `n` of the input.
    fn output_size(&self, axis: usize, n: usize) -> Result<usize, Fault> {
        let (k, s, d) = (self.kernel_size[axis], self.stride[axis], self.dilation[axis]);
        let (more, name) = (self.output_padding[axis], ["height", "width"][axis]);
        if k == 0 || s == 0 || d == 0 {
            return Err(Fault::new(&codes::BAD_ARGUMENT, "kernel, stride and dilation must be at least 1"));
        }
        if more >= s.max(d) {
            return Err(Fault::new(
                &codes::BAD_ARGUMENT,
                format!("output_padding {more} is not less than the stride or the dilation"),
            )
            .about("output_padding")
            .figure(format!("stride {s}, dilation {d}"))
            .advice(format!("use at most {}", s.max(d) - 1)));
        }
        let whole = (n - 1).checked_mul(s).zip(d.checked_mul(k - 1)).and_then(|(a, b)| a.checked_add(b));
        let whole = whole.and_then(|sum| sum.checked_add(more + 1));
        let cut = self.padding[2 * axis].checked_add(self.padding[2 * axis + 1]);
        let Some((whole, cut)) = whole.zip(cut) else {
            return Err(Fault::new(&codes::TOO_LARGE, format!("the output's {name} is too large")));
        };
        if cut >= whole {
            return Err(Fault::new(&codes::BAD_ARGUMENT, format!("the padding leaves no {name}"))
                .about("padding")
                .figure(format!("({n} − 1)·{s} + {d}·({k} − 1) + {more} + 1 = {whole}"))
                .figure(format!("padding {cut} of {whole}"))
                .advice(format!("both sides together may have at most {}", whole - 1)));
        }
        Ok(whole - cut)
    }
}

impl OpSpec for ConvTranspose2dSpec {
    const NAME: &'static str = "ConvTranspose2d";
    const ALIASES: &'static [&'static str] = &["deconv", "deconvolution", "conv2dtranspose"];
    const DEF: OpDef = OpDef {
        name: "conv_transpose",
        doc: "transposed convolution: more rows and columns",
        params: &[
            Param::required("channels", Kind::Size, "channels of the output"),
            Param::required("kernel", Kind::Pair, "height and width of the kernel"),
            Param::optional("stride", Kind::Pair, "1", "step in the output between the input's elements"),
            Param::optional("padding", Kind::Sides, "0", "what is cut off the output"),
            Param::optional("output_padding", Kind::Pair, "0", "rows and columns added at the bottom and right"),
            Param::optional("dilation", Kind::Pair, "1", "distance between the kernel's taps"),
            Param::optional("groups", Kind::Size, "1", "independent groups of channels"),
            Param::optional("bias", Kind::Bool, "true", "add a bias to each output channel"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, height, width] = map_input("conv_transpose", inputs)?;
        if channels != self.in_channels {
            let message = format!("made for {} input channels, given {channels}", self.in_channels);
            return Err(Fault::new(&codes::SHAPE_MISMATCH, message));
        }
        super::check_groups(self.groups, channels, self.out_channels)?;
        Shape::new(&self.parameters()[0].shape)?;
        Shape::new(&[self.out_channels, self.output_size(0, height)?, self.output_size(1, width)?])
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::transposed_windows(self.kernel_size, self.stride, self.dilation)
    }

    fn parameters(&self) -> Vec<TensorSpec> {
        let [height, width] = self.kernel_size;
        let out_group = self.out_channels.checked_div(self.groups).unwrap_or(0);
        let mut tensors = vec![TensorSpec::new("weight", &[self.in_channels, out_group, height, width])];
        if self.bias {
            tensors.push(TensorSpec::new("bias", &[self.out_channels]));
        }
        tensors
    }

    /// Every element of the input meets every tap of its channel.
    fn macs(&self, output: &Shape) -> u64 {
        let Some([_, height, width]) = output.as_map() else { return 0 };
        let places = [height, width].into_iter().enumerate().fold(1u64, |places, (axis, size)| {
            let (k, s, d) = (self.kernel_size[axis], self.stride[axis].max(1), self.dilation[axis]);
            let whole = size + self.padding[2 * axis] + self.padding[2 * axis + 1];
            let first = d.saturating_mul(k.saturating_sub(1)).saturating_add(self.output_padding[axis] + 1);
            places.saturating_mul((whole.saturating_sub(first) / s + 1) as u64)
        });
        self.parameters()[0].elements().saturating_mul(places)
    }
}
