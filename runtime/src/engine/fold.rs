//! Batch norm as one factor and one addend per channel, and folded into the weights of the layer before it.

use super::select::Layer;
use crate::buffer::Buffer;
use crate::weights::SharedTensor;
use crate::{Error, Weights};
use cnn_ir::OpSpec;
use cnn_ir::ops::BatchNormSpec;
use std::borrow::Cow;
use std::sync::Arc;

/// y = factor · x + addend, for each channel.
pub(crate) struct Affine {
    factors: Vec<f64>,
    addends: Vec<f64>,
}

impl Affine {
    /// What a batch norm computes; `names` are its parameters' full names, in its order.
    pub fn new(norm: &BatchNormSpec, names: &[String], weights: &Weights) -> Result<Self, Error> {
        let tensors = norm.parameters();
        let tensor = |name: &str, default: f64| match tensors.iter().zip(names).find(|(tensor, _)| tensor.name == name)
        {
            Some((_, full)) => Ok(weights.get(full)?.data().iter().map(|&v| f64::from(v)).collect()),
            None => Ok::<Vec<f64>, Error>(vec![default; norm.num_features]),
        };
        let (mean, variance) = (tensor("running_mean", 0.0)?, tensor("running_var", 1.0)?);
        let (weight, bias) = (tensor("weight", 1.0)?, tensor("bias", 0.0)?);
        let factors: Vec<f64> = weight.iter().zip(&variance).map(|(w, v)| w / (v + norm.eps).sqrt()).collect();
        let addends = bias.iter().zip(&mean).zip(&factors).map(|((b, m), f)| b - m * f).collect();
        Ok(Self { factors, addends })
    }

    /// Factors and addends.
    pub fn to_f32(&self) -> [Vec<f32>; 2] {
        [&self.factors, &self.addends].map(|values| values.iter().map(|&v| v as f32).collect())
    }

    fn fold_bias(&self, bias: &[f32]) -> Vec<f32> {
        let bias = bias.iter().copied().chain(std::iter::repeat(0.0));
        let channels = self.factors.iter().zip(&self.addends);
        channels.zip(bias).map(|((&factor, &addend), bias)| (f64::from(bias) * factor + addend) as f32).collect()
    }
}

/// A weight to be packed: one row per output channel, whose factors are still to be multiplied in.
pub(crate) struct Unpacked<'a> {
    pub elements: &'a [f32],
    /// None when all are one.
    pub factors: &'a [f64],
}

impl<'a> Unpacked<'a> {
    /// The weight times its factors.
    pub fn folded(&self) -> Cow<'a, [f32]> {
        if self.factors.is_empty() {
            return Cow::Borrowed(self.elements);
        }
        let row = self.elements.len() / self.factors.len();
        let rows = self.elements.chunks_exact(row.max(1)).zip(self.factors);
        Cow::Owned(rows.flat_map(|(row, &factor)| row.iter().map(move |&w| (f64::from(w) * factor) as f32)).collect())
    }
}

/// A layer's weights with what is folded into them.
impl Layer<'_> {
    /// The folded batch norm and a name for it.
    fn folded(&self, weights: &Weights) -> Result<Option<(Affine, String)>, Error> {
        let Some(norm) = self.norm else { return Ok(None) };
        let names = self.parameters.get(self.op.parameters().len()..).unwrap_or(&[]);
        Ok(Some((Affine::new(norm, names, weights)?, format!("with {norm:?} {}, ", names.join(" ")))))
    }

    /// What `pack` makes of the weight in a buffer of at least so many zeros.
    pub fn packed_weight(
        &self,
        weights: &Weights,
        packing: &str,
        elements: usize,
        pack: impl FnOnce(&Unpacked<'_>, &mut Buffer) -> Result<(), Error>,
    ) -> Result<Arc<Buffer>, Error> {
        let name = self.parameter("weight")?;
        let (factors, folding) = match self.folded(weights)? {
            None => (Vec::new(), String::new()),
            Some((norm, folding)) => (norm.factors, folding),
        };
        weights.packed(name, &format!("{folding}{packing}"), elements, |elements, to| {
            pack(&Unpacked { elements, factors: &factors }, to)
        })
    }

    /// What `pack` makes of the bias in a buffer of at least so many zeros; `None` where there is none.
    pub fn packed_bias(
        &self,
        weights: &Weights,
        packing: &str,
        elements: usize,
        pack: impl FnOnce(&[f32], &mut [f32]),
    ) -> Result<Option<Arc<Buffer>>, Error> {
        let bias = self.parameter("bias").ok();
        Ok(Some(match (self.folded(weights)?, bias) {
            (None, None) => return Ok(None),
            (None, Some(bias)) => weights.packed(bias, packing, elements, |bias, to| {
                pack(bias, to.as_mut_slice());
                Ok(())
            })?,
            (Some((norm, folding)), Some(bias)) => {
                weights.packed(bias, &format!("{folding}{packing}"), elements, |bias, to| {
                    pack(&norm.fold_bias(bias), to.as_mut_slice());
                    Ok(())
                })?
            }
            (Some((norm, _)), None) => {
                let mut to = Buffer::zeros(elements, "packed weights")?;
                pack(&norm.fold_bias(&[]), to.as_mut_slice());
                Arc::new(to)
            }
        }))
    }

    /// The bias as a blocked pixel has it, with zeros behind the last channel; zeros where there is none.
    pub fn blocked_bias(&self, weights: &Weights) -> Result<Arc<Buffer>, Error> {
        let (lanes, channels) = (self.isa.lanes(), self.output.first().copied().unwrap_or(0));
        let elements = channels.next_multiple_of(lanes);
        let bias = self.packed_bias(weights, &format!("in blocks of {lanes}"), elements, copy)?;
        bias.map_or_else(|| Ok(Arc::new(Buffer::zeros(elements, "packed weights")?)), Ok)
    }

    /// The weight, where it lies when nothing is folded into it.
    pub fn weight(&self, weights: &Weights) -> Result<SharedTensor, Error> {
        let name = self.parameter("weight")?;
        match self.norm {
            None => weights.shared(name),
            Some(_) => {
                let elements = weights.get(name)?.data().len();
                let buffer = self.packed_weight(weights, "as it is", elements, |weight, to| {
                    copy(&weight.folded(), to.as_mut_slice());
                    Ok(())
                })?;
                Ok(SharedTensor::Packed { buffer, elements })
            }
        }
    }

    /// The bias, likewise; `None` where there is none.
    pub fn bias(&self, weights: &Weights) -> Result<Option<SharedTensor>, Error> {
        match (self.norm, self.parameter("bias")) {
            (None, Err(_)) => Ok(None),
            (None, Ok(name)) => weights.shared(name).map(Some),
            (Some(norm), _) => {
                let elements = norm.num_features;
                let buffer = self.packed_bias(weights, "as it is", elements, copy)?;
                Ok(buffer.map(|buffer| SharedTensor::Packed { buffer, elements }))
            }
        }
    }
}

/// Copies to the beginning of what has room for it.
fn copy(from: &[f32], to: &mut [f32]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}
