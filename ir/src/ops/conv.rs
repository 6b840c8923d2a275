//! Convolution.

use super::axes::{by_axes, spatial_input, spatial_shape};
use super::{PadMode, PadSpec};
use crate::spec::spec;
use crate::window::Window;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape, TensorSpec, codes};

spec! {
    /// Cross-correlation over D axes, as `torch.nn.Conv1d`, `Conv2d` and `Conv3d`; S = 2·D.
    ///
    /// `[in_channels, H, W]` → `[out_channels, H', W']` with H' = ⌊(H + top + bottom − d(k−1) − 1)/s⌋ + 1, and likewise
    /// over one axis and over three.
    ConvSpec<D, S> {
        /// Channels of the input; a multiple of `groups`.
        in_channels: usize,
        /// Channels of the output; a multiple of `groups`.
        out_channels: usize,
        /// Sizes of the kernel, as (depth, height, width).
        kernel_size: [usize; D],
        ;
        /// Step between outputs on each axis.
        stride: [usize; D] = [1; D],
        /// What is added around the input, before and after each axis: top, bottom, left, right.
        padding: [usize; S] = [0; S],
        /// What stands there.
        padding_mode: PadMode = PadMode::Zeros,
        /// Distance between the kernel's taps; 1 = none.
        dilation: [usize; D] = [1; D],
        /// Independent groups of channels.
        groups: usize = 1,
        /// Whether a bias is added to each output channel.
        bias: bool = true,
    }
}

/// A convolution over one axis.
pub type Conv1dSpec = ConvSpec<1, 2>;
/// A convolution over height and width.
pub type Conv2dSpec = ConvSpec<2, 4>;
/// A convolution over depth, height and width.
pub type Conv3dSpec = ConvSpec<3, 6>;

impl<const D: usize, const S: usize> ConvSpec<D, S> {
    /// Padding that is not of zeros as a layer of its own, and the convolution without it.
    pub fn split_padding(&self) -> Option<(PadSpec<D, S>, Self)> {
        let pad = PadSpec { mode: self.padding_mode, ..PadSpec::new(self.padding) };
        let bare = Self { padding: [0; S], padding_mode: PadMode::Zeros, ..self.clone() };
        (self.padding_mode != PadMode::Zeros).then_some((pad, bare))
    }

    fn window(&self) -> Window<D, S> {
        let Self { kernel_size, stride, padding, dilation, .. } = *self;
        Window { kernel_size, stride, padding, dilation, ceil_mode: false }
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault>
    where
        Op: From<Self>,
    {
        let (in_channels, sizes) = spatial_input::<D>("conv", inputs)?;
        let mut spec = Self::new(in_channels, args.size("channels")?, args.axes("kernel")?);
        spec.stride = args.axes_or("stride", spec.stride)?;
        spec.dilation = args.axes_or("dilation", spec.dilation)?;
        spec.padding = spec.window().resolve_padding(args.padding("padding")?, sizes)?;
        spec.padding_mode = args.word("padding_mode").and_then(PadMode::from_word).unwrap_or(spec.padding_mode);
        spec.groups = args.size_or("groups", spec.groups)?;
        spec.bias = args.bool_or("bias", spec.bias);
        Ok(spec.into())
    }
}

impl<const D: usize, const S: usize> OpSpec for ConvSpec<D, S>
where
    Op: From<Self>,
{
    const NAME: &'static str = ["Conv1d", "Conv2d", "Conv3d"][D - 1];
    const ALIASES: &'static [&'static str] = &["convolution"];
    const DEF: OpDef = OpDef {
        name: "conv",
        doc: "convolution over one, two or three axes",
        params: &[
            Param::required("channels", Kind::Size, "channels of the output"),
            Param::required("kernel", Kind::Axes, "sizes of the kernel"),
            Param::optional("stride", Kind::Axes, "1", "step between outputs"),
            Param::optional("padding", Kind::Padding, "0", "what is added around the input"),
            Param::optional("dilation", Kind::Axes, "1", "distance between the kernel's taps"),
            Param::optional("groups", Kind::Size, "1", "independent groups of channels"),
            Param::optional("bias", Kind::Bool, "true", "add a bias to each output channel"),
            Param::optional("padding_mode", Kind::Word(PadMode::WORDS), "zeros", "what stands in the padding"),
            Param::INIT,
        ],
        from_call: |args, inputs| by_axes!("conv", args, inputs, Conv1dSpec, Conv2dSpec, Conv3dSpec),
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let (channels, sizes) = spatial_input::<D>("conv", inputs)?;
        if channels != self.in_channels {
            return Err(Fault::new(
                &codes::SHAPE_MISMATCH,
                format!("made for {} input channels, given {channels}", self.in_channels),
            ));
        }
        super::check_groups(self.groups, channels, self.out_channels)?;
        Shape::new(&self.parameters()[0].shape)?;
        let output = self.window().output_size(sizes)?;
        if let Some((pad, _)) = self.split_padding() {
            pad.padded_sizes(sizes).map_err(|fault| fault.about("padding"))?;
        }
        spatial_shape(self.out_channels, output)
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::windows(self.kernel_size, self.stride, self.dilation)
    }

    fn parameters(&self) -> Vec<TensorSpec> {
        let in_group = self.in_channels.checked_div(self.groups).unwrap_or(0);
        let weight = [&[self.out_channels, in_group], &self.kernel_size[..]].concat();
        let mut tensors = vec![TensorSpec::new("weight", &weight)];
        if self.bias {
            tensors.push(TensorSpec::new("bias", &[self.out_channels]));
        }
        tensors
    }

    fn macs(&self, output: &Shape) -> u64 {
        let fan_in: u64 = self.parameters()[0].shape[1..].iter().fold(1, |n, &d| n.saturating_mul(d as u64));
        fan_in.saturating_mul(output.elements() as u64)
    }
}
