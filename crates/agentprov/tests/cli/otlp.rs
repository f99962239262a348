//! What agents export as OpenTelemetry: decoded, appended once, and held against what hooks told.

use crate::bounded::InTime as _;
use crate::place::{PROGRAM, Place, has};
use crate::python::python_packages;
use crate::tool_calls::Agent;
use agentprov_model::declared::{Agent as AgentName, Deed};
use agentprov_model::{Fact, Vantage, What};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const JSON: &str = "Content-Type: application/json";

pub(crate) struct Receiver {
    child: Child,
    address: String,
    token: String,
}

impl Receiver {
    pub(crate) fn start(place: &Place) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["daemon", "serve", "--listen", "127.0.0.1:0", "--otlp", "127.0.0.1:0"]).stderr(Stdio::piped());
        let mut child = place.surround(&mut command).spawn().expect("the program");
        let said = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let lines: Vec<String> = said.take(2).map(|line| line.expect("text")).collect();
        let address = lines[1].strip_prefix("traces and logs on http://").unwrap_or_else(|| panic!("{lines:?}"));
        let token = std::fs::read_to_string(place.data_dir().join("daemon.token")).expect("a token").trim().to_owned();
        Self { child, address: address.to_owned(), token }
    }

    /// Status, head and body of the answer.
    fn post(&self, path: &str, headers: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let bearer = format!("Authorization: Bearer {}\r\n{headers}", self.token);
        self.ask(path, &bearer, body)
    }

    fn ask(&self, path: &str, headers: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let (address, length) = (&self.address, body.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        // A body that is too long is refused before all of it was read.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        (status, head, answer[end + 4..].to_vec())
    }

    pub(crate) fn json(&self, path: &str, body: &Value) -> Value {
        let (status, head, answer) = self.post(path, JSON, body.to_string().as_bytes());
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(status, 200, "{head} {text}");
        serde_json::from_str(&text).expect("JSON")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hook(place: &Place, event: &str, id: &str, command: &str) {
    let message = json!({
        "hook_event_name": event, "session_id": "s-1", "cwd": place.work(), "tool_name": "Bash",
        "tool_input": {"command": command}, "tool_use_id": id, "tool_response": {"stdout": "", "exit_code": 0},
    });
    let mut program = Command::new(PROGRAM);
    let program = place.surround(program.args(["hook", "claude"])).stdin(Stdio::piped());
    let mut child = program.spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(message.to_string().as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success());
}

fn attributes(pairs: &[(&str, Value)]) -> Value {
    pairs.iter().map(|(name, value)| json!({"key": name, "value": value})).collect()
}

pub(crate) fn text(text: &str) -> Value {
    json!({"stringValue": text})
}

pub(crate) fn span(number: u64, name: &str, pairs: &[(&str, Value)]) -> Value {
    json!({
        "traceId": "0AF7651916CD43DD8448EB211C80319C", "spanId": format!("{number:016x}"), "name": name, "kind": 1,
        "startTimeUnixNano": (1_790_000_000_000_000_000 + number).to_string(), "endTimeUnixNano": 1_790_000_001_000_000_000u64,
        "attributes": attributes(pairs), "status": {}, "flags": 256, "unknownField": [1],
    })
}

pub(crate) fn tool(number: u64, id: &str, command: &str) -> Value {
    span(
        number,
        "execute_tool Bash",
        &[
            ("gen_ai.operation.name", text("execute_tool")),
            ("gen_ai.tool.name", text("Bash")),
            ("gen_ai.tool.call.id", text(id)),
            ("gen_ai.tool.call.arguments", text(&json!({"command": command}).to_string())),
        ],
    )
}

pub(crate) fn traces(service: &str, spans: &[Value]) -> Value {
    let resource = json!({"attributes": attributes(&[("service.name", text(service))])});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "t"}, "spans": spans}]}]})
}

fn told(place: &Place, run: &str) -> Vec<Fact> {
    place.facts(run).into_iter().filter(|fact| fact.vantage == Vantage::Otlp).collect()
}

