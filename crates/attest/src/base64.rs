//! Base64 as DSSE has it: read in either alphabet, written in the standard one.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD};

/// Reads standard or URL-safe base64, with or without padding.
///
/// `None` for a mix of both alphabets, blanks, padding in the wrong place and tail bits that are not zero: a payload
/// has one spelling in each alphabet.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let url_safe = text.bytes().any(|byte| matches!(byte, b'-' | b'_'));
    let padded = text.ends_with('=');
    let encoding = match (url_safe, padded) {
        (false, true) => BASE64,
        (false, false) => BASE64_NOPAD,
        (true, true) => BASE64URL,
        (true, false) => BASE64URL_NOPAD,
    };
    encoding.decode(text.as_bytes()).ok()
}

/// Writes standard base64 with padding.
pub fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_are_read() {
        assert_eq!(decode("-_8="), Some(vec![0xfb, 0xff]));
        assert_eq!(decode("+/8="), Some(vec![0xfb, 0xff]));
        assert_eq!(decode("+/8"), Some(vec![0xfb, 0xff]));
        assert_eq!(decode(""), Some(vec![]));
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["-/8=", "+/9=", "+/8==", "+/8=\n", " +/8=", "A", "A===", "=", "+/8=AAAA"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
