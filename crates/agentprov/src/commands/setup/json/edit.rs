//! Changes of a JSON text: each puts in or takes out a few bytes.

use super::layout::{content_end, indent_of, newline, starts_line, step};
use super::parse::{Node, Shape, SyntaxError, ends_in_line_comment, parse, skip_blank};
use super::value::quoted;
use std::ops::Range;

/// Bytes that were put in: where, and how many. Later ones count in the text that earlier ones made.
pub(crate) type Insertions = Vec<(usize, usize)>;

/// A child of an object or list of the text as it is now.
pub(crate) struct Target {
    container: Range<usize>,
    children: Vec<Range<usize>>,
    index: usize,
}

impl Target {
    pub(crate) fn of(container: &Node, index: usize) -> Self {
        Self { container: container.span.clone(), children: container.children(), index }
    }
}

/// A JSON text under change. It parses before and after each change.
pub(crate) struct Editor {
    text: String,
    root: Node,
    insertions: Insertions,
}

impl Editor {
    /// Starts with a text whose root is an object. A text of blanks alone becomes an empty object.
    pub(crate) fn new(text: &str) -> Result<Self, SyntaxError> {
        let mut editor = Self { text: text.to_owned(), root: parse("{}")?, insertions: Vec::new() };
        if text.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n']).is_empty() {
            editor.put(text.len(), "{}\n")?;
        } else {
            editor.root = parse(text)?;
        }
        match editor.root.shape {
            Shape::Object(_) => Ok(editor),
            _ => Err(SyntaxError::at(text, editor.root.span.start, "settings are an object, this is something else")),
        }
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    /// The text, and what was put in since the start. What was put in undoes exactly only where nothing was taken out.
    pub(crate) fn finish(self) -> (String, Insertions) {
        (self.text, self.insertions)
    }

    /// The value under a path of keys, empty containers made where they are missing. `list` says what stands at its end.
    pub(crate) fn ensure(&mut self, path: &[&str], list: bool) -> Result<(), SyntaxError> {
        for depth in 0..path.len() {
            let wants_list = list && depth + 1 == path.len();
            let (wanted, empty) = if wants_list { ("a list", "[]") } else { ("an object", "{}") };
            let Some(node) = self.find(&path[..=depth]) else {
                self.add_member(&path[..depth], path[depth], empty)?;
                continue;
            };
            let fits = match node.shape {
                Shape::List(_) => wants_list,
                Shape::Object(_) => !wants_list,
                Shape::Text(_) | Shape::Plain(_) => false,
            };
            if !fits {
                let what = format!("'{}' is expected to be {wanted}", path[..=depth].join("."));
                return Err(SyntaxError::at(&self.text, node.span.start, what));
            }
        }
        Ok(())
    }

    /// Puts a member at the end of the object under a path.
    pub(crate) fn add_member(&mut self, path: &[&str], key: &str, value: &str) -> Result<(), SyntaxError> {
        self.add(path, &format!("{}: {value}", quoted(key)))
    }

    /// Puts an item at the end of the list under a path.
    pub(crate) fn add_item(&mut self, path: &[&str], value: &str) -> Result<(), SyntaxError> {
        self.add(path, value)
    }

