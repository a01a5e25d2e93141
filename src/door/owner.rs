//! *How does the process that owns the directory serve the others?* A thread per connection, and one pulse for all.
//!
//! A connection thread reads a request, performs it on the [`Seat`] and writes the answer. Meanwhile the pulse tells
//! each peer whose call is running that the owner is alive, so that only an owner that is stuck is taken for one.
//!
//! **Invariant:** an owner that leaves unlinks its socket before it gives up the lock, and ends a connection only after
//! the answer of its running call.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use interprocess::local_socket::prelude::*;
use interprocess::local_socket::{Listener, Stream};
use parking_lot::{Condvar, Mutex};

use super::DoorOptions;
use super::call::{Outcome, Request, Said};
use super::frame::{self, Frame, Hello, What};
use super::seat::Seat;
use super::socket;
use crate::error::{Error, ErrorKind, Result};
use crate::event::quote;

/// The most connections that an owner serves at once; each costs a thread.
pub(super) const CONNECTIONS_MAX: usize = 128;
/// How long a listener that cannot accept (no file handles left) waits before it tries again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The owner's side of the socket.
pub(super) struct Owner {
    shared: Arc<Shared>,
    listening: Mutex<Option<Listening>>,
    warnings: Vec<String>,
}

struct Listening {
    place: PathBuf,
    thread: JoinHandle<()>,
}

struct Shared {
    seat: Seat,
    hello: Hello,
    silence_max: Duration,
    leaving: AtomicBool,
    connections: Mutex<Connections>,
    /// A connection has come or gone, or the owner leaves.
    changed: Condvar,
}

#[derive(Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, Arc<Connection>>,
}

struct Connection {
    stream: Stream,
    /// A call is running. Held while a frame is written, so that a pulse never falls into an answer.
    busy: Mutex<bool>,
}

impl Owner {
    /// Listens for the other processes of this user; where that is impossible, serves this process alone and warns.
    ///
    /// # Errors
    /// `Denied` when the socket's place is in somebody else's hands.
    pub(super) fn new(seat: Seat, dir: String, places: &[PathBuf], options: &DoorOptions) -> Result<Self> {
        let mut warnings = seat.warnings();
        let (said, interval_ms) = (warnings.clone(), seat.interval_ms());
        let hello = Hello { warnings: said, interval_ms, ..Hello::of_this_process(dir) };
        let shared = Arc::new(Shared {
            seat,
            hello,
            silence_max: options.silence_max(),
            leaving: AtomicBool::new(false),
            connections: Mutex::default(),
            changed: Condvar::new(),
        });
        // Ordering: the lock comes before the socket. Without it (a damaged store) every process reads by itself.
        let places = if shared.seat.is_locked() { places } else { &[] };
        let listening = match socket::listen(places) {
            Err(_) if places.is_empty() => None,
            Ok((listener, place)) => Some(Listening { place, thread: serve(&shared, listener)? }),
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                warnings.push(format!("other processes cannot share this directory: failed to {error}"));
                None
            }
            Err(error) => return Err(error),
        };
        Ok(Self { shared, listening: Mutex::new(listening), warnings })
    }

    pub(super) fn seat(&self) -> &Seat {
        &self.shared.seat
    }

    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Finishes the running calls, gives the directory back, then closes the connections.
    pub(super) fn leave(&self) -> Result<()> {
        let shared = &self.shared;
        shared.leaving.store(true, Ordering::SeqCst);
        if let Some(Listening { place, thread }) = self.listening.lock().take() {
            // A connection of our own wakes the listener; if none can be made, it is not waited for.
            let woken =
                matches!(socket::connect(std::slice::from_ref(&place), shared.silence_max), Ok(Some(_)));
            if woken && thread.join().is_err() {
                tracing::error!("the thread that accepts other processes panicked");
            }
            // Ordering: before the lock is given up, for afterwards the socket is the next owner's.
            if let Err(error) = socket::unlink(&place) {
                tracing::warn!(%error, place = %place.display(), "the socket was not removed");
            }
        }
        let closed = shared.seat.leave();
        // Ordering: only now, so that a peer whose connection ends finds the lock free.
        shared.end_connections();
        closed
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if !self.shared.leaving.load(Ordering::SeqCst)
            && let Err(error) = self.leave()
        {
            tracing::error!(%error, "failed to close the store");
        }
    }
}

/// Starts the threads that accept connections and keep them alive.
fn serve(shared: &Arc<Shared>, listener: Listener) -> Result<JoinHandle<()>> {
    let pulsing = Arc::clone(shared);
    spawn("allsource-pulse", move || pulsing.pulse())?;
    let accepting = Arc::clone(shared);
    spawn("allsource-accept", move || accepting.accept(&listener))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|error| {
        let message = format!("start the thread {name}; end other programs or raise the limit of processes");
        Error::new(ErrorKind::Exhausted, "no_thread", message).caused_by(error)
    })
}

