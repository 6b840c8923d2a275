cnn::cnn! {
    model Net {
        input image: [6, 8, 8]
        conv(8, 3, groups = 4)
        output features
    }
}

fn main() {}
