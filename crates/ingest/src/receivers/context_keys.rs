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
    walk(value, &mut String::new(), &mut found);
    found
}

/// Depth is bounded by the parser.
fn walk(value: &Json<'_>, place: &mut String, found: &mut Vec<String>) {
    if found.len() >= MAX_PLACES {
        return;
    }
    let length = place.len();
    match value {
        Json::Object(members) => {
            for (key, member) in members.iter() {
                if !place.is_empty() {
                    place.push('.');
                }
                place.push_str(key);
                if CONTEXT_KEYS.contains(&key.as_ref()) && found.len() < MAX_PLACES {
                    found.push(place.clone());
                }
                walk(member, place, found);
                place.truncate(length);
            }
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if matches!(item, Json::Object(_) | Json::Array(_)) {
                    place.push_str(&format!("[{index}]"));
                    walk(item, place, found);
                    place.truncate(length);
                }
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
