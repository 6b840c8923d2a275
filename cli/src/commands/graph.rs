//! `cnn graph`

use crate::args::{Graph, MessageFormat};
use crate::failure::Failure;
use crate::model::load_one;
use cnn::{CompileOptions, LayerGraph, Network, Session, Tensor, Weights};
use std::io::{Write, stdout};

/// Prints the graph of high-level operators, on request the primitives, and the compiled program.
pub fn run(args: &Graph, format: MessageFormat) -> Result<(), Failure> {
    let network = load_one(&args.model, format)?;
    let build = || LayerGraph::from_network(&network).map_err(Failure::new);
    let mut out = stdout().lock();
    writeln!(out, "// {}: the Luminal graph\n{}", network.name, build()?)?;
    if args.primitives {
        let mut primitives = build()?;
        primitives.decompose();
        writeln!(out, "// {}: as Luminal's primitives\n{primitives}", network.name)?;
    }
    let session = Session::from_network(&network, &zeros(&network)?, &CompileOptions::default())?;
    writeln!(out, "// {}: compiled for this CPU\n{}", network.name, session.program_text())?;
    Ok(())
}

/// Weights that only have the right shapes: the program's text does not depend on their values.
fn zeros(network: &Network) -> Result<Weights, Failure> {
    let tensors = network.parameters().into_iter().map(|parameter| {
        let tensor = Tensor::zeros(&parameter.shape)?;
        Ok((parameter.name, tensor))
    });
    Ok(Weights::from_tensors(tensors.collect::<Result<Vec<_>, cnn::Error>>()?)?)
}
