cnn::cnn! {
    model Net {
        input image: [1, 8, 8]
        conv(6 3) -> relu
        dense 10
        output features
    }
}

fn main() {}
