//! The routes: one table, from which the router, the guards and the description are made.

use crate::http::call::{Call, Handled, Shared};
use crate::http::{analyses, analytics, findings, recordings, service};

/// A method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Reads.
    Get,
    /// Hands something in.
    Post,
}

impl Verb {
    /// As it stands in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What a parameter may be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Shape {
    /// Any text.
    Text,
    /// A time window.
    Window,
    /// A whole number within bounds.
    Whole(u64, u64),
    /// A whole number of 64 bits.
    Signed,
    /// A number from 0 on.
    Number,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// The name of a metric.
    Metric,
}

/// A parameter of the query.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub shape: Shape,
    /// What it does.
    pub meaning: &'static str,
}

/// A route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub verb: Verb,
    /// The path, `{id}` for what varies.
    pub path: &'static str,
    /// Its name in the description.
    pub id: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// It needs no token.
    pub open: bool,
    /// It never waits for anything, and is answered at once.
    pub instant: bool,
    /// Schema of the body, of a route that takes one.
    pub body: Option<&'static str>,
    /// A request can be given a name, and be sent again.
    pub repeatable: bool,
    /// Its parameters.
    pub query: &'static [Parameter],
    /// Status, media type and schema of the answer.
    pub answer: (u16, &'static str, &'static str),
    /// The problems that it has beside those that all have.
    pub problems: &'static [u16],
    pub(crate) handler: fn(&Shared, &Call) -> Handled,
}

impl Route {
    /// Every status that the route answers with, and what it means.
    pub fn statuses(&self) -> Vec<(u16, &'static str)> {
        let guards: &[u16] = if self.open { &[400, 403] } else { &[400, 401, 403, 500] };
        let all = [self.answer.0].into_iter().chain(guards.iter().copied()).chain(self.problems.iter().copied());
        let mut all: Vec<u16> = all.collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(|status| (status, meaning(status))).collect()
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        200 => "The answer.",
        202 => "It is accepted and kept; ask `status_url` for the decision.",
        400 => "The request is no HTTP request that is understood, or has no usable Host.",
        401 => "The bearer token is missing or wrong.",
        403 => "The request comes by another name or from a page of another origin.",
        404 => "There is none, or it is not decided yet.",
        408 => "The body did not arrive in time.",
        409 => "The `Idempotency-Key` was used before, for another change.",
        413 => "More than is taken.",
        415 => "The body is not `application/json`.",
        422 => "A parameter or field can't be taken; `detail` has the place of each.",
        429 => "As much waits as may; try again later.",
        500 => "The store can't be used.",
        503 => "It can't take work now.",
        _ => "See the problem.",
    }
}

const JSON: &str = "application/json";

const fn parameter(name: &'static str, shape: Shape, meaning: &'static str) -> Parameter {
    Parameter { name, shape, meaning }
}

const WINDOW: Parameter =
    parameter("time_window", Shape::Window, "How far back: digits and one of h, d, w. Default: the configured window.");
const AGENT: Parameter = parameter("agent_id", Shape::Text, "Only this agent; `unknown` for lines of nobody.");
const REPO: Parameter = parameter("repo", Shape::Text, "Only this repository.");
const BASIS: Parameter = parameter(
    "basis",
    Shape::OneOf(&["latest", "all_runs"]),
    "Count the latest analysis of each pull request (default), or all.",
);

const fn get(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    schema: &'static str,
    handler: fn(&Shared, &Call) -> Handled,
) -> Route {
    Route {
        verb: Verb::Get,
        path,
        id,
        summary,
        open: false,
        instant: false,
        body: None,
        repeatable: false,
        query: &[],
        answer: (200, JSON, schema),
        problems: &[],
        handler,
    }
}

const fn of_one(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    schema: &'static str,
    handler: fn(&Shared, &Call) -> Handled,
) -> Route {
    Route { problems: &[404], ..get(path, id, summary, schema, handler) }
}

const fn about_many(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    schema: &'static str,
    query: &'static [Parameter],
    handler: fn(&Shared, &Call) -> Handled,
) -> Route {
    Route { query, problems: &[422], ..get(path, id, summary, schema, handler) }
}

