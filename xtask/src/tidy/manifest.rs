//! The few facts of a `Cargo.toml` that the rules need, with their line numbers.

/// A `key = value` line and the table that it stands in.
pub(crate) struct Entry<'a> {
    pub(crate) table: &'a str,
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
    pub(crate) line: usize,
}

/// Every one-line entry; continued lines of arrays carry no key and are passed over.
pub(crate) fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut table = "";
    let mut found = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let line = raw.trim();
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_start_matches('[').split(']').next().unwrap_or_default().trim();
        } else if let Some((key, value)) = line.split_once('=')
            && !line.starts_with('#')
        {
            found.push(Entry { table, key: key.trim(), value: value.trim(), line: index + 1 });
        }
    }
    found
}

/// Packages that the manifest depends on, for any purpose, each with its line.
pub(crate) fn dependencies(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let header = raw.trim();
        if let Some(table) = header.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
            && let Some((parent, name)) = table.rsplit_once('.')
            && is_dependency_table(parent)
        {
            found.push((unquoted(name), index + 1));
        }
    }
    for entry in entries(text).iter().filter(|entry| is_dependency_table(entry.table)) {
        let name = entry.key.split('.').next().unwrap_or(entry.key);
        found.push((renamed(entry.value).unwrap_or_else(|| unquoted(name)), entry.line));
    }
    found.sort_by_key(|(_, line)| *line);
    found
}

fn is_dependency_table(table: &str) -> bool {
    let kind = table.rsplit('.').next().unwrap_or(table);
    matches!(kind, "dependencies" | "dev-dependencies" | "build-dependencies") && !table.starts_with("workspace.")
}

/// The true package of `alias = { package = "name", .. }`.
fn renamed(value: &str) -> Option<String> {
    let (_, after) = value.split_once("package")?;
    let quoted = after.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?;
    quoted.split('"').next().map(str::to_owned)
}

fn unquoted(name: &str) -> String {
    name.trim().trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_dependency_is_read() {
        let text = r#"
[package]
name = "agentprov-graph"

[dependencies]
# agentprov-hidden = "1"
agentprov-log.workspace = true
short = { package = "agentprov-store", path = "../store" }

[target.'cfg(unix)'.dev-dependencies]
agentprov-model = { path = "../model" }

[build-dependencies.agentprov-capture]
path = "../capture"
"#;
        let names: Vec<String> = dependencies(text).into_iter().map(|(name, _)| name).collect();
        let expected = ["agentprov-log", "agentprov-store", "agentprov-model", "agentprov-capture"];
        assert_eq!(names, expected);
    }

    #[test]
    fn the_workspace_table_of_versions_is_not_a_dependency() {
        assert_eq!(dependencies("[workspace.dependencies]\nserde = \"1\"\n"), []);
    }
}
