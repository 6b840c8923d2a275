//! Compiles `.cnn` files of the tests, as a user's build script would.

fn main() {
    cnn_codegen::compile(["models/extern.cnn"]);
}
