//! Maximum over windows at random distances.

use crate::spec::spec;
use crate::window::map_input;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape, codes};
use std::ops::Range;

spec! {
    /// The largest element of each window, the windows being all but evenly spread, as `torch.nn.FractionalMaxPool2d`
    /// (Graham, "Fractional max-pooling", 2014).
    ///
    /// `[C, H, W]` → `[C, H', W']`. The distances follow from the seed: the same at every run, for every example and
    /// channel, as in PyTorch with `_random_samples` that are equal everywhere.
    FractionalMaxPool2dSpec {
        /// Height and width of the window.
        kernel_size: [usize; 2],
        /// Height and width of the output; with the kernel, at most one more than those of the input.
        output_size: [usize; 2],
        ;
        /// Where the windows lie.
        seed: u64 = 0,
    }
}

impl FractionalMaxPool2dSpec {
    /// The windows along the rows (axis 0) or columns (1) of an input of `n` of them.
    ///
    /// Window i starts at ⌊(i + u)·α⌋ − ⌊u·α⌋ with α = (n − k)/(outputs − 1), the last one at n − k, in f32, as in
    /// PyTorch's `generate_intervals`. The sample u of axis 1 is the first that the seed gives, as in PyTorch.
    pub fn windows(&self, axis: usize, n: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let (kernel, outputs) = (self.kernel_size[axis], self.output_size[axis]);
        let sample = sample(self.seed, 1 - axis as u64);
        let alpha = (n - kernel) as f32 / (outputs.max(2) - 1) as f32;
        let start = move |i: usize| ((i as f32 + sample) * alpha) as usize - (sample * alpha) as usize;
        (0..outputs)
            .map(move |i| if i + 1 == outputs { n - kernel } else { start(i).min(n - kernel) })
            .map(move |start| start..start + kernel)
    }

    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault> {
        let mut spec = Self::new(args.pair("kernel")?, args.pair("output_size")?);
        let seed = args.int_or("seed", 0);
        spec.seed = u64::try_from(seed).map_err(|_| {
            Fault::new(&codes::BAD_ARGUMENT, format!("`seed` must be at least 0, not {seed}")).about("seed")
        })?;
        Ok(spec.into())
    }
}

/// Sample `i` of a seed, from 0 to below 1: the top 24 bits of splitmix64 (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014).
fn sample(seed: u64, i: u64) -> f32 {
    let mut z = seed.wrapping_add(i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32
}

impl OpSpec for FractionalMaxPool2dSpec {
    const NAME: &'static str = "FractionalMaxPool2d";
    const DEF: OpDef = OpDef {
        name: "fractional_max_pool",
        doc: "maximum over windows at random distances",
        params: &[
            Param::required("kernel", Kind::Pair, "height and width of the window"),
            Param::required("output_size", Kind::Pair, "height and width of the output"),
            Param::optional("seed", Kind::Int, "0", "where the windows lie"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let [channels, height, width] = map_input("fractional_max_pool", inputs)?;
        for (axis, n) in [height, width].into_iter().enumerate() {
            let (kernel, outputs, name) = (self.kernel_size[axis], self.output_size[axis], ["height", "width"][axis]);
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
        Shape::new(&[channels, self.output_size[0], self.output_size[1]])
    }

    fn reach(&self, input: &Shape, output: &Shape) -> Reach {
        Reach::spread(&self.kernel_size, input, output)
    }
}
