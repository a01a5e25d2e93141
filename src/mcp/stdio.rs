//! *How long does a conversation last?* Until the client closes its end; then running calls finish, their answers
//! leave, and the server returns.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rmcp::service::ServerInitializeError;
use rmcp::{ServerHandler, ServiceExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing_subscriber::EnvFilter;

use super::server::Server;
use super::surface::{ServeOptions, Surface};
use super::transport::Lines;
use crate::door::Host;
use crate::error::{Error, ErrorKind, Result};
use crate::event::quote;

/// Says what is logged.
const LOG_VARIABLE: &str = "ALLSOURCE_LOG";
/// Quiet: rmcp warns about every error that a client is answered with, which is no concern of the server's.
const LOG_DEFAULT: &str = "warn,rmcp=error";
/// How many calls run at once; more wait. Appends that wait together are synced together.
const CALLS_AT_ONCE_MAX: usize = 64;
/// How long calls that were cancelled may go on after the conversation ended: 5 s.
const CANCELLED_CALLS_WAIT: Duration = Duration::from_secs(5);

/// Serves one client over standard input and output until it closes its end.
///
/// Logs go to standard error: warnings and errors, or what the environment variable `ALLSOURCE_LOG` asks for, such as
/// `info` or `allsource=debug,rmcp=info`.
///
/// # Errors
/// `Invalid` when the options name a tool or set that does not exist or `ALLSOURCE_LOG` cannot be read,
/// `Unavailable` when the streams fail.
pub fn serve_stdio(host: Arc<Host>, options: &ServeOptions) -> Result<()> {
    log_to_stderr()?;
    let server = Server::new(host, Surface::new(options)?);
    // One thread is enough for the protocol, because every call gets a blocking thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(CALLS_AT_ONCE_MAX)
        .build()
        .map_err(|error| failed("start its threads").caused_by(error))?;
    let outcome = runtime.block_on(async {
        let (input, output) = rmcp::transport::stdio_pipes();
        converse(server, input, output).await
    });
    runtime.shutdown_timeout(CANCELLED_CALLS_WAIT);
    outcome
}

/// Speaks with one client from its first message to the end of its input.
async fn converse<H, R, W>(server: H, input: R, output: W) -> Result<()>
where
    H: ServerHandler,
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let lines = Lines::new(input, output);
    let handshake_done = lines.handshake_done();
    let conversation = match server.serve(lines).await {
        Ok(conversation) => conversation,
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(failed("greet the client").caused_by(error)),
    };
    handshake_done.store(true, Ordering::Release);
    conversation.waiting().await.map(drop).map_err(|error| failed("go on").caused_by(error))
}

/// Sends logs to standard error, unless the program around this crate has sent them elsewhere.
fn log_to_stderr() -> Result<()> {
    let wanted = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| LOG_DEFAULT.to_owned());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        let message = format!(
            "read {LOG_VARIABLE}: {} is no filter; give a level (error, warn, info, debug) or NAME=LEVEL,…",
            quote(&wanted)
        );
        Error::invalid("bad_log_filter", message).caused_by(error)
    })?;
    let logger = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    if logger.try_init().is_err() {
        tracing::debug!("logs go where they went before");
    }
    Ok(())
}

fn failed(to: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "mcp_failed", format!("serve MCP over stdio: it could not {to}"))
}

