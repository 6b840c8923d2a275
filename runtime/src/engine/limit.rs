//! The least time that a layer can take on a machine: what its arithmetic and its bytes allow.
//!
//! Arithmetic counts the multiplications that no implementation of an algorithm gets around: those of the direct
//! computation, or the products of a Winograd convolution that the error model allows, without its transforms. Bytes are
//! the weights that the algorithm reads, once, and the layer's inputs and outputs. Layers are taken one by one: what
//! would be saved by computing several at once is not counted.

use super::kernels::blocked::winograd_error::{LAYER_TOLERANCE, error};
use super::{Isa, Threads};
use crate::Error;
use cnn_ir::ops::{Conv2dSpec, PadMode};
use cnn_ir::{Network, Op};

/// Sizes of memory at which a machine is measured: powers of two, from what a first-level cache holds to what no cache does.
const SIZES: std::ops::RangeInclusive<u32> = 14..=27;

/// What a machine does at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Floating-point operations per second of all threads together.
    pub flops: f64,
    /// Bytes per second that all threads together read from memory of some sizes, ascending.
    pub rates: Vec<(usize, f64)>,
}

impl Machine {
    /// Measures the machine with this instruction set on this many threads. Takes some 200 ms, and 128 MB.
    ///
    /// # Errors
    /// An instruction set that this CPU lacks, threads that the system does not start, or not enough memory.
    pub fn measure(isa: Isa, threads: usize) -> Result<Self, Error> {
        let threads = Threads::new(threads)?;
        let rate = |size: u32| Ok((1 << size, isa.read_rate(1 << size, &threads)?));
        Ok(Self {
            flops: isa.peak_flops()? * threads.count() as f64,
            rates: SIZES.map(rate).collect::<Result<_, Error>>()?,
        })
    }

    /// Bytes per second from memory of this size; between measured sizes the higher of both.
    pub fn rate(&self, bytes: f64) -> f64 {
        let mut pairs = self.rates.iter().zip(self.rates.iter().skip(1));
        match (pairs.find(|(_, above)| bytes < above.0 as f64), self.rates.last()) {
            (Some((below, above)), _) => below.1.max(above.1),
            (None, Some(largest)) => largest.1,
            (None, None) => f64::INFINITY,
        }
    }
}

/// The least seconds of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limit {
    /// Arithmetic of the direct computation.
    pub direct: f64,
    /// Arithmetic of the algorithm that can be fastest.
    pub arithmetic: f64,
    /// The bytes that this algorithm moves.
    pub bytes: f64,
}

impl Limit {
    /// Arithmetic and moving take place at the same time.
    pub fn seconds(&self) -> f64 {
        self.arithmetic.max(self.bytes)
    }
}

impl Machine {
    /// The limits of all layers of a network, in their order, for one batch; `exact` forbids Winograd's algorithm.
    pub fn limits(&self, network: &Network, isa: Isa, batch: usize, exact: bool) -> Vec<Limit> {
        // The weights of all layers take turns in the caches.
        let weight_rate = self.rate(network.memory().weights as f64);
        let bytes = |elements: f64| elements * size_of::<f32>() as f64;
        let layers = network.layers.iter().enumerate().map(|(number, layer)| {
            let inputs: usize = layer.inputs.iter().map(|&input| network.shape(input).elements()).sum();
            let values = bytes((inputs + layer.shape.elements()) as f64 * batch as f64);
            let weights: u64 = layer.op.parameters().iter().map(|tensor| tensor.elements()).sum();
            let limit = |work: Work| Limit {
                direct: 0.0,
                arithmetic: 2.0 * work.macs * batch as f64 / self.flops,
                bytes: bytes(work.weights) / weight_rate + values / self.rate(values),
            };
            let direct = limit(Work { macs: network.layer_cost(number).macs as f64, weights: weights as f64 });
            let winograd = match &layer.op {
                Op::Conv2d(spec) if !exact => winograd(spec, &layer.shape, isa),
                _ => Vec::new(),
            };
            let best = winograd
                .into_iter()
                .map(limit)
                .fold(direct, |best, other| if other.seconds() < best.seconds() { other } else { best });
            Limit { direct: direct.arithmetic, ..best }
        });
        layers.collect()
    }
}

/// What an algorithm does for a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Work {
    /// Multiply-adds for one example.
    macs: f64,
    /// Elements of the weights that it reads.
    weights: f64,
}

