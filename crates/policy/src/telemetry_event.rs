//! What a rule can see of an event that a sensor reported.

use crate::event::PolicyEvent;
use agentprov_model::telemetry::{FileAction, FileSeen, NetworkSeen, PrivilegeSeen, TelemetryBody, TelemetryEvent};
use agentprov_model::{Access, CallResult, OsBytes};

impl PolicyEvent {
    /// Takes what a sensor saw; false for events that no rule speaks of.
    pub(crate) fn take_telemetry(&mut self, event: &TelemetryEvent) -> bool {
        self.failed = matches!(event.result, CallResult::Errno(_));
        self.scope.session = event.scope.session.as_ref().map(ToString::to_string).or(self.scope.session.take());
        self.scope.attempt = event.scope.attempt.as_ref().map(ToString::to_string).or(self.scope.attempt.take());
        self.scope.tool_call = event.scope.tool_call.as_ref().map(ToString::to_string).or(self.scope.tool_call.take());
        self.user = event.identity.uid.or(self.user);
        match &event.body {
            TelemetryBody::Exec(exec) => {
                self.args = exec.argv.iter().map(lossy).collect();
                let exe = exec.path.as_ref().or(event.identity.exe.as_ref());
                self.exe = exe.map(lossy);
            }
            TelemetryBody::File(file) => self.take_file(file),
            TelemetryBody::Network(call) => self.take_network(call),
            TelemetryBody::Dns(dns) => self.take_destination(&dns.host),
            TelemetryBody::Tls(tls) => match &tls.host {
                Some(host) => self.take_destination(host),
                None => return false,
            },
            TelemetryBody::Privilege(call) => self.take_set_id(call),
            TelemetryBody::Tree(_) | TelemetryBody::Pressure(_) | TelemetryBody::Verdict(_) | TelemetryBody::Map(_) => {
            }
            TelemetryBody::Exit(_) | TelemetryBody::Spawn(_) | TelemetryBody::Process(_) => return false,
        }
        true
    }

    fn take_file(&mut self, file: &FileSeen) {
        self.paths.push(file.path.clone());
        self.paths.extend(file.given.clone());
        self.paths.extend(file.path2.clone());
        let access = file.access;
        self.reads = match file.action {
            FileAction::Read | FileAction::Link => true,
            FileAction::Open => access.is_none_or(|access| matches!(access, Access::Read | Access::ReadWrite)),
            _ => false,
        };
        self.writes = match file.action {
            FileAction::Open => access.is_some_and(Access::writes),
            FileAction::Read => false,
            _ => true,
        };
    }

    fn take_network(&mut self, call: &NetworkSeen) {
        self.dst_ip = call.ip;
        self.dst_port = call.port;
        self.dst = call.host.clone().or_else(|| call.ip.map(|ip| ip.to_string()));
    }

    fn take_set_id(&mut self, call: &PrivilegeSeen) {
        self.args.push(call.call.clone());
        if self.user == Some(0) {
            return;
        }
        if call.uid == Some(0) && call.call == "setuid" {
            self.args.push("setuid_root".to_owned());
        }
        if call.gid == Some(0) && call.call == "setgid" {
            self.args.push("setgid_root".to_owned());
        }
    }
}

fn lossy(text: &OsBytes) -> String {
    text.lossy().into_owned()
}
