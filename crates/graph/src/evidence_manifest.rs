//! `evidence_manifest/v1`: one page that says what evidence a run has and which queries show it.

use crate::error::GraphError;
use crate::materialize::write_object;
use crate::objects::{Catalogue, Object, Objects, objects_before_manifest};
use crate::observe::{Document, SummaryBody, observe_summary, run_views};
use crate::result_set::{Pin, page_hash};
use crate::security::Standing;
use crate::timeline::{TimelineQuery, timeline};
use agentprov_model::schema;
use agentprov_store::{Reader, RunRow};
use serde::Serialize;
use std::collections::BTreeMap;

/// The contract's default for the objects that a manifest lists.
pub const DEFAULT_OBJECT_LIMIT: u64 = 25;
/// Evidence refs in the embedded summary: the contract's default.
const TOP: usize = 8;
/// Rows of the timeline page whose hash the manifest holds.
const TIMELINE_LIMIT: u64 = 100;

/// The document.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EvidenceManifest {
    /// `agentprovenance.evidence_manifest/v1`.
    pub schema_version: String,
    /// The run.
    pub run_id: String,
    /// Names query and state.
    pub result_set_id: String,
    /// Hash over the body.
    pub page_hash: String,
    /// The rest.
    #[serde(flatten)]
    pub body: ManifestBody,
}

/// The body.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ManifestBody {
    /// The log that all of this is drawn from.
    pub log: LogHead,
    /// Queries that show the evidence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query_refs: Vec<QueryRef>,
    /// The run in numbers.
    pub summary: Document<SummaryBody>,
    /// The timeline.
    pub timeline: TimelineSection,
    /// The objects.
    pub objects: ObjectSection,
    /// Judgements.
    pub security: SecuritySection,
    /// Commands that look closer.
    pub recommended_views: Vec<String>,
}

/// Size and root of a log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LogHead {
    /// Leaves.
    pub tree_size: u64,
    /// `sha256:` and the root.
    pub root: String,
}

/// A query and what it gave.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct QueryRef {
    /// Which.
    pub kind: &'static str,
    /// Schema of its document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<String>,
    /// The command.
    pub command: String,
    /// Names query and state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_set_id: Option<String>,
    /// Hash over its first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_hash: Option<String>,
    /// True where more pages follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_more: Option<bool>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The timeline in a manifest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TimelineSection {
    /// Schema of the timeline.
    pub schema_version: String,
    /// Facts of the run.
    pub event_count: u64,
    /// Names query and state.
    pub result_set_id: String,
    /// Hash over its first page.
    pub page_hash: String,
    /// Facts by lane.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lane_counts: BTreeMap<String, u64>,
    /// Queries that show it.
    pub query_refs: Vec<QueryRef>,
}

/// The objects in a manifest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ObjectSection {
    /// Schema of the object list.
    pub schema_version: String,
    /// Objects of the run.
    pub object_count: u64,
    /// True where more than the listed ones exist.
    pub has_more: bool,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Names query and state.
    pub result_set_id: String,
    /// Hash over the listed rows.
    pub page_hash: String,
    /// Bytes of the listed objects.
    pub total_bytes: u64,
    /// All objects by kind.
    pub by_type: BTreeMap<&'static str, u64>,
    /// The first ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub top_refs: Vec<ObjectRef>,
}

/// A pointer to an object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ObjectRef {
    /// Hash.
    pub hash: String,
    /// Kind.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it describes.
    pub source_id: String,
    /// Its file below the data dir.
    pub path: String,
    /// Length of the file.
    pub size_bytes: u64,
}

/// Judgements in a manifest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SecuritySection {
    /// Risk signals.
    pub risk_count: u64,
    /// Responses.
    pub response_count: u64,
    /// `not_judged`: the zeros mean that nobody looked.
    pub state: &'static str,
}

/// A manifest that was written as an object.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct WrittenManifest {
    /// The manifest.
    pub manifest: EvidenceManifest,
    /// Hash of its object.
    pub object_hash: String,
    /// File of its object below the data dir.
    pub object_path: String,
}

/// The manifest of a run that lists at most `object_limit` objects; 0 for all.
///
/// # Errors
/// What the store says.
pub fn evidence_manifest(reader: &Reader, run: &RunRow, object_limit: u64) -> Result<EvidenceManifest, GraphError> {
    manifest_of(reader, run, &Catalogue::load(reader, run)?, object_limit)
}

/// Makes the manifest and writes its object below the data dir.
///
/// # Errors
/// What the store says, or when the file can't be written.
pub fn write_evidence_manifest(
    reader: &Reader,
    run: &RunRow,
    object_limit: u64,
) -> Result<WrittenManifest, GraphError> {
    let catalogue = Catalogue::load(reader, run)?;
    let manifest = manifest_of(reader, run, &catalogue, object_limit)?;
    let object = manifest_object(run, &catalogue, &manifest);
    write_object(reader.store().dir(), &object)?;
    Ok(WrittenManifest { manifest, object_hash: object.row.hash, object_path: object.row.path })
}

