//! Documents on standard output.

use crate::failure::Failure;
use serde::Serialize;
use std::io::{self, Write};

/// Pretty, two-space indent, one space after the colon.
pub(crate) fn json(document: &impl Serialize) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, document)?;
    writeln!(out)?;
    Ok(())
}
