//! The check every network passes once; after it, a failure is a bug.

use crate::network::join;
use crate::{Block, BlockId, BuildError, Fault, Network, Shape, ValueId, codes};
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
        self.check_training()?;
        self.check_sharing()?;
        self.check_names()
    }

    /// Nothing that is there in inference depends on a value that is not.
    fn check_training(&self) -> Result<(), BuildError> {
        let is_train_only = |value: &ValueId| self.producer(*value).is_some_and(|layer| self.layers[layer].train_only);
        let fault = || Fault::new(&codes::TRAIN_ONLY_VALUE, "depends on a value that exists in training only");
        for (index, layer) in self.layers.iter().enumerate().filter(|(_, layer)| !layer.train_only) {
            if layer.inputs.iter().any(is_train_only) {
                return Err(BuildError { path: self.path(index), fault: fault() });
            }
        }
        match self.outputs.iter().find(|output| !output.train_only && is_train_only(&output.value)) {
            Some(output) => Err(BuildError { path: output.name.clone(), fault: fault() }),
            None => Ok(()),
        }
    }

    /// A layer shares the parameters of an earlier one; within an instance that is applied again every layer does.
    fn check_sharing(&self) -> Result<(), BuildError> {
        for (index, layer) in self.layers.iter().enumerate() {
            let fits = match layer.shares {
                Some(of) => of < index && self.layers[of].op.parameters() == layer.op.parameters(),
                None => self.blocks[layer.block.index()].shares.is_none(),
            };
            if !fits {
                let fault = Fault::new(&codes::NOT_SHARED, "the layer does not have the parameters it shares");
                return Err(BuildError { path: self.path(index), fault });
            }
        }
        let within = |block: &Block| block.parent.is_some_and(|parent| self.blocks[parent.index()].shares.is_some());
        match self.blocks.iter().position(|block| block.shares.is_none() && within(block)) {
            Some(block) => {
                let fault = Fault::new(&codes::NOT_SHARED, "not in the block instance that is applied again");
                Err(BuildError { path: self.block_path(BlockId(block as u32)), fault })
            }
            None => Ok(()),
        }
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
