//! What a model's response says of itself, while it passes: Anthropic Messages, OpenAI Responses and Chat Completions,
//! Gemini's contents; streamed or whole.

use agentprov_model::ToolCallId;
use agentprov_model::llm::{LlmReply, LlmToolCall};
use serde_json::Value;

/// A whole response is read up to this length, and so is one event of a stream.
const LONGEST: usize = 8 << 20;
/// Tool calls of one response that are named.
const MOST_TOOL_CALLS: usize = 64;
/// Names and reasons are cut to so many characters.
const LONGEST_NAME: usize = 200;

/// Reads one response.
pub struct ReplyReader {
    form: Form,
    reply: LlmReply,
    /// A line of a stream, or a whole response, as far as it came.
    pending: Vec<u8>,
    /// Data of the event that is not over.
    data: Vec<u8>,
    /// What does not fit is skipped: a line of a stream to its end, a whole response wholly.
    skipping: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Stream,
    Whole,
    Unread,
}

impl ReplyReader {
    /// For a response of this content type, packed this way where it is.
    pub fn new(content_type: Option<&str>, packing: Option<&str>) -> Self {
        let mut reply = LlmReply::default();
        let kind = content_type.and_then(|kind| kind.split(';').next()).map(str::trim).unwrap_or_default();
        let form = match packing {
            Some(encoding) => {
                reply.not_read = Some(format!("it is packed with {}", cut(encoding)));
                Form::Unread
            }
            _ if kind.eq_ignore_ascii_case("text/event-stream") => Form::Stream,
            _ if kind.eq_ignore_ascii_case("application/json") => Form::Whole,
            _ => Form::Unread,
        };
        Self { form, reply, pending: Vec::new(), data: Vec::new(), skipping: false }
    }

    /// Takes the next piece.
    pub fn take(&mut self, piece: &[u8]) {
        match self.form {
            Form::Stream => self.stream(piece),
            Form::Whole if self.skipping => {}
            Form::Whole => {
                self.skipping = !append(&mut self.pending, piece);
            }
            Form::Unread => {}
        }
    }

    /// What was found, at the end.
    pub fn finish(mut self) -> LlmReply {
        match self.form {
            Form::Stream => {
                let last = std::mem::take(&mut self.pending);
                self.line(&last);
                self.event();
            }
            Form::Whole if self.skipping => self.reply.not_read = Some("it is too long".to_owned()),
            Form::Whole => {
                let whole = std::mem::take(&mut self.pending);
                self.document(&whole);
            }
            Form::Unread => {}
        }
        self.reply
    }

