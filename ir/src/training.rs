//! What a model says about its training: settings in text, for whoever trains it. Inference has no use for them.

use crate::{Network, Span};

/// The `train` section of a model.
///
/// The language has checked that every key is known and given once, and that its value has the form that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Training {
    /// The settings in the order in which they were written.
    pub settings: Vec<Setting>,
    /// Where the section begins.
    pub span: Span,
}

/// One setting: `optimizer: adam(betas = (0.9, 0.999))`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: String,
    /// The value, written out as its own parser reads it: calculated, and without what is left at its default.
    pub text: String,
    /// Where the value was written.
    pub span: Span,
}

impl Training {
    /// The setting of a key.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }
}

impl Network {
    /// How the weights of a layer start when they are trained, in cnn-recipe's words: as the layer says, or the layer that it
    /// shares its parameters with; else as the `train` section does; `None` if nothing was said.
    ///
    /// ```
    /// use cnn_ir::{Builder, NetworkBuilder, ops::DenseSpec};
    ///
    /// # fn main() -> Result<(), cnn_ir::BuildError> {
    /// let mut net = NetworkBuilder::new("Tiny");
    /// let x = net.input("x", &[4])?;
    /// let x = net.layer("0", DenseSpec::new(4, 2), &[&x])?;
    /// net.set_initialiser("xavier_uniform(gain = 0.5)");
    /// net.output("y", &x)?;
    /// assert_eq!(net.finish()?.initialiser(0), Some("xavier_uniform(gain = 0.5)"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn initialiser(&self, layer: usize) -> Option<&str> {
        let own = self.layers[self.owner(layer)].initialiser.as_deref();
        own.or_else(|| self.training.as_ref()?.get("init").map(|setting| setting.text.as_str()))
    }
}