const fn recorded(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    query: &'static [Parameter],
    handler: fn(&Shared, &Call) -> Handled,
) -> Route {
    Route { query, problems: &[404, 422], ..get(path, id, summary, "Object", handler) }
}

/// All routes.
pub const ROUTES: &[Route] = &[
    Route {
        open: true,
        instant: true,
        ..get("/healthz", "healthz", "Whether the process answers.", "Health", service::health)
    },
    Route {
        open: true,
        problems: &[500, 503],
        ..get("/readyz", "readyz", "Whether it can take work and do it.", "Ready", service::ready)
    },
    Route {
        open: true,
        instant: true,
        ..get("/openapi.json", "openapi", "This description.", "Object", service::description)
    },
    Route {
        open: true,
        instant: true,
        answer: (200, "text/html; charset=utf-8", "Text"),
        ..get("/docs", "docs", "This description, for people.", "Text", service::docs)
    },
    Route {
        verb: Verb::Post,
        body: Some("AnalysisRequest"),
        repeatable: true,
        answer: (202, JSON, "Accepted"),
        problems: &[408, 409, 413, 415, 422, 429, 503],
        ..get("/v1/analysis", "submitAnalysis", "Hand in a change to be reviewed.", "Accepted", analyses::submit)
    },
    of_one("/v1/analysis/{id}", "getAnalysis", "Where an analysis stands.", "Analysis", analyses::show),
    of_one("/v1/analysis/{id}/decision", "getDecision", "What was decided.", "Decision", analyses::decision),
    of_one(
        "/v1/analysis/{id}/bundle",
        "getBundle",
        "The signed decision, in two forms.",
        "SignedDecision",
        analyses::bundle,
    ),
    Route {
        answer: (200, "application/sarif+json", "Object"),
        ..of_one("/v1/analysis/{id}/sarif", "getSarif", "The findings as SARIF 2.1.0.", "Object", analyses::sarif)
    },
    Route {
        query: &[
            parameter("offset", Shape::Whole(0, 4_294_967_295), "How many to leave out. Default: 0."),
            parameter("limit", Shape::Whole(1, 1000), "How many at most. Default: 100."),
        ],
        problems: &[404, 422],
        ..of_one("/v1/analysis/{id}/findings", "getFindings", "The findings, in pages.", "Findings", findings::list)
    },
    Route {
        verb: Verb::Post,
        body: Some("FindingWord"),
        problems: &[404, 408, 413, 415, 422, 503],
        ..get(
            "/v1/findings/{id}/status",
            "decideFinding",
            "Suppress a finding, or reopen it. It counts from the next analysis on; decisions that were made stay.",
            "FindingStatus",
            findings::decide,
        )
    },
    of_one(
        "/v1/analysis/{id}/input",
        "getInput",
        "The bytes that the decision's input digest is of.",
        "AnalysisRequest",
        analyses::input,
    ),
    get(
        "/v1/detectors/capabilities",
        "getCapabilities",
        "The engines, their versions and the digests of their rules.",
        "Capabilities",
        service::capabilities,
    ),
    get(
        "/v1/export",
        "getExport",
        "How handing analyses on to a file or database, and notices of them to a webhook, goes since the start.",
        "Export",
        service::export,
    ),
    get("/v1/keys", "getKeys", "The public keys that decisions are signed with.", "Keys", service::keys),
    about_many(
        "/v1/analytics/summary",
        "getSummary",
        "One metric over a window, by key and in all.",
        "Summary",
        &[
            WINDOW,
            parameter("metric", Shape::Metric, "Which metric. Default: the configured metric, risk_rate unless set."),
            parameter("group_by", Shape::OneOf(&["agent_id", "repo"]), "What rows are made by. Default: agent_id."),
            parameter("category", Shape::Text, "Only findings of this category."),
            AGENT,
            REPO,
            BASIS,
            parameter("missing", Shape::OneOf(&["null", "zero"]), "What stands for a value that was not measured."),
        ],
        analytics::summary,
    ),
    about_many(
        "/v1/analytics/agents/behavior",
        "getBehavior",
        "What each agent did.",
        "Behavior",
        &[
            WINDOW,
            AGENT,
            REPO,
            BASIS,
            parameter("top_categories", Shape::Whole(1, 10), "How many categories. Default: 3."),
        ],
        analytics::behavior,
    ),
    about_many(
        "/v1/analytics/review-alerts",
        "getReviewAlerts",
        "Overridden blocks and forced pushes after an approval.",
        "Alerts",
        &[WINDOW, parameter("threshold", Shape::Whole(1, 4_294_967_295), "From how many on. Default: 1.")],
        analytics::review_alerts,
    ),
    about_many(
        "/v1/analytics/review-load",
        "getReviewLoad",
        "Reviewers by agent.",
        "Load",
        &[WINDOW],
        analytics::review_load,
    ),
    about_many(
        "/v1/analytics/review-load/teams",
        "getTeamLoad",
        "Reviewers by team.",
        "Load",
        &[WINDOW],
        analytics::team_load,
    ),
    about_many(
        "/v1/analytics/review-load/teams/alerts",
        "getTeamAlerts",
        "Teams over their budget.",
        "Alerts",
        &[WINDOW],
        analytics::team_alerts,
    ),
    about_many(
        "/v1/analytics/ci-failure-heatmap",
        "getCiFailures",
        "Failed checks by agent.",
        "Failures",
        &[WINDOW, AGENT, parameter("limit", Shape::Whole(1, 100), "How many at most. Default: 25.")],
        analytics::ci_failures,
    ),
    about_many(
        "/v1/analytics/review-drift",
        "getReviewDrift",
        "Where people look more often than bots.",
        "Drifts",
        &[
            WINDOW,
            parameter("human_threshold", Shape::Whole(1, 4_294_967_295), "From how many people on. Default: 1."),
            parameter("ratio_threshold", Shape::Number, "From which ratio on. Default: 0.5."),
        ],
        analytics::review_drift,
    ),
    recorded("/v1/runs", "listRuns", "Recorded runs, newest first.", recordings::RUNS, recordings::list),
    recorded(
        "/v1/show",
        "show",
        "What is known of a run, or of what an id names.",
        recordings::SHOW,
        recordings::show_any,
    ),
    recorded("/v1/timeline", "getTimeline", "The facts of a run by time.", recordings::TIMELINE, recordings::facts),
    recorded(
        "/v1/telemetry/events",
        "listEvents",
        "The events of a run, oldest first.",
        recordings::EVENTS,
        recordings::telemetry_events,
    ),
    recorded(
        "/v1/telemetry/windows",
        "listWindows",
        "Counts of events in windows of time.",
        recordings::WINDOWS,
        recordings::telemetry_windows,
    ),
    recorded(
        "/v1/telemetry/correlations",
        "listCorrelations",
        "How events came to their scopes.",
        recordings::CORRELATIONS,
        recordings::telemetry_correlations,
    ),
    recorded(
        "/v1/observe/summary",
        "getObservation",
        "What was seen of a run, in short.",
        recordings::SUMMARY,
        recordings::summary,
    ),
    recorded(
        "/v1/evidence/manifest",
        "getManifest",
        "What evidence of a run there is.",
        recordings::OF_RUN,
        recordings::manifest,
    ),
    recorded(
        "/v1/graph/verify",
        "verifyRun",
        "Whether the evidence of a run is what was signed; `status` says so.",
        recordings::OF_RUN,
        recordings::verify,
    ),
    recorded(
        "/v1/graph/explain",
        "explain",
        "Causes and effects of one thing.",
        recordings::EXPLAIN,
        recordings::explained,
    ),
    recorded("/v1/graph/blame", "blame", "Who wrote each line of a file.", recordings::OF_FILE, recordings::blamed),
    recorded("/v1/graph/diff", "diff", "What a run changed.", recordings::OF_FILE, recordings::changes),
    recorded("/v1/security/risks", "listRisks", "What rules raised.", recordings::OF_RUN, recordings::risks),
    recorded(
        "/v1/security/responses",
        "listResponses",
        "What was done about risks.",
        recordings::OF_RUN,
        recordings::responses,
    ),
    recorded(
        "/v1/security/deviations",
        "listDeviations",
        "Where runs leave what was learned of earlier ones.",
        recordings::OF_RUN,
        recordings::deviations,
    ),
];
