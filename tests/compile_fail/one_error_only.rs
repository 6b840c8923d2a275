// The type is used everywhere, but only the mistake in the model is reported.
cnn::cnn! {
    model Net {
        input image: [1, 8, 8]
        conv(6, 9)
        output features
    }
}

fn classify(weights: &cnn::Weights, batch: &cnn::Tensor) -> Result<Vec<f32>, cnn::Error> {
    let mut net = Net::new(weights)?;
    println!("{:?} {}", Net::IMAGE_SHAPE, Net::PARAMETER_COUNT);
    Ok(net.run(batch)?.features.data().to_vec())
}

fn main() {
    let _ = classify;
}
