//! Finding whole words in lines.

/// Whether `text` has `word` with no letter, digit or underscore at either side.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::has_word;

    #[test]
    fn parts_of_longer_words_do_not_count() {
        assert!(has_word("x = unsafe {", "unsafe"));
        assert!(has_word("unsafer unsafe", "unsafe"));
        assert!(!has_word("deny(unsafe_code)", "unsafe"));
        assert!(!has_word("", "unsafe"));
    }
}
