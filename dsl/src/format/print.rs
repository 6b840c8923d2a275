//! Nodes as lines.

use super::MAX_COLUMNS;
use super::leaf::{Gap, Leaf};
use super::line::Lines;
use super::node::{Body, Chain, Group, Node, begins_line};

/// How far what is inside stands to the right.
const INDENT: usize = 4;
/// A branch's statements stand below its first, behind `| `.
const BRANCH: usize = 2;

/// The text of a file; `end` is what is after its last token.
pub(super) fn print<'s>(items: &[Vec<Node<'s>>], end: &Gap<'s>) -> String {
    let mut printer = Printer { lines: Lines::default() };
    let mut place = Place::default();
    for item in items {
        let Some(first) = item.first() else { continue };
        let gap = &first.first().gap;
        printer.end_item(gap, &mut place);
        printer.own_lines(gap, place.start == 0);
        printer.step(item, 0);
    }
    printer.end_item(end, &mut place);
    printer.own_lines(end, place.start == 0);
    printer.lines.drop_blank();
    printer.lines.text()
}

/// An item of the file among the lines.
#[derive(Debug, Default)]
struct Place {
    /// Its first line, or the empty one before it.
    start: usize,
    /// The item before takes several lines.
    after_long: bool,
}

struct Printer<'s> {
    lines: Lines<'s>,
}

impl<'s> Printer<'s> {
    /// The comments and empty lines of a gap, which end the current line; `at_start` drops empty lines ahead.
    fn gap(&mut self, gap: &Gap<'s>, indent: usize, at_start: bool) {
        if let Some(comment) = gap.trailing {
            self.lines.comment(comment);
        }
        self.lines.end(indent);
        self.own_lines(gap, at_start);
    }

    /// Ends an item, and separates it from the one before unless both take one line; `place` becomes the next one's.
    fn end_item(&mut self, gap: &Gap<'s>, place: &mut Place) {
        if let Some(comment) = gap.trailing {
            self.lines.comment(comment);
        }
        self.lines.end(0);
        let first = place.start + usize::from(self.lines.is_blank(place.start));
        let is_long = self.lines.count() - first.min(self.lines.count()) > 1;
        if place.start > 0 && (is_long || place.after_long) {
            self.lines.separate(place.start);
        }
        *place = Place { start: self.lines.count(), after_long: is_long };
    }

    fn own_lines(&mut self, gap: &Gap<'s>, at_start: bool) {
        let mut at_start = at_start;
        for line in &gap.lines {
            if !line.is_empty() {
                self.lines.whole(line);
            } else if !at_start {
                self.lines.blank();
            }
            at_start = false;
        }
    }

    /// One token; comments before it, which hardly anyone writes there, go on lines of their own.
    fn leaf(&mut self, leaf: &Leaf<'s>, indent: usize) {
        if !self.lines.is_fresh() {
            if leaf.gap.has_comments() {
                self.gap(&leaf.gap, indent + INDENT, true);
            } else if leaf.spaced {
                self.lines.push(" ");
            }
        }
        self.lines.push(leaf.text);
    }

    /// The parts of a statement, of an item or of a value, in a line that is indented by `indent`.
    fn step(&mut self, nodes: &[Node<'s>], indent: usize) {
        // The bodies of one statement are all on its line, or none is.
        let is_flat =
            !nodes.iter().any(|node| matches!(node, Node::Body(body) if body.is_broken)) && self.fits(nodes, 0);
        for (index, node) in nodes.iter().enumerate() {
            match node {
                Node::Leaf(leaf) => self.leaf(leaf, indent),
                Node::Group(group) => self.group(group, &nodes[index + 1..], indent),
                Node::Body(body) if is_flat => self.flat_body(body, indent),
                Node::Body(body) => self.body(body, indent),
            }
        }
    }

    /// Brackets, before `rest` of the same statement.
    fn group(&mut self, group: &Group<'s>, rest: &[Node<'s>], indent: usize) {
        self.leaf(&group.open, indent);
        let mut meter = Meter::new(self.lines.column());
        meter.inside(group);
        // What can be broken itself need not fit.
        let tail = rest.iter().position(|node| !matches!(node, Node::Leaf(_))).map_or(rest.len(), |next| next + 1);
        rest[..tail].iter().for_each(|node| meter.opening(node));
        if !group.is_broken && meter.fits() {
            for (index, item) in group.items.iter().enumerate() {
                self.step(item, indent);
                if index + 1 < group.items.len() || group.comma[0] {
                    self.lines.push(",");
                }
            }
            return self.leaf(&group.close, indent);
        }
        let is_arranged = is_arranged(group, indent + INDENT);
        for (index, item) in group.items.iter().enumerate() {
            let Some(first) = item.first().map(Node::first) else { continue };
            // As the author has it, or as many on a line as fit.
            let wanted = is_arranged && first.gap.newline;
            let begins = index == 0 || wanted || first.gap.has_comments() || !self.fits(item, 1);
            if begins {
                self.gap(&first.gap, indent + INDENT, index == 0);
            }
            self.step(item, indent + INDENT);
            if index + 1 < group.items.len() || group.comma[1] {
                self.lines.push(",");
            }
        }
        self.gap(&group.close.gap, indent + INDENT, true);
        self.lines.end(indent);
        self.lines.push(group.close.text);
    }

