cnn::cnn! {
    model Net {
        input image: [1, 28, 28]
        convv(6, 5)
        output features
    }
}

fn main() {}
