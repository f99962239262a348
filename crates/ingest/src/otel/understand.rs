//! From spans and log records to what an agent declares, by the conventions for generative AI and the names of known agents.

use super::{Record, Signal};
use crate::hooks::declare_told;
use agentprov_model::declared::{Agent, CallEnded, CallStarted, CommandKey, Declared, Deed, PARENT_SPAN, ToolInput};
use agentprov_model::{EventTime, OsBytes};
use serde_json::{Map, Value, json};

/// Beginnings of service names, and whose they are.
const SERVICES: [(&str, Agent); 5] = [
    ("claude-code", Agent::Claude),
    ("codex", Agent::Codex),
    ("gemini-cli", Agent::Gemini),
    ("cursor", Agent::Cursor),
    ("copilot", Agent::Copilot),
];

const SESSION: &[&str] = &["gen_ai.conversation.id", "session.id", "conversation.id"];
const MODEL: &[&str] = &["gen_ai.response.model", "gen_ai.request.model", "model"];
const CALL_ID: &[&str] = &["gen_ai.tool.call.id", "tool_use_id", "call_id"];
const TOOL: &[&str] = &["gen_ai.tool.name", "tool_name", "function_name"];
const ARGUMENTS: &[&str] = &["gen_ai.tool.call.arguments", "tool_input", "arguments", "function_args"];
const RESULT: &[&str] = &["gen_ai.tool.call.result", "tool_output", "output"];
const PROMPT: &[&str] = &["prompt"];

/// Fields that hold what people and models say: named by hash and length, however short they are.
const SAID: [&str; 6] = [
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.tool.description",
    "tool_parameters",
];

/// What one record tells: the time and the declaration, each under a name that tells them apart.
pub(super) struct Told {
    pub(super) at: EventTime,
    pub(super) part: &'static str,
    pub(super) declared: Declared,
}

/// What a record tells of an agent; nothing where it is about something else.
pub(super) fn understand(record: &Record, key: &CommandKey) -> Vec<Told> {
    let Some(agent) = agent(record) else { return Vec::new() };
    let reading = Reading { record, agent, key };
    match record.signal {
        Signal::Span { from, to, failed } if reading.is_tool_span() => reading.tool_span(from, to, failed),
        Signal::Span { from, .. } => vec![Told { at: from, part: "span", declared: reading.other() }],
        Signal::Log { at } => vec![Told { at, part: "log", declared: reading.log() }],
    }
}

/// Whose record it is; None where nothing says that an agent or a model is concerned.
fn agent(record: &Record) -> Option<Agent> {
    let service = record.resource.get("service.name").and_then(Value::as_str).unwrap_or_default();
    let lower = service.to_ascii_lowercase();
    let known = SERVICES.iter().find(|(name, _)| lower.starts_with(name) || lower.ends_with(name));
    let speaks_of_models = || record.attributes.keys().any(|name| name.starts_with("gen_ai."));
    known.map(|(_, agent)| *agent).or_else(|| speaks_of_models().then_some(Agent::Other))
}

struct Reading<'r> {
    record: &'r Record,
    agent: Agent,
    key: &'r CommandKey,
}

