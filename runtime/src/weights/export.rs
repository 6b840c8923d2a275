//! Weights under other names, and as the bytes of a file.

use super::{Entry, Weights};
use crate::Error;
use crate::tensor::TensorView;
use safetensors::Dtype;
use std::borrow::Cow;
use std::collections::BTreeMap;

impl Weights {
    /// The type in which a tensor is stored, as safetensors writes it: `F32`, `BF16`, `I64`.
    pub fn dtype(&self, name: &str) -> Option<String> {
        self.0.entries.get(name).map(|entry| entry.dtype.to_string())
    }

    /// Whether there is a tensor of this name whose type is F32 or converts to it.
    pub fn is_float(&self, name: &str) -> bool {
        self.0.entries.get(name).is_some_and(Entry::is_float)
    }

    /// These tensors alone, each under a new name: pairs of the new name and the one here.
    /// What lies in a file is not copied.
    ///
    /// # Errors
    /// No tensor of a name.
    pub fn renamed(&self, names: &BTreeMap<String, String>) -> Result<Self, Error> {
        let entry = |name: &String| self.0.entries.get(name).cloned().ok_or_else(|| self.missing(name));
        let entries: Result<_, Error> = names.iter().map(|(new, name)| Ok((new.clone(), entry(name)?))).collect();
        let (origin, bytes) = (self.0.origin.clone(), self.0.bytes.clone());
        Ok(Self::new(origin, bytes, entries?))
    }

    /// All tensors as a safetensors file of f32, in the order of their names: the same weights make the same bytes.
    ///
    /// # Errors
    /// A tensor whose type does not convert to f32.
    ///
    /// ```
    /// use cnn_runtime::{Tensor, Weights};
    ///
    /// # fn main() -> Result<(), cnn_runtime::Error> {
    /// let weights = Weights::from_tensors([("fc.bias".to_owned(), Tensor::new(&[2], vec![0.5, -0.5])?)])?;
    /// let again = Weights::from_bytes(weights.to_safetensors()?)?;
    /// assert_eq!(again.get("fc.bias")?, weights.get("fc.bias")?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_safetensors(&self) -> Result<Vec<u8>, Error> {
        let tensors: Result<Vec<_>, Error> = self.names().map(|name| Ok((name, Stored(self.get(name)?)))).collect();
        safetensors::serialize(tensors?, None)
            .map_err(|error| Error::BadWeights { origin: self.0.origin.clone(), reason: error.to_string() })
    }
}

/// A tensor on its way into a safetensors file.
struct Stored<'a>(TensorView<'a>);

impl safetensors::View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.0.data().iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        size_of_val(self.0.data())
    }
}
