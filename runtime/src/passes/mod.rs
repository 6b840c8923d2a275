//! Rewriting passes over the graph of layers.

mod drop_identity;
mod fold_batch_norm;
mod fold_pad;
mod fuse_activation;
mod fuse_prologue;
mod fuse_residual;

pub use drop_identity::DropIdentity;
pub use fold_batch_norm::FoldBatchNorm;
pub use fold_pad::FoldPad;
pub use fuse_activation::FuseActivation;
pub use fuse_prologue::FusePrologue;
pub use fuse_residual::FuseResidual;

use crate::Error;
use crate::engine::Target;
use crate::graph::{LayerGraph, ParameterOp, layers, op_at};
use cnn_ir::Shape;
use std::collections::HashMap;

/// An optimisation by its name.
struct Pass {
    name: &'static str,
    work: Work,
}

enum Work {
    /// Rewrites the graph.
    Graph(fn(&mut LayerGraph)),
    /// The engine does it, unless this tells it not to.
    Engine(fn(&mut Target)),
}

use Work::{Engine, Graph};

/// All optimisations: the passes over the graph in the order in which they run, and then the engine's.
static PASSES: &[Pass] = &[
    Pass { name: "drop_identity", work: Graph(|graph| graph.apply(DropIdentity)) },
    Pass { name: "fold_pad", work: Graph(|graph| graph.apply(FoldPad)) },
    Pass { name: "fold_batch_norm", work: Graph(|graph| graph.apply(FoldBatchNorm)) },
    Pass { name: "fuse_residual", work: Graph(|graph| graph.apply(FuseResidual)) },
    Pass { name: "fuse_activation", work: Graph(|graph| graph.apply(FuseActivation)) },
    Pass { name: "fuse_prologue", work: Graph(|graph| graph.apply(FusePrologue)) },
    // Convolutions by fewer multiplications.
    Pass { name: "winograd", work: Engine(|target| target.exact = true) },
    // Maps in blocks of channels; all are plain without.
    Pass { name: "blocked", work: Engine(|target| target.blocked = false) },
    // What is concatenated is made where the result lies.
    Pass { name: "join_in_place", work: Engine(|target| target.join_in_place = false) },
    // A result takes over the memory of an input that nothing reads later.
    Pass { name: "overwrite", work: Engine(|target| target.overwrite = false) },
];

/// Which optimisations are made, the passes over the graph and the engine's own: all but those switched off.
///
/// Written as a list of names with a minus before them, for bisecting: `-winograd,-fuse_activation`. `-all`
/// switches off all of them, and a plus switches one on again: `-all,+drop_identity`.
///
/// ```
/// use cnn_runtime::PassSwitches;
///
/// let direct: PassSwitches = "-winograd".parse()?;
/// assert_ne!(direct, PassSwitches::default());
/// assert!(PassSwitches::names().any(|name| name == "winograd"));
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassSwitches {
    on: [bool; PASSES.len()],
}

impl Default for PassSwitches {
    fn default() -> Self {
        Self { on: [true; PASSES.len()] }
    }
}

impl std::str::FromStr for PassSwitches {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut switches = Self::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let (name, on) = match word.strip_prefix('-') {
                Some(name) => (name, false),
                None => (word.strip_prefix('+').unwrap_or(word), true),
            };
            match PASSES.iter().position(|pass| pass.name == name) {
                Some(i) => switches.on[i] = on,
                None if name == "all" => switches.on = [on; PASSES.len()],
                None => {
                    let known = Self::names().collect::<Vec<_>>().join(", ");
                    return Err(Error::UnknownPass { name: name.to_owned(), known });
                }
            }
        }
        Ok(switches)
    }
}

impl PassSwitches {
    /// The names of all optimisations, in the order in which they are made.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PASSES.iter().map(|pass| pass.name)
    }

    /// Tells the engine what it must not do.
    pub(crate) fn restrict(&self, target: &mut Target) {
        for (pass, _) in PASSES.iter().zip(self.on).filter(|(_, on)| !on) {
            if let Engine(forbid) = pass.work {
                forbid(target);
            }
        }
    }

    /// Runs the passes over the graph that are on. In debug builds the graph is checked after each.
    ///
    /// # Errors
    /// A graph that a pass has broken, which is a bug.
    pub fn run(&self, graph: &mut LayerGraph) -> Result<(), Error> {
        for (pass, _) in PASSES.iter().zip(self.on).filter(|(_, on)| *on) {
            let Graph(rewrite) = pass.work else { continue };
            rewrite(graph);
            if cfg!(debug_assertions) {
                validate(graph).map_err(|reason| Error::Graph { place: pass.name.to_owned(), reason })?;
            }
        }
        Ok(())
    }
}

