//! Shape rules from calls, as the language makes them: one line per case.

#![allow(clippy::unwrap_used)]

use cnn_ir::{Args, OpDef, OpSpec, Shape, Value};

/// The output's shape, or the code of the fault.
fn shape(op: &str, arguments: &[(&str, Value)], input: &[usize]) -> Result<Vec<usize>, &'static str> {
    join(op, arguments, &[input])
}

/// The same for several inputs.
fn join(op: &str, arguments: &[(&str, Value)], inputs: &[&[usize]]) -> Result<Vec<usize>, &'static str> {
    let def = OpDef::find(op).unwrap();
    let mut args = Args::new();
    for (name, value) in arguments {
        let param = def.params.iter().find(|param| param.name == *name).unwrap();
        args.bind(param, value.clone()).map_err(|fault| fault.code.name)?;
    }
    let inputs: Vec<Shape> = inputs.iter().map(|input| Shape::new(input).unwrap()).collect();
    let inputs: Vec<&Shape> = inputs.iter().collect();
    let op = (def.from_call)(&args, &inputs).map_err(|fault| fault.code.name)?;
    op.output_shape(&inputs).map(|shape| shape.to_vec()).map_err(|fault| fault.code.name)
}

fn int(value: i64) -> Value {
    Value::Int(value)
}

fn tuple<const N: usize>(values: [i64; N]) -> Value {
    Value::Tuple(values.map(Value::Int).into())
}

fn word(word: &str) -> Value {
    Value::Word(word.into())
}

#[test]
fn convolutions() {
    let conv = |kernel, more: &[(&str, Value)], input: &[usize]| {
        shape("conv", &[&[("channels", int(2)), ("kernel", kernel)], more].concat(), input)
    };
    let map = [1, 8, 8];
    assert_eq!(conv(int(3), &[("padding", int(1))], &map), Ok(vec![2, 8, 8]));
    assert_eq!(conv(tuple([5, 3]), &[("padding", tuple([2, 1]))], &map), Ok(vec![2, 8, 8]));
    assert_eq!(conv(int(3), &[("padding", int(1)), ("stride", int(2))], &map), Ok(vec![2, 4, 4]));
    let strides = [("padding", tuple([0, 1])), ("stride", tuple([3, 4]))];
    assert_eq!(conv(tuple([3, 5]), &strides, &map), Ok(vec![2, 2, 2]));
    assert_eq!(conv(int(3), &[("padding", tuple([1, 0, 2, 0]))], &map), Ok(vec![2, 7, 8]));
    assert_eq!(conv(int(3), &[("dilation", int(3))], &map), Ok(vec![2, 2, 2]));
    assert_eq!(conv(int(4), &[("padding", word("same"))], &map), Ok(vec![2, 8, 8]));
    assert_eq!(conv(int(3), &[("padding", word("same_tf")), ("stride", int(2))], &[1, 7, 8]), Ok(vec![2, 4, 4]));
    assert_eq!(conv(int(3), &[("padding", word("valid"))], &map), Ok(vec![2, 6, 6]));
    assert_eq!(conv(int(3), &[("padding", word("same")), ("stride", int(2))], &map), Err("cnn::bad_argument"));
    assert_eq!(conv(int(9), &[], &map), Err("cnn::kernel_too_large"));
    assert_eq!(conv(int(3), &[("groups", int(3))], &[6, 8, 8]), Err("cnn::groups_mismatch"));
    assert_eq!(conv(int(3), &[], &[8]), Err("cnn::bad_rank"));
    assert_eq!(conv(int(0), &[], &map), Err("cnn::bad_argument"));
    assert_eq!(conv(int(i64::MAX), &[], &map), Err("cnn::bad_argument"));
    assert_eq!(conv(int(1), &[("padding", int(1 << 30))], &map), Err("cnn::too_large"));
}

