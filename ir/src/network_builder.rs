//! The builder that makes a [`Network`].

use crate::network::join;
use crate::{
    Block, BlockId, BuildError, Builder, Fault, Input, Layer, Member, Network, Op, Output, ReceptiveField, Shape, Span,
    ValueId, codes,
};
use std::collections::BTreeMap;

/// Makes a [`Network`], inferring shapes.
#[derive(Debug, Clone)]
pub struct NetworkBuilder {
    network: Network,
    current: BlockId,
    span: Span,
    labelled: bool,
    /// How many `begin_train_only` are open.
    train_only: usize,
    /// Of the values that were there when one was asked for.
    fields: Vec<ReceptiveField>,
}

impl NetworkBuilder {
    /// The most layers a network may have.
    pub const MAX_LAYERS: usize = 100_000;

    /// An empty network.
    pub fn new(name: &str) -> Self {
        let root = Block {
            name: String::new(),
            definition: name.to_owned(),
            doc: String::new(),
            parent: None,
            shares: None,
            train_only: false,
            members: Vec::new(),
            span: Span::default(),
        };
        let network = Network {
            name: name.to_owned(),
            inputs: Vec::new(),
            layers: Vec::new(),
            outputs: Vec::new(),
            blocks: vec![root],
            training: None,
        };
        Self {
            network,
            current: BlockId::ROOT,
            span: Span::default(),
            labelled: false,
            train_only: 0,
            fields: Vec::new(),
        }
    }

    /// Sets the documentation of the current block; outside of all, the model's.
    pub fn set_doc(&mut self, doc: &str) {
        doc.clone_into(&mut self.current_block().doc);
    }

    /// Sets where the next calls were written, and whether the next layer's name is a label.
    pub fn set_place(&mut self, span: Span, labelled: bool) {
        self.span = span;
        self.labelled = labelled;
    }

    /// Sets how the weights of the layer made last start when they are trained, in cnn-recipe's words.
    pub fn set_initialiser(&mut self, initialiser: &str) {
        if let Some(layer) = self.network.layers.last_mut() {
            layer.initialiser = Some(initialiser.to_owned());
        }
    }

    /// The shape of a value made so far; `None` for a value of another network.
    pub fn shape(&self, value: ValueId) -> Option<&Shape> {
        let made = value < self.network.value_of(self.network.layers.len());
        made.then(|| self.network.shape(value))
    }

    /// The receptive field of a value made so far; `None` for a value of another network.
    pub fn receptive_field(&mut self, value: ValueId) -> Option<&ReceptiveField> {
        self.network.extend_receptive_fields(&mut self.fields);
        self.fields.get(value.index())
    }

    /// The number of layers made so far.
    pub fn layers(&self) -> usize {
        self.network.layers.len()
    }

    /// What the current block contains so far.
    pub fn members(&self) -> &[Member] {
        self.network.blocks.get(self.current.index()).map_or(&[], |block| &block.members)
    }

    /// Whether a value exists in training only.
    pub fn is_train_only(&self, value: ValueId) -> bool {
        let layer = self.network.producer(value).and_then(|layer| self.network.layers.get(layer));
        layer.is_some_and(|layer| layer.train_only)
    }

    /// Applies a layer or block instance of this block, or of one around it, again: what took `from` takes `to`, unless
    /// the layer and the position of its input are among those that stay. Gives what takes the place of `result`.
    ///
    /// # Errors
    /// Too many layers; inputs that some op cannot take, and then what was made until then stays.
    pub fn share(
        &mut self,
        name: &str,
        member: Member,
        (from, to): (ValueId, ValueId),
        result: ValueId,
        mut stays: impl FnMut(usize, usize) -> bool,
    ) -> Result<ValueId, BuildError> {
        if self.layers() + self.network.layers_in(member) > Self::MAX_LAYERS {
            let fault = Fault::new(&codes::TOO_LARGE, format!("more than {} layers", Self::MAX_LAYERS));
            return Err(self.error(name, fault));
        }
        let mut again = Again { from, to, places: BTreeMap::new(), stays: &mut stays };
        let outside = self.current;
        let made = self.share_member(Some(name), member, &mut again);
        self.current = outside;
        made?;
        Ok(again.places.get(&result).copied().unwrap_or(if result == from { to } else { result }))
    }

    /// The network, validated.
    ///
    /// # Errors
    /// What [`Network::validate`] finds.
    pub fn finish(self) -> Result<Network, BuildError> {
        self.network.validate()?;
        Ok(self.network)
    }

