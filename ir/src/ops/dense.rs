//! Fully connected layer.

use crate::spec::spec;
use crate::window::single_input;
use crate::{Args, Fault, Field, Fix, Kind, Op, OpDef, OpSpec, Param, Reach, Shape, TensorSpec, codes};

spec! {
    /// y = x·Wᵀ + b, as `torch.nn.Linear` on a vector.
    ///
    /// `[in_features]` → `[out_features]`.
    DenseSpec {
        /// Length of the input.
        in_features: usize,
        /// Length of the output.
        out_features: usize,
        ;
        /// Whether a bias is added.
        bias: bool = true,
    }
}

fn vector(inputs: &[&Shape]) -> Result<usize, Fault> {
    let shape = single_input("dense", inputs)?;
    match **shape {
        [features] => Ok(features),
        _ => Err(Fault::new(&codes::BAD_RANK, format!("`dense` takes a vector, but the value here is {shape}"))
            .figure(format!("{shape} = {} elements", shape.elements()))
            .fix(Fix::InsertBefore { advice: "flatten the map first".into(), step: "flatten".into() })),
    }
}

impl DenseSpec {
    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let mut spec = Self::new(vector(inputs)?, args.size("features")?);
        spec.bias = args.bool_or("bias", spec.bias);
        Ok(spec.into())
    }
}

impl OpSpec for DenseSpec {
    const NAME: &'static str = "Dense";
    const ALIASES: &'static [&'static str] = &["linear", "fc", "fullyconnected", "innerproduct"];
    const DEF: OpDef = OpDef {
        name: "dense",
        doc: "fully connected layer",
        params: &[
            Param::required("features", Kind::Size, "length of the output"),
            Param::optional("bias", Kind::Bool, "true", "add a bias"),
            Param::INIT,
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let features = vector(inputs)?;
        if features != self.in_features {
            return Err(Fault::new(
                &codes::SHAPE_MISMATCH,
                format!("made for {} input features, given {features}", self.in_features),
            ));
        }
        Shape::new(&[self.out_features, self.in_features])?;
        Shape::new(&[self.out_features])
    }

    fn reach(&self, _: &Shape, _: &Shape) -> Reach {
        Reach::Whole
    }

    fn parameters(&self) -> Vec<TensorSpec> {
        let mut tensors = vec![TensorSpec::new("weight", &[self.out_features, self.in_features])];
        if self.bias {
            tensors.push(TensorSpec::new("bias", &[self.out_features]));
        }
        tensors
    }

    fn macs(&self, _output: &Shape) -> u64 {
        (self.in_features as u64).saturating_mul(self.out_features as u64)
    }
}
