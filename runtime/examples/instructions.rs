//! Runs a small network so many times on one thread, for `bench/instructions/check` and `bench/memcheck`:
//! `instructions lenet 4`.

mod networks;

use cnn_runtime::{CompileOptions, Session};
use networks::Build;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (build, shape): (Build, [usize; 4]) = match arguments.first().map(String::as_str) {
        Some("lenet") => (networks::lenet::build, [1, 1, 28, 28]),
        Some("residual") => (networks::residual, [1, 3, 32, 32]),
        Some("mobile") => (networks::mobile, [1, 3, 32, 32]),
        _ => return Err("usage: instructions lenet|residual|mobile RUNS".into()),
    };
    let runs: usize = arguments.get(1).ok_or("how many runs?")?.parse()?;
    let options = CompileOptions { threads: Some(1), ..CompileOptions::default() };
    let mut session = Session::new(build, &networks::weights(build)?, &options)?;
    let image = networks::input(&shape);
    let mut sum = 0.0;
    for _ in 0..runs {
        sum += session.run(&[&image])?.get(0).data().iter().sum::<f32>();
    }
    println!("{sum}");
    Ok(())
}
