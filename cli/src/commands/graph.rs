//! `cnn graph`

use crate::args::{Graph, MessageFormat};
use crate::draw::{self, Drawing};
use crate::failure::Failure;
use crate::model::load_one;
use crate::output::write_file;
use cnn::{CompileOptions, LayerGraph, Network, Session, Tensor, Weights};
use std::io::{Write, stdout};

/// Draws the network, or prints its graphs.
pub fn run(args: &Graph, format: MessageFormat) -> Result<(), Failure> {
    let network = load_one(&args.model, format)?;
    let text = if args.svg || args.dot || args.mermaid { picture(args, &network)? } else { graphs(args, &network)? };
    match &args.output {
        Some(path) => write_file(path, text.as_bytes()),
        None => Ok(stdout().lock().write_all(text.as_bytes())?),
    }
}

fn picture(args: &Graph, network: &Network) -> Result<String, Failure> {
    let depth = args.depth.and_then(|depth| usize::try_from(depth).ok());
    let drawing = Drawing::new(network, depth).map_err(Failure::Message)?;
    Ok(match args {
        Graph { dot: true, .. } => draw::dot(&drawing),
        Graph { mermaid: true, .. } => draw::mermaid(&drawing),
        _ => draw::svg(&drawing),
    })
}

/// The graph of high-level operators, on request the primitives, and the compiled program.
fn graphs(args: &Graph, network: &Network) -> Result<String, Failure> {
    let build = || LayerGraph::from_network(network).map_err(Failure::new);
    let mut text = format!("// {}: the Luminal graph\n{}\n", network.name, build()?);
    if args.primitives {
        let mut primitives = build()?;
        primitives.decompose();
        text.push_str(&format!("// {}: as Luminal's primitives\n{primitives}\n", network.name));
    }
    let session = Session::from_network(network, &zeros(network)?, &CompileOptions::default())?;
    text.push_str(&format!("// {}: compiled for this CPU\n{}\n", network.name, session.program_text()));
    Ok(text)
}

/// Weights that only have the right shapes: the program's text does not depend on their values.
fn zeros(network: &Network) -> Result<Weights, Failure> {
    let tensors = network.parameters().into_iter().map(|parameter| {
        let tensor = Tensor::zeros(&parameter.shape)?;
        Ok((parameter.name, tensor))
    });
    Ok(Weights::from_tensors(tensors.collect::<Result<Vec<_>, cnn::Error>>()?)?)
}
