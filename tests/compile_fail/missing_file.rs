cnn::cnn!("no_such_file.cnn");

fn main() {}
