cnn::cnn! {
    model Net {
        input image: [1, 8, 8]
        conv(6, kernel = 3) -> max_pool(2)
        conv(6, kernel = 5)
        output features
    }
}

fn main() {}
