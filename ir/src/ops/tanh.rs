//! Hyperbolic tangent.

super::activation! {
    /// tanh x on every element.
    "Tanh" "tanh" TanhSpec, "the hyperbolic tangent"
}
