//! The decimal numbers of the C2SP text formats: ASCII digits, no sign, no leading zeros.

/// Reads a number that has exactly one spelling; `None` for any other text or one over u64.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    // `str::parse` alone would take a plus sign and leading zeros.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_decimal;

    #[test]
    fn one_spelling() {
        assert_eq!(parse_decimal("0"), Some(0));
        assert_eq!(parse_decimal("18446744073709551615"), Some(u64::MAX));
        for bad in ["", "+1", "-1", "01", "00", " 1", "1 ", "1\n", "١", "18446744073709551616"] {
            assert_eq!(parse_decimal(bad), None, "{bad:?}");
        }
    }
}
