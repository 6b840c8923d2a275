//! Compiles the shipped `.cnn` files.

fn main() {
    cnn_codegen::compile(["lenet.cnn"]);
}
