//! A file and its versions, and a content, for people.

use crate::render::{self, Clock, QUIET, TITLE, styled};
use agentprov_graph::show::{ShowContent, ShowFile, ShownVersion};
use std::io::{self, Write};

pub(super) fn print(out: &mut impl Write, clock: Clock, file: &ShowFile) -> io::Result<()> {
    let path = render::visible(file.workspace_path.as_ref().unwrap_or(&file.path));
    let change = file.change.as_ref().map_or("as it was before the run", |change| change.change_type);
    writeln!(out, "{} {path} of run {}: {change}", styled(TITLE, "file"), file.run_id)?;
    if let Some(moved) = &file.moved_to {
        writeln!(out, "  renamed to {}", render::visible(moved))?;
    }
    for version in &file.versions {
        print_version(out, clock, version)?;
    }
    writeln!(out, "line by line: agentprov blame {path} --run {}", file.run_id)
}

fn print_version(out: &mut impl Write, clock: Clock, version: &ShownVersion) -> io::Result<()> {
    let size = version.after_bytes.map(|bytes| format!(", {}", render::bytes(bytes))).unwrap_or_default();
    writeln!(out, "  {}  {} ({}{size})", clock.show_text(&version.time), version.cause, version.after_kind)?;
    writeln!(out, "    {}", styled(QUIET, format!("{} -> {}", version.before_sha256, version.after_sha256)))?;
    let or = if version.writers.len() > 1 { "written by one of" } else { "written by" };
    for writer in &version.writers {
        let command = writer.command.as_deref().unwrap_or("(program not known)");
        writeln!(out, "    {or} {}  {command}", writer.process_id)?;
    }
    Ok(())
}

pub(super) fn print_content(out: &mut impl Write, clock: Clock, content: &ShowContent) -> io::Result<()> {
    writeln!(out, "{} {}", styled(TITLE, "content"), content.sha256)?;
    if let Some(git) = &content.git_blob {
        writeln!(out, "  git blob  {git}")?;
    }
    if let Some(bytes) = content.bytes {
        writeln!(out, "  size      {}", render::bytes(bytes))?;
    }
    let kept = match content.kept {
        "stored" => "in the store",
        "git" => "in git, not copied",
        "hash_only" => "nowhere: only the hash was kept",
        _ => "missing: the store lost it",
    };
    writeln!(out, "  kept      {kept}")?;
    for version in &content.versions {
        writeln!(
            out,
            "  {}  {}  {}  run {} by {}",
            clock.show_text(&version.time),
            version.cause,
            render::visible(&version.path),
            version.run_id,
            version.writers.join(", "),
        )?;
    }
    Ok(())
}