impl Reading<'_> {
    fn text(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.record.attributes.get(*name)?.as_str())
    }

    fn is_tool_span(&self) -> bool {
        let operation = self.text(&["gen_ai.operation.name"]);
        operation == Some("execute_tool")
            || self.record.name == "claude_code.tool"
            // A model's span can name the calls that it asks for; those are not run by it.
            || (operation.is_none() && self.text(CALL_ID).is_some() && self.text(TOOL).is_some() && self.is_plain())
    }

    /// Claude Code's tool spans have parts, which repeat the id of the whole.
    fn is_plain(&self) -> bool {
        !self.record.name.starts_with("claude_code.tool.")
    }

    fn tool_span(&self, from: EventTime, to: EventTime, failed: bool) -> Vec<Told> {
        let begun = self.declare("PreToolUse", self.call());
        let failed = failed || self.record.attributes.contains_key("error.type");
        let mut message = self.rest();
        message.extend(self.call());
        if let Some(result) = RESULT.iter().find_map(|name| self.record.attributes.get(*name)) {
            message.insert("tool_response".to_owned(), result.clone());
        }
        message.insert("duration_ms".to_owned(), json!(to.since(from).max(0) / 1_000_000));
        let ended = self.declare(if failed { "PostToolUseFailure" } else { "PostToolUse" }, message);
        vec![Told { at: from, part: "begin", declared: begun }, Told { at: to, part: "end", declared: ended }]
    }

    /// What says that a hook would have told it: results and refusals of calls, and prompts. The rest stays an event.
    fn log(&self) -> Declared {
        let name = self.record.name.rsplit('.').next().unwrap_or_default();
        let mut message = self.rest();
        message.extend(self.call());
        match name {
            "tool_result" | "tool_call" if self.text(TOOL).is_some() => {
                let succeeded = self.flag("success") != Some(false);
                let refused = matches!(self.text(&["decision"]), Some("reject" | "denied"));
                let event = match (refused, succeeded) {
                    (true, _) => "PermissionDenied",
                    (false, true) => "PostToolUse",
                    (false, false) => "PostToolUseFailure",
                };
                if let Some(result) = RESULT.iter().find_map(|name| self.record.attributes.get(*name)) {
                    message.insert("tool_response".to_owned(), result.clone());
                }
                let lasted = self.record.attributes.get("duration_ms");
                let lasted = lasted.and_then(|value| value.as_f64().or_else(|| value.as_str()?.parse().ok()));
                message.insert("duration_ms".to_owned(), json!(lasted));
                message.insert("error".to_owned(), json!(self.text(&["error", "error_message"])));
                self.declare(event, message)
            }
            "tool_decision" if matches!(self.text(&["decision"]), Some("reject" | "denied")) => {
                self.declare("PermissionDenied", message)
            }
            "user_prompt" => {
                message.insert("prompt".to_owned(), json!(self.text(PROMPT)));
                self.declare("UserPromptSubmit", message)
            }
            _ => self.other(),
        }
    }

    fn other(&self) -> Declared {
        self.declare("", self.rest())
    }

    fn flag(&self, name: &str) -> Option<bool> {
        let value = self.record.attributes.get(name)?;
        value.as_bool().or_else(|| value.as_str()?.parse().ok())
    }

    /// The call in the form of a hook's message.
    fn call(&self) -> Map<String, Value> {
        let mut message = Map::new();
        for (field, names) in [("tool_name", TOOL), ("tool_use_id", CALL_ID)] {
            if let Some(text) = self.text(names) {
                message.insert(field.to_owned(), json!(text));
            }
        }
        if let Some(arguments) = self.arguments() {
            message.insert("tool_input".to_owned(), arguments);
        }
        message
    }

    /// What the call was given, where it is told and whole: some exporters cut it.
    fn arguments(&self) -> Option<Value> {
        let told = ARGUMENTS.iter().find_map(|name| self.record.attributes.get(*name))?;
        let whole = match told {
            Value::String(text) => serde_json::from_str(text).ok()?,
            other => other.clone(),
        };
        whole.is_object().then_some(whole)
    }

    /// The fields that have no place, what was said in them by hash.
    fn rest(&self) -> Map<String, Value> {
        let placed = [SESSION, MODEL, CALL_ID, TOOL, ARGUMENTS, RESULT, PROMPT].concat();
        let all = self.record.attributes.iter().filter(|(name, _)| !placed.contains(&name.as_str()));
        let kept = all.map(|(name, value)| {
            let said = SAID.contains(&name.as_str()) || name == "body" || name.contains("error");
            (name.clone(), if said { self.hashed(value) } else { value.clone() })
        });
        let service = self.record.resource.get("service.name").map(|name| ("service.name".to_owned(), name.clone()));
        let parent = self.record.parent.as_ref().map(|parent| (PARENT_SPAN.to_owned(), json!(parent.span_id())));
        kept.chain(service).chain(parent).collect()
    }

    fn hashed(&self, value: &Value) -> Value {
        let digest = match value {
            Value::String(text) => self.key.text(text.as_bytes()),
            other => self.key.text(other.to_string().as_bytes()),
        };
        json!({"keyed": digest.keyed.to_string(), "bytes": digest.bytes})
    }

    fn declare(&self, event: &str, mut message: Map<String, Value>) -> Declared {
        message.insert("hook_event_name".to_owned(), json!(event));
        message.insert("session_id".to_owned(), json!(self.text(SESSION)));
        message.insert("model".to_owned(), json!(self.text(MODEL)));
        let mut declared = declare_told(self.agent, message, self.key);
        declared.event.clone_from(&self.record.name);
        declared.trace.clone_from(&self.record.trace);
        let told = self.arguments().is_some();
        forget_input(&mut declared.deed, |input| told && is_placed(input));
        declared
    }
}

/// A call whose input was not told must not seem to have had another one than witnesses that know it say.
fn forget_input(deed: &mut Deed, known: impl Fn(&ToolInput) -> bool) {
    match deed {
        Deed::CallStarted(CallStarted { input, .. }) if !known(input) => *input = nameless(input),
        Deed::CallEnded(CallEnded { input, .. }) if !input.as_ref().is_some_and(known) => {
            *input = input.as_ref().map(nameless).filter(|input| *input != ToolInput::Other);
        }
        _ => {}
    }
}

/// What is left of an input that is not known: the name of an MCP tool tells enough.
fn nameless(input: &ToolInput) -> ToolInput {
    match input {
        ToolInput::Mcp { .. } => input.clone(),
        _ => ToolInput::Other,
    }
}

/// Paths name files only where the folder is known from which they are meant, and telemetry does not name it.
fn is_placed(input: &ToolInput) -> bool {
    let absolute = |path: &OsBytes| path.as_bytes().first() == Some(&b'/');
    match input {
        ToolInput::Paths(paths) => !paths.is_empty() && paths.iter().all(absolute),
        other => other.written().into_iter().all(absolute),
    }
}