/// F(m×m, 3×3) for each m that the error model allows, on whole vectors of output channels.
fn winograd(spec: &Conv2dSpec, output: &[usize], isa: Isa) -> Vec<Work> {
    let fits = spec.kernel_size == [3, 3] && spec.stride == [1, 1] && spec.dilation == [1, 1] && spec.groups == 1;
    let (&[channels, height, width], true) = (output, fits && spec.padding_mode == PadMode::Zeros) else {
        return Vec::new();
    };
    let allowed = [2, 4, 6].into_iter().filter(|&m| error(m, spec.in_channels) <= LAYER_TOLERANCE);
    let work = allowed.map(|m| {
        let points = ((m + 2) * (m + 2)) as f64;
        let weights = points * (spec.in_channels * channels.next_multiple_of(isa.lanes())) as f64;
        Work { macs: weights * (height.div_ceil(m) * width.div_ceil(m)) as f64, weights }
    });
    work.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cnn_ir::ops::{DenseSpec, MaxPool2dSpec};
    use cnn_ir::{BuildError, Builder, NetworkBuilder};

    /// A multiply-add and a byte take a nanosecond, a tenth of that when there are less than 2²⁰ bytes.
    fn machine() -> Machine {
        Machine { flops: 2e9, rates: vec![(1 << 10, 10e9), (1 << 20, 1e9)] }
    }

    /// A layer, its input, the batch, whether exact; nanoseconds of arithmetic, direct and best, and of weights and values.
    type Case<'a> = (Op, &'a [usize], usize, bool, [f64; 4]);

    #[test]
    fn of_layers() -> Result<(), BuildError> {
        let conv = |channels: [usize; 2]| Conv2dSpec {
            padding: [1; 4],
            bias: false,
            ..Conv2dSpec::new(channels[0], channels[1], [3, 3])
        };
        let (square, narrow) = (conv([16, 16]), conv([16, 1]));
        let (map, wide) = (&[16, 8, 8][..], Conv2dSpec { stride: [2, 2], ..square.clone() });
        let cases: [Case<'_>; 8] = [
            (DenseSpec::new(1000, 1000).into(), &[1000], 1, false, [1e6, 1e6, 4_004e3, 800.0]),
            (DenseSpec::new(1000, 1000).into(), &[1000], 8, false, [8e6, 8e6, 4_004e3, 6400.0]),
            (square.clone().into(), map, 1, false, [147_456.0, 36_864.0, 3_686.4, 819.2]),
            (square.clone().into(), map, 3, false, [442_368.0, 110_592.0, 3_686.4, 2_457.6]),
            (square.into(), map, 1, true, [147_456.0, 147_456.0, 921.6, 819.2]),
            // 16 lanes for a channel are more than Winograd's algorithm saves.
            (narrow.into(), map, 1, false, [9_216.0, 9_216.0, 57.6, 435.2]),
            (wide.into(), map, 1, false, [36_864.0, 36_864.0, 921.6, 512.0]),
            (MaxPool2dSpec::new([2, 2], [2, 2]).into(), map, 1, false, [0.0, 0.0, 0.0, 512.0]),
        ];
        for (op, shape, batch, exact, [direct, arithmetic, weights, values]) in cases {
            let name = format!("{op:?}, {batch} examples");
            let mut net = NetworkBuilder::new("Net");
            let x = net.input("x", shape)?;
            let y = net.layer("layer", op, &[&x])?;
            net.output("y", &y)?;
            let found = machine().limits(&net.finish()?, Isa::Avx512, batch, exact);
            let found =
                found.iter().map(|limit| [limit.direct, limit.arithmetic, limit.bytes].map(|s| (1e10 * s).round()));
            let expected = [direct, arithmetic, weights + values].map(|ns| (10.0 * ns).round());
            assert_eq!(found.collect::<Vec<_>>(), [expected], "{name}");
        }
        Ok(())
    }

    #[test]
    fn what_takes_longer_limits() {
        for (arithmetic, bytes, seconds) in [(2.0, 1.0, 2.0), (1.0, 3.0, 3.0)] {
            assert_eq!(Limit { direct: 9.0, arithmetic, bytes }.seconds(), seconds);
        }
    }

    #[test]
    fn a_rate_between_sizes_is_the_higher() {
        for (bytes, rate) in [(0.0, 10e9), (2e3, 10e9), (1e6, 10e9), (2e6, 1e9)] {
            assert_eq!(machine().rate(bytes), rate, "{bytes}");
        }
        assert_eq!(Machine { flops: 1.0, rates: Vec::new() }.rate(1.0), f64::INFINITY);
    }
}
