//! Where each step's output lies in the arena.
//!
//! A step in place takes over the memory of an input that nothing reads later. What is joined along the channels is made
//! where the joined value lies, so that joining copies nothing.

use super::collapse::{Draft, Source, Value};
use super::plan::{Lifetime, plan};
use super::program::Area;

/// What the placing decides.
pub(crate) struct Placed {
    /// For each step its output's area.
    pub areas: Vec<Area>,
    /// For each step which of its inputs lie in its output already.
    pub joined: Vec<Vec<bool>>,
    /// Elements of the arena for one example.
    pub arena: usize,
}

/// Values as parts of others: a forest, whose roots get memory.
struct Forest {
    /// What a value is a part of, and where in that it begins.
    parents: Vec<Option<(usize, usize)>>,
    /// The last step that reads the value or what is a part of it.
    last: Vec<usize>,
    /// Elements of one example; a reader may leave out the last of them.
    elements: Vec<usize>,
}

impl Forest {
    fn attach(&mut self, part: usize, whole: usize, start: usize) {
        self.parents[part] = Some((whole, start));
        self.last[whole] = self.last[whole].max(self.last[part]);
    }

    /// Whether a value that is read is no part of another yet, and read whole.
    fn is_free(&self, source: &Source, value: usize) -> bool {
        self.parents[value].is_none() && self.elements[value] == source.elements
    }

    /// How many inputs of a step are this root or parts of it.
    fn readings(&self, draft: &Draft, root: usize) -> usize {
        let of_root = |source: &&Source| matches!(source.value, Value::Step(input) if self.root(input).0 == root);
        draft.inputs.iter().filter(of_root).count()
    }

    /// The root of a value, and where in that it begins.
    fn root(&self, value: usize) -> (usize, usize) {
        let (mut root, mut start) = (value, 0);
        while let Some((whole, offset)) = self.parents[root] {
            (root, start) = (whole, start + offset);
        }
        (root, start)
    }
}

/// Places the outputs of all steps, of which some are outputs of the program. A step that takes over an input's memory
/// gets that input as its first. `None` when the elements cannot be counted.
pub(crate) fn place(drafts: &mut [Draft], outputs: &[usize]) -> Option<Placed> {
    let elements = drafts.iter().map(|draft| draft.elements).collect();
    let mut forest = Forest { parents: vec![None; drafts.len()], last: last_readers(drafts, outputs), elements };
    let mut joined = Vec::with_capacity(drafts.len());
    for (step, draft) in drafts.iter_mut().enumerate() {
        joined.push(match &draft.join {
            Some(starts) => join(step, draft, starts, outputs, &mut forest),
            None => {
                if let Some(index) = overwritten(step, draft, &forest) {
                    draft.inputs.swap(0, index);
                    if let Value::Step(input) = draft.inputs[0].value {
                        forest.attach(input, step, 0);
                    }
                }
                Vec::new()
            }
        });
    }
    let mut lifetimes: Vec<Option<Lifetime>> = vec![None; drafts.len()];
    for step in 0..drafts.len() {
        let (root, _) = forest.root(step);
        // Steps come in order, so the first part that is met is the first that is made.
        let (elements, last) = (drafts[root].elements, forest.last[root]);
        lifetimes[root].get_or_insert(Lifetime { elements, first: step, last: last.max(root) });
    }
    let roots: Vec<Lifetime> = lifetimes.iter().copied().flatten().collect();
    let (offsets, arena) = plan(&roots)?;
    let mut next = offsets.into_iter();
    let offsets: Vec<Option<usize>> = lifetimes.iter().map(|lifetime| lifetime.and_then(|_| next.next())).collect();
    let area = |step: usize| {
        let (root, start) = forest.root(step);
        let (stride, elements) = (drafts[root].elements, drafts[step].elements);
        offsets[root].map(|offset| Area { offset, stride, start, elements })
    };
    let areas = (0..drafts.len()).map(area).collect::<Option<Vec<Area>>>()?;
    Some(Placed { areas, joined, arena })
}

/// For each step the last that reads its output; outputs of the program are read behind the last step.
fn last_readers(drafts: &[Draft], outputs: &[usize]) -> Vec<usize> {
    let mut last: Vec<usize> = (0..drafts.len()).collect();
    for (step, draft) in drafts.iter().enumerate() {
        for source in &draft.inputs {
            if let Value::Step(input) = source.value {
                last[input] = last[input].max(step);
            }
        }
    }
    outputs.iter().for_each(|&output| last[output] = drafts.len());
    last
}

/// Makes inputs of a join parts of it, as far as they are free; says which.
fn join(step: usize, draft: &Draft, starts: &[usize], outputs: &[usize], forest: &mut Forest) -> Vec<bool> {
    // What a caller sees lies for itself, and what comes a second time is copied.
    let fits = |source: &Source| match source.value {
        Value::Step(input) => {
            forest.is_free(source, input) && !outputs.contains(&input) && forest.readings(draft, input) == 1
        }
        Value::Input(_) => false,
    };
    let joined: Vec<bool> = draft.inputs.iter().map(fits).collect();
    for ((source, &start), _) in draft.inputs.iter().zip(starts).zip(&joined).filter(|(_, joined)| **joined) {
        if let Value::Step(input) = source.value {
            forest.attach(input, step, start);
        }
    }
    joined
}

/// The input whose memory the output may take over: nothing reads it later, nor a second time now, nor a part of it.
fn overwritten(step: usize, draft: &Draft, forest: &Forest) -> Option<usize> {
    let candidates = match (draft.kernel.in_place(), draft.kernel.may_overwrite()) {
        (true, _) => 0..1,
        (false, count) => 0..count.min(draft.inputs.len()),
    };
    let is_free = |&index: &usize| {
        let source = &draft.inputs[index];
        let Value::Step(input) = source.value else { return false };
        let once = forest.readings(draft, input) == 1;
        once && source.elements == draft.elements && forest.is_free(source, input) && forest.last[input] == step
    };
    candidates.into_iter().find(is_free)
}
