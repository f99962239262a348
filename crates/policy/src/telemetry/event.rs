//! What a rule can see of a reported event.

use crate::event::PolicyEvent;
use agentprov_model::telemetry::{FileAction, FileSeen, NetworkAction, NetworkSeen, PrivilegeSeen, TelemetryBody};
use agentprov_model::{Access, CallResult, Fact, OsBytes, TelemetryEvent, Vantage};

impl PolicyEvent {
    /// The reported event; `None` for those that no rule asks about.
    pub(crate) fn of_telemetry(fact: &Fact, told: &TelemetryEvent) -> Option<Self> {
        let mut event = Self {
            source: told.source.to_name(),
            event_type: fact.event_type().name().into(),
            user: told.identity.uid,
            ..Self::default()
        };
        let failed = matches!(told.result, CallResult::Errno(_));
        match &told.body {
            TelemetryBody::Exec(exec) => {
                event.args = exec.argv.iter().map(text).collect();
                event.exe = exec.path.as_ref().or(told.identity.exe.as_ref()).map(text);
                event.failed = failed;
            }
            TelemetryBody::File(file) => {
                event.take_file(file);
                event.failed = failed;
            }
            TelemetryBody::Network(network) => {
                event.take_network(network);
                event.failed = failed && network.action == NetworkAction::Bind;
            }
            TelemetryBody::Dns(dns) => event.take_destination(&dns.host),
            TelemetryBody::Tls(tls) => {
                if let Some(host) = &tls.host {
                    event.take_destination(host);
                }
            }
            TelemetryBody::Privilege(privilege) => {
                // That it was root already would lift the rule, and a claim lifts none.
                if fact.vantage == Vantage::Sdk {
                    event.user = None;
                }
                event.take_seen_privilege(privilege);
                event.failed = failed;
            }
            TelemetryBody::Pressure(pressure) => event.args.extend(pressure.resource.clone()),
            TelemetryBody::Tree(tree) => event.args.extend(tree.command.as_ref().map(text)),
            TelemetryBody::Map(map) => {
                event.paths.extend(map.path.clone());
                event.reads = true;
            }
            TelemetryBody::Verdict(_)
            | TelemetryBody::Process(_)
            | TelemetryBody::Exit(_)
            | TelemetryBody::Spawn(_) => return None,
        }
        event.scope.session = told.scope.session.clone().map(Into::into);
        event.scope.attempt = told.scope.attempt.clone().map(Into::into);
        event.scope.tool_call = told.scope.tool_call.clone().map(Into::into);
        Some(event)
    }

    fn take_file(&mut self, file: &FileSeen) {
        self.paths.push(file.path.clone());
        self.paths.extend(file.given.clone());
        self.paths.extend(file.path2.clone());
        (self.reads, self.writes) = match (file.action, file.access) {
            (FileAction::Open, Some(access)) => (matches!(access, Access::Read | Access::ReadWrite), access.writes()),
            // Unknown is not harmless: it may have been either. What a link names can be read through it.
            (FileAction::Open, None) | (FileAction::Link, _) => (true, true),
            (FileAction::Read, _) => (true, false),
            _ => (false, true),
        };
    }

    fn take_network(&mut self, network: &NetworkSeen) {
        match (network.ip, &network.host) {
            (Some(ip), _) => {
                self.dst = Some(ip.to_string());
                self.dst_ip = Some(ip);
            }
            (None, Some(host)) => self.take_destination(host),
            (None, None) => {}
        }
        self.dst_port = network.port.or(self.dst_port);
    }

    fn take_seen_privilege(&mut self, privilege: &PrivilegeSeen) {
        self.args.push(privilege.call.clone());
        self.args.extend(privilege.uid.map(|uid| format!("uid={uid}")));
        self.args.extend(privilege.gid.map(|gid| format!("gid={gid}")));
        self.args.extend(privilege.request.clone());
        if self.user == Some(0) {
            return;
        }
        if privilege.uid == Some(0) {
            self.args.push("setuid_root".to_owned());
        }
        if privilege.gid == Some(0) {
            self.args.push("setgid_root".to_owned());
        }
    }
}

fn text(bytes: &OsBytes) -> String {
    bytes.lossy().into_owned()
}
