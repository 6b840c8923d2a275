//! Names and numbers as tables and pictures show them.

/// The name of a class; its number, where there is none.
pub(crate) fn class_name(names: &[String], class: usize) -> String {
    names.get(class).cloned().unwrap_or_else(|| class.to_string())
}

/// As many characters as there is room for; the last is an ellipsis, when there are more. Line ends and tabs become blanks.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let mut characters: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most + 1).collect();
    if characters.len() > most {
        characters.truncate(most.saturating_sub(1));
        characters.push('…');
    }
    characters.into_iter().collect()
}

/// A count with blanks between the groups of three digits: `60 000`.
pub(crate) fn grouped(count: u64) -> String {
    cnn_ir::group_digits(count.into(), " ")
}
