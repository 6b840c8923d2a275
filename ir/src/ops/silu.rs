//! Sigmoid linear unit, also known as swish.

super::activation! {
    /// x / (1 + e⁻ˣ) on every element, as `torch.nn.SiLU` (Ramachandran et al., "Searching for Activation Functions",
    /// 2017).
    "Silu" "silu" SiluSpec, "x / (1 + exp(-x))", aliases "swish"
}