    /// The node under a path of keys.
    pub(crate) fn find(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, key| node.get(key))
    }

    fn add(&mut self, path: &[&str], element: &str) -> Result<(), SyntaxError> {
        let Some(container) = self.find(path) else { return Ok(()) };
        let close = container.span.end - 1;
        let children = container.children();
        let Some(last) = children.last().cloned() else { return self.add_first(close, container.span.start, element) };
        let comma = skip_blank(&self.text, last.end);
        let trailing = self.text.as_bytes()[comma] == b',';
        let after_last = if trailing { comma + 1 } else { last.end };
        if !starts_line(&self.text, last.start) {
            let addition = if trailing { format!(" {element},") } else { format!(", {element}") };
            return self.put(after_last, &addition);
        }
        let line = format!("{}{}{element}", newline(&self.text), indent_of(&self.text, last.start));
        let end = content_end(&self.text, close);
        if trailing {
            return self.put(end, &format!("{line},"));
        }
        // The later place first: the text must parse after each step only as a whole.
        self.insert(end, &line);
        self.put(after_last, ",")
    }

    fn add_first(&mut self, close: usize, open: usize, element: &str) -> Result<(), SyntaxError> {
        let (line_end, outer) = (newline(&self.text), indent_of(&self.text, open).to_owned());
        let inner = format!("{outer}{}", step(&self.text, &self.root.children()));
        let end = content_end(&self.text, close);
        let closes_line = self.text[end..close].contains('\n');
        let tail = if closes_line { String::new() } else { format!("{line_end}{outer}") };
        self.put(end, &format!("{line_end}{inner}{element}{tail}"))
    }

    /// Takes out one child of a container.
    pub(crate) fn remove(&mut self, target: Target) -> Result<(), SyntaxError> {
        let Target { container, children, index } = target;
        self.remove_child(&container, &children, index)
    }

    fn remove_child(
        &mut self,
        container: &Range<usize>,
        children: &[Range<usize>],
        index: usize,
    ) -> Result<(), SyntaxError> {
        let child = children[index].clone();
        let gap = index.checked_sub(1).map_or(container.start + 1, |previous| children[previous].end)..child.start;
        let comma = skip_blank(&self.text, child.end);
        let followed = self.text.as_bytes()[comma] == b',';
        let end = if followed { comma + 1 } else { child.end };
        let from = self.removal_start(gap, end);
        let own_line = self.text[from..child.start].contains('\n');
        if followed {
            let (start, mut end) = if index == 0 && !own_line { (child.start, comma + 1) } else { (from, comma + 1) };
            if index == 0 && !own_line {
                end += self.text[end..].len() - self.text[end..].trim_start_matches([' ', '\t']).len();
            }
            self.take(start..end);
        } else {
            self.take(from..child.end);
            if let Some(before) = index.checked_sub(1).map(|previous| &children[previous]) {
                let comma = skip_blank(&self.text, before.end);
                self.take(comma..comma + 1);
            } else {
                self.close_up(container.start);
            }
        }
        self.root = parse(&self.text)?;
        Ok(())
    }

    /// Where a removal begins that is to take the blanks before an element too. The end of a line comment stays where
    /// something else would be drawn into the comment.
    fn removal_start(&self, gap: Range<usize>, end: usize) -> usize {
        let from = content_end(&self.text, gap.end);
        let line_ends = self.text[end..].trim_start_matches([' ', '\t', '\r']).starts_with('\n');
        if line_ends || !ends_in_line_comment(&self.text[gap.clone()]) {
            return from;
        }
        self.text[from..gap.end].find('\n').map_or(from, |newline| from + newline + 1)
    }

    /// Leaves nothing but the brackets of a container that holds only blanks.
    fn close_up(&mut self, open: usize) {
        let rest = &self.text[open + 1..];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        if rest[blanks..].starts_with(['}', ']']) {
            self.take(open + 1..open + 1 + blanks);
        }
    }

    fn take(&mut self, range: Range<usize>) {
        self.text.replace_range(range, "");
    }

    fn insert(&mut self, at: usize, addition: &str) {
        self.text.insert_str(at, addition);
        self.insertions.push((at, addition.len()));
    }

    fn put(&mut self, at: usize, addition: &str) -> Result<(), SyntaxError> {
        self.insert(at, addition);
        self.root = parse(&self.text)?;
        Ok(())
    }
}