#[test]
fn pools() {
    let pool =
        |op, kernel, more: &[(&str, Value)], input: &[usize]| shape(op, &[&[("kernel", kernel)], more].concat(), input);
    let ceil = ("ceil_mode", Value::Bool(true));
    assert_eq!(pool("max_pool", int(2), &[], &[3, 7, 7]), Ok(vec![3, 3, 3]));
    assert_eq!(pool("max_pool", int(2), std::slice::from_ref(&ceil), &[3, 7, 7]), Ok(vec![3, 4, 4]));
    assert_eq!(pool("avg_pool", tuple([2, 3]), &[("stride", tuple([2, 3]))], &[3, 8, 9]), Ok(vec![3, 4, 3]));
    // The last window would start in the padding on the far side, so PyTorch drops it.
    let far = [ceil, ("stride", int(3)), ("padding", int(1))];
    assert_eq!(pool("max_pool", int(2), &far, &[1, 5, 5]), Ok(vec![1, 2, 2]));
    // A window larger than the input, which rounding up lets in.
    let larger = [("ceil_mode", Value::Bool(true)), ("stride", int(2))];
    assert_eq!(pool("max_pool", int(3), &larger, &[1, 2, 2]), Ok(vec![1, 1, 1]));
    assert_eq!(pool("max_pool", int(4), &larger, &[1, 2, 2]), Err("cnn::kernel_too_large"));
    assert_eq!(pool("max_pool", int(3), &[("padding", int(2))], &[1, 8, 8]), Err("cnn::bad_argument"));
    assert_eq!(pool("max_pool", int(3), &[("dilation", int(4))], &[1, 8, 8]), Err("cnn::kernel_too_large"));
    assert_eq!(shape("global_avg_pool", &[], &[5, 3, 2]), Ok(vec![5, 1, 1]));
}

#[test]
fn axes() {
    assert_eq!(shape("flatten", &[], &[6, 5, 4]), Ok(vec![120]));
    assert_eq!(shape("flatten", &[("start_dim", int(2))], &[6, 5, 4]), Ok(vec![6, 20]));
    assert_eq!(shape("flatten", &[("end_dim", int(-2))], &[6, 5, 4]), Ok(vec![30, 4]));
    assert_eq!(shape("flatten", &[("start_dim", int(0))], &[6, 5, 4]), Err("cnn::bad_argument"));
    assert_eq!(shape("flatten", &[("start_dim", int(3)), ("end_dim", int(2))], &[6, 5, 4]), Err("cnn::bad_argument"));
    assert_eq!(shape("softmax", &[("dim", int(-1))], &[6, 5, 4]), Ok(vec![6, 5, 4]));
    assert_eq!(shape("softmax", &[("dim", int(4))], &[6, 5, 4]), Err("cnn::bad_argument"));
    assert_eq!(shape("dense", &[("features", int(7))], &[6]), Ok(vec![7]));
    assert_eq!(shape("dense", &[("features", int(7))], &[6, 1, 1]), Err("cnn::bad_rank"));
    assert_eq!(shape("dropout", &[("p", Value::Float(1.5))], &[6]), Err("cnn::bad_argument"));
}

#[test]
fn norms() {
    for input in [&[6][..], &[6, 5], &[6, 5, 4], &[6, 5, 4, 3]] {
        assert_eq!(shape("batch_norm", &[], input), Ok(input.to_vec()));
    }
    assert_eq!(shape("batch_norm", &[("eps", Value::Float(-1.0))], &[6]), Err("cnn::bad_argument"));
    assert_eq!(shape("batch_norm", &[("momentum", int(2))], &[6]), Err("cnn::bad_argument"));
    let norm = cnn_ir::ops::BatchNormSpec::new(6);
    assert!(norm.output_shape(&[&Shape::new(&[5, 2, 2]).unwrap()]).is_err());
    let names: Vec<_> = norm.parameters().into_iter().map(|tensor| (tensor.name, tensor.trainable)).collect();
    assert_eq!(names, [("weight", true), ("bias", true), ("running_mean", false), ("running_var", false)]);
    assert_eq!(norm.cost(&Shape::new(&[6]).unwrap()).params, 12);

    let map = [6, 5, 4];
    assert_eq!(shape("group_norm", &[("groups", int(3))], &map), Ok(map.to_vec()));
    assert_eq!(shape("group_norm", &[("groups", int(4))], &map), Err("cnn::groups_mismatch"));
    assert_eq!(shape("group_norm", &[("groups", int(0))], &map), Err("cnn::bad_argument"));
    assert_eq!(shape("layer_norm", &[], &map), Ok(map.to_vec()));
    assert_eq!(shape("layer_norm", &[("axes", int(2))], &map), Ok(map.to_vec()));
    assert_eq!(shape("layer_norm", &[("axes", int(4))], &map), Err("cnn::bad_argument"));
    assert_eq!(shape("layer_norm", &[("eps", Value::Float(f64::NAN))], &map), Err("cnn::bad_argument"));
    assert_eq!(shape("instance_norm", &[], &map), Ok(map.to_vec()));
    assert_eq!(shape("instance_norm", &[], &[6, 1, 1]), Err("cnn::bad_rank"));
    assert_eq!(shape("local_response_norm", &[("size", int(5))], &map), Ok(map.to_vec()));
    assert_eq!(shape("local_response_norm", &[("size", int(0))], &map), Err("cnn::bad_argument"));
    assert_eq!(shape("local_response_norm", &[("size", int(5)), ("beta", int(-1))], &map), Err("cnn::bad_argument"));
    assert_eq!(shape("local_response_norm", &[("size", int(5))], &[6]), Err("cnn::bad_rank"));
}

