//! "Did you mean": the nearest of the names that would be right.

/// Names longer than this are not compared.
const MAX_NAME: usize = 64;

/// The candidate most like `name`, if one is like it: spelled nearly so, the same but for case, underscores and a `2d`, or
/// one of its parts (`kernel` for `kernel_size`).
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_NAME {
        return None;
    }
    let plain = plain(name);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance = if plain == self::plain(candidate) {
            0
        } else if candidate.len() > 2 && name.split('_').any(|part| part == candidate) {
            1
        } else {
            strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase())
        };
        let limit = (name.chars().count().max(candidate.len()) / 3).max(1);
        // Two names of one letter have nothing in common.
        let is_like = distance <= limit && distance < name.chars().count();
        if is_like && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The keywords that begin a statement; `if` is too short to be told from a name.
const STATEMENTS: &[&str] = &["assert", "else", "for", "input", "output", "repeat", "share", "train_only", "train"];

/// The keyword that a word at the beginning of a statement is like.
pub(crate) fn keyword(word: &str) -> Option<&'static str> {
    match word {
        "elif" | "elsif" | "elseif" => Some("else if"),
        _ => nearest(word, STATEMENTS.iter().copied()),
    }
}

/// A name without what spellings differ in: `MaxPool2d` → `maxpool`.
pub(crate) fn plain(name: &str) -> String {
    let name = name.to_lowercase().replace('_', "");
    let bare = ["1d", "2d", "3d"].iter().find_map(|axes| name.strip_suffix(axes));
    bare.map(str::to_owned).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_the_name_that_was_meant() {
        let ops = ["conv", "dense", "max_pool", "avg_pool", "relu", "softmax"];
        for (name, meant) in
            [("conf", "conv"), ("MaxPool2d", "max_pool"), ("Conv2d", "conv"), ("conv1d", "conv"), ("rleu", "relu")]
        {
            assert_eq!(nearest(name, ops), Some(meant));
        }
        assert_eq!(nearest("kernel_size", ["channels", "kernel", "stride"]), Some("kernel"));
        assert_eq!(nearest("transformer", ops), None);
        assert_eq!(nearest("x", ops), None);
        assert_eq!(nearest(&"conv".repeat(1000), ops), None);
    }
}
