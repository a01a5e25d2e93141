//! *Where do two processes on one directory meet?* At a socket in a directory that only their user may enter.
//!
//! Useful for: everything about the socket that differs between operating systems. Not for: what is said over it
//! ([`frame`](super::frame)).
//!
//! **Invariant:** nothing is listened to or trusted in a place where another user could have put it.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::Shutdown;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use interprocess::ConnectWaitMode;
use interprocess::local_socket::prelude::*;
use interprocess::local_socket::{ConnectOptions, GenericFilePath, Listener, ListenerOptions, Name, Stream};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, ErrorKind, Result};

/// The longest path that every Unix takes for a socket: 103 bytes and a NUL on macOS, four more on Linux.
const SOCKET_PATH_BYTES_MAX: usize = 103;

/// The places where the sockets of this user's processes can be, in the order of preference.
///
/// A process started by a desktop client often lacks the variables of a terminal, so the places that need none come
/// first, and a peer looks in all of them.
pub(super) fn places(dir: &Path, runtime_dir: Option<&Path>) -> Vec<PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let name = format!("allsource-{:032x}.sock", xxh3_128(dir.as_os_str().as_encoded_bytes()));
    let mut places: Vec<PathBuf> = match runtime_dir {
        Some(chosen) => vec![chosen.to_owned()],
        None => vec![
            PathBuf::from(format!("/run/user/{uid}")),
            std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).unwrap_or_default(),
            PathBuf::from(format!("/tmp/allsource-{uid}")),
            std::env::temp_dir().join(format!("allsource-{uid}")),
        ],
    };
    places.retain(|place| place.is_absolute());
    let mut sockets: Vec<_> = places.into_iter().map(|place| place.join(&name)).collect();
    sockets.dedup();
    sockets.retain(|socket| socket.as_os_str().len() <= SOCKET_PATH_BYTES_MAX);
    sockets
}

/// Listens at the first place that can be used. Only the holder of the directory's lock calls this: it replaces what
/// a dead owner left there.
///
/// # Errors
/// `Denied` when a place holds something that is not this user's socket, `Unavailable` when none can be used.
pub(super) fn listen(places: &[PathBuf]) -> Result<(Listener, PathBuf)> {
    let mut reasons = Vec::new();
    for place in places {
        make_private(place.parent());
        match private(place.parent()) {
            Ok(()) => {}
            Err(reason) => {
                reasons.push(reason);
                continue;
            }
        }
        remove_stale(place)?;
        match bind(place) {
            Ok(listener) => return Ok((listener, place.clone())),
            Err(error) => reasons.push(format!("{}: {error}", place.display())),
        }
    }
    let message =
        format!("listen for other processes on this directory: no place to do so ({})", reasons.join("; "));
    Err(Error::new(ErrorKind::Unavailable, "no_runtime_dir", message))
}

/// Connects to whoever listens at one of the places; `None` when nobody does.
///
/// # Errors
/// `Denied` when another user listens there.
pub(super) fn connect(places: &[PathBuf], patience: Duration) -> Result<Option<Stream>> {
    for place in places.iter().filter(|place| private(place.parent()).is_ok()) {
        let Ok(name) = name_of(place) else { continue };
        let options = ConnectOptions::new().name(name).wait_mode(ConnectWaitMode::Timeout(patience));
        let Ok(stream) = options.connect_sync() else { continue };
        if !same_user(&stream) {
            return Err(foreign(place, "another user listens there"));
        }
        return Ok(Some(stream));
    }
    Ok(None)
}

/// Whether this user is at the other end.
pub(super) fn same_user(stream: &Stream) -> bool {
    let there = stream.peer_creds().ok().and_then(|creds| creds.euid());
    there.is_none_or(|uid| uid == rustix::process::geteuid().as_raw())
}

/// The process at the other end, where the system tells.
pub(super) fn pid_of(stream: &Stream) -> Option<u32> {
    stream.peer_creds().ok()?.pid().and_then(|pid| u32::try_from(pid).ok())
}

/// Ends a connection for both sides, also for a thread that waits on it.
pub(super) fn end(stream: &Stream) {
    let Stream::UdSocket(stream) = stream;
    // Fails only when the other side ended it first.
    let _ = stream.inner().shutdown(Shutdown::Both);
}

/// Removes the socket of an owner that is gone, or of this one as it leaves.
#[expect(clippy::disallowed_methods, reason = "the socket lies outside the data directory")]
pub(super) fn unlink(place: &Path) -> io::Result<()> {
    fs::remove_file(place)
}

