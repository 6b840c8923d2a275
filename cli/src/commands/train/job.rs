//! What is to be done: from the command line, or from the folder of a run that goes on.

use crate::args::{MessageFormat, ModelArgs, Train};
use crate::failure::Failure;
use crate::model::{Model, load_model};
use crate::run::{RunConfig, Source};
use crate::trained::Trained;
use crate::training::{apply, given_data, resolve};
use cnn::Weights;
use cnn_data::{Dataset, Part};
use cnn_train::{Checkpoint, Recipe, RunFolder};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// A run that is about to begin or to go on.
pub struct Job {
    pub model: Model,
    pub recipe: Recipe,
    pub source: Source,
    pub training_data: Arc<dyn Dataset>,
    /// The test part of the data, where that validates.
    pub validation_data: Option<Arc<dyn Dataset>>,
    pub folder: RunFolder,
    pub weights: Option<Weights>,
    pub checkpoint: Option<Checkpoint>,
}

impl Job {
    /// Reads everything that the run needs; of a new run, the folder is made.
    pub fn new(args: &Train, format: MessageFormat) -> Result<Self, Failure> {
        match &args.resume {
            None => Self::begin(args, format),
            Some(run) => Self::resume(args, run.as_deref(), format),
        }
    }

    fn begin(args: &Train, format: MessageFormat) -> Result<Self, Failure> {
        let file = args.model.file.clone().unwrap_or_default();
        let model_args = ModelArgs { file, model: args.model.model.clone(), set: args.model.set.clone() };
        let model = load_model(&model_args, format)?;
        let options = [args.length.settings(), args.recipe.settings()].concat();
        let training = resolve(&model, &model_args.file, &args.data, &options, format)?;
        let validates_on_test = !training.is_split_given && training.data.has_test();
        let source = Source {
            file: model_args.file,
            model: model_args.model,
            set: model_args.set,
            data: training.data.clone().absolute().to_string(),
            skip_bad: training.data.skips_bad(),
            validates_on_test,
        };
        let training_data = training.data.open(Part::Train)?;
        let validation_data = validates_on_test.then(|| training.data.open(Part::Test)).transpose()?;
        let weights = args.weights.as_deref().map(Trained::open).transpose()?.map(|trained| trained.weights);
        let folder = match &args.name {
            Some(name) => RunFolder::create(&args.runs, name),
            None => RunFolder::create_next(&args.runs, &run_name(&model.network.name)),
        };
        let folder = folder.map_err(Failure::new)?;
        let recipe = training.recipe;
        Ok(Self { model, recipe, source, training_data, validation_data, folder, weights, checkpoint: None })
    }

