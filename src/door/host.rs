//! *Here or elsewhere?* [`Host`] performs a call in this process when it owns the directory, and otherwise sends it to
//! the owner; when the owner goes, it takes the directory or follows the next owner, and sends its open calls again.
//!
//! **Invariant:** a call that was sent before is only sent again when a second time stores nothing twice.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use serde_json::Value;

use super::DoorOptions;
use super::call::{KEY, Kind, Outcome, Request, Said};
use super::frame;
use super::owner::Owner;
use super::patience::Patience;
use super::peer::{Lost, Peer, SILENT, unreachable};
use super::seat::Seat;
use super::socket;
use super::waiting::Waiting;
use crate::engine::{Caller, EngineOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::event::quote;
use crate::tools::{Answer, Object};

/// A directory in use: owned by this process or reached through the owner's socket; it changes over when the owner goes.
///
/// Many threads may call at once; from a peer, up to eight calls run at the owner and more wait. Dropping it is
/// [`close`](Self::close) without its result.
pub struct Host {
    dir: PathBuf,
    options: EngineOptions,
    door: DoorOptions,
    state: Mutex<State>,
    /// The role has changed, an attempt to change it has ended, or the host was closed.
    changed: Condvar,
    waiting: Waiting,
}

struct State {
    /// `None` once closed.
    role: Option<Arc<Role>>,
    /// One thread looks for the next owner, the others wait for what it finds.
    changing: bool,
    /// How many attempts to change over have ended, and how the last one failed.
    attempts: u64,
    failure: Option<Said>,
}

enum Role {
    Owner(Owner),
    Peer(Box<Peer>),
    /// The owner is there and says nothing; every call asks it again.
    Silent(Said),
}

impl Host {
    /// Takes the directory, or connects to the process that has it.
    ///
    /// A damaged store is opened for reading: [`warnings`](Self::warnings) says so, and every write answers with the
    /// damage. What a caller may write is its own ([`Caller::writes`]); the store should be opened for writing even
    /// for callers that only read, because other processes may join.
    ///
    /// # Errors
    /// Those of [`Store::open`](crate::store::Store::open), except `Corrupt`; `Unavailable` when another process has
    /// the directory and is of another version, cannot be reached for 10 s or says nothing for 5 s; `Denied` when the
    /// socket is in another user's hands.
    pub fn open(dir: &Path, options: impl Into<EngineOptions>) -> Result<Self> {
        Self::open_with(dir, options, DoorOptions::default())
    }

    /// Like [`open`](Self::open), with other times and another place for the socket.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_with(dir: &Path, options: impl Into<EngineOptions>, door: DoorOptions) -> Result<Self> {
        let host = Self::new(dir, options.into(), door);
        let role = host.settle(host.door.silence_max(), &mut Patience::new(&host.door), || false)?;
        host.state.lock().role = Some(Arc::new(role));
        Ok(host)
    }

    /// Like [`open`](Self::open) for a server that stays: where the owner says nothing (it was stopped), calls are
    /// answered with that until it goes on.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), except an owner that is silent.
    pub(crate) fn open_to_stay(dir: &Path, options: EngineOptions) -> Result<Self> {
        let host = Self::new(dir, options, DoorOptions::default());
        let role = match host.settle(host.door.probe_max(), &mut Patience::new(&host.door), || false) {
            Err(error) if error.code() == SILENT => Role::Silent(Said::of(&error)),
            settled => settled?,
        };
        host.state.lock().role = Some(Arc::new(role));
        Ok(host)
    }

    fn new(dir: &Path, options: EngineOptions, door: DoorOptions) -> Self {
        let state = State { role: None, changing: false, attempts: 0, failure: None };
        Self {
            dir: dir.to_owned(),
            options,
            door,
            state: Mutex::new(state),
            changed: Condvar::new(),
            waiting: Waiting::default(),
        }
    }

    /// Calls a tool of [`tools::TOOLS`](crate::tools::TOOLS) in this process or in the owner's.
    pub fn call(&self, name: &str, arguments: &Object, caller: &Caller) -> Answer {
        match self.perform(Request { kind: Kind::Tool, name, arguments, caller }) {
            Outcome::Tool(answer) => answer,
            Outcome::Operation(result) => {
                Answer { body: result.unwrap_or_default(), is_error: false, image: None }
            }
        }
    }

    /// Performs an operation that no agent sees: the bulk work of the command line (`import`, `export`, `verify`) and
    /// completions. Same shape as a tool, from [`tools::operate`](crate::tools::operate).
    ///
    /// # Errors
    /// Those of the operation, those of [`open`](Self::open) when the owner has gone, and `Closed` after
    /// [`close`](Self::close).
    pub fn operate(&self, name: &str, arguments: &Object, caller: &Caller) -> Result<Object> {
        match self.perform(Request { kind: Kind::Operation, name, arguments, caller }) {
            Outcome::Operation(result) => result,
            Outcome::Tool(answer) => Ok(answer.body),
        }
    }

    /// Whether this process owns the directory.
    pub fn is_owner(&self) -> bool {
        self.role().is_some_and(|role| matches!(&*role, Role::Owner(_)))
    }

    /// What whoever uses this directory should know: that the store is damaged, and where; that no other process can
    /// share it, and why; or that its owner syncs less often than [`Options::durability`](crate::store::Options::durability) asks here.
    pub fn warnings(&self) -> Vec<String> {
        match self.role().as_deref() {
            Some(Role::Owner(owner)) => owner.warnings().to_vec(),
            Some(Role::Peer(peer)) => peer.warnings(self.options.store.durability),
            Some(Role::Silent(said)) => vec![format!("calls fail for now: failed to {}", said.again())],
            None => Vec::new(),
        }
    }

    /// Finishes the running calls and gives the directory back; later calls answer `Closed`.
    ///
    /// # Errors
    /// Those of [`Store::close`](crate::store::Store::close).
    pub fn close(&self) -> Result<()> {
        let role = self.state.lock().role.take();
        self.changed.notify_all();
        match role.as_deref() {
            Some(Role::Owner(owner)) => owner.leave(),
            Some(Role::Peer(_) | Role::Silent(_)) | None => Ok(()),
        }
    }

    fn role(&self) -> Option<Arc<Role>> {
        self.state.lock().role.clone()
    }

    fn perform(&self, request: Request<'_>) -> Outcome {
        match self.role().as_deref() {
            Some(Role::Owner(owner)) => owner.seat().perform(&request),
            Some(Role::Peer(_) | Role::Silent(_)) => Some(self.forward(request)),
            None => None,
        }
        .unwrap_or_else(|| Outcome::refused(request.kind, closed(request.name)))
    }

    /// Sends a call to the owner, whoever that becomes, until it is answered.
    fn forward(&self, request: Request<'_>) -> Outcome {
        let _waiting = match self.waiting.admit(&request) {
            Ok(waiting) => waiting,
            Err(error) => return Outcome::refused(request.kind, error),
        };
        let keyed = self.keyed(request);
        let request = Request { arguments: keyed.as_ref().unwrap_or(request.arguments), ..request };
        let refused = |error: Error| {
            // Whether the append went in is unknown; sent again with this key it goes in once.
            let key = keyed.as_ref().and_then(|arguments| arguments.get(KEY)).cloned();
            Outcome::refused(request.kind, key.into_iter().fold(error, |error, key| error.with(KEY, key)))
        };
        let frame = match frame::request(&request) {
            Ok(frame) => frame,
            Err(error) => return refused(error),
        };
        let (mut patience, mut losses) = (Patience::new(&self.door), 0);
        loop {
            let Some(role) = self.role() else { return refused(closed(request.name)) };
            let lost = match &*role {
                Role::Owner(owner) => owner.seat().perform(&request).ok_or(Lost::Gone),
                Role::Peer(peer) => peer.exchange(request.kind, &frame),
                Role::Silent(_) => Err(Lost::Gone),
            };
            match lost {
                Ok(outcome) => return if keyed.is_some() { as_first(outcome) } else { outcome },
                Err(Lost::Refused(error)) => {
                    self.fell_silent(&role, &error);
                    return refused(error);
                }
                Err(Lost::Gone) => {}
            }
            if let Err(error) = self.change_over(&role, &mut patience) {
                return refused(error);
            }
            // The first loss is the owner's going. After that an owner that ends every connection must not be asked
            // without a pause.
            if losses > 0 && !self.rest(&mut patience) {
                return refused(flapping(request.name, losses));
            }
            losses += 1;
        }
    }

    /// The arguments of an append with a key of their own, if they have none; an append that is sent twice is stored
    /// once.
    fn keyed(&self, request: Request<'_>) -> Option<Object> {
        let has = |name| request.arguments.get(name).is_some_and(|value| !value.is_null());
        if !request.takes_key() || has(KEY) {
            return None;
        }
        let ids = &self.options.store.ids;
        let key = format!("auto:{:016x}{:016x}", ids.next_u64(), ids.next_u64());
        let mut arguments = request.arguments.clone();
        arguments.insert(KEY.to_owned(), Value::from(key));
        Some(arguments)
    }

    /// After an owner that said nothing, later calls ask for its hello first, which takes less time.
    fn fell_silent(&self, role: &Arc<Role>, error: &Error) {
        let mut state = self.state.lock();
        if let Some(current) = &mut state.role
            && error.code() == SILENT
            && Arc::ptr_eq(current, role)
        {
            *current = Arc::new(Role::Silent(Said::of(error)));
        }
    }

    /// Replaces a role that `lost` its owner. One thread does it, the others wait for it.
    fn change_over(&self, lost: &Arc<Role>, patience: &mut Patience) -> Result<()> {
        let mut state = self.state.lock();
        let attempts = state.attempts;
        loop {
            match &state.role {
                None => return Err(closed("a call")),
                Some(role) if !Arc::ptr_eq(role, lost) => return Ok(()),
                Some(_) => {}
            }
            if state.attempts != attempts
                && let Some(failure) = &state.failure
            {
                return Err(failure.again());
            }
            if !state.changing {
                break;
            }
            self.changed.wait(&mut state);
        }
        state.changing = true;
        state.failure = None;
        drop(state);
        let _attempt = Attempt(self);
        let hello_max = match **lost {
            Role::Silent(_) => self.door.probe_max(),
            Role::Owner(_) | Role::Peer(_) => self.door.silence_max(),
        };
        let found = self.settle(hello_max, patience, || self.role().is_none());
        let mut state = self.state.lock();
        state.failure = found.as_ref().err().map(Said::of);
        // Closed meanwhile: what was found is dropped, which gives the directory back.
        let role = Arc::new(found?);
        if let Some(current) = &mut state.role {
            *current = Arc::clone(&role);
        }
        drop(state);
        Ok(())
    }

    /// Waits a little; `false` when the time is up.
    fn rest(&self, patience: &mut Patience) -> bool {
        let Some(pause) = patience.pause() else { return false };
        self.changed.wait_for(&mut self.state.lock(), pause);
        true
    }

    /// Takes the directory or connects to the process that has it, in turn, until either succeeds.
    fn settle(
        &self,
        hello_max: Duration,
        patience: &mut Patience,
        given_up: impl Fn() -> bool,
    ) -> Result<Role> {
        loop {
            let locked = match Seat::take(&self.dir, &self.options) {
                Ok(seat) => {
                    let (name, places) = self.meeting()?;
                    return Owner::new(seat, name, &places, &self.door).map(Role::Owner);
                }
                Err(error) if error.code() == "locked" => error,
                Err(error) => return Err(error),
            };
            let (name, places) = self.meeting()?;
            match Peer::connect(name, places, hello_max, self.door.silence_max()) {
                Ok(peer) => return Ok(Role::Peer(Box::new(peer))),
                Err(Lost::Refused(error)) => return Err(error),
                Err(Lost::Gone) => {}
            }
            let Some(pause) = patience.pause() else {
                return Err(unreachable(&self.dir, patience.waited, locked));
            };
            let mut state = self.state.lock();
            self.changed.wait_for(&mut state, pause);
            drop(state);
            if given_up() {
                return Err(closed("a call"));
            }
        }
    }

    /// The directory's one name, and the places where its processes meet.
    fn meeting(&self) -> Result<(String, Vec<PathBuf>)> {
        let dir = self.dir.canonicalize().map_err(|error| {
            let message = format!("find the directory {}", self.dir.display());
            Error::new(ErrorKind::Unavailable, "no_directory", message).caused_by(error)
        })?;
        let places = socket::places(&dir, self.door.runtime_dir.as_deref());
        Ok((dir.to_string_lossy().into_owned(), places))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "failed to close the directory");
        }
    }
}

