//! *How does a call reach the owner?* Over one connection per running call, from a small pool.
//!
//! **Invariant:** a connection goes back to the pool only after a whole answer; any other end closes it, so that an
//! answer never meets the wrong call.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use interprocess::local_socket::Stream;
use interprocess::local_socket::prelude::*;
use parking_lot::{Condvar, Mutex};

use super::call::{Kind, Outcome};
use super::frame::{self, Frame, Hello, What};
use super::socket;
use crate::error::{Error, ErrorKind};
use crate::store::Durability;

/// The most connections of one process, so the most calls that it has running at the owner; more wait here.
pub(super) const CONNECTIONS_MAX: usize = 8;

/// The code of the error about an owner that is there and says nothing.
pub(super) const SILENT: &str = "owner_silent";

/// Why a call got no answer.
#[derive(Debug)]
pub(super) enum Lost {
    /// The owner is gone, or not yet there: change over.
    Gone,
    /// The owner is there and will not or cannot answer: tell the caller.
    Refused(Error),
}

/// The peer's side of the socket: connections to the process that owns the directory.
pub(super) struct Peer {
    places: Vec<PathBuf>,
    hello: Hello,
    silence_max: Duration,
    owner: Hello,
    pool: Mutex<Pool>,
    /// A connection was put back or closed.
    freed: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Stream>,
    open: usize,
}

impl Peer {
    /// Connects to the owner of `dir`.
    ///
    /// # Errors
    /// [`Lost::Gone`] when nobody listens; [`Lost::Refused`] when the owner is of another version, is too busy, or says
    /// nothing for `hello_max`. Later it may say nothing for `silence_max`.
    pub(super) fn connect(
        dir: String,
        places: Vec<PathBuf>,
        hello_max: Duration,
        silence_max: Duration,
    ) -> Result<Self, Lost> {
        let hello = Hello::of_this_process(dir);
        let (stream, owner) = greet(&places, &hello, hello_max)?;
        let lost = |error| lost(error, Some(owner.pid), silence_max, &hello.dir);
        stream.set_recv_timeout(Some(silence_max)).map_err(lost)?;
        stream.set_send_timeout(Some(silence_max)).map_err(lost)?;
        let pool = Mutex::new(Pool { idle: vec![stream], open: 1 });
        Ok(Self { places, hello, silence_max, owner, pool, freed: Condvar::new() })
    }

    /// What the owner said everyone should know, and whether it keeps less than this process was asked to.
    pub(super) fn warnings(&self, durability: Durability) -> Vec<String> {
        let mut warnings = self.owner.warnings.clone();
        let allowed_ms = match durability {
            Durability::Fsync => 0,
            Durability::Interval { ms } => ms,
        };
        if let Some(ms) = self.owner.interval_ms.filter(|ms| *ms > allowed_ms) {
            let pid = self.owner.pid;
            warnings.push(format!(
                "the process with pid {pid} has the directory and was told to sync only every {ms} ms: a power cut can \
                 lose appends that were acknowledged within that time"
            ));
        }
        warnings
    }

    /// Sends a request and waits for its answer, for as long as the owner shows that it is alive.
    pub(super) fn exchange(&self, kind: Kind, request: &Frame) -> Result<Outcome, Lost> {
        let lease = self.lease()?;
        let outcome = self.ask(lease.stream()?, kind, request)?;
        lease.put_back();
        Ok(outcome)
    }

    fn ask(&self, mut stream: &Stream, kind: Kind, request: &Frame) -> Result<Outcome, Lost> {
        let lost = |error| self.lost(stream, error);
        request.write_to(&mut stream).map_err(lost)?;
        loop {
            match frame::read(&mut stream).map_err(lost)? {
                (What::Working, _) => {}
                (What::Answer, body) => {
                    return frame::parse_answer(kind, &body).map_err(|error| lost(error.into()));
                }
                (What::Hello | What::Request, _) => return Err(lost(io::ErrorKind::InvalidData.into())),
            }
        }
    }

    fn lost(&self, stream: &Stream, error: io::Error) -> Lost {
        lost(
            error,
            Some(self.owner.pid).or_else(|| socket::pid_of(stream)),
            self.silence_max,
            &self.hello.dir,
        )
    }

    /// An idle connection, or a new one while fewer than [`CONNECTIONS_MAX`] are open.
    fn lease(&self) -> Result<Lease<'_>, Lost> {
        let mut pool = self.pool.lock();
        loop {
            if let Some(stream) = pool.idle.pop() {
                return Ok(Lease { peer: self, stream: Some(stream) });
            }
            if pool.open < CONNECTIONS_MAX {
                break;
            }
            self.freed.wait(&mut pool);
        }
        pool.open += 1;
        drop(pool);
        let mut lease = Lease { peer: self, stream: None };
        lease.stream = Some(greet(&self.places, &self.hello, self.silence_max)?.0);
        Ok(lease)
    }
}

