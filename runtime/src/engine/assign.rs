//! Which kernel runs each layer, and in which layout: the choice whose steps and reorderings take the least time together.
//!
//! Each layer has candidates, of which each takes its inputs in one layout and makes its output in one; where neighbours
//! do not agree, a value is reordered. The best choice for all is sought by improving one layer at a time, from several
//! beginnings, until nothing gets better.

use super::layout::Layout;
use std::collections::BTreeSet;

/// A way to run a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Way {
    pub takes: Layout,
    pub makes: Layout,
    /// Seconds.
    pub cost: f64,
}

/// A value in the graph that the choice is made for: an input or a layer's output.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    /// The nodes that it is made of, all before it.
    pub inputs: Vec<usize>,
    /// At least one.
    pub ways: Vec<Way>,
    /// Seconds to reorder the output.
    pub reorder: f64,
    /// Whether the caller sees the output, which has to be plain then.
    pub is_output: bool,
}

/// Rounds of improvement; they end as soon as nothing changes, commonly after three.
const MAX_ROUNDS: usize = 20;

/// The number of the way for each node.
pub(crate) fn assign(nodes: &[Node]) -> Vec<usize> {
    // A value that is read twice at once is reordered once.
    let distinct = |node: &Node| node.inputs.iter().copied().collect::<BTreeSet<usize>>().into_iter().collect();
    let inputs: Vec<Vec<usize>> = nodes.iter().map(distinct).collect();
    let prefers = |layout: Layout| move |way: &Way| (way.makes != layout || way.takes != layout, way.cost);
    let beginnings: [Vec<usize>; 3] = [
        nodes.iter().map(|node| least(&node.ways, |way| (false, way.cost))).collect(),
        nodes.iter().map(|node| least(&node.ways, prefers(Layout::Plain))).collect(),
        nodes.iter().map(|node| least(&node.ways, prefers(Layout::Blocked))).collect(),
    ];
    let improved = beginnings.into_iter().map(|choice| improve(nodes, &inputs, choice));
    let best = improved.min_by(|(_, a), (_, b)| a.total_cmp(b));
    best.map_or_else(Vec::new, |(choice, _)| choice)
}

fn least<K: Fn(&Way) -> (bool, f64)>(ways: &[Way], key: K) -> usize {
    let order = |a: &usize, b: &usize| {
        let ((a_last, a_cost), (b_last, b_cost)) = (key(&ways[*a]), key(&ways[*b]));
        a_last.cmp(&b_last).then(a_cost.total_cmp(&b_cost))
    };
    (0..ways.len()).min_by(order).unwrap_or(0)
}

/// Improves a choice; gives it with its cost.
fn improve(nodes: &[Node], inputs: &[Vec<usize>], mut choice: Vec<usize>) -> (Vec<usize>, f64) {
    // How many readers take each value in each layout.
    let mut readers = vec![[0usize; 2]; nodes.len()];
    for (number, inputs) in inputs.iter().enumerate() {
        let takes = nodes[number].way(&choice, number).takes;
        inputs.iter().for_each(|&input| readers[input][takes as usize] += 1);
    }
    for _ in 0..MAX_ROUNDS {
        let mut changed = false;
        for (number, (node, inputs)) in nodes.iter().zip(inputs).enumerate() {
            let takes = node.way(&choice, number).takes;
            inputs.iter().for_each(|&input| readers[input][takes as usize] -= 1);
            let own = |way: &Way| {
                // An input that another reader needs reordered, too, is reordered anyway.
                let reordered = |&&input: &&usize| {
                    let makes = nodes[input].way(&choice, input).makes;
                    makes != way.takes && !nodes[input].is_reordered(makes, readers[input])
                };
                let inwards: f64 = inputs.iter().filter(reordered).map(|&input| nodes[input].reorder).sum();
                let outwards = if node.is_reordered(way.makes, readers[number]) { node.reorder } else { 0.0 };
                way.cost + inwards + outwards
            };
            let best = least(&node.ways, |way| (false, own(way)));
            changed |= best != choice[number];
            choice[number] = best;
            let takes = node.way(&choice, number).takes;
            inputs.iter().for_each(|&input| readers[input][takes as usize] += 1);
        }
        if !changed {
            break;
        }
    }
    let cost = |(number, node): (usize, &Node)| {
        let way = node.way(&choice, number);
        way.cost + if node.is_reordered(way.makes, readers[number]) { node.reorder } else { 0.0 }
    };
    let total = nodes.iter().enumerate().map(cost).sum();
    (choice, total)
}

