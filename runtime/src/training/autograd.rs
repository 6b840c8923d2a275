//! The pass that adds losses, gradients and the update to a graph of layers (reverse-mode differentiation: Linnainmaa,
//! "Taylor expansion of the accumulated rounding error", 1976; Rumelhart, Hinton and Williams, "Learning representations
//! by back-propagating errors", 1986).

use super::ops::{AllOp, GradientOp, LossOp, Of, UpdateOp};
use super::rules::{InputRule, ParameterRule, rule};
use super::{LossTerm, TrainingOptions};
use crate::Error;
use crate::graph::{
    InputOp, LayerGraph, LayerOp, MAX_SOURCES, ParameterOp, Port, batched, data_flow_order, layers, op_at,
};
use cnn_ir::ops::AddSpec;
use cnn_ir::{Network, Shape};
use luminal::graph::Graph;
use luminal::op::Operator;
use luminal::prelude::NodeIndex;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// A network with its losses, gradients and the update of its parameters, as one Luminal graph.
///
/// `Display` writes one node per line, in data-flow order.
///
/// ```
/// use cnn_ir::{Builder, NetworkBuilder, Shape, ops::{DenseSpec, ReluSpec}};
/// use cnn_runtime::training::{Loss, LossTerm, TrainingGraph, TrainingOptions};
/// use std::sync::Arc;
///
/// /// The sum of all elements.
/// #[derive(Debug)]
/// struct Sum;
///
/// impl Loss for Sum {
///     fn target_shape(&self, _: &Shape) -> Option<Vec<usize>> {
///         None
///     }
///
///     fn value_and_gradient(&self, x: &[f32], _: &[usize], _: &[f32], dx: &mut [f32]) -> Result<f64, String> {
///         dx.fill(1.0);
///         Ok(x.iter().map(|&x| f64::from(x)).sum())
///     }
/// }
///
/// # fn main() -> Result<(), cnn_runtime::Error> {
/// let mut network = NetworkBuilder::new("Net");
/// let x = network.input("x", &[4])?;
/// let hidden = network.layer("fc", DenseSpec::new(4, 3), &[&x])?;
/// let y = network.layer("relu", ReluSpec::new(), &[&hidden])?;
/// network.output("y", &y)?;
/// let losses = vec![LossTerm { value: None, weight: 1.0, loss: Arc::new(Sum) }];
/// let graph = TrainingGraph::new(&network.finish()?, &TrainingOptions { losses, ..TrainingOptions::default() })?;
/// assert!(graph.to_string().contains("gradient of relu: Relu by input"));
/// assert!(graph.to_string().contains("gradient of fc: Dense by parameters"));
/// # Ok(())
/// # }
/// ```
pub struct TrainingGraph {
    /// The graph; its inputs are the network's and then the losses' targets, its outputs the network's, those of training
    /// included, then taps and gradients.
    pub(crate) layers: LayerGraph,
    /// How many of the inputs are targets.
    pub(crate) targets: usize,
    /// What has to be done besides making the outputs: the update, or what makes the parameters' gradients.
    pub(crate) effects: Vec<NodeIndex>,
    /// The trained parameters, in the network's order.
    pub(crate) trained: Vec<String>,
}

