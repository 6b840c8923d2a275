//! Maximum over windows at random distances.

use super::axes::{axis_name, spatial_axes, spatial_input, spatial_shape};
use crate::spec::spec;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape, codes};
use std::ops::Range;

spec! {
    /// The largest element of each window, the windows being all but evenly spread, as `torch.nn.FractionalMaxPool2d`
    /// and `3d` (Graham, "Fractional max-pooling", 2014).
    ///
    /// `[C, H, W]` → `[C, H', W']`, and likewise over three axes. The distances follow from the seed: the same at every
    /// run and for every example, others for every channel. Channel c has the numbers c·D to c·D + D − 1 of splitmix64,
    /// each the top 24 bits as a number from 0 to below 1. They are what PyTorch calls `_random_samples[n, c]`.
    FractionalMaxPoolSpec<D> {
        /// Sizes of the window, as (depth, height, width).
        kernel_size: [usize; D],
        /// Sizes of the output; with the kernel, at most one more than those of the input.
        output_size: [usize; D],
        ;
        /// Where the windows lie.
        seed: u64 = 0,
    }
}

/// Over height and width.
pub type FractionalMaxPool2dSpec = FractionalMaxPoolSpec<2>;
/// Over depth, height and width.
pub type FractionalMaxPool3dSpec = FractionalMaxPoolSpec<3>;

impl<const D: usize> FractionalMaxPoolSpec<D> {
    /// The windows of a channel along an axis (from 0) that has `n` elements in the input.
    ///
    /// Window i starts at ⌊(i + u)·α⌋ − ⌊u·α⌋ with α = (n − k)/(outputs − 1), the last one at n − k, in f32, as in
    /// PyTorch's `generate_intervals`. As in PyTorch, u is the sample of the axis, counted from the last axis of a map
    /// and from the first of a volume.
    pub fn windows(&self, channel: usize, axis: usize, n: usize) -> impl Iterator<Item = Range<usize>> + use<D> {
        let (kernel, outputs) = (self.kernel_size[axis], self.output_size[axis]);
        let place = if D == 2 { 1 - axis } else { axis };
        let sample = sample(self.seed, (channel * D + place) as u64);
        let alpha = (n - kernel) as f32 / (outputs.max(2) - 1) as f32;
        let start = move |i: usize| ((i as f32 + sample) * alpha) as usize - (sample * alpha) as usize;
        (0..outputs)
            .map(move |i| if i + 1 == outputs { n - kernel } else { start(i).min(n - kernel) })
            .map(move |start| start..start + kernel)
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault>
    where
        Op: From<Self>,
    {
        let (_, sizes) = spatial_input::<D>("fractional_max_pool", inputs)?;
        let output_size = match (args.has("output_size"), args.has("output_ratio")) {
            (true, false) => args.axes("output_size")?,
            (false, true) => scaled(sizes, args.scale("output_ratio")?)?,
            (given, _) => {
                let problem = if given { "takes one of" } else { "needs" };
                let message = format!("`fractional_max_pool` {problem} `output_size` and `output_ratio`");
                return Err(Fault::new(&codes::BAD_ARGUMENT, message)
                    .advice("`output_ratio = 0.7` makes each axis 0.7 times as long"));
            }
        };
        let mut spec = Self::new(args.axes("kernel")?, output_size);
        let seed = args.int_or("seed", 0);
        spec.seed = u64::try_from(seed).map_err(|_| {
            Fault::new(&codes::BAD_ARGUMENT, format!("`seed` must be at least 0, not {seed}")).about("seed")
        })?;
        Ok(spec.into())
    }
}

/// ⌊n·ratio⌋ on each axis; a ratio lies between 0 and 1.
fn scaled<const D: usize>(sizes: [usize; D], ratios: [f64; D]) -> Result<[usize; D], Fault> {
    let mut output = sizes;
    for (size, ratio) in output.iter_mut().zip(ratios) {
        let scaled = (*size as f64 * ratio) as usize;
        if !(ratio > 0.0 && ratio < 1.0) || scaled == 0 {
            let message = format!("`output_ratio` lies between 0 and 1 and leaves something of {size}, not {ratio}");
            return Err(Fault::new(&codes::BAD_ARGUMENT, message).about("output_ratio"));
        }
        *size = scaled;
    }
    Ok(output)
}

/// Sample `i` of a seed, from 0 to below 1: the top 24 bits of splitmix64 (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014).
fn sample(seed: u64, i: u64) -> f32 {
    let mut z = seed.wrapping_add(i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32
}

impl<const D: usize> OpSpec for FractionalMaxPoolSpec<D>
where
    Op: From<Self>,
{
    const NAME: &'static str = ["FractionalMaxPool2d", "FractionalMaxPool3d"][D - 2];
    const DEF: OpDef = OpDef {
        name: "fractional_max_pool",
        doc: "maximum over windows at random distances, of a map or a volume",
        params: &[
            Param::required("kernel", Kind::Axes, "sizes of the window"),
            Param::optional("output_size", Kind::Axes, "none", "sizes of the output"),
            Param::optional("output_ratio", Kind::Scale, "none", "output over input, instead of `output_size`"),
            Param::optional("seed", Kind::Int, "0", "where the windows lie"),
        ],
        from_call: |args, inputs| match spatial_axes("fractional_max_pool", inputs, 2)? {
            2 => FractionalMaxPool2dSpec::from_call(args, inputs),
            _ => FractionalMaxPool3dSpec::from_call(args, inputs),
        },
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let (channels, sizes) = spatial_input::<D>("fractional_max_pool", inputs)?;
        for (axis, n) in sizes.into_iter().enumerate() {
            let (kernel, outputs, name) = (self.kernel_size[axis], self.output_size[axis], axis_name(D, axis));
            if kernel == 0 || outputs == 0 {
                return Err(Fault::new(&codes::BAD_ARGUMENT, "kernel and output_size must be at least 1"));
            }
            let needed = kernel.saturating_add(outputs - 1);
            if needed > n {
                return Err(Fault::new(&codes::KERNEL_TOO_LARGE, format!("the windows do not fit the {name}"))
                    .about("kernel")
                    .figure(format!("{outputs} windows of {kernel} need at least {outputs} + {kernel} − 1 = {needed}, the {name} is {n}"))
                    .advice("use a smaller kernel or fewer windows"));
            }
        }
        spatial_shape(channels, self.output_size)
    }

    fn reach(&self, input: &Shape, output: &Shape) -> Reach {
        Reach::spread(&self.kernel_size, input, output)
    }
}
