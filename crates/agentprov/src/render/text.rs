//! Text that came from elsewhere, made fit for a terminal.

use agentprov_model::OsBytes;

/// The first `limit` characters, with an ellipsis in place of the rest.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// A path or argument without control characters, so that it can't steer the terminal.
pub(crate) fn visible(bytes: &OsBytes) -> String {
    agentprov_graph::timeline::visible(bytes)
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(cut("ähnlich", 7), "ähnlich");
        assert_eq!(cut("ähnliche", 7), "ähnlic…");
    }
}
