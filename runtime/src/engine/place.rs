//! Where each step's output lies in the arena.
//!
//! A step in place takes over the memory of an input that nothing reads later. What is joined along the channels is made
//! where the joined value lies, so that joining copies nothing.

use super::drafts::{Draft, Source, Value};
use super::plan::{Lifetime, plan};
use super::program::Area;
use super::target::Target;
use std::collections::HashMap;
use std::ops::Range;

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
    /// Whether the caller sees the value.
    is_output: Vec<bool>,
}

impl Forest {
    fn new(drafts: &[Draft], outputs: &[usize]) -> Self {
        let mut is_output = vec![false; drafts.len()];
        outputs.iter().for_each(|&output| is_output[output] = true);
        let elements = drafts.iter().map(|draft| draft.elements).collect();
        Self { parents: vec![None; drafts.len()], last: last_readers(drafts, outputs), elements, is_output }
    }

    fn attach(&mut self, part: usize, whole: usize, start: usize) {
        self.parents[part] = Some((whole, start));
        self.last[whole] = self.last[whole].max(self.last[part]);
    }

    /// The inputs that a step could take as parts of its output or overwrite: steps' values that are read whole, are part
    /// of no other, and of which nothing else that the step reads is a part.
    fn free(&mut self, draft: &Draft) -> Vec<Option<usize>> {
        let value = |source: &Source| match source.value {
            Value::Step(step) => Some(step),
            Value::Input(_) => None,
        };
        let values: Vec<Option<usize>> = draft.inputs.iter().map(value).collect();
        let mut readings: HashMap<usize, usize> = HashMap::new();
        for value in values.iter().copied().flatten() {
            *readings.entry(self.root(value).0).or_default() += 1;
        }
        let is_free = |value: usize, source: &Source| {
            self.parents[value].is_none() && self.elements[value] == source.elements && readings.get(&value) == Some(&1)
        };
        values
            .into_iter()
            .zip(&draft.inputs)
            .map(|(value, source)| value.filter(|&value| is_free(value, source)))
            .collect()
    }

    /// The root of a value, and where in that it begins. Whatever lies between hangs on the root from then on, so that
    /// long chains are walked once.
    fn root(&mut self, value: usize) -> (usize, usize) {
        let (mut root, mut between) = (value, Vec::new());
        while let Some((whole, offset)) = self.parents[root] {
            between.push((root, offset));
            root = whole;
        }
        let mut start = 0;
        for (part, offset) in between.into_iter().rev() {
            start += offset;
            self.parents[part] = Some((root, start));
        }
        (root, start)
    }
}

