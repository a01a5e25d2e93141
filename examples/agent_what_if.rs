//! An agent's what-if over MCP: ask what an append would do, let the world move on, meet the conflict, decide again.
//!
//! Starts the server as an MCP client would and speaks JSON-RPC lines with it.
//!
//! ```text
//! cargo build && cargo run --example agent_what_if -- target/debug/allsource
//! ```

use std::error::Error;
use std::io::{BufRead, BufReader, Write, stdout};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

type Done<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Done {
    let program = std::env::args().nth(1).unwrap_or_else(|| "target/debug/allsource".to_owned());
    let dir = tempfile::tempdir()?;
    let mut agent = Agent::start(&program, dir.path())?;

    agent.call(
        "append_events",
        &json!({"branch": "main", "events": [
            {"entity_id": "account-1", "event_type": "account.opened", "payload": {"balance": 100}},
            {"entity_id": "account-1", "event_type": "money.deposited", "payload": {"balance": 180}},
        ]}),
    )?;

    // What if 150 were withdrawn now? A dry run checks everything and writes nothing.
    let withdraw = |version: u64, dry_run: bool| {
        json!({
            "branch": "main",
            "events": [{"entity_id": "account-1", "event_type": "money.withdrawn", "payload": {"balance": 30}}],
            "expected_versions": {"account-1": version},
            "dry_run": dry_run,
        })
    };
    agent.call("append_events", &withdraw(2, true))?;

    // Somebody else is faster.
    agent.call(
        "append_events",
        &json!({"branch": "main", "events": [
            {"entity_id": "account-1", "event_type": "money.withdrawn", "payload": {"balance": 80}},
        ]}),
    )?;

    // The same append for real is refused; the answer says where the account stands, and the state decides.
    let refused = agent.call("append_events", &withdraw(2, false))?;
    let current = refused.pointer("/error/current_version").and_then(Value::as_u64).ok_or("a conflict")?;
    let state = agent.call("get_entity_state", &json!({"entity_id": "account-1", "compare_version": 2}))?;
    let balance = state.pointer("/state/balance").and_then(Value::as_i64).ok_or("a balance")?;
    if balance < 150 {
        agent.call(
            "append_events",
            &json!({
                "branch": "main",
                "events": [{
                    "entity_id": "account-1",
                    "event_type": "withdrawal.refused",
                    "payload": {"asked": 150},
                }],
                "expected_versions": {"account-1": current},
            }),
        )?;
    }
    agent.stop()
}

struct Agent {
    server: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    last_id: u64,
}

impl Agent {
    fn start(program: &str, dir: &std::path::Path) -> Done<Self> {
        let mut server = Command::new(program)
            .arg("mcp")
            .arg("--data")
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!("failed to start {program}: {error}; build it with `cargo build` first")
            })?;
        let to = server.stdin.take().ok_or("the server has a standard input")?;
        let from = BufReader::new(server.stdout.take().ok_or("the server has a standard output")?);
        let mut agent = Self { server, to, from, last_id: 0 };
        let client = json!({"name": "what-if", "version": "1"});
        agent.request(
            "initialize",
            &json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}),
        )?;
        agent.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(agent)
    }

    /// Calls a tool and shows both sides; a refusal is an answer like any other.
    fn call(&mut self, tool: &str, arguments: &Value) -> Done<Value> {
        writeln!(stdout(), "→ {tool} {arguments}")?;
        let mut result = self.request("tools/call", &json!({"name": tool, "arguments": arguments}))?;
        let answer = result.get_mut("structuredContent").map(Value::take).ok_or("structured content")?;
        writeln!(stdout(), "← {answer}\n")?;
        Ok(answer)
    }

    fn request(&mut self, method: &str, params: &Value) -> Done<Value> {
        self.last_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}))?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        let mut message: Value = serde_json::from_str(&line)?;
        Ok(message.get_mut("result").map(Value::take).ok_or(line)?)
    }

    fn send(&mut self, message: &Value) -> Done {
        writeln!(self.to, "{message}")?;
        Ok(self.to.flush()?)
    }

    fn stop(self) -> Done {
        let Self { mut server, to, .. } = self;
        drop(to);
        server.wait()?;
        Ok(())
    }
}
