//! What parameters are before training.

use crate::Error;
use crate::call::Check;
use crate::check::{self, Parameter as Rule};
use crate::random::Random;

calls! {
    /// How weights start, each as [PyTorch](https://docs.pytorch.org/docs/stable/nn.init.html) defines it.
    ///
    /// The values depend on the seed, the parameter's full name and the index within it alone: neither the order in which
    /// parameters are filled nor other parameters change them. They are not PyTorch's random numbers.
    ///
    /// ```
    /// use cnn_recipe::{Distribution, Initialiser, Parameter};
    ///
    /// let he: Initialiser = "kaiming_normal(mode = fan_out)".parse()?;
    /// let shape = [64, 3, 7, 7];
    /// let Distribution::Normal { std } = he.distribution(Parameter::Weight, &shape)? else { unreachable!() };
    /// assert!((std - (2.0 / (64.0 * 49.0f64)).sqrt()).abs() < 1e-12);
    ///
    /// let mut weights = vec![0.0; 64 * 3 * 7 * 7];
    /// he.fill(7, "conv1.weight", Parameter::Weight, &shape, &mut weights)?;
    /// let mean_square = weights.iter().map(|w| w * w).sum::<f32>() / weights.len() as f32;
    /// assert!((mean_square.sqrt() / std as f32 - 1.0).abs() < 0.05);
    /// # Ok::<(), cnn_recipe::Error>(())
    /// ```
    pub enum Initialiser("initialiser") {
        /// What PyTorch's layers do by themselves.
        PyTorch(PyTorch) = "pytorch",
        /// One value.
        Constant(ConstantValue) = "constant",
        /// Xavier's (Glorot's) uniform distribution.
        XavierUniform(XavierUniform) = "xavier_uniform",
        /// Xavier's (Glorot's) normal distribution.
        XavierNormal(XavierNormal) = "xavier_normal",
        /// Kaiming's (He's) uniform distribution.
        KaimingUniform(KaimingUniform) = "kaiming_uniform",
        /// Kaiming's (He's) normal distribution.
        KaimingNormal(KaimingNormal) = "kaiming_normal",
    }
}

call! {
    /// `kaiming_uniform(a = √5)` for the weights of convolutions and dense layers: uniform within `±1 / √fan_in`.
    /// [`torch.nn.Conv2d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html),
    /// [`torch.nn.Linear`](https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html).
    pub struct PyTorch = "pytorch" {}
}

call! {
    /// The same value everywhere.
    pub struct ConstantValue = "constant" {
        /// The value.
        value: f64 = 0.0,
    }
}

call! {
    /// Uniform within `±gain·√(6 / (fan_in + fan_out))`.
    ///
    /// Xavier Glorot, Yoshua Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    pub struct XavierUniform = "xavier_uniform" {
        /// The factor, above 0.
        gain: f64 = 1.0,
    }
}

call! {
    /// Normal with the standard deviation `gain·√(2 / (fan_in + fan_out))`. The paper of [`XavierUniform`].
    pub struct XavierNormal = "xavier_normal" {
        /// The factor, above 0.
        gain: f64 = 1.0,
    }
}

call! {
    /// Uniform within `±gain·√(3 / fan)`.
    ///
    /// Kaiming He et al., "Delving Deep into Rectifiers", 2015.
    pub struct KaimingUniform = "kaiming_uniform" {
        /// The fan that is kept: of the forward or of the backward pass.
        mode: FanMode = FanMode::In,
        /// What follows the layer, which decides the gain.
        nonlinearity: Nonlinearity = Nonlinearity::LeakyRelu,
        /// The slope of the leaky ReLU below 0.
        a: f64 = 0.0,
    }
}

call! {
    /// Normal with the standard deviation `gain / √fan`. The paper of [`KaimingUniform`].
    pub struct KaimingNormal = "kaiming_normal" {
        /// The fan that is kept: of the forward or of the backward pass.
        mode: FanMode = FanMode::In,
        /// What follows the layer, which decides the gain.
        nonlinearity: Nonlinearity = Nonlinearity::LeakyRelu,
        /// The slope of the leaky ReLU below 0.
        a: f64 = 0.0,
    }
}

words! {
    /// Which fan keeps its variance.
    pub enum FanMode("fan_in or fan_out") {
        /// The inputs of one output.
        In = "fan_in",
        /// The outputs of one input.
        Out = "fan_out",
    }
}

words! {
    /// What follows a layer.
    pub enum Nonlinearity("linear, sigmoid, tanh, relu, leaky_relu or selu") {
        /// Nothing: gain 1.
        Linear = "linear",
        /// The sigmoid: gain 1.
        Sigmoid = "sigmoid",
        /// The hyperbolic tangent: gain 5/3.
        Tanh = "tanh",
        /// ReLU: gain √2.
        Relu = "relu",
        /// Leaky ReLU of slope `a`: gain √(2 / (1 + a²)).
        LeakyRelu = "leaky_relu",
        /// SELU: gain 3/4.
        Selu = "selu",
    }
}

/// What a parameter is to its layer. Initialisers are for weights; the others always start as in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// The weights of a convolution or a dense layer, or any tensor that an initialiser is named for.
    Weight,
    /// The biases of a layer whose weights have this fan-in: uniform within `±1 / √fan_in`.
    Bias {
        /// [`fans`] of the weights, the first.
        fan_in: usize,
    },
    /// The factors of a norm: 1.
    Scale,
    /// The summands of a norm: 0.
    Shift,
}

