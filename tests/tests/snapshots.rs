//! Snapshots of LeNet: its calls, its graphs, its program and its Rust code.

#![allow(clippy::unwrap_used)]

use cnn::{CompileOptions, Isa, LayerGraph, LuminalBuilder, Session, TraceBuilder};
use cnn_models::LeNet;

fn graph() -> LayerGraph {
    let mut builder = LuminalBuilder::new();
    LeNet::build(&mut builder).unwrap();
    builder.finish().unwrap()
}

#[test]
fn calls_and_shapes() {
    let mut trace = TraceBuilder::new();
    LeNet::build(&mut trace).unwrap();
    insta::assert_snapshot!(trace.text());
}

#[test]
fn layer_graph() {
    insta::assert_snapshot!(graph());
}

#[test]
fn primitive_graph() {
    let mut graph = graph();
    graph.decompose();
    insta::assert_snapshot!(graph);
}

#[test]
fn program() {
    let options = CompileOptions { isa: Some(Isa::Portable), ..CompileOptions::default() };
    let session = Session::new(LeNet::build, &cnn_models::weights::lenet().unwrap(), &options).unwrap();
    insta::assert_snapshot!(session.program_text());
}

#[test]
fn rust_code() {
    let sources = cnn_dsl::Sources::new("lenet.cnn", cnn_models::sources::LENET);
    let compilation = cnn_dsl::compile(&sources, &cnn_dsl::Settings::default());
    insta::assert_snapshot!(cnn_codegen::emit(&compilation.models, "lenet.cnn").unwrap());
}
