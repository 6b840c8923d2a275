//! The same elements in another shape.

use crate::window::single_input;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Reach, Shape, codes};

/// The same elements in another shape, as `x.reshape(N, …)` in PyTorch. The batch stays.
#[derive(Debug, Clone, PartialEq)]
pub struct ReshapeSpec {
    /// The shape of one example, with as many elements as the input.
    pub shape: Vec<usize>,
}

impl ReshapeSpec {
    /// A change to this shape, without the batch.
    pub fn new(shape: impl Into<Vec<usize>>) -> Self {
        Self { shape: shape.into() }
    }

    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let input = single_input("reshape", inputs)?;
        let written = args.sizes("shape")?;
        let refuse = |message: String| Fault::new(&codes::BAD_ARGUMENT, message).about("shape");
        if let Some(size) = written.iter().find(|&&size| size < -1 || size == 0) {
            return Err(refuse(format!("a size is at least 1, or −1 for what is left, not {size}")));
        }
        if written.iter().filter(|&&size| size == -1).count() > 1 {
            return Err(refuse("only one size can be −1, what is left".into()));
        }
        let sizes = || written.iter().filter(|&&size| size != -1);
        let known = sizes().try_fold(1usize, |n, &size| n.checked_mul(usize::try_from(size).ok()?));
        // What does not divide is refused by the shape rule, with its figures.
        let left = known.and_then(|known| input.elements().checked_div(known)).unwrap_or(1).max(1);
        Ok(Self::new(written.iter().map(|&size| usize::try_from(size).unwrap_or(left)).collect::<Vec<_>>()).into())
    }
}

impl OpSpec for ReshapeSpec {
    const NAME: &'static str = "Reshape";
    const ALIASES: &'static [&'static str] = &["unflatten", "view"];
    const DEF: OpDef = OpDef {
        name: "reshape",
        doc: "the same elements in another shape",
        params: &[Param::required("shape", Kind::Sizes, "the sizes without the batch; one may be -1, what is left")],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        let value = format!("{:?}", self.shape);
        vec![Field { name: "shape", value, ty: "Vec<usize>", required: true, default: false }]
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let input = single_input("reshape", inputs)?;
        let shape = Shape::new(&self.shape).map_err(|fault| fault.about("shape"))?;
        if shape.elements() != input.elements() {
            let message = format!("{input} cannot become {shape}: the elements are not as many");
            return Err(Fault::new(&codes::BAD_ARGUMENT, message)
                .about("shape")
                .figure(format!("{input} = {} elements", input.elements()))
                .figure(format!("{shape} = {} elements", shape.elements())));
        }
        Ok(shape)
    }

    fn reach(&self, input: &Shape, _: &Shape) -> Reach {
        if self.shape.ends_with(&input[1..]) { Reach::Point } else { Reach::Whole }
    }
}
