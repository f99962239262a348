//! YAML as a tree that remembers where each node stood.

use crate::diagnostic::{Place, Report};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

/// Nodes in one file, so that a file can't take all memory.
const MAX_NODES: usize = 200_000;
/// Depth of nesting.
const MAX_DEPTH: usize = 32;

/// A node and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Scalar {
        text: String,
        /// Not quoted: `true` and `80` may be more than text.
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The kind of node, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Scalar { .. } => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }
}

/// The documents of a text; mistakes go into the report.
pub(crate) fn documents(text: &str, report: &mut Report) -> Vec<Node> {
    let mut builder = Builder { open: Vec::new(), too_deep: 0, done: Vec::new(), nodes: 0, report };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.take(event, place(&span.start)),
            Err(error) => {
                let message = format!("this is not YAML: {}", error.info());
                builder.report.error(place(error.marker()), message, None);
                break;
            }
        }
        if builder.nodes >= MAX_NODES {
            break;
        }
    }
    builder.done
}

fn place(marker: &Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

struct Builder<'r> {
    /// Lists and maps that have not ended; a map keeps a key that waits for its value.
    open: Vec<(Node, Option<Node>)>,
    /// Lists and maps below the deepest allowed level; what is in them is left out.
    too_deep: usize,
    done: Vec<Node>,
    nodes: usize,
    report: &'r mut Report,
}

impl Builder<'_> {
    fn add(&mut self, node: Node) {
        let Some((parent, waiting)) = self.open.last_mut() else {
            self.done.push(node);
            return;
        };
        match &mut parent.kind {
            Kind::List(items) => items.push(node),
            Kind::Map(entries) => match waiting.take() {
                Some(key) => entries.push((key, node)),
                None => *waiting = Some(node),
            },
            Kind::Scalar { .. } => {}
        }
    }

    fn scalar(&mut self, at: Place, text: String, plain: bool) {
        if self.too_deep > 0 {
            return;
        }
        self.nodes += 1;
        if self.nodes == MAX_NODES {
            self.report.error(at, format!("the file has more than {MAX_NODES} nodes"), Some("split it".into()));
        }
        self.add(Node { place: at, kind: Kind::Scalar { text, plain } });
    }

    fn begin(&mut self, at: Place, kind: Kind) {
        if self.open.len() < MAX_DEPTH {
            self.nodes += 1;
            self.open.push((Node { place: at, kind }, None));
            return;
        }
        if self.too_deep == 0 {
            self.report.error(at, format!("nested deeper than {MAX_DEPTH} levels"), None);
            self.scalar(at, String::new(), true);
        }
        self.too_deep += 1;
    }

    fn end(&mut self) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
        } else if let Some((node, _)) = self.open.pop() {
            self.add(node);
        }
    }

    fn take(&mut self, event: Event<'_>, at: Place) {
        match event {
            Event::Scalar(text, style, ..) => self.scalar(at, text.into_owned(), style == ScalarStyle::Plain),
            Event::SequenceStart(..) => self.begin(at, Kind::List(Vec::new())),
            Event::MappingStart(..) => self.begin(at, Kind::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(_) => {
                self.report.error(at, "aliases are not supported in rule files", Some("write the value out".into()));
                self.scalar(at, String::new(), true);
            }
            _ => {}
        }
    }
}
