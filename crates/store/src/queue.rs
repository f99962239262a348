//! Work that was accepted and is answered later. It survives the process that accepted it.
//!
//! The store keeps inputs, answers and states; what they mean is the business of whoever takes the work. Invariants:
//! - [`Queue::accept`] returns when the disk has the input.
//! - Equal inputs are one job, whoever sends them and how often.
//! - A job has one answer: what is done or failed never changes again.

use crate::error::StoreError;
use agentprov_model::{ContentId, EventTime};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};

/// Where a job stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum JobState {
    /// Nobody has begun.
    Waiting,
    /// Somebody works on it.
    Running,
    /// It has an answer.
    Done,
    /// It has none and will not get one.
    Failed,
}

impl JobState {
    const ALL: [Self; 4] = [Self::Waiting, Self::Running, Self::Done, Self::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// Work to be accepted.
#[derive(Clone, Copy, Debug)]
pub struct NewJob<'a> {
    /// Its name; used when no equal input is there yet.
    pub id: &'a str,
    /// SHA-256 of what makes inputs equal.
    pub digest: ContentId,
    /// What it is about, for look-ups.
    pub subject: &'a str,
    /// The input.
    pub input: &'a [u8],
    /// The name that the sender gave to this request, so that it can be sent again.
    pub key: Option<&'a str>,
}

/// What became of work that was handed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// It is a new job.
    New,
    /// An equal input is there, under this name.
    Known(String),
    /// The sender used the key before, for another input.
    KeyUsed,
    /// As many jobs wait as may.
    Full,
}

/// A job without its input and answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobRow {
    /// Its name.
    pub id: String,
    /// What it is about.
    pub subject: String,
    /// Where it stands.
    pub state: JobState,
    /// When it was accepted.
    pub accepted: EventTime,
    /// When its state changed last.
    pub updated: EventTime,
    /// How often somebody began.
    pub attempts: u32,
    /// Why it failed.
    pub problem: Option<String>,
    /// What views need of the answer.
    pub summary: Option<Vec<u8>>,
}

/// A job that the caller has to answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claimed {
    /// Its name.
    pub id: String,
    /// The input.
    pub input: Vec<u8>,
    /// When it was accepted.
    pub accepted: EventTime,
}

const COLUMNS: &str = "id, subject, state, accepted, updated, attempts, problem, summary";

/// The jobs of a store.
#[derive(Debug)]
pub struct Queue {
    connection: Connection,
}

impl Queue {
    pub(crate) fn new(connection: Connection) -> Result<Self, StoreError> {
        // Whoever hears that work was accepted may forget it.
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(Self { connection })
    }

