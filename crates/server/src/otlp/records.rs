//! From messages to records, and what of them can't be taken.

use super::wire::{AnyValue, Held, KeyValue, LogRecord, Logs, Resource, Span, Traces};
use agentprov_ingest::otel::{Record, Signal};
use agentprov_model::EventTime;
use agentprov_model::declared::TraceParent;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Map, Value};

/// Status code of a span that failed.
const FAILED: i32 = 2;

/// What a request holds.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) records: Vec<Record>,
    /// How many can't be taken.
    pub(super) rejected: u64,
    /// Why, of the first of them.
    pub(super) why: Option<&'static str>,
}

impl Taken {
    fn take(&mut self, record: Result<Record, &'static str>) {
        match record {
            Ok(record) => self.records.push(record),
            Err(why) => {
                self.rejected += 1;
                self.why.get_or_insert(why);
            }
        }
    }
}

pub(super) fn of_traces(traces: Traces) -> Taken {
    let mut taken = Taken::default();
    for group in traces.resource_spans {
        let resource = resource(group.resource);
        for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            taken.take(of_span(span, &resource));
        }
    }
    taken
}

pub(super) fn of_logs(logs: Logs) -> Taken {
    let mut taken = Taken::default();
    for group in logs.resource_logs {
        let resource = resource(group.resource);
        for log in group.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
            taken.take(of_log(log, &resource));
        }
    }
    taken
}

fn of_span(span: Span, resource: &Map<String, Value>) -> Result<Record, &'static str> {
    let trace = trace(&span.trace_id, &span.span_id).ok_or("a span has no valid trace id and span id")?;
    let (from, to) = (time(span.start_time_unix_nano), time(span.end_time_unix_nano));
    let (from, to) = from.zip(to).ok_or("a span has no usable start and end")?;
    if to < from {
        return Err("a span ends before it begins");
    }
    let failed = span.status.is_some_and(|status| status.code == FAILED);
    Ok(Record {
        signal: Signal::Span { from, to, failed },
        name: span.name,
        attributes: map(span.attributes),
        resource: resource.clone(),
        parent: self::trace(&span.trace_id, &span.parent_span_id),
        trace: Some(trace),
    })
}

fn of_log(log: LogRecord, resource: &Map<String, Value>) -> Result<Record, &'static str> {
    let at = time(log.time_unix_nano).or_else(|| time(log.observed_time_unix_nano));
    let at = at.ok_or("a log record has no usable time")?;
    let mut attributes = map(log.attributes);
    let body = value(log.body);
    let named = Some(log.event_name).filter(|name| !name.is_empty());
    let told = || attributes.get("event.name").and_then(Value::as_str).map(str::to_owned);
    let name = named.or_else(told).or_else(|| name_in(&body)).unwrap_or_default();
    if !body.is_null() {
        attributes.insert("body".to_owned(), body);
    }
    let trace = trace(&log.trace_id, &log.span_id);
    Ok(Record { signal: Signal::Log { at }, name, attributes, resource: resource.clone(), trace, parent: None })
}

/// Some exporters have the event's name as the body.
fn name_in(body: &Value) -> Option<String> {
    let is_name = |text: &&str| {
        text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    body.as_str().filter(is_name).map(str::to_owned)
}

fn resource(resource: Option<Resource>) -> Map<String, Value> {
    map(resource.unwrap_or_default().attributes)
}

fn map(attributes: Vec<KeyValue>) -> Map<String, Value> {
    attributes.into_iter().map(|attribute| (attribute.key, value(attribute.value))).collect()
}

fn value(any: Option<AnyValue>) -> Value {
    match any.and_then(|any| any.held) {
        None => Value::Null,
        Some(Held::Text(text)) => text.into(),
        Some(Held::Flag(flag)) => flag.into(),
        Some(Held::Whole(number)) => number.into(),
        Some(Held::Real(number)) => number.into(),
        Some(Held::Several(items)) => items.values.into_iter().map(|item| value(Some(item))).collect(),
        Some(Held::Named(named)) => Value::Object(map(named.values)),
        Some(Held::Bytes(bytes)) => BASE64.encode(&bytes).into(),
    }
}

/// A time that is there and that a fact can hold.
fn time(nanos: u64) -> Option<EventTime> {
    i64::try_from(nanos).ok().filter(|nanos| *nanos > 0).map(EventTime::from_nanos)
}

fn trace(trace: &[u8], span: &[u8]) -> Option<TraceParent> {
    let valid = |id: &[u8], length: usize| id.len() == length && id.iter().any(|byte| *byte != 0);
    if !valid(trace, 16) || !valid(span, 8) {
        return None;
    }
    format!("00-{}-{}-01", HEXLOWER.encode(trace), HEXLOWER.encode(span)).parse().ok()
}
