//! What a network is trained for: the weighted sum of losses of its outputs.

use crate::call::{self, Argument, Check, Cursor, Form, Value, is_word};
use crate::check::Parameter;
use crate::{Error, Loss};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A weighted sum of losses, of one output or of several.
///
/// ```
/// use cnn_recipe::{Head, Objective};
///
/// let objective: Objective = "mse + 0.5 * l1(output = aux)".parse()?;
/// assert_eq!(objective.terms[1].output.as_deref(), Some("aux"));
///
/// let (mut main, mut aux) = ([0.0; 2], [0.0; 2]);
/// let shape = [1, 2];
/// let value = objective.value_and_gradient(&mut [
///     Head { output: &[1.0, 2.0], shape: &shape, target: &[0.0, 2.0], gradient: &mut main },
///     Head { output: &[1.0, 1.0], shape: &shape, target: &[0.0, 2.0], gradient: &mut aux },
/// ])?;
/// assert_eq!((value, main, aux), (0.5 + 0.5, [1.0, 0.0], [0.25, -0.25]));
/// # Ok::<(), cnn_recipe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct Objective {
    /// The terms; at least one.
    pub terms: Vec<Term>,
}

/// A loss of one output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// The output's name; none: the network's only one, or its first.
    #[serde(default)]
    pub output: Option<String>,
    /// The factor of the loss, above 0.
    pub weight: f64,
    /// The loss.
    pub loss: Loss,
}

/// The slices of one term, as for [`Loss::value_and_gradient`].
#[derive(Debug)]
pub struct Head<'a> {
    /// The output.
    pub output: &'a [f32],
    /// Its shape, batch first.
    pub shape: &'a [usize],
    /// The labels, or what the output should be.
    pub target: &'a [f32],
    /// Where the gradient goes; two terms of one output have a gradient each.
    pub gradient: &'a mut [f32],
}

impl Objective {
    /// The weighted sum, and each term's gradient, its weight included; one head for each term, in their order.
    ///
    /// # Errors
    ///
    /// Those of [`Loss::value_and_gradient`], and another number of heads than terms.
    pub fn value_and_gradient(&self, heads: &mut [Head<'_>]) -> Result<f64, Error> {
        if self.terms.len() != heads.len() {
            return Err(Error::Heads { expected: self.terms.len(), found: heads.len() });
        }
        let mut sum = 0.0;
        for (term, head) in self.terms.iter().zip(heads) {
            sum += term.weight * term.loss.value_and_gradient(head.output, head.shape, head.target, head.gradient)?;
            if term.weight != 1.0 {
                for g in head.gradient.iter_mut() {
                    *g = (f64::from(*g) * term.weight) as f32;
                }
            }
        }
        Ok(sum)
    }

    /// That all values are allowed; what is read from text or by serde has been checked.
    pub fn check(&self) -> Result<(), Error> {
        Parameter("objective", "terms").must(!self.terms.is_empty(), "at least one loss", &self.terms)?;
        for term in &self.terms {
            Parameter("objective", "weight").positive(term.weight)?;
            let is_name = term.output.as_deref().is_none_or(is_word);
            Parameter("objective", "output").must(is_name, "a name", &term.output)?;
            term.loss.check()?;
        }
        Ok(())
    }
}

impl Check for Objective {
    fn check(&self) -> Result<(), Error> {
        Self::check(self)
    }
}

checked_serde!(Objective);

impl From<Loss> for Objective {
    fn from(loss: Loss) -> Self {
        Self { terms: vec![Term { output: None, weight: 1.0, loss }] }
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" + ")?;
            }
            if term.weight != 1.0 {
                write!(f, "{} * ", term.weight.write())?;
            }
            let mut arguments = term.loss.arguments();
            arguments.extend(term.output.clone().map(|output| ("output", output)));
            call::write(f, term.loss.name(), &arguments)?;
        }
        Ok(())
    }
}

impl FromStr for Objective {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut cursor = Cursor::new(text);
        let mut terms = Vec::new();
        loop {
            terms.push(term(&mut cursor)?);
            if cursor.is_at_end() {
                let objective = Self { terms };
                objective.check()?;
                return Ok(objective);
            }
            if !cursor.eat("+") {
                return Err(cursor.expected("`+` or the end"));
            }
        }
    }
}

/// `0.3 * loss(output = name, …)`, factor and output where wanted.
fn term(cursor: &mut Cursor<'_>) -> Result<Term, Error> {
    let factor = cursor.number();
    if factor.is_some() && !cursor.eat("*") {
        return Err(cursor.expected("`*` and a loss"));
    }
    let mut call = cursor.call()?;
    let output = match call.take("output") {
        None => None,
        Some(Value::Word(name)) => Some(name),
        Some(other) => {
            let (parameter, value) = ("output".into(), other.to_string());
            return Err(Error::Parameter { call: call.name, parameter, value, allowed: "the name of an output" });
        }
    };
    Ok(Term { output, weight: factor.unwrap_or(1.0), loss: Loss::from_call(call)? })
}
