//! Weights and inputs that any language can repeat: what the golden values were made with.

/// Values from −1 to 1: `2u − 1` with `u` the top 24 bits of splitmix64(fnv1a64(key) + i), over 2²⁴.
///
/// splitmix64 is from Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
pub fn values(key: &str, count: usize) -> Vec<f64> {
    let start = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let value = |i: u64| 2.0 * (splitmix64(start.wrapping_add(i)) >> 40) as f64 / f64::from(1 << 24) - 1.0;
    (0..count as u64).map(value).collect()
}

fn splitmix64(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A tensor of a layer: √(3 / fan-in) bounds the weights of convolutions and dense layers, 0.1 biases and running means;
/// weights and running variances of norms are 1 ± 0.5.
pub fn tensor(key: &str, kind: &str, shape: &[usize]) -> Vec<f32> {
    let values = values(key, shape.iter().product());
    let fan_in = shape[1..].iter().product::<usize>() as f64;
    let scaled = |value: f64| match kind {
        "weight" if shape.len() > 1 => value * (3.0 / fan_in).sqrt(),
        "weight" | "running_var" => 1.0 + 0.5 * value,
        _ => 0.1 * value,
    };
    values.into_iter().map(|value| scaled(value) as f32).collect()
}

/// The keys `<layer>.<kind>` of a network's parameters: layers that own tensors, counted from 0.
pub fn keys<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let (mut layer, mut owner) = (0, None);
    let key = |name: &'a str| {
        let (path, kind) = name.rsplit_once('.').unwrap_or(("", name));
        if owner.replace(path).is_some_and(|last| last != path) {
            layer += 1;
        }
        format!("{layer}.{kind}")
    };
    names.into_iter().map(key).collect()
}

/// Every parameter of a network, by its key.
pub fn parameters<'a>(list: impl IntoIterator<Item = (&'a str, &'a [usize])>) -> Vec<(&'a str, &'a [usize], Vec<f32>)> {
    let list: Vec<_> = list.into_iter().collect();
    let keys = keys(list.iter().map(|(name, _)| *name));
    let values = |(key, (name, shape)): (String, (&'a str, &'a [usize]))| {
        (name, shape, tensor(&key, key.rsplit('.').next().unwrap_or_default(), shape))
    };
    keys.into_iter().zip(list).map(values).collect()
}

/// An input of this shape, batch first.
pub fn input(shape: &[usize]) -> Vec<f32> {
    values("input", shape.iter().product()).into_iter().map(|value| value as f32).collect()
}
