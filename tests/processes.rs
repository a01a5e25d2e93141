//! Several programs on one directory: each answers as if it had the directory to itself, whoever is killed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use allsource::ErrorKind;
use allsource::door::{DoorOptions, Host};
use allsource::engine::Caller;
use allsource::event::Position;
use allsource::store::{Options, Scan, ScanLimits, Store};
use allsource::tools::Object;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde_json::{Value, json};
use tempfile::TempDir;

/// `allsource mcp` on a directory; killed when it is dropped.
struct Server {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    asked: u64,
}

impl Server {
    fn start(dir: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_allsource"))
            .args(["mcp", "--data"])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start allsource");
        let input = process.stdin.take().expect("its input");
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let mut server = Self { process, input, output, asked: 0 };
        let who = json!({ "name": "test", "version": "1" });
        server.ask(
            "initialize",
            &json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": who }),
        );
        server.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        server
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.input, "{message}").expect("the server reads");
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.output.read_line(&mut line).expect("the server writes") > 0, "the server has gone");
            let message: Value = serde_json::from_str(&line).expect("a message");
            if message["id"] == id {
                return message["result"].clone();
            }
        }
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let result = self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
        assert_ne!(result["isError"], true, "{result}");
        result["structuredContent"].clone()
    }

    fn id(&self) -> u32 {
        self.process.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    fn kill(&mut self) {
        self.process.kill().expect("kill it");
        self.process.wait().expect("its end");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn counted(entity: &str, n: u64) -> Value {
    let event = json!({ "entity_id": entity, "event_type": "counted", "payload": { "n": n } });
    json!({ "branch": "main", "events": [event] })
}

fn object(value: Value) -> Object {
    let Value::Object(object) = value else { panic!("no object: {value}") };
    object
}

fn append(host: &Host, entity: &str, n: u64) {
    let answer = host.call("append_events", &object(counted(entity, n)), &Caller::default());
    assert!(!answer.is_error, "{}", Value::from(answer.body));
}

/// A reader sees these events of entity `a`.
fn check_seen(server: &mut Server, numbers: &[u64]) {
    let query = json!({ "entity_id": "a", "order": "asc", "response_format": "detailed" });
    let answer = server.call("query_events", &query);
    let seen: Vec<&Value> =
        answer["events"].as_array().expect("events").iter().map(|one| &one["payload"]["n"]).collect();
    assert_eq!(seen, numbers.iter().collect::<Vec<_>>(), "{answer}");
}

/// Every entity holds 1, 2, 3 … up to `events`, each once and in order.
fn check_stored(dir: &Path, entities: &[String], events: u64) {
    let store = Store::open(dir, Options::default()).expect("the store, free again");
    let page =
        store.snapshot().scan(&Scan::default(), &ScanLimits { events_max: 100_000, ..ScanLimits::default() });
    let page = page.expect("all events");
    assert_eq!(page.events.len() as u64, events * entities.len() as u64);
    for entity in entities {
        let of_it = page.events.iter().filter(|event| event.entity_id.as_str() == entity);
        let numbers: Vec<u64> = of_it
            .enumerate()
            .map(|(index, event)| {
                assert_eq!(event.version.get(), index as u64 + 1);
                serde_json::from_str::<Value>(event.payload.as_str()).expect("JSON")["n"].as_u64().expect("n")
            })
            .collect();
        assert_eq!(numbers, (1..=events).collect::<Vec<_>>(), "{entity}");
    }
    let positions: Vec<Position> = page.events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=positions.len() as u64).map(Position::new).collect::<Vec<_>>());
}

#[test]
fn two_programs_on_one_directory_both_append_and_read() {
    let dir = TempDir::new().expect("a directory");
    let (mut first, mut second) = (Server::start(dir.path()), Server::start(dir.path()));
    first.call("append_events", &counted("a", 1));
    second.call("append_events", &counted("a", 2));
    first.call("append_events", &counted("a", 3));
    for server in [&mut first, &mut second] {
        check_seen(server, &[1, 2, 3]);
    }
}

#[test]
fn the_command_line_works_beside_a_running_server() {
    let dir = TempDir::new().expect("a directory");
    let mut server = Server::start(dir.path());
    let arguments = counted("a", 1).to_string();
    let called = Command::new(env!("CARGO_BIN_EXE_allsource"))
        .args(["call", "append_events", &arguments, "--data"])
        .arg(dir.path())
        .output()
        .expect("run allsource call");
    assert!(called.status.success(), "{}", String::from_utf8_lossy(&called.stderr));
    check_seen(&mut server, &[1]);
}

