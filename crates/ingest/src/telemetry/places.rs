//! The logs that an ingest appends to or looks into, each known by a number: rows name the same few again and again.

use super::ambient::{AMBIENT, ambient_run};
use super::chunk::LogNo;
use agentprov_model::{RunId, SourceName};
use agentprov_store::{Moments, RunNo, Seq, StoreError};
use std::collections::HashMap;

/// Logs that one ingest opens: a stranger's host names must not fill the store with runs.
const MAX_AMBIENT: usize = 256;

/// Number of a log that a row may belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PlaceNo(usize);

/// What is known of a log.
struct Place {
    run: RunId,
    /// Its number among those appended to.
    log: Option<LogNo>,
    /// The rules were named in it.
    judged: bool,
    /// What the store had of it, once looked up.
    stored: Option<Option<Stored>>,
}

/// A log as it was before the first row that named it: what this ingest adds stands behind `size`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) run: RunNo,
    pub(super) size: Seq,
}

/// Every log that rows named so far.
#[derive(Default)]
pub(super) struct Places {
    list: Vec<Place>,
    by_run: HashMap<RunId, PlaceNo>,
    /// The one asked for last: rows that follow one another mostly share it.
    last: Option<PlaceNo>,
    /// The same of ambient logs, with host and source.
    last_ambient: Option<(String, SourceName, PlaceNo)>,
    logs: usize,
}

impl Places {
    /// The place of a run.
    pub(super) fn of(&mut self, run: &RunId) -> PlaceNo {
        if let Some(last) = self.last.filter(|last| self.list[last.0].run == *run) {
            return last;
        }
        let place = self.find(run);
        self.last = Some(place);
        place
    }

    fn find(&mut self, run: &RunId) -> PlaceNo {
        if let Some(known) = self.by_run.get(run) {
            return *known;
        }
        let place = PlaceNo(self.list.len());
        self.list.push(Place { run: run.clone(), log: None, judged: false, stored: None });
        self.by_run.insert(run.clone(), place);
        place
    }

    /// The place of what belongs to no run.
    pub(super) fn ambient(&mut self, host: &str, source: &SourceName) -> PlaceNo {
        if let Some((_, _, place)) = self.last_ambient.as_ref().filter(|(of, by, _)| of == host && by == source) {
            return *place;
        }
        let place = self.find(&ambient_run(host, source));
        self.last_ambient = Some((host.to_owned(), source.clone(), place));
        place
    }

    /// The run of a place.
    pub(super) fn run(&self, place: PlaceNo) -> &RunId {
        &self.list[place.0].run
    }

    /// True the first time.
    pub(super) fn is_first_judged(&mut self, place: PlaceNo) -> bool {
        !std::mem::replace(&mut self.list[place.0].judged, true)
    }

    /// Its run in the store, where it was there before. To be asked before the first event of the place is handed over.
    pub(super) fn stored(&mut self, place: PlaceNo, moments: &Moments) -> Result<Option<Stored>, StoreError> {
        let place = &mut self.list[place.0];
        if let Some(known) = place.stored {
            return Ok(known);
        }
        let run = moments.ask(|reader| reader.run(&place.run))?.filter(|run| run.removed.is_none());
        let found = run.map(|run| Stored { run: run.no, size: run.size });
        place.stored = Some(found);
        Ok(found)
    }

    /// Its number among the logs appended to; `new` gets those that had none before.
    pub(super) fn log(&mut self, place: PlaceNo, new: &mut Vec<RunId>) -> LogNo {
        let next = self.logs;
        let place = &mut self.list[place.0];
        if let Some(known) = place.log {
            return known;
        }
        if next >= MAX_AMBIENT && place.run.as_str().starts_with(AMBIENT) {
            let other = ambient_run("_", &SourceName::FILTERED);
            if other != place.run {
                let other = self.find(&other);
                return self.log(other, new);
            }
        }
        place.log = Some(next);
        new.push(place.run.clone());
        self.logs += 1;
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_their_names() {
        let mut places = Places::default();
        let run = RunId::new("r").expect("an id");
        let first = places.of(&run);
        let rows =
            [("a", SourceName::FALCO), ("a", SourceName::FALCO), ("b", SourceName::FALCO), ("b", SourceName::NATIVE)];
        for (host, source) in rows {
            let place = places.ambient(host, &source);
            assert_eq!(*places.run(place), ambient_run(host, &source));
            assert_eq!(places.of(&run), first);
        }
        assert!(places.is_first_judged(first) && !places.is_first_judged(first));
    }

    #[test]
    fn strangers_do_not_fill_the_store_with_logs() {
        let mut places = Places::default();
        let mut new = Vec::new();
        for n in 0..2 * MAX_AMBIENT {
            let place = places.ambient(&format!("host{n}"), &SourceName::FALCO);
            places.log(place, &mut new);
        }
        assert_eq!(new.len(), MAX_AMBIENT + 1);
        let run = places.of(&RunId::new("r").expect("an id"));
        assert_eq!(places.log(run, &mut new), MAX_AMBIENT + 1);
    }
}
