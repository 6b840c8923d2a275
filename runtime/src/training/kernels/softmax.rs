//! Softmax and its logarithm along an axis, and their gradients. A column is one vector of each place of the axis.

use crate::engine::kernels::math;
use crate::engine::kernels::softmax::{log_softmax_columns_of, softmax_columns_of};
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::engine::threads::Shared;
use std::fmt;

/// Where the columns lie.
struct Columns {
    /// Places of the axis.
    n: usize,
    /// Columns side by side; a place's next is so many vectors behind.
    inner: usize,
    lanes: usize,
    log: bool,
}

impl Columns {
    fn new(dim: usize, log: bool, layer: &Layer<'_>) -> Self {
        let (before, after) = layer.input.split_at(dim.min(layer.input.len()));
        Self { n: before.last().copied().unwrap_or(1), inner: after.iter().product(), lanes: layer.isa.lanes(), log }
    }

    /// Elements from one place of the axis to the next.
    fn stride(&self) -> usize {
        self.inner * self.lanes
    }

    /// Where a column of all begins.
    fn start(&self, column: usize) -> usize {
        (column / self.inner * self.n * self.inner + column % self.inner) * self.lanes
    }

    /// Columns of a value with so many elements.
    fn count(&self, elements: usize) -> usize {
        elements / (self.n * self.lanes).max(1)
    }

    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }
}

/// The layer itself, in place.
pub(crate) struct Softmax {
    columns: Columns,
    code: unsafe fn(*mut f32, usize, usize),
}

impl Softmax {
    pub fn new(dim: usize, log: bool, layer: &Layer<'_>) -> Self {
        let code = if log { log_softmax_columns_of(layer.isa) } else { softmax_columns_of(layer.isa) };
        Self { columns: Columns::new(dim, log, layer), code }
    }
}

impl Kernel for Softmax {
    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, call: Call<'_>) {
        let columns = &self.columns;
        let (count, output) = (columns.count(call.output.len()), Shared::new(call.output));
        split(call.threads, count, 16 * columns.n * columns.lanes, |range| {
            for column in range {
                // SAFETY: each column is one task's alone; the instruction set was checked.
                unsafe { (self.code)(output.as_ptr().add(columns.start(column)), columns.n, columns.stride()) };
            }
        });
    }
}

impl fmt::Debug for Softmax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.columns.name())
    }
}

/// dx = y · (dy − Σ dy · y) of softmax's output y; dx = dy − eʸ · Σ dy of its logarithm's.
pub(crate) struct Gradient {
    columns: Columns,
    code: GradientFn,
}

impl Gradient {
    pub fn new(dim: usize, log: bool, layer: &Layer<'_>) -> Self {
        let code = if log { log_gradient_of(layer.isa) } else { gradient_of(layer.isa) };
        Self { columns: Columns::new(dim, log, layer), code }
    }
}

impl Kernel for Gradient {
    fn may_overwrite(&self) -> usize {
        1
    }

    fn run(&self, call: Call<'_>) {
        let (columns, input, values) = (&self.columns, call.input, call.others.get(0));
        let (count, output) = (columns.count(call.output.len()), Shared::new(call.output));
        split(call.threads, count, 8 * columns.n * columns.lanes, |range| {
            for column in range {
                let start = columns.start(column);
                // SAFETY: each column is one task's alone, and the gradient may lie in the output; the instruction set was
                // checked.
                unsafe {
                    let dx = output.as_ptr().add(start);
                    let dy = if input.is_empty() { dx.cast_const() } else { input[start..].as_ptr() };
                    (self.code)(dy, values[start..].as_ptr(), dx, columns.n, columns.stride());
                }
            }
        });
    }
}

impl fmt::Debug for Gradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} gradient", self.columns.name())
    }
}

type GradientFn = unsafe fn(*const f32, *const f32, *mut f32, usize, usize);

per_isa!(fn gradient_of(dy: *const f32, y: *const f32, dx: *mut f32, n: usize, stride: usize) = gradient_body);
per_isa!(fn log_gradient_of(dy: *const f32, y: *const f32, dx: *mut f32, n: usize, stride: usize) = log_gradient_body);

#[inline(always)]
unsafe fn gradient_body<S: Simd>(dy: *const f32, y: *const f32, dx: *mut f32, n: usize, stride: usize) {
    // SAFETY: a column has n vectors in each; the CPU has the instruction set.
    unsafe {
        let mut sum = S::splat(0.0);
        let mut i = 0;
        while i < n {
            sum = S::load(dy.add(i * stride)).mul_add(S::load(y.add(i * stride)), sum);
            i += 1;
        }
        let mut i = 0;
        while i < n {
            let rest = S::load(dy.add(i * stride)).sub(sum);
            S::load(y.add(i * stride)).mul(rest).store(dx.add(i * stride));
            i += 1;
        }
    }
}

#[inline(always)]
unsafe fn log_gradient_body<S: Simd>(dy: *const f32, y: *const f32, dx: *mut f32, n: usize, stride: usize) {
    // SAFETY: as above.
    unsafe {
        let mut sum = S::splat(0.0);
        let mut i = 0;
        while i < n {
            sum = sum.add(S::load(dy.add(i * stride)));
            i += 1;
        }
        let sum = S::splat(0.0).sub(sum);
        let mut i = 0;
        while i < n {
            let share = math::exp(S::load(y.add(i * stride)));
            share.mul_add(sum, S::load(dy.add(i * stride))).store(dx.add(i * stride));
            i += 1;
        }
    }
}
