//! `cnn predict`

use crate::args::{MessageFormat, Predict};
use crate::failure::Failure;
use crate::number::percent;
use crate::picture::Preparation;
use crate::predictions::{Prediction, are_probabilities, rank, scores_output};
use crate::source::Source;
use crate::trained::{Stored, Trained};
use cnn::{Session, Tensor};
use std::fs::File;
use std::io::{Read, Write, stdout};
use std::path::Path;

/// Class files are lists of names; anything larger is something else.
const MAX_CLASS_FILE: u64 = 1 << 20;

/// How pictures become numbers.
enum Pictures {
    /// As the weights say.
    Stored(Stored),
    /// As the command line says.
    Asked(Preparation),
}

impl Pictures {
    fn read(&mut self, path: &Path, values: &mut Vec<f32>) -> Result<(), Failure> {
        match self {
            Self::Stored(stored) => stored.read(path, values),
            Self::Asked(preparation) => preparation.read(path, values),
        }
    }
}

/// Classifies each picture and prints its best classes.
pub fn run(args: &Predict, format: MessageFormat) -> Result<(), Failure> {
    let Source { network, trained, .. } = Source::open(&args.trained, format)?;
    let [input] = network.inputs.as_slice() else {
        return Err(Failure::Message(format!("`{}` has several inputs, and a picture is one", network.name)));
    };
    let output = scores_output(&network, args.output.as_deref())?;
    let count = network.shape(network.outputs[output].value)[0];
    let Trained { weights, transforms, classes: stored } = trained;
    let classes = match &args.classes {
        Some(path) => Some(read_classes(path, count)?),
        // The data may have had fewer classes than the network tells apart.
        None => Some(stored).filter(|classes| classes.len() <= count),
    };
    let mut preparation = match transforms.filter(|_| args.picture.is_default()) {
        Some(transforms) => Pictures::Stored(Stored::new(transforms, &input.shape)?),
        None => Pictures::Asked(Preparation::new(&input.shape, &args.picture)?),
    };
    let name_of_output = &network.outputs[output].name;
    let mut session = Session::from_network(&network, &weights, &args.engine.options()?)?;
    let shape = [&[1], &input.shape[..]].concat();
    let mut out = stdout().lock();
    let mut failed = false;
    for path in &args.images {
        let mut values = Vec::new();
        // One bad picture does not keep the others from being classified.
        if let Err(failure) = preparation.read(path, &mut values) {
            failure.report(format);
            failed = true;
            continue;
        }
        let outputs = session.run(&[&Tensor::new(&shape, values)?])?;
        let scores = outputs.by_name(name_of_output).map_or(&[][..], |output| output.data());
        if scores.iter().any(|score| score.is_nan()) {
            let text = format!("`{}`: the scores are not numbers (NaN); are these the right weights?", path.display());
            Failure::Message(text).report(format);
            failed = true;
            continue;
        }
        let mut ranked = rank(scores, are_probabilities(&network, output));
        ranked.truncate(args.top as usize);
        if args.json {
            writeln!(out, "{}", json(path, &ranked, classes.as_deref()))?;
        } else {
            writeln!(out, "{}", path.display())?;
            for prediction in &ranked {
                let name = name(prediction, classes.as_deref());
                writeln!(out, "  {:>7}  {name}", percent(prediction.probability))?;
            }
        }
    }
    if failed { Err(Failure::Reported) } else { Ok(()) }
}

fn read_classes(path: &Path, expected: usize) -> Result<Vec<String>, Failure> {
    let error = |reason: String| Failure::Message(format!("cannot read the classes in `{}`: {reason}", path.display()));
    let file = File::open(path).map_err(|e| error(e.to_string()))?;
    let mut text = String::new();
    file.take(MAX_CLASS_FILE + 1).read_to_string(&mut text).map_err(|e| error(e.to_string()))?;
    if text.len() as u64 > MAX_CLASS_FILE {
        return Err(error(format!("more than {MAX_CLASS_FILE} bytes are too many for a list of names")));
    }
    let text = text.trim_start_matches('\u{feff}').trim_end();
    let classes: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    if classes.len() != expected {
        return Err(error(format!("it has {} lines, but the model has {expected} classes", classes.len())));
    }
    Ok(classes)
}

fn name(prediction: &Prediction, classes: Option<&[String]>) -> String {
    match classes.and_then(|classes| classes.get(prediction.index)) {
        Some(name) => name.clone(),
        None => format!("class {}", prediction.index),
    }
}

fn json(path: &Path, ranked: &[Prediction], classes: Option<&[String]>) -> serde_json::Value {
    let predictions: Vec<_> = ranked
        .iter()
        .map(|prediction| {
            serde_json::json!({
                "class": name(prediction, classes),
                "index": prediction.index,
                "probability": prediction.probability,
            })
        })
        .collect();
    serde_json::json!({ "image": path.to_string_lossy(), "predictions": predictions })
}