impl Node {
    fn way(&self, choice: &[usize], number: usize) -> &Way {
        &self.ways[choice[number]]
    }

    /// Whether the output has to be reordered when it is made in this layout: for a reader, of which there are so many
    /// for each layout, or for the caller.
    fn is_reordered(&self, makes: Layout, readers: [usize; 2]) -> bool {
        let (other, is_seen) = match makes {
            Layout::Plain => (Layout::Blocked, false),
            Layout::Blocked => (Layout::Plain, self.is_output),
        };
        is_seen || readers[other as usize] > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Layout::{Blocked, Plain};

    fn node(inputs: &[usize], reorder: f64, ways: &[(Layout, Layout, f64)]) -> Node {
        let ways = ways.iter().map(|&(takes, makes, cost)| Way { takes, makes, cost }).collect();
        Node { inputs: inputs.to_vec(), ways, reorder, is_output: false }
    }

    /// A plain input, then layers that take 1 in one layout and `plain` in the other.
    fn chain(plain: f64, reorder: f64, layers: usize) -> Vec<usize> {
        let mut nodes = vec![node(&[], reorder, &[(Plain, Plain, 0.0)])];
        for i in 0..layers {
            nodes.push(node(&[i], reorder, &[(Plain, Plain, plain), (Blocked, Blocked, 1.0)]));
        }
        nodes[layers].is_output = true;
        assign(&nodes)[1..].to_vec()
    }

    #[test]
    fn a_reordering_pays_when_it_saves_more_than_it_takes() {
        assert_eq!(chain(1.5, 2.0, 5), [0; 5]); // 2.5 saved, 4 spent
        assert_eq!(chain(2.0, 2.0, 5), [1; 5]); // 5 saved, 4 spent
    }

    #[test]
    fn a_layer_that_enters_needs_no_reordering() {
        let nodes = [
            node(&[], 9.0, &[(Plain, Plain, 0.0)]),
            node(&[0], 9.0, &[(Plain, Plain, 1.0), (Plain, Blocked, 1.5)]),
            node(&[1], 9.0, &[(Plain, Plain, 3.0), (Blocked, Blocked, 1.0)]),
        ];
        assert_eq!(assign(&nodes), [0, 1, 1]);
    }

    #[test]
    fn a_value_is_reordered_once_for_all_its_readers() {
        let mut nodes = vec![node(&[], 1.0, &[(Plain, Plain, 0.0)])];
        nodes.extend((0..3).map(|_| node(&[0], 9.0, &[(Plain, Plain, 1.5), (Blocked, Blocked, 1.0)])));
        assert_eq!(assign(&nodes)[1..], [1, 1, 1]);
    }

    #[test]
    fn a_value_that_is_read_twice_at_once_is_reordered_once() {
        let nodes = [
            node(&[], 1.0, &[(Plain, Plain, 0.0)]),
            node(&[0, 0], 9.0, &[(Plain, Plain, 2.5), (Blocked, Blocked, 1.0)]),
        ];
        assert_eq!(assign(&nodes), [0, 1]);
    }

    /// Ends, which it would not if every reader looked at all others.
    #[test]
    fn a_value_with_many_readers_is_assigned_at_once() {
        let mut nodes = vec![node(&[], 1.0, &[(Plain, Plain, 0.0)])];
        nodes.resize(100_000, node(&[0], 9.0, &[(Plain, Plain, 1.5), (Blocked, Blocked, 1.0)]));
        assert!(assign(&nodes)[1..].iter().all(|&way| way == 1));
    }
}
