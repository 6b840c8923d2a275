//! How well weights classify labelled pictures.

use crate::failure::Failure;
use cnn::{CompileOptions, Network, Session, Tensor, Weights};
use cnn_data::{Batch, Dataset, Loader, LoaderOptions, Pipeline};
use cnn_train::Confusion;
use std::sync::Arc;

/// Weights to be judged.
pub struct Judged<'a> {
    pub network: &'a Network,
    pub weights: &'a Weights,
    /// The output with a score for each class.
    pub output: &'a str,
    /// What happens to pictures.
    pub transforms: &'a Pipeline,
    /// The names of the classes in the order of the scores; empty where that of the data is meant.
    pub classes: &'a [String],
    pub batch: usize,
    pub threads: Option<usize>,
}

impl Judged<'_> {
    /// Classifies all pictures of the data.
    pub fn confusion(&self, data: &[Arc<dyn Dataset>]) -> Result<Confusion, Failure> {
        let options = CompileOptions { threads: self.threads, ..CompileOptions::default() };
        let mut session = Session::from_network(self.network, self.weights, &options)?;
        let output = self.network.outputs.iter().find(|output| output.name == self.output);
        let scores = output.map_or(0, |output| self.network.shape(output.value).elements());
        let mut confusion = Confusion::new(scores);
        for data in data {
            self.add(&mut session, data, &mut confusion)?;
        }
        Ok(confusion)
    }

    fn add(&self, session: &mut Session, data: &Arc<dyn Dataset>, confusion: &mut Confusion) -> Result<(), Failure> {
        let scores = confusion.classes();
        let classes = self.order(data.classes(), scores)?;
        let [input] = self.network.inputs.as_slice() else {
            return Err(Failure::Message(format!("`{}` has several inputs, and a picture is one", self.network.name)));
        };
        let options = LoaderOptions { batch_size: self.batch, ..LoaderOptions::default() };
        let mut loader = Loader::new(Arc::clone(data), self.transforms.clone(), options).map_err(Failure::new)?;
        let picture = loader.shape();
        let is_vector = input.shape.len() == 1 && input.shape.elements() == picture.iter().product::<usize>();
        if input.shape[..] != picture && !is_vector {
            let [channels, height, width] = picture;
            let text = format!(
                "the input `{}` is {}, and the pictures are {channels}×{height}×{width} after the transforms; change them \
                 with `--transforms`",
                input.name, input.shape
            );
            return Err(Failure::Message(text));
        }
        let mut batch = Batch::default();
        while loader.load(&mut batch).map_err(Failure::new)? {
            let shape = [&[batch.labels.len()], &input.shape[..]].concat();
            let pictures = Tensor::new(&shape, std::mem::take(&mut batch.values))?;
            let outputs = session.run(&[&pictures])?;
            let output = outputs.by_name(self.output).map_or(&[][..], |output| output.data());
            let labels: Vec<usize> = batch.labels.iter().filter_map(|label| classes.get(*label).copied()).collect();
            confusion.add_batch(output, &labels).map_err(Failure::new)?;
            batch.values = pictures.into_data();
        }
        Ok(())
    }

    /// Which score belongs to each class of the data.
    fn order(&self, data: &[String], scores: usize) -> Result<Vec<usize>, Failure> {
        if self.classes.is_empty() || self.classes == data {
            if data.len() > scores {
                let text = format!("the data have {} classes, and `{}` tells {scores} apart", data.len(), self.output);
                return Err(Failure::Message(text));
            }
            return Ok((0..data.len()).collect());
        }
        let place = |name: &String| {
            self.classes.iter().position(|class| class == name).ok_or_else(|| {
                let known = self.classes.iter().take(20).map(String::as_str).collect::<Vec<_>>().join(", ");
                Failure::Message(format!("the data have a class `{name}`, and the weights know {known}"))
            })
        };
        data.iter().map(place).collect()
    }
}
