//! Proving the forks of a store.

use super::forks::State;
use super::{ForkId, Forks};
use crate::error::{Error, ErrorKind};
use crate::store::manifest::load;
use crate::store::verify::{Damage, VerifyReport, verify};

impl Forks {
    /// Adds what is proved of every fork to a report; its files are named `<fork>/<file>`.
    pub(crate) fn verify(&self, report: &mut VerifyReport) {
        let listed = self.loaded().map(|state| state.slots.keys().cloned().collect::<Vec<_>>());
        for id in listed.unwrap_or_default() {
            let opened = {
                let Ok(mut state) = self.loaded() else { return };
                self.opened(&mut state, &id)
            };
            let branch = match opened {
                Ok(branch) => branch,
                // It went meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => {
                    report.damage.push(of_fork(&id, Damage::of_error("log", &error)));
                    continue;
                }
            };
            let shared = branch.lineage.as_ref().map_or(0, |lineage| lineage.parent.damage.len());
            let found = verify(&branch, branch.damage.get(shared..).unwrap_or_default());
            report.events += found.events;
            report.files += found.files;
            report.damage.extend(found.damage.into_iter().map(|damage| of_fork(&id, damage)));
        }
        if let Ok(state) = self.loaded() {
            report.damage.extend(self.unreadable(&state));
        }
    }

    /// The manifests that cannot be believed: their forks are not in the list. What a power cut left of a fork that held nothing
    /// is no damage.
    fn unreadable(&self, state: &State) -> Vec<Damage> {
        let disk = self.main.options.disk.as_ref();
        let of_manifest = |error: &Error| Damage::of_error("manifest.json", error);
        let unread = |dir: std::path::PathBuf| {
            let id = super::forks::id_of(&dir)?;
            let error = load(disk, &dir).err().filter(|error| error.kind() == ErrorKind::Corrupt)?;
            if self.is_left(state, &id, &dir) {
                return None;
            }
            Some(of_fork(&id, Damage { file: "manifest.json".to_owned(), ..of_manifest(&error) }))
        };
        disk.list(&self.dir).unwrap_or_default().into_iter().filter_map(unread).collect()
    }
}

fn of_fork(id: &ForkId, damage: Damage) -> Damage {
    let file = std::path::Path::new(&damage.file)
        .file_name()
        .map_or_else(|| damage.file.clone().into(), ToOwned::to_owned);
    Damage { file: format!("{id}/{}", file.to_string_lossy()), ..damage }
}
