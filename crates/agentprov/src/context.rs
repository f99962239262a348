//! What every command needs: the store, and how to print.

use crate::failure::Failure;
use crate::global::Global;
use crate::remote::Remote;
use crate::render::{self, Clock};
use agentprov_graph::{Selected, select_run};
use agentprov_ingest::hooks::DrainError;
use agentprov_ingest::hooks::spool::SPOOL_FILE;
use agentprov_store::{Location, Reader, Store, StoreError};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

/// Settings of this invocation.
pub(crate) struct Context {
    pub(crate) global: Global,
}

impl Context {
    pub(crate) fn new(global: Global) -> Result<Self, Failure> {
        Ok(Self { global })
    }

    /// The daemon to ask for a document, where one is named.
    pub(crate) fn remote(&self, json: bool) -> Result<Option<Remote>, Failure> {
        let Some(url) = &self.global.daemon_url else { return Ok(None) };
        if !json {
            return Err(Failure::usage(format!("--daemon-url {url}: a daemon gives documents, and text is asked for"))
                .hint("add --json, or leave out --daemon-url and unset AGENTPROV_DAEMON_URL"));
        }
        Remote::new(url).map(Some)
    }

    /// Where the store is, or would be made.
    ///
    /// A daemon that is named must not be passed over: what is here may be something else.
    pub(crate) fn location(&self) -> Result<Location, Failure> {
        if let Some(url) = &self.global.daemon_url {
            return Err(Failure::usage(format!("--daemon-url {url}: this command works on the local store only"))
                .hint("leave out --daemon-url and unset AGENTPROV_DAEMON_URL"));
        }
        match &self.global.data_dir {
            Some(dir) => Ok(Location::chosen(absolute(dir)?)),
            None => Ok(Location::find(&current_dir()?)),
        }
    }

    /// Opens the store that is there.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        let location = self.location()?;
        let foreign = location.foreign_database();
        // Hooks may have spoken where nothing was recorded yet.
        let only_hooks = !location.exists() && location.dir.join(SPOOL_FILE).is_file();
        let opened = if only_hooks { Store::create(location) } else { Store::open(location) };
        opened.inspect(take_hooks).map(|store| store.with_key_file(self.global.key.clone())).map_err(|error| {
            match (&error, foreign) {
                (StoreError::Absent(dir), None) => match own_store(dir) {
                    Some(own) => Failure::new(error.to_string()).hint(format!(
                        "what was told outside any store is in your own: add --data-dir {}; \
                         or record something first: agentprov record -- CMD",
                        own.display()
                    )),
                    None => error.into(),
                },
                (StoreError::Absent(_), Some(path)) => Failure::new(error.to_string()).hint(format!(
                    "{} belongs to the Go tool; it is left untouched, agentprov keeps its own store beside it",
                    path.display()
                )),
                _ => error.into(),
            }
        })
    }

    /// Opens the store, making it where there is none.
    pub(crate) fn store_or_new(&self) -> Result<Store, Failure> {
        Ok(Store::create(self.location()?)?.with_key_file(self.global.key.clone()))
    }

    /// A reader and the run that the user means.
    pub(crate) fn run(&self, name: Option<&str>) -> Result<(Reader, Selected), Failure> {
        let reader = self.store()?.reader()?;
        let selected = select_run(&reader, name)?;
        Ok((reader, selected))
    }

    /// Says which run was taken where the user named none.
    pub(crate) fn say_which(&self, selected: &Selected) {
        if selected.latest {
            let dim = anstyle::Style::new().dimmed();
            let _ = writeln!(anstream::stderr(), "{dim}run {} (the latest){dim:#}", selected.run.id);
        }
    }

    /// How to print times: in the local zone on a terminal, else as the contract has them.
    pub(crate) fn clock(&self) -> Clock {
        if !self.global.utc && std::io::stdout().is_terminal() { Clock::Local } else { Clock::Utc }
    }
}

/// The user's own store, where it is there and not the one that was looked for. Hooks and relays fill it from folders
/// that have none.
fn own_store(looked_for: &std::path::Path) -> Option<std::path::PathBuf> {
    let own = Location::own()?;
    let filled = own.exists() || own.dir.join(SPOOL_FILE).is_file();
    (filled && own.dir != looked_for).then_some(own.dir)
}

/// Takes in what hooks left. Where that can't be done now, the store is read without it, and the spool waits.
pub(crate) fn take_hooks(store: &Store) {
    let now = agentprov_ingest::hooks::wall_clock();
    if let Err(error) = agentprov_ingest::hooks::drain(store, now, &agentprov_capture::is_alive)
        && !matches!(error, DrainError::Store(_))
    {
        let _ = writeln!(anstream::stderr(), "{}", render::styled(render::UNSURE, format!("note: {error}")));
    }
}

/// The current folder.
pub(crate) fn current_dir() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        Failure::new(format!("the current folder can't be read: {error}")).hint("change to a folder that exists")
    })
}

/// The path from the root, whether it exists or not.
pub(crate) fn absolute(path: &std::path::Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}
