//! Whatever may come: no panic, no hang, an answer for every line.

use crate::golden::every_line;
use agentprov_ingest::receivers::{DetectedFormat, Format, Received, Receivers, RowError};
use agentprov_model::ClassTable;
use proptest::prelude::*;
use serde_json::{Map, Value};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

fn receivers(format: Format, strict: bool) -> Receivers {
    Receivers::new(format, strict, Arc::new(ClassTable::builtin().clone()))
}

/// Keys that receivers look at, so that values of wrong types reach them.
const KEYS: &[&str] = &[
    "source",
    "output_fields",
    "process_exec",
    "process_exit",
    "process_kprobe",
    "process",
    "parent",
    "args",
    "event_type",
    "type",
    "time",
    "timestamp",
    "evt.type",
    "evt.rawtime",
    "evt.res",
    "evt.rawres",
    "fd.name",
    "fd.rip",
    "fd.sport",
    "proc.pid",
    "proc.cmdline",
    "path",
    "file",
    "dst_ip",
    "dst",
    "port",
    "argv",
    "command",
    "exit_code",
    "function_name",
    "sock_arg",
    "daddr",
    "dport",
    "file_arg",
    "exec_id",
    "docker",
    "pod",
    "call_name",
    "__time__",
    "http",
    "run_id",
    "event",
    "return",
    "int_arg",
    "string_arg",
    "rule",
    "priority",
    "rate_limit_info",
    "process_tracepoint",
    "payload",
    "uid",
    "gid",
    "verdict",
    "pid",
    "id",
];

const TEXTS: &[&str] = &[
    "",
    "<NA>",
    "execve",
    "openat",
    "connect",
    "process_exit",
    "setuid",
    "agentprov_ebpf",
    "loongcollector",
    "169.254.169.254",
    "[::1]:80",
    "a->b",
    "1.2.3.4:5->6.7.8.9:10",
    "../../..",
    "/",
    "\u{0}",
    "2024-02-30T00:00:00Z",
    "99999999999999999999",
    "-1",
    "tcp_connect",
    "__x64_sys_openat",
    "security_file_permission",
    "bm9kZTo6",
    "SIGKILL",
    "2024-01-01T00:00:00+99:99",
    "Falco internal: syscall event drop",
    "internal",
    "é€😀",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(TEXTS).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::vec((proptest::sample::select(KEYS), inner), 0..8).prop_map(|members| {
                Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
            }),
        ]
    })
}

fn formats() -> Vec<Format> {
    let fixed = DetectedFormat::ALL.into_iter().chain([DetectedFormat::Normalized]).map(Format::Fixed);
    std::iter::once(Format::Auto).chain(fixed).collect()
}

/// Rows in the real shapes of every source: what is nearly right reaches further in than what is not.
static REAL: LazyLock<Vec<String>> = LazyLock::new(every_line);

