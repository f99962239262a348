//! From YAML to rules.

use super::fields::Fields;
use super::spec::{Access, Cidr, Class, MatchSpec, Outcome, PortRange, RuleSpec, ScopeSpec};
use crate::command::WordPattern;
use crate::diagnostic::{Diagnostic, Report};
use crate::glob::PathGlob;
use crate::yaml::{Kind, Node, documents};
use agentprov_model::special::{
    DestinationClass, HostEntry, Network, NetworkEntry, PathEntry, PathPattern, Severity as SecretLevel, embedded_v4,
};
use agentprov_model::{ClassExtension, EventType, ResponseKind, RuleMode, Severity, Verdict};

const RULE_KEYS: &[&str] =
    &["id", "match", "decision", "reason", "mode", "severity", "response", "controls", "docs", "description"];
const FILE_KEYS: &[&str] = &["rules", "classify", "version"];
const CLASSIFY_KEYS: &[&str] = &["secrets", "not_secret", "metadata_ips", "metadata_hosts"];
const SECRET_KEYS: &[&str] = &["id", "level", "paths"];
const SCOPE_KEYS: &[&str] = &["run", "session", "attempt", "tool_call"];
/// Ids of the entries that a file adds without naming them.
const NOT_SECRET: &str = "not_secret";
const METADATA: &str = "metadata_of_rules";
const LEVELS: &[&str] = &["low", "medium", "high"];
/// Conditions of an exception: what describes an event. A fact that makes an event worse must not lift a rule.
const EXCEPT_KEYS: &[&str] = &["source", "path", "argv", "args_regex", "ancestor", "host", "cidr", "port", "user"];
/// Event types that only telemetry brings.
const TELEMETRY_TYPES: &[&str] =
    &["secret_path", "resource_pressure", "policy_verdict", "tls_write", "tls_read", "dns_query"];

/// What a rule file holds.
#[derive(Clone, Debug, Default)]
pub struct RuleFile {
    /// Its rules, in order.
    pub rules: Vec<RuleSpec>,
    /// What it adds to the table of special places.
    pub classes: ClassExtension,
}

/// Reads the text of a rule file. The file can be used when no diagnostic is an error.
pub fn parse(name: &str, text: &str) -> (RuleFile, Vec<Diagnostic>) {
    let mut report = Report::new(name);
    let mut file = RuleFile::default();
    for document in documents(text, &mut report) {
        read_document(&document, &mut file, &mut report);
    }
    if file.rules.is_empty() && report.diagnostics.is_empty() && file.classes.is_empty() {
        report.warning(Default::default(), "the file has no rules", Some("begin it with 'rules:'".into()));
    }
    (file, report.diagnostics)
}

/// A document is a mapping with `rules`, a list of rules, or one rule.
fn read_document(document: &Node, file: &mut RuleFile, report: &mut Report) {
    match &document.kind {
        Kind::List(rules) => rules.iter().for_each(|rule| read_rule(rule, file, report)),
        Kind::Map(pairs) if pairs.iter().any(|(key, _)| is_word(key, "id") || is_word(key, "match")) => {
            read_rule(document, file, report);
        }
        _ if document.is_null() => {}
        _ => {
            let Some(fields) = Fields::of(document, "a rule file", FILE_KEYS, report) else { return };
            fields.nodes("rules").iter().for_each(|rule| read_rule(rule, file, report));
            if let Some(node) = fields.get("classify") {
                read_classify(node, &mut file.classes, report);
            }
        }
    }
}

fn is_word(node: &Node, word: &str) -> bool {
    matches!(&node.kind, Kind::Scalar { text, .. } if text == word)
}

