//! Opening a database file: refusing what must not be opened before anything is changed.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::marks::{APPLICATION_ID, Marks, migrate};
use crate::sql::migrations::KNOWN;

/// The oldest SQLite that does not lose commits when two connections write and checkpoint at once.
const OLDEST_SQLITE: i32 = 3_051_003;

/// The pages each connection keeps, in KiB.
const CACHE_KIB: i32 = 2048;

/// How long until a file that others hold is tried again.
const AGAIN: Duration = Duration::from_millis(10);

/// Above this size, in bytes, the write-ahead log is cut when it starts over.
const LARGEST_WAL: i64 = 16 << 20;

/// Why a database was not opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The SQLite library is too old to be trusted.
    #[error("the SQLite library is version {0}; 3.51.3 or newer is needed, older ones can lose writes")]
    OldLibrary(&'static str),
    /// Nothing is there, and nothing was to be created.
    #[error("there is no database yet; start the server once to create it")]
    Absent,
    /// The file could not be created.
    #[error("the database cannot be created: {0}; check that its directory exists and is writable")]
    CannotCreate(String),
    /// The file is something else, or another program's database.
    #[error("the file is not a Gateward database; move it away or name another one")]
    NotADatabase,
    /// The file is damaged.
    #[error("the database is damaged ({0}); restore it from a backup")]
    Corrupt(String),
    /// A newer version of the program has written it.
    #[error(
        "the database has schema {found}, this version of Gateward knows up to {known}; use the newer version"
    )]
    Newer {
        /// The number it has.
        found: i32,
        /// The highest number this version knows.
        known: i32,
    },
    /// It can be read but not written.
    #[error("the database cannot be written ({0}); check the owner and mode of the file and its directory")]
    NotWritable(String),
    /// Another process holds it for itself.
    #[error("the database is locked by another process; end that process, or try again")]
    Locked,
    /// Anything else that the machine or the library says.
    #[error("the database cannot be opened: {0}")]
    Failed(String),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OpenError::NotADatabase,
            Some(ErrorCode::DatabaseCorrupt) => OpenError::Corrupt(error.to_string()),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                OpenError::NotWritable(error.to_string())
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked,
            _ => OpenError::Failed(error.to_string()),
        }
    }
}

/// Opens the connection that writes, with the schema up to date; creates the file if `create` says so. Waits so long at
/// most for others who hold the file.
pub(super) fn open(path: &Path, create: bool, patience: Duration) -> Result<Connection, OpenError> {
    let mut waited = Duration::ZERO;
    // SQLite's own patience does not reach everywhere: changing to the write-ahead log and recovering it give up at once.
    let conn = loop {
        match try_open(path, create) {
            Err(OpenError::Locked) if waited < patience => {
                std::thread::sleep(AGAIN);
                waited += AGAIN;
            }
            result => break result?,
        }
    };
    conn.busy_timeout(patience)?;
    Ok(conn)
}

fn try_open(path: &Path, create: bool) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::OldLibrary(rusqlite::version()));
    }
    if examine(path)? == Found::Nothing {
        if !create {
            return Err(OpenError::Absent);
        }
        create_file(path)?;
    }
    let conn = connect(path, Duration::ZERO)?;
    // A refused file is left as it was: its log is not written back into it either.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Marks::read(&conn)?.check()?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    use_write_ahead_log(&conn)?;
    migrate(&conn)?;
    touch_every_table(&conn)?;
    Ok(conn)
}

/// A further connection that only reads.
pub(super) fn open_reader(path: &Path, patience: Duration) -> Result<Connection, OpenError> {
    let conn = connect(path, patience)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

#[derive(PartialEq)]
enum Found {
    Nothing,
    Something,
}

/// Looks at the file itself, without the library: a file at rest is refused without being touched.
fn examine(path: &Path) -> Result<Found, OpenError> {
    let failed = |error: std::io::Error| OpenError::Failed(error.to_string());
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(failed(error)),
    };
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() {
        return Err(OpenError::NotADatabase);
    }
    if about.len() == 0 {
        // Created by a start that was cut short before the first write.
        return Ok(Found::Something);
    }
    let mut header = [0; 100];
    file.read_exact(&mut header).map_err(|_| OpenError::NotADatabase)?;
    let header = Header(header);
    if !header.0.starts_with(b"SQLite format 3\0") {
        return Err(OpenError::NotADatabase);
    }
    let log = std::fs::metadata(beside(path, "-wal")).map_or(0, |log| log.len());
    if log == 0 {
        // Nothing waits in the log, so the header is the whole truth. The length is asked last: another process may be
        // at work, and the file only grows.
        header.check(file.metadata().map_err(failed)?.len())?;
    }
    Ok(Found::Something)
}

/// The first hundred bytes of a database file (sqlite.org/fileformat2.html §1.3).
struct Header([u8; 100]);

impl Header {
    fn check(&self, length: u64) -> Result<(), OpenError> {
        let page_size = match self.number(16) >> 16 {
            1 => 65536,
            size => u64::from(size),
        };
        let pages_are_known = self.number(24) == self.number(92);
        if pages_are_known && page_size * u64::from(self.number(28)) > length {
            return Err(OpenError::Corrupt(format!("only {length} bytes of it are left")));
        }
        let (application, schema) = (self.number(68).cast_signed(), self.number(60).cast_signed());
        if application == APPLICATION_ID && schema > KNOWN {
            return Err(OpenError::Newer { found: schema, known: KNOWN });
        }
        if application != 0 && application != APPLICATION_ID {
            return Err(OpenError::NotADatabase);
        }
        Ok(())
    }

    /// The big-endian number at this place.
    fn number(&self, at: usize) -> u32 {
        let four = self.0.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_be_bytes(four.unwrap_or_default())
    }
}

/// Only for the owner's eyes; SQLite gives the files beside it the same mode.
fn create_file(path: &Path) -> Result<(), OpenError> {
    let mut how = OpenOptions::new();
    how.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
    match how.open(path) {
        Ok(_) => Ok(()),
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(OpenError::CannotCreate(error.to_string())),
    }
}

fn connect(path: &Path, patience: Duration) -> Result<Connection, OpenError> {
    // No URI names: a path is a path, whatever characters it has.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(patience)?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "mmap_size", 0)?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    conn.pragma_update(None, "journal_size_limit", LARGEST_WAL)?;
    // An acknowledged write is on the disk.
    conn.pragma_update(None, "synchronous", "FULL")?;
    Ok(conn)
}

fn use_write_ahead_log(conn: &Connection) -> Result<(), OpenError> {
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(OpenError::Failed(format!("its file system allows no write-ahead log, only \"{mode}\"")))
}

/// Reads the first page of each table: enough to notice gross damage at start, whatever the size.
fn touch_every_table(conn: &Connection) -> Result<(), OpenError> {
    for table in ["kv", "change_log", "person", "person_group", "event", "sealed_key"] {
        conn.prepare(&format!("SELECT 1 FROM {table} LIMIT 1"))?.exists([])?;
    }
    Ok(())
}

/// The file that SQLite keeps beside this one.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
