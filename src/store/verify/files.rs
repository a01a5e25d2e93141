//! Proving the manifest, that what it names is there, and the index files that serve no stretch.

use super::{Damage, Proof, REBUILD};
use crate::error::ErrorKind;
use crate::event::Position;
use crate::store::index::{IndexFile, index_dir, positions_of};
use crate::store::log::{file_name, log_dir};
use crate::store::manifest::{Manifest, load};
use crate::store::options::Mode;

const MANIFEST: &str = "manifest.json";

impl Proof<'_> {
    /// Proves the manifest and that the log files it names are there; gives the one in use.
    ///
    /// Whoever only reads has done so when the store was opened; since then another process may have changed it.
    pub(super) fn manifest(&mut self) -> Manifest {
        let branch = self.branch;
        let in_use = branch.manifest.lock();
        self.report.files += 1;
        let swap_failed = branch.fault().is_some_and(|fault| fault.kind() == ErrorKind::Unavailable);
        if branch.options.mode == Mode::Read || swap_failed {
            return in_use.clone();
        }
        let disk = branch.options.disk.as_ref();
        let reason = match load(disk, &branch.dir) {
            Ok(Some(found)) if found == *in_use => None,
            Ok(Some(_)) => Some("it is not the one that is in use".to_owned()),
            Ok(None) => Some("it is missing".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        self.report.damage.extend(reason.map(|reason| Damage::of_file(MANIFEST, &reason)));
        for name in in_use.log_files.iter().map(|&first| file_name(Position::new(first))) {
            if disk.open(&log_dir(&branch.dir).join(&name), false).is_err() {
                let reason = "the log file is missing; it can be read only as long as the store stays open";
                self.report.damage.push(Damage::of_file(&name, reason));
            }
        }
        in_use.clone()
    }

    /// Proves the index files that serve no stretch: those that a reader does not trust, and those of a step that was
    /// interrupted.
    pub(super) fn other_indexes(&mut self) {
        let disk = self.branch.options.disk.as_ref();
        let paths = disk.list(&index_dir(&self.branch.dir)).unwrap_or_default();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "index")) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let opened = IndexFile::open(disk, path);
            if let Err(error) = &opened
                && error.kind() == ErrorKind::Corrupt
            {
                let damage = Damage::of_error(&name, error);
                let about = positions_of(path).unwrap_or_default();
                let about = format!("it is about positions {} to {}", about.0, about.1);
                let reason = format!("its header is not what was written ({about}); {REBUILD}");
                self.report.damage.push(Damage { reason, ..damage });
            }
            // One that cannot be opened was taken away since: another index holds what it did.
            if let Ok(index) = opened
                && !self.compared.contains(&*name)
            {
                self.report.files += 1;
                let (first, last) = index.positions();
                let damage = index.verify().err();
                self.report.damage.extend(damage.map(|damage| Damage::of_index(&damage, first, last)));
            }
        }
    }
}