#[test]
fn activations() {
    for op in ["relu6", "leaky_relu", "prelu", "elu", "silu", "gelu", "hard_sigmoid", "hard_swish", "log_softmax"] {
        assert_eq!(shape(op, &[], &[6, 5, 4]), Ok(vec![6, 5, 4]), "{op}");
    }
    assert_eq!(shape("leaky_relu", &[("slope", Value::Float(f64::INFINITY))], &[6]), Err("cnn::bad_argument"));
    assert_eq!(shape("elu", &[("alpha", Value::Float(1e300))], &[6]), Err("cnn::bad_argument"));
    assert_eq!(shape("prelu", &[("num_parameters", int(6))], &[6, 5, 4]), Ok(vec![6, 5, 4]));
    assert_eq!(shape("prelu", &[("num_parameters", int(5))], &[6, 5, 4]), Err("cnn::bad_argument"));
    assert_eq!(shape("gelu", &[("approximate", word("tanh"))], &[6]), Ok(vec![6]));
    assert_eq!(shape("gelu", &[("approximate", word("sigmoid"))], &[6]), Err("cnn::bad_argument"));
    assert_eq!(shape("log_softmax", &[("dim", int(2))], &[6]), Err("cnn::bad_argument"));
}

#[test]
fn joins() {
    assert_eq!(join("add", &[], &[&[6, 5, 4][..]; 3]), Ok(vec![6, 5, 4]));
    assert_eq!(join("add", &[], &[&[6, 5, 4]]), Err("cnn::shape_mismatch"));
    assert_eq!(join("add", &[], &[&[6, 5, 4], &[6, 1, 1]]), Err("cnn::shape_mismatch"));
    assert_eq!(join("mul", &[], &[&[6, 5, 4], &[6, 1, 1]]), Ok(vec![6, 5, 4]));
    assert_eq!(join("mul", &[], &[&[6, 1, 1], &[6, 1, 1], &[6, 5, 4]]), Ok(vec![6, 5, 4]));
    assert_eq!(join("mul", &[], &[&[6, 5, 4], &[5, 1, 1]]), Err("cnn::shape_mismatch"));
    assert_eq!(join("mul", &[], &[&[6, 5, 4], &[6, 5, 1]]), Err("cnn::shape_mismatch"));
    assert_eq!(join("concat", &[], &[&[6, 5, 4], &[1, 5, 4]]), Ok(vec![7, 5, 4]));
    assert_eq!(join("concat", &[], &[&[6, 5, 4]]), Ok(vec![6, 5, 4]));
    assert_eq!(join("concat", &[("dim", int(-1))], &[&[6, 5, 4], &[6, 5, 1]]), Ok(vec![6, 5, 5]));
    assert_eq!(join("concat", &[], &[]), Err("cnn::shape_mismatch"));
    assert_eq!(join("concat", &[], &[&[6, 5, 4], &[6]]), Err("cnn::shape_mismatch"));
    assert_eq!(join("concat", &[], &[&[6, 5, 4], &[6, 5, 3]]), Err("cnn::shape_mismatch"));
    assert_eq!(join("concat", &[("dim", int(4))], &[&[6, 5, 4]]), Err("cnn::bad_argument"));
    assert_eq!(shape("identity", &[], &[6, 5]), Ok(vec![6, 5]));
}