/// A connection in use; dropped without [`put_back`](Self::put_back), it is closed.
struct Lease<'a> {
    peer: &'a Peer,
    stream: Option<Stream>,
}

impl Lease<'_> {
    fn stream(&self) -> Result<&Stream, Lost> {
        self.stream.as_ref().ok_or(Lost::Gone)
    }

    fn put_back(mut self) {
        if let Some(stream) = self.stream.take() {
            let mut pool = self.peer.pool.lock();
            pool.idle.push(stream);
            pool.open += 1;
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.peer.pool.lock().open -= 1;
        self.peer.freed.notify_one();
    }
}

/// Connects and exchanges hellos.
fn greet(places: &[PathBuf], hello: &Hello, silence_max: Duration) -> Result<(Stream, Hello), Lost> {
    let stream = socket::connect(places, silence_max).map_err(Lost::Refused)?.ok_or(Lost::Gone)?;
    let lost = |error| lost(error, socket::pid_of(&stream), silence_max, &hello.dir);
    stream.set_recv_timeout(Some(silence_max)).map_err(lost)?;
    stream.set_send_timeout(Some(silence_max)).map_err(lost)?;
    let sent = Frame::new(What::Hello, hello).map_err(Lost::Refused)?.write_to(&stream);
    // An owner that refuses says why and hangs up: what it said counts, not that nobody listens any more.
    let (What::Hello, body) = frame::read(&stream).map_err(lost)? else {
        return Err(lost(io::ErrorKind::InvalidData.into()));
    };
    let owner: Hello = serde_json::from_slice(&body).map_err(|error| lost(error.into()))?;
    if !hello.agrees_with(&owner) {
        return Err(Lost::Refused(mismatch(hello, &owner)));
    }
    if let Some(refusal) = &owner.refusal {
        return Err(Lost::Refused(refusal.again()));
    }
    sent.map_err(lost)?;
    Ok((stream, owner))
}

/// What a failed read or write says about the owner.
fn lost(error: io::Error, pid: Option<u32>, silence_max: Duration, dir: &str) -> Lost {
    let owner = pid.map_or_else(|| "the process".to_owned(), |pid| format!("the process with pid {pid}"));
    let error = match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            let message = format!(
                "reach {owner} that has the directory {dir}: it did not answer for {} ms; let it go on if it was \
                 stopped, or end it, then try again",
                silence_max.as_millis()
            );
            Error::new(ErrorKind::Unavailable, SILENT, message)
        }
        io::ErrorKind::InvalidData => {
            let message = format!(
                "understand {owner} that has the directory {dir}: it is no allsource that this one knows"
            );
            Error::new(ErrorKind::Unavailable, "owner_strange", message).caused_by(error)
        }
        _ => return Lost::Gone,
    };
    Lost::Refused(match pid {
        Some(pid) => error.with("owner_pid", pid),
        None => error,
    })
}

fn mismatch(here: &Hello, there: &Hello) -> Error {
    let (dir, pid) = (&here.dir, there.pid);
    if here.dir != there.dir {
        let other = &there.dir;
        let message = format!(
            "share the directory {dir}: its socket belongs to the process with pid {pid}, which has {other}; end that \
             process, or move one of the two directories"
        );
        return Error::new(ErrorKind::Unavailable, "foreign_directory", message).with("owner_pid", pid);
    }
    let message = format!(
        "share the directory {dir}: allsource {} (protocol {}, pid {pid}) has it, this is allsource {} (protocol {}, \
         pid {}); close the clients that started the older one, then start them again",
        there.version, there.protocol, here.version, here.protocol, here.pid
    );
    Error::new(ErrorKind::Unavailable, "version_mismatch", message)
        .with("owner_pid", pid)
        .with("owner_version", &*there.version)
        .with("version", &*here.version)
}

/// The error of a directory that is locked by a process that cannot be reached.
pub(super) fn unreachable(dir: &Path, waited: Duration, locked: Error) -> Error {
    let message = format!(
        "reach the process that has the directory {}: it listens nowhere that this process can reach (tried for {} ms); \
         does it run as another user, in a container, or on another machine?",
        dir.display(),
        waited.as_millis()
    );
    let details = locked.details().clone();
    let error = Error::new(ErrorKind::Unavailable, "owner_unreachable", message).caused_by(locked);
    details.into_iter().fold(error, |error, (name, value)| error.with(&name, value))
}
