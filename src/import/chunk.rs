//! Rows to events, about a thousand at a time, on a thread of its own while the store appends the ones before.

use std::ops::ControlFlow;
use std::sync::mpsc::SyncSender;

use xxhash_rust::xxh3::xxh3_128;

use super::mapping::{Mapped, Mapping, Wanted};
use super::places::Places;
use super::rows::{Format, Row};
use super::source::Source;
use crate::error::{Error, ErrorKind};
use crate::event::EventDraft;

/// The most events in one append: 1,000.
pub(crate) const CHUNK_EVENTS_MAX: usize = 1_000;
/// The most payload bytes in one append, unless one event alone is larger: 8 MiB.
const CHUNK_BYTES_MAX: usize = 8 << 20;

/// An event and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Its line, from 1; of git history, 0.
    pub(crate) line: u64,
    pub(crate) event: EventDraft,
    /// The hash of every line up to this one, however they are mapped. A store that knows it has all of them.
    pub(crate) chain: u128,
}

/// A line that is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    pub(crate) line: u64,
    /// Follows the line: "is not JSON: …".
    pub(crate) reason: String,
}

/// The events of one append, and the bad lines among them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) items: Vec<Item>,
    pub(crate) bad: Vec<BadLine>,
}

impl Chunk {
    /// Drops what comes after the first bad line.
    pub(crate) fn end_at_first_bad(&mut self) {
        let Some(first) = self.bad.iter().map(|bad| bad.line).min() else { return };
        self.items.retain(|item| item.line < first);
        self.bad.retain(|bad| bad.line == first);
    }
}

/// What the reading thread sends.
pub(crate) enum Message {
    /// How the rows of the file are read, once.
    Mapping(Mapping),
    Chunk(Chunk),
    /// What rows did not say of what was mapped, at the end of the file.
    Lacking(String),
    /// Reading cannot go on.
    Failed(Error),
}

/// Reads a whole source and sends its chunks; ends early when nobody listens.
pub(crate) fn read_chunks(
    name: &str,
    mut source: Source,
    format: Option<Format>,
    wanted: &Wanted,
    to: &SyncSender<Message>,
) {
    let failed = |error: std::io::Error| {
        let message =
            format!("read {name}: the rest cannot be unpacked or read; what came before it is stored");
        // The receiver is gone only when it gave up itself.
        let _ = to.send(Message::Failed(
            Error::new(ErrorKind::Invalid, "unreadable_file", message).caused_by(error),
        ));
    };
    let format = match format.map_or_else(|| Format::detect(name, &mut source.text), Ok) {
        Ok(format) => format,
        Err(error) => return failed(error),
    };
    let mut chunker = Chunker {
        name,
        wanted,
        mapping: None,
        places: Places::default(),
        chain: 0,
        chunk: Chunk::default(),
        bytes: 0,
        to,
    };
    match format.read(source.text, &mut |row| chunker.take(&row)) {
        Ok(()) => {
            if chunker.send().is_continue() {
                for lacking in chunker.places.lacking() {
                    let _ = to.send(Message::Lacking(lacking));
                }
            }
        }
        Err(error) => {
            let _ = chunker.send();
            failed(error);
        }
    }
}

/// Sends events that are there already and have ids of their own.
pub(crate) fn send_drafts(events: Vec<EventDraft>, to: &SyncSender<Message>) {
    let mut items = (1..).zip(events).map(|(line, event)| Item { line, event, chain: 0 }).peekable();
    while items.peek().is_some() {
        let items = items.by_ref().take(CHUNK_EVENTS_MAX).collect();
        if to.send(Message::Chunk(Chunk { items, bad: Vec::new() })).is_err() {
            return;
        }
    }
}

struct Chunker<'a> {
    name: &'a str,
    wanted: &'a Wanted,
    mapping: Option<Mapping>,
    places: Places,
    chain: u128,
    chunk: Chunk,
    bytes: usize,
    to: &'a SyncSender<Message>,
}

impl Chunker<'_> {
    fn take(&mut self, row: &Row<'_>) -> ControlFlow<()> {
        let mapped = self.event(row)?;
        if row.members.is_ok() {
            // Also a line that this mapping makes no event of: another may have.
            self.chain = link(self.chain, row.bytes);
        }
        match mapped {
            Ok(mapped) => {
                self.places.count(&mapped);
                let event = mapped.event;
                self.bytes += event.payload().as_str().len();
                self.chunk.items.push(Item { line: row.line, event, chain: self.chain });
            }
            Err(reason) => self.chunk.bad.push(BadLine { line: row.line, reason }),
        }
        let full = self.chunk.items.len() + self.chunk.bad.len() >= CHUNK_EVENTS_MAX;
        if full || self.bytes >= CHUNK_BYTES_MAX {
            return self.send();
        }
        ControlFlow::Continue(())
    }

    /// The event of a row; breaks when the file cannot be mapped at all.
    fn event(&mut self, row: &Row<'_>) -> ControlFlow<(), Result<Mapped, String>> {
        let members = match &row.members {
            Ok(members) => *members,
            Err(reason) => return ControlFlow::Continue(Err(reason.clone())),
        };
        if let Some(mapping) = &self.mapping {
            self.places.look(members);
            return ControlFlow::Continue(mapping.event(members));
        }
        match Mapping::resolve(self.wanted, members) {
            Ok(mapping) => {
                self.places = Places::of(self.wanted, &mapping);
                self.places.look(members);
                let event = mapping.event(members);
                let sent = self.to.send(Message::Mapping(mapping.clone()));
                self.mapping = Some(mapping);
                if sent.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(event) }
            }
            Err(reason) => {
                let message = format!("import {} from its line {} on: cannot {reason}", self.name, row.line);
                let _ = self.to.send(Message::Failed(Error::invalid("no_mapping", message)));
                ControlFlow::Break(())
            }
        }
    }

    fn send(&mut self) -> ControlFlow<()> {
        self.bytes = 0;
        let chunk = std::mem::take(&mut self.chunk);
        if chunk.items.is_empty() && chunk.bad.is_empty() {
            return ControlFlow::Continue(());
        }
        if let Some(reason) = self.places.refusal() {
            let message = format!("import {}: {reason}", self.name);
            let _ = self.to.send(Message::Failed(Error::invalid("no_such_place", message)));
            return ControlFlow::Break(());
        }
        if self.to.send(Message::Chunk(chunk)).is_err() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// The hash of a chain of lines and one more.
fn link(chain: u128, line: &[u8]) -> u128 {
    let mut bytes = Vec::with_capacity(line.len() + 16);
    bytes.extend_from_slice(&chain.to_le_bytes());
    bytes.extend_from_slice(line);
    xxh3_128(&bytes)
}