#[test]
fn an_exported_call_joins_the_call_of_the_hooks_once() {
    let place = Place::new();
    place.run(["init"]).ok();
    for id in ["toolu_1", "toolu_2"] {
        hook(&place, "PreToolUse", id, "make test");
        hook(&place, "PostToolUse", id, "make test");
    }
    let receiver = Receiver::start(&place);
    let spans = traces("claude-code", &[tool(1, "toolu_1", "make test"), tool(2, "toolu_2", "rm -rf build")]);
    for _ in 0..3 {
        assert_eq!(receiver.json("/v1/traces", &spans), json!({}));
    }
    let facts = told(&place, "claude-s-1");
    assert_eq!(facts.len(), 4, "begin and end of two calls, however often they were sent: {facts:?}");
    for fact in &facts {
        let What::Declared(declared) = &fact.what else { panic!("{fact:?}") };
        assert_eq!(declared.session.as_ref().map(|session| session.as_str()), Some("s-1"));
        assert_eq!(declared.trace.as_ref().map(|t| t.trace_id()), Some("0af7651916cd43dd8448eb211c80319c"));
    }
    let runs = place.run(["runs", "--json"]).ok().json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1), "{runs}");
    let document = place.run(["reconcile", "claude-s-1", "--json"]).json();
    let calls = document["calls"].as_array().expect("a list");
    assert_eq!(calls.len(), 2, "{document}");
    for call in calls {
        assert_eq!(call["witnesses"], json!(["hook", "otlp"]), "{call}");
    }
    assert_eq!(calls[0]["differences"], Value::Null, "{document}");
    let difference = &calls[1]["differences"][0];
    assert_eq!((&calls[1]["tool_call_id"], &difference["kind"]), (&json!("toolu_2"), &json!("contradiction")));
    assert_eq!(
        difference["what"], "its witnesses differ in input: hook says 'make test', otlp says 'rm -rf build'",
        "{document}"
    );
    assert_eq!(difference["evidence"].as_array().map(Vec::len), Some(2), "{document}");
    for view in ["show", "reconcile"] {
        let text = place.run([view, "claude-s-1"]).stdout;
        assert_eq!(text.matches("told by hook, otlp").count(), 2, "{text}");
        assert_eq!(text.matches("its witnesses differ in input").count(), 1, "{text}");
    }
    place.run(["verify", "claude-s-1"]).ok();
}

/// A recorded agent with four calls: telemetry of them names the session, the trace alone, another command, and the end
/// that no hook told.
fn recorded_beside_telemetry(telemetry_first: bool) -> (Agent, Value) {
    let mut agent = Agent::new();
    for id in ["toolu_1", "toolu_2", "toolu_3"] {
        agent.shell(id, "cat /dev/null");
    }
    agent.pre("toolu_4", "Bash", &json!({"command": "cat /dev/zero"}));
    let named = |number, id: &str, command: &str| {
        let mut span = tool(number, id, command);
        let session = attributes(&[("session.id", text("s1"))]);
        span["attributes"].as_array_mut().expect("a list").extend(session.as_array().expect("a list").clone());
        span
    };
    let chat = span(5, "chat m-1", &[("gen_ai.operation.name", text("chat")), ("session.id", text("s1"))]);
    let calls = [
        named(1, "toolu_1", "cat /dev/null"),
        tool(2, "toolu_2", "cat /dev/null"),
        named(3, "toolu_3", "rm x"),
        named(4, "toolu_4", "cat /dev/zero"),
        chat,
    ];
    let spans = traces("claude-code", &calls);
    agent.place.run(["init"]).ok();
    let receiver = Receiver::start(&agent.place);
    if telemetry_first {
        receiver.json("/v1/traces", &spans);
    }
    agent.record_with(&[]).ok();
    let number_of_facts = || -> usize {
        let runs = agent.place.reader().runs().expect("runs");
        runs.iter().map(|run| told(&agent.place, run.id.as_str()).len()).sum()
    };
    receiver.json("/v1/traces", &spans);
    receiver.json("/v1/traces", &spans);
    assert_eq!(number_of_facts(), 9, "begin and end of four calls and one of the model, however often and when");
    let document = agent.place.run(["reconcile", "r1", "--json"]).json();
    (agent, document)
}

