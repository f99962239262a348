//! The bearer token: made at first start, kept where only its owner can read it.

use crate::error::ServerError;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Name of the token file in the data dir.
pub const TOKEN_FILE: &str = "daemon.token";

/// What a request has to show. Only its digest is kept in memory.
#[derive(Clone, Debug)]
pub struct Token {
    digest: [u8; 32],
}

impl Token {
    /// The token of that text.
    pub fn new(text: &str) -> Self {
        Self { digest: Sha256::digest(text).into() }
    }

    /// Whether the text is the token. Digests are compared, so that time tells nothing about the token.
    pub fn is(&self, text: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(text).into();
        digest.iter().zip(self.digest).fold(0, |differing, (one, other)| differing | (one ^ other)) == 0
    }
}

/// Reads the token of a data dir, making one where there is none. Gives the file too.
///
/// # Errors
/// [`ServerError::File`] when it can't be made or read, or when others may read it.
pub fn read_or_make(dir: &Path) -> Result<(Token, PathBuf), ServerError> {
    let path = dir.join(TOKEN_FILE);
    let refuse = |why: String| ServerError::File { path: path.clone(), why };
    if !path.exists() {
        make(&path).map_err(|error| refuse(error.to_string()))?;
    }
    let mode = std::fs::metadata(&path).map_err(|error| refuse(error.to_string()))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(refuse(format!("its mode is {mode:04o}, others may read it; remove it to get a new token")));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| refuse(error.to_string()))?;
    let text = text.trim();
    if text.len() < 32 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refuse("it holds no token of 32 visible characters or more; remove it to get a new one".into()));
    }
    Ok((Token::new(text), path))
}

fn make(path: &Path) -> std::io::Result<()> {
    let mut random = [0u8; 32];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", HEXLOWER.encode(&random))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (token, path) = read_or_make(dir.path()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(token.is(text.trim()) && !token.is(&text) && !token.is(""));
        assert!(read_or_make(dir.path()).unwrap().0.is(text.trim()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read_or_make(dir.path()).unwrap_err().to_string().contains("others may read it"));
        std::fs::remove_file(&path).unwrap();
        assert!(!read_or_make(dir.path()).unwrap().0.is(text.trim()));
    }
}