    /// Takes work in, unless `limit` jobs wait already.
    ///
    /// # Errors
    /// What SQLite says, for example a full disk; then nothing was accepted.
    pub fn accept(&mut self, job: NewJob<'_>, limit: u64, at: EventTime) -> Result<Accepted, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let equal: Option<(i64, String)> = transaction
            .prepare_cached("SELECT no, id FROM job WHERE digest = ?1")?
            .query_row([job.digest.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let keyed: Option<i64> = match job.key {
            Some(key) => transaction
                .prepare_cached("SELECT job FROM job_key WHERE key = ?1")?
                .query_row([key], |row| row.get(0))
                .optional()?,
            None => None,
        };
        if keyed.is_some() && keyed != equal.as_ref().map(|(no, _)| *no) {
            return Ok(Accepted::KeyUsed);
        }
        let (no, accepted) = match equal {
            Some((no, id)) => (no, Accepted::Known(id)),
            None => {
                let waiting: i64 = transaction
                    .prepare_cached("SELECT count(*) FROM job WHERE state = 'waiting'")?
                    .query_row([], |row| row.get(0))?;
                if waiting as u64 >= limit {
                    return Ok(Accepted::Full);
                }
                transaction
                    .prepare_cached(
                        "INSERT INTO job (id, digest, subject, state, accepted, updated, attempts, input)
                         VALUES (?1, ?2, ?3, 'waiting', ?4, ?4, 0, ?5)",
                    )?
                    .execute((job.id, job.digest.as_bytes(), job.subject, at.as_nanos(), job.input))?;
                (transaction.last_insert_rowid(), Accepted::New)
            }
        };
        if let (Some(key), None) = (job.key, keyed) {
            transaction.execute("INSERT INTO job_key (key, job) VALUES (?1, ?2)", (key, no))?;
        }
        transaction.commit()?;
        Ok(accepted)
    }

    /// The oldest job that waits, now running.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn claim(&mut self, at: EventTime) -> Result<Option<Claimed>, StoreError> {
        let claimed = self
            .connection
            .prepare_cached(
                "UPDATE job SET state = 'running', attempts = attempts + 1, updated = ?1
                 WHERE no = (SELECT min(no) FROM job WHERE state = 'waiting') RETURNING id, input, accepted",
            )?
            .query_row([at.as_nanos()], |row| {
                let accepted = EventTime::from_nanos(row.get(2)?);
                Ok(Claimed { id: row.get(0)?, input: row.get(1)?, accepted })
            })
            .optional()?;
        Ok(claimed)
    }

    /// Gives a running job its answer, and what views need of it. False where it is not running.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn finish(&mut self, id: &str, output: &[u8], summary: &[u8], at: EventTime) -> Result<bool, StoreError> {
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE job SET state = 'done', output = ?2, summary = ?3, updated = ?4
                 WHERE id = ?1 AND state = 'running'",
            )?
            .execute((id, output, summary, at.as_nanos()))?;
        Ok(changed == 1)
    }

    /// Says that a running job will have no answer. False where it is not running.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn fail(&mut self, id: &str, problem: &str, at: EventTime) -> Result<bool, StoreError> {
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE job SET state = 'failed', problem = ?2, updated = ?3 WHERE id = ?1 AND state = 'running'",
            )?
            .execute((id, problem, at.as_nanos()))?;
        Ok(changed == 1)
    }

    /// Lets what is running wait again, for a caller that knows that nobody works on it any more. What was begun
    /// `max_attempts` times fails instead, so that no input ends every process that takes it. Gives how many wait.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn resume(&mut self, max_attempts: u32, at: EventTime) -> Result<u64, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "UPDATE job SET state = 'failed', updated = ?2,
             problem = 'given up: ' || attempts || ' attempts ended with the end of the process'
             WHERE state = 'running' AND attempts >= ?1",
            (max_attempts, at.as_nanos()),
        )?;
        transaction
            .execute("UPDATE job SET state = 'waiting', updated = ?1 WHERE state = 'running'", [at.as_nanos()])?;
        let waiting: i64 =
            transaction.query_row("SELECT count(*) FROM job WHERE state = 'waiting'", [], |row| row.get(0))?;
        transaction.commit()?;
        Ok(waiting as u64)
    }

    /// The job of that name.
    ///
    /// # Errors
    /// What SQLite says, or a row that can't be read.
    pub fn get(&self, id: &str) -> Result<Option<JobRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM job WHERE id = ?1");
        let row = self.connection.prepare_cached(&sql)?.query_row([id], raw).optional()?;
        row.map(parsed).transpose()
    }

    /// The input of a job.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn input(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT input FROM job WHERE id = ?1")?;
        Ok(statement.query_row([id], |row| row.get(0)).optional()?)
    }

    /// The answer of a job; none where it has none yet.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn output(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT output FROM job WHERE id = ?1")?;
        Ok(statement.query_row([id], |row| row.get::<_, Option<Vec<u8>>>(0)).optional()?.flatten())
    }

    /// Jobs that are done and were accepted from `since` on and before `until`, oldest first.
    ///
    /// # Errors
    /// What SQLite says, or a row that can't be read.
    pub fn done(&self, since: EventTime, until: Option<EventTime>) -> Result<Vec<JobRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM job WHERE state = 'done' AND accepted >= ?1 AND accepted < ?2 ORDER BY accepted, no"
        );
        let until = until.map_or(i64::MAX, EventTime::as_nanos);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([since.as_nanos(), until], raw)?;
        rows.map(|row| parsed(row?)).collect()
    }

    /// The jobs after a number that have ended, in the order in which they were accepted and up to the first that has not.
    /// Each with its number.
    ///
    /// # Errors
    /// What SQLite says, or a row that can't be read.
    pub fn ended_after(&self, no: i64, limit: u64) -> Result<Vec<(i64, JobRow)>, StoreError> {
        let sql = format!("SELECT {COLUMNS}, no FROM job WHERE no > ?1 ORDER BY no LIMIT ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map((no, limit as i64), |row| Ok((row.get::<_, i64>(8)?, raw(row)?)))?;
        let mut ended = Vec::new();
        for row in rows {
            let (no, raw) = row?;
            let row = parsed(raw)?;
            if matches!(row.state, JobState::Waiting | JobState::Running) {
                break;
            }
            ended.push((no, row));
        }
        Ok(ended)
    }

    /// How many jobs wait and run.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(&self) -> Result<(u64, u64), StoreError> {
        let count = |state: JobState| -> Result<u64, StoreError> {
            let mut statement = self.connection.prepare_cached("SELECT count(*) FROM job WHERE state = ?1")?;
            Ok(statement.query_row([state.as_str()], |row| row.get::<_, i64>(0))? as u64)
        };
        Ok((count(JobState::Waiting)?, count(JobState::Running)?))
    }
}

type Raw = (String, String, String, i64, i64, u32, Option<String>, Option<Vec<u8>>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?))
}

fn parsed(raw: Raw) -> Result<JobRow, StoreError> {
    let (id, subject, state, accepted, updated, attempts, problem, summary) = raw;
    let state = JobState::ALL
        .into_iter()
        .find(|known| known.as_str() == state)
        .ok_or_else(|| StoreError::Damaged(format!("job '{id}' is in the unknown state '{state}'")))?;
    let [accepted, updated] = [accepted, updated].map(EventTime::from_nanos);
    Ok(JobRow { id, subject, state, accepted, updated, attempts, problem, summary })
}