/// What of a document does not hang on clocks and process ids.
fn lasting(document: &Value) -> Value {
    let call = |call: &Value| {
        let differences = call["differences"].as_array().cloned().unwrap_or_default();
        json!({
            "id": call["tool_call_id"], "session": call["session_id"], "status": call["status"], "state": call["state"],
            "input": call["input"], "witnesses": call["witnesses"], "home": call["home_run_id"],
            "differences": differences.iter().map(|found| found["what"].clone()).collect::<Vec<_>>(),
            "processes": call["processes"].as_array().map(Vec::len),
        })
    };
    let sessions = document["sessions"].as_array().expect("a list");
    json!({
        "calls": document["calls"].as_array().expect("a list").iter().map(call).collect::<Vec<_>>(),
        "sessions": sessions.iter().map(|s| json!([s["session_id"], s["messages"], s["calls"]])).collect::<Vec<_>>(),
        "counts": document["counts"], "verdict": document["verdict"],
    })
}

#[test]
fn telemetry_that_came_before_its_hooks_counts_where_the_session_is_at_home() {
    let (_, late) = recorded_beside_telemetry(false);
    let (agent, early) = recorded_beside_telemetry(true);
    let place = &agent.place;
    assert_eq!(lasting(&early), lasting(&late), "the order of arrival makes no difference");
    let calls = early["calls"].as_array().expect("a list");
    assert_eq!(calls.len(), 4, "{early:#}");
    for call in calls {
        assert_eq!(call["witnesses"], json!(["hook", "otlp"]), "{call}");
    }
    assert_eq!(calls[2]["differences"][0]["kind"], "contradiction", "{early:#}");

    assert_eq!(told(place, "r1").len(), 0, "nothing was moved");
    for (run, calls) in [("claude-s1", 3), ("claude-trace-0af7651916cd43dd8448eb211c80319c", 1)] {
        let own = place.run(["reconcile", run, "--json"]).json();
        let rows = own["calls"].as_array().expect("a list");
        assert_eq!(rows.len(), calls, "{own:#}");
        assert!(rows.iter().all(|call| call["home_run_id"] == "r1"), "{own:#}");
        let text = place.run(["show", run]).stdout;
        assert_eq!(text.matches("which are in run r1: counted there").count(), calls, "{text}");
        place.run(["verify", run]).ok();
    }
    let text = place.run(["show", "r1"]).stdout;
    assert_eq!(text.matches("told by hook, otlp").count(), 4, "{text}");
    assert_eq!(calls[3]["status"], "completed", "the end that no hook told: {early:#}");
    for call in ["toolu_2", "toolu_4"] {
        place.run(["graph", "explain", "--run", "r1", "--tool-call", call]).ok();
    }
    place.run(["fsck"]).ok();
}

#[test]
fn what_telemetry_leaves_open_contradicts_nobody() {
    let place = Place::new();
    place.run(["init"]).ok();
    for (id, event) in [("toolu_1", "PreToolUse"), ("toolu_1", "PostToolUse"), ("toolu_2", "PreToolUse")] {
        hook(&place, event, id, "make test");
    }
    let receiver = Receiver::start(&place);
    let bare = |number, id: &str, more: &[(&str, Value)]| {
        let known = [("gen_ai.tool.name", text("Bash")), ("gen_ai.tool.call.id", text(id))];
        span(number, "execute_tool", &[&known, more].concat())
    };
    let cut = ("gen_ai.tool.call.arguments", text("{\"command\": \"make te"));
    receiver.json("/v1/traces", &traces("claude-code", &[bare(1, "toolu_1", &[]), bare(2, "toolu_2", &[cut])]));
    let document = place.run(["reconcile", "claude-s-1", "--json"]).json();
    let calls = document["calls"].as_array().expect("a list");
    assert_eq!(calls.len(), 2, "{document}");
    assert!(calls.iter().all(|call| call["differences"].is_null()), "{document}");
    assert_eq!(calls[1]["status"], "completed", "the end that no hook told: {document}");
}

