//! Which query was that? Remembers the arguments behind each `query_id`, so that it can be refined and its pages go on
//! in every process and after a restart.
//!
//! Kept 7 days after its last use (which a restart remembers to the hour) and at most 2 MiB, which a start reads in some 10 ms; oldest forgotten first. In `DIR/queries/` there are up
//! to eight files of 256 KiB, named by the
//! microsecond of their first line, each line `{"at": µs, "id": "q-…", "tool": "…", "arguments": {…}}`. It is a
//! memory, not data: nothing is synced, what cannot be written is kept for this process only, and a torn line is passed
//! over.
//!
//! **Invariant:** only the process that owns the directory writes here.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::event::Timestamp;
use crate::store::disk::{Disk, DiskFile};

/// How long a query is remembered: 7 days, in microseconds.
const KEPT_US: i64 = 7 * DAY_US;
const DAY_US: i64 = 86_400_000_000;
/// How long a line in a file stands for later uses too: an hour, in microseconds.
const RENEWED_US: i64 = DAY_US / 24;
/// The most bytes in one file.
const FILE_BYTES_MAX: u64 = 256 << 10;
/// The most files.
const FILES_MAX: usize = 8;
/// The most queries held in memory; those of the oldest files go first.
const QUERIES_MAX: usize = 20_000;
/// The largest query that is remembered, in bytes.
const QUERY_BYTES_MAX: usize = 64 << 10;

/// Names a query by its content: the same arguments have the same id in every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct QueryId(u64);

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ID_BITS: u32 = 60;

impl QueryId {
    /// The id of a tool's canonical arguments.
    pub(crate) fn of(tool: &str, canonical: &str) -> Self {
        Self(xxh3_64(format!("{tool}\0{canonical}").as_bytes()) >> (64 - ID_BITS))
    }

    /// The id with that number.
    pub(crate) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The id's number.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("q-")?;
        for shift in (0..ID_BITS).step_by(5).rev() {
            let digit = usize::try_from(self.0 >> shift & 31).ok().and_then(|index| DIGITS.get(index));
            write!(f, "{}", char::from(digit.copied().unwrap_or(b'?')))?;
        }
        Ok(())
    }
}

/// A remembered query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    /// The tool that was called.
    pub tool: String,
    /// Its canonical arguments.
    pub arguments: Map<String, Value>,
}

/// The queries of a directory.
pub(crate) struct Queries {
    place: Option<(PathBuf, Arc<dyn Disk>)>,
    state: Mutex<Option<State>>,
}

/// A query as it is kept.
struct Known {
    /// When it was last asked.
    used: i64,
    /// When its line was last written.
    written: i64,
    line: Arc<str>,
}

#[derive(Default)]
struct State {
    known: HashMap<String, Known>,
    /// When one was last asked.
    last: i64,
    /// The newest file: its first line's time, its handle, and where the next line goes.
    open: Option<(i64, Arc<dyn DiskFile>, u64)>,
}

impl Queries {
    /// Queries that are remembered until the process ends.
    pub(crate) fn in_memory() -> Self {
        Self { place: None, state: Mutex::new(None) }
    }

    /// Queries that are remembered in `dir/queries`, which is read when it is first needed.
    pub(crate) fn in_dir(dir: &Path, disk: Arc<dyn Disk>) -> Self {
        Self { place: Some((dir.join("queries"), disk)), state: Mutex::new(None) }
    }

    /// Remembers a query.
    pub(crate) fn remember(&self, id: QueryId, query: &Query, now: Timestamp) {
        let (now, id) = (now.as_micros(), id.to_string());
        let mut guard = self.state.lock();
        let state = guard.get_or_insert_with(|| self.load(now));
        state.last = state.last.max(now);
        if let Some(known) = state.known.get_mut(&id).filter(|known| now - known.written < RENEWED_US) {
            known.used = known.used.max(now);
            return;
        }
        let line = json!({"at": now, "id": id, "tool": query.tool, "arguments": query.arguments}).to_string();
        if line.len() > QUERY_BYTES_MAX {
            return;
        }
        self.write(state, now, &line);
        if state.known.len() >= QUERIES_MAX {
            let mut ages: Vec<i64> = state.known.values().map(|known| known.used).collect();
            ages.sort_unstable();
            let middle = ages.get(ages.len() / 2).copied().unwrap_or(now);
            state.known.retain(|_, known| known.used > middle);
        }
        state.known.insert(id, Known { used: now, written: now, line: line.into() });
    }

    /// The query with that id, unless it is forgotten.
    pub(crate) fn recall(&self, id: &str, now: Timestamp) -> Option<Query> {
        let now = now.as_micros();
        let mut guard = self.state.lock();
        let state = guard.get_or_insert_with(|| self.load(now));
        state.known.get(id).filter(|known| now - known.used <= KEPT_US)?.query()
    }

