//! The shapes of requests and answers.

use serde_json::{Map, Value, json};

/// All, by name.
pub(crate) fn all() -> Value {
    let mut all = Map::new();
    let mut add = |name: &str, schema: Value| all.insert(name.to_owned(), schema);
    add("Object", json!({"type": "object"}));
    add("Text", json!({"type": "string"}));
    add("Health", object(json!({"status": {"const": "ok"}})));
    add(
        "Ready",
        object(json!({
            "status": {"const": "ready"}, "waiting": count(), "running": count(), "workers": count(),
        })),
    );
    add("Problem", problem());
    add("AnalysisRequest", request());
    add("ChangedLine", changed_line());
    let status = json!({"enum": ["received", "in_progress", "completed", "failed"]});
    add("Accepted", object(json!({"analysis_id": text(), "status": status, "status_url": text()})));
    add("Outcome", json!({"enum": ["allow", "warn", "block"]}));
    add("Reason", reason());
    add(
        "Analysis",
        object(json!({
            "analysis_id": text(), "status": status, "created_at": text(), "updated_at": text(), "attempts": count(),
            "findings_total": count(), "risk_summary": {"type": "object"}, "gaps": list(text()),
            "decision": {"type": ["object", "null"]}, "enrichment": {"type": ["object", "null"]},
            "error": nullable("string"),
        })),
    );
    add(
        "Decision",
        object(json!({
            "analysis_id": text(), "decision_id": text(), "decision": reference("Outcome"), "rationale": text(),
            "reasons": list(reference("Reason")), "decided_at": text(), "evidence_links": list(text()),
            "risk_summary": {"type": "object"}, "provenance_status": text(),
            "provenance_confidence": nullable("number"), "policy_version": text(),
        })),
    );
    let signature = object(json!({"keyid": text(), "sig": text()}));
    add(
        "SignedDecision",
        object(json!({
            "analysis_id": text(), "request_id": text(),
            "bundle": object(json!({
                "payloadType": {"const": "application/provenance.decision+json"}, "payload": text(),
                "payloadSha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "signatures": list(signature.clone()),
            })),
            "statement": object(json!({
                "payloadType": {"const": "application/vnd.in-toto+json"}, "payload": text(), "signatures": list(signature),
            })),
        })),
    );
    add(
        "Findings",
        object(json!({
            "analysis_id": text(), "total": count(), "findings": list(json!({"type": "object"})), "request_id": text(),
        })),
    );
    let decided = json!({"enum": ["open", "suppressed"]});
    let words = json!({"type": "string", "minLength": 1, "maxLength": 4096, "pattern": "\\S"});
    let day = json!({
        "type": ["string", "null"], "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$",
        "description": "The last day on which it holds.",
    });
    add(
        "FindingWord",
        json!({
            "type": "object", "required": ["status", "reason", "approver_identity"],
            "properties": {"status": decided, "reason": words, "approver_identity": words, "until": day},
        }),
    );
    add(
        "FindingStatus",
        object(json!({
            "finding_id": text(), "status": decided, "suppression": {"type": ["object", "null"]}, "request_id": text(),
        })),
    );
    add("Capabilities", object(json!({"capabilities": list(json!({"type": "object"})), "request_id": text()})));
    let key = object(json!({"keyid": text(), "name": text(), "vkey": text(), "pem": text()}));
    add("Keys", object(json!({"keys": list(key)})));
    let progress = || json!({"enabled": {"type": "boolean"}, "handed_over": count(), "problem": nullable("string")});
    let mut export = progress();
    export["webhook"] = object(progress());
    export["request_id"] = text();
    add("Export", object(export));
    add("Point", point());
    add(
        "Summary",
        object(json!({
            "result": object(json!({
                "metric": text(), "group_by": text(), "data": list(reference("Point")), "total": reference("Point"),
            })),
            "request_id": text(),
        })),
    );
    add(
        "Behavior",
        object(json!({
            "report": object(json!({
                "window_start": text(), "window_end": text(), "snapshots": list(json!({"type": "object"})),
            })),
            "request_id": text(),
        })),
    );
    for (name, member) in [("Alerts", "alerts"), ("Load", "load"), ("Failures", "failures"), ("Drifts", "drifts")] {
        let mut members = json!({"status": text(), "reason": nullable("string"), "request_id": text()});
        members[member] = list(json!({"type": "object"}));
        add(name, object(members));
    }
    Value::Object(all)
}