#[test]
fn prompts_are_named_and_model_calls_keep_their_numbers() {
    let place = Place::new();
    let receiver = Receiver::start(&place);
    let messages = text(r#"[{"role":"user","parts":[{"type":"text","content":"SECRET-PROMPT"}]}]"#);
    let chat = span(
        1,
        "chat m-1",
        &[
            ("gen_ai.operation.name", text("chat")),
            ("gen_ai.conversation.id", text("c-1")),
            ("gen_ai.response.model", text("m-1")),
            ("gen_ai.usage.input_tokens", json!({"intValue": "1200"})),
            ("gen_ai.response.finish_reasons", json!({"arrayValue": {"values": [text("stop")]}})),
            ("gen_ai.input.messages", messages),
        ],
    );
    let unrelated = span(2, "GET /", &[("http.request.method", text("GET"))]);
    receiver.json("/v1/traces", &traces("my-agent", &[chat, unrelated]));
    let log = |name: &str, pairs: &[(&str, Value)]| json!({"timeUnixNano": "1790000002000000000", "eventName": name, "body": text("SECRET-PROMPT"), "attributes": attributes(pairs)});
    let records = [
        log("claude_code.user_prompt", &[("session.id", text("s-2")), ("prompt", text("SECRET-PROMPT"))]),
        log(
            "claude_code.tool_result",
            &[
                ("session.id", text("s-2")),
                ("tool_name", text("Read")),
                ("tool_use_id", text("toolu_9")),
                ("success", text("false")),
                ("duration_ms", text("12")),
                ("error", text("SECRET-PROMPT")),
            ],
        ),
    ];
    let resource = json!({"attributes": attributes(&[("service.name", text("claude-code"))])});
    let logs = json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]});
    receiver.json("/v1/logs", &logs);
    receiver.json("/v1/logs", &logs);

    let chat = told(&place, "agent-c-1");
    let [Fact { what: What::Declared(declared), .. }] = chat.as_slice() else { panic!("{chat:?}") };
    assert_eq!((declared.agent, declared.model.as_deref()), (AgentName::Other, Some("m-1")));
    assert_eq!(declared.other["gen_ai.usage.input_tokens"], 1_200);
    assert_eq!(declared.other["gen_ai.response.finish_reasons"], json!(["stop"]));
    let session = told(&place, "claude-s-2");
    let deeds: Vec<&Deed> = session
        .iter()
        .filter_map(|fact| match &fact.what {
            What::Declared(declared) => Some(&declared.deed),
            _ => None,
        })
        .collect();
    assert_eq!(deeds.len(), 2, "{deeds:?}");
    assert!(
        deeds.iter().any(|deed| matches!(deed, Deed::Prompt(given) if given.prompt.is_some_and(|p| p.bytes == 13)))
    );
    let failed = |deed: &&&Deed| matches!(deed, Deed::CallEnded(end) if end.status.name() == "failed" && end.duration_ms == Some(12) && end.input.is_none());
    assert!(deeds.iter().any(|deed| failed(&deed)), "{deeds:?}");
    let all = serde_json::to_string(&[chat, session].concat()).expect("it serialises");
    assert!(!all.contains("SECRET"), "{all}");
}

#[test]
fn what_cannot_be_taken_is_refused_or_counted_as_the_protocol_has_it() {
    let place = Place::new();
    let receiver = Receiver::start(&place);
    let mut no_id = tool(1, "a", "true");
    no_id["spanId"] = json!("0000000000000000");
    let mut backwards = tool(2, "b", "true");
    backwards["endTimeUnixNano"] = json!("1");
    let answer = receiver.json("/v1/traces", &traces("codex", &[no_id, tool(3, "c", "true"), backwards]));
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "2", "{answer}");
    assert_eq!(answer["partialSuccess"]["errorMessage"], "a span has no valid trace id and span id", "{answer}");
    assert_eq!(told(&place, "codex-trace-0af7651916cd43dd8448eb211c80319c").len(), 2);

    let proto = "Content-Type: application/x-protobuf";
    let status = |path: &str, headers: &str, body: &[u8]| receiver.post(path, headers, body).0;
    assert_eq!(status("/v1/traces", proto, b""), 200, "an empty export is a heartbeat");
    assert_eq!(status("/v1/traces", proto, b"\xff\xff"), 400);
    assert_eq!(status("/v1/traces", JSON, b"{\"resourceSpans\": 3}"), 400);
    assert_eq!(status("/v1/traces", "Content-Type: text/plain", b"{}"), 415);
    assert_eq!(status("/v1/traces", &format!("{JSON}\r\nContent-Encoding: br"), b"{}"), 415);
    assert_eq!(status("/v1/traces", &format!("{JSON}\r\nContent-Encoding: gzip"), b"{}"), 400);
    assert_eq!(status("/v1/metrics", JSON, b"{}"), 404);
    assert_eq!(receiver.ask("/v1/traces", JSON, b"{}").0, 401);
    assert_eq!(status("/v1/traces", &format!("{JSON}\r\nOrigin: http://evil.example"), b"{}"), 403);
    let (too_large, head, body) = receiver.post("/v1/logs", proto, &vec![0; (16 << 20) + 1]);
    assert_eq!(too_large, 413);
    assert!(head.contains("application/x-protobuf") && body.starts_with(&[8, 8]), "a status of gRPC: {head} {body:?}");
}

