//! What the service is and how it does.

use crate::export::Watch;
use crate::http::call::{Call, Handled, Reply, Shared, with_request_id};
use crate::http::docs_page;
use crate::http::openapi;
use crate::http::problem::Problem;
use agentprov_attest::key_id;
use serde_json::{Value, json};

/// `GET /healthz`: the process answers. It asks nobody.
pub(crate) fn health(_: &Shared, _: &Call) -> Handled {
    Ok(Reply::Json(200, json!({"status": "ok"})))
}

/// `GET /readyz`: it can take work and do it.
pub(crate) fn ready(shared: &Shared, _: &Call) -> Handled {
    let (waiting, running) = shared.with_queue(|queue| Ok(queue.open()?))?;
    let alive = shared.caller.alive();
    if alive < shared.workers {
        return Err(Problem::new(503, "not-ready", format!("{alive} of {} workers are alive", shared.workers)));
    }
    Ok(Reply::Json(200, json!({"status": "ready", "waiting": waiting, "running": running, "workers": alive})))
}

/// `GET /v1/export`: how handing on what analyses came to goes.
pub(crate) fn export(shared: &Shared, _: &Call) -> Handled {
    let mut document = progress(shared.watches.export.as_ref());
    document["webhook"] = progress(shared.watches.webhook.as_ref());
    with_request_id(document)
}

fn progress(watch: Option<&Watch>) -> Value {
    let progress = watch.map(Watch::progress).unwrap_or_default();
    json!({"enabled": watch.is_some(), "handed_over": progress.handed_over, "problem": progress.problem})
}

/// `GET /v1/detectors/capabilities`
pub(crate) fn capabilities(shared: &Shared, _: &Call) -> Handled {
    with_request_id(json!({"capabilities": shared.analyst.registry.capabilities()}))
}

/// `GET /v1/keys`: what decisions are verified with.
pub(crate) fn keys(shared: &Shared, _: &Call) -> Handled {
    let verifiers = shared.analyst.verifiers();
    let key = |key: &agentprov_log::VerifierKey| json!({"keyid": key_id(key), "name": key.name(), "vkey": key.to_string(), "pem": key.to_pem()});
    Ok(Reply::Json(200, json!({"keys": verifiers.iter().map(key).collect::<Vec<_>>()})))
}

/// `GET /openapi.json`
pub(crate) fn description(shared: &Shared, _: &Call) -> Handled {
    Ok(Reply::Bytes("application/json", openapi::text(&shared.analyst.settings.prefix).into_bytes()))
}

/// `GET /docs`
pub(crate) fn docs(shared: &Shared, _: &Call) -> Handled {
    Ok(Reply::Bytes("text/html; charset=utf-8", docs_page::page(&shared.analyst.settings.prefix).into_bytes()))
}
