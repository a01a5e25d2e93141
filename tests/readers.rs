//! A reader beside the program that writes sees a whole store, whatever that does meanwhile.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use allsource::event::Filter;
use allsource::store::disk::{Disk, DiskFile, Lock, RealDisk};
use allsource::store::{Mode, Options, Store};

use crate::machines::ledger::read_all;
use crate::machines::scratch;
use crate::sealed::{append, options};

/// Lets something happen once, behind the back of a reader that has just read the manifest.
struct Meddling {
    meddle: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Disk for Meddling {
    fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn DiskFile>> {
        let file = RealDisk.open(path, writable);
        if path.ends_with("manifest.json")
            && let Some(meddle) = self.meddle.lock().expect("no test panics here").take()
        {
            meddle();
        }
        file
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        RealDisk.create(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn hard_link(&self, original: &Path, link: &Path) -> io::Result<()> {
        RealDisk.hard_link(original, link)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_dir(path)
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        RealDisk.list(path)
    }
    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        RealDisk.canonicalize(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        RealDisk.lock(path)
    }
}

/// A reader beside the program that writes takes no lock, so what the manifest named may be gone when it gets there.
#[test]
fn a_reader_that_opens_while_log_files_are_deleted_finds_everything() {
    let root = scratch();
    let dir = root.path().join("store");
    let hot = Options { hot_window_bytes: 0, ..options(Mode::Write) };
    let store = Store::open(&dir, hot).expect("a new store");
    let rounds = 3;
    for round in 0..rounds {
        for number in round * 100..(round + 1) * 100 {
            store.append(append(number)).expect("stored");
        }
        let writer = store.clone();
        let meddle = move || {
            writer.compact().expect("a healthy disk");
        };
        let disk = Meddling { meddle: Mutex::new(Some(Box::new(meddle))) };
        let options = Options { disk: Arc::new(disk), ..options(Mode::Read) };
        let reader = Store::open(&dir, options).expect("nothing is wrong with it");
        assert_eq!(reader.damage(), []);
        let expected = read_all(&store.snapshot(), &Filter::default()).expect("readable");
        assert_eq!(read_all(&reader.snapshot(), &Filter::default()).expect("readable"), expected);
    }
}