#[test]
fn few_packed_bytes_do_not_fill_the_memory() {
    let test = "few_packed_bytes_do_not_fill_the_memory";
    if !has(test, "gzip") {
        return;
    }
    let place = Place::new();
    let receiver = Receiver::start(&place);
    let pack = |bytes: &[u8]| {
        let file = place.write("plain", bytes);
        Command::new("gzip").arg("-c").arg(file).output_in_time().stdout
    };
    let packed = format!("{JSON}\r\nContent-Encoding: gzip");
    let spans = traces("codex", &[tool(1, "a", "true")]).to_string();
    assert_eq!(receiver.post("/v1/traces", &packed, &pack(spans.as_bytes())).0, 200);
    assert_eq!(told(&place, "codex-trace-0af7651916cd43dd8448eb211c80319c").len(), 2);
    let bomb = pack(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    assert_eq!(receiver.post("/v1/traces", &packed, &bomb).0, 413);
}

/// Exports one tool span, one model span and one log record, in the named packing.
const CLIENT: &str = r#"
import sys
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
import logging
from opentelemetry.sdk._logs import LoggingHandler

base, token, packing = sys.argv[1:]
options = {"headers": {"authorization": "Bearer " + token}, "compression": Compression(packing), "timeout": 20}
resource = Resource.create({"service.name": "sdk-agent"})

class Keep(SpanExporter):
    spans = []
    def export(self, spans):
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
provider = TracerProvider(resource=resource)
keep = Keep()
provider.add_span_processor(SimpleSpanProcessor(keep))
tracer = provider.get_tracer("t")
with tracer.start_as_current_span("chat m-1") as span:
    span.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.conversation.id": "sdk-" + packing,
                         "gen_ai.request.model": "m-1", "gen_ai.usage.output_tokens": 7})
    with tracer.start_as_current_span("execute_tool Bash") as tool:
        tool.set_attributes({"gen_ai.operation.name": "execute_tool", "gen_ai.conversation.id": "sdk-" + packing,
                             "gen_ai.tool.name": "Bash", "gen_ai.tool.call.id": "call-" + packing,
                             "gen_ai.tool.call.arguments": '{"command": "make test"}'})
exporter = OTLPSpanExporter(endpoint=base + "/v1/traces", **options)
# An exporter that got no answer sends the same spans again.
for _ in range(2):
    assert exporter.export(keep.spans) == SpanExportResult.SUCCESS

logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint=base + "/v1/logs", **options)))
logger = logging.getLogger("t")
logger.addHandler(LoggingHandler(logger_provider=logs))
logger.warning("words", extra={"gen_ai.conversation.id": "sdk-" + packing, "event.name": "gen_ai.choice"})
logs.shutdown()
"#;

#[test]
fn the_official_sdk_exports_traces_and_logs() {
    let test = "the_official_sdk_exports_traces_and_logs";
    if !has(test, "python3") {
        return;
    }
    let packages = ["opentelemetry-sdk<2", "opentelemetry-exporter-otlp-proto-http<2"];
    let Some(folder) = python_packages("opentelemetry", &packages) else {
        println!("SKIP {test}: the OpenTelemetry SDK can't be installed from PyPI");
        return;
    };
    let place = Place::new();
    let receiver = Receiver::start(&place);
    place.write("client.py", CLIENT);
    for packing in ["none", "gzip"] {
        let mut client = Command::new("python3");
        client.args(["client.py", &format!("http://{}", receiver.address), &receiver.token, packing]);
        let done = place.surround(&mut client).env("PYTHONPATH", &folder).output_in_time();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success() && !said.contains("ailed"), "{said}");
        let facts = told(&place, &format!("agent-sdk-{packing}"));
        let mut kinds: Vec<&str> = facts
            .iter()
            .map(|fact| match &fact.what {
                What::Declared(declared) => match &declared.deed {
                    Deed::CallStarted(_) => "begin",
                    Deed::CallEnded(_) => "end",
                    _ if declared.event == "gen_ai.choice" => "log",
                    _ => "model",
                },
                _ => "else",
            })
            .collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["begin", "end", "log", "model"], "{facts:?}");
    }
}
