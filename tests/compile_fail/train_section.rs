cnn::cnn! {
    model Net {
        input image: [1, 8, 8]
        flatten -> dense(10, init = xavier)
        output logits
        train {
            loss: cross_entropy(output = logit)
            optimizer: adam(betas = (0.9, 1))
            lr: 1e-3
            batch: 2.5
        }
    }
}

fn main() {}
