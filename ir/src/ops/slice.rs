//! Some of the channels.

use crate::spec::spec;
use crate::window::single_input;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape, codes};

spec! {
    /// The channels from `start` to before `end`, as `x[:, start:end]` in PyTorch.
    ///
    /// `[C, …]` → `[end − start, …]`.
    SliceSpec {
        /// The first channel, from 0.
        start: usize,
        /// One past the last channel.
        end: usize,
        ;
    }
}

/// A position as written, negative ones counted from the end.
fn position(name: &'static str, value: i64, channels: usize) -> Result<usize, Fault> {
    let from_start = if value < 0 { value.saturating_add(channels as i64) } else { value };
    match usize::try_from(from_start) {
        Ok(position) if position <= channels => Ok(position),
        _ => {
            let message = format!("`{name}` is {value}, but there are {channels} channels");
            Err(Fault::new(&codes::BAD_ARGUMENT, message)
                .about(name)
                .advice(format!("use 0 to {channels}, or a negative number to count from the end")))
        }
    }
}

impl SliceSpec {
    fn from_call(args: &Args, inputs: &[&Shape]) -> Result<Op, Fault> {
        let channels = single_input("slice", inputs)?[0];
        let start = position("start", args.int_or("start", 0), channels)?;
        let end = position("end", args.int_or("end", channels as i64), channels)?;
        Ok(Self::new(start, end).into())
    }
}

impl OpSpec for SliceSpec {
    const NAME: &'static str = "Slice";
    const DEF: OpDef = OpDef {
        name: "slice",
        doc: "some of the channels",
        params: &[
            Param::required("start", Kind::Int, "the first channel; negative ones count from the end"),
            Param::optional("end", Kind::Int, "all", "one past the last channel"),
        ],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let shape = single_input("slice", inputs)?;
        let (start, end, channels) = (self.start, self.end, shape[0]);
        if start >= end || end > channels {
            let message = format!("channels {start} to {end} of {channels} are none");
            return Err(Fault::new(&codes::BAD_ARGUMENT, message)
                .about("end")
                .advice(format!("`end` is one past the last channel: more than {start}, at most {channels}")));
        }
        let mut sizes = shape.to_vec();
        sizes[0] = end - start;
        Shape::new(&sizes)
    }
}