#[test]
fn joins_tell_where_the_shapes_differ() {
    let fault = |op: &str, shapes: &[&[usize]]| {
        let shapes: Vec<Shape> = shapes.iter().map(|shape| Shape::new(shape).unwrap()).collect();
        let shapes: Vec<&Shape> = shapes.iter().collect();
        let op = (OpDef::find(op).unwrap().from_call)(&Args::new(), &shapes).unwrap();
        op.output_shape(&shapes).unwrap_err().to_string()
    };
    assert_eq!(
        fault("add", &[&[64, 56, 56], &[128, 28, 28]]),
        "`add` takes values of one shape, but its first is 64×56×56 and its second 128×28×28 [cnn::shape_mismatch]; \
         channels 64 ≠ 128; height 56 ≠ 28; width 56 ≠ 28; \
         help: a `conv(128, 1, stride = 2)` on the larger branch makes it fit"
    );
    assert_eq!(
        fault("concat", &[&[64, 8, 8], &[32, 8, 8], &[32, 8, 7]]),
        "`concat` along axis 1 takes values that are equal on all other axes, but its first is 64×8×8 and its third \
         32×8×7 [cnn::shape_mismatch]; width 8 ≠ 7; help: use the same strides and padding in all branches"
    );
}

#[test]
fn faults_tell_the_arithmetic_and_the_way_out() {
    let input = Shape::new(&[6, 8, 8]).unwrap();
    let mut spec = cnn_ir::ops::Conv2dSpec::new(6, 8, [5, 5]);
    spec.groups = 4;
    let fault = cnn_ir::OpSpec::output_shape(&spec, &[&input]).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "4 groups do not divide 6 input and 8 output channels [cnn::groups_mismatch]; \
         6 mod 4 = 2; 8 mod 4 = 0; help: the nearest that divides both is 2"
    );
    spec.groups = 1;
    spec.dilation = [3, 1];
    spec.padding = [1, 1, 0, 0];
    let fault = cnn_ir::OpSpec::output_shape(&spec, &[&input]).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "the kernel does not fit: its height is 13, the padded input's is 10 [cnn::kernel_too_large]; \
         kernel 5 with dilation 3 spans 3·(5−1)+1 = 13; input height 8 + padding 2 = 10; \
         help: use a smaller kernel, less dilation or more padding"
    );
}

#[test]
fn transposed_convolutions() {
    let transpose = |kernel, more: &[(&str, Value)], input: &[usize]| {
        shape("conv_transpose", &[&[("channels", int(2)), ("kernel", kernel)], more].concat(), input)
    };
    let map = [4, 8, 6];
    let two = ("stride", int(2));
    assert_eq!(transpose(int(3), &[], &map), Ok(vec![2, 10, 8]));
    assert_eq!(transpose(int(2), std::slice::from_ref(&two), &map), Ok(vec![2, 16, 12]));
    assert_eq!(transpose(tuple([4, 2]), &[two.clone(), ("padding", tuple([1, 0]))], &map), Ok(vec![2, 16, 12]));
    assert_eq!(transpose(int(3), &[("padding", tuple([1, 0, 2, 3]))], &map), Ok(vec![2, 9, 3]));
    assert_eq!(transpose(int(3), &[two.clone(), ("output_padding", tuple([1, 0]))], &map), Ok(vec![2, 18, 13]));
    assert_eq!(transpose(int(3), &[("dilation", int(3)), ("output_padding", int(2))], &map), Ok(vec![2, 16, 14]));
    assert_eq!(transpose(int(3), &[two, ("output_padding", int(2))], &map), Err("cnn::bad_argument"));
    assert_eq!(transpose(int(3), &[("padding", int(4))], &map), Err("cnn::bad_argument"));
    assert_eq!(transpose(int(3), &[("groups", int(3))], &map), Err("cnn::groups_mismatch"));
    assert_eq!(transpose(int(3), &[("stride", int(1 << 30))], &map), Err("cnn::too_large"));
    assert_eq!(transpose(int(3), &[], &[8]), Err("cnn::bad_rank"));
    // As many products as elements of the input times taps.
    let spec = cnn_ir::ops::ConvTranspose2dSpec::new(4, 2, [3, 3]);
    let output = cnn_ir::OpSpec::output_shape(&spec, &[&Shape::new(&map).unwrap()]).unwrap();
    assert_eq!(cnn_ir::OpSpec::macs(&spec, &output), 4 * 8 * 6 * 2 * 9);
    assert_eq!(cnn_ir::OpSpec::cost(&spec, &output).params, 4 * 2 * 9 + 2);
}