impl Shared {
    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }

    fn accept(self: &Arc<Self>, listener: &Listener) {
        while !self.is_leaving() {
            match listener.accept() {
                Ok(stream) if !self.is_leaving() => self.admit(stream),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "failed to accept another process");
                    let _ = self.changed.wait_for(&mut self.connections.lock(), ACCEPT_PAUSE);
                }
            }
        }
    }

    /// Gives a connection a thread of its own, or says why it gets none.
    fn admit(self: &Arc<Self>, stream: Stream) {
        let limited = stream.set_recv_timeout(Some(self.silence_max));
        if limited.and_then(|()| stream.set_send_timeout(Some(self.silence_max))).is_err() {
            return;
        }
        let mut connections = self.connections.lock();
        if connections.open.len() >= CONNECTIONS_MAX {
            drop(connections);
            let message = format!(
                "connect to the process {} that has the directory: it serves {CONNECTIONS_MAX} connections already; \
                 close a client, or try again when one is done",
                self.hello.pid
            );
            let error = Error::new(ErrorKind::Exhausted, "too_many_connections", message);
            let refusal = Hello { refusal: Some(Said::of(&error)), ..self.hello.clone() };
            // The peer may be gone already; then nobody misses the refusal.
            let _ = Frame::new(What::Hello, &refusal).map(|frame| frame.write_to(&stream));
            return;
        }
        let id = connections.next;
        connections.next += 1;
        let connection = Arc::new(Connection { stream, busy: Mutex::new(false) });
        connections.open.insert(id, Arc::clone(&connection));
        drop(connections);
        let shared = Arc::clone(self);
        let served = spawn("allsource-peer", move || {
            let leaver = Leaver { shared: &shared, id };
            if let Err(error) = shared.converse(&connection) {
                tracing::debug!(%error, "a connection of another process ended");
            }
            socket::end(&connection.stream);
            drop(leaver);
        });
        if let Err(error) = served {
            tracing::error!(%error, "a connection of another process was dropped");
            self.forget(id);
        }
        self.changed.notify_all();
    }

    /// Answers the requests of one connection until either side ends it.
    fn converse(&self, connection: &Connection) -> std::io::Result<()> {
        let mut stream = &connection.stream;
        if !socket::same_user(stream) {
            return Err(std::io::ErrorKind::PermissionDenied.into());
        }
        let hello = Frame::new(What::Hello, &self.hello).map_err(std::io::Error::other)?;
        hello.write_to(&mut stream)?;
        let (What::Hello, body) = frame::read(&mut stream)? else {
            return Err(std::io::ErrorKind::InvalidData.into());
        };
        if !serde_json::from_slice::<Hello>(&body)?.agrees_with(&self.hello) {
            return Ok(());
        }
        stream.set_recv_timeout(None)?;
        while !self.is_leaving() {
            let (What::Request, body) = frame::read(&mut stream)? else {
                return Err(std::io::ErrorKind::InvalidData.into());
            };
            *connection.busy.lock() = true;
            let request = frame::parse_request(&body)?;
            let (kind, name, caller) = (request.kind, &*request.name, &request.caller);
            // Without an answer the peer sends the call to the next owner.
            let outcome = match request.arguments {
                Ok(arguments) => self.seat.perform(&Request { kind, name, arguments: &arguments, caller }),
                Err(error) => {
                    let message = format!("read the arguments of {}", quote(name));
                    let error = Error::invalid("invalid_json", message).caused_by(error);
                    Some(Outcome::refused(kind, error))
                }
            };
            let Some(outcome) = outcome else { return Ok(()) };
            let answer = frame::answer(kind, &outcome).map_err(std::io::Error::other)?;
            let mut busy = connection.busy.lock();
            answer.write_to(&mut stream)?;
            *busy = false;
        }
        Ok(())
    }

    /// Tells every peer whose call is running that this process is alive.
    fn pulse(&self) {
        let working = Frame::working();
        let mut connections = self.connections.lock();
        while !self.is_leaving() || !connections.open.is_empty() {
            if connections.open.is_empty() {
                self.changed.wait(&mut connections);
            } else {
                self.changed.wait_for(&mut connections, self.silence_max / 5);
            }
            let open: Vec<_> = connections.open.values().cloned().collect();
            parking_lot::MutexGuard::unlocked(&mut connections, || {
                for connection in open {
                    if let Some(true) = connection.busy.try_lock().as_deref()
                        && working.write_to(&connection.stream).is_err()
                    {
                        socket::end(&connection.stream);
                    }
                }
            });
        }
    }

    fn forget(&self, id: u64) {
        self.connections.lock().open.remove(&id);
        self.changed.notify_all();
    }

    /// Ends idle connections at once, busy ones after their answer, and waits for all of them.
    fn end_connections(&self) {
        let mut connections = self.connections.lock();
        // Ordering: under the lock, or the pulse could look before and sleep after.
        self.changed.notify_all();
        for connection in connections.open.values() {
            let busy = connection.busy.lock();
            if !*busy {
                socket::end(&connection.stream);
            }
        }
        while !connections.open.is_empty() {
            self.changed.wait(&mut connections);
        }
    }
}