/// How the values of a parameter are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// One value.
    Constant {
        /// The value.
        value: f64,
    },
    /// Uniform from `−bound` to `bound`.
    Uniform {
        /// The bound.
        bound: f64,
    },
    /// Normal around 0.
    Normal {
        /// The standard deviation.
        std: f64,
    },
}

impl Initialiser {
    /// Fills a parameter of a full name (`layer1.0.conv1.weight`) and a shape.
    ///
    /// # Errors
    ///
    /// A slice that does not have the shape's number of elements, and those of [`distribution`](Self::distribution).
    pub fn fill(
        &self,
        seed: u64,
        name: &str,
        parameter: Parameter,
        shape: &[usize],
        values: &mut [f32],
    ) -> Result<(), Error> {
        check::length("the parameter", shape.iter().product(), values.len())?;
        let random = Random::named(seed, name);
        match self.distribution(parameter, shape)? {
            Distribution::Constant { value } => values.fill(value as f32),
            Distribution::Uniform { bound } => {
                for (index, value) in values.iter_mut().enumerate() {
                    *value = (bound * (2.0 * random.unit(index as u64) - 1.0)) as f32;
                }
            }
            Distribution::Normal { std } => {
                for (pair, values) in values.chunks_mut(2).enumerate() {
                    for (value, normal) in values.iter_mut().zip(random.normals(pair as u64)) {
                        *value = (std * normal) as f32;
                    }
                }
            }
        }
        Ok(())
    }

    /// How a parameter's values are drawn.
    ///
    /// # Errors
    ///
    /// A weight of fewer than two axes, which has no fans; [`ConstantValue`] takes every shape.
    pub fn distribution(&self, parameter: Parameter, shape: &[usize]) -> Result<Distribution, Error> {
        match parameter {
            Parameter::Weight => {}
            Parameter::Bias { fan_in } => return Ok(Distribution::Uniform { bound: over_root(1.0, fan_in as f64) }),
            Parameter::Scale => return Ok(Distribution::Constant { value: 1.0 }),
            Parameter::Shift => return Ok(Distribution::Constant { value: 0.0 }),
        }
        if let Self::Constant(ConstantValue { value }) = self {
            return Ok(Distribution::Constant { value: *value });
        }
        let needed = "a weight of at least two axes";
        let (fan_in, fan_out) =
            fans(shape).ok_or_else(|| Error::Shape { what: "an initialiser", needed, shape: shape.into() })?;
        let both = fan_in as f64 + fan_out as f64;
        let fan = |mode: FanMode| if mode == FanMode::In { fan_in as f64 } else { fan_out as f64 };
        let root_3 = 3f64.sqrt();
        Ok(match self {
            Self::PyTorch(_) | Self::Constant(_) => Distribution::Uniform { bound: over_root(1.0, fan_in as f64) },
            Self::XavierUniform(xavier) => Distribution::Uniform { bound: over_root(xavier.gain * 6f64.sqrt(), both) },
            Self::XavierNormal(xavier) => Distribution::Normal { std: over_root(xavier.gain * 2f64.sqrt(), both) },
            Self::KaimingUniform(KaimingUniform { mode, nonlinearity, a }) => {
                Distribution::Uniform { bound: over_root(nonlinearity.gain(*a) * root_3, fan(*mode)) }
            }
            Self::KaimingNormal(KaimingNormal { mode, nonlinearity, a }) => {
                Distribution::Normal { std: over_root(nonlinearity.gain(*a), fan(*mode)) }
            }
        })
    }
}

impl Default for Initialiser {
    fn default() -> Self {
        PyTorch::default().into()
    }
}

impl Nonlinearity {
    /// The factor that keeps the variance, as PyTorch's `calculate_gain`; `a` is the slope of a leaky ReLU.
    pub fn gain(self, a: f64) -> f64 {
        match self {
            Self::Linear | Self::Sigmoid => 1.0,
            Self::Tanh => 5.0 / 3.0,
            Self::Relu => 2f64.sqrt(),
            Self::LeakyRelu => (2.0 / (1.0 + a * a)).sqrt(),
            Self::Selu => 0.75,
        }
    }
}

/// The fan-in and fan-out of a weight: axis 1 and axis 0, each times the product of the kernel's axes. None for fewer than
/// two axes. PyTorch has the same rule for transposed convolutions, whose axes 0 and 1 are the other way round.
///
/// ```
/// assert_eq!(cnn_recipe::fans(&[64, 3, 7, 7]), Some((147, 3136)));
/// ```
pub fn fans(shape: &[usize]) -> Option<(usize, usize)> {
    let [rows, columns, kernel @ ..] = shape else { return None };
    let taps: usize = kernel.iter().product();
    Some((columns * taps, rows * taps))
}

/// `x / √fan`, 0 for a parameter without elements.
fn over_root(x: f64, fan: f64) -> f64 {
    if fan > 0.0 { x / fan.sqrt() } else { 0.0 }
}

impl Check for PyTorch {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Check for ConstantValue {
    fn check(&self) -> Result<(), Error> {
        Rule("constant", "value").finite(self.value)
    }
}

impl Check for XavierUniform {
    fn check(&self) -> Result<(), Error> {
        Rule("xavier_uniform", "gain").positive(self.gain)
    }
}

impl Check for XavierNormal {
    fn check(&self) -> Result<(), Error> {
        Rule("xavier_normal", "gain").positive(self.gain)
    }
}

impl Check for KaimingUniform {
    fn check(&self) -> Result<(), Error> {
        Rule("kaiming_uniform", "a").finite(self.a)
    }
}

impl Check for KaimingNormal {
    fn check(&self) -> Result<(), Error> {
        Rule("kaiming_normal", "a").finite(self.a)
    }
}