impl TrainingGraph {
    /// The graph of a network that is trained.
    ///
    /// # Errors
    /// A loss, a tap or a gradient of something that the network does not have; what has no gradient.
    pub fn new(network: &Network, options: &TrainingOptions) -> Result<Self, Error> {
        let mut layers = LayerGraph::for_training(network)?;
        let trains = |name: &str| {
            !options.frozen.iter().any(|frozen| {
                name == frozen || name.strip_prefix(frozen.as_str()).is_some_and(|rest| rest.starts_with('.'))
            })
        };
        let parameters = network.parameters();
        if let Some(unknown) = options.frozen.iter().find(|frozen| {
            !parameters.iter().any(|p| {
                p.name == **frozen || p.name.strip_prefix(frozen.as_str()).is_some_and(|rest| rest.starts_with('.'))
            })
        }) {
            return Err(unknown_name("freeze", unknown, parameters.iter().map(|p| p.name.as_str())));
        }
        let trained: Vec<String> =
            parameters.into_iter().filter(|p| p.trainable && trains(&p.name)).map(|p| p.name).collect();
        for tap in &options.taps {
            let (node, shape) = value_of(&layers, tap).ok_or_else(|| unknown_value(&layers, "tap", tap))?;
            layers.graph.retrieve_tensors(node);
            layers.outputs.push(Port { name: tap.clone(), node, shape });
        }
        let mut pass =
            Autograd { trained: trained.iter().cloned().collect(), gradients: HashMap::new(), done: Vec::new() };
        let main = network.main_output().map(|output| output.name.as_str());
        let losses = add_losses(&mut layers, main, &options.losses)?;
        let wanted = options.gradients.iter().map(|name| {
            let value = value_of(&layers, name).ok_or_else(|| unknown_value(&layers, "find the gradient of", name));
            value.map(|(node, shape)| (name, node, shape))
        });
        let wanted: Vec<_> = wanted.collect::<Result<_, _>>()?;
        pass.run(&mut layers.graph, losses, wanted.iter().map(|(_, node, _)| *node))?;
        for (name, node, shape) in wanted {
            let Some(gradient) = pass.sum(&mut layers.graph, node, &shape) else {
                let reason = format!("no loss depends on `{name}`, so it has no gradient");
                return Err(Error::Graph { place: "training".to_owned(), reason });
            };
            layers.graph.retrieve_tensors(gradient);
            layers.outputs.push(Port { name: format!("gradient of {name}"), node: gradient, shape });
        }
        let mut effects = pass.done;
        if let Some(update) = &options.update {
            let sources = |nodes: &[NodeIndex]| nodes.iter().map(|&node| (node, batched(&[]))).collect::<Vec<_>>();
            effects = grouped(effects, |group| add(&mut layers.graph, AllOp, &sources(group)));
            effects = vec![add(&mut layers.graph, UpdateOp { update: update.clone() }, &sources(&effects))];
        }
        effects.iter().for_each(|&node| layers.graph.retrieve_tensors(node));
        let targets = layers.inputs.len() - network.inputs.len();
        Ok(Self { layers, targets, effects, trained })
    }

    /// The inputs: the network's, then the targets of its losses.
    pub fn inputs(&self) -> &[Port] {
        &self.layers.inputs
    }

    /// The outputs: the network's, then the taps and the gradients that were asked for.
    pub fn outputs(&self) -> &[Port] {
        &self.layers.outputs
    }
}

impl fmt::Display for TrainingGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.layers.fmt(f)
    }
}

/// The node that makes an input, an output or a layer's value, and its shape for one example.
fn value_of(layers: &LayerGraph, name: &str) -> Option<(NodeIndex, Shape)> {
    let mut ports = layers.outputs.iter().chain(&layers.inputs);
    if let Some(port) = ports.find(|port| port.name == name) {
        return Some((port.node, port.shape.clone()));
    }
    let mut found = crate::graph::layers(&layers.graph).filter(|(_, layer, _)| layer.path == name);
    found.next().map(|(node, layer, _)| (node, layer.shape.clone()))
}

fn unknown_value(graph: &LayerGraph, what: &str, name: &str) -> Error {
    let paths: Vec<&str> = layers(&graph.graph).map(|(_, layer, _)| layer.path.as_str()).collect();
    unknown_name(what, name, graph.outputs.iter().map(|port| port.name.as_str()).chain(paths))
}

fn unknown_name<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let near = crate::weights::nearest(name, known);
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Error::Graph { place: "training".to_owned(), reason: format!("there is no `{name}` to {what}{hint}") }
}

