cnn::cnn! {
    model Net {
        input image: [1, 8, 8]
        c1: conv(6, 3)
        c1: conv(6, 3)
        output features
    }
}

fn main() {}
