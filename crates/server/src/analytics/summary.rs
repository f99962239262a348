//! One metric over a window, by key and in all.

use crate::analytics::metric::Metric;
use crate::analytics::selection::{Group, GroupBy, Selection};
use crate::analytics::window::Window;
use serde_json::{Value, json};

/// The part `result` of the answer. With `zeros`, what was not measured is 0, as the existing service has it.
pub fn summary(
    selection: &Selection,
    window: Window,
    name: &str,
    metric: Metric,
    by: (&str, GroupBy),
    zeros: bool,
) -> Value {
    let point = |key: Option<&str>, group: &Group| {
        let mut point = value(metric, group, zeros);
        point["metric"] = json!(name);
        point["unit"] = json!(metric.unit);
        point["sample_size"] = json!(group.analyses);
        point["window_start"] = json!(window.since.to_rfc3339());
        point["window_end"] = json!(window.now.to_rfc3339());
        point["category"] = Value::Null;
        point["severity"] = Value::Null;
        if let Some(key) = key {
            point[by.0] = json!(key);
        }
        point
    };
    let data: Vec<Value> = selection.groups(by.1).iter().map(|(key, group)| point(Some(key), group)).collect();
    json!({"metric": name, "group_by": by.0, "data": data, "total": point(None, &selection.total())})
}

fn value(metric: Metric, group: &Group, zeros: bool) -> Value {
    match metric.of(group) {
        Ok(ratio) => json!({
            "value": ratio.value(), "numerator": ratio.numerator, "denominator": ratio.denominator,
            "status": "measured", "reason": null,
        }),
        Err(why) => json!({
            "value": if zeros { json!(0.0) } else { Value::Null }, "numerator": 0, "denominator": 0,
            "status": "not_measured", "reason": why,
        }),
    }
}