    /// When a query was last asked, in µs; 0 before the first.
    pub(crate) fn last_asked(&self, now: Timestamp) -> i64 {
        self.state.lock().get_or_insert_with(|| self.load(now.as_micros())).last
    }

    /// The queries that are not forgotten, with their ids and when each was last asked: the newest first.
    pub(crate) fn recent(&self, now: Timestamp) -> Vec<(Timestamp, String, Query)> {
        let now = now.as_micros();
        let mut guard = self.state.lock();
        let state = guard.get_or_insert_with(|| self.load(now));
        let mut recent: Vec<(&String, &Known)> =
            state.known.iter().filter(|(_, known)| now - known.used <= KEPT_US).collect();
        recent.sort_by(|(a, x), (b, y)| y.used.cmp(&x.used).then_with(|| a.cmp(b)));
        let read = |(id, known): (&String, &Known)| {
            Some((Timestamp::from_micros(known.used), id.clone(), known.query()?))
        };
        recent.into_iter().filter_map(read).collect()
    }

    fn load(&self, now: i64) -> State {
        let mut state = State::default();
        let Some((dir, disk)) = &self.place else { return state };
        let mut files = dated_files(dir, disk.as_ref());
        let outdated = |at: i64| now - at > KEPT_US + DAY_US;
        let surplus = files.len().saturating_sub(FILES_MAX);
        for (_, path) in files.extract_if(.., |(at, _)| outdated(*at)).collect::<Vec<_>>() {
            let _ = disk.remove(&path);
        }
        for (_, path) in files.drain(..surplus.min(files.len())) {
            let _ = disk.remove(&path);
        }
        for (at, path) in files {
            let Ok(file) = disk.open(&path, true) else { continue };
            let Ok(bytes) = file.map() else { continue };
            for line in String::from_utf8_lossy(&bytes).lines() {
                if let Some((id, at)) = id_of(line) {
                    state.last = state.last.max(at);
                    state.known.insert(id, Known { used: at, written: at, line: line.into() });
                }
            }
            let size = u64::try_from(bytes.len()).unwrap_or(FILE_BYTES_MAX);
            state.open = Some((at, file, size));
        }
        state
    }

    fn write(&self, state: &mut State, now: i64, line: &str) {
        let Some((dir, disk)) = &self.place else { return };
        let has_room = |(at, _, size): &(i64, Arc<dyn DiskFile>, u64)| {
            *size < FILE_BYTES_MAX && now >= *at && now - at < DAY_US
        };
        if !state.open.as_ref().is_some_and(has_room) {
            state.open = start_file(dir, disk.as_ref(), now);
        }
        if let Some((_, file, size)) = &mut state.open {
            // The line break comes first: what a crash tore off stays a line of its own.
            let bytes = format!("\n{line}");
            match file.write_all_at(bytes.as_bytes(), *size) {
                Ok(()) => *size += u64::try_from(bytes.len()).unwrap_or(FILE_BYTES_MAX),
                Err(_) => state.open = None,
            }
        }
    }
}

impl Known {
    fn query(&self) -> Option<Query> {
        let line: Value = serde_json::from_str(&self.line).ok()?;
        Some(Query {
            tool: line.get("tool")?.as_str()?.to_owned(),
            arguments: line.get("arguments")?.as_object()?.clone(),
        })
    }
}

/// The files of the directory by age, oldest first; there are none before the first query.
fn dated_files(dir: &Path, disk: &dyn Disk) -> Vec<(i64, PathBuf)> {
    let mut files: Vec<(i64, PathBuf)> = disk
        .list(dir)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|path| {
            let at = path.file_name()?.to_str()?.strip_suffix(".jsonl")?.parse().ok()?;
            Some((at, path))
        })
        .collect();
    files.sort();
    files
}

fn start_file(dir: &Path, disk: &dyn Disk, now: i64) -> Option<(i64, Arc<dyn DiskFile>, u64)> {
    disk.create_dir_all(dir).ok()?;
    let files = dated_files(dir, disk);
    for (_, path) in files.iter().take((files.len() + 1).saturating_sub(FILES_MAX)) {
        let _ = disk.remove(path);
    }
    let path = dir.join(format!("{now:016}.jsonl"));
    let file = disk.create(&path).ok()?;
    Some((now, file, 0))
}

