//! Rectified linear unit that is cut off at 6.

super::activation! {
    /// min(max(0, x), 6) on every element, as `torch.nn.ReLU6`; NaN stays NaN.
    "Relu6" "relu6" Relu6Spec, "min(max(0, x), 6)"
}
