//! Every optimisation switched off in turn: the outputs stay those of the reference.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_ir::ops::{
    AddSpec, BatchNormSpec, ConcatSpec, Conv2dSpec, DenseSpec, DropoutSpec, FlattenSpec, GlobalAvgPool2dSpec, MulSpec,
    Pad2dSpec, ReluSpec, SigmoidSpec,
};
use cnn_ir::{BuildError, Builder, Op, ValueId};
use cnn_runtime::{Arena, CompileOptions, Error, LuminalBuilder, PassSwitches, Reference, Session};
use suite::formula;

/// Lets layers follow each other.
struct Chain<'a>(&'a mut LuminalBuilder, usize);

impl Chain<'_> {
    fn layer(&mut self, op: impl Into<Op>, inputs: &[&ValueId]) -> Result<ValueId, BuildError> {
        self.1 += 1;
        self.0.layer(&self.1.to_string(), op, inputs)
    }

    /// A square convolution that keeps the size.
    fn conv(&mut self, channels: [usize; 2], size: usize, x: &ValueId) -> Result<ValueId, BuildError> {
        let spec = Conv2dSpec { padding: [size / 2; 4], ..Conv2dSpec::new(channels[0], channels[1], [size; 2]) };
        self.layer(spec, &[x])
    }

    fn relu(&mut self, x: &ValueId) -> Result<ValueId, BuildError> {
        self.layer(ReluSpec::new(), &[x])
    }

    fn norm(&mut self, channels: usize, x: &ValueId) -> Result<ValueId, BuildError> {
        self.layer(BatchNormSpec::new(channels), &[x])
    }
}

/// Zeros around a convolution, a residual block, a classifier.
fn residual(b: &mut LuminalBuilder) -> Result<(), BuildError> {
    let x = b.input("x", &[32, 16, 16])?;
    let mut c = Chain(b, 0);
    let padded = c.layer(Pad2dSpec::new([1; 4]), &[&x])?;
    let y = c.layer(Conv2dSpec::new(32, 32, [3, 3]), &[&padded])?;
    let y = c.norm(32, &y)?;
    let shortcut = c.relu(&y)?;
    let y = c.conv([32, 32], 3, &shortcut)?;
    let y = c.norm(32, &y)?;
    let y = c.layer(AddSpec::new(), &[&y, &shortcut])?;
    let y = c.layer(DropoutSpec::new(), &[&y])?;
    let y = c.relu(&y)?;
    let y = c.layer(GlobalAvgPool2dSpec::new(), &[&y])?;
    let y = c.layer(FlattenSpec::new(), &[&y])?;
    let y = c.layer(DenseSpec::new(32, 10), &[&y])?;
    b.output("y", &y)
}

/// Layers that grow a map by what they make of it, normed before they are convolved.
fn dense(b: &mut LuminalBuilder) -> Result<(), BuildError> {
    let x = b.input("x", &[16, 12, 12])?;
    let mut c = Chain(b, 0);
    let mut map = c.conv([16, 16], 3, &x)?;
    for channels in [16, 32] {
        let y = c.norm(channels, &map)?;
        let y = c.relu(&y)?;
        let y = c.conv([channels, 64], 1, &y)?;
        let y = c.norm(64, &y)?;
        let y = c.relu(&y)?;
        let y = c.conv([64, 16], 3, &y)?;
        map = c.layer(ConcatSpec::new(), &[&map, &y])?;
    }
    b.output("y", &map)
}

/// Squeeze and excitation, and sums of what is read for the last time.
fn gated(b: &mut LuminalBuilder) -> Result<(), BuildError> {
    let x = b.input("x", &[16, 12, 12])?;
    let mut c = Chain(b, 0);
    let y = c.conv([16, 32], 1, &x)?;
    let y = c.relu(&y)?;
    let gate = c.layer(GlobalAvgPool2dSpec::new(), &[&y])?;
    let gate = c.conv([32, 8], 1, &gate)?;
    let gate = c.relu(&gate)?;
    let gate = c.conv([8, 32], 1, &gate)?;
    let gate = c.layer(SigmoidSpec::new(), &[&gate])?;
    let y = c.layer(MulSpec::new(), &[&y, &gate])?;
    let a = c.conv([32, 16], 3, &y)?;
    let a = c.layer(SigmoidSpec::new(), &[&a])?;
    let a = c.layer(MulSpec::new(), &[&a, &x])?;
    let y = c.layer(AddSpec::new(), &[&a, &x])?;
    b.output("y", &y)
}

type Build = fn(&mut LuminalBuilder) -> Result<(), BuildError>;

const NETWORKS: [(&str, Build, &[usize]); 3] =
    [("residual", residual, &[2, 32, 16, 16]), ("dense", dense, &[2, 16, 12, 12]), ("gated", gated, &[2, 16, 12, 12])];

#[test]
fn an_optimisation_changes_the_program_and_not_its_outputs() {
    let off = |names: &str| CompileOptions { passes: Some(names.parse().unwrap()), ..CompileOptions::default() };
    let names = PassSwitches::names().map(|name| format!("-{name}"));
    let switches: Vec<String> = names.chain(["-all".to_owned()]).collect();
    let mut changes = vec![0; switches.len()];
    for (network, build, shape) in NETWORKS {
        let mut builder = LuminalBuilder::new();
        build(&mut builder).unwrap();
        let graph = builder.finish().unwrap();
        let (weights, input) = (formula::weights(&graph), formula::input(shape));
        let expected = Reference::new(graph, &weights).unwrap().run(&[&input]).unwrap();
        let whole = Session::new(build, &weights, &off("")).unwrap().program_text();
        for (switch, changes) in switches.iter().zip(&mut changes) {
            let mut session = Session::new(build, &weights, &off(switch)).unwrap();
            let mut planned = LuminalBuilder::new();
            build(&mut planned).unwrap();
            let arena = Arena::plan(planned.finish().unwrap(), &off(switch), 2).unwrap();
            assert_eq!(arena.bytes, session.arena_bytes(2), "{network} {switch}: planned without weights");
            *changes += usize::from(session.program_text() != whole);
            let outputs = session.run(&[&input]).unwrap();
            let largest = expected[0].data().iter().fold(0.0f32, |most, v| most.max(v.abs()));
            for (found, right) in outputs.get(0).data().iter().zip(expected[0].data()) {
                assert!((found - right).abs() <= 2e-5 * largest, "{network} {switch}: {found} is not {right}");
            }
        }
    }
    for (switch, changes) in switches.iter().zip(changes) {
        assert!(changes > 0, "{switch} changes no network: it does nothing, or the table needs one that has it");
    }
}

#[test]
fn an_unknown_optimisation_is_an_error_that_lists_all() {
    let error = "-winograd,-vinograd".parse::<PassSwitches>().unwrap_err();
    assert!(matches!(&error, Error::UnknownPass { name, .. } if name == "vinograd"));
    for name in PassSwitches::names() {
        assert!(error.to_string().contains(name), "{error}");
    }
}
