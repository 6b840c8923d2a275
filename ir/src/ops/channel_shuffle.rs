//! Channels of all groups in turn.

use crate::spec::spec;
use crate::window::single_input;
use crate::{Args, Fault, Field, Kind, Op, OpDef, OpSpec, Param, Shape};

spec! {
    /// The first channel of every group, then the second of every group, and so on, as `torch.nn.ChannelShuffle`
    /// (Zhang et al., "ShuffleNet", 2017): channel j·groups + i was channel i·(C/groups) + j.
    ///
    /// `[C, …]` → `[C, …]`.
    ChannelShuffleSpec {
        /// How many groups; they divide the channels.
        groups: usize,
        ;
    }
}

impl ChannelShuffleSpec {
    fn from_call(args: &Args, _inputs: &[&Shape]) -> Result<Op, Fault> {
        Ok(Self::new(args.size("groups")?).into())
    }
}

impl OpSpec for ChannelShuffleSpec {
    const NAME: &'static str = "ChannelShuffle";
    const DEF: OpDef = OpDef {
        name: "channel_shuffle",
        doc: "channels of all groups in turn",
        params: &[Param::required("groups", Kind::Size, "how many groups")],
        from_call: Self::from_call,
    };

    fn fields(&self) -> Vec<Field> {
        self.list_fields()
    }

    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
        let shape = single_input("channel_shuffle", inputs)?;
        super::check_groups(self.groups, shape[0], shape[0])?;
        Ok(shape.clone())
    }
}
