//! Who is told of decisions.

use crate::error::ServerError;
use crate::export::{Export, Sink, Webhook};
use crate::outgoing::Endpoint;
use crate::settings::refusal;

const URL: &str = "WEBHOOK_URL";
const KEY: &str = "WEBHOOK_KEY";
/// A shorter key could be guessed.
const SHORTEST_KEY: usize = 16;

/// From the variables, by name without the prefix. Nobody is told unless an address is named.
///
/// # Errors
/// [`ServerError::Setting`].
pub(super) fn webhook<'v>(
    get: impl Fn(&str) -> Option<&'v str>,
    base_url: Option<String>,
) -> Result<Option<Export>, ServerError> {
    let Some(url) = get(URL) else { return Ok(None) };
    let endpoint = Endpoint::parse(url).map_err(|why| refusal(URL, why))?;
    if endpoint.is_exposed() {
        return Err(refusal(URL, "what was found would go over the network in plain text; use https"));
    }
    let key = get(KEY).ok_or_else(|| refusal(KEY, "the notices have to be signed; share a key with the receiver"))?;
    if key.len() < SHORTEST_KEY {
        return Err(refusal(KEY, format!("it has to have {SHORTEST_KEY} bytes or more")));
    }
    let sink = Sink::Webhook(Webhook { endpoint, key: key.as_bytes().to_vec(), base_url });
    Ok(Some(Export { sink, batch: 1 }))
}
