//! `cnn eval`

use crate::args::{Eval, MessageFormat, Split};
use crate::data::Data;
use crate::evaluation::Judged;
use crate::failure::Failure;
use crate::output::write_picture;
use crate::predictions::scores_output;
use crate::source::Source;
use crate::terminal;
use cnn_data::{Dataset, Part};
use cnn_train::plot;
use std::io::{Write, stdout};
use std::sync::Arc;

/// With more classes the matrix is no longer read as text.
const MOST_CLASSES_OF_MATRIX: usize = 20;

/// Classifies a part of the data, and prints how well.
pub fn run(args: &Eval, format: MessageFormat) -> Result<(), Failure> {
    let source = Source::open(&args.trained, format)?;
    let (network, trained) = (&source.network, &source.trained);
    let output = scores_output(network, args.output.as_deref())?;
    let transforms = source.transforms(args.transforms.as_deref())?;
    let data = source.data(&args.data)?;
    let (opened, part_name) = examples(&source, &data, args)?;
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
    let (weights, shown) = (source.weights.display(), if transforms.0.is_empty() { "none" } else { "" });
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

/// Parts of data, and what they are called together.
type Examples = (Vec<Arc<dyn Dataset>>, &'static str);

/// The examples that are meant.
fn examples(source: &Source, data: &Data, args: &Eval) -> Result<Examples, Failure> {
    let has_test = data.has_test();
    // What the run has trained on would flatter it.
    if let (Some(run), None, None, false) = (&source.run, args.split, &args.data.data, has_test)
        && let Some(held_back) = run.held_back()?
    {
        return Ok((vec![held_back], "validation"));
    }
    let (parts, name) = match args.split {
        Some(Split::Test) if !has_test => {
            let text = format!("`{data}` has no test part; leave `--split` out to take all of it");
            return Err(Failure::Message(text));
        }
        Some(Split::Train) => (&[Part::Train][..], "train"),
        Some(Split::All) if has_test => (&[Part::Train, Part::Test][..], "all"),
        Some(Split::All) => (&[Part::Train][..], "all"),
        None if !has_test => (&[Part::Train][..], "all"),
        Some(Split::Test) | None => (&[Part::Test][..], "test"),
    };
    let open = |part: &Part| match &source.run {
        Some(run) if args.data.data.is_none() => run.source.open(*part),
        _ => data.open(*part),
    };
    Ok((parts.iter().map(open).collect::<Result<_, _>>()?, name))
}
