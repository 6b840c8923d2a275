//! Rectified linear unit with a trained slope.

use crate::spec::spec;
use crate::window::single_input;
use crate::{Args, Fault, Field, Fix, Kind, Op, OpDef, OpSpec, Param, Shape, TensorSpec, codes};

spec! {
    /// x where it is at least 0, w·x elsewhere, as `torch.nn.PReLU`: one weight w for all channels or one for each (He et
    /// al., "Delving Deep into Rectifiers", 2015).
    PreluSpec {
        ;
        /// Weights: 1, or as many as channels.
        num_parameters: usize = 1,
        /// What the weights are before training.
        init: f64 = 0.25,
    }
}

impl PreluSpec {
    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault> {
        let mut spec = Self::new();
        spec.num_parameters = args.size_or("num_parameters", spec.num_parameters)?;
        spec.init = args.float_or("init", spec.init);
        Ok(spec.into())
    }
}

impl OpSpec for PreluSpec {
    const NAME: &'static str = "Prelu";
    const DEF: OpDef = OpDef {
        name: "prelu",
        doc: "x, below 0 a trained weight · x",
        params: &[
            Param::optional("num_parameters", Kind::Size, "1", "weights: 1, or one per channel"),
            Param::optional("init", Kind::Float, "0.25", "what the weights are before training"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let shape = single_input("prelu", inputs)?;
        let channels = shape[0];
        if self.num_parameters != 1 && self.num_parameters != channels {
            let message = format!("{} weights for {channels} channels: use 1 or {channels}", self.num_parameters);
            return Err(Fault::new(&codes::BAD_ARGUMENT, message).about("num_parameters").fix(Fix::SetArgument {
                advice: "one weight for each channel".into(),
                name: "num_parameters",
                value: channels.to_string(),
            }));
        }
        Ok(shape.clone())
    }

    fn parameters(&self) -> Vec<TensorSpec> {
        vec![TensorSpec::new("weight", &[self.num_parameters])]
    }
}
