//! Convolutions and pools over any number of axes, by their definitions, in f64.

use cnn_ir::Op;

/// The output for one example of shape `shape`.
pub fn solve(op: &Op, shape: &[usize], x: &[f64], parameters: &[Vec<f64>], output_shape: &[usize]) -> Vec<f64> {
    let channel = x.len() / shape[0];
    let windows = |kernel: &[usize], stride: &[usize], dilation: &[usize], padding: &[usize]| Windows {
        size: shape[1..].to_vec(),
        outputs: output_shape[1..].to_vec(),
        kernel: kernel.to_vec(),
        stride: stride.to_vec(),
        dilation: dilation.to_vec(),
        padding: padding.to_vec(),
    };
    let pool = |windows: Windows, combine: &dyn Fn(&[Tap]) -> f64, x: &[f64]| -> Vec<f64> {
        x.chunks(channel).flat_map(|x| windows.taps(x).iter().map(|taps| combine(taps)).collect::<Vec<_>>()).collect()
    };
    let convolve = |windows: Windows, groups: usize, out_channels: usize| -> Vec<f64> {
        let taps: Vec<Vec<Vec<Tap>>> = x.chunks(channel).map(|x| windows.taps(x)).collect();
        let (inner, outer) = (shape[0] / groups, out_channels / groups);
        let kernel: usize = windows.kernel.iter().product();
        let product = |window: &[Tap], weight: &[f64]| -> f64 {
            window.iter().zip(weight).map(|(tap, w)| tap.value.unwrap_or(0.0) * w).sum()
        };
        let mut output = Vec::new();
        for (o, weight) in parameters[0].chunks(inner * kernel).enumerate() {
            let group = &taps[o / outer * inner..][..inner];
            let bias = parameters.get(1).map_or(0.0, |bias| bias[o]);
            output.extend((0..group[0].len()).map(|place| {
                let channels = group.iter().zip(weight.chunks(kernel));
                bias + channels.map(|(windows, weight)| product(&windows[place], weight)).sum::<f64>()
            }));
        }
        output
    };
    let mean = |include: bool, divisor: Option<usize>| {
        move |taps: &[Tap]| {
            let counts = taps.iter().filter(|tap| tap.value.is_some() || (include && tap.in_padding)).count();
            taps.iter().filter_map(|tap| tap.value).sum::<f64>() / divisor.unwrap_or(counts) as f64
        }
    };
    match op {
        Op::Conv1d(s) => {
            convolve(windows(&s.kernel_size, &s.stride, &s.dilation, &s.padding), s.groups, s.out_channels)
        }
        Op::Conv3d(s) => {
            convolve(windows(&s.kernel_size, &s.stride, &s.dilation, &s.padding), s.groups, s.out_channels)
        }
        Op::MaxPool1d(s) => pool(windows(&s.kernel_size, &s.stride, &s.dilation, &s.padding), &largest, x),
        Op::MaxPool3d(s) => pool(windows(&s.kernel_size, &s.stride, &s.dilation, &s.padding), &largest, x),
        Op::AvgPool1d(s) => pool(
            windows(&s.kernel_size, &s.stride, &[1], &s.padding),
            &mean(s.count_include_pad, s.divisor_override),
            x,
        ),
        Op::AvgPool3d(s) => pool(
            windows(&s.kernel_size, &s.stride, &[1; 3], &s.padding),
            &mean(s.count_include_pad, s.divisor_override),
            x,
        ),
        // No output is right: the problem fails.
        _ => Vec::new(),
    }
}

/// One element of a window: `None` outside of the input.
struct Tap {
    value: Option<f64>,
    in_padding: bool,
}

/// Nothing is larger than NaN.
fn largest(taps: &[Tap]) -> f64 {
    let values = taps.iter().filter_map(|tap| tap.value);
    values.fold(f64::NEG_INFINITY, |a, b| if a.is_nan() || a > b { a } else { b })
}

/// Windows over the axes behind the channels. Padding is before and after each axis.
struct Windows {
    size: Vec<usize>,
    outputs: Vec<usize>,
    kernel: Vec<usize>,
    stride: Vec<usize>,
    dilation: Vec<usize>,
    padding: Vec<usize>,
}

impl Windows {
    /// The elements of every window of one channel.
    fn taps(&self, x: &[f64]) -> Vec<Vec<Tap>> {
        let element = |window: &[usize], tap: &[usize]| {
            let (mut index, mut inside, mut in_padding) = (0, true, true);
            for axis in 0..self.size.len() {
                let place = window[axis] * self.stride[axis] + tap[axis] * self.dilation[axis];
                let (before, n) = (self.padding[2 * axis], self.size[axis]);
                inside &= (before..before + n).contains(&place);
                in_padding &= place < before + n + self.padding[2 * axis + 1];
                index = index * n + place.saturating_sub(before);
            }
            Tap { value: inside.then(|| x[index]), in_padding }
        };
        let kernel = places(&self.kernel);
        places(&self.outputs).iter().map(|window| kernel.iter().map(|tap| element(window, tap)).collect()).collect()
    }
}

/// Every index of an array of this shape, in order.
fn places(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![Vec::new()], |places, &size| {
        places.iter().flat_map(|place| (0..size).map(move |i| [&place[..], &[i]].concat())).collect()
    })
}