    fn resume(args: &Train, run: Option<&Path>, format: MessageFormat) -> Result<Self, Failure> {
        // `--resume models/lenet.cnn` is the latest run of that model: the option took the argument behind it.
        let is_model = |path: &&Path| path.extension().is_some_and(|extension| extension == "cnn");
        let file = args.model.file.as_deref().or(run.filter(is_model));
        let folder = match (run.filter(|run| !is_model(run)), &args.name) {
            (Some(_), Some(_)) => {
                let text = "`--resume RUN` and `--name` both name the run: give one of them; it keeps its name";
                return Err(Failure::Message(text.into()));
            }
            (Some(run), _) if run.is_file() => run.parent().unwrap_or(Path::new("")).to_owned(),
            (Some(run), _) => run.to_owned(),
            (None, Some(name)) => args.runs.join(name),
            (None, None) => latest(&args.runs, file)?,
        };
        let folder = RunFolder::open(if folder.as_os_str().is_empty() { ".".into() } else { folder });
        let folder = folder.map_err(Failure::new)?;
        let mut source = RunConfig::read(&folder)?.source;
        let last = run.filter(|run| run.is_file() && !is_model(run)).map_or(folder.last(), Path::to_owned);
        if !last.exists() {
            let why = match folder.best().exists() {
                _ if folder.is_in_use() => "another process works on it, and has not come to its first checkpoint yet",
                true => "its `last.safetensors` is not there; train anew from `best.safetensors` with --weights",
                false => "it ended before its first checkpoint; its name is free",
            };
            let text = format!("`{}` has no state to go on from: {why}", folder.path().display());
            return Err(Failure::Message(text));
        }
        let checkpoint = Checkpoint::open(last);
        let checkpoint = checkpoint.map_err(Failure::new)?;

        let set = if args.model.set.is_empty() { source.set.clone() } else { args.model.set.clone() };
        let model_args = ModelArgs {
            file: file.map_or_else(|| source.copy(&folder), Path::to_owned),
            model: args.model.model.clone().or_else(|| source.model.clone()),
            set,
        };
        let model = load_model(&model_args, format)?;
        let mut recipe = checkpoint.recipe().clone();
        apply(&mut recipe, &[args.length.settings(), args.recipe.settings()].concat())?;
        if let Some(data) = given_data(&args.data)? {
            source.skip_bad = data.skips_bad();
            source.data = data.absolute().to_string();
        }
        let training_data = source.open(Part::Train)?;
        let validation_data = source.validates_on_test.then(|| source.open(Part::Test)).transpose()?;
        Ok(Self {
            model,
            recipe,
            source,
            training_data,
            validation_data,
            folder,
            weights: None,
            checkpoint: Some(checkpoint),
        })
    }

    /// What is to be said of a network that tells more classes apart than the data have.
    pub fn idle_outputs(&self) -> Option<String> {
        let (network, classes) = (&self.model.network, self.training_data.classes().len());
        let labelled = self.recipe.loss.terms.iter().filter(|term| term.loss.wants_labels());
        let outputs = labelled.filter_map(|term| match &term.output {
            Some(name) => network.outputs.iter().find(|output| output.name == *name),
            None => network.main_output(),
        });
        let mut scores = outputs.map(|output| (&output.name, network.shape(output.value)));
        let (name, shape) = scores.find(|(_, shape)| shape.elements() == shape[0] && shape[0] > classes)?;
        let all = shape[0];
        Some(format!(
            "`{name}` tells {all} classes apart, and the data have {classes}: the others never occur; give the \
             network {classes} outputs, unless this is meant"
        ))
    }

    /// The command that goes on with the run.
    pub fn resuming(&self) -> String {
        format!("cnn train --resume {}", quoted(&self.folder.path().to_string_lossy()))
    }
}

/// A word of a command, in quotes where a shell needs them.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-:=,+@".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// `LeNet` becomes `lenet`.
fn run_name(model: &str) -> String {
    model.to_lowercase()
}

/// The run whose state was written last, of this model's file if there is one.
fn latest(runs: &Path, file: Option<&Path>) -> Result<PathBuf, Failure> {
    let written = |folder: &Path| -> Option<SystemTime> {
        let folder = RunFolder::open(folder).ok()?;
        let source = RunConfig::read(&folder).ok()?.source;
        let is_meant = file.is_none_or(|file| file.file_name() == source.file.file_name());
        fs::metadata(folder.last()).ok().filter(|_| is_meant)?.modified().ok()
    };
    let folders = fs::read_dir(runs).into_iter().flatten().flatten().map(|entry| entry.path());
    let latest = folders.filter_map(|folder| Some((written(&folder)?, folder))).max();
    latest.map(|(_, folder)| folder).ok_or_else(|| {
        let of = file.map_or_else(String::new, |file| format!(" of `{}`", file.display()));
        Failure::Message(format!("`{}` has no run{of} to go on with; name one: `--resume FOLDER`", runs.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_of_commands_are_quoted_where_they_must_be() {
        for (word, text) in
            [("runs/lenet-2", "runs/lenet-2"), ("my run", "'my run'"), ("it's", "'it'\\''s'"), ("", "''")]
        {
            assert_eq!(quoted(word), text);
        }
    }
}
