cnn::cnn! {
    model Net {
        input image: [1, 8, 8]
        conv(6, 3, pading = 1)
        output features
    }
}

fn main() {}
