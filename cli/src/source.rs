//! A trained network: of a run, or of a file and its weights.

use crate::args::viz::{ExamplesArgs, TrainedArgs};
use crate::args::{MessageFormat, ModelArgs};
use crate::failure::Failure;
use crate::model::load_one;
use crate::run::RunConfig;
use crate::trained::Trained;
use crate::training::given_data;
use cnn::Network;
use cnn_data::{Dataset, Part, Pipeline};
use cnn_train::RunFolder;
use std::sync::Arc;

/// A network, its weights, and the run that has trained them if it is known.
pub struct Source {
    pub network: Network,
    pub trained: Trained,
    run: Option<RunConfig>,
}

impl Source {
    pub fn open(args: &TrainedArgs, format: MessageFormat) -> Result<Self, Failure> {
        let (model, set) = (args.model.clone(), args.set.clone());
        if !args.source.is_dir() {
            let weights = args.weights.as_ref().ok_or_else(|| {
                let text =
                    "the weights are missing: add `--weights FILE`, or give a run's folder in place of the model";
                Failure::Message(text.into())
            })?;
            let network = load_one(&ModelArgs { file: args.source.clone(), model, set }, format)?;
            return Ok(Self { network, trained: Trained::open(weights)?, run: None });
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
        let trained = Trained::open(args.weights.as_deref().unwrap_or(&folder.best()))?;
        Ok(Self { network, trained, run: Some(config) })
    }

    /// What happens to pictures: what is given, else what is stored with the weights, else nothing.
    pub fn transforms(&self, given: Option<&str>) -> Result<Pipeline, Failure> {
        let given = given.map(str::parse::<Pipeline>).transpose();
        let given = given.map_err(|error| Failure::Message(format!("`--transforms`: {error}")))?;
        Ok(given.or_else(|| self.trained.transforms.clone()).unwrap_or_default().evaluation())
    }

    /// The data that are named, or those that the run has validated on. Of data without a test part, all are taken.
    pub fn dataset(&self, args: &ExamplesArgs) -> Result<Arc<dyn Dataset>, Failure> {
        if let Some(data) = given_data(&args.data)? {
            return data.open(Part::Test);
        }
        let missing = || Failure::Message("name the data: `--data fashion-mnist`".into());
        self.run.as_ref().ok_or_else(missing)?.validation()
    }
}
