//! What a power cut may do to names: the machines are worth as much as the disk that they run on.

use std::collections::BTreeSet;
use std::path::Path;

use allsource::store::disk::Disk;

use super::FaultyDisk;
use crate::machines::scratch;

/// The names in the root and what their files hold, as `name=content`.
fn content(root: &Path) -> String {
    let mut found: Vec<String> = std::fs::read_dir(root)
        .expect("a directory")
        .map(|entry| {
            let entry = entry.expect("an entry");
            let held = std::fs::read_to_string(entry.path()).expect("text");
            format!("{}={held}", entry.file_name().to_string_lossy())
        })
        .collect();
    found.sort();
    found.join(" ")
}

/// A durable file `a`, then `change`; the power cut must be able to leave each of `states` and nothing else.
#[track_caller]
fn check(change: impl Fn(&dyn Disk, &Path), states: &[&str]) {
    let root = scratch();
    let disk = FaultyDisk::over(root.path());
    let file = disk.create(&root.path().join("a")).expect("created");
    file.write_all_at(b"old", 0).and_then(|()| file.sync_data()).expect("written");
    disk.sync_dir(root.path()).expect("synced");
    change(&disk, root.path());
    let left: BTreeSet<String> = (0..64)
        .map(|seed| {
            let into = scratch();
            disk.cut_power(seed, into.path());
            content(into.path())
        })
        .collect();
    let left: Vec<&str> = left.iter().map(String::as_str).collect();
    assert_eq!(left, states);
}

fn sync(disk: &dyn Disk, root: &Path) {
    disk.sync_dir(root).expect("synced");
}

#[test]
fn a_removed_file_comes_back_unless_its_removal_was_synced() {
    let remove = |disk: &dyn Disk, root: &Path| disk.remove(&root.join("a")).expect("removed");
    check(remove, &["", "a=old"]);
    check(
        |disk, root| {
            remove(disk, root);
            sync(disk, root);
        },
        &[""],
    );
}

#[test]
fn a_new_file_is_gone_unless_its_name_was_synced_and_empty_unless_its_content_was() {
    let create = |disk: &dyn Disk, root: &Path| disk.create(&root.join("b")).expect("created");
    let written = |disk: &dyn Disk, root: &Path| {
        let file = create(disk, root);
        file.write_all_at(b"n", 0).expect("written");
        file
    };
    check(|disk, root| drop(create(disk, root)), &["a=old", "a=old b="]);
    check(|disk, root| written(disk, root).sync_data().expect("synced"), &["a=old", "a=old b=n"]);
    check(
        |disk, root| {
            written(disk, root);
            sync(disk, root);
        },
        &["a=old b=", "a=old b=n"],
    );
}

#[test]
fn a_rename_leaves_the_old_name_or_the_new_one() {
    let replace = |disk: &dyn Disk, root: &Path| {
        let file = disk.create(&root.join("b")).expect("created");
        file.write_all_at(b"new", 0).and_then(|()| file.sync_data()).expect("written");
        sync(disk, root);
        disk.rename(&root.join("b"), &root.join("a")).expect("renamed");
    };
    check(replace, &["a=new", "a=old b=new"]);
    check(
        |disk, root| {
            replace(disk, root);
            sync(disk, root);
        },
        &["a=new"],
    );
}

/// The second name of a file is a name like any other; what is written and synced under one is seen under both.
#[test]
fn a_link_is_lost_with_its_directory_entry_and_shares_its_file() {
    let link = |disk: &dyn Disk, root: &Path| {
        disk.hard_link(&root.join("a"), &root.join("b")).expect("linked");
    };
    check(link, &["a=old", "a=old b=old"]);
    check(
        |disk, root| {
            link(disk, root);
            sync(disk, root);
            disk.remove(&root.join("a")).expect("removed");
            sync(disk, root);
        },
        &["b=old"],
    );
    check(
        |disk, root| {
            link(disk, root);
            sync(disk, root);
            let file = disk.open(&root.join("b"), true).expect("opened");
            file.write_all_at(b"n", 0).expect("written");
        },
        &["a=nld b=nld", "a=old b=old"],
    );
    check(
        |disk, root| {
            link(disk, root);
            sync(disk, root);
            let file = disk.open(&root.join("b"), true).expect("opened");
            file.write_all_at(b"n", 0).and_then(|()| file.sync_data()).expect("written");
        },
        &["a=nld b=nld"],
    );
}
