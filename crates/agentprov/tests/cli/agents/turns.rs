//! What is not one command after the other: cancelled calls, subagents, servers of tools, edits that go elsewhere.

use super::session::{Session, call, roots};
use crate::python::python_packages;
use serde_json::json;

/// With the official SDK.
const SERVER_OF_SDK: &str = r#"
from mcp.server.fastmcp import FastMCP

server = FastMCP("scripted")

@server.tool()
def add(a: int, b: int) -> int:
    with open("sums.txt", "a") as sums:
        sums.write(f"{a + b}\n")
    return a + b

server.run()
"#;

/// The same where the SDK can't be had.
const SERVER: &str = r#"
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    method, params = message.get("method"), message.get("params", {})
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    if method == "initialize":
        answer["result"] = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                            "serverInfo": {"name": "scripted", "version": "3"}}
    elif method == "tools/list":
        answer["result"] = {"tools": [{"name": "add", "description": "adds", "inputSchema": {"type": "object"}}]}
    elif method == "tools/call" and params.get("name") == "add":
        total = params["arguments"]["a"] + params["arguments"]["b"]
        with open("sums.txt", "a") as sums:
            sums.write(f"{total}\n")
        answer["result"] = {"content": [{"type": "text", "text": str(total)}], "isError": False}
    else:
        answer["error"] = {"code": -32601, "message": "no such method"}
    print(json.dumps(answer), flush=True)
"#;

/// What was done until the user had enough belongs to the call; its end is never told.
#[test]
fn a_cancelled_call_keeps_what_it_did() {
    let Some(mut session) = Session::claude("a_cancelled_call_keeps_what_it_did") else { return };
    session.shell("t-before", "echo before >before.txt");
    session.shell("t-cancelled", "echo begun >begun.txt; sleep 15; echo never >never.txt");
    session.shell("t-after", "echo after >after.txt");
    session.interrupt_at("begun.txt");
    let document = session.reconciled_with("claude-cancelled", 1);
    session.matched(&document, &[("t-before", &["before.txt"]), ("t-cancelled", &["begun.txt"])]);
    assert_eq!(document["counts"]["calls"], 2, "{document:#}");
    assert_eq!(call(&document, "t-before")["never_ended"], false, "{document:#}");
    let cancelled = call(&document, "t-cancelled");
    assert_eq!((&cancelled["never_ended"], &cancelled["status"]), (&json!(true), &json!(null)), "{document:#}");
    assert_eq!(roots(&document, "t-cancelled")[0]["rung"], "launch_wrapper", "{document:#}");
    session.owns("t-cancelled", "begun.txt", 0);
    assert!(!session.place.work().join("never.txt").exists() && !session.place.work().join("after.txt").exists());
}

/// It works at the same time as the agent that it came of, in the same process.
#[test]
fn a_subagent_has_calls_of_its_own() {
    let Some(mut session) = Session::claude("a_subagent_has_calls_of_its_own") else { return };
    let task = json!({"description": "look around", "prompt": "LOOK AROUND", "subagent_type": "general-purpose"});
    let main = json!({"command": "sleep 0.4; echo main >main.txt"});
    session.step(&[("t-agent", "Agent", task), ("t-main", "Bash", main)]);
    session.shell("t-after", "echo after >after.txt");
    let write = json!({"file_path": session.path("written.txt"), "content": "by the subagent\n"});
    let sub = json!({"command": "echo sub >sub.txt"});
    session.told("LOOK AROUND", &[("t-sub", "Bash", sub), ("t-sub-write", "Write", write)]);
    let document = session.reconciled("claude-subagent");
    let files: [(&str, &[&str]); 4] = [
        ("t-main", &["main.txt"]),
        ("t-after", &["after.txt"]),
        ("t-sub", &["sub.txt"]),
        ("t-sub-write", &["written.txt"]),
    ];
    session.matched(&document, &files);
    assert_eq!(document["counts"]["calls"], 5, "{document:#}");
    for (id, by_subagent) in [("t-agent", false), ("t-main", false), ("t-sub", true), ("t-sub-write", true)] {
        assert_eq!(call(&document, id)["subagent"].is_string(), by_subagent, "{id}: {document:#}");
    }
    for (name, owner) in [("sub.txt", "t-sub"), ("written.txt", "t-sub-write"), ("main.txt", "t-main")] {
        session.owns(owner, name, 0);
    }
}

/// The server lives beside the calls; what it does while it is asked is the call's.
#[test]
fn a_server_of_tools_does_what_it_is_asked() {
    let Some(mut session) = Session::claude("a_server_of_tools_does_what_it_is_asked") else { return };
    match python_packages("mcp-sdk", &["mcp<2"]) {
        Some(folder) => session.mcp_server(SERVER_OF_SDK, Some(folder)),
        None => session.mcp_server(SERVER, None),
    }
    let tool = "mcp__scripted__add";
    session.shell("t-shell", "echo shell >shell.txt");
    session.step(&[("t-add-1", tool, json!({"a": 1, "b": 2}))]);
    session.step(&[("t-add-2", tool, json!({"a": 3, "b": 4}))]);
    let document = session.reconciled("claude-mcp");
    let files: [(&str, &[&str]); 3] =
        [("t-shell", &["shell.txt"]), ("t-add-1", &["sums.txt"]), ("t-add-2", &["sums.txt"])];
    session.effects(&document, &files);
    // An interpreter may do something of its own before it serves, but not to the workspace.
    let undeclared = document["undeclared"].as_array().expect("rows");
    let elsewhere = |row: &serde_json::Value| row["what"].as_str().is_some_and(|what| what.starts_with("wrote /"));
    assert!(undeclared.iter().all(elsewhere), "{document:#}");
    for (id, line) in [("t-add-1", 0), ("t-add-2", 1)] {
        let call = call(&document, id);
        assert_eq!(call["witnesses"], json!(["hook", "proxy"]), "{document:#}");
        assert_eq!(call["mcp"][0]["rung"], "same_tool", "{document:#}");
        assert_eq!(call["files"][0]["rung"], "request_window", "{document:#}");
        session.owns(id, "sums.txt", line);
    }
    let rows = document["scaffolding"].as_array().expect("rows");
    assert!(rows.iter().any(|row| row["rule"] == "mcp_server"), "{document:#}");
}

/// Another hook sends a file elsewhere than the call declares.
#[test]
fn a_write_that_goes_elsewhere_is_found() {
    let Some(mut session) = Session::claude("a_write_that_goes_elsewhere_is_found") else { return };
    let input = |name: &str| json!({"file_path": session.path(name), "content": "text\n"});
    session.rewrite_calls("Write", &input("elsewhere.txt"));
    let says = input("said.txt");
    session.step(&[("t-says", "Write", says)]);
    let document = session.reconciled("claude-other-path");
    assert!(session.place.work().join("elsewhere.txt").is_file() && !session.place.work().join("said.txt").exists());
    assert_eq!(call(&document, "t-says")["state"], "unmatched", "{document:#}");
    assert_eq!(call(&document, "t-says")["differences"][0]["kind"], "other_path", "{document:#}");
    let undeclared = document["undeclared"].as_array().expect("rows");
    assert!(undeclared.iter().any(|row| row["what"] == "wrote elsewhere.txt"), "{document:#}");
    assert_eq!(document["verdict"], "differs", "{document:#}");
}
