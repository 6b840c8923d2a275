cnn::cnn! {
    model Net(classes: int) {
        input image: [1, 8, 8]
        conv(0, 3)
        rellu
        output features
    }
}

fn main() {}
