//! *Which messages reach the protocol machine, and when is the conversation over?*
//!
//! Useful for: an answer to whatever carries an id, however misshapen it is; a stray notification before the
//! handshake; a client that closes its end while calls are running. Not for: what a message means.
//!
//! **Invariant:** the end of input is passed on when every admitted request was answered or cancelled, not before.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ErrorData, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

use super::lines::{LINE_BYTES_MAX, Line, LineReader};

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
        match serde_json::from_slice(line) {
            Ok(message) => self.is_timely(&message).then_some(message),
            Err(error) => {
                self.refuse(line, &error);
                None
            }
        }
    }

    /// Whether the message may go on. Until the era is known only requests may: anything else would end the
    /// conversation, though it is merely early, such as a notification about an abandoned probe.
    fn is_timely(&self, message: &ClientJsonRpcMessage) -> bool {
        match message {
            JsonRpcMessage::Request(request) => {
                self.open_requests.add(request.id.clone());
                true
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

    /// Answers a line that is no message, when it has an id that somebody waits for. What is not JSON at all is left
    /// alone: a peer that echoes would make a storm of it.
    fn refuse(&mut self, line: &[u8], error: &serde_json::Error) {
        #[derive(Deserialize)]
        struct Envelope {
            #[serde(default)]
            id: Value,
        }
        // Skipping the other fields takes no recursion, so this also reads what is nested too deeply.
        match serde_json::from_slice::<Envelope>(line) {
            Ok(Envelope { id }) if !id.is_null() => {
                let id = serde_json::from_value(id).ok();
                self.answer(id, format!("the line is no request of this protocol: {error}"));
            }
            _ => tracing::warn!(%error, "ignored a line that is no message"),
        }
    }

    /// Sends an error on a task of its own, so that dropping a read half-way cannot cut a line in two.
    fn answer(&mut self, id: Option<RequestId>, message: String) {
        tracing::warn!("{message}");
        if let Some(id) = &id {
            self.open_requests.add(id.clone());
        }
        let error = ErrorData::invalid_request(message, None);
        let sending = self.send(ServerJsonRpcMessage::error(error, id));
        tokio::spawn(async move {
            if let Err(error) = sending.await {
                tracing::debug!(%error, "failed to send a refusal");
            }
        });
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
        let (output, open_requests) = (Arc::clone(&self.output), Arc::clone(&self.open_requests));
        async move {
            let answered = match &message {
                JsonRpcMessage::Response(response) => Some(response.id.clone()),
                JsonRpcMessage::Error(error) => error.id.clone(),
                JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
            };
            let sent = write_line(&output, &message).await;
            if let Some(id) = answered {
                open_requests.remove(&id);
            }
            sent
        }
    }

    /// The next message; safe to drop at any await, as its caller does whenever it has something to send.
    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        while !self.input_ended {
            match self.input.next().await {
                Ok(Line::Whole(line)) => {
                    if let Some(message) = self.admit(&line) {
                        return Some(message);
                    }
                }
                Ok(Line::TooLong) => {
                    let mib = LINE_BYTES_MAX >> 20;
                    self.answer(
                        None,
                        format!("a line is over {mib} MiB and was dropped; send less per call"),
                    );
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

async fn write_line<W: AsyncWrite + Unpin>(
    output: &tokio::sync::Mutex<Option<W>>,
    message: &ServerJsonRpcMessage,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut output = output.lock().await;
    let Some(output) = output.as_mut() else {
        return Err(io::Error::new(io::ErrorKind::NotConnected, "the transport is closed"));
    };
    output.write_all(&line).await?;
    output.flush().await
}

/// The requests that were read and not yet answered.
#[derive(Default)]
struct OpenRequests {
    ids: Mutex<HashSet<RequestId>>,
    fewer: Notify,
}

impl OpenRequests {
    fn add(&self, id: RequestId) {
        self.ids.lock().insert(id);
    }

    fn remove(&self, id: &RequestId) {
        self.ids.lock().remove(id);
        self.fewer.notify_waiters();
    }

    async fn none_left(&self) {
        loop {
            let fewer = self.fewer.notified();
            tokio::pin!(fewer);
            // Ordering: listens before it looks, so that the last answer cannot slip in between.
            fewer.as_mut().enable();
            if self.ids.lock().is_empty() {
                return;
            }
            fewer.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::{ClientRequest, NumberOrString, RequestMetaObject};

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
        assert_eq!(lines.open_requests.ids.lock().len(), 1);
        lines.admit(br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#);
        assert!(lines.open_requests.ids.lock().is_empty());
    }
}
