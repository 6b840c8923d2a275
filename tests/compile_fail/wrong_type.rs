cnn::cnn! {
    model Net {
        input image: [1, 8, 8]
        conv(6, 3, bias = 1)
        output features
    }
}

fn main() {}
