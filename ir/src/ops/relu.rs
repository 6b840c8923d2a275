//! Rectified linear unit.

super::activation! {
    /// max(0, x) on every element; NaN stays NaN.
    "Relu" "relu" ReluSpec, "max(0, x)"
}
