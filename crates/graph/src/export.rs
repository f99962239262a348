//! A causality graph as text for Graphviz and Mermaid.

use crate::error::GraphError;
use crate::explain::{Edge, Explanation};
use crate::timeline::visible_text;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::str::FromStr;

/// Nodes beyond which a picture is cut: nobody reads more, and layout takes minutes.
pub const MOST_NODES: usize = 200;
/// Characters of a label.
const LABEL_LENGTH: usize = 80;

/// A language for graphs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GraphFormat {
    /// Graphviz DOT.
    Dot,
    /// Mermaid flowchart.
    Mermaid,
}

impl FromStr for GraphFormat {
    type Err = GraphError;

    fn from_str(text: &str) -> Result<Self, GraphError> {
        match text {
            "dot" => Ok(Self::Dot),
            "mermaid" => Ok(Self::Mermaid),
            other => Err(GraphError::Argument(format!("no graph format '{other}'; there are dot and mermaid"))),
        }
    }
}

/// Draws the page of an explanation with at most `most_nodes` nodes, causes first; says what was cut.
pub fn draw(explanation: &Explanation, format: GraphFormat, most_nodes: usize) -> String {
    let picture = Picture::of(explanation, most_nodes);
    match format {
        GraphFormat::Dot => picture.dot(),
        GraphFormat::Mermaid => picture.mermaid(),
    }
}

struct Picture<'a> {
    /// Node ids in order of first appearance; their place is their name.
    nodes: Vec<&'a str>,
    edges: Vec<(usize, usize, &'static str)>,
    labels: BTreeMap<String, String>,
    cut_nodes: usize,
    cut_edges: usize,
}

impl<'a> Picture<'a> {
    fn of(explanation: &'a Explanation, most_nodes: usize) -> Self {
        let beyond = explanation.query.edge_count.saturating_sub(explanation.causality_path.len() as u64);
        let mut picture = Self {
            nodes: Vec::new(),
            edges: Vec::new(),
            labels: labels(explanation),
            cut_nodes: 0,
            cut_edges: usize::try_from(beyond).unwrap_or(usize::MAX),
        };
        let mut places: HashMap<&str, Option<usize>> = HashMap::new();
        for edge in &explanation.causality_path {
            let [from, to] = ends(edge).map(|id| {
                *places.entry(id).or_insert_with(|| {
                    if picture.nodes.len() == most_nodes {
                        picture.cut_nodes += 1;
                        return None;
                    }
                    picture.nodes.push(id);
                    Some(picture.nodes.len() - 1)
                })
            });
            match (from, to) {
                (Some(from), Some(to)) => picture.edges.push((from, to, edge.edge_type.name())),
                _ => picture.cut_edges += 1,
            }
        }
        picture
    }

    fn label(&self, id: &str) -> String {
        let text = self.labels.get(id).map_or_else(|| id.to_owned(), |label| format!("{id}\n{label}"));
        let lines: Vec<String> = text.split('\n').map(|line| shortened(&visible_text(line))).collect();
        lines.join("\n")
    }

    fn cut(&self) -> Option<String> {
        let nodes = if self.cut_nodes > 0 { format!("{} nodes and ", self.cut_nodes) } else { String::new() };
        (self.cut_edges > 0).then(|| format!("{nodes}{} edges left out", self.cut_edges))
    }

    fn dot(&self) -> String {
        let mut out = String::from("digraph provenance {\n  rankdir=LR;\n  node [shape=box];\n");
        for (place, id) in self.nodes.iter().enumerate() {
            let _ = writeln!(out, "  n{place} [label=\"{}\"];", dot_text(&self.label(id)));
        }
        for (from, to, kind) in &self.edges {
            let _ = writeln!(out, "  n{from} -> n{to} [label=\"{kind}\"];");
        }
        if let Some(cut) = self.cut() {
            let _ = writeln!(out, "  cut [shape=note, label=\"{cut}\"];");
        }
        out.push_str("}\n");
        out
    }

    fn mermaid(&self) -> String {
        let mut out = String::from("flowchart LR\n");
        for (place, id) in self.nodes.iter().enumerate() {
            let _ = writeln!(out, "  n{place}[\"{}\"]", mermaid_text(&self.label(id)));
        }
        for (from, to, kind) in &self.edges {
            let _ = writeln!(out, "  n{from} -->|{kind}| n{to}");
        }
        if let Some(cut) = self.cut() {
            let _ = writeln!(out, "  cut[\"{cut}\"]");
        }
        out
    }
}

fn ends(edge: &Edge) -> [&str; 2] {
    [&edge.from_id, &edge.to_id]
}

/// What people call the nodes: commands of processes, sentences of facts.
fn labels(explanation: &Explanation) -> BTreeMap<String, String> {
    let processes = explanation.process_observations.iter().map(|seen| (seen.process_id.clone(), seen.command.clone()));
    let events = &explanation.runtime_events;
    let events = events.iter().map(|event| (format!("runtime_event/{}", event.id), event.summary.clone()));
    processes.chain(events).collect()
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LABEL_LENGTH {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LABEL_LENGTH - 1).collect();
    short.push('…');
    short
}

fn dot_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Mermaid reads HTML and its own `#name;` inside quotes.
fn mermaid_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("<br/>"),
            '#' | '"' | '<' | '>' | '&' | '`' | '\\' | '|' | '[' | ']' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_leave_their_quotes() {
        assert_eq!(dot_text("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
        assert_eq!(mermaid_text("x\"]\n<b>#"), "x#34;#93;<br/>#60;b#62;#35;");
    }
}
