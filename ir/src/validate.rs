//! The check every network passes once; after it, a failure is a bug.

use crate::network::join;
use crate::{BuildError, Fault, Network, Shape, codes};
use std::collections::BTreeSet;

impl Network {
    /// Checks that the network is whole: inputs and outputs exist, values are made before they are used, every shape
    /// is what the op's rule says, and names are unique within their block.
    ///
    /// # Errors
    /// The first fault found, with the layer's full name.
    pub fn validate(&self) -> Result<(), BuildError> {
        let error = |path: &str, fault| Err(BuildError { path: path.to_owned(), fault });
        if self.inputs.is_empty() || self.outputs.is_empty() {
            let missing = if self.inputs.is_empty() { "input" } else { "output" };
            return error(&self.name, Fault::new(&codes::INCOMPLETE_NETWORK, format!("the model has no {missing}")));
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let limit = self.value_of(index);
            if layer.inputs.iter().any(|value| *value >= limit) {
                let fault = Fault::new(&codes::SHAPE_MISMATCH, "the layer uses a value that is made later");
                return error(&self.path(index), fault);
            }
            let shapes: Vec<&Shape> = layer.inputs.iter().map(|value| self.shape(*value)).collect();
            let shape = match layer.op.output_shape(&shapes) {
                Ok(shape) => shape,
                Err(fault) => return error(&self.path(index), fault),
            };
            if shape != layer.shape {
                let message = format!("the layer makes {shape}, but says {}", layer.shape);
                return error(&self.path(index), Fault::new(&codes::SHAPE_MISMATCH, message));
            }
        }
        let values = self.inputs.len() + self.layers.len();
        if let Some(output) = self.outputs.iter().find(|output| output.value.index() >= values) {
            return error(&output.name, Fault::new(&codes::SHAPE_MISMATCH, "the output names no value"));
        }
        self.check_names()
    }

    fn check_names(&self) -> Result<(), BuildError> {
        let mut seen = BTreeSet::new();
        // Full names, since a name may hold dots itself.
        let layers = self.layers.iter().map(|layer| (layer.block, &layer.name));
        let blocks = self.blocks.iter().filter_map(|block| block.parent.map(|parent| (parent, &block.name)));
        for (block, name) in layers.chain(blocks) {
            let path = join(&self.block_path(block), name);
            if seen.contains(&path) {
                let fault = Fault::new(&codes::DUPLICATE_NAME, format!("two layers are named `{name}`"));
                return Err(BuildError { path, fault });
            }
            seen.insert(path);
        }
        for (kind, names) in [
            ("inputs", self.inputs.iter().map(|input| &input.name).collect::<Vec<_>>()),
            ("outputs", self.outputs.iter().map(|output| &output.name).collect()),
        ] {
            let mut seen = BTreeSet::new();
            if let Some(name) = names.into_iter().find(|name| !seen.insert(*name)) {
                let fault = Fault::new(&codes::DUPLICATE_NAME, format!("two {kind} are named `{name}`"));
                return Err(BuildError { path: name.clone(), fault });
            }
        }
        Ok(())
    }
}
