//! The names of data: on the command line `mnist:FOLDER`, in a `train` section `mnist("FOLDER")`.

use crate::failure::Failure;
use crate::terminal;
use cnn_data::{Cifar100Labels, Dataset, Folder, FolderOptions, Part, cifar10, cifar100, fashion_mnist, mnist};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where labelled pictures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    kind: Kind,
    /// None for the place where a package puts it.
    folder: Option<PathBuf>,
    skip_bad: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    FashionMnist,
    Mnist,
    Cifar10,
    Cifar100,
    Cifar100Coarse,
    Folder,
}

const KINDS: &[(&str, Kind)] = &[
    ("fashion_mnist", Kind::FashionMnist),
    ("mnist", Kind::Mnist),
    ("cifar10", Kind::Cifar10),
    ("cifar100", Kind::Cifar100),
    ("cifar100_coarse", Kind::Cifar100Coarse),
    ("folder", Kind::Folder),
];

/// The folders that hold the test part of `folder:PATH`, beside `train`.
const TESTS: [&str; 3] = ["test", "val", "validation"];

impl Data {
    /// Reads `NAME` or `NAME:FOLDER`.
    pub fn parse(text: &str, skip_bad: bool) -> Result<Self, String> {
        let (name, folder) = match text.split_once(':') {
            Some((name, folder)) => (name, Some(PathBuf::from(folder))),
            None => (text, None),
        };
        Self::new(name, folder, skip_bad, |name| format!("{name}:FOLDER"))
    }

    /// Whether pictures that cannot be read are left out.
    pub fn skips_bad(&self) -> bool {
        self.skip_bad
    }

    /// The same data, named so that they are found from any folder.
    pub fn absolute(self) -> Self {
        let whole = |path: PathBuf| path.canonicalize().or_else(|_| std::path::absolute(&path)).unwrap_or(path);
        Self { folder: self.folder.map(whole), ..self }
    }

