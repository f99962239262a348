//! Counts of what one transaction appends to a run.

use crate::outline::Outline;
use agentprov_model::index::{CountGroup, CountName};
use agentprov_model::window::WindowCell;
use std::collections::HashMap;

/// Counts of a batch. Most facts have the names of the fact before, and those are few: a short list is searched faster
/// than a table. Windows of telemetry have many.
#[derive(Default)]
pub(crate) struct Tallies {
    first: Vec<(CountName, u64)>,
    others: HashMap<CountName, u64, foldhash::fast::RandomState>,
    windows: HashMap<WindowCell, u64, foldhash::fast::RandomState>,
}

impl Tallies {
    /// Names in the list.
    const FIRST: usize = 12;

    pub(crate) fn add(&mut self, fact: &Outline) {
        fact.counts.iter().for_each(|count| self.add_name(count));
        let Some(cell) = &fact.window else { return };
        match self.windows.get_mut(cell) {
            Some(times) => *times += 1,
            None => drop(self.windows.insert(cell.clone(), 1)),
        }
    }

    fn add_name(&mut self, count: &CountName) {
        if let Some((_, times)) = self.first.iter_mut().find(|(name, _)| name == count) {
            *times += 1;
        } else if self.first.len() < Self::FIRST {
            self.first.push((count.clone(), 1));
        } else if let Some(times) = self.others.get_mut(count) {
            *times += 1;
        } else {
            self.others.insert(count.clone(), 1);
        }
    }

    pub(crate) fn of(&self, count: &CountName) -> u64 {
        let first = self.first.iter().map(|(name, times)| (name, times));
        let named = first.chain(&self.others).filter(|(name, _)| *name == count).map(|(_, times)| *times);
        let in_windows = self.window_counts().filter(|(name, _)| name == count).map(|(_, times)| times);
        named.chain(in_windows).sum()
    }

    fn window_counts(&self) -> impl Iterator<Item = (CountName, u64)> {
        let named = |name: String| CountName { group: CountGroup::Window, name: name.into() };
        self.windows.iter().flat_map(move |(cell, times)| cell.names().map(|name| (named(name), *times)))
    }

    /// In the order of the table in the store, so that neighbours are written together. A long window may come in parts.
    pub(crate) fn into_sorted(self) -> Vec<(CountName, u64)> {
        let mut all: Vec<_> = self.window_counts().collect();
        all.extend(self.first.into_iter().chain(self.others));
        all.sort_unstable();
        all
    }
}