/// The search for the next owner by one thread; its end, a panic's too, lets the others go on.
struct Attempt<'a>(&'a Host);

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.changing = false;
        state.attempts += 1;
        drop(state);
        self.0.changed.notify_all();
    }
}

/// To its caller an append that this process had to send twice is the first, and no duplicate.
fn as_first(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Tool(mut answer) => {
            answer.body.shift_remove("duplicate");
            Outcome::Tool(answer)
        }
        Outcome::Operation(Ok(mut body)) if body.get("duplicate") == Some(&Value::Bool(true)) => {
            let already = body.insert("already_stored".to_owned(), 0.into());
            body.insert("stored".to_owned(), already.unwrap_or_default());
            body.insert("duplicate".to_owned(), false.into());
            Outcome::Operation(Ok(body))
        }
        Outcome::Operation(result) => Outcome::Operation(result),
    }
}

fn flapping(name: &str, losses: u32) -> Error {
    let message = format!(
        "perform {}: the process that has the directory ended the connection {losses} times; see what it logs",
        quote(name)
    );
    Error::new(ErrorKind::Unavailable, "owner_flapping", message)
}

fn closed(name: &str) -> Error {
    let message = format!("perform {}: this handle on the directory was closed; open it again", quote(name));
    Error::new(ErrorKind::Closed, "closed", message)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use interprocess::local_socket::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::door::fixture::Place;
    use crate::door::frame::{Frame, Hello, What};
    use crate::engine::Writes;
    use crate::store::Options;
    use crate::store::{Durability, Store};

    impl Place {
        fn try_open(&self, silence_ms_max: u64) -> Result<Host> {
            let door =
                DoorOptions { silence_ms_max, takeover_ms_max: 10_000, runtime_dir: Some(self.run_dir()) };
            Host::open_with(self.data.path(), Options::default(), door)
        }

        fn open(&self) -> Host {
            self.try_open(5_000).unwrap()
        }
    }

    fn object(value: Value) -> Object {
        let Value::Object(object) = value else { panic!("no object: {value}") };
        object
    }

    fn append(host: &Host, entity: &str, n: u64) -> Answer {
        let event = json!({ "entity_id": entity, "event_type": "counted", "payload": { "n": n } });
        let arguments = object(json!({ "branch": "main", "events": [event] }));
        host.call("append_events", &arguments, &Caller { writes: Writes::All, ..Caller::default() })
    }

    fn acknowledged(host: &Host, entity: &str, n: u64) {
        let answer = append(host, entity, n);
        assert!(!answer.is_error, "{}", Value::from(answer.body));
        assert_eq!(
            answer.body.get("duplicate"),
            None,
            "a call that was sent twice is no duplicate to its caller"
        );
    }

    fn check_count(host: &Host, entity: &str, events: u64) {
        let arguments = object(json!({ "entity_id": entity, "limit": 1 }));
        let answer = host.call("query_events", &arguments, &Caller::default());
        assert!(!answer.is_error, "{}", Value::from(answer.body));
        // Left out when the one row is all there is.
        let count = answer.body.get("matched").map_or(Some(1), |matched| matched["count"].as_u64());
        assert_eq!(count, Some(events), "{entity}: {}", Value::from(answer.body));
    }

    fn check_error(answer: &Answer, code: &str) {
        assert!(answer.is_error);
        assert_eq!(answer.body["error"]["code"], code, "{}", answer.body["error"]);
    }

    #[test]
    fn two_hosts_on_one_directory_both_append_and_read() {
        let place = Place::new();
        let (owner, peer) = (place.open(), place.open());
        assert!(owner.is_owner() && !peer.is_owner());
        acknowledged(&owner, "a", 1);
        acknowledged(&peer, "a", 2);
        acknowledged(&owner, "a", 3);
        check_count(&owner, "a", 3);
        check_count(&peer, "a", 3);
    }

    #[test]
    fn a_peer_may_not_write_more_than_its_own_mode_allows() {
        let place = Place::new();
        let (_owner, peer) = (place.open(), place.open());
        let event = json!({ "entity_id": "a", "event_type": "t", "payload": {} });
        let arguments = object(json!({ "branch": "main", "events": [event] }));
        let answer =
            peer.call("append_events", &arguments, &Caller { writes: Writes::None, ..Caller::default() });
        assert!(answer.is_error);
        acknowledged(&peer, "a", 1);
        check_count(&peer, "a", 1);
    }

    #[test]
    fn a_peer_takes_the_directory_when_its_owner_closes() {
        let place = Place::new();
        let (owner, peer, other) = (place.open(), place.open(), place.open());
        acknowledged(&peer, "a", 1);
        owner.close().unwrap();
        check_error(&append(&owner, "a", 9), "closed");
        acknowledged(&peer, "a", 2);
        acknowledged(&other, "a", 3);
        assert_ne!(peer.is_owner(), other.is_owner());
        check_count(&other, "a", 3);
    }

    #[test]
    fn appends_that_run_while_owners_leave_are_stored_once() {
        const PEERS: u64 = 8;
        const EVENTS: u64 = 30;
        let place = Place::new();
        let owner = place.open();
        let peers: Vec<Host> = (0..PEERS).map(|_| place.open()).collect();
        thread::scope(|scope| {
            for (index, peer) in peers.iter().enumerate() {
                scope.spawn(move || {
                    (1..=EVENTS).for_each(|n| acknowledged(peer, &format!("entity {index}"), n));
                });
            }
            // Leaves as soon as the first peer is under way; whoever follows leaves too.
            acknowledged(&owner, "owner", 1);
            owner.close().unwrap();
            let next = place.open();
            acknowledged(&next, "owner", 2);
            next.close().unwrap();
        });
        let reader = place.open();
        (0..PEERS).for_each(|index| check_count(&reader, &format!("entity {index}"), EVENTS));
        check_count(&reader, "owner", 2);
    }

    #[test]
    fn more_calls_at_once_than_connections_all_get_their_answer() {
        let place = Place::new();
        let (owner, peer) = (place.open(), place.open());
        let (owner, peer) = (&owner, &peer);
        thread::scope(|scope| {
            for n in 0..40 {
                scope.spawn(move || acknowledged(if n % 4 == 0 { owner } else { peer }, "crowded", n));
            }
        });
        check_count(peer, "crowded", 40);
    }

    #[test]
    fn calls_that_wait_at_the_owner_leave_room_for_others_and_let_it_go() {
        let place = Place::new();
        let (owner, peer) = (place.open(), place.open());
        acknowledged(&owner, "a", 1);
        let wait = object(json!({"event_type": "no.such", "wait_ms": 5_000}));
        let caller = Caller::default();
        thread::scope(|scope| {
            // Again where the question below has the last place for a moment.
            let admitted = || {
                let answers = std::iter::repeat_with(|| peer.call("query_events", &wait, &caller));
                answers.into_iter().find(|answer| !answer.is_error)
            };
            let waits: Vec<_> = (0..4).map(|_| scope.spawn(admitted)).collect();
            // Asks until all of them wait.
            let refused = std::iter::repeat_with(|| {
                let ask = object(json!({"event_type": "no.such", "wait_ms": 1}));
                peer.call("query_events", &ask, &caller)
            })
            .find(|answer| answer.is_error)
            .unwrap();
            check_error(&refused, "too_many_waiting");
            let stats = peer.call("quick_stats", &Object::new(), &caller);
            assert!(!stats.is_error, "{:?}", stats.body);
            owner.close().unwrap();
            for wait in waits {
                assert!(wait.join().unwrap().is_some());
            }
        });
    }

    #[test]
    fn a_peer_is_warned_of_an_owner_that_syncs_less_often() {
        let place = Place::new();
        let runtime_dir = Some(place.runtime.path().join("run"));
        let door = || DoorOptions { runtime_dir: runtime_dir.clone(), ..DoorOptions::default() };
        let open = |durability| {
            let options = Options { durability, ..Options::default() };
            Host::open_with(place.data.path(), options, door()).unwrap()
        };
        let owner = open(Durability::Interval { ms: 50 });
        assert_eq!(owner.warnings(), Vec::<String>::new());
        assert_eq!(open(Durability::Interval { ms: 50 }).warnings(), Vec::<String>::new());
        let warnings = open(Durability::Fsync).warnings();
        assert!(warnings.iter().any(|warning| warning.contains("every 50 ms")), "{warnings:?}");
    }

    #[test]
    fn the_socket_of_a_dead_owner_is_replaced() {
        let place = Place::new();
        let sockets = place.sockets();
        let (listener, socket) = socket::listen(&sockets).unwrap();
        drop(listener);
        assert!(socket.exists());
        let (owner, peer) = (place.open(), place.open());
        assert!(owner.is_owner() && !peer.is_owner());
        owner.close().unwrap();
        assert!(!socket.exists(), "the last one out removes it");
    }

    #[test]
    fn something_else_in_the_place_of_the_socket_is_refused() {
        let place = Place::new();
        let socket = place.sockets().remove(0);
        place.open().close().unwrap();
        std::fs::create_dir(&socket).unwrap();
        let error = place.try_open(1_000).err().unwrap();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Denied, "foreign_socket"));
        assert!(socket.exists());
    }

    /// Holds the lock and lets `answer` talk on the socket in place of an owner.
    fn with_false_owner(
        place: &Place,
        silence_ms_max: u64,
        answer: impl FnOnce(LocalSocketListener) + Send,
    ) -> Error {
        let store = Store::open(place.data.path(), Options::default()).unwrap();
        let (listener, _) = socket::listen(&place.sockets()).unwrap();
        let error = thread::scope(|scope| {
            scope.spawn(move || answer(listener));
            place.try_open(silence_ms_max).err().unwrap()
        });
        drop(store);
        error
    }

    #[test]
    fn another_version_is_named_with_both_processes() {
        let place = Place::new();
        let dir = place.data.path().canonicalize().unwrap().to_string_lossy().into_owned();
        let hello = Hello { version: "0.0.9".to_owned(), pid: 4_711, ..Hello::of_this_process(dir) };
        let error = with_false_owner(&place, 5_000, move |listener| {
            let stream = listener.accept().unwrap();
            Frame::new(What::Hello, &hello).unwrap().write_to(&stream).unwrap();
        });
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "version_mismatch"));
        for part in ["0.0.9", "4711", env!("CARGO_PKG_VERSION"), &std::process::id().to_string()] {
            assert!(error.message().contains(part), "{part} is missing: {error}");
        }
    }

    #[test]
    fn an_owner_that_says_nothing_is_named_by_pid() {
        let place = Place::new();
        let error = with_false_owner(&place, 100, |listener| {
            let stream = listener.accept().unwrap();
            // Ends when the other side gives up.
            let _ = frame::read(&stream);
            let _ = frame::read(&stream);
        });
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "owner_silent"));
        assert!(error.message().contains(&std::process::id().to_string()), "{error}");
    }

    #[test]
    fn an_owner_that_no_socket_leads_to_is_reported_after_the_time_for_a_takeover() {
        let place = Place::new();
        let _store = Store::open(place.data.path(), Options::default()).unwrap();
        let runtime_dir = Some(place.runtime.path().join("run"));
        let door = DoorOptions { takeover_ms_max: 20, runtime_dir, ..DoorOptions::default() };
        let error = Host::open_with(place.data.path(), Options::default(), door).err().unwrap();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "owner_unreachable"));
        assert_eq!(error.details()["owner_pid"], std::process::id());
    }

    #[test]
    fn a_damaged_store_serves_reads_and_answers_writes_with_its_damage() {
        let place = Place::new();
        let owner = place.open();
        (1..=3).for_each(|n| acknowledged(&owner, "a", n));
        owner.close().unwrap();
        flip_a_bit_in_the_first_event(place.data.path());
        let (owner, peer) = (place.open(), place.open());
        for host in [&owner, &peer] {
            let warnings = host.warnings();
            assert!(warnings.iter().any(|warning| warning.contains("verify")), "{warnings:?}");
            let answer = append(host, "a", 4);
            assert!(answer.is_error);
            assert!(
                answer.body["error"]["message"].as_str().unwrap().contains("verify"),
                "{}",
                answer.body["error"]
            );
            let answer = host.call("query_events", &object(json!({ "limit": 10 })), &Caller::default());
            assert!(!answer.is_error, "{}", Value::from(answer.body));
        }
    }

    fn flip_a_bit_in_the_first_event(data: &Path) {
        let files = walk(data).into_iter().filter(|file| file.extension().is_some_and(|end| end == "log"));
        let log = files.min().expect("a log file");
        let mut bytes = std::fs::read(&log).unwrap();
        let at = bytes.windows(7).position(|window| window == b"counted").expect("the first event's type");
        bytes[at] ^= 1;
        #[expect(clippy::disallowed_methods, reason = "damages the file behind the store's back")]
        std::fs::write(&log, bytes).unwrap();
    }

    fn walk(dir: &Path) -> Vec<PathBuf> {
        let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
    }
}
