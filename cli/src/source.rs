//! A trained network: of a run, or of a file and its weights.

use crate::args::viz::ExamplesArgs;
use crate::args::{DataArgs, MessageFormat, ModelArgs, TrainedArgs};
use crate::data::Data;
use crate::failure::Failure;
use crate::model::load_one;
use crate::run::RunConfig;
use crate::trained::Trained;
use crate::training::given_data;
use cnn::Network;
use cnn_data::{Dataset, Part, Pipeline};
use cnn_train::RunFolder;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A network, its weights, and the run that has trained them if it is known.
pub struct Source {
    pub network: Network,
    pub trained: Trained,
    /// The file of the weights.
    pub weights: PathBuf,
    pub run: Option<RunConfig>,
    /// The `.cnn` file.
    file: PathBuf,
}

impl Source {
    pub fn open(args: &TrainedArgs, format: MessageFormat) -> Result<Self, Failure> {
        let (model, set) = (args.model.clone(), args.set.clone());
        if args.source.extension().is_some_and(|extension| extension == "safetensors") {
            let text = "is weights: name the folder of their run, or a model and `--weights FILE`";
            return Err(Failure::Message(format!("`{}` {text}", args.source.display())));
        }
        if !args.source.exists() {
            let text = "name the folder of a run, or a `.cnn` file and `--weights FILE`";
            return Err(Failure::Message(format!("there is no `{}`: {text}", args.source.display())));
        }
        if !args.source.is_dir() {
            let weights = args.weights.as_ref().ok_or_else(|| {
                let text =
                    "the weights are missing: add `--weights FILE`, or give a run's folder in place of the model";
                Failure::Message(text.into())
            })?;
            let (weights, file) = (weights.clone(), args.source.clone());
            let network = load_one(&ModelArgs { file: file.clone(), model, set }, format)?;
            return Ok(Self { network, trained: Trained::open(&weights)?, weights, run: None, file });
        }
        let folder = RunFolder::open(&args.source).map_err(Failure::new)?;
        let config = RunConfig::read(&folder)?;
        let origin = &config.source;
        let model_args = ModelArgs {
            file: origin.copy(&folder),
            model: model.or_else(|| origin.model.clone()),
            set: if set.is_empty() { origin.set.clone() } else { set },
        };
        let network = load_one(&model_args, format)?;
        let weights = args.weights.clone().unwrap_or_else(|| folder.best());
        if args.weights.is_none() && !weights.exists() {
            let (run, last) = (folder.path().display(), folder.last());
            let remedy = match last.exists() {
                true => format!("resume it, or take `--weights {}`", last.display()),
                false => "train it anew".to_owned(),
            };
            let text = format!("the run `{run}` has no best weights, as no epoch of it is over: {remedy}");
            return Err(Failure::Message(text));
        }
        Ok(Self { network, trained: Trained::open(&weights)?, weights, run: Some(config), file: model_args.file })
    }

    /// What happens to pictures: what is given, else what is stored with the weights, else nothing.
    pub fn transforms(&self, given: Option<&str>) -> Result<Pipeline, Failure> {
        let given = given.map(str::parse::<Pipeline>).transpose();
        let given = given.map_err(|error| Failure::Message(format!("`--transforms`: {error}")))?;
        Ok(given.or_else(|| self.trained.transforms.clone()).unwrap_or_default().evaluation())
    }

    /// The data that are named, else those of the run, else those of the model's `train` section.
    pub fn data(&self, args: &DataArgs) -> Result<Data, Failure> {
        if let Some(data) = given_data(args)? {
            return Ok(data);
        }
        if let Some(run) = &self.run {
            return run.source.data();
        }
        let setting = self.network.training.as_ref().and_then(|training| training.get("data"));
        let setting = setting.ok_or_else(|| Failure::Message("name the data: `--data fashion-mnist`".into()))?;
        Data::from_setting(&setting.text, self.file.parent().unwrap_or(Path::new(""))).map_err(Failure::Message)
    }

    /// The test part of the data, or what the run has validated on. Of data without a test part, all are taken.
    pub fn dataset(&self, args: &ExamplesArgs) -> Result<Arc<dyn Dataset>, Failure> {
        match &self.run {
            Some(run) if args.data.data.is_none() => run.validation(),
            _ => self.data(&args.data)?.open(Part::Test),
        }
    }
}
