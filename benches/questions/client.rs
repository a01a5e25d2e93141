//! A client of the real program: lines of JSON over pipes, one call after the other.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A running server and the conversation with it.
pub struct Client {
    server: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last_id: u64,
}

/// What a tool answered, and how long that took.
pub struct Answered {
    /// Its `structuredContent`.
    pub body: Value,
    /// From before the request was written until the whole answer was read, without reading JSON.
    pub took: Duration,
}

impl Client {
    /// Starts the server on a store, with every tool, and agrees on a version.
    pub fn start(program: &Path, dir: &Path) -> Self {
        let mut command = Command::new(program);
        command
            .arg("mcp")
            .arg("--data")
            .arg(dir)
            .args(["--toolsets", "explore,search,sql,write,forks,schema"]);
        let mut server =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
        let input = server.stdin.take();
        let output = BufReader::new(server.stdout.take().expect("a pipe"));
        let mut client = Self { server, input, output, last_id: 0 };
        let who = json!({"name": "questions", "version": "1"});
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": who});
        client.ask("initialize", &hello);
        client.write("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
        client
    }

    /// Calls a tool; an error of the tool is an answer, one of the protocol is not.
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Answered {
        let (line, time) = self.ask("tools/call", &json!({"name": tool, "arguments": arguments}));
        let mut answer: Value = serde_json::from_str(&line).expect("an answer in JSON");
        assert_eq!(answer["id"], json!(self.last_id), "{answer}");
        let body = answer["result"]["structuredContent"].take();
        assert!(body.is_object(), "{tool} {arguments}: {line}");
        Answered { body, took: time }
    }

    fn ask(&mut self, method: &str, params: &Value) -> (String, Duration) {
        self.last_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        let request = format!("{request}\n");
        let mut line = String::new();
        let began = Instant::now();
        self.write(&request);
        self.output.read_line(&mut line).expect("the server answers");
        (line, began.elapsed())
    }

    fn write(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input is open");
        input.write_all(line.as_bytes()).and_then(|()| input.flush()).expect("the server reads");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // At the end of its input the server ends.
        drop(self.input.take());
        let _ = self.server.wait();
    }
}