    /// Makes a member again, under this name if it is the one that is shared and no part of it.
    fn share_member(&mut self, name: Option<&str>, member: Member, again: &mut Again<'_>) -> Result<(), BuildError> {
        match member {
            Member::Layer(index) => {
                let Layer { name: old, op, inputs, labelled, .. } = self.network.layers[index].clone();
                let inputs = inputs.iter().enumerate().map(|(input, value)| again.input(index, input, *value));
                let inputs: Vec<ValueId> = inputs.collect();
                let inputs: Vec<&ValueId> = inputs.iter().collect();
                self.labelled = if name.is_some() { self.labelled } else { labelled };
                let of: Option<String> = self.network.shared_layer(index).map(Into::into);
                let made = match (name, of) {
                    (Some(name), _) => {
                        let shares = self.check_shared(name, Some(member), &op)?;
                        self.add_layer(name, Some(shares), op, &inputs)?
                    }
                    (None, Some(of)) => self.share_layer(&old, &of, op, &inputs)?,
                    (None, None) => self.layer(&old, op, &inputs)?,
                };
                again.places.insert(self.network.value_of(index), made);
            }
            Member::Block(id) => {
                let Block { name: old, definition, doc, members, .. } = self.network.blocks[id.index()].clone();
                let of: Option<String> = self.network.shared_block(id).map(Into::into);
                match (name, of) {
                    (Some(name), _) => self.add_block(name, &definition, Some(id)),
                    (None, Some(of)) => self.begin_shared_block(&old, &of, &definition)?,
                    (None, None) => self.begin_block(&old, &definition),
                }
                self.set_doc(&doc);
                members.into_iter().try_for_each(|member| self.share_member(None, member, again))?;
                self.end_block();
            }
        }
        Ok(())
    }

    fn error(&self, name: &str, fault: Fault) -> BuildError {
        BuildError { path: join(&self.network.block_path(self.current), name), fault }
    }

    fn current_block(&mut self) -> &mut Block {
        &mut self.network.blocks[self.current.index()]
    }

    fn add_layer(
        &mut self,
        name: &str,
        shares: Option<usize>,
        op: Op,
        inputs: &[&ValueId],
    ) -> Result<ValueId, BuildError> {
        let index = self.network.layers.len();
        if index >= Self::MAX_LAYERS {
            let fault = Fault::new(&codes::TOO_LARGE, format!("more than {} layers", Self::MAX_LAYERS));
            return Err(self.error(name, fault));
        }
        if inputs.iter().any(|value| **value >= self.network.value_of(index)) {
            let fault = Fault::new(&codes::SHAPE_MISMATCH, "an input is a value of another network");
            return Err(self.error(name, fault));
        }
        let shapes: Vec<&Shape> = inputs.iter().map(|value| self.network.shape(**value)).collect();
        let shape = op.output_shape(&shapes).map_err(|fault| self.error(name, fault))?;
        self.network.layers.push(Layer {
            name: name.to_owned(),
            labelled: self.labelled,
            block: self.current,
            shares,
            train_only: self.train_only > 0,
            op,
            initialiser: None,
            inputs: inputs.iter().map(|value| **value).collect(),
            shape,
            span: self.span,
        });
        self.current_block().members.push(Member::Layer(index));
        Ok(self.network.value_of(index))
    }

    fn add_block(&mut self, name: &str, definition: &str, shares: Option<BlockId>) {
        let id = BlockId(self.network.blocks.len() as u32);
        self.network.blocks.push(Block {
            name: name.to_owned(),
            definition: definition.to_owned(),
            doc: String::new(),
            parent: Some(self.current),
            shares,
            train_only: self.train_only > 0,
            members: Vec::new(),
            span: self.span,
        });
        self.current_block().members.push(Member::Block(id));
        self.current = id;
    }

    /// The member of the instance applied again that stands where the next one will; `None` outside of such an instance.
    fn counterpart(&self) -> Option<Option<Member>> {
        let block = &self.network.blocks[self.current.index()];
        let earlier = &self.network.blocks[block.shares?.index()];
        Some(earlier.members.get(block.members.len()).copied())
    }

