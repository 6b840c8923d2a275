//! Every op with every option against values that PyTorch computed: `pytorch/values.json`, one case per line, made by
//! `pytorch/generate.py`.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_ir::ops::OPS;
use cnn_ir::{Args, Fault, Kind, Op, OpDef, Shape, Value, codes};
use cnn_runtime::{CompileOptions, Isa, LuminalBuilder, Reference, Session, Tensor};
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