#[cfg(test)]
mod tests {
    use rmcp::RoleServer;
    use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData};
    use rmcp::service::RequestContext;
    use serde_json::{Value, json};
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines as TextLines, duplex};
    use tokio::sync::Semaphore;

    use super::*;

    /// Answers every call with its arguments; the tool `gated` waits until the test lets it go on.
    struct Echo(Arc<Semaphore>);

    impl ServerHandler for Echo {
        async fn call_tool(
            &self,
            request: CallToolRequestParams,
            _: RequestContext<RoleServer>,
        ) -> Result<CallToolResponse, ErrorData> {
            if request.name == "gated" {
                self.0.acquire().await.expect("an open gate").forget();
            }
            Ok(CallToolResult::structured(Value::Object(request.arguments.unwrap_or_default())).into())
        }
    }

    struct Talk {
        input: DuplexStream,
        output: TextLines<BufReader<DuplexStream>>,
        gate: Arc<Semaphore>,
        served: tokio::task::JoinHandle<Result<()>>,
    }

    impl Talk {
        fn start() -> Self {
            let (input, far_input) = duplex(1 << 16);
            let (far_output, output) = duplex(1 << 16);
            let gate = Arc::new(Semaphore::new(0));
            let served = tokio::spawn(converse(Echo(Arc::clone(&gate)), far_input, far_output));
            Self { input, output: BufReader::new(output).lines(), gate, served }
        }

        async fn greeted() -> Self {
            let mut talk = Self::start();
            talk.say(&request(0, "initialize", &initialize())).await;
            assert_eq!(talk.hear().await["result"]["protocolVersion"], "2025-06-18");
            talk
        }

        async fn say(&mut self, line: &str) {
            self.input.write_all(line.as_bytes()).await.expect("the server reads");
            self.input.write_all(b"\n").await.expect("the server reads");
        }

        async fn hear(&mut self) -> Value {
            let line = self.output.next_line().await.expect("a line").expect("more to hear");
            serde_json::from_str(&line).expect("JSON")
        }

        async fn ask(&mut self, line: &str) -> Value {
            self.say(line).await;
            self.hear().await
        }

        async fn end(self) {
            let Self { input, mut output, served, .. } = self;
            drop(input);
            assert_eq!(output.next_line().await.expect("the end"), None);
            served.await.expect("no panic").expect("a clean end");
        }
    }

    fn request(id: i64, method: &str, params: &Value) -> String {
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
    }

    fn initialize() -> Value {
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}})
    }

    fn call(id: i64, tool: &str, arguments: &Value) -> String {
        request(id, "tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(test);
    }

    #[test]
    fn a_line_of_five_megabytes_arrives_whole() {
        run(async {
            let mut talk = Talk::greeted().await;
            let text = "x".repeat(5_000_000);
            let (far, line) = (text.clone(), call(1, "echo", &json!({"text": text})));
            // The answer is read while the question is still being written: both are larger than the pipes.
            let Talk { mut input, mut output, gate, served } = talk;
            let writing = tokio::spawn(async move {
                input.write_all(format!("{line}\n").as_bytes()).await.expect("the server reads");
                input
            });
            let line = output.next_line().await.expect("a line").expect("an answer");
            let answer: Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(answer["result"]["structuredContent"]["text"], far);
            talk = Talk { input: writing.await.expect("written"), output, gate, served };
            talk.end().await;
        });
    }

    #[test]
    fn a_line_beyond_the_limit_is_refused_and_the_conversation_goes_on() {
        run(async {
            let mut talk = Talk::greeted().await;
            let answer = talk.ask(&"x".repeat(super::super::lines::LINE_BYTES_MAX + 1)).await;
            assert!(
                answer["error"]["message"].as_str().is_some_and(|m| m.contains("over 40 MiB")),
                "{answer}"
            );
            let named =
                format!("{{\"jsonrpc\":\"2.0\",\"id\":7,{}", "x".repeat(super::super::lines::LINE_BYTES_MAX));
            assert_eq!(talk.ask(&named).await["id"], 7);
            assert_eq!(talk.ask(&request(1, "ping", &json!({}))).await["id"], 1);
            talk.end().await;
        });
    }

    #[test]
    fn garbage_is_answered_when_it_has_an_id_and_ignored_when_it_has_none() {
        run(async {
            let mut talk = Talk::greeted().await;
            for garbage in ["not JSON", "", "5", "\u{feff}", "{\"id\":null,\"error\":{}}"] {
                talk.say(garbage).await;
            }
            for (garbage, code) in [("[1,2]", -32600), ("{", -32700), ("{\"method\":\"$/lsp\"}", -32600)] {
                let answer = talk.ask(garbage).await;
                assert_eq!((answer.get("id"), &answer["error"]["code"]), (Some(&Value::Null), &json!(code)));
            }
            let answer = talk.ask("{\"jsonrpc\":\"2.0\",\"id\":5}").await;
            assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(5), &json!(-32600)));
            let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
            let line =
                call(6, "echo", &json!({"deep": 0})).replace("\"deep\":0", &format!("\"deep\":{deep}"));
            let answer = talk.ask(&line).await;
            assert_eq!(answer["id"], 6);
            assert!(
                answer["error"]["message"].as_str().is_some_and(|m| m.contains("256 levels")),
                "{answer}"
            );
            talk.end().await;
        });
    }

    #[test]
    fn of_two_requests_with_one_id_the_second_is_refused() {
        run(async {
            let mut talk = Talk::greeted().await;
            talk.say(&call(1, "gated", &json!({}))).await;
            let refusal = talk.ask(&call(1, "gated", &json!({}))).await;
            assert!(refusal["error"]["message"].as_str().is_some_and(|m| m.contains("in use")), "{refusal}");
            talk.gate.add_permits(1);
            assert_eq!(talk.hear().await["result"]["isError"], false);
            assert_eq!(talk.ask(&request(1, "ping", &json!({}))).await["result"], json!({}));
            talk.end().await;
        });
    }

    #[test]
    fn no_more_is_read_while_many_requests_are_open() {
        run(async {
            let mut talk = Talk::greeted().await;
            let open_max = i64::try_from(super::super::open_requests::OPEN_MAX).expect("a small number");
            for id in 1..=open_max {
                talk.say(&call(id, "gated", &json!({}))).await;
            }
            // What a pipe holds and a buffer takes, and more: the rest cannot be sent before something is answered.
            let flood = format!("{}\n", "x".repeat(1 << 18));
            let mut input = talk.input;
            let writing = tokio::spawn(async move {
                input.write_all(flood.as_bytes()).await.expect("the server reads");
                input
            });
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(!writing.is_finished());
            talk.gate.add_permits(super::super::open_requests::OPEN_MAX);
            for _ in 1..=open_max {
                talk.output.next_line().await.expect("a line").expect("an answer");
            }
            talk.input = writing.await.expect("written");
            talk.end().await;
        });
    }

    #[test]
    fn long_numbers_come_back_as_they_went() {
        run(async {
            let mut talk = Talk::greeted().await;
            talk.say(&call(1, "echo", &json!({"n": 0})).replace("\"n\":0", "\"n\":12345678901234567890123"))
                .await;
            let line = talk.output.next_line().await.expect("a line").expect("an answer");
            assert!(line.contains(r#""structuredContent":{"n":12345678901234567890123}"#), "{line}");
            talk.end().await;
        });
    }

    #[test]
    fn what_comes_before_the_handshake_does_not_end_it() {
        run(async {
            let mut talk = Talk::start();
            talk.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}"#)
                .await;
            talk.say(r#"{"jsonrpc":"2.0","id":9,"result":{}}"#).await;
            assert_eq!(talk.ask(&request(1, "ping", &json!({}))).await["result"], json!({}));
            assert_eq!(talk.ask(&request(2, "tools/list", &json!({}))).await["error"]["code"], -32602);
            assert_eq!(talk.ask(&request(3, "initialize", &initialize())).await["id"], 3);
            talk.end().await;
        });
    }

    #[test]
    fn a_call_that_runs_when_the_input_ends_is_answered() {
        run(async {
            let mut talk = Talk::greeted().await;
            talk.say(&call(1, "gated", &json!({"n": 1}))).await;
            assert_eq!(talk.ask(&request(2, "ping", &json!({}))).await["id"], 2);
            let Talk { input, mut output, gate, served } = talk;
            drop(input);
            tokio::task::yield_now().await;
            gate.add_permits(1);
            let line = output.next_line().await.expect("a line").expect("the call's answer");
            assert!(line.contains(r#""id":1"#), "{line}");
            served.await.expect("no panic").expect("a clean end");
        });
    }

    #[test]
    fn a_cancelled_call_is_not_answered_and_holds_nobody_up() {
        run(async {
            let mut talk = Talk::greeted().await;
            talk.say(&call(1, "gated", &json!({}))).await;
            talk.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
                .await;
            assert_eq!(talk.ask(&request(2, "ping", &json!({}))).await["id"], 2);
            talk.gate.add_permits(1);
            talk.end().await;
        });
    }

    #[test]
    fn a_client_that_leaves_without_a_word_is_no_error() {
        run(async { Talk::start().end().await });
    }
}
