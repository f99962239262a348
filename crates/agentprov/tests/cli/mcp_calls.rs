//! Calls of MCP tools, held against what passed between agent and server.

use crate::mcp::SERVER;
use crate::place::{PROGRAM, has};
use crate::tool_calls::{Agent, call};
use serde_json::{Value, json};

const TOOL: &str = "mcp__my_adder__add";

/// A line of an agent that sends requests with these parameters to the wrapped server, all in one connection.
fn asks(agent: &mut Agent, server: &str, requests: &[Value]) {
    let lines: Vec<String> = requests
        .iter()
        .enumerate()
        .map(|(id, params)| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string())
        .collect();
    let lines = lines.join("\n");
    agent.line(&format!("printf '%s\\n' '{lines}' | '{PROGRAM}' mcp wrap --name '{server}' -- python3 server.py adds"));
}

fn sum() -> Value {
    json!({"name": "add", "arguments": {"a": 1, "b": 2}})
}

fn agent() -> Agent {
    let agent = Agent::new();
    agent.place.write("server.py", SERVER);
    agent
}

#[test]
fn a_request_that_passed_witnesses_the_call() {
    if !has("a_request_that_passed_witnesses_the_call", "python3") {
        return;
    }
    let mut agent = agent();
    let input = json!({"a": 1, "b": 2});
    agent.pre("t-1", TOOL, &input);
    asks(&mut agent, "my adder", &[sum()]);
    agent.post("t-1", TOOL, &input);
    agent.pre("t-2", TOOL, &input).post("t-2", TOOL, &input);
    agent.pre("t-3", TOOL, &input);
    asks(&mut agent, "another", &[json!({"name": "add", "arguments": {}, "_meta": {}})]);
    agent.post("t-3", TOOL, &input);
    agent.record_with(&[]).ok();
    let document = agent.place.run(["reconcile", "r1", "--json"]).json();
    let first = call(&document, "t-1");
    assert_eq!((&first["state"], &first["witnesses"]), (&json!("matched"), &json!(["hook", "proxy"])), "{document:#}");
    let row = &first["mcp"][0];
    assert_eq!((&row["rung"], &row["confidence"]), (&json!("same_tool"), &json!(0.95)), "{row:#}");
    assert_eq!((&row["tool"], &row["outcome"]), (&json!("add"), &json!("completed")), "{row:#}");
    assert_eq!(first["differences"], Value::Null, "{first:#}");
    let silent = call(&document, "t-2");
    assert_eq!((&silent["mcp"], &silent["witnesses"]), (&Value::Null, &json!(["hook"])), "nothing passed: {silent:#}");
    let other = call(&document, "t-3");
    assert_eq!(other["mcp"][0]["rung"], "tool_window", "a server under another name: {other:#}");
    let text = agent.place.run(["reconcile", "r1"]).stdout;
    assert_eq!(text.matches("told by hook, proxy").count(), 2, "{text}");
}

#[test]
fn a_call_that_is_told_to_have_gone_otherwise_is_a_contradiction() {
    if !has("a_call_that_is_told_to_have_gone_otherwise_is_a_contradiction", "python3") {
        return;
    }
    let mut agent = agent();
    let (tool, input) = ("mcp__my_adder__subtract", json!({"a": 1}));
    agent.pre("t-1", tool, &input);
    asks(&mut agent, "my adder", &[json!({"name": "subtract", "arguments": {"a": 1}})]);
    agent.post("t-1", tool, &input);
    agent.record_with(&[]).ok();
    let document = agent.place.run(["reconcile", "r1", "--json"]).json();
    let difference = &call(&document, "t-1")["differences"][0];
    assert_eq!(difference["kind"], "contradiction", "{document:#}");
    assert_eq!(
        difference["what"],
        "its witnesses differ in status: the agent says 'completed', proxy says 'error -32601'"
    );
    assert_eq!(difference["evidence"].as_array().map(Vec::len), Some(2));
}

#[test]
fn equal_requests_at_once_are_told_apart_by_trace_context_alone() {
    use crate::otlp::{Receiver, tool, traces};
    if !has("equal_requests_at_once_are_told_apart_by_trace_context_alone", "python3") {
        return;
    }
    let mut agent = agent();
    let input = json!({"a": 1, "b": 2});
    let traced = |number: u64| {
        let context = format!("00-0af7651916cd43dd8448eb211c80319c-{number:016x}-01");
        json!({"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": {"traceparent": context}})
    };
    agent.pre("t-1", TOOL, &input).pre("t-2", TOOL, &input);
    asks(&mut agent, "my adder", &[traced(2), traced(1)]);
    agent.post("t-1", TOOL, &input).post("t-2", TOOL, &input);
    agent.record_with(&[]).ok();
    let before = agent.place.run(["reconcile", "r1", "--json"]).json();
    for (id, other) in [("t-1", "t-2"), ("t-2", "t-1")] {
        let call = call(&before, id);
        assert_eq!(call["mcp"].as_array().map(Vec::len), Some(2), "{call:#}");
        assert_eq!(call["mcp"][0]["state"], "ambiguous", "{call:#}");
        assert_eq!(call["mcp"][0]["alternatives"], json!([other]), "{call:#}");
        assert_eq!(call["witnesses"], json!(["hook"]), "of neither it is known: {call:#}");
    }
    let requests = |id: &str| call(&before, id)["mcp"].as_array().cloned().unwrap_or_default();
    let in_order: Vec<Value> = requests("t-1").iter().map(|row| row["event_id"].clone()).collect();
    let mut spans = vec![tool(1, "t-1", ""), tool(2, "t-2", "")];
    for span in &mut spans {
        span["attributes"][1]["value"]["stringValue"] = json!(TOOL);
    }
    Receiver::start(&agent.place).json("/v1/traces", &traces("claude-code", &spans));
    let after = agent.place.run(["reconcile", "r1", "--json"]).json();
    for (id, event) in [("t-1", &in_order[1]), ("t-2", &in_order[0])] {
        let call = call(&after, id);
        let rows = call["mcp"].as_array().expect("rows");
        let [row] = rows.as_slice() else { panic!("{call:#}") };
        assert_eq!((&row["rung"], &row["event_id"]), (&json!("trace_context"), event), "{call:#}");
        assert_eq!(call["witnesses"], json!(["hook", "otlp", "proxy"]), "{call:#}");
    }
}
