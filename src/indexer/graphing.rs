//! Graphs over vectors, in a thread of their own that nobody waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::search::{GraphStep, Graphs};
use crate::store::priority;

/// Makes the graphs of one directory of vectors until it is dropped.
pub(super) struct Graphing {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// A set may have been sealed.
    due: Mutex<bool>,
    changed: Condvar,
    stop: AtomicBool,
}

impl Graphing {
    /// Starts the thread; where none can be had, vectors are scanned, which is slower and finds the same.
    pub(super) fn start(graphs: Graphs) -> Self {
        let shared = Arc::<Shared>::default();
        let working = Arc::clone(&shared);
        let spawned = std::thread::Builder::new().name("allsource-graphs".to_owned()).spawn(move || {
            priority::lower(priority::LAST);
            working.work(&graphs);
        });
        let thread =
            spawned.inspect_err(|error| tracing::warn!(%error, "no thread for graphs over vectors")).ok();
        let graphing = Self { shared, thread };
        graphing.look();
        graphing
    }

    /// Has it look whether a set needs a graph.
    pub(super) fn look(&self) {
        *self.shared.due.lock() = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for Graphing {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.look();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that makes graphs panicked; please report it");
        }
    }
}

impl Shared {
    fn work(&self, graphs: &Graphs) {
        while self.wait() {
            loop {
                match graphs.step(&self.stop) {
                    Ok(GraphStep::Loaded) => {}
                    Ok(GraphStep::Built { vectors, unreached }) => {
                        tracing::debug!(vectors, unreached, "made a graph over vectors");
                    }
                    Ok(GraphStep::Nothing | GraphStep::Stopped) => break,
                    Err(error) => {
                        // Scans find the same; it is tried again when the next set is sealed.
                        tracing::warn!("failed to make a graph over vectors: {error}");
                        break;
                    }
                }
            }
        }
    }

    /// Waits until there may be something to do; false when it is over.
    fn wait(&self) -> bool {
        let mut due = self.due.lock();
        while !*due {
            self.changed.wait(&mut due);
        }
        *due = false;
        !self.stop.load(Ordering::Relaxed)
    }
}