fn name_of(place: &Path) -> io::Result<Name<'_>> {
    place.to_fs_name::<GenericFilePath>()
}

fn bind(place: &Path) -> io::Result<Listener> {
    let options = || io::Result::Ok(ListenerOptions::new().name(name_of(place)?).reclaim_name(false));
    match options()?.mode(0o600).create_sync() {
        // macOS cannot set the mode before binding; its directory keeps others out all the same.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => options()?.create_sync(),
        bound => bound,
    }
}

/// Creates a per-user directory; what is there already is judged by [`private`].
fn make_private(dir: Option<&Path>) {
    if let Some(dir) = dir {
        let _ = DirBuilder::new().mode(0o700).create(dir);
    }
}

/// Whether a directory is this user's alone, or why not.
fn private(dir: Option<&Path>) -> Result<(), String> {
    let dir = dir.ok_or("no directory")?;
    let of = fs::symlink_metadata(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let uid = rustix::process::geteuid().as_raw();
    if !of.is_dir() {
        return Err(format!("{} is not a directory", dir.display()));
    }
    if of.uid() != uid {
        return Err(format!("{} belongs to user {}, not to user {uid}", dir.display(), of.uid()));
    }
    if of.mode() & 0o077 != 0 {
        return Err(format!("{} has mode {:o}, others may enter it", dir.display(), of.mode() & 0o777));
    }
    Ok(())
}

fn remove_stale(place: &Path) -> Result<()> {
    let Ok(of) = fs::symlink_metadata(place) else { return Ok(()) };
    if !of.file_type().is_socket() {
        return Err(foreign(place, "it is not a socket"));
    }
    if of.uid() != rustix::process::geteuid().as_raw() {
        return Err(foreign(place, "another user owns it"));
    }
    unlink(place).map_err(|error| foreign(place, "it cannot be removed").caused_by(error))
}

fn foreign(place: &Path, why: &str) -> Error {
    let message =
        format!("use the socket {}: {why}; remove it if it is not needed, then try again", place.display());
    Error::new(ErrorKind::Denied, "foreign_socket", message).with("socket", place.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn the_socket_is_this_users_alone() {
        let runtime = TempDir::new().unwrap();
        let (_listener, socket) =
            listen(&places(Path::new("/data"), Some(&runtime.path().join("run")))).unwrap();
        assert_eq!(mode_of(&socket), 0o600);
        assert!(connect(&[socket], Duration::from_secs(1)).unwrap().is_some_and(|stream| same_user(&stream)));
    }

    #[test]
    fn a_directory_that_others_may_enter_is_not_used() {
        let runtime = TempDir::new().unwrap();
        fs::set_permissions(runtime.path(), Permissions::from_mode(0o755)).unwrap();
        let places = places(Path::new("/data"), Some(runtime.path()));
        let error = listen(&places).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "no_runtime_dir"));
        assert!(error.message().contains("755"), "{error}");
        assert!(connect(&places, Duration::from_secs(1)).unwrap().is_none());
    }

    #[test]
    fn the_next_place_is_used_where_the_first_cannot_be() {
        let (bad, good) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        fs::set_permissions(bad.path(), Permissions::from_mode(0o777)).unwrap();
        let places = [bad.path().join("s"), good.path().join("new").join("s")];
        let (_listener, socket) = listen(&places).unwrap();
        assert_eq!(socket, places[1]);
        assert_eq!(mode_of(&good.path().join("new")), 0o700);
        assert!(connect(&places, Duration::from_secs(1)).unwrap().is_some());
    }

    #[test]
    fn a_link_to_another_directory_is_not_followed() {
        let (target, runtime) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let link = runtime.path().join("link");
        std::os::unix::fs::symlink(target.path(), &link).unwrap();
        assert!(listen(&[link.join("s")]).is_err());
    }

    #[test]
    fn a_path_that_is_too_long_for_a_socket_is_left_out() {
        assert!(places(Path::new("/data"), Some(Path::new(&format!("/{}", "x".repeat(80))))).is_empty());
        assert!(
            places(Path::new("/data"), None)
                .iter()
                .all(|place| place.as_os_str().len() <= SOCKET_PATH_BYTES_MAX)
        );
    }

    #[test]
    fn two_directories_have_two_sockets() {
        let runtime = Some(Path::new("/run"));
        assert_ne!(places(Path::new("/a"), runtime), places(Path::new("/b"), runtime));
    }
}
