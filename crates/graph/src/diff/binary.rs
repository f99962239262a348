//! `GIT binary patch`: whole contents as base85 over zlib, as git's own `--binary` writes them.

/// A content larger than this is not put into a patch.
pub(super) const LIMIT: usize = 32 << 20;

const ALPHABET: &[u8; 85] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
/// Raw bytes in a full line.
const LINE: usize = 52;

/// True where git would call the content binary: a NUL among the first 8000 bytes.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    bytes.iter().take(8000).any(|byte| *byte == 0)
}

/// The forward and the reverse hunk.
pub(super) fn push_hunks(out: &mut Vec<u8>, before: &[u8], after: &[u8]) {
    out.extend_from_slice(b"GIT binary patch\n");
    for bytes in [after, before] {
        out.extend_from_slice(format!("literal {}\n", bytes.len()).as_bytes());
        for line in zlib_stored(bytes).chunks(LINE) {
            push_line(out, line);
        }
        out.push(b'\n');
    }
}

fn push_line(out: &mut Vec<u8>, line: &[u8]) {
    let length = line.len() as u8;
    out.push(if length <= 26 { b'A' + length - 1 } else { b'a' + length - 27 });
    for chunk in line.chunks(4) {
        let mut word = [0u8; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        let mut value = u32::from_be_bytes(word);
        let mut digits = [0u8; 5];
        for digit in digits.iter_mut().rev() {
            *digit = ALPHABET[(value % 85) as usize];
            value /= 85;
        }
        out.extend_from_slice(&digits);
    }
    out.push(b'\n');
}

/// A zlib stream (RFC 1950) of stored blocks: larger than a compressed one, and no compressor needed.
fn zlib_stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(usize::from(u16::MAX)).peekable();
    if blocks.peek().is_none() {
        out.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        out.push(u8::from(blocks.peek().is_none()));
        let length = block.len() as u16;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&adler32(bytes).to_be_bytes());
    out
}

fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut low, mut high) = (1u32, 0u32);
    // 5552 additions of 255 are the most that fit into 32 bits.
    for chunk in bytes.chunks(5552) {
        for byte in chunk {
            low += u32::from(*byte);
            high += low;
        }
        (low, high) = (low % MODULUS, high % MODULUS);
    }
    high << 16 | low
}
