//! What a posted line says about its author, and what that is worth.

use crate::settings::Settings;
use agentprov_model::Basis;
use agentprov_review::attribution::{Attribution, Claim, LineSide, Method};
use agentprov_review::change::{ChangedLine, LineChange};
use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// What a line's author rests on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineBasis {
    /// Nobody is named.
    Unknown,
    /// A signature of the named agent does not hold.
    Refuted,
    /// Somebody said so.
    Asserted,
    /// The named agent signed this content. The signature names no place: it may have been made for another.
    Signed,
    /// Evidence shows that the line is preserved from what was recorded.
    Derived,
    /// Evidence shows the recorded process that wrote the line.
    Observed,
}

impl LineBasis {
    /// Whether more than somebody's word stands behind it.
    pub const fn is_verified(self) -> bool {
        matches!(self, Self::Signed | Self::Derived | Self::Observed)
    }
}

/// What a line's author is worth, on the scale of the existing service.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Worth {
    /// 0 to 1.
    pub confidence: f64,
    /// What it rests on.
    pub basis: LineBasis,
}

/// A signature without content, or for a line that is gone, says less: nobody can see what was signed.
const UNSEEN: f64 = 0.5;

/// What each line's author is worth. Lines that name nobody get the owner that evidence shows.
pub fn weigh_all(lines: &mut [ChangedLine], attribution: &Attribution, settings: &Settings) -> Vec<Worth> {
    let mut owners: HashMap<(&str, u32, bool), &Claim> = HashMap::new();
    for file in &attribution.files {
        let owned = file.lines.iter().filter_map(|line| Some((line, attribution.owner(line)?)));
        let owned = owned.filter(|(_, claim)| claim.method != Method::Payload);
        owners.extend(
            owned.map(|(line, claim)| ((file.path.as_str(), line.line.get(), line.side == LineSide::Removed), claim)),
        );
    }
    let weigh_one = |line: &mut ChangedLine| {
        let said = weigh(line, settings);
        let place = (line.file_path.as_str(), line.line_number, line.change_type == LineChange::Deleted);
        let Some(claim) = owners.get(&place) else { return said };
        let named = claim.author.name().to_owned();
        let (nobody, same) = (line.attribution.agent_id.is_empty(), line.attribution.agent_id == named);
        if nobody {
            line.attribution.agent_id = named;
            line.attribution.agent_session_id.clone_from(&claim.session);
        }
        let basis = match claim.basis {
            Basis::Observed => LineBasis::Observed,
            Basis::Derived => LineBasis::Derived,
            Basis::Asserted => LineBasis::Asserted,
        };
        // Evidence outranks what was said, where it speaks of the one who was named.
        if nobody || (same && basis > said.basis) {
            Worth { confidence: claim.confidence.share(), basis }
        } else {
            said
        }
    };
    lines.iter_mut().map(weigh_one).collect()
}

/// Weighs a line's claim.
fn weigh(line: &ChangedLine, settings: &Settings) -> Worth {
    let agent = line.attribution.agent_id.as_str();
    let worth = |confidence, basis| Worth { confidence, basis };
    let content = line.content.as_deref().filter(|content| !content.is_empty());
    let hash = match content {
        Some(content) => Some(HEXLOWER.encode(&Sha256::digest(content))),
        None => line.content_sha256.as_ref().filter(|hash| !hash.is_empty()).map(|hash| hash.to_lowercase()),
    };
    let key = settings.agent_keys.get(&agent.to_lowercase());
    let signature = line.attestation_signature.as_deref().filter(|signature| !signature.is_empty());
    match (signature, hash) {
        _ if agent.is_empty() && signature.is_some() => worth(0.0, LineBasis::Refuted),
        (Some(_), Some(_)) if key.is_none() => worth(0.4, LineBasis::Asserted),
        (Some(signature), Some(hash)) => {
            let signature = BASE64.decode(signature.as_bytes()).unwrap_or_default();
            let holds = key.is_some_and(|key| key.signed_bytes(hash.as_bytes(), &signature));
            let seen = content.is_some() && line.change_type != LineChange::Deleted;
            match (holds, seen) {
                (false, _) => worth(0.0, LineBasis::Refuted),
                (true, true) => worth(1.0, LineBasis::Signed),
                (true, false) => worth(UNSEEN, LineBasis::Asserted),
            }
        }
        _ if agent.is_empty() => worth(0.0, LineBasis::Unknown),
        _ if key.is_some() => worth(0.2, LineBasis::Asserted),
        _ => worth(0.5, LineBasis::Asserted),
    }
}
