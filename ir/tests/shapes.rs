//! Shape rules from calls, as the language makes them: one line per case.

#![allow(clippy::unwrap_used)]

use cnn_ir::{Args, OpDef, Shape, Value};

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