fn id_of(line: &str) -> Option<(String, i64)> {
    let line: Value = serde_json::from_str(line).ok()?;
    Some((line.get("id")?.as_str()?.to_owned(), line.get("at")?.as_i64()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::RealDisk;
    use tempfile::TempDir;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn query(number: u64) -> Query {
        let arguments = json!({"limit": number}).as_object().cloned().unwrap_or_default();
        Query { tool: "query_events".to_owned(), arguments }
    }

    fn id(number: u64) -> QueryId {
        QueryId::of("query_events", &number.to_string())
    }

    fn open(dir: &TempDir) -> Queries {
        Queries::in_dir(dir.path(), Arc::new(RealDisk))
    }

    fn later(by_us: i64) -> Timestamp {
        Timestamp::from_micros(NOW.as_micros() + by_us)
    }

    #[track_caller]
    fn check(queries: &Queries, number: u64, at: Timestamp, expected: bool) {
        let found = queries.recall(&id(number).to_string(), at);
        assert_eq!(found, expected.then(|| query(number)));
    }

    #[test]
    fn a_query_is_known_after_a_restart() {
        let dir = TempDir::new().expect("a directory");
        open(&dir).remember(id(1), &query(1), NOW);
        let again = open(&dir);
        check(&again, 1, NOW, true);
        check(&again, 2, NOW, false);
        again.remember(id(2), &query(2), later(2 * DAY_US));
        check(&open(&dir), 1, later(2 * DAY_US), true);
        check(&open(&dir), 2, later(2 * DAY_US), true);
    }

    #[test]
    fn a_query_is_forgotten_after_seven_days() {
        let dir = TempDir::new().expect("a directory");
        let queries = open(&dir);
        queries.remember(id(1), &query(1), NOW);
        check(&queries, 1, later(KEPT_US), true);
        check(&queries, 1, later(KEPT_US + 1), false);
        let much_later = open(&dir);
        much_later.remember(id(2), &query(2), later(9 * DAY_US));
        check(&much_later, 1, later(9 * DAY_US), false);
        assert_eq!(dated_files(&dir.path().join("queries"), &RealDisk).len(), 1);
    }

    #[test]
    fn a_query_that_is_used_again_is_kept_from_then_on() {
        const HOUR_US: i64 = DAY_US / 24;
        let dir = TempDir::new().expect("a directory");
        let queries = open(&dir);
        queries.remember(id(1), &query(1), NOW);
        queries.remember(id(2), &query(2), later(1));
        queries.remember(id(1), &query(1), later(HOUR_US / 2));
        queries.remember(id(1), &query(1), later(20 * HOUR_US));
        let end = later(KEPT_US + 20 * HOUR_US);
        check(&queries, 1, end, true);
        check(&queries, 2, end, false);
        check(&open(&dir), 1, end, true);
        check(&open(&dir), 1, later(KEPT_US + 20 * HOUR_US + 1), false);
        let recent = queries.recent(later(20 * HOUR_US));
        let found: Vec<(Timestamp, String)> = recent.into_iter().map(|(at, id, _)| (at, id)).collect();
        assert_eq!(found, [(later(20 * HOUR_US), id(1).to_string()), (later(1), id(2).to_string())]);
        assert_eq!(queries.recent(end).len(), 1);
    }

    #[test]
    fn a_torn_line_costs_only_itself() {
        let dir = TempDir::new().expect("a directory");
        open(&dir).remember(id(1), &query(1), NOW);
        let (_, path) = dated_files(&dir.path().join("queries"), &RealDisk).remove(0);
        let file = RealDisk.open(&path, true).expect("the file");
        let size = file.size().expect("its size");
        file.write_all_at(b"\n{\"at\":17", size).expect("a torn line");
        open(&dir).remember(id(2), &query(2), NOW);
        check(&open(&dir), 1, NOW, true);
        check(&open(&dir), 2, NOW, true);
    }

    #[test]
    fn a_directory_that_takes_no_file_costs_no_answer() {
        let dir = TempDir::new().expect("a directory");
        let file = dir.path().join("queries");
        RealDisk.create(&file).expect("a file where the directory should be");
        let queries = open(&dir);
        queries.remember(id(1), &query(1), NOW);
        check(&queries, 1, NOW, true);
    }

    #[test]
    fn the_files_stay_bounded() {
        let dir = TempDir::new().expect("a directory");
        let queries = open(&dir);
        for number in 0..20 {
            let at = later(i64::try_from(number).expect("small") * DAY_US / 3);
            let mut big = query(number);
            big.arguments.insert("where".to_owned(), "x".repeat(50_000).into());
            for part in 0..25 {
                queries.remember(
                    id(number * 100 + part),
                    &big,
                    Timestamp::from_micros(at.as_micros() + i64::try_from(part).expect("small")),
                );
            }
        }
        assert!(dated_files(&dir.path().join("queries"), &RealDisk).len() <= FILES_MAX);
    }

    #[test]
    fn an_id_is_short_and_the_same_everywhere() {
        assert_eq!(
            QueryId::of("query_events", "{}").to_string(),
            QueryId::of("query_events", "{}").to_string()
        );
        assert_ne!(QueryId::of("query_events", "{}"), QueryId::of("sample_events", "{}"));
        assert_eq!(QueryId::from_number(31).to_string(), "q-00000000000z");
    }
}
