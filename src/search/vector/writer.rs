//! The one writer of a directory of vectors.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint::{FORMAT, SetLengths, VectorCheckpoint};
use super::file::{failed, remove_if_there};
use super::filling::Filling;
use super::format::{NONE, Shape, TextHash};
use super::gone::{GoneRows, gone_path};
use super::graph::Graphs;
use super::options::VectorOptions;
use super::quantise::Quantised;
use super::reader::{Shared, VectorReader};
use super::set::{SetView, stem};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Position;
use crate::search::positions::PositionSet;
use crate::store::disk::Disk;

/// The endings that a set's files have, followed by a number or not.
const ENDINGS: [&str; 7] = ["vectors", "sketches", "texts", "rows", "last", "gone-", "graph"];

/// The one writer of a directory of vectors. Nothing of what it adds is seen or survives before [`flush`](Self::flush).
pub(crate) struct Vectors {
    options: VectorOptions,
    dir: PathBuf,
    model: String,
    shape: Shape,
    sealed: Vec<Sealed>,
    filling: Option<Filling>,
    next_set: u64,
    shared: Arc<Shared>,
    /// Files that the checkpoint to come does not name, but that the last one may.
    leaving: Vec<PathBuf>,
    /// Files that neither of the last two checkpoints names.
    left: Vec<PathBuf>,
    /// A write failed: what is in the files is unknown until they are opened again.
    failed: bool,
}

/// A set that no event is added to any more.
struct Sealed {
    view: Arc<SetView>,
    lengths: SetLengths,
    gone: GoneRows,
}

impl Vectors {
    /// Opens a directory as a checkpoint left it, or empty without one. Everything else in it is removed, unless it is opened for
    /// [reading](VectorOptions::writable) alone: then nothing changes.
    ///
    /// # Errors
    /// `Conflict` with the code `other_model` when the vectors are another embedder's; `Corrupt` with the code
    /// `vectors_damaged` when files are missing or shorter than they were.
    pub(crate) fn open(
        options: VectorOptions,
        dir: &Path,
        model: &str,
        dimension: usize,
        checkpoint: Option<&VectorCheckpoint>,
    ) -> Result<Self> {
        let shape = Shape::new(dimension);
        if let Some(checkpoint) = checkpoint {
            same_model(checkpoint, model, dimension)?;
        }
        let sets = checkpoint.map_or(&[][..], |checkpoint| &checkpoint.sets);
        if options.writable {
            options.disk.create_dir_all(dir).map_err(|error| failed("create", dir, &error))?;
            remove_strangers(&options, dir, sets)?;
        }
        let (mut sealed, mut filling) = (Vec::new(), None);
        for lengths in sets {
            if lengths.last.is_some() {
                sealed.push(Sealed::open(&options, dir, shape, lengths)?);
            } else {
                filling = Some(Filling::open(&options, dir, shape, lengths)?);
            }
        }
        let opened = Self {
            shared: Arc::new(Shared::new(&options, shape)),
            dir: dir.to_owned(),
            model: model.to_owned(),
            shape,
            sealed,
            filling,
            next_set: checkpoint.map_or(1, |checkpoint| checkpoint.next_set),
            leaving: Vec::new(),
            left: Vec::new(),
            failed: false,
            options,
        };
        opened.publish();
        Ok(opened)
    }

    /// The position that is added next; the first of all where nothing was added yet.
    pub(crate) fn next(&self) -> Position {
        if let Some(filling) = &self.filling {
            return filling.next();
        }
        self.sealed.last().map_or(Position::new(1), |set| set.view.position_of(set.view.row_count()))
    }

    /// Whether the vector of a text is known, so that it need not be embedded again. What is known stays so until the
    /// next flush.
    pub(crate) fn contains(&self, text: TextHash) -> bool {
        self.filling.as_ref().is_some_and(|filling| filling.known(text).is_some())
    }

    /// Adds the event at [`next`](Self::next), or at any position to begin with. The vector is needed unless the text
    /// is [known](Self::contains); one of zeros, or with a number that is not finite, says nothing and is stored as none.
    pub(crate) fn add(&mut self, position: Position, text: TextHash, vector: Option<&[f32]>) -> Result<()> {
        let dimension = self.shape.dimension();
        self.change(|vectors| {
            let filling = vectors.filling_at(position)?;
            let ordinal = match (filling.known(text), vector) {
                (Some(ordinal), _) => ordinal,
                (None, Some(vector)) if vector.len() == dimension => {
                    filling.learn(text, Quantised::of(vector).as_ref())?
                }
                (None, Some(vector)) => {
                    let found = vector.len();
                    let message = format!(
                        "add the vector of position {position}: it has {found} numbers, not {dimension}"
                    );
                    return Err(Error::internal(message));
                }
                (None, None) => {
                    let message =
                        format!("add position {position}: its text is not known and came without a vector");
                    return Err(Error::internal(message));
                }
            };
            filling.add_row(ordinal)
        })
    }