/// Adds the losses and their targets; gives the values with the nodes that make their gradients.
fn add_losses(
    layers: &mut LayerGraph,
    main: Option<&str>,
    terms: &[LossTerm],
) -> Result<Vec<(NodeIndex, NodeIndex)>, Error> {
    let mut losses = Vec::new();
    for (index, LossTerm { value, weight, loss }) in terms.iter().enumerate() {
        let name = value.as_deref().or(main).unwrap_or_default().to_owned();
        let (node, shape) = value_of(layers, &name).ok_or_else(|| unknown_value(layers, "compute a loss of", &name))?;
        let op = LossOp { name: name.clone(), index, weight: *weight, shape: shape.clone(), loss: loss.clone() };
        let mut sources = vec![(node, batched(&shape))];
        if let Some(target) = loss.target_shape(&shape) {
            let shape =
                Shape::new(&target).map_err(|fault| Error::Graph { place: name.clone(), reason: fault.message })?;
            let (index, name) = (layers.inputs.len(), format!("target of {name}"));
            let target = layers.graph.add_op(InputOp { name: name.clone(), index, shape: shape.clone() }).finish();
            sources.push((target, batched(&shape)));
            layers.inputs.push(Port { name, node: target, shape });
        }
        losses.push((node, add(&mut layers.graph, op, &sources)));
    }
    Ok(losses)
}

type Sources<'a> = &'a [(NodeIndex, luminal::prelude::ShapeTracker)];

fn add(graph: &mut Graph, op: impl Operator + 'static, sources: Sources<'_>) -> NodeIndex {
    let mut node = graph.add_op(op);
    for (source, shape) in sources {
        node = node.input(*source, 0, *shape);
    }
    node.finish()
}

/// Nodes that one node can read, by joining groups of them where there are more.
fn grouped(mut nodes: Vec<NodeIndex>, mut join: impl FnMut(&[NodeIndex]) -> NodeIndex) -> Vec<NodeIndex> {
    while nodes.len() > MAX_SOURCES {
        nodes = nodes.chunks(MAX_SOURCES).map(|group| if let [one] = group { *one } else { join(group) }).collect();
    }
    nodes
}

/// Backpropagation.
struct Autograd {
    /// The names of the parameters that are trained.
    trained: HashSet<String>,
    /// For each value the nodes whose sum is its gradient.
    gradients: HashMap<NodeIndex, Vec<NodeIndex>>,
    /// What has made gradients of parameters.
    done: Vec<NodeIndex>,
}

impl Autograd {
    /// Goes back from the losses to all that is trained and to what is wanted besides.
    fn run(
        &mut self,
        graph: &mut Graph,
        losses: Vec<(NodeIndex, NodeIndex)>,
        wanted: impl Iterator<Item = NodeIndex>,
    ) -> Result<(), Error> {
        let order = data_flow_order(graph, &losses.iter().map(|(_, loss)| *loss).collect::<Vec<_>>());
        let needed = self.needed(graph, &order, wanted);
        for (value, loss) in losses {
            self.gradients.entry(value).or_default().push(loss);
        }
        for node in order.into_iter().rev() {
            if needed.contains(&node) && op_at::<LayerOp>(graph, node).is_some() {
                self.layer(graph, node, &needed)?;
            }
        }
        Ok(())
    }

    /// The values through which gradients have to pass: those that depend on something trained or wanted.
    fn needed(
        &self,
        graph: &Graph,
        order: &[NodeIndex],
        wanted: impl Iterator<Item = NodeIndex>,
    ) -> HashSet<NodeIndex> {
        let mut needed: HashSet<NodeIndex> = wanted.collect();
        for &node in order {
            let is_needed = match op_at::<ParameterOp>(graph, node) {
                Some(parameter) => self.trained.contains(&parameter.name),
                None => graph.get_sources(node).iter().any(|(source, ..)| needed.contains(source)),
            };
            if is_needed {
                needed.insert(node);
            }
        }
        needed
    }