/// One change to a row.
#[derive(Clone, Debug)]
enum Damage {
    Cut(usize),
    Remove(usize, usize),
    Replace(usize, u8),
    Insert(usize, &'static str),
}

impl Damage {
    fn apply(&self, row: &mut Vec<u8>) {
        let place = |at: usize, row: &[u8]| at % (row.len() + 1);
        match *self {
            Self::Cut(at) => row.truncate(place(at, row)),
            Self::Remove(at, length) => {
                let from = place(at, row);
                row.drain(from..(from + length).min(row.len()));
            }
            Self::Replace(at, byte) => {
                let at = place(at, row);
                if let Some(found) = row.get_mut(at) {
                    *found = byte;
                }
            }
            Self::Insert(at, text) => {
                let at = place(at, row);
                row.splice(at..at, text.bytes());
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        any::<usize>().prop_map(Damage::Cut),
        (any::<usize>(), 1usize..30).prop_map(|(at, length)| Damage::Remove(at, length)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (any::<usize>(), proptest::sample::select(TEXTS)).prop_map(|(at, text)| Damage::Insert(at, text)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_json_gets_an_answer_from_every_receiver(row in value()) {
        let text = row.to_string();
        for format in formats() {
            let _ = receivers(format, false).read(1, text.as_bytes());
        }
    }

    #[test]
    fn damaged_rows_get_an_answer_from_every_receiver(
        row in (0..REAL.len()).prop_map(|index| REAL[index].clone()),
        damages in proptest::collection::vec(damage(), 1..4),
    ) {
        let mut bytes = row.into_bytes();
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        for format in formats() {
            let mut receivers = receivers(format, false);
            let _ = receivers.read(1, &bytes);
            let _ = receivers.finish();
        }
    }

    #[test]
    fn any_bytes_get_an_answer_from_every_receiver(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for format in formats() {
            let _ = receivers(format, true).read(1, &bytes);
        }
    }

    #[test]
    fn any_audit_line_gets_an_answer(
        kind in proptest::sample::select(&["SYSCALL", "EXECVE", "PATH", "SOCKADDR", "CWD", "URINGOP", "EOE", "DAEMON_END"][..]),
        serial in 0u8..3,
        rest in "[a-z0-9\\[\\]=\"' ()\u{1d}]{0,80}",
    ) {
        let mut receivers = receivers(Format::Auto, false);
        for _ in 0..3 {
            let line = format!("type={kind} msg=audit(1.0:{serial}): arch=c000003e syscall=59 argc=9 saddr=0200 {rest}");
            let _ = receivers.read(1, line.as_bytes());
        }
        let _ = receivers.finish();
    }
}

/// Whether an error is the one that a row should give.
type Expected = fn(&RowError) -> bool;

#[test]
fn hostile_rows_fail_by_name() {
    let deep = format!("{}1{}", "{\"a\":".repeat(500), "}".repeat(500));
    let cases: [(&[u8], Expected); 6] = [
        (b"{\"a\":\"\xff\"}", |error| matches!(error, RowError::Encoding(6))),
        (b"{\"output_fields\":{},\"output_fields\":{}}", |error| error.to_string().contains("stands twice")),
        (deep.as_bytes(), |error| matches!(error, RowError::Json(_))),
        (b"\0\0\0", |error| matches!(error, RowError::Json(_))),
        (b"{\"hello\":1}", |error| matches!(error, RowError::UnknownFormat)),
        (b"[1,2", |error| matches!(error, RowError::Json(_))),
    ];
    for (bytes, expected) in cases {
        let reading = receivers(Format::Auto, false).read(1, bytes);
        let error = reading.outcome.expect_err("it is refused");
        assert!(expected(&error), "{:?} gave {error}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn strict_refuses_application_context() {
    let row = br#"{"source":"agentprov_ebpf","event_type":"execve","command":"true","x":{"tool_call_id":"t"}}"#;
    let lax = receivers(Format::Auto, false).read(1, row);
    assert_eq!(lax.context, ["x.tool_call_id"]);
    match lax.outcome {
        Ok(Received::Event(draft)) => assert_eq!(draft.event.context_dropped, ["x.tool_call_id"]),
        other => panic!("{other:?}"),
    }
    let strict = receivers(Format::Auto, true).read(1, row);
    assert_eq!(strict.outcome, Err(RowError::Context(vec!["x.tool_call_id".to_owned()])));
}

/// Nothing in a row makes reading it take longer than its length does.
#[test]
fn large_rows_take_no_longer_than_their_length() {
    const MEMBERS: usize = 60_000;
    let many = |one: &dyn Fn(usize) -> String| (0..MEMBERS).map(one).collect::<Vec<_>>().join(",");
    let inside = [
        format!("\"output_fields\":{{{}}}", many(&|n| format!("\"k{n}\":{n}"))),
        format!("\"argv\":[{}]", many(&|n| format!("\"a{n}\""))),
        format!("\"x\":[{}]", many(&|n| format!("{{\"run_id\":{n}}}"))),
        format!("\"command\":\"{}\"", "\\\" ".repeat(MEMBERS)),
        format!("\"path\":\"{}\"", "../a/".repeat(MEMBERS)),
        format!("\"dst\":\"{}\"", "1.2.3.4:5->".repeat(MEMBERS)),
    ];
    for inside in inside {
        let row = format!("{{\"source\":\"agentprov_ebpf\",\"event_type\":\"execve\",{inside}}}");
        for format in formats() {
            let begun = Instant::now();
            let _ = receivers(format, false).read(1, row.as_bytes());
            let taken = begun.elapsed();
            // A square of the length would be minutes.
            assert!(taken < Duration::from_secs(10), "{format}: {taken:?} for {}...", &row[..80]);
        }
    }
    let exec = format!(
        "type=EXECVE msg=audit(1.0:1): argc={MEMBERS} {}",
        (0..MEMBERS).map(|n| format!("a{n}=\"x\" ")).collect::<String>()
    );
    let begun = Instant::now();
    let mut receivers = receivers(Format::Auto, false);
    let _ = receivers.read(1, exec.as_bytes());
    let _ = receivers.finish();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
