//! What can be wrong with a recipe, a label or a slice.

/// An error of this crate: one message that says what is wrong and what is allowed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Text that is no call.
    #[error("`{text}`: expected {expected} at character {at}, like `adam(betas = (0.9, 0.999))`")]
    Syntax {
        /// The text.
        text: String,
        /// Where, counted in characters from 1.
        at: usize,
        /// What could stand there.
        expected: &'static str,
    },

    /// A name that nothing has.
    #[error("there is no {kind} `{name}`; {hint}")]
    UnknownName {
        /// What was looked for: "optimizer".
        kind: &'static str,
        /// The name.
        name: String,
        /// The nearest name, or all of them.
        hint: String,
    },

    /// An argument with a name that the call does not know.
    #[error("`{call}` has no parameter `{parameter}`; {hint}")]
    UnknownParameter {
        /// The call: "adam".
        call: String,
        /// The name.
        parameter: String,
        /// The nearest name, or all of them.
        hint: String,
    },

    /// More arguments than the call has parameters.
    #[error("`{call}` has {parameters} parameters, not {found}")]
    TooManyArguments {
        /// The call.
        call: String,
        /// The parameters it has.
        parameters: usize,
        /// Arguments given.
        found: usize,
    },

    /// A parameter that is given two values.
    #[error("`{call}` is given `{parameter}` twice")]
    Twice {
        /// The call.
        call: String,
        /// The parameter.
        parameter: String,
    },

    /// A value that is not allowed.
    #[error("`{parameter}` of `{call}` must be {allowed}, not {value}")]
    Parameter {
        /// The call.
        call: String,
        /// The parameter.
        parameter: String,
        /// The value given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },

    /// A learning rate that is not allowed.
    #[error("the learning rate must be a number above 0, not {rate}")]
    Rate {
        /// The rate.
        rate: f64,
    },

    /// A slice of another length than the others.
    #[error("{what} has {found} elements where {expected} are needed")]
    Length {
        /// The slice.
        what: &'static str,
        /// Elements needed.
        expected: usize,
        /// Elements given.
        found: usize,
    },

    /// Another number of state vectors than the optimizer keeps.
    #[error("`{optimizer}` keeps {expected} state vectors for each parameter, not {found}")]
    Slots {
        /// The optimizer.
        optimizer: String,
        /// The number it keeps.
        expected: usize,
        /// Vectors given.
        found: usize,
    },

    /// A shape that the function is not defined for.
    #[error("{what} needs {needed}, not shape {shape:?}")]
    Shape {
        /// The function.
        what: &'static str,
        /// What it needs.
        needed: &'static str,
        /// The shape given.
        shape: Vec<usize>,
    },

    /// A label that is no class.
    #[error("label {label} of example {example}{} is no class: they go from 0 to {}", place(*.position), classes.saturating_sub(1))]
    Label {
        /// The example, counted from 0 within the batch.
        example: usize,
        /// The position within the example's map, where it has more than one label.
        position: Option<usize>,
        /// The label.
        label: f32,
        /// The number of classes.
        classes: usize,
    },

    /// A batch without a label that counts: all are `ignore_index`, or have a class of weight 0.
    #[error("no label of the batch counts: all are `ignore_index`, or of classes whose weight is 0")]
    NoLabels,

    /// Another number of heads than terms of an objective.
    #[error("the objective has {expected} terms, not {found}")]
    Heads {
        /// The terms.
        expected: usize,
        /// The heads given.
        found: usize,
    },
}

fn place(position: Option<usize>) -> String {
    position.map_or_else(String::new, |position| format!(" at position {position}"))
}
