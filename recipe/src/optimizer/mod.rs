//! How parameters follow their gradients.

mod adagrad;
mod adam;
mod rmsprop;
mod sgd;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

use crate::{Error, check};

calls! {
    /// An optimizer, each as [PyTorch](https://docs.pytorch.org/docs/stable/optim.html) defines it.
    ///
    /// ```
    /// use cnn_recipe::{Adam, Optimizer};
    ///
    /// let adam: Optimizer = "adam(betas = (0.9, 0.99))".parse()?;
    /// assert_eq!(adam, Adam { betas: (0.9, 0.99), ..Adam::default() }.into());
    /// assert_eq!(adam.to_string(), "adam(betas = (0.9, 0.99))");
    ///
    /// // Two parameters, their gradients, and the two vectors of state that Adam keeps, all zero before the first step.
    /// let (mut parameters, gradients) = ([1.0, 2.0], [0.5, -0.5]);
    /// let (mut mean, mut square) = ([0.0; 2], [0.0; 2]);
    /// adam.update(0, 0.1, 0.0, &mut parameters, &gradients, &mut [&mut mean, &mut square])?;
    /// assert_eq!(parameters, [0.9, 2.1]);
    /// # Ok::<(), cnn_recipe::Error>(())
    /// ```
    pub enum Optimizer("optimizer") {
        /// Stochastic gradient descent.
        Sgd(Sgd) = "sgd",
        /// Adam.
        Adam(Adam) = "adam",
        /// Adam with decoupled weight decay.
        AdamW(AdamW) = "adamw",
        /// RMSprop.
        RmsProp(RmsProp) = "rmsprop",
        /// Adagrad.
        Adagrad(Adagrad) = "adagrad",
    }
}

/// The numbers of one step, the same for all parameters of a group.
#[derive(Clone, Copy)]
struct At {
    /// Counted from 1, as PyTorch does.
    step: f64,
    rate: f64,
    decay: f64,
}

impl Optimizer {
    /// The state vectors kept for each parameter, by PyTorch's names, in the order of `update`'s slots.
    pub fn slot_names(&self) -> &'static [&'static str] {
        match self {
            Self::Sgd(sgd) => sgd.slot_names(),
            Self::Adam(_) | Self::AdamW(_) => &["exp_avg", "exp_avg_sq"],
            Self::RmsProp(rmsprop) => rmsprop.slot_names(),
            Self::Adagrad(_) => &["sum"],
        }
    }

    /// How many vectors of state there are, each as long as the parameters.
    pub fn slots(&self) -> usize {
        self.slot_names().len()
    }

    /// What the state vectors are filled with before the first step.
    pub fn slot_start(&self) -> f32 {
        if let Self::Adagrad(adagrad) = self { adagrad.initial_accumulator_value as f32 } else { 0.0 }
    }

    /// The learning rate that PyTorch uses when none is given.
    pub fn default_rate(&self) -> f64 {
        match self {
            Self::Sgd(_) | Self::Adam(_) | Self::AdamW(_) => 1e-3,
            Self::RmsProp(_) | Self::Adagrad(_) => 1e-2,
        }
    }

    /// The weight decay that PyTorch uses when none is given: 0.01 for AdamW, 0 for the others.
    pub fn default_decay(&self) -> f64 {
        if let Self::AdamW(_) = self { 1e-2 } else { 0.0 }
    }

    /// Moves a run of parameters by one step along their gradients.
    ///
    /// `step` counts the updates before this one, from 0. `rate` is the learning rate. `decay` is the weight decay of the
    /// whole run: a decoupled one for AdamW (the parameters shrink by `rate · decay`), the L2 penalty for the others
    /// (`decay · parameter` is added to the gradient). `slots` are the run's parts of the state vectors, in the order of
    /// [`slot_names`](Self::slot_names), filled with [`slot_start`](Self::slot_start) before the first step.
    ///
    /// Every parameter is computed by itself: the result is the same however the run is cut, for groups or for threads.
    /// Nothing is allocated.
    ///
    /// # Errors
    ///
    /// Where the slices differ in length, or the number of slots is not [`slots`](Self::slots). Nothing has changed then.
    pub fn update(
        &self,
        step: u64,
        rate: f64,
        decay: f64,
        parameters: &mut [f32],
        gradients: &[f32],
        slots: &mut [&mut [f32]],
    ) -> Result<(), Error> {
        check::length("the gradient", parameters.len(), gradients.len())?;
        for slot in slots.iter() {
            check::length("an optimizer's state vector", parameters.len(), slot.len())?;
        }
        let at = At { step: step as f64 + 1.0, rate, decay };
        let is_done = match self {
            Self::Sgd(sgd) => sgd.update(at, parameters, gradients, slots),
            Self::Adam(adam) => adam.update(at, parameters, gradients, slots),
            Self::AdamW(adamw) => adamw.update(at, parameters, gradients, slots),
            Self::RmsProp(rmsprop) => rmsprop.update(at, parameters, gradients, slots),
            Self::Adagrad(adagrad) => adagrad.update(at, parameters, gradients, slots),
        };
        let optimizer = || crate::call::Form::name(self).to_owned();
        is_done.ok_or_else(|| Error::Slots { optimizer: optimizer(), expected: self.slots(), found: slots.len() })
    }
}

/// That a learning rate is a number above 0.
///
/// ```
/// assert!(cnn_recipe::check_rate(1e-3).is_ok());
/// assert!(cnn_recipe::check_rate(0.0).is_err());
/// ```
pub fn check_rate(rate: f64) -> Result<(), Error> {
    if rate > 0.0 && rate.is_finite() { Ok(()) } else { Err(Error::Rate { rate }) }
}