    /// Reads `NAME` or `NAME("FOLDER", skip_bad = true)`, where folders are seen from the one of the file that says so.
    pub fn from_setting(text: &str, beside: &Path) -> Result<Self, String> {
        let form = "it is written like `fashion_mnist` or `folder(\"photos\", skip_bad = true)`";
        let (name, arguments) = match text.trim().split_once('(') {
            Some((name, rest)) => (name, rest.strip_suffix(')').ok_or(form)?),
            None => (text, ""),
        };
        let (mut folder, mut skip_bad) = (None, false);
        // A comma of a folder's name stands between quotes.
        let mut rest = arguments.trim();
        while !rest.is_empty() {
            let after = if let Some(quoted) = rest.strip_prefix('"') {
                let (path, after) = quoted.split_once('"').ok_or(form)?;
                folder = Some(beside.join(path));
                after
            } else {
                let (argument, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                let (key, value) = argument.split_once('=').ok_or(form)?;
                skip_bad = match (key.trim(), value.trim()) {
                    ("skip_bad", "true") => true,
                    ("skip_bad", "false") => false,
                    (key, value) => return Err(format!("`{key} = {value}` is no argument of data; {form}")),
                };
                after
            };
            rest = after.trim_start().trim_start_matches(',').trim_start();
        }
        Self::new(name.trim(), folder, skip_bad, |name| format!("{name}(\"FOLDER\")"))
    }

    fn new(name: &str, folder: Option<PathBuf>, skip_bad: bool, form: impl Fn(&str) -> String) -> Result<Self, String> {
        let plain = name.replace('-', "_").to_ascii_lowercase();
        let Some((_, kind)) = KINDS.iter().find(|(known, _)| *known == plain) else {
            let names = KINDS.iter().map(|(known, _)| *known);
            let hint = match cnn_dsl::nearest(&plain, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
            };
            return Err(format!("there are no data `{name}`; {hint}"));
        };
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_none() && *kind != Kind::FashionMnist {
            return Err(format!("`{name}` needs a folder: `{}`", form(name)));
        }
        Ok(Self { kind: *kind, folder, skip_bad })
    }

    /// Whether there is a part of its own for tests.
    pub fn has_test(&self) -> bool {
        self.kind != Kind::Folder || self.test_folder().is_some()
    }

    /// Opens a part; what has no parts is all for training. Pictures that are left out are named.
    pub fn open(&self, part: Part) -> Result<Arc<dyn Dataset>, Failure> {
        let folder = self.folder.as_deref();
        let path = folder.unwrap_or(Path::new(""));
        Ok(match self.kind {
            Kind::FashionMnist => Arc::new(fashion_mnist(folder, part).map_err(Failure::new)?),
            Kind::Mnist => Arc::new(mnist(path, part).map_err(Failure::new)?),
            Kind::Cifar10 => Arc::new(cifar10(path, part).map_err(Failure::new)?),
            Kind::Cifar100 => Arc::new(cifar100(path, part, Cifar100Labels::Fine).map_err(Failure::new)?),
            Kind::Cifar100Coarse => Arc::new(cifar100(path, part, Cifar100Labels::Coarse).map_err(Failure::new)?),
            Kind::Folder => {
                let path = match (self.test_folder(), part) {
                    (None, _) => path.to_owned(),
                    (Some(test), Part::Test) => test,
                    (Some(_), Part::Train) => path.join("train"),
                };
                let options = FolderOptions { skip_bad: self.skip_bad };
                let pictures = Folder::open(&path, &options).map_err(|error| failure(&error, self.skip_bad))?;
                for bad in pictures.bad() {
                    terminal::say(format_args!("left out: {}", bad.error));
                }
                Arc::new(pictures)
            }
        })
    }

    /// The folder with the classes of the test, where the classes of the training have one beside it.
    fn test_folder(&self) -> Option<PathBuf> {
        let folder = self.folder.as_ref().filter(|_| self.kind == Kind::Folder)?;
        let has_classes = |path: &Path| {
            let mut entries = path.read_dir().into_iter().flatten().flatten();
            entries.any(|entry| entry.path().is_dir())
        };
        let tests = TESTS.iter().map(|name| folder.join(name));
        tests.filter(|_| has_classes(&folder.join("train"))).find(|test| has_classes(test))
    }
}

/// What is wrong with data, and how to do without a picture of a folder.
pub fn failure(error: &cnn_data::Error, is_skipped: bool) -> Failure {
    match error {
        cnn_data::Error::File { path, .. } if path.is_file() && !is_skipped => {
            Failure::Message(format!("{error}; or leave such pictures out with `--skip-bad`"))
        }
        _ => Failure::new(error),
    }
}

/// As on the command line.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KINDS.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| name);
        write!(f, "{}", name.replace('_', "-"))?;
        self.folder.as_ref().map_or(Ok(()), |folder| write!(f, ":{}", folder.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_have_two_forms() {
        for (line, setting) in [
            ("fashion-mnist", "fashion_mnist"),
            ("fashion-mnist:models/a, b", "fashion_mnist(\"a, b\")"),
            ("mnist:models/digits", "mnist(\"digits\")"),
            ("mnist:/digits", "mnist(\"/digits\")"),
            ("cifar100-coarse:models/c", "cifar100_coarse(\"c\", skip_bad = false)"),
        ] {
            let data = Data::from_setting(setting, Path::new("models")).unwrap();
            assert_eq!(
                (data.to_string(), data.clone()),
                (line.to_owned(), Data::parse(line, false).unwrap()),
                "{setting}"
            );
        }
        assert!(Data::from_setting("folder(\"p\", skip_bad = true)", Path::new("")).unwrap().skip_bad);
    }

    #[test]
    fn what_is_no_name_of_data_says_what_is() {
        for (text, message) in [
            ("fashionmnist", "there are no data `fashionmnist`; did you mean `fashion_mnist`?"),
            ("imagenet", "there are no data `imagenet`; there are fashion_mnist, mnist,"),
            ("mnist", "`mnist` needs a folder: `mnist:FOLDER`"),
            ("folder:", "`folder` needs a folder"),
        ] {
            assert!(Data::parse(text, false).unwrap_err().contains(message), "{text}");
        }
        for (text, message) in [
            ("mnist", "`mnist(\"FOLDER\")`"),
            ("mnist(\"a\"", "it is written like"),
            ("mnist(\"a)", "it is written like"),
            ("mnist(a)", "it is written like"),
            ("mnist(\"a\", skip_bad = 1)", "`skip_bad = 1` is no argument"),
        ] {
            assert!(Data::from_setting(text, Path::new("")).unwrap_err().contains(message), "{text}");
        }
    }
}
