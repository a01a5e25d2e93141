//! AllSource: the event store that AI agents operate themselves.
//!
//! ```
//! use allsource::event::{EntityId, EventDraft, Expected, Version};
//! use allsource::store::{Append, Options, Store};
//!
//! # fn main() -> allsource::Result<()> {
//! # let root = tempfile::tempdir().map_err(|e| allsource::Error::internal(e.to_string()))?;
//! # let dir = root.path();
//! let store = Store::open(dir, Options::default())?;
//! store.append(Append {
//!     events: vec![EventDraft::new("order-7", "order.placed", r#"{"total": 12}"#)?],
//!     expected: vec![(EntityId::new("order-7")?, Expected::New)],
//!     ..Append::default()
//! })?;
//! let head = store.snapshot().entity_head(&EntityId::new("order-7")?)?;
//! assert_eq!(head.map(|head| head.version), Some(Version::new(1)));
//! # Ok(())
//! # }
//! ```
//!
//! # Which module answers which question
//!
//! A module imports only modules that stand above it here; `tests/tidy.rs` holds that.
//!
//! | module | question |
//! | --- | --- |
//! | [`error`] | What went wrong, and what does the caller do now? |
//! | [`event`] | What is an event, and what may it hold? Pure: names, limits, filters, times. |
//! | [`clock`] | Where do time and randomness come in? |
//! | [`schema`] | What shape do payloads have, and may it change so? Pure: checks, compatibility, inference, upcasts. |
//! | `import` | How do real files become events? Rows, mappings and chunks of JSON Lines, CSV and git history. |
//! | [`store`] | Where are the bytes, and what survives a crash? The only door to files. |
//! | [`search`] | Which events speak of this? Keyword and vector indexes: positions and scores, no events. |
//! | [`indexer`] | When does an event become findable? The thread that follows the log into the indexes. |
//! | `analysis` | What do many events add up to? Funnels, transitions, durations, trends: pure, over a stream. |
//! | [`engine`] | What may be done, and how? Permission, folds, queries, over an open store. |
//! | `sql` | What does the store say when it is asked in SQL? One SELECT over a branch as of a moment. |
//! | [`tools`] | What can an agent ask for? One table that all doors render; answers with a budget. |
//! | [`door`] | Who holds the directory? One process owns it, the others send it their calls. |
//! | [`mcp`] | How does an agent talk to it? The only module that knows the protocol. |
//! | [`cli`] | What can a person do at a terminal? |
//!
//! # How an event gets in
//!
//! A tool call or a library call ends in [`Store::append`](store::Store::append). On the caller's thread, in parallel
//! with others: duplicates, expectations and the condition are looked up on a pinned snapshot, and the frame is encoded.
//! Under the commit lock, alone: only what was committed since that snapshot is checked; positions, versions and one time
//! of recording are given; one write, one `fdatasync` for the whole group of waiting callers; then the head moves,
//! and everybody is answered, conflicts included. A caller without company commits on its own thread.
//!
//! A frame is one append: whole or gone. What follows the last whole frame after a crash is a torn tail and is cut,
//! unless something proves that it was durable once: then it is damage, and the store refuses to write until a person
//! decided. A failed write or sync is never retried; it stops all writing until the store is opened again.
//!
//! An open reads what no saved index covers, some 8 MiB at most. What indexes cover was durable before they were saved; it is
//! taken on trust, and proved when the first append waits for it or 250 ms later, so that the first answer waits for no
//! disk. Damage found there refuses that append and every later open. Who opens for reading only has nobody to prove it
//! later, so all of the newest log file is proved at once.
//!
//! # How an event is found
//!
//! A read pins a [`Snapshot`](store::Snapshot) and never waits for a writer. Each stretch of the log has an index: in
//! memory for the newest, an immutable file for every older one. An index leads from an entity, a type, an id, a key or
//! a time to positions, and from a position to a record in a mapped log file, whose checksum and identity are proved
//! before it is given out. A page ends at its limit and says what it looked at and where to go on.
//!
//! # How a call ends
//!
//! Each call has a clock of its own. Once its client has cancelled it, or its time is up, every look at that clock finds an hour
//! gone, so that whatever stops at a time limit (scans, folds, statements, waits) stops. What the call did becomes an event of the
//! branch `audit`, a store of its own, written behind the answer.
//!
//! # How an event becomes findable
//!
//! The [`indexer`] follows the durable head in a thread of low priority and brings each event into two indexes: its words into
//! a keyword index, and the vector of what it is about into append-only files. Every 300 ms, or when somebody waits for it,
//! both are made durable, the vectors first, then the words with a checkpoint that names how far both are: the commit of the
//! keyword index is the one commit point. A crash loses what was not committed, and it is indexed again. Readers pin what
//! was committed last; appends never wait for an index, and a search may wait for a position.
//!
//! What a fork added is indexed in memory when the fork is searched, and is searched together with `main`'s indexes, of which only
//! positions up to the cut count. Words are weighed by what both know together, so the scores of both are of one measure.
//!
//! A search ([`Engine`](engine::Engine)) asks both indexes for a fixed number of events, with the filter inside, gives each the
//! score that the other index has for it, and combines the two by bounds that do not depend on what else was found. Vectors are
//! scanned, one bit a dimension first and then exactly, or looked up in a graph where that is cheaper. Whatever the indexes
//! say is read from the store before it is shown.
//!
//! # How a payload keeps its shape
//!
//! A [`schema`] of JSON Schema is registered for an event type or a prefix of types. That is an event of the store's own, written by
//! nobody else, so what was the schema at some time is the fold of what was registered by then: it time-travels, forks and promotes
//! with everything else, and there is no second place to keep right. The [`Engine`](engine::Engine) folds it on with each append (a
//! look into the index of types behind the last head), checks payloads by the newest version, and refuses, warns or lets through as
//! the subject says. Nearly every schema is a plan of few keywords that one walk over the payload's text decides; only what it does not
//! take for certain is parsed and handed to the full validator, which words what is wrong.
//! # How many events add up
//!
//! An analysis ([`Engine`](engine::Engine), asked through the tools) reads the events of a view once, in order of position, and shows each
//! to an observer as numbers and symbols: whose it is, what happened, when, its group, its measure. Documents are read only where
//! a path leads into one. What depends on order is put together by key at the end, in order of timestamp and then position, so
//! that an event which was stored late stands where it happened. Results are exact, unless a sketch is asked for; what is held is bounded,
//! and an answer that did not see everything says so.
//!
//! # What becomes of it
//!
//! A full log file is indexed, then sealed: the same events in a Parquet file with an envelope beside it. Both stay for
//! as long as the log file is among the newest ([`hot_window_bytes`](store::Options::hot_window_bytes)), and reads use
//! the log. Beyond that the log file goes, once every row of the segment was compared with it. Small segments next to each
//! other are merged, and then their indexes. All of this happens on one thread of low priority, one manifest swap a step; a
//! crash in between leaves files that no manifest names. While more than 8 MiB a second are appended it waits, until so much log
//! has come together ([`upkeep_backlog_bytes_max`](store::Options::upkeep_backlog_bytes_max)) that it cannot any more.
//!
//! Nothing is emptied unless a [`RetentionPolicy`](store::RetentionPolicy) says so. Then what is to go is noted in the
//! manifest, recorded by an event of its own, and only then are segments written anew without these payloads: an
//! interrupted run is finished by the next one, and recorded once. The rows stay, so nothing is counted differently.
//!
//! # How a state is found
//!
//! The state of an entity is the fold of its events ([`Engine`](engine::Engine)), and the events alone say what it is. So
//! that a long entity is not folded from its first event each time, whoever folds
//! [`state_every_events`](store::Options::state_every_events) of them saves what came out, with its position, its version
//! and the greatest timestamp in it: a saved state serves the present and every `version`, `as_of`, `known_at` and
//! `as_of_position` behind all of that. It is used only after the event it ends with was read and found to be the
//! one that it names, and [`Engine::verify`](engine::Engine::verify) folds a sample anew. Few are kept, in one small file
//! that can be deleted: it costs time, never an answer.
//!
//! # Where this differs from what is usual, and why
//!
//! - *The log is the store.* There is no second copy in a database: payloads are served as the bytes that came, from a
//!   mapped file. Indexes are derived and can be thrown away; a crash can make them old but never wrong.
//! - *Two checksums over the same bytes.* The frame's proves that a batch is whole; each record's own proves an event when
//!   it is read, without reading the other 999 of its batch.
//! - *An index is two files.* Rows (where a position lies in the log) die with the row-form log; names, ids, keys and times
//!   outlive it. Both are made in memory, saved every 8 MiB of log, and merged when the log file is full.
//! - *Segments are plain Parquet with an envelope.* Any tool reads the Parquet file. What it has no place for (a checksum
//!   for every 4 KiB, what frames say of their calls, where each page lies without a footer to parse) lies beside it, in a
//!   file that is read where it is mapped.
//! - *A segment may be larger than its indexes.* Merging segments moves rows only; an index speaks of positions, so the
//!   old ones go on being true until they are merged too.
//! - *One commit for words and vectors.* The keyword index carries the checkpoint of the vectors and of the log, so three
//!   things that could disagree after a crash cannot. Vectors need no database of their own: a file that only grows, a
//!   length, and a checksum.
//! - *Vectors are scanned first, and looked up in graphs second.* One bit a dimension makes a scan of a million vectors a matter
//!   of milliseconds that nothing has to be built for, that filters make faster instead of emptier, and that finds what was
//!   added a moment ago. Graphs are a cache beside it.
//! - *Graphs are built here.* The library that was tried (`hnsw_rs`) left one vector in twenty unreached in clustered sets, held its own
//!   copy of every vector, and ends the process over a damaged file. Ours (HNSW, Malkov and Yashunin 2016) walks the set's own
//!   vectors, is mapped from a file with a checksum, and keeps a list of what a search does not reach.
//! - *The rest of a ranking travels in its cursor.* Pages of a ranking cannot be found again by position, and asking again
//!   ranks anew; so a cursor carries the positions that come next.
//! - *A repeated call is known by its events alone.* Expectations and conditions do not count: what was stored once is
//!   stored, and `timestamp > now-7d` means another moment each time it is sent.
//! - *One position over everything, without a gap.* Most stores give positions before they are visible, so followers
//!   must guess whether a gap will be filled. Here one committer gives them, and the head moves behind the sync.
//! - *A sync at every commit is the default.* Group commit makes it cheap when many write; who can lose the last
//!   milliseconds says so with [`Durability::Interval`](store::Durability), and a store that lost positions raises its
//!   epoch, so that no cursor goes on over other events.
//! - *Recovery trusts no page cache.* After a failed sync the kernel may show pages that it will never write, so an open
//!   writes what nothing proves durable once more before it relies on it.
//! - *Faults come in through the public seam.* Files go through [`Disk`](store::disk::Disk) alone, so the tests can stop,
//!   fail and tear every single call, and planted bugs prove that they would notice.
//! - *Tools are a table, not handlers of a protocol.* MCP, the command line and the socket between processes render the
//!   same rows, so what a caller may do is decided once.

pub mod error;
pub mod event;
pub mod clock;
pub mod schema;
mod import;
pub mod store;
pub mod search;
pub mod indexer;
mod analysis;
pub mod engine;
mod sql;
pub mod tools;
pub mod door;
pub mod mcp;
pub mod cli;

pub use error::{Error, ErrorKind, Result};

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
