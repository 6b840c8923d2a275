//! What the workspace's tests share: the formula behind the golden values.

/// Values from −1 to 1 that any language can repeat: `2u − 1` with `u` the top 24 bits of
/// splitmix64(fnv1a64(key) + i), over 2²⁴.
///
/// splitmix64 is Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
///
/// ```
/// assert_eq!(cnn_tests::formula("input", 3).len(), 3);
/// ```
pub fn formula(key: &str, count: usize) -> Vec<f64> {
    let hash = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let value = |i: u64| {
        let mut z = hash.wrapping_add(i).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        2.0 * (z >> 40) as f64 / f64::from(1 << 24) - 1.0
    };
    (0..count as u64).map(value).collect()
}

/// The golden weights of a network: the formula with the key `<layer>.<kind>`, layers that own tensors counted from 0,
/// scaled by √(3 / fan-in) for weights and by 0.1 for biases.
///
/// # Errors
/// A parameter with too many elements.
pub fn golden_weights(parameters: &[(&str, &[usize])]) -> Result<cnn::Weights, cnn::Error> {
    let mut owner = "";
    let mut layer = 0;
    let mut tensors = Vec::new();
    for (index, (name, shape)) in parameters.iter().enumerate() {
        let (path, kind) = name.rsplit_once('.').unwrap_or(("", name));
        if index > 0 && path != owner {
            layer += 1;
        }
        owner = path;
        let scale = if kind == "weight" { (3.0 / shape[1..].iter().product::<usize>() as f64).sqrt() } else { 0.1 };
        let values = formula(&format!("{layer}.{kind}"), shape.iter().product());
        let data = values.into_iter().map(|value| (value * scale) as f32).collect();
        tensors.push(((*name).to_owned(), cnn::Tensor::new(shape, data)?));
    }
    cnn::Weights::from_tensors(tensors)
}

/// The golden input: the formula with the key `input`.
///
/// # Errors
/// A shape with too many elements.
pub fn golden_input(shape: &[usize]) -> Result<cnn::Tensor, cnn::Error> {
    let values = formula("input", shape.iter().product());
    cnn::Tensor::new(shape, values.into_iter().map(|value| value as f32).collect())
}
