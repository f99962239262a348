//! `agentprov doctor`.

use crate::commands::setup::{self, HookState};
use crate::context::Context;
use crate::failure::{CommandResult, Failure};
use crate::render::{self, BAD, GOOD, QUIET, TITLE, UNSURE, styled};
use agentprov_model::schema;
use agentprov_store::{StoreError, state_head};
use clap::Args;
use serde::Serialize;
use std::io::Write;
use std::process::ExitCode;

/// Says what this host can capture and why, where the store is, and what its signature is worth.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    schema_version: String,
    backend: &'static str,
    capture: Vec<Finding>,
    tools: Vec<Finding>,
    agents: Vec<Finding>,
    store: Vec<Finding>,
    trust: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    name: String,
    state: State,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    way_out: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Limited,
    Missing,
}

impl Doctor {
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let document = examine(context)?;
        if self.json {
            render::json(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut out = anstream::stdout().lock();
        writeln!(out, "{} recording here uses: {}", styled(TITLE, "capture"), document.backend)?;
        print(&mut out, &document.capture)?;
        let parts = [
            ("tools", &document.tools),
            ("agents", &document.agents),
            ("store", &document.store),
            ("trust", &document.trust),
        ];
        for (title, findings) in parts {
            writeln!(out, "\n{}", styled(TITLE, title))?;
            print(&mut out, findings)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(out: &mut impl Write, findings: &[Finding]) -> std::io::Result<()> {
    for finding in findings {
        let (style, mark) = match finding.state {
            State::Ok => (GOOD, "ok     "),
            State::Limited => (UNSURE, "limited"),
            State::Missing => (BAD, "missing"),
        };
        writeln!(out, "  {}  {:<14} {}", styled(style, mark), finding.name, finding.detail)?;
        if let Some(way_out) = &finding.way_out {
            writeln!(out, "           {:<14} {}", "", styled(QUIET, way_out))?;
        }
    }
    Ok(())
}

fn examine(context: &Context) -> Result<Document, Failure> {
    let probes = agentprov_capture::probe();
    let usable = |name: &str| probes.iter().any(|probe| probe.name == name && probe.usable);
    let backend = match (usable("ptrace"), usable("procfs")) {
        (true, _) => "ptrace (exact)",
        (false, true) => "procfs (samples: short processes are missed)",
        (false, false) => "nothing: no back-end works here",
    };
    let capture = probes.iter().map(|probe| Finding {
        name: probe.name.to_owned(),
        state: if probe.usable { State::Ok } else { State::Limited },
        detail: probe.detail.clone(),
        way_out: probe.way_out.clone(),
    });
    Ok(Document {
        schema_version: schema::v1("doctor"),
        backend,
        capture: capture.collect(),
        tools: vec![git()],
        agents: agents()?,
        store: store(context)?,
        trust: trust(context)?,
    })
}

fn git() -> Finding {
    let output = std::process::Command::new("git").arg("--version").output();
    let version = output.ok().filter(|output| output.status.success());
    match version {
        Some(output) => Finding {
            name: "git".into(),
            state: State::Ok,
            detail: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            way_out: None,
        },
        None => Finding {
            name: "git".into(),
            state: State::Limited,
            detail: "not found: contents that git holds are copied, ignored files are not recognised".into(),
            way_out: Some("install git".into()),
        },
    }
}

/// Hooks in the settings of agents, and whether they can still be called.
fn agents() -> Result<Vec<Finding>, Failure> {
    let found = setup::health()?;
    if found.is_empty() {
        return Ok(vec![Finding {
            name: "hooks".into(),
            state: State::Limited,
            detail: "no agent is set up to tell what it does; recordings still see its processes".into(),
            way_out: Some("agentprov setup claude|codex|gemini|cursor".into()),
        }]);
    }
    let finding = |health: setup::Health| Finding {
        name: format!("{} hooks", health.agent),
        state: match health.state {
            HookState::Alive => State::Ok,
            HookState::Partial => State::Limited,
            HookState::Dead => State::Missing,
        },
        detail: health.detail,
        way_out: health.way_out,
    };
    Ok(found.into_iter().map(finding).collect())
}

fn store(context: &Context) -> Result<Vec<Finding>, Failure> {
    let location = context.location()?;
    let mut findings = Vec::new();
    let foreign = location.foreign_database();
    let there = location.exists();
    if let Err(error) = location.check_owner() {
        let state = State::Missing;
        findings.push(Finding { name: "owner".into(), state, detail: error.to_string(), way_out: error.hint() });
        return Ok(findings);
    }
    findings.push(match location.check_presence() {
        Err(error) if !matches!(error, StoreError::Absent(_)) => {
            let (detail, way_out) = (error.to_string(), error.hint());
            Finding { name: "data dir".into(), state: State::Missing, detail, way_out }
        }
        _ => Finding {
            name: "data dir".into(),
            state: State::Ok,
            detail: format!("{}{}", location.dir.display(), if there { "" } else { " (made by the first recording)" }),
            way_out: None,
        },
    });
    if let Some(path) = foreign {
        findings.push(Finding {
            name: "Go store".into(),
            state: State::Ok,
            detail: format!("{} is another tool's; left untouched", path.display()),
            way_out: None,
        });
    }
    if there {
        let reader = context.store()?.reader()?;
        let usage = reader.store_usage()?;
        let size = render::bytes(usage.database_bytes + usage.blob_bytes);
        let runs = render::count(reader.runs()?.len() as u64, "run");
        findings.push(Finding {
            name: "holds".into(),
            state: State::Ok,
            detail: format!("{runs}, {size}"),
            way_out: None,
        });
    }
    Ok(findings)
}

/// What a signature shows, and what it can't.
fn trust(context: &Context) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    if context.location()?.exists() {
        let store = context.store()?;
        let key = store.key_path();
        let detail = if key.exists() {
            format!("{} signs every checkpoint; whoever can read it can sign", key.display())
        } else {
            format!("{} is made by the first recording", key.display())
        };
        findings.push(Finding { name: "signing key".into(), state: State::Ok, detail, way_out: None });
        let remembered = match state_head::folder() {
            None => None,
            Some(folder) => state_head::read(&folder, store.id())?,
        };
        findings.push(match remembered {
            Some(head) => Finding {
                name: "rollback".into(),
                state: State::Ok,
                detail: format!("the ledger's head at size {} is kept outside the data dir", head.size),
                way_out: None,
            },
            None => Finding {
                name: "rollback".into(),
                state: State::Limited,
                detail: "no ledger head is kept outside the data dir: an older copy put back is not noticed".into(),
                way_out: Some("set XDG_STATE_HOME or HOME to a folder that lasts".into()),
            },
        });
    }
    findings.push(Finding {
        name: "same user".into(),
        state: State::Limited,
        detail:
            "the recorded command runs as the user that owns key and store: a signature shows that nothing changed \
                 since, not that a hostile command left its own recording alone"
                .into(),
        way_out: Some("record as another user, or keep the key on another machine, where that matters".into()),
    });
    findings.push(Finding {
        name: "omission".into(),
        state: State::Limited,
        detail: "no signature shows what was never recorded".into(),
        way_out: None,
    });
    Ok(findings)
}