    /// The gradient of a value, when a loss depends on it.
    fn sum(&mut self, graph: &mut Graph, value: NodeIndex, shape: &Shape) -> Option<NodeIndex> {
        let terms = self.gradients.get(&value)?;
        if let [single] = terms[..] {
            return Some(single);
        }
        let path = format!("gradient of {}", op_at::<LayerOp>(graph, value).map_or("input", |layer| &layer.path));
        let mut sum_of = |terms: &[NodeIndex]| {
            let sources: Vec<_> = terms.iter().map(|&term| (term, batched(shape))).collect();
            add(graph, LayerOp::new(path.clone(), AddSpec::new().into(), shape.clone()), &sources)
        };
        let terms = grouped(terms.clone(), &mut sum_of);
        let sum = sum_of(&terms);
        self.gradients.insert(value, vec![sum]);
        Some(sum)
    }

    /// From the gradient of a layer's output to those of what it reads.
    fn layer(&mut self, graph: &mut Graph, node: NodeIndex, needed: &HashSet<NodeIndex>) -> Result<(), Error> {
        let Some(layer) = op_at::<LayerOp>(graph, node).cloned() else { return Ok(()) };
        let Some(output) = self.sum(graph, node, &layer.shape) else { return Ok(()) };
        let rule = rule(&layer.op);
        let (mut values, mut parameters, mut trains) = (Vec::new(), Vec::new(), false);
        for (source, _, _) in graph.get_sources(node) {
            match op_at::<ParameterOp>(graph, source) {
                Some(parameter) => {
                    trains |= needed.contains(&source);
                    parameters.push(parameter.name.clone());
                }
                None => values.push((source, shape_of(graph, source)?)),
            }
        }
        let gradient = |graph: &mut Graph, of: Of| {
            let inputs = values.iter().map(|(_, shape)| shape.clone()).collect();
            let op = GradientOp { layer: layer.clone(), of, inputs, parameters: parameters.clone() };
            let reads = rule.reads(of);
            let mut sources = vec![(output, batched(&layer.shape))];
            if reads.inputs {
                sources.extend(values.iter().map(|(value, shape)| (*value, batched(shape))));
            }
            if reads.output {
                sources.push((node, batched(&layer.shape)));
            }
            add(graph, op, &sources)
        };
        if rule.parameters == ParameterRule::Together && trains {
            let both = gradient(graph, Of::Both);
            self.done.push(both);
            if let Some((value, _)) = values.first().filter(|(value, _)| needed.contains(value)) {
                self.gradients.entry(*value).or_default().push(both);
            }
            return Ok(());
        }
        for (index, (value, _)) in values.iter().enumerate().filter(|(_, (value, _))| needed.contains(value)) {
            let node = match rule.input {
                InputRule::Same => output,
                InputRule::Kernel(_) => gradient(graph, Of::Input(index)),
            };
            self.gradients.entry(*value).or_default().push(node);
        }
        if trains {
            let parameters = gradient(graph, Of::Parameters);
            self.done.push(parameters);
        }
        Ok(())
    }
}

/// The shape of a value, or of a gradient, for one example.
pub(super) fn shape_of(graph: &Graph, node: NodeIndex) -> Result<Shape, Error> {
    let layer = op_at::<LayerOp>(graph, node).map(|layer| layer.shape.clone());
    let layer = layer.or_else(|| op_at::<GradientOp>(graph, node).and_then(|op| op.shape().cloned()));
    let layer = layer.or_else(|| op_at::<LossOp>(graph, node).map(|op| op.shape.clone()));
    layer.or_else(|| op_at::<InputOp>(graph, node).map(|input| input.shape.clone())).ok_or_else(|| Error::Graph {
        place: "training".to_owned(),
        reason: "a layer reads something that is neither a value nor a parameter".to_owned(),
    })
}