    /// The member of this name in the current block or the nearest around it.
    fn find_member(&self, name: &str) -> Option<Member> {
        let named = |member: &&Member| match **member {
            Member::Layer(layer) => self.network.layers[layer].name == name,
            Member::Block(block) => self.network.blocks[block.index()].name == name,
        };
        let mut block = Some(self.current);
        while let Some(id) = block {
            let Block { members, parent, .. } = &self.network.blocks[id.index()];
            if let Some(member) = members.iter().find(named) {
                return Some(*member);
            }
            block = *parent;
        }
        None
    }

    /// Refuses to give a layer the parameters of another one whose are different.
    fn check_shared(&self, name: &str, of: Option<Member>, op: &Op) -> Result<usize, BuildError> {
        match of {
            Some(Member::Layer(of)) if self.network.layers[of].op.parameters() == op.parameters() => Ok(of),
            _ => Err(self.error(name, Fault::new(&codes::NOT_SHARED, "no layer with these parameters to share"))),
        }
    }
}

/// A member that is made again.
struct Again<'a> {
    /// What came in, and what comes in now.
    from: ValueId,
    to: ValueId,
    /// What takes the place of the values made in it.
    places: BTreeMap<ValueId, ValueId>,
    /// Whether an input of a layer stays as it was although it is what came in.
    stays: &'a mut dyn FnMut(usize, usize) -> bool,
}

impl Again<'_> {
    fn input(&mut self, layer: usize, input: usize, value: ValueId) -> ValueId {
        let stays = (self.stays)(layer, input);
        match self.places.get(&value) {
            Some(made) => *made,
            None if value == self.from && !stays => self.to,
            None => value,
        }
    }
}

impl Builder for NetworkBuilder {
    type Value = ValueId;

    fn input(&mut self, name: &str, shape: &[usize]) -> Result<ValueId, BuildError> {
        if !self.network.layers.is_empty() {
            let fault = Fault::new(&codes::INCOMPLETE_NETWORK, "inputs come before the first layer");
            return Err(self.error(name, fault));
        }
        let shape = Shape::new(shape).map_err(|fault| self.error(name, fault))?;
        self.network.inputs.push(Input { name: name.to_owned(), shape, span: self.span });
        Ok(ValueId(self.network.inputs.len() as u32 - 1))
    }

    fn layer(&mut self, name: &str, op: impl Into<Op>, inputs: &[&ValueId]) -> Result<ValueId, BuildError> {
        let op = op.into();
        let shares = match self.counterpart() {
            Some(earlier) => Some(self.check_shared(name, earlier, &op)?),
            None => None,
        };
        self.add_layer(name, shares, op, inputs)
    }

    fn share_layer(
        &mut self,
        name: &str,
        of: &str,
        op: impl Into<Op>,
        inputs: &[&ValueId],
    ) -> Result<ValueId, BuildError> {
        let op = op.into();
        let earlier = self.counterpart().unwrap_or_else(|| self.find_member(of));
        let shares = self.check_shared(name, earlier, &op)?;
        self.add_layer(name, Some(shares), op, inputs)
    }

    fn begin_block(&mut self, name: &str, definition: &str) {
        let shares = match self.counterpart() {
            Some(Some(Member::Block(earlier))) => Some(earlier),
            _ => None,
        };
        self.add_block(name, definition, shares);
    }

    fn begin_shared_block(&mut self, name: &str, of: &str, definition: &str) -> Result<(), BuildError> {
        let Some(Member::Block(earlier)) = self.counterpart().unwrap_or_else(|| self.find_member(of)) else {
            let fault = Fault::new(&codes::NOT_SHARED, format!("no block instance named `{of}` to share"));
            return Err(self.error(name, fault));
        };
        self.add_block(name, definition, Some(earlier));
        Ok(())
    }

    fn end_block(&mut self) {
        let Block { parent: Some(parent), ref members, .. } = self.network.blocks[self.current.index()] else { return };
        // A block without layers is the identity. Nothing was made since it began, so it is the last.
        if members.is_empty() {
            self.network.blocks.pop();
            self.network.blocks[parent.index()].members.pop();
        }
        self.current = parent;
    }

    fn begin_train_only(&mut self) {
        self.train_only += 1;
    }

    fn end_train_only(&mut self) {
        self.train_only = self.train_only.saturating_sub(1);
    }

    fn output(&mut self, name: &str, value: &ValueId) -> Result<(), BuildError> {
        let (name, train_only) = (name.to_owned(), self.train_only > 0);
        self.network.outputs.push(Output { name, value: *value, train_only, span: self.span });
        Ok(())
    }
}