    fn flat_body(&mut self, body: &Body<'s>, indent: usize) {
        self.leaf(&body.open, indent);
        for part in &body.parts {
            part.bar.iter().for_each(|bar| self.leaf(bar, indent));
            part.chains.iter().flatten().for_each(|step| self.step(step, indent));
        }
        self.leaf(&body.close, indent);
    }

    fn body(&mut self, body: &Body<'s>, indent: usize) {
        self.leaf(&body.open, indent);
        if body.parts.is_empty() && !body.close.gap.has_comments() {
            return self.lines.push(body.close.text);
        }
        let inner = indent + INDENT;
        for (index, part) in body.parts.iter().enumerate() {
            if let Some(bar) = &part.bar {
                self.gap(&bar.gap, inner, index == 0);
                self.lines.push(bar.text);
            }
            let inner = inner + if part.bar.is_some() { BRANCH } else { 0 };
            for (number, chain) in part.chains.iter().enumerate() {
                let Some(first) = chain.iter().flatten().next().map(Node::first) else { continue };
                // The first statement of a branch stands beside its bar.
                let is_first = number == 0;
                if !is_first || part.bar.is_none() || first.gap.has_comments() {
                    self.gap(&first.gap, inner, is_first);
                }
                self.chain(chain, inner);
            }
        }
        self.gap(&body.close.gap, inner, body.parts.is_empty());
        self.lines.drop_blank();
        self.lines.end(indent);
        self.lines.push(body.close.text);
    }

    fn chain(&mut self, chain: &Chain<'s>, indent: usize) {
        let mut inner = indent;
        for (index, step) in chain.iter().enumerate() {
            if index > 0 && (begins_line(step) || !self.stays(step, indent + INDENT)) {
                inner = indent + INDENT;
                if let Some(arrow) = step.first() {
                    self.gap(&arrow.first().gap, inner, true);
                }
            }
            self.step(step, inner);
        }
    }

    /// Whether a step should go on the current line and not on one of its own: if it fits, or if it fits neither here nor
    /// there and can be broken here.
    fn stays(&self, step: &[Node<'s>], indent: usize) -> bool {
        let mut alone = Meter::new(indent);
        alone.nodes(step);
        let mut opening = Meter::new(self.lines.column());
        let end = step.iter().position(|node| !matches!(node, Node::Leaf(_))).map_or(step.len(), |next| next + 1);
        step[..end].iter().for_each(|node| opening.opening(node));
        self.fits(step, 0) || (!alone.fits() && opening.fits())
    }

    /// Whether the nodes, as far as they must be on one line, fit into the current one and leave some room.
    fn fits(&self, nodes: &[Node<'s>], room: usize) -> bool {
        let mut meter = Meter::new(self.lines.column() + room);
        meter.nodes(nodes);
        meter.fits()
    }
}

/// Whether the author put the items into lines, and none is too long.
fn is_arranged(group: &Group<'_>, indent: usize) -> bool {
    let mut meter = Meter::new(indent);
    group.items.first().is_some_and(|item| begins_line(item))
        && group.items.iter().all(|item| {
            if begins_line(item) || meter.has_ended {
                meter = Meter::new(indent);
            }
            meter.nodes(item);
            meter.column += 1;
            meter.fits()
        })
}

/// Measures how far a line would go, up to where it must end.
struct Meter {
    column: usize,
    has_ended: bool,
}

impl Meter {
    fn new(column: usize) -> Self {
        Self { column, has_ended: false }
    }

    fn fits(&self) -> bool {
        self.column <= MAX_COLUMNS
    }

    fn leaf(&mut self, leaf: &Leaf<'_>) {
        if !self.has_ended {
            self.column += leaf.width();
        }
    }

    fn nodes(&mut self, nodes: &[Node<'_>]) {
        for (index, node) in nodes.iter().enumerate() {
            self.has_ended |= index > 0 && node.first().gap.has_comments();
            // Beyond the limit the rest does not matter.
            if self.has_ended || !self.fits() {
                return;
            }
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node<'_>) {
        self.leaf(node.first());
        match node {
            Node::Leaf(_) => {}
            Node::Group(group) => self.inside(group),
            Node::Body(body) => self.inside_body(body),
        }
    }

    /// A node that follows a group, up to where it can be broken.
    fn opening(&mut self, node: &Node<'_>) {
        self.has_ended |= node.first().gap.has_comments();
        self.leaf(node.first());
    }

    /// What follows the opening bracket.
    fn inside(&mut self, group: &Group<'_>) {
        self.has_ended |= group.is_broken;
        for (index, item) in group.items.iter().enumerate() {
            if self.has_ended || !self.fits() {
                return;
            }
            self.nodes(item);
            let has_comma = index + 1 < group.items.len() || group.comma[0];
            self.column += usize::from(has_comma && !self.has_ended);
        }
        self.leaf(&group.close);
    }

    fn inside_body(&mut self, body: &Body<'_>) {
        self.has_ended |= body.is_broken;
        if self.has_ended {
            return;
        }
        for part in &body.parts {
            part.bar.iter().for_each(|bar| self.leaf(bar));
            part.chains.iter().flatten().for_each(|step| self.nodes(step));
        }
        self.leaf(&body.close);
    }
}
