//! Writes the evidence of a change.

use crate::attribution::claim::{Attribution, Claim, ClaimId, Deed, FileAttribution, LineAttribution, Method};
use crate::attribution::evidence::document::{
    Document, FactPart, FactRef, FilePart, LinesPart, LogPart, PAYLOAD_TYPE, Unsigned, schema,
};
use crate::change::{Change, ChangedFile, Origin};
use agentprov_attest::{Envelope, base64};
use agentprov_graph::attempts::attempts;
use agentprov_graph::verify::Prover;
use agentprov_graph::{GraphError, ProcessTable};
use agentprov_log::{Hash, SignerKey};
use agentprov_model::{Fact, RunId, What};
use agentprov_store::{Reader, RunRow, Seq};
use std::collections::{BTreeMap, BTreeSet};

/// Why no evidence can be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The change is not one between commits, so that nobody else could tell which it is.
    #[error("evidence is written for a range of commits only")]
    NoRange,
    /// The store could not be read, or a fact can't be proved.
    #[error("the recordings could not be read: {0}")]
    Recordings(#[from] GraphError),
    /// A fact that the attribution names is not there.
    #[error("run '{run}' has no usable fact {seq}")]
    NoFact {
        /// Run.
        run: String,
        /// Leaf.
        seq: Seq,
    },
    /// It can't be written as JSON.
    #[error("the evidence can't be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// The file for the recorded lines of a change: one line of JSON, signed where a key is given.
///
/// # Errors
/// [`ExportError`].
pub fn export(
    change: &Change,
    attribution: &Attribution,
    reader: &Reader,
    signer: Option<&SignerKey>,
) -> Result<String, ExportError> {
    let Origin::Range { base, head, tree } = &change.origin else { return Err(ExportError::NoRange) };
    let mut keys: Vec<String> = reader.store().verifier_keys().map_err(GraphError::from)?.iter().map(text).collect();
    let own = signer.map(|key| key.verifier().to_string()).filter(|own| !keys.contains(own));
    keys.extend(own);
    let mut collector = Collector { reader, logs: Vec::new(), places: BTreeMap::new() };
    let mut files = Vec::new();
    for (file, lines) in change.files.iter().zip(&attribution.files) {
        files.extend(file_part(&mut collector, file, lines, attribution)?);
    }
    let logs = collector.logs.iter().map(|log| log.part(reader)).collect::<Result<_, _>>()?;
    let (base, head, tree) = (base.clone(), head.clone(), tree.clone());
    let document = Document { schema_version: schema(), base, head, tree, keys, logs, files };
    let mut line = match signer {
        Some(key) => Envelope::sign(PAYLOAD_TYPE, serde_json::to_vec(&document)?, key).to_json()?,
        None => serde_json::to_string(&Unsigned::new(document)?)?,
    };
    line.push('\n');
    Ok(line)
}

fn text(key: &agentprov_log::VerifierKey) -> String {
    key.to_string()
}

fn file_part(
    collector: &mut Collector<'_>,
    file: &ChangedFile,
    lines: &FileAttribution,
    attribution: &Attribution,
) -> Result<Option<FilePart>, ExportError> {
    let mut parts: Vec<LinesPart> = Vec::new();
    for line in &lines.lines {
        let Some(part) = line_part(collector, line, attribution)? else { continue };
        match parts.last_mut() {
            Some(last) if continues(last, &part) => last.last = part.last,
            _ => parts.push(part),
        }
    }
    let blob = |side: &crate::change::Side| side.blob.map(|blob| blob.to_string());
    let (blob, old_blob) = (blob(&file.new), blob(&file.old));
    Ok((!parts.is_empty()).then(|| FilePart { path: lines.path.clone(), blob, old_blob, lines: parts }))
}

fn continues(last: &LinesPart, next: &LinesPart) -> bool {
    last.side == next.side
        && last.last.get().checked_add(1) == Some(next.first.get())
        && last.claims == next.claims
        && last.earlier == next.earlier
}

fn line_part(
    collector: &mut Collector<'_>,
    line: &LineAttribution,
    attribution: &Attribution,
) -> Result<Option<LinesPart>, ExportError> {
    let claims = references(collector, &line.claims, attribution)?;
    if claims.is_empty() {
        return Ok(None);
    }
    let earlier = references(collector, &line.earlier, attribution)?;
    Ok(Some(LinesPart { side: line.side, first: line.line, last: line.line, claims, earlier }))
}

/// The recorded ones among the claims.
fn references(
    collector: &mut Collector<'_>,
    claims: &[ClaimId],
    attribution: &Attribution,
) -> Result<Vec<FactRef>, ExportError> {
    let mut found = Vec::new();
    for claim in claims.iter().map(|id| attribution.claim(*id)) {
        let recorded = matches!(claim.method, Method::RecordedVersion | Method::PreservedLine);
        if let Some(deed) = claim.deed.as_ref().filter(|_| recorded) {
            found.push(collector.reference(claim, deed)?);
        }
    }
    Ok(found)
}

/// Facts by log, each once.
struct Collector<'a> {
    reader: &'a Reader,
    logs: Vec<Log>,
    places: BTreeMap<String, usize>,
}

