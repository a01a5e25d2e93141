//! *Which messages reach the protocol machine, and when is the conversation over?*
//!
//! Useful for: an answer to whatever carries an id, however misshapen it is; a stray notification before the
//! handshake; a client that closes its end while calls are running. Not for: what a message means.
//!
//! **Invariant:** the end of input is passed on when every admitted request was answered or cancelled, not before.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorData, JsonRpcMessage, RequestId,
    ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::envelope::{self, Refused};
use super::lines::{LINE_BYTES_MAX, Line, LineReader};
use super::open_requests::OpenRequests;

/// How long the end of input waits for the next answer to leave: 30 s. Past that, a call or the client hangs.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Lines of JSON-RPC over a pair of streams.
pub(crate) struct Lines<R, W> {
    input: LineReader<R>,
    output: Arc<tokio::sync::Mutex<Option<W>>>,
    open_requests: Arc<OpenRequests>,
    handshake_done: Arc<AtomicBool>,
    input_ended: bool,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub(crate) fn new(input: R, output: W) -> Self {
        Self {
            input: LineReader::new(input, LINE_BYTES_MAX),
            output: Arc::new(tokio::sync::Mutex::new(Some(output))),
            open_requests: Arc::default(),
            handshake_done: Arc::default(),
            input_ended: false,
        }
    }

    /// The flag to raise when the client's era is known.
    pub(crate) fn handshake_done(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.handshake_done)
    }

    /// The message in a line, when there is one that may go on.
    fn admit(&mut self, line: &[u8]) -> Option<ClientJsonRpcMessage> {
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii();
        if line.is_empty() {
            return None;
        }
        match envelope::open(line) {
            Ok(message) => self.is_timely(&message, line.len()).then_some(message),
            Err(Refused::Answer(id, error)) => {
                self.refuse(id, *error);
                None
            }
            Err(Refused::Silent(reason)) => {
                tracing::warn!(reason, "ignored a line that is no message");
                None
            }
        }
    }

    /// Whether the message may go on. Until the era is known only requests may: anything else would end the
    /// conversation, though it is merely early, such as a notification about an abandoned probe.
    fn is_timely(&mut self, message: &ClientJsonRpcMessage, bytes: usize) -> bool {
        match message {
            // It is open until the client cancels it: no answer is waited for, and it takes nobody's place.
            JsonRpcMessage::Request(request)
                if matches!(request.request, ClientRequest::SubscriptionsListenRequest(_)) =>
            {
                true
            }
            JsonRpcMessage::Request(request) => {
                let is_new = self.open_requests.add(&request.id, bytes);
                if !is_new {
                    let reason = "the id is in use: a request with it is not answered yet; take another";
                    self.refuse(Some(request.id.clone()), ErrorData::invalid_request(reason, None));
                }
                is_new
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.open_requests.remove(id);
                }
                self.handshake_done.load(Ordering::Acquire)
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {
                self.handshake_done.load(Ordering::Acquire)
            }
        }
    }

    /// Sends an error on a task of its own, so that dropping a read half-way cannot cut a line in two.
    fn refuse(&self, id: Option<RequestId>, error: ErrorData) {
        tracing::warn!("{}", error.message);
        let writing = self.writing(ServerJsonRpcMessage::error(error, id));
        tokio::spawn(async move {
            if let Err(error) = writing.await {
                tracing::debug!(%error, "failed to send a refusal");
            }
        });
    }

    /// Writes a message, which counts as waiting from now on until it is written.
    fn writing(
        &self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let output = Arc::clone(&self.output);
        let line = line_of(message);
        let waiting = Waiting::new(&self.open_requests, line.as_ref().map_or(0, Vec::len));
        async move {
            let _waiting = waiting;
            write_line(&output, &line?).await
        }
    }
}

/// An answer on its way out; dropped when it has left or never will.
struct Waiting {
    open_requests: Arc<OpenRequests>,
    bytes: usize,
}

