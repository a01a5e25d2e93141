//! A client that speaks plain lines of JSON to the real program, with nothing of ours in between.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

/// Only a hang gets here: no answer may take this long.
const ANSWER_WAIT: Duration = Duration::from_mins(1);
const STARTS: &str = "the program starts";

/// How the protocol versions up to 2025-11-25 begin, and those from 2026-07-28 on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// `initialize` agrees on a version once.
    Handshake,
    /// Every request names its version and its client.
    Stateless,
}

/// How a server ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// What it still said to its client.
    pub(crate) said: Vec<Value>,
    /// What it said to standard error from its start.
    pub(crate) log: String,
}

/// A running server and the conversation with it.
pub(crate) struct Client {
    server: Child,
    input: Option<Box<dyn Write + Send>>,
    lines: Receiver<String>,
    log: Option<JoinHandle<String>>,
    version: Option<&'static str>,
    /// What it says it can do.
    capabilities: Value,
    last_id: i64,
}

impl Client {
    /// Starts the server on `dir`, over pipes, and says nothing to it yet.
    pub(crate) fn start(dir: &Path, flags: &[&str]) -> Self {
        let mut server =
            command(dir, flags).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect(STARTS);
        let input = server.stdin.take().expect("a pipe");
        let output = server.stdout.take().expect("a pipe");
        Self::over(server, Box::new(input), output)
    }

    /// Starts the server like [`start`](Self::start), over sockets, as Node does.
    #[cfg(unix)]
    pub(crate) fn start_over_sockets(dir: &Path) -> Self {
        use std::os::fd::OwnedFd;
        use std::os::unix::net::UnixStream;

        let (input, far_input) = UnixStream::pair().expect("sockets");
        let (output, far_output) = UnixStream::pair().expect("sockets");
        let server = command(dir, &[])
            .stdin(OwnedFd::from(far_input))
            .stdout(OwnedFd::from(far_output))
            .spawn()
            .expect(STARTS);
        Self::over(server, Box::new(input), output)
    }

    fn over(mut server: Child, input: Box<dyn Write + Send>, output: impl Read + Send + 'static) -> Self {
        let mut errors = server.stderr.take().expect("a pipe");
        let log = thread::spawn(move || {
            let mut log = String::new();
            errors.read_to_string(&mut log).expect("the log is text");
            log
        });
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            server,
            input: Some(input),
            lines,
            log: Some(log),
            version: None,
            capabilities: json!({}),
            last_id: 0,
        }
    }

    /// Starts the server and begins the way that era does.
    pub(crate) fn open(dir: &Path, era: Era, flags: &[&str]) -> Self {
        Self::open_able(dir, era, flags, json!({}))
    }

    /// The same, by a client that can do more than it must.
    pub(crate) fn open_able(dir: &Path, era: Era, flags: &[&str], capabilities: Value) -> Self {
        let mut client = Self::start(dir, flags);
        client.capabilities = capabilities;
        match era {
            Era::Handshake => drop(client.initialize("2025-11-25")),
            Era::Stateless => client.version = Some("2026-07-28"),
        }
        client
    }

    /// Agrees on a version and gives the server's half of it.
    pub(crate) fn initialize(&mut self, version: &str) -> Value {
        let who = json!({"name": "test", "version": "1"});
        let params =
            json!({"protocolVersion": version, "capabilities": self.capabilities, "clientInfo": who});
        let answer = self.ask("initialize", params);
        self.send_line(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        answer["result"].clone()
    }

    /// From here on every request names this version.
    pub(crate) fn name_version(&mut self, version: &'static str) {
        self.version = Some(version);
    }

    /// Sends a request and gives its id.
    pub(crate) fn send(&mut self, method: &str, mut params: Value) -> i64 {
        self.last_id += 1;
        if let Some(version) = self.version {
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!(version);
            meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "test", "version": "1"});
            meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        }
        let id = self.last_id;
        self.send_line(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        id
    }

    /// Sends a line as it is.
    pub(crate) fn send_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("input is open");
        input.write_all(line.as_bytes()).and_then(|()| input.write_all(b"\n")).expect("the server reads");
    }

    /// The next line that the server says; it must be a message.
    pub(crate) fn next(&mut self) -> Value {
        let line = self.lines.recv_timeout(ANSWER_WAIT).expect("the server answers");
        serde_json::from_str(&line).expect("the server says only JSON")
    }

    /// Sends a request and gives the whole answer.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        let answer = self.next();
        assert_eq!(answer["id"], json!(id), "{answer}");
        answer
    }

    /// Calls a tool and gives the result, in which the text must mirror the object.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let mut params = json!({"name": tool});
        params["arguments"] = arguments;
        let answer = self.ask("tools/call", params);
        let result = answer["result"].clone();
        assert_eq!(result["content"][0]["text"], json!(result["structuredContent"].to_string()), "{answer}");
        result
    }

    /// Calls a tool that must succeed and gives its object.
    pub(crate) fn done(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], json!(false), "{result}");
        result["structuredContent"].clone()
    }

    /// Calls a tool that must fail and gives its error.
    pub(crate) fn refused(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], json!(true), "{result}");
        result["structuredContent"]["error"].clone()
    }

    /// Closes the server's input and waits for its end.
    pub(crate) fn close(mut self) -> Ended {
        drop(self.input.take());
        let said = self.lines.iter().map(|line| serde_json::from_str(&line).expect("JSON")).collect();
        let status = self.server.wait().expect("the server ends");
        let log = self.log.take().expect("read once").join().expect("the log is text");
        Ended { status, said, log }
    }
}

fn command(dir: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_allsource"));
    command.arg("mcp").arg("--data").arg(dir).args(flags).stderr(Stdio::piped());
    command
}

impl Drop for Client {
    fn drop(&mut self) {
        // A test that failed half-way leaves no server behind; one that ended is not hit.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
