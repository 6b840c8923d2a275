//! What layers over one, two and three spatial axes share.
//!
//! Such a layer is one op of the language and one generic spec: `ConvSpec<D, S>` has D axes and S = 2·D sides, and
//! `Conv1dSpec`, `Conv2dSpec` and `Conv3dSpec` are its forms.

use crate::window::single_input;
use crate::{Fault, Fix, Shape, codes};

/// What the axes are called: of a sequence, a map, a volume.
const NAMES: [&[&str]; 3] = [&["length"], &["height", "width"], &["depth", "height", "width"]];

/// What values with as many axes are.
const VALUES: [&str; 3] =
    ["a sequence (channels, length)", "a map (channels, height, width)", "a volume (channels, depth, height, width)"];

/// What an axis (from 0) of as many is called.
pub(crate) fn axis_name(axes: usize, axis: usize) -> &'static str {
    NAMES.get(axes.wrapping_sub(1)).and_then(|names| names.get(axis)).copied().unwrap_or("size")
}

/// The axes' names, as in `height, width`.
pub(crate) fn axis_names(axes: usize) -> String {
    NAMES.get(axes.wrapping_sub(1)).map_or(String::new(), |names| names.join(", "))
}

/// Channels and sizes of the single input of a layer over D axes.
pub(crate) fn spatial_input<const D: usize>(layer: &str, inputs: &[&Shape]) -> Result<(usize, [usize; D]), Fault> {
    let shape = single_input(layer, inputs)?;
    match (shape.split_first(), shape.get(1..).and_then(|sizes| <[usize; D]>::try_from(sizes).ok())) {
        (Some((&channels, _)), Some(sizes)) => Ok((channels, sizes)),
        _ => Err(bad_rank(layer, shape, D..=D)),
    }
}

/// How many spatial axes the single input of a layer has: at least `least`, at most 3.
pub(super) fn spatial_axes(layer: &str, inputs: &[&Shape], least: usize) -> Result<usize, Fault> {
    let shape = single_input(layer, inputs)?;
    let axes = shape.len().saturating_sub(1);
    if (least..=3).contains(&axes) { Ok(axes) } else { Err(bad_rank(layer, shape, least..=3)) }
}

fn bad_rank(layer: &str, shape: &Shape, axes: std::ops::RangeInclusive<usize>) -> Fault {
    let values = VALUES.get(axes.start() - 1..*axes.end()).unwrap_or(&VALUES);
    let values = match values.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => values.concat(),
    };
    Fault::new(&codes::BAD_RANK, format!("`{layer}` takes {values}, but the value here is {shape}")).advice(match shape
        .len()
    {
        1 => "after `flatten` or `dense` there are no rows and columns left; move this layer before them",
        _ => "channels come first, then the sizes; the batch is not written",
    })
}

/// Makes the form of a spec that fits the axes of the input: `from_call` of the first that has as many.
macro_rules! by_axes {
    ($layer:literal, $args:ident, $inputs:ident, $one:ty, $two:ty, $three:ty) => {
        match $crate::ops::axes::spatial_axes($layer, $inputs, 1)? {
            1 => <$one>::from_call($args, $inputs),
            2 => <$two>::from_call($args, $inputs),
            _ => <$three>::from_call($args, $inputs),
        }
    };
}
pub(super) use by_axes;

/// PyTorch's rule for pools: padding of at most half of the kernel, so that no window lies in padding alone.
pub(super) fn check_pool_padding<const D: usize, const S: usize>(
    kernel: [usize; D],
    padding: [usize; S],
) -> Result<(), Fault> {
    for (axis, (kernel, sides)) in kernel.into_iter().zip(padding.chunks_exact(2)).enumerate() {
        let (most, side, name) = (kernel / 2, sides[0].max(sides[1]), axis_name(D, axis));
        if side > most {
            return Err(Fault::new(
                &codes::BAD_ARGUMENT,
                format!("padding {side} is more than half of the kernel's {name}"),
            )
            .about("padding")
            .figure(format!("kernel {name} {kernel} / 2 = {most}"))
            .advice(format!("use at most {most}")));
        }
    }
    Ok(())
}

/// A shape of channels and spatial sizes.
pub(super) fn spatial_shape<const D: usize>(channels: usize, sizes: [usize; D]) -> Result<Shape, Fault> {
    Shape::new(&[&[channels], &sizes[..]].concat())
}

/// Sets every axis of a size to one value in a fix: `3`, or `(3, 5)` where they differ.
pub(crate) fn set_axes<const D: usize>(name: &'static str, sizes: [usize; D], advice: String) -> Fix {
    let value = match sizes.iter().all(|size| *size == sizes[0]) {
        true => sizes[0].to_string(),
        false => format!("({})", sizes.map(|size| size.to_string()).join(", ")),
    };
    Fix::SetArgument { advice, name, value }
}