/// An object that has all of these members.
fn object(members: Value) -> Value {
    let names: Vec<String> = members.as_object().map(|members| members.keys().cloned().collect()).unwrap_or_default();
    json!({"type": "object", "properties": members, "required": names})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn nullable(kind: &str) -> Value {
    json!({"type": [kind, "null"]})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn problem() -> Value {
    let field = object(json!({"type": text(), "loc": {"type": "array"}, "msg": text()}));
    let detail = json!({"oneOf": [text(), list(field)]});
    object(json!({"type": text(), "title": text(), "status": count(), "detail": detail}))
}

fn reason() -> Value {
    let mut reason = object(json!({
        "code": text(), "outcome": reference("Outcome"), "count": count(), "message": text(), "evidence": list(text()),
    }));
    reason["properties"]["threshold"] = nullable("integer");
    reason["properties"]["toClear"] = nullable("string");
    reason
}

fn point() -> Value {
    object(json!({
        "metric": text(), "value": nullable("number"), "numerator": count(), "denominator": count(),
        "status": {"enum": ["measured", "not_measured"]}, "reason": nullable("string"), "sample_size": count(),
        "unit": nullable("string"), "category": nullable("string"), "severity": nullable("string"),
        "window_start": text(), "window_end": text(),
    }))
}

fn request() -> Value {
    json!({
        "type": "object",
        "required": ["repo", "pr_number", "base_sha", "head_sha"],
        "properties": {
            "repo": {"type": "string", "minLength": 1, "description": "`org/name`"},
            "pr_number": {"oneOf": [
                {"type": "string", "pattern": "^[0-9]+$"}, {"type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64},
            ]},
            "base_sha": text(),
            "head_sha": text(),
            "branch": nullable("string"),
            "provenance_data": {
                "type": "object",
                "properties": {
                    "metadata": {"type": "object"},
                    "changed_lines": {"type": "array", "maxItems": 200_000, "items": reference("ChangedLine")},
                },
            },
            "diff": {"type": ["string", "null"], "description": "A unified diff, instead of `changed_lines`."},
            "evidence": {
                "type": "array", "maxItems": 100, "items": text(),
                "description": "Files of `attribution export`, each as it was written.",
            },
        },
    })
}

fn changed_line() -> Value {
    let path = "^(?!\\.{1,2}(?:/|$))[^/\\u0000]+(?:/(?!\\.{1,2}(?:/|$))[^/\\u0000]+)*$";
    let attribution = json!({
        "type": "object",
        "required": ["agent_id"],
        "properties": {
            "agent_id": {"type": "string", "maxLength": 256, "description": "Empty where nobody is named."},
            "agent_version": nullable("string"),
            "agent_session_id": nullable("string"),
            "commit_sha": nullable("string"),
            "provenance_marker": nullable("string"),
        },
    });
    json!({
        "type": "object",
        "required": ["file_path", "line_number", "change_type", "attribution"],
        "properties": {
            "file_path": {"type": "string", "pattern": path, "maxLength": 4096},
            "line_number": {"type": "integer", "minimum": 0, "maximum": 2_000_000, "description": "0 speaks of the file as a whole."},
            "change_type": {"enum": ["added", "modified", "deleted"]},
            "language": nullable("string"),
            "content": {
                "type": ["string", "null"], "maxLength": 65536, "not": {"type": "string", "pattern": "\\n"},
                "description": "The line without its end.",
            },
            "timestamp": {"type": ["string", "number", "null"]},
            "author_identity": nullable("string"),
            "attribution": attribution,
            "content_sha256": {
                "type": ["string", "null"], "pattern": "^([0-9A-Fa-f]{64})?$",
                "description": "Has to be that of `content`, where both are there.",
            },
            "attestation_signature": nullable("string"),
        },
        // A signature is over a hash: that of the content, or the one that is posted.
        "anyOf": [
            {"properties": {"attestation_signature": {"maxLength": 0}}},
            {"required": ["content"], "properties": {"content": {"type": "string", "minLength": 1}}},
            {"required": ["content_sha256"], "properties": {"content_sha256": {"type": "string", "minLength": 64}}},
        ],
    })
}
