//! The half of the indexer that turns texts into vectors, at the pace of its model.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::SearchOptions;
use super::checkpoint::Checkpoint;
use super::graphing::Graphing;
use super::progress::Meaning;
use crate::clock::Clock;
use crate::error::{ErrorKind, Result};
use crate::event::{Event, Position};
use crate::search::embed::{Embedder, text_into};
use crate::search::{PositionSet, TextHash, VectorOptions, VectorReader, Vectors, wipe};
use crate::store::{Feed, Store};

/// The fewest and the most events that are embedded in one turn. In between it is as many as fit into the time below, so
/// that a slow model does not keep words from being findable.
const EVENTS_MIN: usize = 16;
const EVENTS_MAX: usize = 4_096;
/// How long a turn should take: 50 ms.
const TURN: Duration = Duration::from_millis(50);

/// The vectors, if there are to be any.
pub(super) enum Vectoring {
    /// They are made by this embedder.
    On(Box<On>),
    /// They are of another model, and stay as they are.
    OtherModel(Meaning),
    /// None are wanted.
    Off,
}

/// Vectors that are being made.
pub(super) struct On {
    /// Before the vectors, so that it ends first.
    graphing: Graphing,
    vectors: Vectors,
    embedder: Arc<dyn Embedder>,
    clock: Arc<dyn Clock>,
    feed: Feed,
    events_per_turn: usize,
    /// The texts of a turn, reused.
    texts: Vec<String>,
}

impl Vectoring {
    /// Opens the vectors as the checkpoint names them; those that cannot be used are made anew, those of another model
    /// stay as they are.
    pub(super) fn open(
        store: &Store,
        options: &SearchOptions,
        dir: &Path,
        checkpoint: &mut Checkpoint,
        feed: &Feed,
    ) -> Result<Self> {
        let Some(embedder) = &options.embedder else { return Ok(Self::Off) };
        let open = |checkpoint: &Checkpoint| {
            let (model, dimension) = (embedder.model().as_str(), embedder.dimension());
            Vectors::open(vector_options(store, options), dir, model, dimension, checkpoint.vectors.as_ref())
        };
        let vectors = match open(checkpoint) {
            Err(error) if error.code() == "other_model" => {
                return Ok(Self::OtherModel(other_model(embedder.as_ref(), checkpoint)));
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::warn!("failed to {error}; the vectors are made anew");
                wipe(store.disk().as_ref(), dir)?;
                checkpoint.vectors = None;
                open(checkpoint)?
            }
            opened => opened?,
        };
        let feed = feed.again(vectors.next().previous());
        Ok(Self::On(Box::new(On {
            graphing: Graphing::start(vectors.graphs()),
            vectors,
            embedder: Arc::clone(embedder),
            clock: Arc::clone(store.clock()),
            feed,
            events_per_turn: EVENTS_MIN,
            texts: Vec::new(),
        })))
    }

    /// The vectors of a store that nobody writes to, how far they go, and whether they can be searched.
    pub(super) fn open_to_read(
        store: &Store,
        options: &SearchOptions,
        dir: &Path,
        checkpoint: &Checkpoint,
    ) -> Result<(Option<VectorReader>, Option<Position>, Meaning)> {
        let (Some(embedder), Some(vectors)) = (&options.embedder, &checkpoint.vectors) else {
            return Ok((None, None, Meaning::Off));
        };
        let (model, dimension) = (embedder.model().as_str(), embedder.dimension());
        let reading = VectorOptions { writable: false, ..vector_options(store, options) };
        match Vectors::open(reading, dir, model, dimension, Some(vectors)) {
            Ok(vectors) => {
                let through = vectors.next().previous();
                Ok((Some(vectors.reader()), Some(through), Meaning::On(embedder.model().clone())))
            }
            Err(error) if error.code() == "other_model" => {
                Ok((None, None, other_model(embedder.as_ref(), checkpoint)))
            }
            Err(error) => Err(error),
        }
    }

    /// Embeds the next events; gives how many there were.
    pub(super) fn add(&mut self) -> Result<u64> {
        match self {
            Self::On(on) => on.add(),
            Self::OtherModel(_) | Self::Off => Ok(0),
        }
    }

    /// Everything up to here was embedded; `None` where nothing is.
    pub(super) fn through(&self) -> Option<Position> {
        match self {
            Self::On(on) => Some(on.feed.position()),
            Self::OtherModel(_) | Self::Off => None,
        }
    }