impl Waiting {
    fn new(open_requests: &Arc<OpenRequests>, bytes: usize) -> Self {
        open_requests.answer_waits(bytes);
        Self { open_requests: Arc::clone(open_requests), bytes }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.open_requests.answer_left(self.bytes);
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let answered = match &message {
            JsonRpcMessage::Response(response) => Some(response.id.clone()),
            JsonRpcMessage::Error(error) => error.id.clone(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
        };
        let writing = self.writing(message);
        // Its id is free once the answer is on its way: the client may see it and use the id again before we go on.
        if let Some(id) = answered {
            self.open_requests.remove(&id);
        }
        writing
    }

    /// The next message; safe to drop at any await, as its caller does whenever it has something to send.
    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        while !self.input_ended {
            self.open_requests.room().await;
            match self.input.next().await {
                Ok(Line::Whole(line)) => {
                    if let Some(message) = self.admit(&line) {
                        return Some(message);
                    }
                }
                Ok(Line::TooLong(beginning)) => {
                    let mib = LINE_BYTES_MAX >> 20;
                    let reason = format!("a line is over {mib} MiB and was dropped; send less per call");
                    self.refuse(envelope::id_in(&beginning), ErrorData::invalid_request(reason, None));
                }
                Ok(Line::End) => self.input_ended = true,
                Err(error) => {
                    tracing::error!(%error, "failed to read standard input");
                    self.input_ended = true;
                }
            }
        }
        if tokio::time::timeout(ANSWER_WAIT, self.open_requests.none_left()).await.is_err() {
            tracing::error!("gave up waiting for calls to finish after the input ended");
        }
        None
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        drop(self.output.lock().await.take());
        Ok(())
    }
}

/// The message as a line. An error whose request has no id that can be read says so: JSON-RPC wants `null` there.
fn line_of(message: ServerJsonRpcMessage) -> io::Result<Vec<u8>> {
    let mut line = match message {
        JsonRpcMessage::Error(error) if error.id.is_none() => {
            serde_json::to_vec(&json!({"jsonrpc": "2.0", "id": null, "error": error.error}))?
        }
        message => serde_json::to_vec(&message)?,
    };
    line.push(b'\n');
    Ok(line)
}

async fn write_line<W: AsyncWrite + Unpin>(
    output: &tokio::sync::Mutex<Option<W>>,
    line: &[u8],
) -> io::Result<()> {
    let mut output = output.lock().await;
    let Some(output) = output.as_mut() else {
        return Err(io::Error::new(io::ErrorKind::NotConnected, "the transport is closed"));
    };
    output.write_all(line).await?;
    output.flush().await
}

#[cfg(test)]
mod tests {
    use rmcp::model::{NumberOrString, RequestMetaObject};

    use serde_json::Value;

    use super::*;

    fn parse(line: &str) -> ClientJsonRpcMessage {
        serde_json::from_str(line).expect("a message")
    }

    /// `arbitrary_precision` makes serde hand on buffered numbers as maps, which untagged enums used to refuse.
    #[test]
    fn numbers_pass_through_the_envelope_unchanged() {
        let line = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t","_meta":{"progressToken":8},
            "arguments":{"n":12345678901234567890123,"f":0.10000000000000000000000001,"e":1e400,"i":-3}}}"#;
        let JsonRpcMessage::Request(request) = parse(line) else { panic!("not a request") };
        assert_eq!(request.id, NumberOrString::Number(7));
        let ClientRequest::CallToolRequest(call) = request.request else { panic!("not a call") };
        let arguments = Value::from(call.params.arguments.expect("arguments")).to_string();
        assert_eq!(
            arguments,
            r#"{"n":12345678901234567890123,"f":0.10000000000000000000000001,"e":1e+400,"i":-3}"#
        );
        let token =
            call.extensions.get::<RequestMetaObject>().and_then(RequestMetaObject::get_progress_token);
        assert_eq!(token.map(|token| token.0), Some(NumberOrString::Number(8)));
    }

    #[test]
    fn a_cancelled_request_is_no_longer_waited_for() {
        let mut lines = Lines::new(tokio::io::empty(), tokio::io::sink());
        lines.admit(br#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#).expect("a request");
        assert_eq!(lines.open_requests.count(), 1);
        lines.admit(br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#);
        assert_eq!(lines.open_requests.count(), 0);
    }
}