#[test]
fn rows_and_columns() {
    assert_eq!(shape("adaptive_avg_pool", &[("size", int(7))], &[5, 13, 2]), Ok(vec![5, 7, 7]));
    assert_eq!(shape("adaptive_max_pool", &[("size", tuple([1, 3]))], &[5, 13, 2]), Ok(vec![5, 1, 3]));
    assert_eq!(shape("adaptive_max_pool", &[("size", int(0))], &[5, 13, 2]), Err("cnn::bad_argument"));
    assert_eq!(shape("global_max_pool", &[], &[5, 3, 2]), Ok(vec![5, 1, 1]));

    let none = Value::Tuple(vec![word("none"), int(3)]);
    assert_eq!(shape("adaptive_avg_pool", &[("size", none)], &[5, 13, 2]), Ok(vec![5, 13, 3]));
    assert_eq!(shape("adaptive_avg_pool", &[("size", word("none"))], &[5, 13]), Ok(vec![5, 13]));
    assert_eq!(shape("adaptive_avg_pool", &[("size", word("all"))], &[5, 13]), Err("cnn::bad_argument"));
    let ratio = |ratio, input: &[usize]| {
        shape("fractional_max_pool", &[("kernel", int(2)), ("output_ratio", Value::Float(ratio))], input)
    };
    assert_eq!(ratio(0.7, &[3, 9, 7]), Ok(vec![3, 6, 4]));
    assert_eq!(ratio(0.7, &[3, 9, 7, 5]), Ok(vec![3, 6, 4, 3]));
    assert_eq!(ratio(1.0, &[3, 9, 7]), Err("cnn::bad_argument"));
    assert_eq!(ratio(0.1, &[3, 9, 7]), Err("cnn::bad_argument"));
    assert_eq!(ratio(0.7, &[3, 9]), Err("cnn::bad_rank"));
    let fractional = |kernel, size| {
        shape("fractional_max_pool", &[("kernel", int(kernel)), ("output_size", size), ("seed", int(7))], &[3, 9, 7])
    };
    assert_eq!(fractional(2, tuple([6, 5])), Ok(vec![3, 6, 5]));
    assert_eq!(fractional(3, tuple([7, 5])), Ok(vec![3, 7, 5]));
    assert_eq!(fractional(3, int(6)), Err("cnn::kernel_too_large"));

    let upsample = |arguments: &[(&str, Value)]| shape("upsample", arguments, &[3, 5, 6]);
    let (align, bilinear) = (("align_corners", Value::Bool(true)), ("mode", word("bilinear")));
    assert_eq!(upsample(&[("scale", int(2))]), Ok(vec![3, 10, 12]));
    assert_eq!(upsample(&[("scale", Value::Float(1.5))]), Ok(vec![3, 7, 9]));
    assert_eq!(upsample(&[("scale", Value::Tuple(vec![int(1), Value::Float(0.5)]))]), Ok(vec![3, 5, 3]));
    assert_eq!(upsample(&[("size", tuple([9, 2])), bilinear.clone(), align.clone()]), Ok(vec![3, 9, 2]));
    assert_eq!(upsample(&[]), Err("cnn::bad_argument"));
    assert_eq!(upsample(&[("scale", int(2)), ("size", int(9))]), Err("cnn::bad_argument"));
    assert_eq!(upsample(&[("scale", int(2)), align]), Err("cnn::bad_argument"));
    assert_eq!(upsample(&[("scale", Value::Float(0.1))]), Err("cnn::bad_argument"));
    assert_eq!(upsample(&[("scale", Value::Float(-1.0))]), Err("cnn::bad_argument"));
    assert_eq!(upsample(&[("scale", Value::Float(1e300))]), Err("cnn::too_large"));
    assert_eq!(upsample(&[("scale", int(2)), ("mode", word("cubic"))]), Err("cnn::bad_argument"));

    let pad = |sides, more: &[(&str, Value)]| shape("pad", &[&[("sides", sides)], more].concat(), &[3, 5, 6]);
    assert_eq!(pad(int(1), &[]), Ok(vec![3, 7, 8]));
    assert_eq!(pad(tuple([1, 2, 3, 0]), &[("value", int(1))]), Ok(vec![3, 8, 9]));
    assert_eq!(pad(tuple([4, 5]), &[("mode", word("reflect"))]), Ok(vec![3, 13, 16]));
    assert_eq!(pad(int(5), &[("mode", word("reflect"))]), Err("cnn::bad_argument"));
    assert_eq!(pad(int(9), &[("mode", word("replicate"))]), Ok(vec![3, 23, 24]));
    assert_eq!(pad(int(1), &[("mode", word("replicate")), ("value", int(1))]), Err("cnn::bad_argument"));
    assert_eq!(pad(int(1), &[("value", Value::Float(1e39))]), Err("cnn::bad_argument"));
    assert_eq!(pad(int(-1), &[]), Err("cnn::bad_argument"));
    assert_eq!(pad(int(1 << 30), &[]), Err("cnn::too_large"));

    assert_eq!(shape("crop", &[("sides", tuple([1, 2, 0, 3]))], &[3, 5, 6]), Ok(vec![3, 2, 3]));
    assert_eq!(shape("crop", &[("sides", tuple([0, 3]))], &[3, 5, 6]), Err("cnn::bad_argument"));
}

