//! The value as it is.

super::activation! {
    /// x on every element, as `torch.nn.Identity`: the empty branch of a residual block.
    "Identity" "identity" IdentitySpec, "the value as it is"
}
