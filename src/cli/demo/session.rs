//! A client of our own server: JSON-RPC lines to a child process, as any agent sends them.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::tools::Object;

/// What a tool answered, and what it took.
pub(super) struct Reply {
    pub(super) body: Object,
    pub(super) is_error: bool,
    pub(super) time: Duration,
}

/// A running server and the two pipes to it.
pub(super) struct Session {
    server: Child,
    /// `None` once the client has said all it has to say.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    clock: Arc<dyn Clock>,
    sent: u64,
}

impl Session {
    /// Starts this very program as a server on `dir` and greets it; gives the server's name with its version.
    pub(super) fn start(dir: &Path, clock: Arc<dyn Clock>) -> Result<(Self, String)> {
        let program =
            std::env::current_exe().map_err(|error| broken("find this program").caused_by(error))?;
        let mut server = Command::new(program)
            .arg("mcp")
            .arg("--data")
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| broken("start the server").caused_by(error))?;
        let (Some(input), Some(output)) = (server.stdin.take(), server.stdout.take()) else {
            return Err(broken("reach the server"));
        };
        let mut session = Self { server, input: Some(input), output: BufReader::new(output), clock, sent: 0 };
        let client = json!({"name": "allsource-demo", "version": env!("CARGO_PKG_VERSION")});
        let greeting = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
        let welcome = session.request("initialize", &greeting)?;
        session.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        let told = |name: &str| welcome.pointer(name).and_then(Value::as_str).unwrap_or("?");
        let name = format!("{} {}", told("/serverInfo/name"), told("/serverInfo/version"));
        Ok((session, name))
    }

    /// The tools that the server lists, and the size of that list in bytes.
    pub(super) fn tools(&mut self) -> Result<(Vec<String>, usize)> {
        let listed = self.request("tools/list", &json!({}))?;
        let tools = listed.get("tools").and_then(Value::as_array);
        let names =
            tools.into_iter().flatten().filter_map(|tool| Some(tool.get("name")?.as_str()?.to_owned()));
        Ok((names.collect(), listed.to_string().len()))
    }

    /// Calls a tool.
    pub(super) fn call(&mut self, tool: &str, arguments: &Value) -> Result<Reply> {
        let began = self.clock.elapsed();
        let mut result = self.request("tools/call", &json!({"name": tool, "arguments": arguments}))?;
        let time = self.clock.elapsed().saturating_sub(began);
        let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
        match result.get_mut("structuredContent").map(Value::take) {
            Some(Value::Object(body)) => Ok(Reply { body, is_error, time }),
            _ => Err(broken("understand the server: an answer has no structuredContent")),
        }
    }

    /// Closes the server's input and waits until it has ended.
    pub(super) fn end(mut self) -> Result<()> {
        self.input = None;
        let status = self.server.wait().map_err(|error| broken("wait for the server").caused_by(error))?;
        if status.success() { Ok(()) } else { Err(broken(&format!("end the server: it left with {status}"))) }
    }

    fn request(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.sent += 1;
        let id = self.sent;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        loop {
            let mut line = String::new();
            let read = self
                .output
                .read_line(&mut line)
                .map_err(|error| broken("read an answer").caused_by(error))?;
            if read == 0 {
                return Err(broken(&format!("get an answer to {method}: the server has ended")));
            }
            let mut message: Value =
                serde_json::from_str(&line).map_err(|error| broken("read an answer").caused_by(error))?;
            if message.get("id").and_then(Value::as_u64) != Some(id) {
                continue;
            }
            if let Some(error) = message.get("error") {
                return Err(broken(&format!("{method}: the server says {error}")));
            }
            return Ok(message.get_mut("result").map(Value::take).unwrap_or_default());
        }
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        let Some(input) = &mut self.input else { return Err(broken("send: the session has ended")) };
        writeln!(input, "{message}").map_err(|error| broken("send a request").caused_by(error))
    }
}

impl Drop for Session {
    /// A demo that stops early takes its server with it.
    fn drop(&mut self) {
        self.input = None;
        let _ = self.server.wait();
    }
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "demo_failed", format!("play the session: cannot {what}"))
}
