//! The bound of the spool, and what becomes of inputs when it is reached.

use super::{Entry, Lost, Spool, SpoolError, Status};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::str::FromStr;

/// Why an input is dropped when the spool is full: the contract's word.
const QUEUE_LIMIT: &str = "queue_limit";

/// What happens to an input that finds the spool full.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WhenFull {
    /// It is refused.
    #[default]
    Reject,
    /// The oldest inputs that wait are dropped to make room.
    DropOldest,
}

impl fmt::Display for WhenFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reject => "reject",
            Self::DropOldest => "drop_oldest",
        })
    }
}

/// There is no such policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected reject or drop_oldest")]
pub struct UnknownPolicy;

impl FromStr for WhenFull {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        match text {
            "reject" => Ok(Self::Reject),
            "drop_oldest" => Ok(Self::DropOldest),
            _ => Err(UnknownPolicy),
        }
    }
}

impl Spool {
    /// The entries that have to go before another can be queued, oldest first. What is being taken in is nobody's to
    /// drop, and what failed waits for a word of the user.
    pub(super) fn in_the_way<'e>(
        &self,
        entries: &'e [Entry],
        when_full: WhenFull,
    ) -> Result<Vec<&'e Entry>, SpoolError> {
        let queued = entries.iter().filter(|entry| entry.status.holds_bytes()).count();
        if self.max_queued == 0 || queued < self.max_queued {
            return Ok(Vec::new());
        }
        let excess = queued - self.max_queued + 1;
        let waiting = entries.iter().filter(|entry| entry.status == Status::Queued);
        let oldest: Vec<&Entry> = waiting.take(excess).collect();
        if when_full == WhenFull::Reject || oldest.len() < excess {
            return Err(SpoolError::Full { queued, max_queued: self.max_queued });
        }
        Ok(oldest)
    }

    /// Drops what is in the way; the caller holds the lock of the queue.
    pub(super) fn make_room(&self, entries: &[Entry], when_full: WhenFull) -> Result<Vec<Entry>, SpoolError> {
        let mut dropped = Vec::new();
        for entry in self.in_the_way(entries, when_full)? {
            let mut entry = entry.clone();
            self.give_up(&mut entry, QUEUE_LIMIT);
            self.save(&entry)?;
            self.remove_rows(&entry.id)?;
            dropped.push(entry);
        }
        Ok(dropped)
    }

    /// Marks an entry as dropped and counts what is lost with it, while its bytes are there to be counted.
    pub(super) fn give_up(&self, entry: &mut Entry, reason: &str) {
        entry.status = Status::Dropped;
        entry.drop_reason = Some(reason.to_owned());
        let rows = File::open(self.rows(&entry.id)).and_then(count_rows).ok();
        entry.lost = (rows != Some(0)).then_some(Lost { rows, event_ids: Vec::new() });
    }
}

/// Lines with anything in them.
fn count_rows(mut input: impl Read) -> io::Result<u64> {
    let mut buffer = vec![0; 64 << 10];
    let (mut rows, mut in_row) = (0, false);
    loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => return Ok(rows),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        for byte in &buffer[..read] {
            match byte {
                b'\n' => in_row = false,
                byte if byte.is_ascii_whitespace() || in_row => {}
                _ => {
                    in_row = true;
                    rows += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_lines_with_something_in_them() {
        for (text, rows) in [("", 0), ("\n \n\t\r\n", 0), ("a", 1), ("a b\n", 1), ("a\n\n  b\r\nc", 3)] {
            assert_eq!(count_rows(text.as_bytes()).expect("memory can be read"), rows, "{text:?}");
        }
    }

    #[test]
    fn policies_have_the_names_of_the_contract() {
        for policy in [WhenFull::Reject, WhenFull::DropOldest] {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        assert_eq!("oldest".parse::<WhenFull>(), Err(UnknownPolicy));
    }
}