struct Log {
    run: RunRow,
    processes: ProcessTable,
    /// Number of the attempt and the fact with which it began.
    attempts: Vec<(agentprov_model::AttemptNo, Seq)>,
    facts: BTreeSet<Seq>,
}

impl Collector<'_> {
    fn reference(&mut self, claim: &Claim, deed: &Deed) -> Result<FactRef, ExportError> {
        let log = match self.places.get(&deed.run_id) {
            Some(place) => *place,
            None => self.open(deed)?,
        };
        let preserved = claim.method == Method::PreservedLine;
        if !self.logs[log].facts.contains(&deed.seq) {
            self.add(log, deed)?;
        }
        Ok(FactRef { log, seq: deed.seq, preserved })
    }

    fn open(&mut self, deed: &Deed) -> Result<usize, ExportError> {
        let absent = || ExportError::NoFact { run: deed.run_id.clone(), seq: deed.seq };
        let id: RunId = deed.run_id.parse().map_err(|_| absent())?;
        let run = self.reader.run(&id).map_err(GraphError::from)?.ok_or_else(absent)?;
        let processes = ProcessTable::load(self.reader, &run)?;
        let attempts = attempts(self.reader, &run)?.iter().map(|one| (one.no, one.started_seq)).collect();
        self.logs.push(Log { run, processes, attempts, facts: BTreeSet::new() });
        let place = self.logs.len() - 1;
        self.places.insert(deed.run_id.clone(), place);
        Ok(place)
    }

    /// The version, and what says who its writers were.
    fn add(&mut self, log: usize, deed: &Deed) -> Result<(), ExportError> {
        let log = &mut self.logs[log];
        let fact: Fact = self.reader.fact(log.run.no, deed.seq).map_err(GraphError::from)?;
        let What::FileVersion(version) = &fact.what else {
            return Err(ExportError::NoFact { run: deed.run_id.clone(), seq: deed.seq });
        };
        log.facts.insert(deed.seq);
        log.facts.extend(log.attempts.iter().filter(|(no, _)| *no == fact.attempt).map(|(_, seq)| *seq));
        for process in version.writers.iter().filter_map(|writer| log.processes.find(writer)) {
            let row = self.reader.event(log.run.no, &process.started_event).map_err(GraphError::from)?;
            log.facts.extend(row.map(|row| row.position.seq));
            log.facts.extend(process.exec_at(fact.at).map(|exec| exec.seq));
        }
        Ok(())
    }
}

impl Log {
    fn part(&self, reader: &Reader) -> Result<LogPart, ExportError> {
        let mut facts = Vec::with_capacity(self.facts.len());
        let prover = Prover::new(reader, &self.run)?;
        for seq in &self.facts {
            let (body, path) = prover.path(*seq)?;
            let proof = path.iter().map(Hash::to_base64).collect();
            facts.push(FactPart { seq: *seq, body: base64::encode(&body), proof });
        }
        Ok(LogPart { run_id: self.run.id.to_string(), checkpoint: self.run.checkpoint.clone(), facts })
    }
}
