//! Luminal's primitives, with the faults of 0.2.0 out of reach.
//!
//! Every primitive makes a dense tensor, and only those that read through a view correctly take one: `contiguous`,
//! `add`, `mul` and `less_than`. Unary primitives ignore views and reductions misread them, so they take whole nodes.
//! Shapes come from here; Luminal's `slice`, `pad` and `shape` helpers, which forget one for the other, are not used.

use crate::graph::BATCH;
use luminal::graph::Graph;
use luminal::op::{
    Add, Constant, ConstantValue, Contiguous, Exp2, Function, Log2, MaxReduce, Mul, Operator, Recip, Sqrt, SumReduce,
};
use luminal::prelude::{NodeIndex, ShapeTracker};
use luminal::shape::symbolic::Expression;
use luminal::tensor::Tensor;

/// A dense tensor. Axes are numbered without the batch, which is in front if there is one.
#[derive(Debug, Clone)]
pub struct Node {
    pub id: NodeIndex,
    /// Parameters and constants have no batch.
    pub batched: bool,
    pub shape: Vec<usize>,
}

/// A node read in another way.
#[derive(Clone)]
pub struct View {
    node: Node,
    tracker: ShapeTracker,
}

impl Node {
    /// The number of elements, of one example if there is a batch; saturating.
    pub fn elements(&self) -> usize {
        self.shape.iter().fold(1, |n: usize, &size| n.saturating_mul(size))
    }

    /// The same elements in another shape.
    pub fn reshape(&self, shape: &[usize]) -> Node {
        let node = Node { shape: shape.to_vec(), ..*self };
        debug_assert_eq!(node.elements(), self.elements());
        node
    }

    /// The shape as three axes, `axis` being the middle one.
    pub fn around(&self, axis: usize) -> Node {
        let product = |sizes: &[usize]| sizes.iter().product();
        self.reshape(&[product(&self.shape[..axis]), self.shape[axis], product(&self.shape[axis + 1..])])
    }

    pub fn view(&self) -> View {
        let batch = self.batched.then_some(BATCH.into());
        let sizes: Vec<Expression> = batch.into_iter().chain(self.shape.iter().map(|&size| size.into())).collect();
        View { node: self.clone(), tracker: ShapeTracker::new(&sizes) }
    }
}

impl View {
    /// The position of an axis in the tracker's memory order.
    fn physical(&self, axis: usize) -> usize {
        self.tracker.indexes[axis + usize::from(self.node.batched)]
    }

    /// The sizes, without the batch.
    pub fn shape(&self) -> &[usize] {
        &self.node.shape
    }

    /// The axes in this order.
    pub fn permute(mut self, axes: &[usize]) -> View {
        let batch = usize::from(self.node.batched);
        let all: Vec<usize> = (0..batch).chain(axes.iter().map(|axis| axis + batch)).collect();
        self.tracker.permute(&all);
        self.node.shape = axes.iter().map(|&axis| self.node.shape[axis]).collect();
        self
    }

    /// A new axis along which all elements are the same.
    pub fn broadcast(mut self, axis: usize, size: usize) -> View {
        self.tracker.expand(axis + usize::from(self.node.batched), size.into());
        self.node.shape.insert(axis, size);
        self
    }

    /// The same for every example.
    pub fn broadcast_batch(mut self) -> View {
        if !self.node.batched {
            self.tracker.expand(0, BATCH.into());
            self.node.batched = true;
        }
        self
    }

    /// `size` elements of an axis. Not after `pad`.
    pub fn slice(mut self, axis: usize, start: usize, size: usize) -> View {
        let physical = self.physical(axis);
        self.tracker.slices[physical] = (start.into(), (start + size).into());
        self.node.shape[axis] = size;
        self
    }

    /// Zeros around an axis that is in memory. Not after `slice`.
    pub fn pad(mut self, axis: usize, before: usize, after: usize) -> View {
        let physical = self.physical(axis);
        self.tracker.padding[physical] = (before.into(), after.into());
        self.node.shape[axis] = self.node.shape[axis].saturating_add(before).saturating_add(after);
        self
    }
}

/// Adds primitives to a graph.
pub struct Primitives<'a> {
    graph: &'a mut Graph,
    largest: usize,
}

impl<'a> Primitives<'a> {
    pub fn new(graph: &'a mut Graph) -> Self {
        Self { graph, largest: 0 }
    }

    /// The most elements of one tensor so far, for one example.
    pub fn largest(&self) -> usize {
        self.largest
    }

    /// What `op` makes of these views: a dense tensor of `shape`.
    fn apply(&mut self, op: impl Operator + 'static, views: &[&View], shape: Vec<usize>) -> Node {
        let mut new = self.graph.add_op(op);
        for view in views {
            new = new.input(view.node.id, 0, view.tracker);
        }
        Node { id: new.finish(), batched: views.iter().any(|view| view.node.batched), shape }
    }

    /// The same, its size kept in mind.
    fn make(&mut self, op: impl Operator + 'static, views: &[&View], shape: Vec<usize>) -> Node {
        let node = self.apply(op, views, shape);
        self.largest = self.largest.max(node.elements());
        node
    }

    pub fn constant(&mut self, value: f32) -> Node {
        let op = Constant(ConstantValue::Float(value), &self.graph.dyn_map);
        self.make(op, &[], Vec::new())
    }