    /// Adds the event at [`next`](Self::next) as one that has nothing to embed.
    pub(crate) fn add_none(&mut self, position: Position) -> Result<()> {
        self.change(|vectors| vectors.filling_at(position)?.add_row(NONE))
    }

    /// Takes the vectors from events that were emptied. Positions that were not added are passed over.
    ///
    /// The vector's record stays in its file until the search index is built anew; nothing finds it.
    pub(crate) fn forget(&mut self, positions: &PositionSet) -> Result<()> {
        self.change(|vectors| {
            let mut sets = vectors.sealed.iter_mut().peekable();
            for position in positions.iter() {
                while sets.next_if(|set| set.view.position_of(set.view.row_count()) <= position).is_some() {}
                let sealed = sets.peek_mut().and_then(|set| Some((set.view.row_of(position)?, set)));
                if let Some((row, set)) = sealed {
                    set.gone.insert(row);
                } else if let Some(filling) = &mut vectors.filling
                    && let Some(row) = filling.row_of(position)
                {
                    filling.gone.insert(row);
                }
            }
            Ok(())
        })
    }

    /// Forgets everything, to begin anew at any position. The files go once nothing can name them.
    pub(crate) fn forget_all(&mut self) -> Result<()> {
        self.change(|vectors| {
            let filling = vectors.filling.take().map(|filling| filling.lengths());
            for lengths in vectors.sealed.drain(..).map(|set| set.lengths).chain(filling) {
                vectors.leaving.extend(files_of(&vectors.dir, &lengths));
            }
            Ok(())
        })
    }

    /// Makes everything that was added durable and shows it to new readers. Then the set is sealed if it is full.
    ///
    /// Once the checkpoint is stored, opening with it gives exactly this. The one before must be good until then: files
    /// that only it names are removed by the flush after this one.
    pub(crate) fn flush(&mut self) -> Result<VectorCheckpoint> {
        self.change(|vectors| {
            for path in vectors.left.drain(..) {
                // Nobody misses what stays: the next open removes it.
                let _ = remove_if_there(vectors.options.disk.as_ref(), &path);
            }
            vectors.left.append(&mut vectors.leaving);
            vectors.write()?;
            Ok(())
        })?;
        self.publish();
        Ok(self.checkpoint())
    }

    /// What is flushed, pinned. Cheap.
    pub(crate) fn reader(&self) -> VectorReader {
        self.shared.reader()
    }

    /// What makes the graphs, on another thread.
    pub(crate) fn graphs(&self) -> Graphs {
        Graphs { shared: Arc::clone(&self.shared) }
    }

    /// Makes a change, unless one failed before.
    fn change<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.failed {
            let message = "change the vectors: a write failed before; open the store again";
            return Err(Error::new(ErrorKind::Unavailable, "disk_failed", message));
        }
        let changed = change(self);
        // A defect of the caller is found before anything is written.
        self.failed = changed.as_ref().is_err_and(|error| error.kind() != ErrorKind::Internal);
        changed
    }

    /// The set that takes this position, which must be the next.
    fn filling_at(&mut self, position: Position) -> Result<&mut Filling> {
        let begun = self.filling.is_some() || !self.sealed.is_empty();
        if begun && position != self.next() {
            let message = format!("add the vector of position {position}: the next one is {}", self.next());
            return Err(Error::internal(message));
        }
        if self.filling.is_none() {
            let (disk, number) = (self.options.disk.as_ref(), self.next_set);
            let vectors_max = self.options.set_vectors_max;
            self.filling = Some(Filling::create(disk, &self.dir, self.shape, vectors_max, number, position)?);
            self.next_set += 1;
        }
        self.filling.as_mut().ok_or_else(|| Error::internal("begin a set of vectors: there is none"))
    }

    fn write(&mut self) -> Result<()> {
        let disk = self.options.disk.as_ref();
        for set in &mut self.sealed {
            self.left.extend(set.flush(disk)?);
        }
        if let Some(filling) = &mut self.filling {
            self.left.extend(filling.flush(disk)?);
            if filling.is_full(self.options.set_vectors_max) {
                let lengths = SetLengths { last: Some(filling.seal(disk)?), ..filling.lengths() };
                self.sealed.push(Sealed::open(&self.options, &self.dir, self.shape, &lengths)?);
                self.filling = None;
            }
        }
        disk.sync_dir(&self.dir).map_err(|error| failed("sync", &self.dir, &error))
    }

    fn publish(&self) {
        let sealed = self.sealed.iter().map(|set| Arc::clone(&set.view));
        let filling = self.filling.as_ref().map(|filling| Arc::new(filling.view()));
        self.shared.publish(sealed.chain(filling).collect());
    }

    fn checkpoint(&self) -> VectorCheckpoint {
        let sealed = self.sealed.iter().map(|set| set.lengths.clone());
        VectorCheckpoint {
            format: FORMAT,
            model: self.model.clone(),
            dimension: self.shape.dimension(),
            next_set: self.next_set,
            sets: sealed.chain(self.filling.as_ref().map(Filling::lengths)).collect(),
        }
    }
}

