//! Every op with every option against values that PyTorch computed: `pytorch/values.json`, one case per line, made by
//! `pytorch/generate.py`.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_ir::ops::OPS;
use cnn_ir::{Args, Fault, Kind, Op, OpDef, Shape, Value, codes};
use cnn_runtime::training::StepSettings;
use cnn_runtime::{CompileOptions, Error, Isa, LuminalBuilder, Reference, Session, Tensor};
use serde_json::{Value as Json, json};
use suite::{Problem, formula};

/// Examples in each case.
const BATCH: usize = 2;

fn table() -> Vec<Json> {
    serde_json::from_str(include_str!("pytorch/values.json")).unwrap()
}

fn array(json: &Json) -> &[Json] {
    json.as_array().unwrap()
}

fn sizes(json: &Json) -> Vec<usize> {
    array(json).iter().map(|size| size.as_u64().unwrap() as usize).collect()
}

/// A number, or the text of one that JSON has not: `inf`, `-inf`, `nan`.
fn number(json: &Json) -> f64 {
    json.as_f64().unwrap_or_else(|| json.as_str().unwrap().parse().unwrap())
}

/// An argument as the language has it.
fn value(json: &Json) -> Value {
    match json {
        Json::Bool(value) => Value::Bool(*value),
        Json::String(word) => Value::Word(word.clone()),
        Json::Array(items) => Value::Tuple(items.iter().map(value).collect()),
        number => number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap()), Value::Int),
    }
}

/// The op that a case's call makes.
fn op(case: &Json, inputs: &[Vec<usize>]) -> Result<Op, Fault> {
    let def = OpDef::find(case["op"].as_str().unwrap()).unwrap();
    let mut args = Args::new();
    for (name, given) in case["arguments"].as_object().unwrap() {
        let param = def.params.iter().find(|param| param.name == name);
        let unknown = || Fault::new(&codes::BAD_ARGUMENT, format!("there is no `{name}`"));
        args.bind(param.ok_or_else(unknown)?, value(given))?;
    }
    let shapes: Vec<Shape> = inputs.iter().map(|input| Shape::new(input).unwrap()).collect();
    let shapes: Vec<&Shape> = shapes.iter().collect();
    let op = (def.from_call)(&args, &shapes)?;
    op.output_shape(&shapes)?;
    Ok(op)
}

fn problem(case: &Json) -> Result<Problem, String> {
    let name = format!("{} {} on {}", case["op"], case["arguments"], case["inputs"]);
    let shapes: Vec<Vec<usize>> = array(&case["inputs"]).iter().map(sizes).collect();
    let op = op(case, &shapes).map_err(|fault| format!("{name}: {}", fault.message))?;
    let parameters = op.parameters();
    let owned: Vec<Json> = parameters.iter().map(|tensor| json!([tensor.name, tensor.shape])).collect();
    if owned != array(&case["parameters"]) {
        return Err(format!("{name}: the parameters are {}, not {}", json!(owned), case["parameters"]));
    }
    let input = |(i, shape): (usize, &Vec<usize>)| {
        let count = BATCH * shape.iter().product::<usize>();
        let data = match case.get("special") {
            Some(line) => array(line).iter().cycle().take(count).map(|v| number(v) as f32).collect(),
            None => {
                let key = if shapes.len() == 1 { "input".into() } else { format!("input {i}") };
                formula::values(&key, count).iter().map(|v| (v * 2.0) as f32).collect()
            }
        };
        Tensor::new(&[&[BATCH], &shape[..]].concat(), data).unwrap()
    };
    Ok(Problem {
        name,
        parameters: parameters.iter().map(|tensor| formula::parameter(0, tensor.name, &tensor.shape)).collect(),
        inputs: shapes.iter().enumerate().map(input).collect(),
        op,
        output_shape: [&[BATCH], &sizes(&case["output_shape"])[..]].concat(),
        output: array(&case["output"]).iter().map(number).collect(),
        tolerance: 1e-5,
    })
}

/// What is wrong with a case, on any backend.
fn errors(case: &Json) -> Vec<String> {
    let problem = match problem(case) {
        Ok(problem) => problem,
        Err(error) => return vec![error],
    };
    let mut builder = LuminalBuilder::new();
    problem.build(&mut builder).unwrap();
    let outputs =
        Reference::new(builder.finish().unwrap(), &problem.weights()).unwrap().run(&problem.inputs()).unwrap();
    let reference = problem.check(outputs[0].shape(), outputs[0].data()).map_err(|text| format!("reference: {text}"));
    let engine = |isa: Isa| {
        let options = CompileOptions { isa: Some(isa), ..Default::default() };
        let mut session = Session::new(|b| problem.build(b), &problem.weights(), &options).unwrap();
        let outputs = session.run(&problem.inputs()).unwrap();
        problem.check(outputs.get(0).shape(), outputs.get(0).data()).map_err(|text| format!("{isa}: {text}"))
    };
    let results = std::iter::once(reference).chain(Isa::available().map(engine));
    results.filter_map(Result::err).collect()
}

