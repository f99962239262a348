//! Tool descriptions of a server, remembered from one connection to the next.

use agentprov_model::OsBytes;
use agentprov_model::mcp::{PinnedTool, ToolChange};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// File in the data dir: one line for each change of what a server describes; the last one of a server counts.
pub const PINS_FILE: &str = "mcp.pins";

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    server: String,
    tools: BTreeMap<String, String>,
}

/// What is remembered of one server, known by its name and command.
pub struct Pins {
    path: PathBuf,
    server: String,
    /// Hash of the description, by tool; None where none was pinned yet.
    tools: Option<BTreeMap<String, String>>,
    /// What the file says.
    saved: Option<BTreeMap<String, String>>,
}

impl Pins {
    /// What is remembered of a server with this name and command. A line that can't be read counts as none.
    pub fn open(data_dir: &Path, name: &str, command: &[OsBytes]) -> Self {
        let mut hash = Sha256::new();
        for part in std::iter::once(name.as_bytes()).chain(command.iter().map(OsBytes::as_bytes)) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let (path, server) = (data_dir.join(PINS_FILE), HEXLOWER.encode(&hash.finalize()));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().rev().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let tools = lines.into_iter().find(|line| line.server == server).map(|line| line.tools);
        Self { path, server, saved: tools.clone(), tools }
    }

    /// Takes what a server lists now. `complete` says that it is the whole list: only then is a tool gone.
    pub(super) fn compare(&mut self, listed: &[PinnedTool], complete: bool) -> Vec<ToolChange> {
        let now: BTreeMap<String, String> =
            listed.iter().map(|tool| (tool.name.clone(), tool.sha256.clone())).collect();
        let Some(before) = self.tools.take() else {
            self.tools = Some(now);
            return Vec::new();
        };
        let mut changes = Vec::new();
        for (name, hash) in &now {
            let was = before.get(name);
            if was != Some(hash) {
                changes.push(ToolChange { name: name.clone(), was: was.cloned(), now: Some(hash.clone()) });
            }
        }
        let mut kept = before;
        if complete {
            let gone = kept.iter().filter(|(name, _)| !now.contains_key(*name));
            changes.extend(gone.map(|(name, was)| ToolChange {
                name: name.clone(),
                was: Some(was.clone()),
                now: None,
            }));
            kept.clear();
        }
        kept.extend(now);
        self.tools = Some(kept);
        changes
    }

    /// Remembers what was listed, where that is something new.
    ///
    /// # Errors
    /// What the file system says; then the next connection compares with what was remembered before.
    pub(super) fn save(&mut self) -> std::io::Result<()> {
        let Some(tools) = self.tools.as_ref().filter(|tools| self.saved.as_ref() != Some(tools)) else { return Ok(()) };
        let mut line = b"\n".to_vec();
        // A line of its own, whatever a writer that was killed left before it.
        serde_json::to_writer(&mut line, &Line { server: self.server.clone(), tools: tools.clone() })?;
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
        file.write_all(&line)?;
        self.saved = self.tools.clone();
        Ok(())
    }
}

/// The tools in the result of `tools/list`.
pub(super) fn listed(result: &Value) -> Vec<PinnedTool> {
    let tools = result.get("tools").and_then(Value::as_array);
    let pin = |tool: &Value| {
        // Maps of serde_json are sorted: the order of the server's keys does not matter.
        let sha256 = HEXLOWER.encode(&Sha256::digest(tool.to_string().as_bytes()));
        Some(PinnedTool { name: tool.get("name")?.as_str()?.to_owned(), sha256 })
    };
    tools.into_iter().flatten().filter_map(pin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn new_changed_and_gone_tools_are_named_and_the_order_of_keys_is_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let command = [OsBytes::from("server")];
        let first = listed(&json!({"tools": [{"name": "a", "description": "x"}, {"name": "b"}]}));
        let mut pins = Pins::open(dir.path(), "s", &command);
        assert!(pins.compare(&first, true).is_empty(), "nothing was pinned");
        pins.save().expect("it can be saved");

        let mut pins = Pins::open(dir.path(), "s", &command);
        let same: Value =
            serde_json::from_str(r#"{"tools":[{"description":"x","name":"a"},{"name":"b"}]}"#).expect("json");
        assert!(pins.compare(&listed(&same), true).is_empty());
        let page = listed(&json!({"tools": [{"name": "a", "description": "y"}, {"name": "c"}]}));
        let names = |changes: Vec<ToolChange>| -> Vec<(String, bool, bool)> {
            changes.into_iter().map(|change| (change.name, change.was.is_some(), change.now.is_some())).collect()
        };
        let changed = ("a".to_owned(), true, true);
        let new = ("c".to_owned(), false, true);
        assert_eq!(names(pins.compare(&page, false)), [changed, new], "a page says nothing of others");
        assert_eq!(names(pins.compare(&page, true)), [("b".to_owned(), true, false)]);
        assert!(Pins::open(dir.path(), "other", &command).tools.is_none(), "another server has pins of its own");
    }
}