/// The object of a manifest; its parents are the attempts and what they did, but for the facts.
pub(crate) fn manifest_object(run: &RunRow, catalogue: &Catalogue<'_>, manifest: &EvidenceManifest) -> Object {
    Object::new(run, "evidence_manifest", run.id.as_str(), &catalogue.actor_hashes(), catalogue.began(), manifest)
}

pub(crate) fn manifest_of(
    reader: &Reader,
    run: &RunRow,
    catalogue: &Catalogue<'_>,
    object_limit: u64,
) -> Result<EvidenceManifest, GraphError> {
    let pin = Pin::head(run)?;
    let standing = Standing::of(reader, run)?;
    let summary = observe_summary(reader, run, TOP)?;
    let listed = objects_before_manifest(run, catalogue, object_limit)?;
    let timeline_ref = timeline_ref(reader, run)?;
    let objects_ref = QueryRef {
        kind: "objects",
        schema_version: Some(listed.schema_version.clone()),
        command: format!("graph objects --run {} --limit {object_limit} --json", run.id),
        result_set_id: Some(listed.result_set_id.clone()),
        page_hash: Some(listed.page_hash.clone()),
        has_more: Some(listed.has_more),
        next_cursor: listed.next_cursor.clone(),
    };
    let summary_ref = QueryRef {
        kind: "observability_summary",
        schema_version: Some(summary.schema_version.clone()),
        command: format!("observe summary --run {} --top {TOP} --json", run.id),
        result_set_id: Some(summary.result_set_id.clone()),
        page_hash: Some(summary.page_hash.clone()),
        has_more: None,
        next_cursor: None,
    };
    let body = ManifestBody {
        log: LogHead { tree_size: pin.size, root: format!("sha256:{}", pin.root.to_hex()) },
        query_refs: vec![
            summary_ref,
            timeline_ref.0.clone(),
            objects_ref,
            unjudged(run, "security_risks", "risk_signals", "risks"),
            unjudged(run, "security_responses", "response_actions", "responses"),
        ],
        timeline: TimelineSection {
            schema_version: schema::v1("timeline"),
            event_count: pin.size,
            result_set_id: timeline_ref.0.result_set_id.clone().unwrap_or_default(),
            page_hash: timeline_ref.0.page_hash.clone().unwrap_or_default(),
            lane_counts: timeline_ref.1,
            query_refs: vec![timeline_ref.0],
        },
        objects: object_section(listed, catalogue),
        security: SecuritySection {
            risk_count: standing.risks,
            response_count: standing.responses,
            state: standing.state,
        },
        summary,
        recommended_views: run_views(run),
    };
    let query = serde_json::json!(["evidence_manifest/v1", object_limit]).to_string();
    Ok(EvidenceManifest {
        schema_version: schema::v1("evidence_manifest"),
        run_id: run.id.to_string(),
        result_set_id: pin.result_set_id(&query, run),
        page_hash: page_hash(&body),
        body,
    })
}

fn timeline_ref(reader: &Reader, run: &RunRow) -> Result<(QueryRef, BTreeMap<String, u64>), GraphError> {
    let page = timeline(reader, run, &TimelineQuery { limit: TIMELINE_LIMIT, ..TimelineQuery::default() })?;
    let reference = QueryRef {
        kind: "timeline",
        schema_version: Some(page.schema_version),
        command: format!("timeline --run {} --limit {TIMELINE_LIMIT} --json", run.id),
        result_set_id: Some(page.result_set_id),
        page_hash: Some(page.page_hash),
        has_more: Some(page.has_more),
        next_cursor: page.next_cursor,
    };
    Ok((reference, page.summary.lane_counts))
}

fn unjudged(run: &RunRow, kind: &'static str, document: &str, command: &str) -> QueryRef {
    QueryRef {
        kind,
        schema_version: Some(schema::v1(document)),
        command: format!("security {command} --run {} --json", run.id),
        result_set_id: None,
        page_hash: None,
        has_more: None,
        next_cursor: None,
    }
}

fn object_section(listed: Objects, catalogue: &Catalogue<'_>) -> ObjectSection {
    let top_refs = listed.objects.iter().map(|row| ObjectRef {
        hash: row.hash.clone(),
        kind: row.kind,
        source_id: row.source_id.clone(),
        path: row.path.clone(),
        size_bytes: row.size_bytes,
    });
    ObjectSection {
        top_refs: top_refs.collect(),
        total_bytes: listed.objects.iter().map(|row| row.size_bytes).sum(),
        schema_version: listed.schema_version,
        object_count: listed.object_count,
        has_more: listed.has_more,
        next_cursor: listed.next_cursor,
        result_set_id: listed.result_set_id,
        page_hash: listed.page_hash,
        by_type: catalogue.by_type(),
    }
}