#[test]
fn ops_mean_what_pytorch_means() {
    let table = table();
    let wrong: Vec<String> = table.iter().flat_map(errors).collect();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// What is wrong with a gradient. Of a short one PyTorch's numbers are all elements, of a long one the norm and a sample.
fn gradient_error(right: &Json, found: &[f32]) -> Option<String> {
    let elements: Vec<(usize, f64)> = match right.get("samples") {
        Some(samples) => {
            array(samples).iter().map(|pair| (pair[0].as_u64().unwrap() as usize, number(&pair[1]))).collect()
        }
        None => array(right).iter().map(number).enumerate().collect(),
    };
    let norm_of = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let found_norm = norm_of(&mut found.iter().map(|&v| f64::from(v)));
    let norm = match right.get("norm") {
        Some(norm) => number(norm),
        None if elements.len() != found.len() => {
            return Some(format!("{} elements, not {}", found.len(), elements.len()));
        }
        None => norm_of(&mut elements.iter().map(|&(_, v)| v)),
    };
    // Where nearly all cancels, rounding is of what was there before.
    let usual = (norm / (found.len() as f64).sqrt()).max(0.01);
    let is_off = |found: f64, right: f64, usual: f64| {
        let error = (found - right).abs();
        error.is_nan() || error > 1e-4 * right.abs().max(usual)
    };
    if is_off(found_norm, norm, usual * (found.len() as f64).sqrt()) {
        return Some(format!("the norm is {found_norm}, not {norm}"));
    }
    let wrong = elements.into_iter().find(|&(i, right)| is_off(found[i].into(), right, usual));
    wrong.map(|(i, right)| format!("element {i} is {}, not {right}", found[i]))
}

/// Compares the gradients of a case: how many tensors there were, and what is wrong. In sessions of training, batch norm
/// normalises by the batch, which has its own numbers, and dropout is not PyTorch's at inference; `special` inputs lie on
/// kinks.
fn check_gradients(case: &Json, isa: Isa, wrong: &mut Vec<String>) -> Result<usize, Error> {
    let problem = problem(case).unwrap();
    let right = if case["op"] == "batch_norm" { &case["training"] } else { case };
    let drops_out = matches!(&problem.op, Op::Dropout(spec) if spec.p > 0.0);
    if right.get("gradients").is_none() || case.get("special").is_some() || drops_out {
        return Ok(0);
    }
    let dy = formula::values("dy", problem.output_shape.iter().product()).iter().map(|&v| v as f32).collect();
    let dy = Tensor::new(&problem.output_shape, dy)?;
    let mut session = suite::training::session(&problem, isa)?;
    session.step(&problem.inputs(), &[&dy], &StepSettings { updates: false, ..Default::default() })?;
    let mut checks = Vec::new();
    for (i, right) in array(&right["gradients"]["inputs"]).iter().enumerate() {
        let name = format!("gradient of x{i}");
        checks.push((gradient_error(right, session.output(&name).unwrap().data()), name));
    }
    for (tensor, gradient) in problem.op.parameters().iter().zip(array(&right["gradients"]["parameters"])) {
        let name = format!("layer.{}", tensor.name);
        let error = match session.gradient(&name) {
            Some(found) => gradient_error(gradient, found),
            None => gradient_error(&right[tensor.name], session.parameter(&name).unwrap()),
        };
        checks.push((error, name));
    }
    let count = checks.len();
    let errors = checks.into_iter().filter_map(|(error, name)| Some((error?, name)));
    wrong.extend(errors.map(|(error, name)| format!("{isa}: {}, {name}: {error}", problem.name)));
    Ok(count)
}

#[test]
fn gradients_are_pytorchs() {
    let (table, mut wrong) = (table(), Vec::new());
    for isa in Isa::available() {
        let compared: usize = table.iter().map(|case| check_gradients(case, isa, &mut wrong).unwrap()).sum();
        assert!(compared > table.len(), "{isa}: only {compared} tensors are compared");
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whether a case gives this argument, and with this word if there is one.
fn gives(case: &Json, def: &OpDef, param: &str, word: Option<&str>) -> bool {
    let argument = &case["arguments"][param];
    case["op"] == def.name
        && !argument.is_null()
        && word.is_none_or(|word| argument.to_string().contains(&format!("\"{word}\"")))
}

#[test]
fn every_option_of_every_op_has_a_case() {
    let table = table();
    for def in OPS {
        assert!(table.iter().any(|case| case["op"] == def.name), "no case for `{}`", def.name);
        // How weights start changes nothing that an op means.
        for param in def.params.iter().filter(|param| param.kind != Kind::Initialiser) {
            let given = |word| table.iter().any(|case| gives(case, def, param.name, word));
            assert!(given(None), "no case gives `{}` of `{}`", param.name, def.name);
            let words = if let Kind::Word(words) = param.kind { words } else { &[] };
            for word in words {
                assert!(given(Some(word)), "no case gives `{} = {word}` of `{}`", param.name, def.name);
            }
        }
    }
}
