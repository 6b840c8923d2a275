//! `cnn eval`

use crate::args::{Eval, MessageFormat, Split};
use crate::data::Data;
use crate::evaluation::Judged;
use crate::failure::Failure;
use crate::model::load_model;
use crate::output::write_picture;
use crate::predictions::scores_output;
use crate::terminal;
use crate::trained::Trained;
use crate::training::given_data;
use cnn_data::{Part, Pipeline};
use cnn_train::plot;
use std::io::{Write, stdout};
use std::path::Path;

/// With more classes the matrix is no longer read as text.
const MOST_CLASSES_OF_MATRIX: usize = 20;

/// Classifies a part of the data, and prints how well.
pub fn run(args: &Eval, format: MessageFormat) -> Result<(), Failure> {
    let model = load_model(&args.model, format)?;
    let network = &model.network;
    let output = scores_output(network, args.output.as_deref())?;
    let data = match given_data(&args.data)? {
        Some(data) => data,
        None => data_of(&model.network, &args.model.file)?,
    };
    let trained = Trained::open(&args.weights)?;
    let transforms = match &args.transforms {
        Some(text) => text.parse().map_err(|error| Failure::Message(format!("`--transforms`: {error}")))?,
        None => trained.transforms.unwrap_or_default(),
    };
    let transforms: Pipeline = Pipeline::evaluation(&transforms);

    let (parts, part_name) = parts(&data, args.split)?;
    let opened = parts.iter().map(|part| data.open(*part)).collect::<Result<Vec<_>, _>>()?;
    let names = match opened.first() {
        Some(first) if trained.classes.is_empty() => first.classes().to_vec(),
        _ => trained.classes.clone(),
    };
    let judged = Judged {
        network,
        weights: &trained.weights,
        output: &network.outputs[output].name,
        transforms: &transforms,
        classes: &trained.classes,
        batch: args.batch as usize,
        threads: args.threads,
    };
    let confusion = judged.confusion(&opened)?;
    if confusion.unpredicted() == confusion.examples() {
        return Err(Failure::Message("no score is a number (NaN); are these the right weights?".into()));
    }
    let report = confusion.report(&names);
    let mut out = stdout().lock();
    if args.json {
        let mut json = serde_json::to_value(&report).map_err(Failure::new)?;
        if let Some(fields) = json.as_object_mut() {
            fields.insert("data".into(), data.to_string().into());
            fields.insert("split".into(), part_name.into());
            fields.insert("transforms".into(), transforms.to_string().into());
        }
        writeln!(out, "{json}")?;
        // What was measured is told even where the picture cannot be written.
        return args
            .confusion
            .as_ref()
            .map_or(Ok(()), |path| write_picture(path, &plot::confusion(&confusion, &names)));
    }
    let (weights, shown) = (args.weights.display(), if transforms.0.is_empty() { "none" } else { "" });
    writeln!(out, "{}, {weights}, on {data} ({part_name}); transforms: {shown}{transforms}\n", network.name)?;
    write!(out, "{report}")?;
    if confusion.classes() <= MOST_CLASSES_OF_MATRIX {
        write!(out, "\n{}", report.matrix())?;
    }
    if let Some(path) = &args.confusion {
        write_picture(path, &plot::confusion(&confusion, &names))?;
        terminal::say(format_args!("written: {}", path.display()));
    }
    Ok(())
}

/// The parts of the data that are meant, and their name.
fn parts(data: &Data, split: Option<Split>) -> Result<(Vec<Part>, &'static str), Failure> {
    let has_test = data.has_test();
    Ok(match split {
        Some(Split::Test) if !has_test => {
            let text = format!("`{data}` has no test part; leave `--split` out to take all of it");
            return Err(Failure::Message(text));
        }
        Some(Split::Train) => (vec![Part::Train], "train"),
        Some(Split::All) if has_test => (vec![Part::Train, Part::Test], "all"),
        Some(Split::All) => (vec![Part::Train], "all"),
        None if !has_test => (vec![Part::Train], "all"),
        Some(Split::Test) | None => (vec![Part::Test], "test"),
    })
}

/// The data of the model's `train` section.
fn data_of(network: &cnn::Network, file: &Path) -> Result<Data, Failure> {
    let setting = network.training.as_ref().and_then(|training| training.get("data"));
    let setting = setting.ok_or_else(|| Failure::Message("name the data: `--data fashion-mnist`".into()))?;
    Data::from_setting(&setting.text, file.parent().unwrap_or(Path::new(""))).map_err(Failure::Message)
}
