//! Pictures per second with two sessions on a thread each, and with one session on two threads: the best of several
//! turns. `cargo run -p cnn-runtime --example throughput`

mod networks;

use cnn_runtime::{CompileOptions, Error, Session, Tensor};
use networks::Build;
use std::time::Instant;

fn main() -> Result<(), Error> {
    let all: [(&str, Build, [usize; 4], usize); 2] = [
        ("LeNet", networks::lenet::build, [1, 1, 28, 28], 3000),
        ("ResNet-18", networks::resnet18, [1, 3, 224, 224], 6),
    ];
    for (name, build, shape, runs) in all {
        let weights = networks::weights(build)?;
        let image = networks::input(&shape);
        let session = |threads| {
            Session::new(build, &weights, &CompileOptions { threads: Some(threads), ..CompileOptions::default() })
        };
        let (alone, mut together) = (session(1)?, session(2)?);
        let mut alone = [alone.clone(), alone];
        let (mut two_sessions, mut two_threads) = (0.0f64, 0.0f64);
        for _ in 0..8 {
            let start = Instant::now();
            std::thread::scope(|scope| {
                let image = &image;
                let threads = alone.each_mut().map(|session| scope.spawn(move || repeat(session, image, runs)));
                threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
            })?;
            two_sessions = two_sessions.max(2.0 * runs as f64 / start.elapsed().as_secs_f64());
            let start = Instant::now();
            repeat(&mut together, &image, runs)?;
            two_threads = two_threads.max(runs as f64 / start.elapsed().as_secs_f64());
        }
        println!("{name}: 2 sessions × 1 thread {two_sessions:.1}/s, 1 session × 2 threads {two_threads:.1}/s");
    }
    Ok(())
}

fn repeat(session: &mut Session, image: &Tensor, runs: usize) -> Result<(), Error> {
    (0..runs).try_for_each(|_| session.run(&[image]).map(drop))
}
