//! One line about a telemetry event.

use super::{command_line, outcome, visible, visible_text};
use agentprov_model::TelemetryEvent;
use agentprov_model::telemetry::{NetworkSeen, TelemetryBody};

/// What happened, in one line.
pub(super) fn telemetry(event: &TelemetryEvent) -> String {
    let kind = event.event_type().name();
    let object = match &event.body {
        TelemetryBody::Exec(exec) => return command_line(&exec.argv),
        TelemetryBody::Exit(exit) => {
            return exit.outcome.as_ref().map_or_else(|| "ended; how was not seen".to_owned(), outcome);
        }
        TelemetryBody::File(file) => match &file.path2 {
            Some(second) => format!("{} to {}", visible(&file.path), visible(second)),
            None => visible(&file.path),
        },
        TelemetryBody::Network(network) => other_end(network),
        TelemetryBody::Dns(dns) => visible_text(&dns.host),
        TelemetryBody::Tls(tls) => visible_text(tls.host.as_deref().unwrap_or_default()),
        TelemetryBody::Privilege(privilege) => visible_text(&privilege.call),
        TelemetryBody::Pressure(pressure) => visible_text(pressure.resource.as_deref().unwrap_or_default()),
        TelemetryBody::Verdict(verdict) => visible_text(&verdict.verdict),
        TelemetryBody::Process(process) => process.command.as_ref().map(visible).unwrap_or_default(),
        TelemetryBody::Tree(tree) => tree.command.as_ref().map(visible).unwrap_or_default(),
        TelemetryBody::Map(map) => map.path.as_ref().map(visible).unwrap_or_default(),
        TelemetryBody::Spawn(spawn) => spawn.child.map(|pid| format!("pid {pid}")).unwrap_or_default(),
    };
    if object.is_empty() { kind.to_owned() } else { format!("{kind} {object}") }
}

fn other_end(network: &NetworkSeen) -> String {
    let place = match (&network.ip, &network.host) {
        (Some(ip), _) => ip.to_string(),
        (None, Some(host)) => visible_text(host),
        (None, None) => "an unknown address".to_owned(),
    };
    network.port.map_or_else(|| place.clone(), |port| format!("{place} port {port}"))
}
