//! Swish of straight lines.

super::activation! {
    /// x · min(max(0, x + 3), 6) / 6 on every element, as `torch.nn.Hardswish` (Howard et al., "Searching for
    /// MobileNetV3", 2019).
    "HardSwish" "hard_swish" HardSwishSpec, "x · min(max(0, x + 3), 6) / 6"
}
