fn main() {
    cnn_codegen::compile(["lenet.cnn"]);
}
