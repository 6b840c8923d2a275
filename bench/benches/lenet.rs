//! The shipped LeNet on real pictures, on the CPU engine, one thread: time of one run at several batches.
//!
//! `cargo bench -p cnn-bench --bench lenet`; `CNN_ISA=avx2` and `CNN_PASSES=-fuse_activation` apply.

// A benchmark may panic.
#![allow(clippy::unwrap_used, missing_docs)]

use cnn::Tensor;
use cnn_models::fashion_mnist::pictures;
use cnn_models::{LeNet, weights};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn bench(criterion: &mut Criterion) {
    let mut model = LeNet::new(&weights::lenet().unwrap()).unwrap();
    let mut group = criterion.benchmark_group("lenet");
    for batch in [1, 8, 64] {
        let images = pictures().iter().take(batch).flat_map(|picture| picture.to_floats()).collect();
        let images = Tensor::new(&[batch, 1, 28, 28], images).unwrap();
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::new("batch", batch), |bencher| {
            bencher.iter(|| model.run(&images).unwrap().logits.data()[0]);
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
