//! What a program is compiled for, and how its kernels are chosen.

use super::Isa;
use super::kernels::blocked::winograd_error::{LAYER_TOLERANCE, error};
use super::layout::Layout;
use super::select::{Candidate, Layer, candidates};
use super::tuning::{LayerTimes, key, measured};
use crate::{Error, WeightDtype};
use cnn_ir::Op;
use std::fmt;
use std::str::FromStr;

/// Elements by which a layer's packed weights may exceed the originals where memory is short: 512 KiB.
const LITTLE: usize = 1 << 17;

/// What a program is compiled for.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The instruction set.
    pub isa: Isa,
    /// Whether only kernels are chosen that do the arithmetic that the layer says: no Winograd convolution.
    pub exact: bool,
    /// Whether only kernels are chosen whose packed weights are hardly larger than the originals.
    pub low_memory: bool,
    /// A kernel that is chosen wherever it can run a layer, whatever the cost model says.
    pub algorithm: Option<Algorithm>,
    /// How the weights of dense layers are stored.
    pub weight_dtype: WeightDtype,
    /// Whether maps may lie in blocks of channels.
    pub blocked: bool,
    /// Whether what is concatenated is made where the result lies.
    pub join_in_place: bool,
    /// Whether a result may take over the memory of an input that nothing reads later.
    pub overwrite: bool,
    /// Measured times, which go before those of the cost model for layers all of whose kernels were measured.
    pub(crate) times: Option<LayerTimes>,
}

/// A kernel that can be asked for: one of [`Algorithm::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm(&'static str);

impl Algorithm {
    /// `plain` and `blocked` are the kernels for maps in NCHW and in blocks of channels, `naive` a convolution without
    /// vectors, `first` one from NCHW into blocks, and `winograd4` that of Lavin and Gray, "Fast Algorithms for
    /// Convolutional Neural Networks" (2015), with tiles of 4×4. `winograd6` runs only when it is asked for: the error
    /// model allows its larger tiles for no layer.
    pub const ALL: [Self; 8] = [
        Self("plain"),
        Self("naive"),
        Self("blocked"),
        Self("first"),
        Self("depthwise"),
        Self("winograd2"),
        Self("winograd4"),
        Self("winograd6"),
    ];
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.0 == name);
        found.ok_or_else(|| Error::UnknownAlgorithm { name: name.to_owned(), known: Self::ALL.map(|a| a.0).join(", ") })
    }
}

impl Default for Target {
    /// The best instruction set of this CPU, and what the cost model finds.
    fn default() -> Self {
        Self {
            isa: Isa::detect(),
            exact: false,
            low_memory: false,
            algorithm: None,
            weight_dtype: WeightDtype::F32,
            blocked: true,
            join_in_place: true,
            overwrite: true,
            times: None,
        }
    }
}

impl Target {
    /// The kernels that may run a layer, with the times that the choice goes by.
    pub(crate) fn candidates(&self, layer: &Layer<'_>) -> Result<Vec<Candidate>, Error> {
        let mut found = candidates(layer)?;
        let wanted =
            |candidate: &Candidate| self.algorithm.is_some_and(|Algorithm(name)| name == candidate.algorithm());
        found.retain(|candidate| match (winograd_tile(candidate.algorithm()), layer.op) {
            (Some(tile), Op::Conv2d(spec)) => {
                let more = spec.in_channels.saturating_mul(spec.out_channels).saturating_mul((tile + 2).pow(2) - 9);
                let is_refused = self.exact || (self.low_memory && more > LITTLE);
                !is_refused && (wanted(candidate) || error(tile, spec.in_channels) <= LAYER_TOLERANCE)
            }
            (None, Op::Dense(_)) => candidate.algorithm() == dense(self.weight_dtype),
            _ => true,
        });
        let is_plain =
            |candidate: &Candidate| candidate.way.takes == Layout::Plain && candidate.way.makes == Layout::Plain;
        if !self.blocked && found.iter().any(is_plain) {
            found.retain(is_plain);
        }
        if let Some(times) = self.times.as_ref().and_then(|times| measured(times, &key(layer), &found)) {
            for candidate in &mut found {
                if let Some(&seconds) = times.get(candidate.algorithm()) {
                    (candidate.way.cost, candidate.is_measured) = (seconds, true);
                }
            }
            if found.iter().any(|candidate| candidate.is_measured) {
                // What is never measured does not compare.
                found.retain(|candidate| candidate.is_measured || wanted(candidate));
            }
        }
        if let Some(Algorithm(algorithm)) = self.algorithm
            && found.iter().any(|candidate| candidate.algorithm() == algorithm)
        {
            // Whatever it costs; what is left decides between layouts.
            found.retain(|candidate| candidate.algorithm() == algorithm);
        }
        Ok(found)
    }
}

/// The kernel of dense layers, by how their weights are stored.
fn dense(dtype: WeightDtype) -> &'static str {
    match dtype {
        WeightDtype::F32 => "plain",
        WeightDtype::F16 => "f16",
        WeightDtype::Bf16 => "bf16",
    }
}

/// The size of the tiles of a Winograd convolution, by its name.
fn winograd_tile(algorithm: &str) -> Option<usize> {
    algorithm.strip_prefix("winograd")?.parse().ok()
}