/// Takes the insertions out again; None where they do not fit the text.
pub(crate) fn undo(text: &str, insertions: &[(usize, usize)]) -> Option<String> {
    let mut text = text.to_owned();
    for &(at, length) in insertions.iter().rev() {
        let end = at.checked_add(length)?;
        text.get(at..end)?;
        text.replace_range(at..end, "");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str) -> String {
        let mut editor = Editor::new(text).expect("it parses");
        editor.ensure(&["hooks", "Stop"], true).expect("lists can be made");
        editor.add_item(&["hooks", "Stop"], r#"{"ours": 1}"#).expect("an item can be added");
        let (after, insertions) = editor.finish();
        assert_eq!(undo(&after, &insertions).as_deref(), Some(text), "undone: {after}");
        after
    }

    fn removed(text: &str) -> String {
        let mut editor = Editor::new(text).expect("it parses");
        let list = editor.find(&["hooks", "Stop"]).expect("the list is there");
        let index = list.items().iter().position(|item| item.get("ours").is_some()).expect("ours is there");
        editor.remove(Target::of(list, index)).expect("an item can be removed");
        editor.finish().0
    }

    #[test]
    fn an_item_takes_the_layout_that_is_there() {
        assert_eq!(added("{}\n"), "{\n  \"hooks\": {\n    \"Stop\": [\n      {\"ours\": 1}\n    ]\n  }\n}\n");
        assert_eq!(added(""), added("{}\n"));
        assert_eq!(added("{\"a\":1}"), "{\"a\":1, \"hooks\": {\n  \"Stop\": [\n    {\"ours\": 1}\n  ]\n}}");
        assert_eq!(
            added("{\r\n\t\"hooks\": {\r\n\t\t\"Stop\": [\r\n\t\t\t{}, // theirs\r\n\t\t]\r\n\t}\r\n}"),
            "{\r\n\t\"hooks\": {\r\n\t\t\"Stop\": [\r\n\t\t\t{}, // theirs\r\n\t\t\t{\"ours\": 1},\r\n\t\t]\r\n\t}\r\n}"
        );
        assert_eq!(
            added("{\"hooks\": {\"Stop\": [\n  {} // theirs\n  /* end */ ]}}"),
            "{\"hooks\": {\"Stop\": [\n  {}, // theirs\n  /* end */\n  {\"ours\": 1} ]}}"
        );
        assert_eq!(added("{\"hooks\": {\"Stop\": [{}]}}"), "{\"hooks\": {\"Stop\": [{}, {\"ours\": 1}]}}");
    }

    #[test]
    fn removing_without_a_record_gives_the_text_back_where_lists_were_not_empty() {
        for text in [
            "{\"hooks\": {\"Stop\": [{}]}}",
            "{\n  \"hooks\": {\n    \"Stop\": [\n      {} // theirs\n    ]\n  }\n}\n",
            "{\r\n  \"hooks\": {\"Stop\": [\r\n    {}, // theirs\r\n    ]}}",
            "{\"hooks\": {\"Stop\": [ {}, ]}}",
        ] {
            assert_eq!(removed(&added(text)), text);
        }
        assert_eq!(removed("{\"hooks\": {\"Stop\": [{\"ours\": 1}, {}]}}"), "{\"hooks\": {\"Stop\": [{}]}}");
        assert_eq!(
            removed("{\"hooks\": {\"Stop\": [\n {\"ours\": 1},\n {}\n]}}"),
            "{\"hooks\": {\"Stop\": [\n {}\n]}}"
        );
        assert_eq!(removed("{\"hooks\": {\"Stop\": [\n {\"ours\": 1}\n]}}"), "{\"hooks\": {\"Stop\": []}}");
    }

    #[test]
    fn what_is_of_another_kind_is_refused_with_its_place() {
        let mut editor = Editor::new("{\n  \"hooks\": []\n}").expect("it parses");
        let error = editor.ensure(&["hooks", "Stop"], true).expect_err("a list holds no members");
        assert_eq!(error.to_string(), "2:12: 'hooks' is expected to be an object");
        assert!(Editor::new("[]").is_err());
    }
}