/// Takes a connection off the list, also when its thread panics.
struct Leaver<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Leaver<'_> {
    fn drop(&mut self) {
        self.shared.forget(self.id);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::door::call::Kind;
    use crate::door::fixture::Place;
    use crate::engine::Caller;
    use crate::engine::EngineOptions;

    impl Place {
        fn own(&self, silence_ms_max: u64) -> Owner {
            let seat = Seat::take(self.data.path(), &EngineOptions::default()).unwrap();
            let options = DoorOptions { silence_ms_max, ..DoorOptions::default() };
            Owner::new(seat, "here".to_owned(), &self.sockets(), &options).unwrap()
        }

        fn connect(&self) -> Stream {
            socket::connect(&self.sockets(), Duration::from_secs(5)).unwrap().expect("an owner")
        }

        fn greet(&self) -> (Stream, Hello) {
            let stream = self.connect();
            let hello = Hello::of_this_process("here".to_owned());
            // Fails when the owner refuses and hangs up; its hello is there to be read all the same.
            let _ = Frame::new(What::Hello, &hello).unwrap().write_to(&stream);
            let (What::Hello, body) = frame::read(&stream).unwrap() else { panic!("no hello") };
            (stream, serde_json::from_slice(&body).unwrap())
        }
    }

    fn send(stream: &Stream) {
        let (arguments, caller) = (serde_json::Map::new(), Caller::default());
        let request =
            Request { kind: Kind::Tool, name: "quick_stats", arguments: &arguments, caller: &caller };
        frame::request(&request).unwrap().write_to(stream).unwrap();
    }

    #[test]
    fn an_owner_that_works_longer_than_the_silence_says_so() {
        let place = Place::new();
        let owner = place.own(200);
        let (stream, _) = place.greet();
        let held = owner.seat().hold();
        send(&stream);
        // Ten signs of life are twice the time of the longest silence.
        for _ in 0..10 {
            assert_eq!(frame::read(&stream).unwrap().0, What::Working);
        }
        drop(held);
        let answered =
            std::iter::repeat_with(|| frame::read(&stream).unwrap().0).find(|what| *what != What::Working);
        assert_eq!(answered, Some(What::Answer));
    }

    #[test]
    fn an_owner_that_leaves_answers_the_running_call_first() {
        let place = Place::new();
        let owner = place.own(200);
        let ((busy, _), (idle, _)) = (place.greet(), place.greet());
        let held = owner.seat().hold();
        send(&busy);
        assert_eq!(frame::read(&busy).unwrap().0, What::Working);
        thread::scope(|scope| {
            let leaving = scope.spawn(|| owner.leave());
            drop(held);
            leaving.join().unwrap().unwrap();
        });
        assert!(frame::read(&idle).is_err());
        // The call ran before the owner left, or it did not and goes to the next owner; never half.
        let last = std::iter::repeat_with(|| frame::read(&busy).map(|(what, _)| what))
            .find(|read| !matches!(read, Ok(What::Working)));
        assert!(matches!(last, Some(Ok(What::Answer) | Err(_))), "{last:?}");
        Seat::take(place.data.path(), &EngineOptions::default()).unwrap();
    }

    #[test]
    fn one_connection_too_many_is_told_why() {
        let place = Place::new();
        let _owner = place.own(5_000);
        let admitted: Vec<_> = (0..CONNECTIONS_MAX).map(|_| place.greet()).collect();
        assert!(admitted.iter().all(|(_, hello)| hello.refusal.is_none()));
        let (_, refused) = place.greet();
        let refusal = refused.refusal.expect("a refusal").again();
        assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::Exhausted, "too_many_connections"));
    }

    #[test]
    fn a_connection_that_speaks_something_else_is_ended() {
        fn check(what: What, body: &Value) {
            let place = Place::new();
            let _owner = place.own(5_000);
            let stream = place.connect();
            Frame::new(what, body).unwrap().write_to(&stream).unwrap();
            assert_eq!(frame::read(&stream).unwrap().0, What::Hello);
            assert!(frame::read(&stream).is_err());
        }
        check(What::Request, &json!({}));
        check(What::Hello, &json!([]));
        check(What::Hello, &json!({ "protocol": 0 }));
    }
}