    fn stream(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let fits = !self.skipping && append(&mut self.pending, part);
            self.skipping |= !fits;
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.pending);
                if std::mem::take(&mut self.skipping) {
                    self.reply.not_read = Some("an event is too long".to_owned());
                } else {
                    self.line(&line);
                }
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            self.event();
        } else if let Some(data) = line.strip_prefix(b"data:")
            && !(append(&mut self.data, data) && append(&mut self.data, b"\n"))
        {
            self.reply.not_read = Some("an event is too long".to_owned());
        }
    }

    fn event(&mut self) {
        let data = std::mem::take(&mut self.data);
        let data = data.trim_ascii();
        if !data.is_empty() && data != b"[DONE]" {
            self.document(data);
        }
    }

    fn document(&mut self, text: &[u8]) {
        match serde_json::from_slice::<Value>(text) {
            Ok(value) => self.value(&value),
            Err(error) if text.is_empty() => drop(error),
            Err(error) => self.reply.not_read = Some(format!("it is no JSON: {error}")),
        }
    }

    /// One event, or a whole response: whose it is shows by its fields.
    fn value(&mut self, value: &Value) {
        // Gemini's stream that is no event stream is one list of what would be its events.
        if let Value::Array(events) = value {
            for event in events.iter().filter(|event| event.is_object()) {
                self.value(event);
            }
            return;
        }
        // Anthropic's `message_start` and the Responses' `response.*` wrap the whole; the others are it.
        let body = value.get("message").or_else(|| value.get("response")).filter(|body| body.is_object());
        let body = body.unwrap_or(value);
        set(&mut self.reply.model, text(body, "model"));
        self.usage(body.get("usage"));
        // Where a response ended before its limit its status says no more than that.
        set(&mut self.reply.stop_reason, text(body, "stop_reason"));
        set(&mut self.reply.stop_reason, value.get("delta").and_then(|delta| text(delta, "stop_reason")));
        if text(body, "object").as_deref() == Some("response") {
            let reason = body.get("incomplete_details").and_then(|details| text(details, "reason"));
            let status = text(body, "status").filter(|status| status != "in_progress");
            set(&mut self.reply.stop_reason, reason.or(status));
        }
        for choice in list(body, "choices") {
            set(&mut self.reply.stop_reason, text(choice, "finish_reason"));
            let message = choice.get("message").or_else(|| choice.get("delta")).unwrap_or(&Value::Null);
            for call in list(message, "tool_calls") {
                self.tool_call(text(call, "id"), call.get("function").and_then(|function| text(function, "name")));
            }
        }
        let blocks = list(body, "content").iter().chain(value.get("content_block"));
        for block in blocks.filter(|block| text(block, "type").as_deref() == Some("tool_use")) {
            self.tool_call(text(block, "id"), text(block, "name"));
        }
        for item in list(body, "output").iter().chain(value.get("item")) {
            self.tool_call(text(item, "call_id"), text(item, "name"));
        }
        self.contents(body);
    }

    /// Gemini's fields, which share no name with those of others.
    fn contents(&mut self, body: &Value) {
        set(&mut self.reply.model, text(body, "modelVersion"));
        for candidate in list(body, "candidates") {
            set(&mut self.reply.stop_reason, text(candidate, "finishReason"));
            let parts = candidate.get("content").map_or(&[][..], |content| list(content, "parts"));
            for call in parts.iter().filter_map(|part| part.get("functionCall")) {
                self.tool_call(text(call, "id"), text(call, "name"));
            }
        }
        let Some(usage) = body.get("usageMetadata") else { return };
        let number = |name: &str| usage.get(name).and_then(Value::as_u64);
        set(&mut self.reply.input_tokens, number("promptTokenCount"));
        // Others count thoughts as output; here they stand beside it.
        let thoughts = number("thoughtsTokenCount");
        let output = number("candidatesTokenCount").or(thoughts.and(Some(0)));
        set(&mut self.reply.output_tokens, output.map(|output| output.saturating_add(thoughts.unwrap_or(0))));
    }

    fn usage(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage.filter(|usage| usage.is_object()) else { return };
        let number = |names: [&str; 2]| names.iter().find_map(|name| usage.get(*name)?.as_u64());
        set(&mut self.reply.input_tokens, number(["input_tokens", "prompt_tokens"]));
        set(&mut self.reply.output_tokens, number(["output_tokens", "completion_tokens"]));
    }

    fn tool_call(&mut self, id: Option<String>, name: Option<String>) {
        let (Some(id), Some(name)) = (id.and_then(|id| ToolCallId::new(id).ok()), name) else { return };
        let calls = &mut self.reply.tool_calls;
        if calls.iter().any(|known| known.id == id) {
            return;
        }
        if calls.len() < MOST_TOOL_CALLS {
            calls.push(LlmToolCall { id, name });
        } else {
            self.reply.not_read = Some(format!("it asks for more than {MOST_TOOL_CALLS} tool calls"));
        }
    }
}

/// False where it would become too long; nothing is added then.
fn append(to: &mut Vec<u8>, piece: &[u8]) -> bool {
    let fits = to.len() + piece.len() <= LONGEST;
    if fits {
        to.extend_from_slice(piece);
    } else {
        to.clear();
    }
    fits
}