fn read_rule(node: &Node, file: &mut RuleFile, report: &mut Report) {
    let mistakes = report.diagnostics.len();
    let Some(fields) = Fields::of(node, "a rule", RULE_KEYS, report) else { return };
    let id = fields.text("id", report).unwrap_or_default();
    if id.is_empty() {
        report.error(fields.place, "the rule has no id", Some("add 'id: a_name_of_its_own'".into()));
    } else if file.rules.iter().any(|other| other.id == id) {
        report.error(fields.place, format!("a second rule has the id '{id}'"), Some("rename one of them".into()));
    }
    let when = match fields.get("match") {
        Some(when) => read_match(when, "match", MatchSpec::KEYS, report),
        None => None,
    };
    if when.as_ref().is_none_or(MatchSpec::is_empty) && report.diagnostics.len() == mistakes {
        let help = "name at least one condition, such as 'event_type: execve'".to_owned();
        report.error(fields.place, format!("rule '{id}' has no condition and would match every event"), Some(help));
    }
    let names: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.name()).collect();
    let decision = fields.words("decision", report, Verdict::from_name, &names).first().copied();
    if decision.is_none() && fields.get("decision").is_none() {
        let help = format!("add 'decision: ' and one of {}", names.join(", "));
        report.error(fields.place, format!("rule '{id}' has no decision"), Some(help));
    }
    let names: Vec<&str> = RuleMode::ALL.iter().map(|mode| mode.name()).collect();
    let mode = fields.words("mode", report, RuleMode::from_name, &names).first().copied().unwrap_or(RuleMode::Enforce);
    let names: Vec<&str> = Severity::ALL.iter().map(|severity| severity.name()).collect();
    let severity = fields.words("severity", report, Severity::from_name, &names).first().copied();
    let names: Vec<&str> = ResponseKind::ALL.iter().map(|kind| kind.name()).collect();
    let response = fields.words("response", report, ResponseKind::from_name, &names);
    let reason = fields.text("reason", report);
    let controls = fields.texts("controls", report).into_iter().map(|(text, _)| text.to_owned()).collect();
    let docs = fields.text("docs", report);
    let (Some(when), Some(decision)) = (when, decision) else { return };
    warn_about(&id, decision, &response, &fields, report);
    file.rules.push(RuleSpec {
        reason: reason.unwrap_or_else(|| id.replace('_', " ")),
        severity: severity.unwrap_or_else(|| decision.under(mode).severity()),
        response: if response.is_empty() { default_response(decision) } else { response },
        id,
        when,
        decision,
        mode,
        controls,
        docs,
    });
}

fn warn_about(id: &str, decision: Verdict, response: &[ResponseKind], fields: &Fields<'_>, report: &mut Report) {
    if decision == Verdict::Allow {
        let help = "the strictest rule wins; narrow the other rule with 'except'".to_owned();
        report.warning(fields.place, format!("rule '{id}' allows, which never lifts another rule"), Some(help));
    }
    let strongest = match response.iter().max() {
        Some(ResponseKind::Kill) => Verdict::Kill,
        Some(ResponseKind::Quarantine) => Verdict::Quarantine,
        Some(ResponseKind::Deny) => Verdict::Deny,
        _ => Verdict::Allow,
    };
    if strongest > decision {
        let message = format!("the response '{strongest}' is stronger than the decision '{decision}'");
        report.error(fields.place, message, Some(format!("write 'decision: {strongest}', or a milder response")));
    }
    let known = |name: &str| EventType::from_name(name).is_some() || TELEMETRY_TYPES.contains(&name);
    for (name, place) in fields.get("match").map_or_else(Vec::new, |node| event_types(node, report)) {
        if !known(&name) {
            let mut names: Vec<&str> = EventType::ALL.iter().map(|kind| kind.name()).collect();
            names.extend(TELEMETRY_TYPES);
            let help = crate::diagnostic::did_you_mean(&name, &names);
            report.warning(place, format!("nothing reports events of type '{name}'"), Some(help));
        }
    }
}

fn event_types(node: &Node, report: &mut Report) -> Vec<(String, crate::diagnostic::Place)> {
    let mut quiet = Report::new("");
    let Some(fields) = Fields::of(node, "match", MatchSpec::KEYS, &mut quiet) else { return Vec::new() };
    fields.texts("event_type", report).into_iter().map(|(text, place)| (text.to_owned(), place)).collect()
}

fn default_response(decision: Verdict) -> Vec<ResponseKind> {
    match decision {
        Verdict::Allow => Vec::new(),
        Verdict::Audit => vec![ResponseKind::Audit],
        Verdict::Deny => vec![ResponseKind::Deny],
        Verdict::Quarantine => vec![ResponseKind::Quarantine],
        Verdict::Kill => vec![ResponseKind::Kill],
    }
}

