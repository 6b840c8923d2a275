//! The stable codes of everything that can be said about a `.cnn` file.
//!
//! A code is a name for scripts and an explanation for people. The codes of [`cnn_ir::codes`] are part of the list.

pub use cnn_ir::Code;
pub use cnn_ir::codes::{
    BAD_ARGUMENT, BAD_RANK, BAD_SHAPE, DUPLICATE_NAME, GROUPS_MISMATCH, INCOMPLETE_NETWORK, KERNEL_TOO_LARGE,
    NOT_SHARED, SHAPE_MISMATCH, TOO_LARGE, TRAIN_ONLY_VALUE,
};

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal;)*) => {
        $(
            $(#[doc = $doc])*
            pub static $name: Code = Code { name: $text, explanation: concat!($($doc, "\n"),*) };
        )*
        static OWN: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    /// What an `assert` says is false. The message gives the figures of both sides; change the network, or the assertion.
    ///
    /// `params`, `macs` and `memory` are of the whole model. `memory` is in bytes: parameters and buffers, and the values
    /// that are needed at once while one example runs, all in f32. `shape` and `receptive_field` are of the value at their
    /// place; the latter is the size of the part of the input that one element depends on, along the axis where it is
    /// smallest, padding included.
    ASSERTION_FAILED = "cnn::assertion_failed";

    /// A file that is used with `use "file.cnn"` cannot be: it cannot be read, or its path is not one within the project.
    /// Paths are written with `/`, from the folder of the file that uses them, and stay in the main file's folder.
    BAD_IMPORT = "cnn::bad_import";

    /// A name is one of the few that Rust cannot use even in raw form: `self`, `Self`, `super`, `crate` and `_`. The
    /// names of models, inputs, outputs and labels become names in the generated code. A model can also not have a name
    /// that the generated code uses itself, such as `Tensor` or `Weights`.
    BAD_NAME = "cnn::bad_name";

    /// A number is not one: digits followed by letters, an integer beyond 64 bits, or a float that is not finite.
    BAD_NUMBER = "cnn::bad_number";

    /// The three sizes of an input look like height, width and channels, as TensorFlow has them. Shapes are channels first
    /// here, as in PyTorch: a picture of 224×224 with three channels is `[3, 224, 224]`.
    CHANNELS_LAST = "cnn::channels_last";

    /// An integer divided by zero, or the remainder of a division by zero.
    DIVISION_BY_ZERO = "cnn::division_by_zero";

    /// One argument was given twice: by position and by name, or by name two times. Likewise a setting of `train { … }`,
    /// or its two settings for one thing, `epochs` and `steps`.
    DUPLICATE_ARGUMENT = "cnn::duplicate_argument";

    /// The source is larger than 4 MiB. No description of a network is; it is likely another kind of file.
    FILE_TOO_LARGE = "cnn::file_too_large";

    /// A budget such as `assert params < 130M` is about the model as a whole, so it stands in the model, outside of loops,
    /// groups and blocks. Assertions on `shape` are about the value at their place and may stand anywhere.
    MISPLACED_ASSERT = "cnn::misplaced_assert";

    /// Files use each other in a circle. Move what they share into a file of its own.
    IMPORT_CYCLE = "cnn::import_cycle";

    /// Inputs are the parameters of a model: they are declared before its first step. Blocks have no inputs; what comes
    /// into one is the value before its call.
    MISPLACED_INPUT = "cnn::misplaced_input";

    /// `train { … }` is the last part of a model: it stands within the model's braces, once, outside of loops, groups and
    /// blocks, and no step follows it.
    MISPLACED_TRAIN = "cnn::misplaced_train";

    /// Outputs belong to models. A block leaves one value, that of its last step; in the model, label the block's call and
    /// declare an output of that label.
    MISPLACED_OUTPUT = "cnn::misplaced_output";

    /// A layer, loss or schedule was called without an argument that it cannot do without.
    MISSING_ARGUMENT = "cnn::missing_argument";

    /// A parameter of a model has no default, and no value was given from outside. Give it a default, or a value:
    /// `--set classes=10`.
    MISSING_SETTING = "cnn::missing_setting";

    /// The file holds no model. A file describes one model or more: `model Name { … }`.
    NO_MODEL = "cnn::no_model";

    /// The file holds bytes that no text has: it is a picture, an archive, weights or a program.
    NOT_TEXT = "cnn::not_text";

    /// Sources are UTF-8. The file is in another encoding, or damaged; save it as UTF-8.
    NOT_UTF8 = "cnn::not_utf8";

    /// The result of a calculation does not fit in 64 bits, or is not finite.
    OVERFLOW = "cnn::overflow";

    /// A block calls itself, directly or through others, so its expansion would have no end. Write the repetition with
    /// `repeat` or `for`. Likewise, a preset is made of itself.
    RECURSION = "cnn::recursion";

    /// The text does not follow the grammar of the language.
    SYNTAX = "cnn::syntax";

    /// Brackets are nested more than 128 deep; or blocks, groups, branches and loops are, when they are expanded.
    TOO_DEEP = "cnn::too_deep";

    /// `add`, `concat` and `mul` join two branches or more. A branch without steps is the value as it is.
    TOO_FEW_BRANCHES = "cnn::too_few_branches";

    /// A layer, loss or optimizer was called with more positional arguments than it has parameters.
    TOO_MANY_ARGUMENTS = "cnn::too_many_arguments";

    /// There are so many errors that the rest is left out; most of them likely have one cause.
    TOO_MANY_ERRORS = "cnn::too_many_errors";

    /// A value has another type than is needed in its place: a float for an int, a list for a bool.
    TYPE_MISMATCH = "cnn::type_mismatch";

    /// A bracket is never closed, closed by another kind of bracket, or closed without being opened.
    UNBALANCED = "cnn::unbalanced";

    /// Steps that no setting can reach: their condition is always false, one before it is always true, or their loop has
    /// no rounds.
    UNREACHABLE = "cnn::unreachable";

    /// The layer, loss or optimizer has no parameter of this name.
    UNKNOWN_ARGUMENT = "cnn::unknown_argument";

    /// There is no layer of this name.
    UNKNOWN_LAYER = "cnn::unknown_layer";

    /// No parameter, or no label, of this name is known here. Labels and parameters must be declared before their use.
    UNKNOWN_NAME = "cnn::unknown_name";

    /// There is no loss, optimizer, schedule, initialiser or way of clipping of this name.
    UNKNOWN_RECIPE = "cnn::unknown_recipe";

    /// A setting names a parameter that no model of the file has.
    UNKNOWN_SETTING = "cnn::unknown_setting";

    /// `train { … }` has no setting of this name. `docs/language.md` lists them.
    UNKNOWN_TRAIN_SETTING = "cnn::unknown_train_setting";

    /// No model and no other block calls this block.
    UNUSED_BLOCK = "cnn::unused_block";

    /// A label that nothing refers to, of a join, of `identity` or of another value. Remove it, use it, or let it begin with
    /// `_`. Other labels name parameters, or rows of a table, and are never reported.
    UNUSED_LABEL = "cnn::unused_label";

    /// A layer does not contribute to any output, so it would be computed in vain.
    UNUSED_LAYER = "cnn::unused_layer";

    /// An input does not contribute to any output.
    UNUSED_INPUT = "cnn::unused_input";

    /// A parameter of a model or block is never used.
    UNUSED_PARAMETER = "cnn::unused_parameter";

    /// The variable of a loop is never used. `repeat n { … }` is a loop without one; one that is there for its place in a
    /// pattern has a name that begins with `_`.
    UNUSED_VARIABLE = "cnn::unused_variable";
}

/// Every code, in the order of their names.
pub fn all() -> Vec<&'static Code> {
    let mut codes: Vec<&Code> = OWN.iter().chain(cnn_ir::codes::ALL).copied().collect();
    codes.sort_by_key(|code| code.name);
    codes
}

/// The code of this name, with or without `cnn::`.
///
/// ```
/// assert!(cnn_dsl::codes::find("cnn::too_deep").is_some());
/// assert!(cnn_dsl::codes::find("too_deep").is_some());
/// ```
pub fn find(name: &str) -> Option<&'static Code> {
    all().into_iter().find(|code| code.name == name || code.name.strip_prefix("cnn::") == Some(name))
}
