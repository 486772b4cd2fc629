//! The feed of changes: what this process writes is told by the writer, what others write is found in the change log.
//!
//! Both go through one ordered reading of the log, so a listener hears of every version once and in order. A process
//! that was stopped for a while reads on where it was; between its waking and that moment, a fraction of a second,
//! its memory may still believe an older state, as it may between a write elsewhere and its being noticed here.

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::ports::{Listener, Version};
use parking_lot::{Condvar, Mutex};
use rusqlite::{Connection, params};

use crate::sql::Scope;

/// So many rows of the log are read at a time.
const STRETCH: i64 = 1000;

/// A change that this process has committed.
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) kind: &'static str,
    pub(super) id: Box<[u8]>,
}

/// Who listens, and how far they have heard.
pub(super) struct Feed {
    state: Mutex<State>,
    ended: Mutex<bool>,
    end: Condvar,
}

struct State {
    listeners: Vec<(Scope, Arc<dyn Listener>)>,
    /// Every change up to this version was told.
    seen: u64,
    /// Whether the log could be read the last time.
    whole: bool,
}

impl Feed {
    /// A feed that tells what comes after the present state of the database.
    pub(super) fn new(conn: &Connection) -> rusqlite::Result<Self> {
        let state = State { listeners: Vec::new(), seen: newest(conn)?, whole: true };
        Ok(Feed { state: Mutex::new(state), ended: Mutex::new(false), end: Condvar::new() })
    }

    pub(super) fn join(&self, scope: Scope, listener: Arc<dyn Listener>) {
        let mut state = self.state.lock();
        if !state.whole {
            listener.lost();
        }
        state.listeners.push((scope, listener));
    }

    /// Tells what this process has just committed, before anybody is answered.
    pub(super) fn committed(&self, conn: &Connection, changes: &[Change]) {
        let Some(first) = changes.first() else { return };
        let mut state = self.state.lock();
        if !state.whole {
            // Nobody believes their memory now; the watcher starts over.
            return;
        }
        if first.version == state.seen + 1 {
            for change in changes {
                state.tell(change.kind, &change.id, change.version);
            }
        } else if let Err(error) = state.read_on(conn) {
            state.cut(&error);
        }
    }

    /// Looks every now and then whether another process has written, until the feed ends.
    pub(super) fn watch(&self, conn: &Connection, every: Duration) {
        let mut known = None;
        while !self.wait(every) {
            if let Err(error) = self.look(conn, &mut known) {
                known = None;
                self.state.lock().cut(&error);
            }
        }
    }

    fn look(&self, conn: &Connection, known: &mut Option<i64>) -> rusqlite::Result<()> {
        // Costs a few microseconds, and differs after every commit through another connection.
        let present: i64 = conn.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if *known == Some(present) {
            return Ok(());
        }
        let mut state = self.state.lock();
        if state.whole {
            state.read_on(conn)?;
        } else {
            state.start_over(conn)?;
        }
        *known = Some(present);
        Ok(())
    }

    /// Whether the feed ended while waiting.
    fn wait(&self, span: Duration) -> bool {
        let mut ended = self.ended.lock();
        if !*ended {
            self.end.wait_for(&mut ended, span);
        }
        *ended
    }

    pub(super) fn end(&self) {
        *self.ended.lock() = true;
        self.end.notify_all();
    }
}

impl State {
    fn tell(&mut self, kind: &str, id: &[u8], version: u64) {
        for (scope, listener) in &self.listeners {
            if scope.includes(kind) {
                listener.changed(kind, id, Some(Version(version)));
            }
        }
        self.seen = version;
    }

    /// Tells everything in the log that was not told yet.
    fn read_on(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        loop {
            let mut told = 0;
            let mut statement = conn.prepare_cached(
                "SELECT version, kind, id FROM change_log WHERE version > $1 ORDER BY version LIMIT $2",
            )?;
            let mut rows = statement.query(params![self.seen.cast_signed(), STRETCH])?;
            while let Some(row) = rows.next()? {
                let version = row.get::<_, i64>(0)?.cast_unsigned();
                if version != self.seen + 1 {
                    return self.start_over(conn);
                }
                self.tell(row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_blob()?, version);
                told += 1;
            }
            if told == 0 && newest(conn)? < self.seen {
                // The file was replaced by an older one.
                return self.start_over(conn);
            }
            if told < STRETCH {
                return Ok(());
            }
        }
    }

    /// Changes were missed: what anybody remembers is forgotten, and the feed goes on from the present state.
    fn start_over(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        if self.whole {
            tracing::warn!("changes of the database were missed; memory starts over");
            self.silence();
        }
        self.seen = newest(conn)?;
        self.whole = true;
        for (_, listener) in &self.listeners {
            listener.restored();
        }
        Ok(())
    }

    fn cut(&mut self, error: &rusqlite::Error) {
        if self.whole {
            tracing::error!(%error, "the database's changes cannot be read; nothing is answered from memory");
            self.silence();
        }
    }

    fn silence(&mut self) {
        self.whole = false;
        for (_, listener) in &self.listeners {
            listener.lost();
        }
    }
}

/// The number of the newest change; the next one's is one more.
pub(super) fn newest(conn: &Connection) -> rusqlite::Result<u64> {
    let mut statement = conn.prepare_cached("SELECT coalesce(max(version), 0) FROM change_log")?;
    statement.query_row([], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}
