//! Which kernel runs each layer, and in which layout: the choice whose steps and reorderings take the least time together.
//!
//! Each layer has candidates, of which each takes its inputs in one layout and makes its output in one; where neighbours
//! do not agree, a value is reordered. The best choice for all is sought by improving one layer at a time, from several
//! beginnings, until nothing gets better.

use super::layout::Layout;

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
    let mut readers = vec![Vec::new(); nodes.len()];
    for (number, node) in nodes.iter().enumerate() {
        node.inputs.iter().for_each(|&input| readers[input].push(number));
    }
    let prefers = |layout: Layout| move |way: &Way| (way.makes != layout || way.takes != layout, way.cost);
    let beginnings: [Vec<usize>; 3] = [
        nodes.iter().map(|node| least(&node.ways, |way| (false, way.cost))).collect(),
        nodes.iter().map(|node| least(&node.ways, prefers(Layout::Plain))).collect(),
        nodes.iter().map(|node| least(&node.ways, prefers(Layout::Blocked))).collect(),
    ];
    let improved = beginnings.into_iter().map(|choice| improve(nodes, &readers, choice));
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
fn improve(nodes: &[Node], readers: &[Vec<usize>], mut choice: Vec<usize>) -> (Vec<usize>, f64) {
    for _ in 0..MAX_ROUNDS {
        let mut changed = false;
        for (number, node) in nodes.iter().enumerate() {
            let own = |way: &Way| {
                // An input that another reader needs reordered, too, is reordered anyway.
                let reordered = |&&input: &&usize| {
                    nodes[input].way(&choice, input).makes != way.takes
                        && !is_reordered(nodes, readers, &choice, input, Some(number))
                };
                let inwards: f64 = node.inputs.iter().filter(reordered).map(|&input| nodes[input].reorder).sum();
                let outwards =
                    readers[number].iter().any(|&reader| nodes[reader].way(&choice, reader).takes != way.makes);
                way.cost + inwards + if outwards || node.is_seen_in(way.makes) { node.reorder } else { 0.0 }
            };
            let best = least(&node.ways, |way| (false, own(way)));
            changed |= best != choice[number];
            choice[number] = best;
        }
        if !changed {
            break;
        }
    }
    let cost = |(number, node): (usize, &Node)| {
        let reorder = if is_reordered(nodes, readers, &choice, number, None) { node.reorder } else { 0.0 };
        node.way(&choice, number).cost + reorder
    };
    let total = nodes.iter().enumerate().map(cost).sum();
    (choice, total)
}

/// Whether a value has to be reordered, for all its readers but one.
fn is_reordered(nodes: &[Node], readers: &[Vec<usize>], choice: &[usize], number: usize, but: Option<usize>) -> bool {
    let makes = nodes[number].way(choice, number).makes;
    let mut others = readers[number].iter().filter(|&&reader| Some(reader) != but);
    others.any(|&reader| nodes[reader].way(choice, reader).takes != makes) || nodes[number].is_seen_in(makes)
}

impl Node {
    fn way(&self, choice: &[usize], number: usize) -> &Way {
        &self.ways[choice[number]]
    }

    /// Whether a caller would see the output in another layout than the plain one.
    fn is_seen_in(&self, makes: Layout) -> bool {
        self.is_output && makes != Layout::Plain
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
}
