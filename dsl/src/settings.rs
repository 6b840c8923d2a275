//! Values for the parameters of models, from outside.

use crate::diagnostic::Report;
use crate::elaborate::constant;
use crate::parse;
use cnn_ir::Value;
use std::collections::BTreeMap;

/// Values for model parameters: `--set classes=100`. A setting applies to every model that has the parameter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings(BTreeMap<String, Value>);

impl Settings {
    /// Settings from `name=value` texts; values are written as in the language.
    ///
    /// # Errors
    /// A text that is not `name=value`, a value that cannot be read, or a name given twice.
    ///
    /// ```
    /// use cnn_dsl::Settings;
    /// assert!(Settings::parse(&["classes=100".into(), "size=[1, 32, 32]".into()]).is_ok());
    /// assert!(Settings::parse(&["classes".into()]).is_err());
    /// ```
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        let mut settings = BTreeMap::new();
        for text in texts {
            let shown = text.escape_debug();
            let Some((name, value)) = text.split_once('=') else {
                return Err(format!("`{shown}` is not a setting: write `name=value`, as in `classes=100`"));
            };
            let name = name.trim();
            let mut report = Report::default();
            let value = parse::parse_value(value, &mut report).and_then(|value| constant(&value, &mut report));
            let Some(value) = value else {
                let reason =
                    report.finish().into_iter().next().map_or_else(String::new, |error| format!(": {}", error.message));
                return Err(format!(
                    "the value of `{shown}` cannot be read{reason}; write a number, `true`, `false` or a list"
                ));
            };
            if settings.insert(name.to_owned(), value).is_some() {
                return Err(format!("`{}` is set twice", name.escape_debug()));
            }
        }
        Ok(Self(settings))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
