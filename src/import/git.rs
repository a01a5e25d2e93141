//! A repository's history as events, read through the `git` binary.
//!
//! Every commit is an event of the entity `repo/NAME`; every file it touched is an event of the entity `file/PATH`,
//! caused by the commit. Event ids come from the commit's hash and the path, so that a later import adds what is new.
//! A renamed file has its history under both names: `file.renamed` begins the new one, `file.deleted` ends the old.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::chunk::{BadLine, CHUNK_EVENTS_MAX, Chunk, Item, Message};
use crate::error::{Error, ErrorKind, Result};
use crate::event::limits::NAME_BYTES_MAX;
use crate::event::{EventDraft, EventId, Timestamp};

/// The format of a commit: `\x01`, fields with `\x02` between, `\x01`; what it changed follows, NUL-separated.
const FORMAT: &str = "--format=%x01%H%x02%P%x02%an%x02%ct%x02%B%x01";
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// A repository whose history can be read.
pub(crate) struct Repository {
    dir: String,
    /// What its commits are filed under: the last part of its origin's address, or else of its directory.
    pub(crate) name: String,
    /// How many commits its history has.
    pub(crate) commits: u64,
}

impl Repository {
    /// Finds the repository that `dir` belongs to.
    ///
    /// # Errors
    /// `NotFound` when there is none, or no `git`.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let dir = dir.to_string_lossy().into_owned();
        let top = ask(&dir, &["rev-parse", "--path-format=absolute", "--git-common-dir"])?;
        let origin = ask(&dir, &["config", "--get", "remote.origin.url"]).unwrap_or_default();
        let commits = ask(&dir, &["rev-list", "--count", "HEAD"]).ok().and_then(|count| count.parse().ok());
        let place = if origin.is_empty() { top.as_str() } else { origin.as_str() };
        let place = place.trim_end_matches('/').trim_end_matches("/.git").trim_end_matches(".git");
        let name =
            place.rsplit(['/', ':', '\\']).next().filter(|name| !name.is_empty()).unwrap_or("repository");
        Ok(Self { dir, name: name.to_owned(), commits: commits.unwrap_or(0) })
    }

    /// Reads the history, oldest first, and sends it in chunks; ends early when nobody listens.
    pub(crate) fn read_chunks(&self, commits: &AtomicU64, to: &SyncSender<Message>) {
        let mut history = Batches { chunk: Chunk::default(), to };
        let read = self.read(commits, &mut history);
        history.send();
        let Err(failed) = read else { return };
        let message = format!("read the history of {}: git stopped; what came before is stored", self.dir);
        let error = Error::new(ErrorKind::Unavailable, "git_failed", message).caused_by(failed);
        let _ = to.send(Message::Failed(error));
    }

    fn read(&self, commits: &AtomicU64, history: &mut Batches<'_>) -> io::Result<()> {
        if self.commits == 0 {
            return Ok(());
        }
        let mut git = Command::new("git")
            .args([
                "-C",
                &self.dir,
                "-c",
                "log.showSignature=false",
                "log",
                "--reverse",
                "--topo-order",
                "-z",
            ])
            .args([
                "--raw",
                "--numstat",
                "--no-abbrev",
                "-M",
                "--no-ext-diff",
                "--no-color",
                "--encoding=UTF-8",
            ])
            .args([FORMAT, "HEAD"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = git.stdout.take().ok_or_else(|| io::Error::other("no pipe to git"))?;
        let read = self.read_log(Tokens { output: BufReader::new(output), next: None }, commits, history);
        finish(git, read)
    }

    /// `Ok(false)` when nobody listens any more.
    fn read_log(
        &self,
        mut tokens: Tokens<BufReader<ChildStdout>>,
        commits: &AtomicU64,
        history: &mut Batches<'_>,
    ) -> io::Result<bool> {
        while let Some(commit) = tokens.commit()? {
            commits.fetch_add(1, Ordering::Relaxed);
            for event in self.events(&commit) {
                if !history.add(event) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The commit itself, then each file it touched.
    fn events(&self, commit: &Commit) -> Vec<Result<EventDraft>> {
        let sum = |of: fn(&Change) -> Option<u64>| commit.changes.iter().filter_map(of).sum::<u64>();
        let (subject, body) = commit.message.split_once('\n').unwrap_or((&commit.message, ""));
        let mut payload = json!({"sha": commit.sha, "author": commit.author, "message": subject});
        if let Some(fields) = payload.as_object_mut() {
            if !body.trim().is_empty() {
                fields.insert("body".to_owned(), Value::from(body.trim()));
            }
            fields.insert("files".to_owned(), Value::from(commit.changes.len()));
            fields.insert("insertions".to_owned(), Value::from(sum(|change| change.insertions)));
            fields.insert("deletions".to_owned(), Value::from(sum(|change| change.deletions)));
            fields.insert("parents".to_owned(), Value::from(commit.parents.clone()));
        }
        let metadata = json!({"actor": commit.author});
        let entity = format!("repo/{}", self.name);
        let mut events = vec![commit.event(&entity, "commit.created", &commit.sha, &payload, &metadata)];
        for change in &commit.changes {
            events.push(commit.file_event(change));
            if let Some(from) = &change.from {
                events.push(commit.moved_away(from, &change.path));
            }
        }
        events
    }
}

/// Runs a short git command and gives its output.
fn ask(dir: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").args(["-C", dir]).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| {
        Error::new(ErrorKind::NotFound, "no_git", "run git; install it, or import files instead")
            .caused_by(error)
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let message = format!("read the git history of {dir}: {}", said.trim().trim_start_matches("fatal: "));
        return Err(Error::new(ErrorKind::NotFound, "no_repository", message));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Waits for git; that it failed matters only when its output was wanted to the end.
fn finish(mut git: Child, read: io::Result<bool>) -> io::Result<()> {
    let listened = read?;
    let status = git.wait()?;
    if listened && !status.success() {
        return Err(io::Error::other(format!("git log ended with {status}")));
    }
    Ok(())
}

struct Batches<'a> {
    chunk: Chunk,
    to: &'a SyncSender<Message>,
}

impl Batches<'_> {
    /// False when nobody listens any more.
    fn add(&mut self, event: Result<EventDraft>) -> bool {
        match event {
            Ok(event) => self.chunk.items.push(Item { line: 0, event, chain: 0 }),
            Err(error) => self.chunk.bad.push(BadLine { line: 0, reason: error.to_string() }),
        }
        self.chunk.items.len() < CHUNK_EVENTS_MAX || self.send()
    }

    fn send(&mut self) -> bool {
        let chunk = std::mem::take(&mut self.chunk);
        chunk.items.is_empty() && chunk.bad.is_empty() || self.to.send(Message::Chunk(chunk)).is_ok()
    }
}

#[derive(Debug, Default, PartialEq)]
struct Commit {
    sha: String,
    parents: Vec<String>,
    author: String,
    at: Timestamp,
    message: String,
    changes: Vec<Change>,
}

#[derive(Debug, Default, PartialEq)]
struct Change {
    status: char,
    path: String,
    from: Option<String>,
    /// `None` for a binary file.
    insertions: Option<u64>,
    deletions: Option<u64>,
}

impl Commit {
    fn event(
        &self,
        entity: &str,
        kind: &str,
        id: &str,
        payload: &Value,
        metadata: &Value,
    ) -> Result<EventDraft> {
        let draft = EventDraft::new(&name(entity), kind, payload.to_string())?
            .with_metadata(metadata.to_string())?
            .with_event_id(EventId::new(name(id))?);
        Ok(draft.at(self.at))
    }

    fn file_event(&self, change: &Change) -> Result<EventDraft> {
        let kind = match change.status {
            'A' | 'C' => "file.added",
            'D' => "file.deleted",
            'R' => "file.renamed",
            _ => "file.modified",
        };
        let mut payload = Map::new();
        payload.insert("path".to_owned(), Value::from(change.path.as_str()));
        payload.insert("commit".to_owned(), Value::from(self.sha.as_str()));
        payload.insert("author".to_owned(), Value::from(self.author.as_str()));
        if let Some(from) = &change.from {
            payload.insert("from".to_owned(), Value::from(from.as_str()));
        }
        match (change.insertions, change.deletions) {
            (Some(insertions), Some(deletions)) => {
                payload.insert("insertions".to_owned(), Value::from(insertions));
                payload.insert("deletions".to_owned(), Value::from(deletions));
            }
            _ => drop(payload.insert("binary".to_owned(), Value::from(true))),
        }
        let mut metadata = json!({"actor": self.author, "causation_id": self.sha});
        if let Some(fields) = metadata.as_object_mut().filter(|_| change.status == 'D') {
            fields.insert("fold".to_owned(), Value::from("delete"));
        }
        let id = format!("{}:{}", self.sha, change.path);
        self.event(&format!("file/{}", change.path), kind, &id, &Value::Object(payload), &metadata)
    }

    fn moved_away(&self, from: &str, to: &str) -> Result<EventDraft> {
        let payload = json!({"path": from, "commit": self.sha, "author": self.author, "renamed_to": to});
        let metadata = json!({"actor": self.author, "causation_id": self.sha, "fold": "delete"});
        let id = format!("{}:{from}", self.sha);
        self.event(&format!("file/{from}"), "file.deleted", &id, &payload, &metadata)
    }
}

/// A name that the store takes: control characters written visibly, a long one cut and told apart by its hash.
fn name(text: &str) -> String {
    const HASH_BYTES: usize = 17;
    let visible: String = text
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if visible.len() <= NAME_BYTES_MAX {
        return visible;
    }
    format!("{}#{:016x}", cut(&visible, NAME_BYTES_MAX - HASH_BYTES), xxh3_64(visible.as_bytes()))
}

/// The longest beginning of `text` that has at most `bytes_max` bytes.
fn cut(text: &str, bytes_max: usize) -> &str {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    text.get(..ends.take_while(|end| *end <= bytes_max).last().unwrap_or(0)).unwrap_or_default()
}

/// The NUL-separated output of `git log -z --raw --numstat`.
struct Tokens<R> {
    output: R,
    /// A token that was read ahead.
    next: Option<Vec<u8>>,
}

impl<R: BufRead> Tokens<R> {
    fn token(&mut self) -> io::Result<Option<Vec<u8>>> {
        if let Some(token) = self.next.take() {
            return Ok(Some(token));
        }
        let mut token = Vec::new();
        if self.output.read_until(0, &mut token)? == 0 {
            return Ok(None);
        }
        if token.last() == Some(&0) {
            token.pop();
        }
        Ok(Some(token))
    }

    fn text(&mut self) -> io::Result<String> {
        let token = self.token()?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&token).trim_start_matches('\n').to_owned())
    }

    /// The next commit with its changes.
    fn commit(&mut self) -> io::Result<Option<Commit>> {
        let header = loop {
            match self.token()? {
                None => return Ok(None),
                Some(token) if token.first() == Some(&1) => {
                    break String::from_utf8_lossy(&token).into_owned();
                }
                Some(_) => {}
            }
        };
        let mut fields = header.trim_matches(['\u{1}', '\n']).splitn(5, '\u{2}');
        let mut field = || fields.next().unwrap_or_default().to_owned();
        let mut commit = Commit {
            sha: field(),
            parents: field().split_whitespace().map(str::to_owned).collect(),
            author: field(),
            at: Timestamp::from_micros(field().parse::<i64>().unwrap_or(0).saturating_mul(1_000_000)),
            message: field(),
            changes: Vec::new(),
        };
        commit.message.truncate(cut(&commit.message, MESSAGE_BYTES_MAX).trim_end().len());
        while let Some(token) = self.token()? {
            if token.first() == Some(&1) {
                self.next = Some(token);
                break;
            }
            let token = String::from_utf8_lossy(&token).trim_start_matches('\n').to_owned();
            if token.starts_with(':') {
                let change = self.change(&token)?;
                commit.changes.push(change);
            } else if !token.is_empty() {
                self.count(&token, &mut commit.changes)?;
            }
        }
        Ok(Some(commit))
    }

    /// `:100644 100644 SHA SHA M`, then the path; `R100` and `C75` have the old path before it.
    fn change(&mut self, token: &str) -> io::Result<Change> {
        let status = token.rsplit(' ').next().and_then(|status| status.chars().next()).unwrap_or('M');
        let from = if matches!(status, 'R' | 'C') { Some(self.text()?) } else { None };
        let from = from.filter(|_| status == 'R');
        Ok(Change { status, path: self.text()?, from, ..Change::default() })
    }

    /// `7<tab>0<tab>path`; a rename leaves the path empty and has both behind.
    fn count(&mut self, token: &str, changes: &mut [Change]) -> io::Result<()> {
        let mut fields = token.splitn(3, '\t');
        let (insertions, deletions) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let mut path = fields.next().unwrap_or_default().to_owned();
        if path.is_empty() {
            self.text()?;
            path = self.text()?;
        }
        if let Some(change) = changes.iter_mut().find(|change| change.path == path) {
            change.insertions = insertions.parse().ok();
            change.deletions = deletions.parse().ok();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What git 2.47 prints for an addition, a rename, a deletion beside a binary file, and an empty commit.
    const LOG: &str = "\x01aa\x02\x02Ann\x021700000000\x02one\n\x01\x00\n:000000 100644 0 1 A\x00x\x007\t0\tx\x00\
        \x01bb\x02aa\x02Bö\x021700000100\x02two\n\nbody\n\x01\x00\n:100644 100644 1 1 R100\x00x\x00y é\x00:000000 100644 0 2 A\x00z\x00\
        0\t0\t\x00x\x00y é\x001\t0\tz\x00\x01cc\x02bb\x02Ann\x021700000200\x02three\n\x01\x00\n:100644 000000 2 0 D\x00z\x00\
        :000000 100644 0 3 A\x00img\x000\t1\tz\x00-\t-\timg\x00\x01dd\x02cc\x02Ann\x021700000300\x02empty\n\x01\x00";

    fn commits() -> Vec<Commit> {
        let mut tokens = Tokens { output: io::Cursor::new(LOG), next: None };
        std::iter::from_fn(|| tokens.commit().expect("a log")).collect()
    }

    #[test]
    fn a_log_is_read_with_renames_binaries_and_empty_commits() {
        let commits = commits();
        let found: Vec<_> = commits
            .iter()
            .map(|commit| {
                let changes = commit.changes.iter().map(|change| {
                    let from = change.from.as_deref().unwrap_or("-");
                    format!("{} {from} {} {:?}", change.status, change.path, change.insertions)
                });
                (commit.sha.as_str(), commit.message.as_str(), changes.collect::<Vec<_>>().join(", "))
            })
            .collect();
        let expected = [
            ("aa", "one", "A - x Some(7)"),
            ("bb", "two\n\nbody", "R x y é Some(0), A - z Some(1)"),
            ("cc", "three", "D - z Some(0), A - img None"),
            ("dd", "empty", ""),
        ];
        assert_eq!(found, expected.map(|(sha, message, changes)| (sha, message, changes.to_owned())));
    }

    #[test]
    fn every_event_has_an_id_of_its_own_and_names_its_cause() {
        let repository = Repository { dir: ".".to_owned(), name: "r".to_owned(), commits: 4 };
        let events: Vec<_> =
            commits().iter().flat_map(|commit| repository.events(commit)).flatten().collect();
        let found: Vec<_> = events
            .iter()
            .map(|event| {
                let id = event.event_id.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("{id} {} {}", event.entity_id, event.event_type)
            })
            .collect();
        assert_eq!(
            found,
            [
                "aa repo/r commit.created",
                "aa:x file/x file.added",
                "bb repo/r commit.created",
                "bb:y é file/y é file.renamed",
                "bb:x file/x file.deleted",
                "bb:z file/z file.added",
                "cc repo/r commit.created",
                "cc:z file/z file.deleted",
                "cc:img file/img file.added",
                "dd repo/r commit.created",
            ]
        );
        let cause = events[1].metadata().expect("metadata").to_value();
        assert_eq!(cause, json!({"actor": "Ann", "causation_id": "aa"}));
    }

    #[test]
    fn a_name_that_the_store_would_refuse_is_written_so_that_it_takes_it() {
        assert_eq!(name("file/a\nb"), "file/a\\nb");
        let long = name(&"é".repeat(200));
        assert!(long.len() <= NAME_BYTES_MAX && long.contains('#'), "{long}");
        assert_ne!(long, name(&"é".repeat(201)));
    }
}
