//! What a training is told: the `train` section of its model, and the options that go before it.

use crate::args::{DataArgs, MessageFormat, Setting};
use crate::data::Data;
use crate::failure::Failure;
use crate::model::{self, Model};
use cnn_dsl::{Diagnostic, codes};
use cnn_train::{Error, Recipe};
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
            key => Recipe::default().set(key, &setting.text).map_err(|error| match error {
                // Its place in the text is none in the file.
                Error::Data(cnn_data::Error::Text { problem, remedy, .. }) => format!("{problem}; {remedy}"),
                error => error.to_string(),
            }),
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
    let data = args.data.as_deref().map(|text| Data::parse(text, args.skip_bad)).transpose();
    data.map_err(|problem| Failure::Message(format!("`--data`: {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cnn_data::Pipeline;
    use cnn_data::transforms::NAMES;
    use cnn_dsl::{Settings, Sources};

    /// What a model's `train` makes of transforms.
    fn of_section(text: &str) -> Result<Pipeline, String> {
        let text = format!("model M {{ input x: [4] dense(2) train {{ transforms: {text} }} }}");
        let compilation = cnn_dsl::compile(&Sources::new("m.cnn", text), &Settings::default());
        match &compilation.models[..] {
            [network] if !compilation.has_errors() => {
                Recipe::of(network).map(|recipe| recipe.transforms).map_err(|error| error.to_string())
            }
            _ => Err(compilation.diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect()),
        }
    }

    const TRANSFORMS: &[&str] = &[
        "resize(32)",
        "resize((32, 48))",
        "resize([32, 48])",
        "resize(size = (32, 48,))",
        "center_crop(1_0)",
        "center_crop((24, 28))",
        "random_crop(28, padding = 4)",
        "random_crop((28, 32), 4, fill = 0.5)",
        "random_crop(size = 28, padding = (4))",
        "random_resized_crop(28, scale = (0.5, 1.0))",
        "random_resized_crop(28, [0.5, 1], ratio = (0.75, 1.25))",
        "horizontal_flip",
        "random_horizontal_flip(0.25)",
        "horizontal_flip()",
        "vertical_flip(p = 0.25)",
        "rotation(15)",
        "rotation((-15, 30), interpolation = bilinear)",
        "random_rotation(1.5e+1, fill = (0, 0.5, 1))",
        "color_jitter(0.2, 0.2, (0.8, 1.2), 0.1)",
        "color_jitter(hue = (-0.1, 0.1))",
        "random_erasing",
        "random_erasing(0.25, scale = (0.02, 0.33), value = random)",
        "random_erasing(value = (0, 0.5, 1))",
        "normalize(0.5, 0.5)",
        "normalize([0.5], [5e-1])",
        "normalize((0.491, 0.482, 0.447), (0.247, 0.243, 0.262))",
        "normalize([0, 0.5, 1], 0.5)",
        "normalize(mean = 0, std = 1)",
        "grayscale",
        "rgb -> resize(8)\n  -> normalize(0.5, 0.5,)",
    ];

    /// Neither takes these.
    const REFUSED: &[&str] = &[
        "blur(3)",
        "resize(32.0)",
        "resize(-3)",
        "resize((32, 48, 64))",
        "resize(+32)",
        "normalize(.5, .5)",
        "normalize(5., 0.5)",
        "normalize(0.5)",
        "normalize(mean = 0.5, 0.5)",
        "normalize([half], 0.5)",
        "horizontal_flip(2)",
        "horizontal_flip(p = 0.5, p = 0.5)",
        "rotation(\"15\")",
        "rotation(15",
        "rotation(15) ->",
        "resize(8) normalize(0.5, 0.5)",
        "Resize(8)",
    ];

    #[test]
    fn transforms_are_written_the_same_in_files_and_on_command_lines() {
        for text in TRANSFORMS {
            let line: Pipeline = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(of_section(text), Ok(line.clone()), "{text}");
            // What is stored with weights is read again, by both.
            let written = line.to_string();
            assert_eq!(
                (written.parse().ok(), of_section(&written).ok()),
                (Some(line.clone()), Some(line)),
                "{written}"
            );
        }
        for name in NAMES {
            assert!(TRANSFORMS.iter().any(|text| text.starts_with(name)), "{name}");
        }
        for text in REFUSED {
            assert!(text.parse::<Pipeline>().is_err() && of_section(text).is_err(), "{text}: {:?}", of_section(text));
        }
    }
}
