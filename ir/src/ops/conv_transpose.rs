//! Transposed convolution.

use super::axes::{axis_name, by_axes, spatial_input, spatial_shape};
use crate::spec::spec;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape, TensorSpec, codes};

spec! {
    /// The transpose of a convolution over D axes, as `torch.nn.ConvTranspose1d`, `2d` and `3d`: every element of the
    /// input adds its multiple of the kernel to the output, `stride` apart (Zeiler et al., "Deconvolutional networks",
    /// 2010). S = 2·D.
    ///
    /// `[in_channels, H, W]` → `[out_channels, H', W']` with H' = (H − 1)·s − top − bottom + d(k−1) + output_padding + 1,
    /// and likewise over one axis and over three.
    ConvTransposeSpec<D, S> {
        /// Channels of the input; a multiple of `groups`.
        in_channels: usize,
        /// Channels of the output; a multiple of `groups`.
        out_channels: usize,
        /// Sizes of the kernel, as (depth, height, width).
        kernel_size: [usize; D],
        ;
        /// Step in the output between the elements of the input.
        stride: [usize; D] = [1; D],
        /// What is cut off the output, before and after each axis: top, bottom, left, right.
        padding: [usize; S] = [0; S],
        /// What is added behind each axis, such as rows at the bottom; less than the stride or the dilation.
        output_padding: [usize; D] = [0; D],
        /// Distance between the kernel's taps; 1 = none.
        dilation: [usize; D] = [1; D],
        /// Independent groups of channels.
        groups: usize = 1,
        /// Whether a bias is added to each output channel.
        bias: bool = true,
    }
}

/// A transposed convolution over one axis.
pub type ConvTranspose1dSpec = ConvTransposeSpec<1, 2>;
/// A transposed convolution over height and width.
pub type ConvTranspose2dSpec = ConvTransposeSpec<2, 4>;
/// A transposed convolution over depth, height and width.
pub type ConvTranspose3dSpec = ConvTransposeSpec<3, 6>;

impl<const D: usize, const S: usize> ConvTransposeSpec<D, S> {
    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault>
    where
        Op: From<Self>,
    {
        let (in_channels, _) = spatial_input::<D>("conv_transpose", inputs)?;
        let mut spec = Self::new(in_channels, args.size("channels")?, args.axes("kernel")?);
        spec.stride = args.axes_or("stride", spec.stride)?;
        if args.has("padding") {
            spec.padding = args.sides("padding")?;
        }
        if args.has("output_padding") {
            spec.output_padding = args.axes_of("output_padding", 0)?;
        }
        spec.dilation = args.axes_or("dilation", spec.dilation)?;
        spec.groups = args.size_or("groups", spec.groups)?;
        spec.bias = args.bool_or("bias", spec.bias);
        Ok(spec.into())
    }

    /// The size of the output along an axis for `n` of the input.
    fn output_size(&self, axis: usize, n: usize) -> Result<usize, Fault> {
        let (k, s, d) = (self.kernel_size[axis], self.stride[axis], self.dilation[axis]);
        let (more, name) = (self.output_padding[axis], axis_name(D, axis));
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

impl<const D: usize, const S: usize> OpSpec for ConvTransposeSpec<D, S>
where
    Op: From<Self>,
{
    const NAME: &'static str = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"][D - 1];
    const ALIASES: &'static [&'static str] = &["deconv", "deconvolution", "conv2dtranspose"];
    const DEF: OpDef = OpDef {
        name: "conv_transpose",
        doc: "transposed convolution: a larger map, as many times as the stride",
        params: &[
            Param::required("channels", Kind::Size, "channels of the output"),
            Param::required("kernel", Kind::Axes, "sizes of the kernel"),
            Param::optional("stride", Kind::Axes, "1", "step in the output between the input's elements"),
            Param::optional("padding", Kind::Sides, "0", "what is cut off the output"),
            Param::optional("output_padding", Kind::Axes, "0", "what is added behind, such as rows at the bottom"),
            Param::optional("groups", Kind::Size, "1", "independent groups of channels"),
            Param::optional("bias", Kind::Bool, "true", "add a bias to each output channel"),
            Param::optional("dilation", Kind::Axes, "1", "distance between the kernel's taps"),
            Param::INIT,
        ],
        from_call: |args, inputs| {
            by_axes!("conv_transpose", args, inputs, ConvTranspose1dSpec, ConvTranspose2dSpec, ConvTranspose3dSpec)
        },
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let (channels, mut sizes) = spatial_input::<D>("conv_transpose", inputs)?;
        if channels != self.in_channels {
            let message = format!("made for {} input channels, given {channels}", self.in_channels);
            return Err(Fault::new(&codes::SHAPE_MISMATCH, message));
        }
        super::check_groups(self.groups, channels, self.out_channels)?;
        Shape::new(&self.parameters()[0].shape)?;
        for (axis, size) in sizes.iter_mut().enumerate() {
            *size = self.output_size(axis, *size)?;
        }
        spatial_shape(self.out_channels, sizes)
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::transposed_windows(self.kernel_size, self.stride, self.dilation)
    }

    fn parameters(&self) -> Vec<TensorSpec> {
        let out_group = self.out_channels.checked_div(self.groups).unwrap_or(0);
        let weight = [&[self.in_channels, out_group], &self.kernel_size[..]].concat();
        let mut tensors = vec![TensorSpec::new("weight", &weight)];
        if self.bias {
            tensors.push(TensorSpec::new("bias", &[self.out_channels]));
        }
        tensors
    }

    /// Every element of the input meets every tap of its channel.
    fn macs(&self, output: &Shape) -> u64 {
        let sizes = output.iter().skip(1).take(D).enumerate();
        let places = sizes.fold(1u64, |places, (axis, size)| {
            let (k, s, d) = (self.kernel_size[axis], self.stride[axis].max(1), self.dilation[axis]);
            let whole = size + self.padding[2 * axis] + self.padding[2 * axis + 1];
            let first = d.saturating_mul(k.saturating_sub(1)).saturating_add(self.output_padding[axis] + 1);
            places.saturating_mul((whole.saturating_sub(first) / s + 1) as u64)
        });
        self.parameters()[0].elements().saturating_mul(places)
    }
}
