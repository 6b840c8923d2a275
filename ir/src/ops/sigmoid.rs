//! Logistic function.

super::activation! {
    /// 1 / (1 + e⁻ˣ) on every element.
    "Sigmoid" "sigmoid" SigmoidSpec, "1 / (1 + exp(-x))"
}
