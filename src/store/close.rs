//! *What must be over before another process may open the directory?* The end of a branch.
//!
//! **Invariant:** behind [`Branch::finish`] nothing replaces the manifest, begins a log file or removes one, whoever still
//! holds the branch.

use super::branch::Branch;
use crate::error::{Error, ErrorKind, Result};

impl Branch {
    /// Ends all writing: what comes after is answered `Closed`, what was committed is durable and the manifest says so.
    pub(crate) fn finish(&self) -> Result<()> {
        // Ordering: behind the turn nobody writes, names or removes files any more, and whoever waits for it finds the fault.
        let _turn = self.upkeep_turn.lock();
        self.states.close();
        // Ordering: behind the commit lock no append is under way, and the next finds the fault.
        let writer = self.writer.lock();
        let head = writer.next.previous();
        if self.durable() < head {
            self.sync_file(&writer.end.log)?;
            self.advance_durable(head);
        }
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        let _ = self.fault.set(Error::new(
            ErrorKind::Closed,
            "closed",
            "write: the store is closed; open it again",
        ));
        self.replace_manifest(&mut self.manifest.lock(), |manifest| {
            manifest.synced_through = manifest.synced_through.max(head.get());
            manifest.volatile = false;
        })
    }

    /// Fails when the branch was closed.
    pub(crate) fn check_open(&self) -> Result<()> {
        self.fault().filter(|fault| fault.kind() == ErrorKind::Closed).map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventDraft;
    use crate::store::manifest::load;
    use crate::store::{Append, Options, RetentionPolicy, Store};

    /// Whoever passed the first check before the branch was closed must still change nothing in its directory.
    #[test]
    fn behind_the_end_nothing_in_the_directory_changes() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), Options::default()).expect("a new store");
        let draft = EventDraft::new("order-1", "placed", "{}".to_owned()).expect("a draft");
        store.append(Append { events: vec![draft], ..Append::default() }).expect("stored");
        store.clone().close().expect("closed");
        let branch = &store.branch;
        let found = || {
            let disk = branch.options.disk.as_ref();
            let logs = disk.list(&branch.dir.join("log")).expect("a folder");
            (load(disk, &branch.dir).expect("a manifest"), logs)
        };
        let before = found();

        let policy = RetentionPolicy {
            event_type: "placed".to_owned(),
            max_age_seconds: Some(1),
            max_events: None,
            max_bytes: None,
        };
        let refused = [
            branch.rotate(&mut branch.writer.lock(), 0),
            branch.change_manifest(|manifest| manifest.suspect = true),
            branch.take_turn().map(drop),
            store.compact().map(drop),
            store.set_retention(policy),
            store.apply_retention(false).map(drop),
        ];
        for result in refused {
            assert_eq!(result.map_err(|error| error.kind()), Err(ErrorKind::Closed));
        }
        assert_eq!(found(), before);
    }
}