/// Checks that every layer has the sources and the shape that its op says.
///
/// # Errors
/// What is wrong with the first layer that is wrong.
pub fn validate(graph: &LayerGraph) -> Result<(), String> {
    let mut shapes: HashMap<_, Shape> = graph.inputs().iter().map(|input| (input.node, input.shape.clone())).collect();
    for (node, layer, sources) in layers(&graph.graph) {
        let path = &layer.path;
        let (parameters, inputs): (Vec<_>, Vec<_>) = sources
            .iter()
            .map(|(source, _, _)| *source)
            .partition(|source| op_at::<ParameterOp>(&graph.graph, *source).is_some());
        let expected = layer.parameters();
        let (inputs, residual) = match inputs.split_last() {
            Some((&last, rest)) if layer.residual => (rest.to_vec(), Some(last)),
            _ => (inputs, None),
        };
        if residual.is_some_and(|value| shapes.get(&value) != Some(&layer.shape)) {
            return Err(format!("{path} adds a value of another shape"));
        }
        if parameters.len() != expected.len() {
            return Err(format!("{path} has {} parameters, not {}", parameters.len(), expected.len()));
        }
        for (source, expected) in parameters.into_iter().zip(expected) {
            if op_at::<ParameterOp>(&graph.graph, source).is_none_or(|parameter| parameter.shape != expected.shape) {
                return Err(format!("{path} has a {} of the wrong shape", expected.name));
            }
        }
        let Some(inputs) = inputs.iter().map(|input| shapes.get(input)).collect::<Option<Vec<_>>>() else {
            return Err(format!("{path} reads what no layer makes"));
        };
        let before = match &layer.prologue {
            Some(prologue) => match prologue.op.output_shape(&inputs) {
                Ok(shape) if shape == prologue.shape => Some(shape),
                _ => return Err(format!("{path} cannot have {} before it", prologue.path)),
            },
            None => None,
        };
        let inputs = before.as_ref().map_or(inputs, |shape| vec![shape]);
        match layer.op.output_shape(&inputs) {
            Ok(shape) if shape == layer.shape => shapes.insert(node, shape),
            Ok(shape) => return Err(format!("{path} makes {shape}, but says {}", layer.shape)),
            Err(fault) => return Err(format!("{path}: {fault}")),
        };
    }
    match graph.outputs().iter().find(|output| shapes.get(&output.node) != Some(&output.shape)) {
        Some(output) => Err(format!("no layer makes the output {} of shape {}", output.name, output.shape)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches() {
        let parse = |text: &str| text.parse::<PassSwitches>();
        let all = PassSwitches::default();
        let names: Vec<&str> = PassSwitches::names().collect();
        assert_eq!(parse("").unwrap(), all);
        assert_eq!(parse(&format!("-all, +{}", names.join(",+"))).unwrap(), all);
        for name in &names {
            assert_ne!(parse(&format!("-{name}")).unwrap(), all, "{name}");
        }
        let error = parse("-fuse").unwrap_err().to_string();
        assert_eq!(error, format!("there is no pass `fuse`; the passes are: {}", names.join(", ")));
        assert!(error.contains("drop_identity, ") && error.contains("winograd"), "{error}");
    }

    #[test]
    fn the_engine_is_told_what_is_off() {
        let restricted = |text: &str| {
            let mut target = Target::default();
            text.parse::<PassSwitches>().unwrap().restrict(&mut target);
            target
        };
        let all = Target::default();
        assert_eq!(restricted("-fold_pad"), all);
        assert_eq!(restricted("-winograd"), Target { exact: true, ..all.clone() });
        assert_eq!(restricted("-blocked"), Target { blocked: false, ..all.clone() });
        assert_eq!(restricted("-join_in_place"), Target { join_in_place: false, ..all.clone() });
        assert_eq!(restricted("-overwrite"), Target { overwrite: false, ..all });
    }
}
