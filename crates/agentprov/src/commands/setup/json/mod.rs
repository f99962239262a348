//! JSON settings edited in place: only the bytes of a change change, comments and layout stay.

mod edit;
mod layout;
mod parse;
mod value;

pub(super) use edit::{Editor, Insertions, Target, undo};
pub(super) use parse::{Node, SyntaxError, parse};
pub(super) use value::Json;