impl Sealed {
    fn open(options: &VectorOptions, dir: &Path, shape: Shape, lengths: &SetLengths) -> Result<Self> {
        let disk = options.disk.as_ref();
        let gone = GoneRows::open(disk, &stem(dir, lengths.number, lengths.first), lengths.gone)?;
        let view = Arc::new(SetView::open(disk, dir, shape, lengths, &gone)?);
        Ok(Self { view, lengths: lengths.clone(), gone })
    }

    /// Makes emptied rows durable and shows them; gives a file that nothing needs any more.
    fn flush(&mut self, disk: &dyn Disk) -> Result<Option<PathBuf>> {
        let old = self.gone.flush(disk, &self.view.stem)?;
        if self.gone.file() != self.lengths.gone {
            self.lengths.gone = self.gone.file();
            let gone = self.gone.view(&self.view.rows, self.view.ordinals());
            self.view = Arc::new(SetView { gone, ..SetView::clone(&self.view) });
        }
        Ok(old)
    }
}

fn same_model(checkpoint: &VectorCheckpoint, model: &str, dimension: usize) -> Result<()> {
    if checkpoint.format != FORMAT {
        let (found, known) = (checkpoint.format, FORMAT);
        let message = format!(
            "open the vectors: they have format {found}, this program reads {known}; rebuild the search index"
        );
        return Err(Error::new(ErrorKind::Conflict, "other_format", message));
    }
    if checkpoint.model == model && checkpoint.dimension == dimension {
        return Ok(());
    }
    let (stored, stored_dimension) = (checkpoint.model.as_str(), checkpoint.dimension);
    let message = format!(
        "open the vectors: they were made by \"{stored}\" ({stored_dimension} numbers each), not by \"{model}\" ({dimension})"
    );
    let error = Error::new(ErrorKind::Conflict, "other_model", message);
    Err(error.with("stored_model", stored).with("model", model))
}

/// The files that a checkpoint names for a set, and its graph.
fn files_of(dir: &Path, lengths: &SetLengths) -> Vec<PathBuf> {
    let stem = stem(dir, lengths.number, lengths.first);
    let mut files: Vec<PathBuf> =
        ["vectors", "sketches", "texts", "rows"].iter().map(|ending| stem.with_extension(ending)).collect();
    if lengths.last.is_some() {
        files.extend(["last", "graph"].iter().map(|ending| stem.with_extension(ending)));
    }
    files.extend(lengths.gone.map(|(number, _)| gone_path(&stem, number)));
    files
}

/// Removes the files of sets that the checkpoint does not name: they are newer than it, or older.
fn remove_strangers(options: &VectorOptions, dir: &Path, sets: &[SetLengths]) -> Result<()> {
    let disk = options.disk.as_ref();
    let named: Vec<PathBuf> = sets.iter().flat_map(|set| files_of(dir, set)).collect();
    let removed = || -> io::Result<()> {
        for path in disk.list(dir)? {
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            let ours = ENDINGS.iter().any(|known| ending.starts_with(known));
            if ours && !named.contains(&path) {
                remove_if_there(disk, &path)?;
            }
        }
        Ok(())
    };
    removed().map_err(|error| failed("remove leftovers in", dir, &error))
}