#[test]
fn channels_and_elements() {
    assert_eq!(shape("channel_shuffle", &[("groups", int(3))], &[6, 5]), Ok(vec![6, 5]));
    assert_eq!(shape("channel_shuffle", &[("groups", int(4))], &[6, 5]), Err("cnn::groups_mismatch"));

    let slice = |start, end| shape("slice", &[("start", int(start)), ("end", int(end))], &[6, 5, 4]);
    assert_eq!(slice(1, 3), Ok(vec![2, 5, 4]));
    assert_eq!(slice(-2, 6), Ok(vec![2, 5, 4]));
    assert_eq!(slice(0, -1), Ok(vec![5, 5, 4]));
    assert_eq!(shape("slice", &[("start", int(4))], &[6, 5, 4]), Ok(vec![2, 5, 4]));
    assert_eq!(slice(3, 3), Err("cnn::bad_argument"));
    assert_eq!(slice(0, 7), Err("cnn::bad_argument"));
    assert_eq!(slice(-7, 2), Err("cnn::bad_argument"));

    let reshape = |sizes: &[i64]| {
        shape("reshape", &[("shape", Value::List(sizes.iter().copied().map(int).collect()))], &[6, 5, 4])
    };
    assert_eq!(reshape(&[12, 10]), Ok(vec![12, 10]));
    assert_eq!(reshape(&[8, -1, 3]), Ok(vec![8, 5, 3]));
    assert_eq!(shape("reshape", &[("shape", int(-1))], &[6, 5, 4]), Ok(vec![120]));
    assert_eq!(reshape(&[-1, 7]), Err("cnn::bad_argument"));
    assert_eq!(reshape(&[-1, -1]), Err("cnn::bad_argument"));
    assert_eq!(reshape(&[0, 120]), Err("cnn::bad_argument"));
    assert_eq!(reshape(&[]), Err("cnn::bad_shape"));
    assert_eq!(reshape(&[i64::MAX, i64::MAX, -1]), Err("cnn::too_large"));
}

