//! What survives.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::*;
use crate::store::disk::{DiskFile, Lock};

fn parcel(position: u64) -> Event {
    event(position, "e", "t", r#"{"t":"parcel"}"#)
}

#[test]
fn what_is_committed_is_found_and_found_again_after_reopening() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut index = open(dir.path());
    assert_eq!(index.payload(), None);
    index.add(&parcel(1)).expect("added");
    assert!(found(&index.reader().expect("a reader"), "parcel").is_empty());
    let first = index.commit(r#"{"through":1}"#).expect("a commit");
    index.add(&parcel(2)).expect("added");
    assert_eq!(found(&index.reader().expect("a reader"), "parcel"), [1]);
    index.commit(r#"{"through":2,"big":12345678901234567890123}"#).expect("a commit");
    assert_eq!(found(&first, "parcel"), [1]);
    index.close().expect("closed");

    let index = open(dir.path());
    assert_eq!(index.payload().as_deref(), Some(r#"{"through":2,"big":12345678901234567890123}"#));
    assert_eq!(found(&index.reader().expect("a reader"), "parcel"), [2, 1]);
}

#[test]
fn what_is_not_committed_is_gone_after_reopening() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut index = open(dir.path());
    index.add(&parcel(1)).expect("added");
    index.commit("1").expect("a commit");
    index.add(&parcel(2)).expect("added");
    drop(index);
    let index = open(dir.path());
    assert_eq!(index.payload().as_deref(), Some("1"));
    assert_eq!(found(&index.reader().expect("a reader"), "parcel"), [1]);
}

#[test]
fn files_that_no_commit_names_are_removed_at_the_next_open() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut index = open(dir.path());
    index.add(&parcel(1)).expect("added");
    index.commit("1").expect("a commit");
    index.close().expect("closed");
    let list = || disk().list(dir.path()).expect("a list");
    let names = list();
    let left = dir.path().join("0123456789abcdef0123456789abcdef.idx");
    disk().create(&left).expect("a file").write_all_at(b"left over", 0).expect("written");
    let index = open(dir.path());
    assert_eq!(list(), names);
    index.close().expect("closed");
}

#[test]
fn merges_keep_everything_and_leave_few_segments() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut index = open(dir.path());
    for position in 1..=40 {
        index.add(&parcel(position)).expect("added");
        index.commit(&position.to_string()).expect("a commit");
    }
    index.close().expect("closed");
    let index = open(dir.path());
    assert_eq!(index.payload().as_deref(), Some("40"));
    let reader = index.reader().expect("a reader");
    assert_eq!(found(&reader, "parcel"), (1..=40).rev().collect::<Vec<_>>());
    assert!(reader.segments() < 20, "{} segments", reader.segments());
}

#[test]
fn an_index_of_another_kind_is_made_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let meta = dir.path().join("meta.json");
    disk().create(&meta).expect("a file").write_all_at(b"{\"segments\":", 0).expect("written");
    assert!(open_to_read(&disk(), dir.path()).expect("readable").is_none());
    let index = open(dir.path());
    assert_eq!(index.payload(), None);
    index.close().expect("closed");
}

#[test]
fn an_index_can_be_read_beside_its_writer() {
    let dir = tempfile::tempdir().expect("a directory");
    let missing = dir.path().join("missing");
    assert!(open_to_read(&disk(), &missing).expect("readable").is_none());
    assert!(disk().list(&missing).is_err(), "reading created a directory");
    let mut index = open(dir.path());
    index.add(&parcel(1)).expect("added");
    index.commit("1").expect("a commit");
    let names = disk().list(dir.path()).expect("a list");
    let (reader, payload) = open_to_read(&disk(), dir.path()).expect("readable").expect("an index");
    assert_eq!(disk().list(dir.path()).expect("a list"), names);
    assert_eq!((found(&reader, "parcel"), payload.as_deref()), (vec![1], Some("1")));
    index.close().expect("closed");
}

/// A disk on which the writes behind a number of them fail.
struct Failing {
    writes_left: AtomicUsize,
}

struct FailingFile {
    file: Arc<dyn DiskFile>,
    disk: Arc<Failing>,
}

struct FailingDisk(Arc<Failing>);

impl Failing {
    fn write(&self) -> io::Result<()> {
        let left =
            self.writes_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| io::Error::from(io::ErrorKind::StorageFull))
    }
}

impl Disk for FailingDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = RealDisk.create(path)?;
        Ok(Arc::new(FailingFile { file, disk: Arc::clone(&self.0) }))
    }
    fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn DiskFile>> {
        RealDisk.open(path, writable)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.write()?;
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

impl DiskFile for FailingFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.write()?;
        self.file.write_all_at(bytes, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.disk.write()?;
        self.file.sync_data()
    }
    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.file.allocate(bytes)
    }
    fn clear(&self, from: u64, to: u64) -> io::Result<()> {
        self.file.clear(from, to)
    }
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn map(&self) -> io::Result<Bytes> {
        self.file.map()
    }
}

#[test]
fn a_failed_write_fails_the_commit_and_leaves_the_one_before() {
    let mut failures = 0;
    for writes in 0..30 {
        let dir = tempfile::tempdir().expect("a directory");
        let failing = Arc::new(Failing { writes_left: AtomicUsize::new(usize::MAX) });
        let faulty: Arc<dyn Disk> = Arc::new(FailingDisk(Arc::clone(&failing)));
        let mut index = KeywordIndex::open(&faulty, dir.path()).expect("an index");
        index.add(&parcel(1)).expect("added");
        let reader = index.commit("1").expect("a commit");
        failing.writes_left.store(writes, Ordering::SeqCst);
        let second = index.add(&parcel(2)).and_then(|()| index.commit("2"));
        assert_eq!(found(&reader, "parcel"), [1]);
        drop(index);
        let index = open(dir.path());
        let (payload, positions) = (index.payload(), found(&index.reader().expect("a reader"), "parcel"));
        if let Err(error) = second {
            failures += 1;
            assert_eq!(error.code(), "keyword_index_failed", "{error}");
            // The last call may have done its work before it failed.
            let kept = [(Some("1"), vec![1]), (Some("2"), vec![2, 1])];
            assert!(kept.contains(&(payload.as_deref(), positions)), "after {writes} writes");
        } else {
            assert_eq!((payload.as_deref(), positions), (Some("2"), vec![2, 1]));
        }
    }
    assert!((5..30).contains(&failures), "{failures} of 30 failed");
}
