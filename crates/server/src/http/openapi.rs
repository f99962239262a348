//! The description of the routes (OpenAPI 3.1), made from the table that the router is made from.

use crate::analytics::metric::METRICS;
use crate::http::problem;
use crate::http::routes::{Parameter, ROUTES, Route, Shape};
use crate::http::schemas;
use crate::settings::Prefix;
use serde_json::{Map, Value, json};

/// The title that clients of the existing service know.
const TITLE: &str = "Provenance & Risk Analytics";

/// Windows of 3660 days at most: of 87840 hours, 3660 days or 522 weeks.
const WINDOWS: &str = "^0*([0-9]{1,4}|[1-7][0-9]{4}|8[0-6][0-9]{3}|87[0-7][0-9]{2}|878[0-3][0-9]|87840)h$|\
^0*([0-9]{1,3}|[12][0-9]{3}|3[0-5][0-9]{2}|36[0-5][0-9]|3660)d$|^0*([0-9]{1,2}|[1-4][0-9]{2}|5[01][0-9]|52[0-2])w$";

/// The description as it is committed, and as it is served where its routes begin otherwise.
pub fn text(prefix: &Prefix) -> String {
    // A document of values has no way to fail to be written.
    let mut text = serde_json::to_string_pretty(&document(prefix)).unwrap_or_default();
    text.push('\n');
    text
}

/// The description.
pub fn document(prefix: &Prefix) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let entry = paths.entry(prefix.path(route.path)).or_insert_with(|| json!({}));
        entry[route.verb.as_str().to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Reviews of changes: who wrote each line, what is wrong with it, and what follows.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    if route.path.contains("{id}") {
        let schema = json!({"type": "string", "minLength": 1});
        parameters.push(json!({
            "name": "id", "in": "path", "required": true, "schema": schema, "description": "The analysis or finding.",
        }));
    }
    parameters.extend(route.query.iter().map(parameter));
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "responses": responses(route),
        "security": if route.open { json!([]) } else { json!([{"bearer": []}]) },
    });
    if route.repeatable {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            "description": "A name for this request. Sent again with the same change it gives the same analysis.",
        }));
    }
    if let Some(body) = route.body {
        let schema = json!({"$ref": format!("#/components/schemas/{body}")});
        operation["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": schema}}});
    }
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    operation
}

fn parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.shape {
        Shape::Text => json!({"type": "string"}),
        Shape::Window => json!({"type": "string", "pattern": WINDOWS, "example": "7d"}),
        Shape::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Shape::Signed => json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX}),
        Shape::Number => json!({"type": "number", "minimum": 0}),
        Shape::OneOf(words) => json!({"type": "string", "enum": words}),
        Shape::Metric => {
            let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
            json!({"type": "string", "anyOf": [
                {"enum": names}, {"pattern": "^classification_[a-z]+_count$"},
            ]})
        }
    };
    json!({
        "name": parameter.name, "in": "query", "required": false,
        "schema": schema, "description": parameter.meaning,
    })
}

fn responses(route: &Route) -> Value {
    let mut responses = Map::new();
    for (status, meaning) in route.statuses() {
        let (media, schema) = match status == route.answer.0 {
            true => (route.answer.1, route.answer.2),
            false => (problem::MEDIA_TYPE, "Problem"),
        };
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        let mut content = Map::new();
        content.insert(media.to_owned(), json!({"schema": schema}));
        responses.insert(status.to_string(), json!({"description": meaning, "content": content}));
    }
    Value::Object(responses)
}