#[test]
fn calls_under_way_survive_the_kill_of_the_owner_and_are_stored_once() {
    const CALLERS: usize = 4;
    const EVENTS: u64 = 60;
    const KILL_AT: u64 = 80;
    let dir = TempDir::new().expect("a directory");
    let mut owner = Server::start(dir.path());
    let peer = Host::open(dir.path(), Options::default()).expect("a peer");
    assert!(!peer.is_owner());
    let entities: Vec<String> = (0..CALLERS).map(|caller| format!("entity {caller}")).collect();
    let acknowledged = AtomicU64::new(0);
    thread::scope(|scope| {
        for entity in &entities {
            scope.spawn(|| {
                for n in 1..=EVENTS {
                    append(&peer, entity, n);
                    // The caller that gets the last acknowledgement before the kill is not the only one under way.
                    if acknowledged.fetch_add(1, Ordering::SeqCst) + 1 == KILL_AT {
                        kill_process(owner.pid(), Signal::KILL).expect("kill the owner");
                    }
                }
            });
        }
    });
    owner.kill();
    assert!(peer.is_owner());
    peer.close().expect("the directory given back");
    check_stored(dir.path(), &entities, EVENTS);
}

#[test]
fn of_several_peers_one_takes_over_and_the_others_follow() {
    const PEERS: usize = 3;
    let dir = TempDir::new().expect("a directory");
    let mut owner = Server::start(dir.path());
    let mut peers: Vec<Server> = (0..PEERS).map(|_| Server::start(dir.path())).collect();
    let entities: Vec<String> = (0..PEERS).map(|peer| format!("entity {peer}")).collect();
    let round = |peers: &mut [Server], n| {
        for (peer, entity) in peers.iter_mut().zip(&entities) {
            peer.call("append_events", &counted(entity, n));
        }
    };
    round(&mut peers, 1);
    owner.kill();
    round(&mut peers, 2);
    peers.iter_mut().for_each(Server::kill);
    check_stored(dir.path(), &entities, 2);
}

#[test]
fn an_owner_that_is_stopped_is_named_by_pid_and_works_again_when_it_goes_on() {
    let dir = TempDir::new().expect("a directory");
    let owner = Server::start(dir.path());
    kill_process(owner.pid(), Signal::STOP).expect("stop the owner");
    waitpid(Some(owner.pid()), WaitOptions::UNTRACED).expect("it has stopped");
    let impatient = DoorOptions { silence_ms_max: 100, ..DoorOptions::default() };
    let error = Host::open_with(dir.path(), Options::default(), impatient).err().expect("no answer");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "owner_silent"));
    assert!(error.message().contains(&format!("pid {}", owner.id())), "{error}");
    kill_process(owner.pid(), Signal::CONT).expect("let it go on");
    let peer = Host::open(dir.path(), Options::default()).expect("a peer");
    append(&peer, "a", 1);
    assert!(!peer.is_owner());
}

/// A call that must fail, and its error.
fn refused(server: &mut Server, tool: &str) -> Value {
    let answer = server.ask("tools/call", &json!({"name": tool, "arguments": {}}));
    answer["structuredContent"]["error"].clone()
}

#[test]
fn a_server_starts_while_the_owner_is_stopped_and_works_when_it_goes_on() {
    let dir = TempDir::new().expect("a directory");
    let owner = Server::start(dir.path());
    kill_process(owner.pid(), Signal::STOP).expect("stop the owner");
    waitpid(Some(owner.pid()), WaitOptions::UNTRACED).expect("it has stopped");
    let mut server = Server::start(dir.path());
    for _ in 0..2 {
        let error = refused(&mut server, "quick_stats");
        assert_eq!((&error["code"], &error["owner_pid"]), (&json!("owner_silent"), &json!(owner.id())));
    }
    kill_process(owner.pid(), Signal::CONT).expect("let it go on");
    server.call("quick_stats", &json!({}));
}

#[test]
fn a_directory_that_was_moved_is_written_to_no_more() {
    let parent = TempDir::new().expect("a directory");
    let dir = parent.path().join("here");
    let host = Host::open(&dir, Options::default()).expect("a host");
    append(&host, "a", 1);
    std::fs::rename(&dir, parent.path().join("there")).expect("it can be moved");
    let caller = Caller::default();
    let answer = host.call("append_events", &object(counted("a", 2)), &caller);
    assert_eq!(answer.body["error"]["code"], "directory_moved", "{:?}", answer.body);
    std::fs::rename(parent.path().join("there"), &dir).expect("it can be moved back");
    append(&host, "a", 2);
    std::fs::rename(&dir, parent.path().join("there")).expect("it can be moved");
    assert!(!host.call("quick_stats", &Object::new(), &caller).is_error);
}
