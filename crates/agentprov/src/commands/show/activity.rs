//! Connections, privileged calls and reads, for people.

use super::Extent;
use crate::render::{self, BAD, TITLE, UNSURE, styled};
use agentprov_graph::show::{Destination, PrivilegeRow, ReadGroup};
use agentprov_model::{Destination as Class, NetworkOp};
use std::io::{self, Write};

pub(super) fn network(out: &mut impl Write, rows: &[Destination], extent: Extent, most: usize) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}  {}", styled(TITLE, "network"), render::count(rows.len() as u64, "address"))?;
    for row in rows.iter().take(extent.rows(most)) {
        let results: Vec<String> = row.results.iter().map(|(result, count)| format!("{result} x{count}")).collect();
        let class = match row.class {
            Some(Class::Metadata) => styled(BAD, " cloud metadata"),
            Some(Class::Private) => styled(UNSURE, " private range"),
            Some(Class::Public) => " public".to_owned(),
            Some(_) | None => String::new(),
        };
        writeln!(out, "  {:<8} {}{class}  {}", op_name(row.op), row.address, results.join(", "))?;
    }
    extent.rest(out, rows.len(), most)
}

pub(super) fn privilege(out: &mut impl Write, rows: &[PrivilegeRow], extent: Extent, most: usize) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}  {}", styled(TITLE, "privileged calls"), rows.len())?;
    for row in rows.iter().take(extent.rows(most)) {
        let args: Vec<String> =
            row.args.iter().map(|(name, value)| format!("{name}={}", render::visible(value))).collect();
        writeln!(out, "  {}({}) -> {}", row.call, args.join(", "), row.result)?;
    }
    extent.rest(out, rows.len(), most)
}

pub(super) fn reads(out: &mut impl Write, groups: Option<&[ReadGroup]>, extent: Extent, most: usize) -> io::Result<()> {
    let Some(groups) = groups.filter(|groups| !groups.is_empty()) else { return Ok(()) };
    let files: u64 = groups.iter().map(|group| group.files).sum();
    let (files, folders) = (render::count(files, "file"), render::count(groups.len() as u64, "folder"));
    writeln!(out, "{}  {files} in {folders}", styled(TITLE, "read outside the workspace"))?;
    for group in groups.iter().take(extent.rows(most)) {
        let folder = render::visible(&group.folder);
        let failed = if group.failed == 0 { String::new() } else { format!(", {} failed", group.failed) };
        let opened = render::count(group.opened, "open");
        writeln!(out, "  {folder:<24} {}, {opened}{failed}", render::count(group.files, "file"))?;
    }
    extent.rest(out, groups.len(), most)
}

const fn op_name(op: NetworkOp) -> &'static str {
    match op {
        NetworkOp::Connect => "connect",
        NetworkOp::Bind => "bind",
        NetworkOp::Send => "send",
    }
}
