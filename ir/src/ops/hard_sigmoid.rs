//! Sigmoid of straight lines.

super::activation! {
    /// min(max(0, x + 3), 6) / 6 on every element, as `torch.nn.Hardsigmoid`.
    "HardSigmoid" "hard_sigmoid" HardSigmoidSpec, "min(max(0, x + 3), 6) / 6"
}