#[test]
fn sequences_and_volumes() {
    let conv = |kernel, more: &[(&str, Value)], input: &[usize]| {
        shape("conv", &[&[("channels", int(2)), ("kernel", kernel)], more].concat(), input)
    };
    assert_eq!(conv(int(3), &[], &[4, 9]), Ok(vec![2, 7]));
    assert_eq!(conv(int(3), &[("padding", tuple([2, 0])), ("stride", int(2))], &[4, 9]), Ok(vec![2, 5]));
    assert_eq!(conv(int(4), &[("padding", word("same"))], &[4, 9]), Ok(vec![2, 9]));
    assert_eq!(conv(int(3), &[("padding", word("same_tf")), ("stride", int(2))], &[4, 9]), Ok(vec![2, 5]));
    assert_eq!(conv(int(3), &[("groups", int(3))], &[4, 9]), Err("cnn::groups_mismatch"));
    assert_eq!(conv(int(3), &[], &[4, 9, 8, 7]), Ok(vec![2, 7, 6, 5]));
    assert_eq!(conv(tuple([1, 2, 3]), &[("padding", int(1))], &[4, 9, 8, 7]), Ok(vec![2, 11, 9, 7]));
    let six = [("padding", tuple([1, 0, 2, 0, 0, 3])), ("stride", tuple([2, 1, 3]))];
    assert_eq!(conv(int(3), &six, &[4, 9, 8, 7]), Ok(vec![2, 4, 8, 3]));
    assert_eq!(conv(int(3), &[("padding", word("same"))], &[4, 9, 8, 7]), Ok(vec![2, 9, 8, 7]));
    assert_eq!(conv(tuple([3, 3]), &[], &[4, 9, 8, 7]), Err("cnn::bad_argument"));
    assert_eq!(conv(tuple([9, 3, 3]), &[], &[4, 8, 8, 7]), Err("cnn::kernel_too_large"));
    assert_eq!(conv(int(3), &[], &[4, 9, 8, 7, 6]), Err("cnn::bad_rank"));
    assert_eq!(conv(tuple([3, 3]), &[], &[4, 9]), Err("cnn::bad_argument"));
    assert_eq!(conv(int(3), &[("padding", tuple([1, 2, 3]))], &[4, 9, 8]), Err("cnn::bad_argument"));
    let circular = ("padding_mode", word("circular"));
    assert_eq!(conv(int(3), &[("padding", int(9)), circular.clone()], &[4, 9, 9]), Ok(vec![2, 25, 25]));
    assert_eq!(conv(int(3), &[("padding", int(9)), circular], &[4, 8, 9]), Err("cnn::bad_argument"));

    let pool =
        |op, kernel, more: &[(&str, Value)], input: &[usize]| shape(op, &[&[("kernel", kernel)], more].concat(), input);
    let ceil = [("ceil_mode", Value::Bool(true))];
    assert_eq!(pool("max_pool", int(2), &ceil, &[3, 7]), Ok(vec![3, 4]));
    assert_eq!(pool("avg_pool", int(3), &[("padding", int(1)), ("stride", int(2))], &[3, 7]), Ok(vec![3, 4]));
    assert_eq!(pool("avg_pool", int(3), &[("padding", int(2))], &[3, 7]), Err("cnn::bad_argument"));
    assert_eq!(pool("max_pool", tuple([1, 2, 3]), &[], &[3, 7, 7, 7]), Ok(vec![3, 7, 3, 2]));
    assert_eq!(pool("avg_pool", int(2), &ceil, &[3, 7, 6, 5]), Ok(vec![3, 4, 3, 3]));
    assert_eq!(pool("max_pool", int(8), &[], &[3, 7, 9, 9]), Err("cnn::kernel_too_large"));
}

#[test]
fn faults_over_one_axis_and_three_name_their_axes() {
    let fault = |op: cnn_ir::Op, shape: &[usize]| op.output_shape(&[&Shape::new(shape).unwrap()]).unwrap_err();
    let sequence = fault(cnn_ir::ops::Conv1dSpec::new(4, 2, [12]).into(), &[4, 9]);
    assert_eq!(
        sequence.to_string(),
        "the kernel does not fit: its length is 12, the input's is 9 [cnn::kernel_too_large]; \
         input length 9, no padding; help: the largest length that fits is 9"
    );
    assert!(matches!(sequence.fix.as_deref(), Some(cnn_ir::Fix::SetArgument { value, .. }) if value == "9"));
    let volume = fault(cnn_ir::ops::Conv3dSpec::new(4, 2, [3, 2, 2]).into(), &[4, 2, 9, 9]);
    assert_eq!(
        volume.to_string(),
        "the kernel does not fit: its depth is 3, the input's is 2 [cnn::kernel_too_large]; \
         input depth 2, no padding; help: the largest depth that fits is 2"
    );
}