fn read_match(node: &Node, what: &str, known: &[&str], report: &mut Report) -> Option<MatchSpec> {
    let fields = Fields::of(node, what, known, report)?;
    let texts = |key: &str, report: &mut Report| -> Vec<String> {
        fields.texts(key, report).into_iter().map(|(text, _)| text.to_owned()).collect()
    };
    let words_ok = |text: &str| WordPattern::new(text).map(|_| text.to_owned());
    let any = fields.nodes("any").iter().filter_map(|node| read_match(node, "any", MatchSpec::KEYS, report)).collect();
    let except =
        fields.nodes("except").iter().filter_map(|node| read_match(node, "except", EXCEPT_KEYS, report)).collect();
    Some(MatchSpec {
        source: texts("source", report),
        event_type: texts("event_type", report),
        dst_ip: texts("dst_ip", report),
        private_cidr: fields.flag("private_cidr", report),
        path_contains: texts("path_contains", report),
        args_contains: texts("args_contains", report),
        class: fields.words("class", report, Class::from_name, Class::NAMES),
        argv_class: fields.words("argv_class", report, Class::from_name, Class::NAMES),
        secret_level: fields.words("secret_level", report, known_level, LEVELS),
        path: fields.each("path", report, |text| Some(PathGlob::new(text)), "a glob"),
        cidr: fields.each("cidr", report, Cidr::parse, "an address range such as 10.0.0.0/8"),
        port: fields.each("port", report, PortRange::parse, "a port or a range such as 8000-8099"),
        host: texts("host", report),
        argv: fields.each("argv", report, words_ok, "a command such as 'pip install'"),
        args_regex: read_regexes(&fields, report),
        user: fields.each("user", report, |text| text.parse().ok(), "a numeric user id"),
        ancestor: texts("ancestor", report),
        scope: fields.get("scope").and_then(|node| read_scope(node, report)),
        access: fields.words("access", report, Access::from_name, Access::NAMES),
        outcome: fields.words("outcome", report, Outcome::from_name, Outcome::NAMES).first().copied(),
        tainted: read_tainted(&fields, report),
        any,
        except,
    })
}

/// Only `true`: a rule that a taint lifts would soften when more is known.
fn read_tainted(fields: &Fields<'_>, report: &mut Report) -> Option<bool> {
    let tainted = fields.flag("tainted", report)?;
    if !tainted {
        let place = fields.get("tainted").map_or(fields.place, |node| node.place);
        let help = "a taint must never lift a rule; leave the key out".to_owned();
        report.error(place, "'tainted' can only be true", Some(help));
    }
    Some(tainted)
}

fn known_level(name: &str) -> Option<String> {
    LEVELS.contains(&name).then(|| name.to_owned())
}

fn read_regexes(fields: &Fields<'_>, report: &mut Report) -> Vec<String> {
    let mut sources = Vec::new();
    for (source, place) in fields.texts("args_regex", report) {
        match super::matcher::compile_regex(source) {
            Ok(_) => sources.push(source.to_owned()),
            Err(error) => {
                let last = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
                report.error(place, format!("'{source}' is no regular expression"), Some(last));
            }
        }
    }
    sources
}

fn read_scope(node: &Node, report: &mut Report) -> Option<ScopeSpec> {
    let fields = Fields::of(node, "scope", SCOPE_KEYS, report)?;
    let texts = |key: &str, report: &mut Report| -> Vec<String> {
        fields.texts(key, report).into_iter().map(|(text, _)| text.to_owned()).collect()
    };
    Some(ScopeSpec {
        run: texts("run", report),
        session: texts("session", report),
        attempt: texts("attempt", report),
        tool_call: texts("tool_call", report),
    })
}

fn read_classify(node: &Node, classes: &mut ClassExtension, report: &mut Report) {
    let Some(fields) = Fields::of(node, "classify", CLASSIFY_KEYS, report) else { return };
    let pattern = "a path pattern such as our-vault/ or *.pass";
    let read = |text: &str| text.parse::<PathPattern>().ok();
    for node in fields.nodes("secrets") {
        let Some(entry) = Fields::of(node, "an entry of secrets", SECRET_KEYS, report) else { continue };
        let Some(id) = entry.text("id", report) else {
            report.error(entry.place, "the entry has no id", None);
            continue;
        };
        let level = entry.words("level", report, level_of, LEVELS).first().copied().unwrap_or(SecretLevel::High);
        let paths = entry.each("paths", report, read, pattern).into_iter();
        classes.paths.extend(paths.map(|pattern| PathEntry { id: id.clone(), pattern, severity: Some(level) }));
    }
    let exempt = fields.each("not_secret", report, read, pattern).into_iter();
    classes.paths.extend(exempt.map(|pattern| PathEntry { id: NOT_SECRET.to_owned(), pattern, severity: None }));
    let network = |text: &str| match text.parse::<std::net::IpAddr>() {
        // Addresses are compared in the form to which they lead.
        Ok(ip) => Some(Network::single(embedded_v4(ip))),
        Err(_) => text.parse::<Network>().ok(),
    };
    let networks = fields.each("metadata_ips", report, network, "an IP address or a range").into_iter();
    let class = DestinationClass::Metadata;
    classes.networks.extend(networks.map(|network| NetworkEntry { id: METADATA.to_owned(), network, class }));
    let hosts = fields.texts("metadata_hosts", report).into_iter();
    classes.hosts.extend(hosts.map(|(host, _)| HostEntry { id: METADATA.to_owned(), host: host.to_owned(), class }));
}

fn level_of(name: &str) -> Option<SecretLevel> {
    SecretLevel::ALL.into_iter().find(|level| level.name() == name)
}