/// Places the outputs of all steps, of which some are outputs of the program, as the target allows. A step that takes
/// over an input's memory gets that input as its first. What steps of a chain use is apart: they are done block by block.
/// `None` when the elements cannot be counted.
pub(crate) fn place(
    drafts: &mut [Draft],
    outputs: &[usize],
    chains: &[Range<usize>],
    target: &Target,
) -> Option<Placed> {
    let mut forest = Forest::new(drafts, outputs);
    let mut joined = Vec::with_capacity(drafts.len());
    for (step, draft) in drafts.iter_mut().enumerate() {
        joined.push(match &draft.join {
            Some(starts) if target.join_in_place => join(step, draft, starts, &mut forest),
            Some(starts) => vec![false; starts.len()],
            None => {
                if let Some(index) = overwritten(step, draft, &mut forest).filter(|_| target.overwrite) {
                    draft.inputs.swap(0, index);
                    if let Value::Step(input) = draft.inputs[0].value {
                        forest.attach(input, step, 0);
                    }
                }
                Vec::new()
            }
        });
    }
    let roots: Vec<(usize, usize)> = (0..drafts.len()).map(|step| forest.root(step)).collect();
    let mut lifetimes: Vec<Option<Lifetime>> = vec![None; drafts.len()];
    for (step, &(root, _)) in roots.iter().enumerate() {
        // Steps come in order, so the first part that is met is the first that is made.
        let (elements, last) = (drafts[root].elements, forest.last[root].max(root));
        let chain = |step: usize| chains.iter().find(|chain| chain.contains(&step));
        let (first, last) = (chain(step).map_or(step, |c| c.start), chain(last).map_or(last, |c| c.end - 1));
        lifetimes[root].get_or_insert(Lifetime { elements, first, last });
    }
    let planned: Vec<Lifetime> = lifetimes.iter().copied().flatten().collect();
    let (offsets, arena) = plan(&planned)?;
    let mut next = offsets.into_iter();
    let offsets: Vec<Option<usize>> = lifetimes.iter().map(|lifetime| lifetime.and_then(|_| next.next())).collect();
    let area = |(draft, &(root, start)): (&Draft, &(usize, usize))| {
        let (stride, elements) = (drafts[root].elements, draft.elements);
        offsets[root].map(|offset| Area { offset, stride, start, elements })
    };
    let areas = drafts.iter().zip(&roots).map(area).collect::<Option<Vec<Area>>>()?;
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
fn join(step: usize, draft: &Draft, starts: &[usize], forest: &mut Forest) -> Vec<bool> {
    let free = forest.free(draft).into_iter().zip(starts);
    let place = |(value, &start): (Option<usize>, &usize)| {
        // What a caller sees lies for itself.
        let part = value.filter(|&value| !forest.is_output[value]);
        part.inspect(|&part| forest.attach(part, step, start)).is_some()
    };
    free.map(place).collect()
}

/// The input whose memory the output may take over: nothing reads it later.
fn overwritten(step: usize, draft: &Draft, forest: &mut Forest) -> Option<usize> {
    let candidates = match (draft.kernel.in_place(), draft.kernel.may_overwrite()) {
        (true, _) => 1,
        (false, 0) => return None,
        (false, count) => count,
    };
    let free = forest.free(draft);
    let fits = |value: &Option<usize>| {
        value.is_some_and(|value| forest.elements[value] == draft.elements && forest.last[value] == step)
    };
    free.iter().take(candidates).position(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::{Call, Kernel};
    use cnn_ir::Shape;

    /// What a step of a test does.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Does {
        /// Makes its output elsewhere.
        Make,
        InPlace,
        Overwrite,
        Join,
    }

    impl Kernel for Does {
        fn in_place(&self) -> bool {
            *self == Does::InPlace
        }

        fn may_overwrite(&self) -> usize {
            if *self == Does::Overwrite { usize::MAX } else { 0 }
        }

        fn run(&self, _: Call<'_>) {}
    }

    use Does::{InPlace, Join, Make, Overwrite};

    /// An input of the network among the inputs of a step.
    const INPUT: usize = usize::MAX;

    /// Steps with the values that they read; those that join are as long as these together, all others have 16 elements.
    fn drafts(steps: &[(Does, &[usize])]) -> Vec<Draft> {
        let mut drafts: Vec<Draft> = Vec::new();
        for &(does, inputs) in steps {
            let source = |&input: &usize| match input {
                INPUT => Source { value: Value::Input(0), elements: 16 },
                step => Source { value: Value::Step(step), elements: drafts[step].elements },
            };
            let inputs: Vec<Source> = inputs.iter().map(source).collect();
            let join = (does == Join).then(|| super::super::drafts::starts(&inputs));
            let elements = if does == Join { inputs.iter().map(|input| input.elements).sum() } else { 16 };
            let (name, shape, kernel) = (String::new(), Shape::new(&[elements]).unwrap(), Box::new(does));
            drafts.push(Draft { name, shape, kernel, choices: Vec::new(), inputs, elements, join });
        }
        drafts
    }

    #[test]
    fn values_lie_where_they_should() {
        // The steps, the outputs, and where each value lies: in which of the arena's values of 16 elements.
        type Case<'a> = (&'a str, &'a [(Does, &'a [usize])], &'a [usize], &'a [usize]);
        let cases: &[Case<'_>] = &[
            ("a chain takes two places", &[(Make, &[INPUT]), (Make, &[0]), (Make, &[1])], &[2], &[0, 1, 0]),
            ("in place, one", &[(Make, &[INPUT]), (InPlace, &[0]), (InPlace, &[1])], &[2], &[0, 0, 0]),
            ("not what is read later", &[(Make, &[INPUT]), (InPlace, &[0]), (Make, &[0, 1])], &[2], &[0, 1, 2]),
            ("not an output", &[(Make, &[INPUT]), (InPlace, &[0])], &[0, 1], &[0, 1]),
            ("not an input of the network", &[(InPlace, &[INPUT]), (InPlace, &[0])], &[1], &[0, 0]),
            ("not what is read twice at once", &[(Make, &[INPUT]), (Overwrite, &[0, 0])], &[1], &[0, 1]),
            (
                "the second input where the first is needed",
                &[(Make, &[INPUT]), (Make, &[INPUT]), (Overwrite, &[0, 1]), (Make, &[0, 2])],
                &[3],
                &[0, 1, 1, 2],
            ),
            ("parts lie in the whole", &[(Make, &[INPUT]), (Make, &[INPUT]), (Join, &[0, 1])], &[2], &[0, 1, 0]),
            (
                "a whole of wholes",
                &[(Make, &[INPUT]), (Make, &[INPUT]), (Join, &[0, 1]), (Make, &[2]), (Join, &[3, 2])],
                &[4],
                &[1, 2, 1, 0, 0],
            ),
            ("the second time is copied", &[(Make, &[INPUT]), (Join, &[0]), (Join, &[0, 1])], &[2], &[2, 2, 0]),
            ("joined to itself", &[(Make, &[INPUT]), (Join, &[0, 0])], &[1], &[2, 0]),
            (
                "a value and its whole",
                &[(Make, &[INPUT]), (Make, &[INPUT]), (Join, &[0, 1]), (Join, &[2, 0])],
                &[3],
                &[3, 4, 3, 0],
            ),
            ("an output is no part", &[(Make, &[INPUT]), (Make, &[INPUT]), (Join, &[0, 1])], &[0, 2], &[2, 1, 0]),
            (
                "a chain in place ends in a whole",
                &[(Make, &[INPUT]), (InPlace, &[0]), (Make, &[INPUT]), (Join, &[2, 1])],
                &[3],
                &[1, 1, 0, 0],
            ),
        ];
        for &(name, steps, outputs, expected) in cases {
            let placed = place(&mut drafts(steps), outputs, &[], &Target::default()).unwrap();
            let places: Vec<usize> = placed.areas.iter().map(|area| (area.offset + area.start) / 16).collect();
            assert_eq!(places, expected, "{name}");
        }
    }

    /// A block's first step comes after another block's last.
    #[test]
    fn what_a_chain_uses_is_apart() {
        let steps: &[(Does, &[usize])] =
            &[(Make, &[INPUT]), (Make, &[0]), (Make, &[1]), (Overwrite, &[2]), (Make, &[3])];
        let places = |chains: &[Range<usize>]| {
            let placed = place(&mut drafts(steps), &[4], chains, &Target::default()).unwrap();
            placed.areas.iter().map(|area| area.offset / 16).collect::<Vec<_>>()
        };
        let [first, _, third, ..] = places(&[])[..] else { panic!() };
        assert_eq!(first, third, "memory is used again");
        let [before, first, second, third, _] = places(std::slice::from_ref(&(1..4)))[..] else { panic!() };
        assert!(before != first && before != second && first != second, "but not in a chain");
        assert_eq!(second, third, "what is overwritten is of the same block");
    }

    #[test]
    fn what_is_switched_off_is_not_done() {
        let steps: &[(Does, &[usize])] = &[(Make, &[INPUT]), (InPlace, &[0]), (Make, &[INPUT]), (Join, &[1, 2])];
        let place = |target: &Target| place(&mut drafts(steps), &[3], &[], target).unwrap();
        let all = place(&Target::default());
        assert!(all.joined[3] == [true; 2] && all.areas[0].offset == all.areas[1].offset);
        assert_eq!(place(&Target { join_in_place: false, ..Target::default() }).joined[3], [false; 2]);
        let apart = place(&Target { overwrite: false, ..Target::default() });
        assert_ne!(apart.areas[0].offset, apart.areas[1].offset);
    }

    /// Ends, which it would not if every step walked to the root or over the other parts.
    #[test]
    fn long_chains_and_wide_joins_are_placed_at_once() {
        const STEPS: usize = 100_000;
        let inputs: Vec<[usize; 1]> = (0..STEPS).map(|step| [step.checked_sub(1).unwrap_or(INPUT)]).collect();
        let chain: Vec<(Does, &[usize])> = inputs.iter().map(|inputs| (InPlace, &inputs[..])).collect();
        assert_eq!(place(&mut drafts(&chain), &[STEPS - 1], &[], &Target::default()).unwrap().arena, 16);

        let parts: Vec<usize> = (0..STEPS).collect();
        let mut steps: Vec<(Does, &[usize])> = vec![(Make, &[INPUT]); STEPS];
        steps.push((Join, &parts));
        assert_eq!(place(&mut drafts(&steps), &[STEPS], &[], &Target::default()).unwrap().arena, 16 * STEPS);

        // The first part is read at every level of the wholes.
        let inputs: Vec<[usize; 2]> = (1..STEPS / 100).map(|level| [2 * level - 2, 2 * level - 1]).collect();
        let mut steps: Vec<(Does, &[usize])> = vec![(Make, &[INPUT])];
        for inputs in &inputs {
            steps.extend([(Make, &[0usize][..]), (Join, &inputs[..])]);
        }
        let last = steps.len() - 1;
        assert_eq!(place(&mut drafts(&steps), &[last], &[], &Target::default()).unwrap().arena, 16 * (STEPS / 100));
    }
}
