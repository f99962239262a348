//! Application context inside raw rows: found, named, never believed.

use super::json::Json;

/// Keys that name application context.
pub const CONTEXT_KEYS: [&str; 8] =
    ["run_id", "rollout_id", "attempt_id", "session_id", "tool_call_id", "process_id", "snapshot_id", "correlation"];

/// Places that one row result names at most.
const MAX_PLACES: usize = 32;

/// Where in the value such keys stand, at any depth, as `a.b[2].run_id`.
pub fn find_context(value: &Json<'_>) -> Vec<String> {
    let mut found = Vec::new();
    walk(value, None, &mut found);
    found
}

/// A step on the way to a value, and those before it. The way is written out only where something is found at its end.
struct Place<'p> {
    step: Step<'p>,
    before: Option<&'p Place<'p>>,
}

enum Step<'p> {
    Member(&'p str),
    Item(usize),
}

impl Place<'_> {
    fn write_to(&self, text: &mut String) {
        if let Some(before) = self.before {
            before.write_to(text);
        }
        match self.step {
            Step::Member(key) => {
                if self.before.is_some() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Step::Item(index) => text.push_str(&format!("[{index}]")),
        }
    }
}

/// Depth is bounded by the parser.
fn walk(value: &Json<'_>, before: Option<&Place<'_>>, found: &mut Vec<String>) {
    if found.len() >= MAX_PLACES {
        return;
    }
    match value {
        Json::Object(members) => {
            for (key, member) in members.iter() {
                let place = Place { step: Step::Member(key), before };
                if CONTEXT_KEYS.contains(&key.as_ref()) && found.len() < MAX_PLACES {
                    let mut text = String::new();
                    place.write_to(&mut text);
                    found.push(text);
                }
                walk(member, Some(&place), found);
            }
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, Some(&Place { step: Step::Item(index), before }), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_is_found_at_any_depth() {
        let row = r#"{"run_id":"r","x":[1,{"y":{"tool_call_id":"t","correlation":{"run_id":1}}}],"runid":2}"#;
        let places = find_context(&Json::parse(row).expect("it parses"));
        assert_eq!(places, ["run_id", "x[1].y.tool_call_id", "x[1].y.correlation", "x[1].y.correlation.run_id"]);
    }
}
