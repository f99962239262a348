//! Reading mappings strictly: every key is known, none comes twice, every value is of its kind.

use crate::diagnostic::{Place, Report, did_you_mean};
use crate::yaml::{Kind, Node};

/// The fields of a mapping.
pub(super) struct Fields<'n> {
    pub(super) place: Place,
    entries: Vec<(&'n str, Place, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// `None`, with a mistake reported, where the node is no mapping.
    pub(super) fn of(node: &'n Node, what: &str, known: &[&str], report: &mut Report) -> Option<Self> {
        let Kind::Map(pairs) = &node.kind else {
            report.error(node.place, format!("{what} must be a mapping, this is {}", node.describe()), None);
            return None;
        };
        let mut entries: Vec<(&str, Place, &Node)> = Vec::new();
        for (key, value) in pairs {
            let Kind::Scalar { text, .. } = &key.kind else {
                report.error(key.place, "a key must be a single word", None);
                continue;
            };
            if !known.contains(&text.as_str()) {
                let message = format!("unknown key '{text}' in {what}");
                report.error(key.place, message, Some(did_you_mean(text, known)));
            } else if entries.iter().any(|(name, ..)| name == text) {
                report.error(key.place, format!("'{text}' is given twice"), Some("keep one of them".into()));
            } else {
                entries.push((text, key.place, value));
            }
        }
        Some(Self { place: node.place, entries })
    }

    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, ..)| *name == key).map(|(_, _, node)| *node).filter(|node| !node.is_null())
    }

    pub(super) fn text(&self, key: &str, report: &mut Report) -> Option<String> {
        text(self.get(key)?, key, report).map(str::to_owned)
    }

    pub(super) fn flag(&self, key: &str, report: &mut Report) -> Option<bool> {
        let node = self.get(key)?;
        match text(node, key, report)? {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                report.error(node.place, format!("'{key}' must be true or false, not '{other}'"), None);
                None
            }
        }
    }

    /// One value or a list of them.
    pub(super) fn texts(&self, key: &str, report: &mut Report) -> Vec<(&'n str, Place)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let items = match &node.kind {
            Kind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if items.is_empty() {
            let help = "leave the key out, or name a value".to_owned();
            report.error(node.place, format!("'{key}' is an empty list, which nothing can match"), Some(help));
        }
        let mut texts = Vec::new();
        for item in items {
            match text(item, key, report) {
                Some("") => report.error(item.place, format!("an empty text in '{key}' matches everything"), None),
                Some(text) => texts.push((text, item.place)),
                None => {}
            }
        }
        texts
    }

    /// One value or a list of them, each read by `read`.
    pub(super) fn each<T>(
        &self,
        key: &str,
        report: &mut Report,
        read: impl Fn(&str) -> Option<T>,
        expected: &str,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for (text, place) in self.texts(key, report) {
            match read(text) {
                Some(value) => values.push(value),
                None => report.error(place, format!("'{text}' in '{key}' is not {expected}"), None),
            }
        }
        values
    }

    /// One value or a list of them, each one of the known words.
    pub(super) fn words<T>(
        &self,
        key: &str,
        report: &mut Report,
        read: impl Fn(&str) -> Option<T>,
        known: &[&str],
    ) -> Vec<T> {
        let mut values = Vec::new();
        for (text, place) in self.texts(key, report) {
            match read(text) {
                Some(value) => values.push(value),
                None => {
                    report.error(place, format!("'{text}' is no value of '{key}'"), Some(did_you_mean(text, known)))
                }
            }
        }
        values
    }

    /// The items of a list, or the node for itself.
    pub(super) fn nodes(&self, key: &str) -> &'n [Node] {
        match self.get(key) {
            Some(Node { kind: Kind::List(items), .. }) => items,
            Some(node) => std::slice::from_ref(node),
            None => &[],
        }
    }
}

fn text<'n>(node: &'n Node, key: &str, report: &mut Report) -> Option<&'n str> {
    match &node.kind {
        Kind::Scalar { text, .. } => Some(text),
        _ => {
            report.error(node.place, format!("'{key}' must be a single value, this is {}", node.describe()), None);
            None
        }
    }
}
