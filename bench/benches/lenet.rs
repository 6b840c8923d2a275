//! LeNet-5 on the CPU engine, one thread: time of one run at several batches.
//!
//! `cargo bench -p cnn-bench --bench lenet`; `CNN_ISA=avx2` and `CNN_PASSES=-fuse_activation` apply.

// A benchmark may panic.
#![allow(clippy::unwrap_used, missing_docs)]

use cnn_ir::ops::{AvgPool2dSpec, Conv2dSpec, DenseSpec, FlattenSpec, SigmoidSpec};
use cnn_ir::{BuildError, Builder, NetworkBuilder};
use cnn_runtime::{CompileOptions, Session, Tensor, Weights};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn lenet<B: Builder>(builder: &mut B) -> Result<(), BuildError> {
    let mut x = builder.input("image", &[1, 28, 28])?;
    let padded = Conv2dSpec { padding: [2; 4], ..Conv2dSpec::new(1, 6, [5, 5]) };
    x = builder.layer("0", padded, &[&x])?;
    x = builder.layer("1", SigmoidSpec::new(), &[&x])?;
    x = builder.layer("2", AvgPool2dSpec::new([2, 2], [2, 2]), &[&x])?;
    x = builder.layer("3", Conv2dSpec::new(6, 16, [5, 5]), &[&x])?;
    x = builder.layer("4", SigmoidSpec::new(), &[&x])?;
    x = builder.layer("5", AvgPool2dSpec::new([2, 2], [2, 2]), &[&x])?;
    x = builder.layer("6", FlattenSpec::new(), &[&x])?;
    x = builder.layer("7", DenseSpec::new(400, 120), &[&x])?;
    x = builder.layer("8", SigmoidSpec::new(), &[&x])?;
    x = builder.layer("9", DenseSpec::new(120, 84), &[&x])?;
    x = builder.layer("10", SigmoidSpec::new(), &[&x])?;
    x = builder.layer("11", DenseSpec::new(84, 10), &[&x])?;
    builder.output("logits", &x)
}

/// Numbers from −0.1 to 0.1, so that nothing saturates or becomes subnormal.
fn numbers(shape: &[usize]) -> Tensor {
    let n = shape.iter().product();
    Tensor::new(shape, (0..n).map(|i: usize| (i * 7919 % 2003) as f32 / 10_015.0 - 0.1).collect()).unwrap()
}

fn bench(criterion: &mut Criterion) {
    let mut network = NetworkBuilder::new("LeNet");
    lenet(&mut network).unwrap();
    let network = network.finish().unwrap();
    let parameters = network.parameters().into_iter();
    let weights = Weights::from_tensors(parameters.map(|p| (p.name, numbers(&p.shape)))).unwrap();
    let mut session = Session::from_network(&network, &weights, &CompileOptions::default()).unwrap();
    println!("{}", session.program_text());
    let mut group = criterion.benchmark_group("lenet");
    for batch in [1, 8, 64] {
        let images = numbers(&[batch, 1, 28, 28]);
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::new("batch", batch), |bencher| {
            bencher.iter(|| session.run(&[&images]).unwrap().get(0).data()[0]);
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
