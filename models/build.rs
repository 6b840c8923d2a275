//! Compiles the shipped `.cnn` files.

use cnn_codegen::{Build, BuildScriptError};
use std::path::PathBuf;

/// `NAME.cnn` in this folder.
const CLASSIC: &[&str] = &[
    "alexnet",
    "batch_norm_convnet",
    "densenet",
    "efficientnet_lite0",
    "googlenet",
    "group_norm_net",
    "lenet",
    "mnist_convnet",
    "nin",
    "resnet",
    "resnet_flat",
    "squeezenet",
    "unet",
    "vgg",
];

/// `NAME.cnn` in the folder `torchvision`.
const TORCHVISION: &[&str] = &["alexnet", "densenet", "googlenet", "mobilenet_v2", "resnet", "vgg"];

fn main() {
    if let Err(error) = compile("", CLASSIC).and_then(|()| compile("torchvision", TORCHVISION)) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

/// Compiles the files of a folder into a folder of the same name.
fn compile(folder: &str, names: &[&str]) -> Result<(), BuildScriptError> {
    let out_dir = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join(folder);
    std::fs::create_dir_all(&out_dir).map_err(|source| BuildScriptError::Write { path: out_dir.clone(), source })?;
    let files = names.iter().map(|name| PathBuf::from(folder).join(name).with_extension("cnn"));
    files.fold(Build::new().out_dir(out_dir), Build::file).compile()
}
