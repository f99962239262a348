//! Trailers and authors of commits.

use crate::attribution::agents::{agent_name, agent_of_account, agent_of_address, agent_of_trailer};
use crate::attribution::claim::{Author, Claim, Method};
use crate::change::CommitRow;
use agentprov_model::EventTime;

/// What a commit says about who wrote its lines. It speaks of the commit as a whole.
pub(crate) fn commit_claims(commit: &CommitRow) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    let mut add = |claim: Claim| {
        if !claims.iter().any(|known| known.author == claim.author && known.session == claim.session) {
            claims.push(claim);
        }
    };
    let short = commit.id.get(..12).unwrap_or(&commit.id);
    for (key, value) in trailers(&commit.message) {
        let Some(claim) = trailer_claim(key, value, short) else { continue };
        add(claim);
    }
    let (name, address) = &commit.author;
    if let Some(agent) = agent_of_account(name).or_else(|| agent_of_address(address)) {
        let said_in = format!("author of commit {short}");
        add(Claim::said(Method::CommitAuthor, Author::Agent(agent.to_owned()), said_in));
    }
    claims
}

/// The agent that a commit names, by trailers of its message or its author.
pub fn agent_of_commit(message: &str, author: &str, address: &str) -> Option<String> {
    let commit = CommitRow {
        id: String::new(),
        parents: Vec::new(),
        author: (author.to_owned(), address.to_owned()),
        time: EventTime::from_nanos(0),
        message: message.to_owned(),
    };
    commit_claims(&commit).first().map(|claim| claim.author.name().to_owned())
}

fn trailer_claim(key: &str, value: &str, commit: &str) -> Option<Claim> {
    let lower = key.to_ascii_lowercase();
    let said_in = format!("{key} of commit {commit}");
    let agent = |name: String| Claim::said(Method::CommitTrailer, Author::Agent(name), said_in.clone());
    match lower.as_str() {
        "co-authored-by" => {
            let (name, address) = value.rsplit_once('<')?;
            let known = agent_of_address(address.trim_end().trim_end_matches('>'))?;
            let model = name.trim().strip_prefix("Claude ").filter(|_| known == "claude-code");
            Some(Claim { model: model.map(str::to_owned), ..agent(known.to_owned()) })
        }
        "agent-id" => Some(agent(agent_name(value.split_ascii_whitespace().next()?))),
        "made-with" | "assisted-by" | "generated-by" => {
            // A free text: a known agent's name is one, others stay what they are.
            let name = value.split_once('<').map_or(value, |(name, _)| name).trim();
            (!name.is_empty()).then(|| agent(agent_name(name)))
        }
        other => {
            let known = agent_of_trailer(other)?;
            Some(Claim { session: Some(value.to_owned()), ..agent(known.to_owned()) })
        }
    }
}

/// Trailers of a message: lines `Key: value` of its last paragraph. A squash keeps those of the commits that it joins
/// further up, so every paragraph of nothing but trailers counts.
fn trailers(message: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    // The first paragraph is the subject.
    for paragraph in message.split("\n\n").skip(1) {
        let lines: Vec<&str> = paragraph.lines().filter(|line| !line.trim().is_empty()).collect();
        let parsed: Vec<Option<(&str, &str)>> = lines.iter().map(|line| trailer(line)).collect();
        if parsed.iter().all(Option::is_some) {
            found.extend(parsed.into_iter().flatten());
        }
    }
    found
}

fn trailer(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let well_formed = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (well_formed && !value.trim().is_empty()).then(|| (key, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentprov_model::EventTime;

    fn claims(message: &str, author: (&str, &str)) -> Vec<(String, Option<String>)> {
        let author = (author.0.to_owned(), author.1.to_owned());
        let time = EventTime::from_nanos(0);
        let commit = CommitRow { id: "a".repeat(40), parents: Vec::new(), author, time, message: message.into() };
        commit_claims(&commit).into_iter().map(|claim| (claim.author.name().to_owned(), claim.session)).collect()
    }

    #[test]
    fn known_agents_are_found_by_their_whole_identity() {
        let me = ("Jo", "jo@example.org");
        let of = |message| claims(message, me).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(of("Fix\n\nCo-Authored-By: Claude Opus 4.5 <noreply@anthropic.com>\n"), ["claude-code"]);
        assert_eq!(
            of("Fix\n\nCo-authored-by: Cursor <cursoragent@cursor.com>\nAgent-ID: codex x"),
            ["cursor", "codex"]
        );
        assert_eq!(of("Fix\n\nCo-authored-by: Claude Shannon <claude@bell.example>"), [""; 0]);
        assert_eq!(of("Agent-ID: codex"), [""; 0]);
        assert_eq!(of("Fix\n\nIt said:\nAgent-ID: codex\nand more"), [""; 0]);
        assert_eq!(of("Squash\n\nAgent-ID: codex\n\n* other\n\nMade-with: Cursor"), ["codex", "cursor"]);
    }

    #[test]
    fn sessions_and_accounts_are_kept() {
        let message = "Fix\n\nClaude-Session: https://example.org/s/1";
        let found = claims(message, ("copilot-swe-agent[bot]", "x@y"));
        let expected = [
            ("claude-code".to_owned(), Some("https://example.org/s/1".to_owned())),
            ("github-copilot".to_owned(), None),
        ];
        assert_eq!(found, expected);
    }
}
