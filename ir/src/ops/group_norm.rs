//! Normalisation of groups of channels.

use super::{check_eps, nearest_divisor};
use crate::spec::spec;
use crate::window::single_input;
use crate::{Args, Fault, Field, Fix, Kind, Op, OpDef, OpSpec, Param, Shape, TensorSpec, codes};

spec! {
    /// (x − μ) / √(σ² + ε) · γ + β, with the mean μ and the biased variance σ² of each group of channels of one example,
    /// as `torch.nn.GroupNorm` (Wu and He, "Group Normalization", 2018).
    ///
    /// `[C, …]` → the same.
    GroupNormSpec {
        /// Groups; they divide the channels.
        num_groups: usize,
        /// Channels.
        num_channels: usize,
        ;
        /// ε, at least 0.
        eps: f64 = 1e-5,
        /// Whether there are a `weight` γ and a `bias` β, one of each per channel.
        affine: bool = true,
    }
}

impl GroupNormSpec {
    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let mut spec = Self::new(args.size("groups")?, single_input("group_norm", inputs)?[0]);
        spec.eps = args.float_or("eps", spec.eps);
        spec.affine = args.bool_or("affine", spec.affine);
        Ok(spec.into())
    }
}

impl OpSpec for GroupNormSpec {
    const NAME: &'static str = "GroupNorm";
    const ALIASES: &'static [&'static str] = &["groupnormalization"];
    const DEF: OpDef = OpDef {
        name: "group_norm",
        doc: "normalisation of groups of channels",
        params: &[
            Param::required("groups", Kind::Size, "groups of channels; they divide the channels"),
            Param::optional("eps", Kind::Float, "1e-5", "added to the variance"),
            Param::optional("affine", Kind::Bool, "true", "scale and shift each channel"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let shape = single_input("group_norm", inputs)?;
        check_eps(self.eps)?;
        let (groups, channels) = (self.num_groups, self.num_channels);
        if shape[0] != channels {
            let message = format!("made for {channels} channels, given {}", shape[0]);
            return Err(Fault::new(&codes::SHAPE_MISMATCH, message));
        }
        match channels.checked_rem(groups) {
            Some(0) => Ok(shape.clone()),
            rest => {
                let message = format!("{groups} groups do not divide {channels} channels");
                let mut fix = nearest_divisor("groups", groups, channels, channels);
                if let Fix::SetArgument { advice, value, .. } = &mut fix {
                    *advice = format!("the nearest that divides them is {value}");
                }
                Err(Fault::new(&codes::GROUPS_MISMATCH, message)
                    .about("groups")
                    .figure(format!("{channels} mod {groups} = {}", rest.unwrap_or(channels)))
                    .fix(fix))
            }
        }
    }

    fn parameters(&self) -> Vec<TensorSpec> {
        let names: &[_] = if self.affine { &["weight", "bias"] } else { &[] };
        names.iter().map(|name| TensorSpec::new(name, &[self.num_channels])).collect()
    }
}
