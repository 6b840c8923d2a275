//! Compiles `.cnn` files of the tests, as a user's build script would, and random models.

#[path = "src/random/mod.rs"]
mod random;

use cnn_dsl::{Settings, Sources};
use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

/// How many random models are compiled into the tests.
const MODELS: u64 = 24;

fn main() -> Result<(), Box<dyn Error>> {
    cnn_codegen::compile(["models/extern.cnn"]);
    println!("cargo::rerun-if-changed=src/random");
    let folder = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    fs::write(Path::new(&folder).join("random.rs"), random_models()?)?;
    Ok(())
}

/// A module for each seed, and a macro that calls another with seed, module and type of every model.
fn random_models() -> Result<String, Box<dyn Error>> {
    let (mut code, mut list) = (String::new(), String::new());
    for seed in 0..MODELS {
        // Not by way of a file: what is warned of in a random model is no warning of the build.
        let compilation = cnn_dsl::compile(&Sources::new("random.cnn", random::model(seed)), &Settings::default());
        writeln!(code, "mod seed_{seed} {{\n{}\n}}", cnn_codegen::emit(&compilation.models, "random.cnn")?)?;
        for network in compilation.models {
            write!(list, "{seed} seed_{seed} {},", network.name)?;
        }
    }
    writeln!(code, "macro_rules! for_each_random_model {{ ($callback:ident) => {{ $callback! {{ {list} }} }} }}")?;
    Ok(code)
}