    /// Makes what was added durable, and notes it in the checkpoint.
    pub(super) fn flush(&mut self, checkpoint: &mut Checkpoint) -> Result<()> {
        if let Self::On(on) = self {
            checkpoint.vectors = Some(on.vectors.flush()?);
            on.graphing.look();
        }
        Ok(())
    }

    /// What was flushed, and how far that goes.
    pub(super) fn published(&self) -> (Option<VectorReader>, Option<Position>) {
        match self {
            Self::On(on) => {
                let reader = on.vectors.reader();
                let through = reader.through();
                (Some(reader), Some(through))
            }
            Self::OtherModel(_) | Self::Off => (None, None),
        }
    }

    pub(super) fn meaning(&self) -> Meaning {
        match self {
            Self::On(on) => Meaning::On(on.embedder.model().clone()),
            Self::OtherModel(meaning) => meaning.clone(),
            Self::Off => Meaning::Off,
        }
    }

    /// Takes away the vectors of events that were emptied.
    pub(super) fn forget(&mut self, positions: &PositionSet) -> Result<()> {
        match self {
            Self::On(on) => on.vectors.forget(positions),
            Self::OtherModel(_) | Self::Off => Ok(()),
        }
    }

    /// Removes all vectors and begins with those of the present embedder.
    pub(super) fn begin_anew(
        &mut self,
        store: &Store,
        options: &SearchOptions,
        dir: &Path,
        checkpoint: &mut Checkpoint,
        feed: &Feed,
    ) -> Result<()> {
        if let Self::On(on) = self {
            // Until the next commit the checkpoint names the old files, and they stay.
            on.vectors.forget_all()?;
            on.feed = feed.again(Position::ZERO);
            return Ok(());
        }
        wipe(store.disk().as_ref(), dir)?;
        checkpoint.vectors = None;
        *self = Self::open(store, options, dir, checkpoint, feed)?;
        Ok(())
    }
}

impl On {
    fn add(&mut self) -> Result<u64> {
        let began = self.clock.elapsed();
        let page = self.feed.pull(self.events_per_turn)?;
        if page.events.is_empty() {
            return Ok(0);
        }
        self.add_all(&page.events)?;
        let took = self.clock.elapsed().saturating_sub(began);
        if took > TURN * 2 {
            self.events_per_turn = (self.events_per_turn / 2).max(EVENTS_MIN);
        } else if took < TURN / 2 && page.events.len() == self.events_per_turn {
            self.events_per_turn = (self.events_per_turn * 2).min(EVENTS_MAX);
        }
        Ok(page.events.len() as u64)
    }

    /// Embeds each text that has no vector yet once, then gives each event its vector in their order.
    fn add_all(&mut self, events: &[Event]) -> Result<()> {
        self.texts.resize_with(self.texts.len().max(events.len()), String::new);
        let mut hashes = Vec::with_capacity(events.len());
        let (mut fresh, mut seen) = (Vec::new(), HashSet::new());
        for (event, text) in events.iter().zip(&mut self.texts) {
            text.clear();
            text_into(event, text);
            let hash = (!text.is_empty()).then(|| TextHash::of(text));
            hashes.push(hash);
            if let Some(hash) = hash
                && !self.vectors.contains(hash)
                && seen.insert(hash)
            {
                fresh.push((hash, text.as_str()));
            }
        }
        let texts: Vec<&str> = fresh.iter().map(|(_, text)| *text).collect();
        let embedded = self.embedder.embed(&texts)?;
        let mut embedded = fresh.iter().map(|(hash, _)| *hash).zip(embedded).peekable();
        for (event, hash) in events.iter().zip(hashes) {
            let Some(hash) = hash else {
                self.vectors.add_none(event.position)?;
                continue;
            };
            // Fresh texts stand in the order of the events that bring them first.
            let vector = embedded.next_if(|(fresh, _)| *fresh == hash).map(|(_, vector)| vector);
            self.vectors.add(event.position, hash, vector.as_deref())?;
        }
        Ok(())
    }
}

fn vector_options(store: &Store, options: &SearchOptions) -> VectorOptions {
    VectorOptions {
        set_vectors_max: options.set_vectors_max,
        graph_memory_bytes_max: options.graph_memory_bytes_max,
        ..VectorOptions::new(Arc::clone(store.disk()), Arc::clone(store.clock()))
    }
}

fn other_model(embedder: &dyn Embedder, checkpoint: &Checkpoint) -> Meaning {
    let indexed = checkpoint.vectors.as_ref().map(|vectors| vectors.model().to_owned());
    Meaning::OtherModel { indexed: indexed.unwrap_or_default(), wanted: embedder.model().clone() }
}
