cnn::cnn!("broken.cnn");

fn main() {}
