//! What a training is told: the `train` section of its model, and the options that go before it.

use crate::args::{DataArgs, MessageFormat, Setting};
use crate::data::Data;
use crate::failure::Failure;
use crate::model::{self, Model};
use cnn_dsl::{Diagnostic, codes};
use cnn_train::Recipe;
use std::path::Path;

/// The settings of a training.
#[derive(Debug)]
pub struct Training {
    pub recipe: Recipe,
    pub data: Data,
    /// Whether a share for validation was given, and be it 0.
    pub is_split_given: bool,
}

/// The settings of a model, with those of the command line in their place.
pub fn resolve(
    model: &Model,
    file: &Path,
    data: &DataArgs,
    options: &[Setting],
    format: MessageFormat,
) -> Result<Training, Failure> {
    let section = model.network.training.as_ref().map_or(&[][..], |training| &training.settings);
    let beside = file.parent().unwrap_or(Path::new(""));
    let (mut written, mut problems) = (None, Vec::new());
    for setting in section {
        let result = match &*setting.key {
            "data" => Data::from_setting(&setting.text, beside).map(|data| written = Some(data)),
            key => Recipe::default().set(key, &setting.text).map_err(|error| error.to_string()),
        };
        if let Err(problem) = result {
            problems.push(Diagnostic::error(&codes::BAD_ARGUMENT, problem).at(setting.span, ""));
        }
    }
    if !problems.is_empty() {
        model::print(&problems, &model.sources, format);
        return Err(Failure::Reported);
    }
    let mut recipe = Recipe::of(&model.network).map_err(Failure::new)?;
    apply(&mut recipe, options)?;
    let mut given = section.iter().map(|setting| &*setting.key).chain(options.iter().map(|(name, _)| *name));
    let is_split_given = given.any(|name| name == "validation");
    let data = given_data(data)?.or(written).ok_or_else(|| {
        let text =
            "there are no data: name them with `--data fashion-mnist`, or write `data: …` into the model's `train`";
        Failure::Message(text.into())
    })?;
    Ok(Training { recipe, data, is_split_given })
}

/// Sets what options say.
pub fn apply(recipe: &mut Recipe, options: &[Setting]) -> Result<(), Failure> {
    options.iter().try_for_each(|(name, text)| {
        let failure = |error| Failure::Message(format!("`--{} {text}`: {error}", name.replace('_', "-")));
        recipe.set(name, text).map_err(failure)
    })
}

/// The data that the command line names.
pub fn given_data(args: &DataArgs) -> Result<Option<Data>, Failure> {
    let data = args.data.as_deref().map(Data::parse).transpose();
    let data = data.map_err(|problem| Failure::Message(format!("`--data`: {problem}")))?;
    Ok(data.map(|data| Data { skip_bad: args.skip_bad, ..data }))
}
