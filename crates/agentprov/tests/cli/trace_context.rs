//! Trace context in the environment of processes, held against the spans that agents export.

use crate::otlp::{Receiver, span, text, tool, traces};
use crate::tool_calls::{Agent, call, roots, undeclared};
use agentprov_model::What;
use serde_json::{Value, json};

const COMMAND: &str = "sleep 0.2; echo $$ >>both.txt";

fn context(number: u64) -> String {
    format!("00-0af7651916cd43dd8448eb211c80319c-{number:016x}-01")
}

/// Two equal calls at once; `started` starts their processes.
fn twice(started: &str) -> Agent {
    let mut agent = Agent::new();
    let input = json!({"command": COMMAND});
    agent.pre("t-1", "Bash", &input).pre("t-2", "Bash", &input);
    agent.line(started);
    agent.post("t-1", "Bash", &input).post("t-2", "Bash", &input);
    agent
}

fn with(number: u64) -> String {
    format!("TRACEPARENT={} SECRET=hunter2-in-the-environment bash -c '{COMMAND}' & ", context(number))
}

fn told(agent: &Agent, spans: &[Value]) -> Value {
    Receiver::start(&agent.place).json("/v1/traces", &traces("claude-code", spans));
    agent.place.run(["reconcile", "r1", "--json"]).json()
}

/// The span that the first program of the process of a row got.
fn span_of(agent: &Agent, row: &Value) -> Option<String> {
    agent.place.facts("r1").into_iter().find_map(|fact| match fact.what {
        What::ProcessExec(exec) if fact.process.is_some_and(|id| row["process_id"] == id.to_string()) => {
            Some(exec.trace?.span_id().to_owned())
        }
        _ => None,
    })
}

#[test]
fn equal_commands_at_once_are_told_apart_by_spans_that_come_late() {
    // The second call's process starts first.
    let agent = twice(&format!("{}{}wait", with(2), with(1)));
    agent.record_with(&[]).ok();
    let before = agent.place.run(["reconcile", "r1", "--json"]).json();
    assert_eq!(call(&before, "t-1")["state"], "ambiguous", "{before:#}");
    let document = told(&agent, &[tool(1, "t-1", COMMAND), tool(2, "t-2", COMMAND)]);
    for (id, number) in [("t-1", 1), ("t-2", 2)] {
        assert_eq!(call(&document, id)["state"], "matched", "{document:#}");
        assert_eq!(call(&document, id)["differences"], Value::Null, "{document:#}");
        let roots = roots(&document, id);
        let [root] = roots.as_slice() else { panic!("{document:#}") };
        assert_eq!((&root["rung"], &root["confidence"]), (&json!("trace_context"), &json!(1.0)), "{root:#}");
        assert_eq!(root["alternatives"], Value::Null);
        assert_eq!(root["evidence"].as_array().map(Vec::len), Some(3), "exec, hook and span: {root:#}");
        assert_eq!(span_of(&agent, root), Some(format!("{number:016x}")));
    }
    let facts = serde_json::to_string(&agent.place.facts("r1")).expect("it serialises");
    assert!(!facts.contains("hunter2"), "nothing else of an environment is kept");
}

#[test]
fn a_span_of_which_one_call_is_told_leaves_the_other_call_the_other_process() {
    let agent = twice(&format!("{}bash -c '{COMMAND}' & wait", with(1)));
    agent.record_with(&[]).ok();
    let document = told(&agent, &[tool(1, "t-1", COMMAND)]);
    let (one, two) = (roots(&document, "t-1"), roots(&document, "t-2"));
    assert_eq!((one.len(), two.len()), (1, 1), "{document:#}");
    assert_eq!((&one[0]["rung"], &two[0]["rung"]), (&json!("trace_context"), &json!("unique_command")));
    assert_eq!(two[0]["confidence"], 0.9, "by elimination: {document:#}");
}

/// Claude Code hands the span of the tool's execution down, which lies in that of the tool.
#[test]
fn a_span_within_the_span_of_a_call_names_the_call() {
    let agent = twice(&format!("{}{}bash -c '{COMMAND}' & wait", with(12), with(11)));
    agent.record_with(&[]).ok();
    let mut spans = vec![tool(1, "t-1", COMMAND), tool(2, "t-2", COMMAND)];
    for (number, id) in [(1, "t-1"), (2, "t-2")] {
        let pairs = [("tool_use_id", text(id)), ("session.id", text("s1"))];
        let mut part = span(10 + number, "claude_code.tool.execution", &pairs);
        part["parentSpanId"] = json!(format!("{number:016x}"));
        spans.push(part);
    }
    let document = told(&agent, &spans);
    for (id, number) in [("t-1", 11), ("t-2", 12)] {
        let roots = roots(&document, id);
        let [root] = roots.as_slice() else { panic!("{document:#}") };
        assert_eq!(root["rung"], "trace_context", "{root:#}");
        assert_eq!(span_of(&agent, root), Some(format!("{number:016x}")));
    }
    let undeclared = undeclared(&document);
    assert_eq!(undeclared.iter().filter(|(kind, _)| kind == "process").count(), 1, "no span: {undeclared:?}");
}

#[test]
fn trace_context_that_is_handed_down_names_nobody() {
    let mut agent = Agent::new();
    let (one, two) = (json!({"command": "echo 1 >one.txt"}), json!({"command": "echo 2 >two.txt"}));
    // A shell that the agent keeps for all its calls: it has the span of the first.
    let kept = "echo 1 >one.txt; sleep 0.3; bash -c \"echo 2 >two.txt\"; sleep 0.3";
    agent.pre("t-1", "Bash", &one).line(&format!("TRACEPARENT={} sh -c '{kept}' &", context(1)));
    agent.line("sleep 0.1").post("t-1", "Bash", &one);
    agent.pre("t-2", "Bash", &two).line("sleep 0.4").post("t-2", "Bash", &two).line("wait");
    agent.record_with(&[]).ok();
    let document = told(&agent, &[tool(1, "t-1", "echo 1 >one.txt"), tool(2, "t-2", "echo 2 >two.txt")]);
    let first = roots(&document, "t-1");
    assert_eq!(first[0]["rung"], "trace_context", "{document:#}");
    let second = roots(&document, "t-2");
    let [root] = second.as_slice() else { panic!("{document:#}") };
    assert_eq!((&root["rung"], &root["state"]), (&json!("unique_command"), &json!("bound")), "{document:#}");
    let difference = &call(&document, "t-1")["differences"][0];
    assert_eq!(difference["kind"], "other_command", "the kept shell runs more than the call says: {document:#}");
}

#[test]
fn trace_context_against_the_command_is_ambiguous() {
    let mut agent = Agent::new();
    let (one, two) = (json!({"command": "echo 1 >one.txt"}), json!({"command": "echo 2 >two.txt"}));
    agent.pre("t-1", "Bash", &one).pre("t-2", "Bash", &two);
    agent.line(&format!("TRACEPARENT={} bash -c 'echo 2 >two.txt'", context(1)));
    agent.post("t-1", "Bash", &one).post("t-2", "Bash", &two);
    agent.record_with(&[]).ok();
    let document = told(&agent, &[tool(1, "t-1", "echo 1 >one.txt"), tool(2, "t-2", "echo 2 >two.txt")]);
    for (id, other) in [("t-1", "t-2"), ("t-2", "t-1")] {
        assert_eq!(call(&document, id)["state"], "ambiguous", "{document:#}");
        assert_eq!(roots(&document, id)[0]["alternatives"], json!([other]), "{document:#}");
    }
}
