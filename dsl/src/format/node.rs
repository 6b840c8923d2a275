//! From tokens to what is laid out: brackets with items, bodies with steps.

use super::leaf::Leaf;
use crate::parse::TokenKind;
use std::iter::Peekable;
use std::vec::IntoIter;

/// A part of a statement.
#[derive(Debug)]
pub(super) enum Node<'s> {
    Leaf(Leaf<'s>),
    Group(Group<'s>),
    Body(Body<'s>),
}

/// Brackets around values.
#[derive(Debug)]
pub(super) struct Group<'s> {
    pub open: Leaf<'s>,
    pub items: Vec<Vec<Node<'s>>>,
    pub close: Leaf<'s>,
    /// The author ended the line after the opening bracket, or there are comments: one line is not enough.
    pub is_broken: bool,
    /// This group or one within it is broken.
    pub has_break: bool,
    /// Whether a comma ends the last item: on one line, and on several.
    pub comma: [bool; 2],
}

/// Braces around statements.
#[derive(Debug)]
pub(super) struct Body<'s> {
    pub open: Leaf<'s>,
    pub parts: Vec<Part<'s>>,
    pub close: Leaf<'s>,
    /// One line is not enough.
    pub is_broken: bool,
}

/// A branch, or all of a body without branches.
#[derive(Debug, Default)]
pub(super) struct Part<'s> {
    pub bar: Option<Leaf<'s>>,
    pub chains: Vec<Chain<'s>>,
}

/// Steps joined by arrows; each arrow is the first of its step.
pub(super) type Chain<'s> = Vec<Vec<Node<'s>>>;

/// The items of a file.
pub(super) fn items(leaves: Vec<Leaf<'_>>) -> Vec<Vec<Node<'_>>> {
    let mut reader = Reader { leaves: leaves.into_iter().peekable() };
    std::iter::from_fn(|| reader.leaves.peek().is_some().then(|| reader.run(false))).collect()
}

impl<'s> Node<'s> {
    /// The first token.
    pub fn first(&self) -> &Leaf<'s> {
        match self {
            Node::Leaf(leaf) => leaf,
            Node::Group(group) => &group.open,
            Node::Body(body) => &body.open,
        }
    }

    /// Whether a line must end within it.
    fn has_break(&self) -> bool {
        match self {
            Node::Leaf(_) => false,
            Node::Group(group) => group.has_break,
            Node::Body(body) => body.is_broken,
        }
    }
}

/// Whether a line must end within the nodes: a comment does that too, unless it is before the first.
fn has_break(nodes: &[Node<'_>]) -> bool {
    nodes.iter().any(Node::has_break) || nodes.iter().skip(1).any(|node| node.first().gap.has_comments())
}

struct Reader<'s> {
    leaves: Peekable<IntoIter<Leaf<'s>>>,
}

impl<'s> Reader<'s> {
    /// The nodes up to a closing bracket, to what begins after the first, or to a comma if those matter.
    fn run(&mut self, to_comma: bool) -> Vec<Node<'s>> {
        let mut nodes = Vec::new();
        while let Some(leaf) = self.leaves.next_if(|leaf| {
            let ends = leaf.kind == TokenKind::Close || leaf.is("|") || (to_comma && leaf.is(","));
            !ends && (!leaf.begins || nodes.is_empty())
        }) {
            nodes.push(match leaf.kind {
                TokenKind::Open if leaf.is_body => self.body(leaf),
                TokenKind::Open => self.group(leaf),
                _ => Node::Leaf(leaf),
            });
        }
        nodes
    }

    fn group(&mut self, open: Leaf<'s>) -> Node<'s> {
        let mut items = Vec::new();
        let mut ends_in_comma = false;
        let mut is_broken = self.leaves.peek().is_some_and(|leaf| leaf.gap.newline);
        loop {
            let item = self.run(true);
            if item.is_empty() {
                break;
            }
            let before = item.first().is_some_and(|node| node.first().gap.has_comments());
            let within = item.iter().skip(1).any(|node| node.first().gap.has_comments());
            is_broken |= before || within;
            items.push(item);
            ends_in_comma = self.leaves.next_if(|leaf| leaf.is(",")).is_some();
            if !ends_in_comma {
                break;
            }
        }
        let Some(close) = self.leaves.next() else { return Node::Leaf(open) };
        is_broken |= close.gap.has_comments();
        let has_break = is_broken || items.iter().any(|item| has_break(item));
        // The comma after a single item makes a tuple, so it stays where it is; after the last of several it means nothing.
        let is_call = open.is("(") && !open.spaced;
        let comma = match items.len() {
            0 => [false; 2],
            1 if is_call => [false, true],
            1 => [ends_in_comma && open.is("("), ends_in_comma],
            _ => [false, true],
        };
        Node::Group(Group { open, items, close, is_broken, has_break, comma })
    }

    fn body(&mut self, open: Leaf<'s>) -> Node<'s> {
        let mut parts = Vec::new();
        let mut is_broken = self.leaves.peek().is_some_and(|leaf| leaf.gap.newline || leaf.gap.has_comments());
        loop {
            let bar = self.leaves.next_if(|leaf| leaf.is("|"));
            let chains = self.chains();
            if bar.is_none() && chains.is_empty() {
                break;
            }
            is_broken |= bar.as_ref().is_some_and(|bar| bar.gap.newline) || chains.len() > 1;
            is_broken |= chains.iter().flatten().any(|step| {
                let gap = step.first().map(|node| &node.first().gap);
                has_break(step) || gap.is_some_and(|gap| gap.has_comments())
            });
            is_broken |= chains.iter().any(|chain| chain.iter().skip(1).any(|step| begins_line(step)));
            parts.push(Part { bar, chains });
        }
        let Some(close) = self.leaves.next() else { return Node::Leaf(open) };
        is_broken |= close.gap.has_comments();
        Node::Body(Body { open, parts, close, is_broken })
    }

    /// The statements of a body or branch.
    fn chains(&mut self) -> Vec<Chain<'s>> {
        let mut chains: Vec<Chain<'s>> = Vec::new();
        loop {
            let step = self.run(false);
            let Some(first) = step.first() else { return chains };
            match chains.last_mut() {
                Some(chain) if first.first().is("->") => chain.push(self.joined(step)),
                _ => chains.push(vec![step]),
            }
        }
    }

    /// An arrow with the step that follows it.
    fn joined(&mut self, mut arrow: Vec<Node<'s>>) -> Vec<Node<'s>> {
        arrow.extend(self.run(false));
        arrow
    }
}

/// Whether the author began a line with the nodes.
pub(super) fn begins_line(nodes: &[Node<'_>]) -> bool {
    nodes.first().is_some_and(|node| node.first().gap.newline)
}