/// Later events know better: the last value stands.
fn set<T>(place: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *place = value;
    }
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().filter(|text| !text.is_empty()).map(cut)
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST_NAME).collect()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cut anywhere, a response says the same.
    fn read(content_type: &str, text: &str) -> LlmReply {
        let mut replies = [1, 7, text.len()].map(|size| {
            let mut reader = ReplyReader::new(Some(content_type), None);
            text.as_bytes().chunks(size).for_each(|piece| reader.take(piece));
            reader.finish()
        });
        assert!(replies.windows(2).all(|two| two[0] == two[1]), "{replies:?}");
        std::mem::take(&mut replies[0])
    }

    /// Model, reason, tokens of both, ids and names of tool calls.
    type Said<'r> = (Option<&'r str>, Option<&'r str>, Option<u64>, Option<u64>, Vec<(&'r str, &'r str)>);

    fn said(reply: &LlmReply) -> Said<'_> {
        let calls = reply.tool_calls.iter().map(|call| (call.id.as_str(), call.name.as_str())).collect();
        (reply.model.as_deref(), reply.stop_reason.as_deref(), reply.input_tokens, reply.output_tokens, calls)
    }

    #[test]
    fn messages_streamed() {
        let stream = "event: message_start\r\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m-1\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\r\n\r\n\
            event: ping\ndata: {\"type\":\"ping\"}\n\n\
            data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"Bash\",\"input\":{}}}\n\n\
            data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":40}}\n\n\
            data: {\"type\":\"message_stop\"}\n\n";
        let reply = read("text/event-stream; charset=utf-8", stream);
        assert_eq!(said(&reply), (Some("m-1"), Some("tool_use"), Some(7), Some(40), vec![("toolu_1", "Bash")]));
        assert_eq!(reply.not_read, None);
    }

    #[test]
    fn responses_streamed_and_whole() {
        let whole = "{\"object\":\"response\",\"status\":\"completed\",\"model\":\"g\",\"output\":[{\"type\":\"function_call\",\"call_id\":\"call_1\",\"name\":\"exec_command\"}],\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}";
        let expected = (Some("g"), Some("completed"), Some(3), Some(4), vec![("call_1", "exec_command")]);
        assert_eq!(said(&read("application/json", whole)), expected);
        let item = "{\"type\":\"response.output_item.done\",\"item\":{\"type\":\"function_call\",\"call_id\":\"call_1\",\"name\":\"exec_command\",\"arguments\":\"{}\"}}";
        let stream = format!("data: {item}\n\ndata: {{\"type\":\"response.completed\",\"response\":{whole}}}\n\n");
        assert_eq!(said(&read("text/event-stream", &stream)), expected);
    }

    #[test]
    fn chat_completions_streamed_without_an_empty_line_at_the_end() {
        let stream = "data: {\"model\":\"g\",\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_2\",\"function\":{\"name\":\"ls\",\"arguments\":\"\"}}]}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n\
            data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":6}}\n\ndata: [DONE]";
        let expected = (Some("g"), Some("tool_calls"), Some(5), Some(6), vec![("call_2", "ls")]);
        assert_eq!(said(&read("text/event-stream", stream)), expected);
    }

    #[test]
    fn gemini_contents_whole_and_streamed_both_ways() {
        let whole = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"so\"},{\"functionCall\":{\"id\":\"fc_1\",\"name\":\"run_shell_command\",\"args\":{}}}],\"role\":\"model\"},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":4,\"thoughtsTokenCount\":30,\"totalTokenCount\":43},\"modelVersion\":\"gemini-test\"}";
        let expected = (Some("gemini-test"), Some("STOP"), Some(9), Some(34), vec![("fc_1", "run_shell_command")]);
        assert_eq!(said(&read("application/json; charset=UTF-8", whole)), expected);
        let first = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}],\"usageMetadata\":{\"promptTokenCount\":9,\"thoughtsTokenCount\":30},\"modelVersion\":\"gemini-test\"}";
        let thinking = (Some("gemini-test"), None, Some(9), Some(30), vec![]);
        assert_eq!(said(&read("text/event-stream", &format!("data: {first}\r\n\r\n"))), thinking);
        let stream = format!("data: {first}\r\n\r\ndata: {whole}\r\n\r\n");
        assert_eq!(said(&read("text/event-stream", &stream)), expected);
        assert_eq!(said(&read("application/json", &format!("[{first}\n,\r\n{whole}]"))), expected);
        let wrapped = format!("data: {{\"response\":{whole},\"traceId\":\"t\"}}\n\n");
        assert_eq!(said(&read("text/event-stream", &wrapped)), expected);
        let unnamed = whole.replace("\"id\":\"fc_1\",", "");
        assert_eq!(said(&read("application/json", &unnamed)).4, [], "a call without an id can't be tied to anything");
    }

    #[test]
    fn what_can_not_be_read_is_said() {
        let why = |reply: LlmReply| reply.not_read.expect("a reason");
        assert!(why(read("application/json", "{\"model\":")).contains("no JSON"));
        assert!(why(ReplyReader::new(Some("application/json"), Some("br")).finish()).contains("packed with br"));
        let mut reader = ReplyReader::new(Some("application/json"), None);
        reader.take(&vec![b' '; LONGEST]);
        reader.take(b"{}");
        assert!(why(reader.finish()).contains("too long"));
        let mut reader = ReplyReader::new(Some("text/event-stream"), None);
        reader.take(&vec![b'x'; LONGEST + 1]);
        reader.take(b"\ndata: {\"model\":\"after\"}\n\n");
        let reply = reader.finish();
        assert_eq!((reply.model.as_deref(), reply.not_read.is_some()), (Some("after"), true));
    }
}
