//! Identity does nothing, and dropout does nothing at inference.

use crate::graph::{layers, replace_node};
use cnn_ir::Op;
use luminal::graph::Graph;
use luminal::prelude::{Compiler, ToIdsMut};

/// Removes every identity and every dropout layer.
#[derive(Debug, Clone, Copy)]
pub struct DropIdentity;

impl Compiler for DropIdentity {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, mut remap: T) {
        let idle = layers(graph).filter(|(_, layer, _)| matches!(layer.op, Op::Identity(_) | Op::Dropout(_)));
        for node in idle.map(|(node, ..)| node).collect::<Vec<_>>() {
            // Read anew: a layer before this one is gone.
            if let Some(&(source, _, _)) = graph.get_sources(node).first() {
                replace_node(graph, &mut remap, node, source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LuminalBuilder;
    use cnn_ir::Builder;
    use cnn_ir::ops::{DropoutSpec, IdentitySpec, ReluSpec};

    #[test]
    fn readers_read_what_the_layer_read() {
        let mut builder = LuminalBuilder::new();
        let x = builder.input("x", &[4]).unwrap();
        let a = builder.layer("a", DropoutSpec::new(), &[&x]).unwrap();
        let b = builder.layer("b", IdentitySpec::new(), &[&a]).unwrap();
        let c = builder.layer("c", ReluSpec::new(), &[&b]).unwrap();
        let d = builder.layer("d", DropoutSpec::new(), &[&c]).unwrap();
        builder.output("y", &d).unwrap();
        let mut graph = builder.finish().unwrap();
        graph.apply(DropIdentity);
        crate::passes::validate(&graph).unwrap();
        assert_eq!(graph.to_string(), "%0 = input x -> b×4\n%1 = c: Relu (%0) -> b×4\noutput y = %1\n");
    }

    #[test]
    fn an_output_can_become_an_input() {
        let mut builder = LuminalBuilder::new();
        let x = builder.input("x", &[4]).unwrap();
        let a = builder.layer("a", DropoutSpec::new(), &[&x]).unwrap();
        builder.output("y", &a).unwrap();
        let mut graph = builder.finish().unwrap();
        graph.apply(DropIdentity);
        crate::passes::validate(&graph).unwrap();
        assert_eq!(graph.to_string(), "%0 = input x -> b×4\noutput y = %0\n");
    }
}
