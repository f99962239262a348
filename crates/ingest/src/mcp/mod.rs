//! An MCP server on stdio, recorded between agent and server.
//!
//! The relay passes bytes on as they come and only then looks at a copy of them. What it understood goes into the same
//! spool as the messages of hooks.

mod keep;
mod lines;
mod pins;
mod reader;
mod relay;

pub use keep::{KeepError, Keeper, Kept};
pub use pins::{PINS_FILE, Pins};
pub use reader::{Contents, Reader};
pub use relay::{Relayed, relay};
