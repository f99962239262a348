//! Calls of models through the recording's proxy: clients notice nothing, and what passes is known.

use crate::bounded::InTime as _;
use crate::place::{PROGRAM, Place, Said, has};
use agentprov_model::llm::{LlmCall, LlmDeed, LlmOutcome, LlmVendor};
use agentprov_model::{ProcessId, Vantage, What};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

/// A vendor that does what the path says. It runs a command with the base of its addresses in the environment.
const VENDOR: &str = r#"
import gzip, hashlib, http.server, json, os, ssl, subprocess, sys, threading, time
WHOLE = {"object": "chat.completion", "model": "gpt-test", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
         "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
GEMINI = {"candidates": [{"content": {"parts": [{"functionCall": {"id": "fc_1", "name": "ls", "args": {}}}]}, "finishReason": "STOP"}],
          "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 6}, "modelVersion": "gemini-test"}
class Vendor(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def whole(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.whole(200, json.dumps({name.lower(): value for name, value in self.headers.items()}).encode(), connection="x-own", **{"x-own": "1"})
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        path = self.path.rpartition("/")[2]
        if path == "limited":
            self.whole(429, b'{"error": {"type": "rate_limit"}}', **{"retry-after": "7"})
        elif path == "failing":
            self.whole(500, b'{"error": {"type": "api_error"}}')
        elif path == "packed":
            self.whole(200, gzip.compress(json.dumps(WHOLE).encode()), **{"content-encoding": "gzip"})
        elif path == "echo":
            seen = {"sha": hashlib.sha256(body).hexdigest(), "encoding": self.headers["content-encoding"], "peer": self.client_address[1]}
            self.whole(200, json.dumps({**WHOLE, **seen}).encode())
        elif path == "gemini-test:generateContent":
            self.whole(200, json.dumps(GEMINI).encode())
        elif path == "gemini-test:streamGenerateContent?alt=sse":
            self.whole(200, b"data: " + json.dumps(GEMINI).encode() + b"\r\n\r\n", **{"content-type": "text/event-stream"})
        elif path == "large":
            self.whole(200, json.dumps({**WHOLE, "sha": hashlib.sha256(body).hexdigest(), "pad": "x" * (4 << 20)}).encode())
        elif path == "slow":
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            try:
                for count in range(200):
                    self.wfile.write(b"e\r\ndata: {\"n\":1}\n\r\n")
                    time.sleep(0.05)
                self.wfile.write(b"0\r\n\r\n")
            except OSError:
                self.close_connection = True
        else:
            self.whole(200, json.dumps(WHOLE).encode())
class Server(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 64
server = Server(("127.0.0.1", 0), Vendor)
scheme = "http"
if os.environ.get("VENDOR_CERTIFICATE"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["VENDOR_CERTIFICATE"], os.environ["VENDOR_KEY"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https"
threading.Thread(target=server.serve_forever, daemon=True).start()
base = "%s://127.0.0.1:%d" % (scheme, server.server_port)
sys.exit(subprocess.call(sys.argv[1:], env={**os.environ, "OPENAI_BASE_URL": base + "/v1", "GOOGLE_GEMINI_BASE_URL": base}))
"#;

/// What clients begin with: one request, and what came back. Clients and their connections outlive a call, as agents do.
const CLIENT: &str = r#"
import atexit, http.client, json, os, sys, threading, time, urllib.parse
atexit.register(time.sleep, 0.3)
base = urllib.parse.urlsplit(os.environ["OPENAI_BASE_URL"])
connections = []
def call(path, body=b'{"model": "gpt-test"}', method="POST", base=base, **headers):
    connection = http.client.HTTPConnection(base.hostname, base.port, timeout=60)
    connections.append(connection)
    connection.request(method, base.path + path, body, {"authorization": "Bearer sk-proj-SECRETWORD0123456789", **headers})
    return connection.getresponse()
"#;

/// Records a client before the scripted vendor.
fn record(place: &Place, options: &[&str], client: &str, certificate: Option<&str>) -> Said {
    place.write("vendor.py", VENDOR);
    place.write("client.py", format!("{CLIENT}{client}"));
    let mut command = Command::new("python3");
    command.args(["vendor.py", PROGRAM, "record", "--quiet", "--run", "r", "--llm-proxy"]);
    command.args(options).args(["--", "python3", "client.py"]);
    if let Some(name) = certificate {
        command.env("VENDOR_CERTIFICATE", format!("{name}.pem")).env("VENDOR_KEY", format!("{name}.key"));
        command.env("SSL_CERT_FILE", place.work().join("authority.pem"));
    }
    Said::of(&place.surround(&mut command).output_in_time())
}

/// Calls in the order in which they ended, with the process that made each.
fn calls(place: &Place) -> Vec<(LlmCall, Option<ProcessId>)> {
    place.run(["show", "r"]).ok();
    let facts = place.facts("r").into_iter().filter(|fact| matches!(fact.what, What::Llm(_)));
    facts
        .filter_map(|fact| {
            assert_eq!(fact.vantage, Vantage::Proxy);
            match fact.what {
                What::Llm(said) => match said.deed {
                    LlmDeed::Call(call) => Some((*call, fact.process)),
                    LlmDeed::Listening { .. } => None,
                },
                _ => None,
            }
        })
        .collect()
}

/// Everything below the data dir as bytes.
fn holds(place: &Place, word: &str) -> bool {
    let mut folders = vec![place.data_dir()];
    let mut found = false;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let kind = entry.file_type().expect("a kind");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let bytes = std::fs::read(entry.path()).expect("readable");
                found |= bytes.windows(word.len()).any(|window| window == word.as_bytes());
            }
        }
    }
    found
}

#[test]
fn a_whole_response_passes_and_nothing_secret_stays() {
    if !has("a_whole_response_passes_and_nothing_secret_stays", "python3") {
        return;
    }
    let place = Place::new();
    let client = r#"
answer = call("/chat/completions", b'{"prompt": "the PRIVATEPROMPT"}')
assert (answer.status, json.loads(answer.read())["model"]) == (200, "gpt-test")
seen = call("/headers?key=QUERYWORD", None, "GET", connection="close, x-hop", **{"x-hop": "1", "x-end": "2"})
assert seen.getheader("x-own") is None, "it was of the vendor's connection"
headers = json.loads(seen.read())
assert headers["authorization"] == "Bearer sk-proj-SECRETWORD0123456789" and headers["x-end"] == "2", headers
assert "x-hop" not in headers and headers["host"] != base.netloc and headers["accept-encoding"] == "identity", headers
other = http.client.HTTPConnection(base.hostname, base.port)
other.request("GET", "/openai/headers")
assert other.getresponse().status == 404, "the secret is needed"
"#;
    record(&place, &[], client, None).ok();
    let calls = calls(&place);
    assert_eq!(calls.len(), 2, "{calls:?}");
    let (call, process) = &calls[0];
    let asked = (call.vendor, call.method.as_str(), call.path.as_str());
    assert_eq!(asked, (LlmVendor::Openai, "POST", "/chat/completions"));
    assert_eq!(call.outcome, LlmOutcome::Completed(200));
    assert_eq!(call.request.digest.bytes, 31);
    let reply = &call.reply;
    assert_eq!((reply.model.as_deref(), reply.stop_reason.as_deref()), (Some("gpt-test"), Some("stop")));
    assert_eq!((reply.input_tokens, reply.output_tokens), (Some(3), Some(4)));
    assert!(call.first_byte_us.is_some_and(|first| first <= call.duration_us));
    let row = place.run(["timeline", "r", "--json"]).ok().json();
    let client = process.expect("the client was found").to_string();
    assert!(row.to_string().contains(&client), "it is a process of the recording: {client}");
    for word in ["SECRETWORD", "PRIVATEPROMPT", "QUERYWORD"] {
        assert!(!holds(&place, word), "{word} is in the store");
    }
}

#[test]
fn contents_are_kept_redacted_where_asked_for() {
    if !has("contents_are_kept_redacted_where_asked_for", "python3") {
        return;
    }
    let place = Place::new();
    let client =
        r#"call("/x", b'{"prompt": "PUBLICPROMPT", "token": "ghp_0123456789abcdefghijklmnopqrstuvwxyz"}').read()"#;
    record(&place, &["--keep-prompts"], client, None).ok();
    let (call, _) = calls(&place).remove(0);
    let kept = call.request.kept.expect("it is kept");
    assert!(kept.lossy().contains("PUBLICPROMPT"), "{}", kept.lossy());
    assert!(call.response.and_then(|body| body.kept).is_some_and(|kept| kept.lossy().contains("gpt-test")));
    assert!(!holds(&place, "ghp_0123456789abcdefghijklmnopqrstuvwxyz"));
}

#[test]
fn refusals_and_packed_and_large_bodies_pass_unchanged() {
    if !has("refusals_and_packed_and_large_bodies_pass_unchanged", "python3") {
        return;
    }
    let place = Place::new();
    let client = r#"
import gzip, hashlib
limited = call("/limited")
assert (limited.status, limited.getheader("retry-after")) == (429, "7")
assert json.loads(limited.read())["error"]["type"] == "rate_limit"
assert call("/failing").status == 500
packed = call("/packed")
assert json.loads(gzip.decompress(packed.read()))["model"] == "gpt-test"
body = os.urandom(3 << 20)
large = json.loads(call("/large", body).read())
assert large["sha"] == hashlib.sha256(body).hexdigest() and len(large["pad"]) == 4 << 20
"#;
    record(&place, &[], client, None).ok();
    let calls = calls(&place);
    let outcome = |path: &str| {
        let found = calls.iter().find(|(call, _)| call.path == path);
        found.map(|(call, _)| call).unwrap_or_else(|| panic!("no {path} in {calls:?}"))
    };
    assert_eq!(outcome("/limited").outcome, LlmOutcome::Completed(429));
    assert!(matches!(outcome("/failing").outcome, LlmOutcome::Completed(500) | LlmOutcome::Cancelled(500)));
    assert_eq!(outcome("/packed").reply.not_read.as_deref(), Some("it is packed with gzip"));
    let large = outcome("/large");
    assert_eq!((large.request.digest.bytes, large.reply.model.as_deref()), (3 << 20, Some("gpt-test")));
    assert!(large.response.as_ref().is_some_and(|body| body.digest.bytes > 4 << 20));
}

#[test]
fn packed_requests_pass_unchanged_and_are_not_kept() {
    if !has("packed_requests_pass_unchanged_and_are_not_kept", "python3") {
        return;
    }
    let place = Place::new();
    let client = r#"
import gzip, hashlib
body = gzip.compress(b'{"prompt": "hello"}')
seen = json.loads(call("/echo", body, **{"content-encoding": "gzip"}).read())
assert (seen["sha"], seen["encoding"]) == (hashlib.sha256(body).hexdigest(), "gzip"), seen
assert json.loads(call("/echo", b"plain").read())["encoding"] is None
"#;
    record(&place, &["--keep-prompts"], client, None).ok();
    let calls = calls(&place);
    let kept: Vec<Option<String>> =
        calls.iter().map(|(call, _)| call.request.kept.as_ref().map(|kept| kept.lossy().into_owned())).collect();
    assert_eq!(kept, [None, Some("plain".to_owned())], "what is packed can't be redacted");
    assert!(calls[0].0.request.digest.bytes > 20, "it is named all the same");
    assert!(calls.iter().all(|(call, _)| call.response.as_ref().is_some_and(|body| body.kept.is_some())));
}

#[test]
fn gemini_is_read_whole_and_streamed() {
    if !has("gemini_is_read_whole_and_streamed", "python3") {
        return;
    }
    let place = Place::new();
    let client = r#"
gemini = urllib.parse.urlsplit(os.environ["GOOGLE_GEMINI_BASE_URL"])
for method in ["generateContent", "streamGenerateContent?alt=sse"]:
    answer = call("/v1beta/models/gemini-test:" + method, b"{}", base=gemini)
    assert answer.status == 200 and b"functionCall" in answer.read(), method
"#;
    record(&place, &[], client, None).ok();
    let calls = calls(&place);
    assert_eq!(calls.len(), 2, "{calls:?}");
    for ((call, process), method) in calls.iter().zip(["generateContent", "streamGenerateContent"]) {
        assert_eq!((call.vendor, &call.path), (LlmVendor::Gemini, &format!("/v1beta/models/gemini-test:{method}")));
        let reply = &call.reply;
        assert_eq!((reply.model.as_deref(), reply.stop_reason.as_deref()), (Some("gemini-test"), Some("STOP")));
        assert_eq!((reply.input_tokens, reply.output_tokens, process.is_some()), (Some(5), Some(6), true));
        assert_eq!(reply.tool_calls.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["ls"]);
    }
}

#[test]
fn connections_to_the_vendor_are_used_again() {
    if !has("connections_to_the_vendor_are_used_again", "python3") {
        return;
    }
    let place = Place::new();
    let client = r#"
peers = {json.loads(call("/echo").read())["peer"] for _ in range(20)}
print(len(peers))
"#;
    let said = record(&place, &[], client, None).ok();
    // One that is not back yet when the next call comes is no fault.
    let peers: usize = said.stdout.trim().parse().expect("a number");
    assert!(peers <= 4, "{peers} connections for 20 calls");
    assert_eq!(calls(&place).len(), 20);
}

#[test]
fn a_vendor_that_is_not_there_is_told_at_once() {
    if !has("a_vendor_that_is_not_there_is_told_at_once", "python3") {
        return;
    }
    let place = Place::new();
    place.write("client.py", format!("{CLIENT}\nanswer = call('/x')\nprint(answer.status, answer.read().decode())"));
    let mut command = place.command(["record", "-q", "--run", "r", "--llm-proxy", "--", "python3", "client.py"]);
    // Nobody listens on port 1 of this host.
    let begun = Instant::now();
    let said = Said::of(&command.env("OPENAI_BASE_URL", "http://127.0.0.1:1/v1").output_in_time()).ok();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(
        said.stdout.starts_with("502 ") && said.stdout.contains("http://127.0.0.1:1 can't be reached"),
        "{}",
        said.stdout
    );
    let (call, process) = calls(&place).remove(0);
    assert!(matches!(&call.outcome, LlmOutcome::Unreachable(why) if why.contains("refused")), "{call:?}");
    assert!(process.is_some() && call.response.is_none());
}

#[test]
fn a_client_that_goes_away_and_many_at_once() {
    if !has("a_client_that_goes_away_and_many_at_once", "python3") {
        return;
    }
    let place = Place::new();
    let client = r#"
begun = time.monotonic()
slow = call("/slow")
assert slow.read(8) and time.monotonic() - begun < 5, "the first event comes before the last"
time.sleep(0.3)
slow.close()
connections[-1].close()
threads = [threading.Thread(target=lambda n=n: call("/c%d" % n, b'{"n": %d}' % n).read()) for n in range(32)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
time.sleep(0.5)
"#;
    record(&place, &[], client, None).ok();
    let calls = calls(&place);
    assert_eq!(calls.len(), 33, "{calls:?}");
    let slow = &calls.iter().find(|(call, _)| call.path == "/slow").expect("it is there").0;
    assert_eq!(slow.outcome, LlmOutcome::Cancelled(200));
    assert!(slow.duration_us < 9_000_000, "it ends with the client: {slow:?}");
    let whole = calls.iter().filter(|(call, _)| call.outcome == LlmOutcome::Completed(200));
    assert_eq!(whole.count(), 32);
    let callers: Vec<Option<ProcessId>> = calls.iter().map(|(_, process)| *process).collect();
    assert!(callers[0].is_some() && callers.iter().all(|caller| *caller == callers[0]), "{callers:?}");
}

#[test]
fn no_call_is_said_and_a_wrong_base_refused() {
    let place = Place::new();
    place.run(["record", "-q", "--run", "r", "--llm-proxy", "--", "true"]).ok();
    let shown = place.run(["show", "r"]).ok().stdout;
    assert!(shown.contains("no call of a model passed the proxy"), "{shown}");
    let mut command = place.command(["record", "--llm-proxy", "--", "touch", "ran"]);
    let refused = Said::of(&command.env("ANTHROPIC_BASE_URL", "ftp://host").output_in_time());
    assert_eq!(refused.status, 125, "{}", refused.stderr);
    assert!(refused.stderr.contains("ANTHROPIC_BASE_URL has to begin with http"), "{}", refused.stderr);
    assert!(!place.work().join("ran").exists(), "the command is not started");
}

#[test]
fn a_vendor_behind_tls_is_checked() {
    let name = "a_vendor_behind_tls_is_checked";
    if !has(name, "python3") || !has(name, "openssl") {
        return;
    }
    let place = Place::new();
    let openssl = |line: &str| {
        let made = place.surround(Command::new("openssl").args(line.split(' '))).output_in_time();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    place.write("names", "subjectAltName=IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n");
    for authority in ["authority", "stranger"] {
        openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={authority} -keyout {authority}.key -out {authority}.pem"
        ));
        openssl(&format!("req -newkey rsa:2048 -nodes -subj /CN=vendor -keyout of-{authority}.key -out of.csr"));
        openssl(&format!(
            "x509 -req -in of.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial -days 2 -extfile names -out of-{authority}.pem"
        ));
    }
    let client = "print(call('/x').status, file=open('status', 'w'))";
    record(&place, &[], client, Some("of-authority")).ok();
    assert_eq!(place.read("status"), "200\n");
    record(&place, &[], client, Some("of-stranger")).ok();
    assert_eq!(place.read("status"), "502\n", "a stranger's certificate is no good");
    let outcomes: Vec<LlmOutcome> = calls(&place).into_iter().map(|(call, _)| call.outcome).collect();
    assert!(!matches!(outcomes[0], LlmOutcome::Unreachable(_)), "{outcomes:?}");
    assert!(matches!(&outcomes[1], LlmOutcome::Unreachable(why) if why.contains("certificate")), "{outcomes:?}");
}

/// An agent that asks the scripted model what to do, does it, and says so in its hooks.
const AGENT: &str = r#"
import json, os, subprocess, time, urllib.request
def ask(messages):
    body = json.dumps({"model": "m-test", "stream": True, "tools": [{}], "messages": messages}).encode()
    request = urllib.request.Request(os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages?beta=true", body)
    with urllib.request.urlopen(request) as answer:
        time.sleep(0.3) # as long as a short stream lasts
        return [json.loads(line[6:]) for line in answer.read().decode().splitlines() if line.startswith("data: ")]
def hook(event, call, command):
    message = {"session_id": "s1", "cwd": os.getcwd(), "hook_event_name": event, "tool_name": "Bash",
               "tool_input": {"command": command}, "tool_use_id": call}
    subprocess.run([os.environ["PROGRAM"], "hook", "claude"], input=json.dumps(message).encode(), check=True)
messages = []
for _ in range(3):
    events = ask(messages)
    blocks = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    for block in [block for block in blocks if block["type"] == "tool_use"]:
        parts = [event["delta"]["partial_json"] for event in events if event.get("delta", {}).get("type") == "input_json_delta"]
        command = json.loads("".join(parts))["command"]
        hook("PreToolUse", block["id"], command)
        subprocess.run(["sh", "-c", command], check=True)
        hook("PostToolUse", block["id"], command)
        messages.append({"role": "assistant", "content": [block]})
"#;

#[test]
fn what_a_response_asked_for_is_tied_to_what_it_caused() {
    if !has("what_a_response_asked_for_is_tied_to_what_it_caused", "python3") {
        return;
    }
    let place = Place::new();
    place.write("agent.py", AGENT);
    let step = |id: &str, command: &str| json!([{"id": id, "name": "Bash", "input": {"command": command}}]);
    let script = json!({"steps": [step("toolu_a", "echo one >one.txt"), step("toolu_b", "echo two >two.txt")]});
    place.write("script.json", script.to_string());
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/model-server/model_server.py");
    let mut command = Command::new("python3");
    command.args([server, "script.json", "--", PROGRAM, "record", "-q", "--run", "r", "--llm-proxy"]);
    command.args(["--", "python3", "agent.py"]).env("PROGRAM", PROGRAM);
    Said::of(&place.surround(&mut command).output_in_time()).ok();

    let calls = calls(&place);
    let asked = |call: &LlmCall| call.reply.tool_calls.iter().map(|tool| tool.id.to_string()).collect::<Vec<_>>();
    let asked: Vec<Vec<String>> = calls.iter().map(|(call, _)| asked(call)).collect();
    assert_eq!(asked, [vec!["toolu_a".to_owned()], vec!["toolu_b".to_owned()], vec![]]);
    let stops: Vec<Option<&str>> = calls.iter().map(|(call, _)| call.reply.stop_reason.as_deref()).collect();
    assert_eq!(stops, [Some("tool_use"), Some("tool_use"), Some("end_turn")]);

    let explained = place.run(["graph", "explain", "--run", "r", "--tool-call", "toolu_b", "--json"]).ok().json();
    let edges = |kind: &str| -> Vec<Value> {
        let all = explained["causality_path"].as_array().expect("edges").iter();
        all.filter(|edge| edge["edge_type"] == kind).cloned().collect()
    };
    let (made, caused) = (edges("llm_call"), edges("llm_intent_caused"));
    assert_eq!(made.len(), 1, "{explained}");
    assert_eq!(made[0]["from_id"], calls[1].1.expect("the agent").to_string());
    assert!(!caused.is_empty() && caused.iter().all(|edge| edge["from_id"] == made[0]["to_id"]), "{caused:?}");
    let write = place
        .facts("r")
        .into_iter()
        .find(|fact| matches!(&fact.what, What::FileVersion(version) if version.path.lossy().ends_with("/two.txt")));
    let write = format!("runtime_event/{}", write.expect("it was written").id);
    assert!(caused.iter().any(|edge| edge["to_id"] == write), "{caused:?}");
    let told = place.run(["graph", "explain", "--run", "r", "--tool-call", "toolu_b"]).ok().stdout;
    assert!(told.contains("asked for by model m-test of anthropic"), "{told}");
}