    /// The elements of a view, in memory in its order.
    pub fn contiguous(&mut self, view: View) -> Node {
        let shape = view.node.shape.clone();
        self.make(Contiguous, &[&view], shape)
    }

    fn binary(&mut self, op: impl Operator + 'static, a: View, b: View) -> Node {
        debug_assert_eq!((&a.node.shape, a.node.batched), (&b.node.shape, b.node.batched));
        let shape = a.node.shape.clone();
        self.make(op, &[&a, &b], shape)
    }

    pub fn add(&mut self, a: View, b: View) -> Node {
        self.binary(Add, a, b)
    }

    pub fn mul(&mut self, a: View, b: View) -> Node {
        self.binary(Mul, a, b)
    }

    fn unary(&mut self, op: impl Operator + 'static, x: &Node) -> Node {
        self.make(op, &[&x.view()], x.shape.clone())
    }

    /// 2ˣ.
    pub fn exp2(&mut self, x: &Node) -> Node {
        self.unary(Exp2, x)
    }

    /// log₂ x.
    pub fn log2(&mut self, x: &Node) -> Node {
        self.unary(Log2, x)
    }

    /// √x.
    pub fn sqrt(&mut self, x: &Node) -> Node {
        self.unary(Sqrt, x)
    }

    /// 1/x.
    pub fn recip(&mut self, x: &Node) -> Node {
        self.unary(Recip, x)
    }

    fn without(x: &Node, axis: usize) -> (usize, Vec<usize>) {
        let mut shape = x.shape.clone();
        shape.remove(axis);
        (axis + usize::from(x.batched), shape)
    }

    /// The sum over an axis.
    pub fn sum(&mut self, x: &Node, axis: usize) -> Node {
        let (physical, shape) = Self::without(x, axis);
        self.make(SumReduce(physical), &[&x.view()], shape)
    }

    /// The maximum over an axis; NaN does not count.
    pub fn max(&mut self, x: &Node, axis: usize) -> Node {
        let (physical, shape) = Self::without(x, axis);
        self.make(MaxReduce(physical), &[&x.view()], shape)
    }

    /// A constant seen in the shape of `x`.
    fn constant_like(&mut self, x: &Node, value: f32) -> View {
        let view = self.constant(value).view();
        let view = x.shape.iter().enumerate().fold(view, |view, (axis, &size)| view.broadcast(axis, size));
        if x.batched { view.broadcast_batch() } else { view }
    }

    /// factor · x.
    pub fn scale(&mut self, x: &Node, factor: f32) -> Node {
        let factor = self.constant_like(x, factor);
        self.mul(x.view(), factor)
    }

    /// x + offset.
    pub fn offset(&mut self, x: &Node, offset: f32) -> Node {
        let offset = self.constant_like(x, offset);
        self.add(x.view(), offset)
    }

    /// Ones, without a batch.
    pub fn ones(&mut self, shape: &[usize]) -> Node {
        let like = Node { id: NodeIndex::default(), batched: false, shape: shape.to_vec() };
        let ones = self.constant_like(&like, 1.0);
        self.contiguous(ones)
    }

    /// These numbers as a vector, without a batch.
    pub fn numbers(&mut self, values: Vec<f32>) -> Node {
        let shape = vec![values.len()];
        // Luminal takes functions of one name for the same.
        let name = format!("Numbers{values:?}");
        self.make(Function(name, Box::new(move |_| vec![Tensor::new(values.clone())])), &[], shape)
    }

    /// What a function makes of a tensor with a batch.
    pub fn function(&mut self, function: Function, x: &Node, shape: &[usize]) -> Node {
        self.make(function, &[&x.view()], shape.to_vec())
    }

    /// The larger of two tensors of one shape, element by element; NaN loses.
    pub fn maximum(&mut self, a: &Node, b: &Node) -> Node {
        let column = [a.elements(), 1];
        let pairs = self.add(a.reshape(&column).view().pad(1, 0, 1), b.reshape(&column).view().pad(1, 1, 0));
        self.max(&pairs, 1).reshape(&a.shape)
    }

    /// 0 where x is a number, infinite ones included, and NaN where it is not: 0 / (1 + 2ˣ).
    pub fn nan_mark(&mut self, x: &Node) -> Node {
        let power = self.exp2(x);
        let above_one = self.offset(&power, 1.0);
        let below_one = self.recip(&above_one);
        self.scale(&below_one, 0.0)
    }

    /// x·Wᵀ for x seen as `[rows, inner]` and W of `[columns, inner]`.
    ///
    /// The form that Luminal's `BatchMatMul2DCompiler` turns into a matrix product; it ignores slices, so x has none.
    pub fn matmul(&mut self, x: View, w: &Node) -> Node {
        let (rows, columns, inner) = (x.node.shape[0], w.shape[0], w.shape[1]);
        debug_assert!(x.node.batched && x.node.shape[1] == inner);
        let x = x.broadcast(1, columns);
        let w = w.view().broadcast(0, rows).broadcast_batch();
        // Not counted as a tensor: the compiler never makes it.
        let products = self.apply(Mul, &[&x, &w], vec![rows, columns, inner]);
        self.sum(&products, 2)
    }
}
