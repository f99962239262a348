//! Posting lists: ascending sequence numbers as delta-coded LEB128 varints.

use crate::error::StoreError;

/// Appends the varint of `value`.
fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Encodes ascending numbers; the first is coded as it is.
pub fn encode(seqs: &[u64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(seqs.len() * 2);
    let mut previous = 0;
    for &seq in seqs {
        push_varint(&mut out, seq - previous);
        previous = seq;
    }
    out
}

/// Decodes what [`encode`] made, appending to `out`.
///
/// # Errors
/// [`StoreError::Damaged`] when the bytes are no such list.
pub fn decode_into(bytes: &[u8], out: &mut Vec<u64>) -> Result<(), StoreError> {
    let damaged = || StoreError::Damaged("a posting list does not decode".into());
    let (mut value, mut shift, mut previous) = (0u64, 0u32, 0u64);
    for &byte in bytes {
        if shift > 63 {
            return Err(damaged());
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 != 0 {
            shift += 7;
            continue;
        }
        previous = previous.checked_add(value).ok_or_else(damaged)?;
        out.push(previous);
        (value, shift) = (0, 0);
    }
    if shift == 0 { Ok(()) } else { Err(damaged()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(mut seqs in proptest::collection::vec(0u64..1 << 40, 0..50)) {
            seqs.sort_unstable();
            let mut back = Vec::new();
            decode_into(&encode(&seqs), &mut back).expect("own encoding decodes");
            prop_assert_eq!(back, seqs);
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode_into(&bytes, &mut Vec::new());
        }
    }
}
