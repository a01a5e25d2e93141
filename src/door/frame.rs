//! *What goes over the socket?* Frames of JSON, one after the other, in both directions:
//!
//! ```text
//!  0        4      5                5 + len
//!  +--------+------+----------------+
//!  | len    | what | body           |
//!  | u32 LE | u8   | JSON, len bytes|
//!  +--------+------+----------------+
//! what: 1 hello, 2 request, 3 answer, 4 working (no body)
//! ```
//!
//! Each side first sends a hello. Then the peer sends one request at a time, and the owner sends `working` while it
//! works, then the answer. The frame's head and the hello keep their shape in every version, so that two versions
//! can always tell each other apart.
//!
//! **Invariant:** neither side parses JSON deeper than a message may be, which is counted before it is parsed.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::call::{Kind, Outcome, Request, Said};
use crate::engine::{Caller, Limits, Writes};
use crate::error::{Error, ErrorKind, Result};
use crate::event::is_deeper_than;
use crate::event::limits::MESSAGE_DEPTH_MAX;
use crate::tools::{Answer, Image, Object};

/// The largest frame: 128 MiB, room for an append of 64 MiB with its names and JSON around it.
pub(super) const FRAME_BYTES_MAX: usize = 128 << 20;
/// What both sides must speak; raised when a request or an answer changes its shape.
pub(super) const PROTOCOL: u32 = 4;

const HEAD_BYTES: usize = 5;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Hello = 1,
    Request = 2,
    Answer = 3,
    Working = 4,
}

impl What {
    fn of(byte: u8) -> Option<Self> {
        [Self::Hello, Self::Request, Self::Answer, Self::Working].into_iter().find(|what| *what as u8 == byte)
    }
}

/// A frame ready to be written, in one piece so that it costs one system call.
#[derive(Debug)]
pub(super) struct Frame(Vec<u8>);

impl Frame {
    /// The frame that says: still at it.
    pub(super) fn working() -> Self {
        Self(vec![0, 0, 0, 0, What::Working as u8])
    }

    /// A frame with `body` as its JSON.
    ///
    /// # Errors
    /// `Exhausted` beyond [`FRAME_BYTES_MAX`].
    pub(super) fn new(what: What, body: &impl Serialize) -> Result<Self> {
        Self::within(FRAME_BYTES_MAX, what, body)
    }

    fn within(bytes_max: usize, what: What, body: &impl Serialize) -> Result<Self> {
        let mut bytes = vec![0, 0, 0, 0, what as u8];
        serde_json::to_writer(&mut bytes, body).map_err(|error| {
            Error::internal("write a call as JSON for the process that has the directory").caused_by(error)
        })?;
        let len = bytes.len() - HEAD_BYTES;
        let head = u32::try_from(len).ok().filter(|_| len <= bytes_max).ok_or_else(|| {
            let message = format!(
                "send {len} bytes between two processes: at most {bytes_max} go at once; ask for less at a time"
            );
            Error::new(ErrorKind::Exhausted, "frame_too_large", message)
                .with("bytes", len)
                .with("bytes_max", bytes_max)
        })?;
        for (byte, value) in bytes.iter_mut().zip(head.to_le_bytes()) {
            *byte = value;
        }
        Ok(Self(bytes))
    }

    pub(super) fn write_to(&self, mut writer: impl Write) -> io::Result<()> {
        writer.write_all(&self.0)
    }
}

/// Reads the next frame.
pub(super) fn read(mut reader: impl Read) -> io::Result<(What, Vec<u8>)> {
    let mut head = [0; HEAD_BYTES];
    reader.read_exact(&mut head)?;
    let [a, b, c, d, what] = head;
    let len = u32::from_le_bytes([a, b, c, d]);
    let strange = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let what = What::of(what).ok_or_else(|| strange(format!("a frame of the unknown sort {what}")))?;
    if len as usize > FRAME_BYTES_MAX {
        return Err(strange(format!("a frame of {len} bytes, at most {FRAME_BYTES_MAX} are taken")));
    }
    // Grows as bytes come, so that a head alone does not reserve 128 MiB.
    let mut body = Vec::new();
    reader.take(u64::from(len)).read_to_end(&mut body)?;
    if body.len() < len as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((what, body))
}

/// The first frame in either direction. Fields may be added; these never change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Hello {
    pub(super) protocol: u32,
    pub(super) version: String,
    pub(super) pid: u32,
    /// The data directory: two directories could share the hash in the socket's name.
    pub(super) dir: String,
    pub(super) warnings: Vec<String>,
    /// The owner may keep acknowledged appends in memory for this long, in milliseconds.
    pub(super) interval_ms: Option<u64>,
    /// Why the owner serves nobody on this connection.
    pub(super) refusal: Option<Said>,
}

impl Hello {
    pub(super) fn of_this_process(dir: String) -> Self {
        Self {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            dir,
            ..Self::default()
        }
    }

    /// Whether the two can work together: the same program on the same directory.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        (self.protocol, &self.version, &self.dir) == (other.protocol, &other.version, &other.dir)
    }
}

/// What a request looks like: `{kind, name, arguments, writes, client, client_version, confirmed, audited,
/// limits, import_root}`.
///
/// What the caller may change, and what a person agreed to, says the process that sends it: both processes are of one user,
/// and either could open the directory itself.
#[derive(Deserialize)]
struct RequestBody<'a> {
    kind: &'a str,
    name: String,
    #[serde(borrow)]
    arguments: &'a RawValue,
    writes: &'a str,
    client: Option<String>,
    client_version: Option<String>,
    confirmed: Option<String>,
    #[serde(default)]
    audited: bool,
    #[serde(default)]
    limits: Limits,
    import_root: Option<PathBuf>,
}

pub(super) fn request(request: &Request<'_>) -> Result<Frame> {
    #[derive(Serialize)]
    struct Body<'a> {
        kind: &'a str,
        name: &'a str,
        arguments: &'a Object,
        writes: &'a str,
        client: Option<&'a str>,
        client_version: Option<&'a str>,
        confirmed: Option<&'a str>,
        audited: bool,
        limits: Limits,
        import_root: Option<&'a Path>,
    }
    let Request { kind, name, arguments, caller } = *request;
    let kind = match kind {
        Kind::Tool => "tool",
        Kind::Operation => "operation",
    };
    let writes = match caller.writes {
        Writes::None => "none",
        Writes::Forks => "forks",
        Writes::All => "all",
    };
    let (client, client_version) = (caller.client.as_deref(), caller.client_version.as_deref());
    let confirmed = caller.confirmed.as_deref();
    let (audited, limits, import_root) = (caller.audited, caller.limits, caller.import_root.as_deref());
    let body = Body {
        kind,
        name,
        arguments,
        writes,
        client,
        client_version,
        confirmed,
        audited,
        limits,
        import_root,
    };
    Frame::new(What::Request, &body)
}

/// A request as the owner received it.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// As deep as a message may be, like the arguments of a call in this process.
    pub(super) arguments: Result<Object, serde_json::Error>,
    pub(super) caller: Caller,
}

pub(super) fn parse_request(body: &[u8]) -> Result<Received, serde_json::Error> {
    let body: RequestBody<'_> = serde_json::from_slice(body)?;
    let kind = if body.kind == "operation" { Kind::Operation } else { Kind::Tool };
    let writes = match body.writes {
        "all" => Writes::All,
        "forks" => Writes::Forks,
        _ => Writes::None,
    };
    let RequestBody { client, client_version, confirmed, audited, limits, import_root, .. } = body;
    let (cancel, progress) = Default::default();
    let caller =
        Caller { writes, client, client_version, confirmed, import_root, limits, audited, cancel, progress };
    Ok(Received { kind, name: body.name, arguments: deep_object(body.arguments.get()), caller })
}

/// What an answer looks like: `{body, is_error, image}` of a tool, `{body}` or `{error}` of an operation.
#[derive(Serialize, Deserialize)]
struct AnswerBody<B, I> {
    body: Option<B>,
    #[serde(default)]
    is_error: bool,
    image: Option<I>,
    error: Option<Said>,
}

/// The frame of an outcome; one that is too large becomes the error that says so.
pub(super) fn answer(kind: Kind, outcome: &Outcome) -> Result<Frame> {
    answer_within(FRAME_BYTES_MAX, kind, outcome)
}

fn answer_within(bytes_max: usize, kind: Kind, outcome: &Outcome) -> Result<Frame> {
    let frame = |outcome: &Outcome| {
        let (body, is_error, error) = match outcome {
            Outcome::Tool(answer) => (Some(&answer.body), answer.is_error, None),
            Outcome::Operation(Ok(body)) => (Some(body), false, None),
            Outcome::Operation(Err(error)) => (None, true, Some(Said::of(error))),
        };
        let image = match outcome {
            Outcome::Tool(answer) => answer.image.as_ref(),
            Outcome::Operation(_) => None,
        };
        Frame::within(bytes_max, What::Answer, &AnswerBody { body, is_error, image, error })
    };
    match frame(outcome) {
        Err(error) if error.kind() == ErrorKind::Exhausted => frame(&Outcome::refused(kind, error)),
        framed => framed,
    }
}

pub(super) fn parse_answer(kind: Kind, body: &[u8]) -> Result<Outcome, serde_json::Error> {
    let AnswerBody::<&RawValue, Box<Image>> { body, is_error, image, error } = serde_json::from_slice(body)?;
    let body = body.map(|raw| deep_object(raw.get())).transpose()?.unwrap_or_default();
    Ok(match (kind, error) {
        (Kind::Operation, Some(error)) => Outcome::Operation(Err(error.again())),
        (Kind::Operation, None) => Outcome::Operation(Ok(body)),
        (Kind::Tool, _) => Outcome::Tool(Answer { body, is_error, image }),
    })
}

/// Calls and answers wrap payloads that are as deep as `serde_json` parses by default, so they are some levels deeper.
fn deep_object(json: &str) -> Result<Object, serde_json::Error> {
    if is_deeper_than(json.as_bytes(), MESSAGE_DEPTH_MAX) {
        let message = format!("it is nested more than {MESSAGE_DEPTH_MAX} levels deep");
        return Err(serde::de::Error::custom(message));
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.disable_recursion_limit();
    match Value::deserialize(&mut deserializer)? {
        Value::Object(object) => Ok(object),
        _ => Err(serde::de::Error::custom("what is passed on is no object")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body_of(frame: &Frame, expected: What) -> Vec<u8> {
        let (what, body) = read(&*frame.0).unwrap();
        assert_eq!(what, expected);
        body
    }

    fn object(json: &str) -> Object {
        serde_json::from_str(json).unwrap()
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, _| json!({ "in": inner }))
    }

    #[test]
    fn a_request_arrives_as_it_was_sent() {
        let arguments = object(r#"{"z": 12345678901234567890123, "a": [1.50, null], "ü": "\u0000\"\\"}"#);
        let caller = Caller {
            writes: Writes::Forks,
            client: Some("c".to_owned()),
            confirmed: Some("d".to_owned()),
            audited: true,
            limits: Limits { rows: Some(7), ..Limits::default() },
            ..Caller::default()
        };
        let sent = Request { kind: Kind::Operation, name: "n", arguments: &arguments, caller: &caller };
        let received = parse_request(&body_of(&request(&sent).unwrap(), What::Request)).unwrap();
        assert_eq!(
            (received.kind, &*received.name, received.arguments.unwrap()),
            (Kind::Operation, "n", arguments)
        );
        assert_eq!((received.caller.writes, received.caller.client), (Writes::Forks, Some("c".to_owned())));
        assert_eq!((received.caller.confirmed.as_deref(), received.caller.audited), (Some("d"), true));
        assert_eq!(received.caller.limits, caller.limits);
    }

    #[test]
    fn what_wraps_the_deepest_payload_passes_and_no_more() {
        let too_deep = Object::from_iter([("deep".to_owned(), nested(300))]);
        let sent = Request { kind: Kind::Tool, name: "n", arguments: &too_deep, caller: &Caller::default() };
        let received = parse_request(&body_of(&request(&sent).unwrap(), What::Request)).unwrap();
        assert!(received.arguments.is_err());
        let arguments = Object::from_iter([("deep".to_owned(), nested(140))]);
        let sent = Request { kind: Kind::Tool, name: "n", arguments: &arguments, caller: &Caller::default() };
        let received = parse_request(&body_of(&request(&sent).unwrap(), What::Request)).unwrap();
        assert_eq!(received.arguments.unwrap(), arguments);
        let image =
            Box::new(Image { mime_type: "image/svg+xml".to_owned(), text: "<svg>\"</svg>".to_owned() });
        let outcome =
            Outcome::Tool(Answer { body: arguments.clone(), is_error: false, image: Some(image.clone()) });
        let body = body_of(&answer(Kind::Tool, &outcome).unwrap(), What::Answer);
        let Outcome::Tool(answer) = parse_answer(Kind::Tool, &body).unwrap() else {
            panic!("not a tool's answer")
        };
        assert_eq!((answer.body, answer.image), (arguments, Some(image)));
    }

    #[test]
    fn an_error_keeps_its_kind_code_message_and_details() {
        let error = Error::new(ErrorKind::Conflict, "version_conflict", "append: too late")
            .with("current_version", 7);
        let frame = answer(Kind::Operation, &Outcome::Operation(Err(error))).unwrap();
        let outcome = parse_answer(Kind::Operation, &body_of(&frame, What::Answer)).unwrap();
        let Outcome::Operation(Err(error)) = outcome else { panic!("not an error") };
        assert_eq!(
            (error.kind(), error.code(), error.message()),
            (ErrorKind::Conflict, "version_conflict", "append: too late")
        );
        assert_eq!(error.details()["current_version"], 7);
    }

    #[test]
    fn an_answer_that_is_too_large_becomes_an_error_that_says_so() {
        let body = Object::from_iter([("text".to_owned(), "x".repeat(1_000).into())]);
        let frame = answer_within(1_000, Kind::Operation, &Outcome::Operation(Ok(body))).unwrap();
        let outcome = parse_answer(Kind::Operation, &body_of(&frame, What::Answer)).unwrap();
        let Outcome::Operation(Err(error)) = outcome else { panic!("not an error") };
        assert_eq!((error.kind(), error.code()), (ErrorKind::Exhausted, "frame_too_large"));
    }

    #[test]
    fn a_frame_that_is_cut_unknown_or_too_large_is_an_error() {
        fn check(bytes: &[u8], expected: io::ErrorKind) {
            assert_eq!(read(bytes).unwrap_err().kind(), expected, "{bytes:?}");
        }
        check(&[], io::ErrorKind::UnexpectedEof);
        check(&[2, 0, 0, 0, 1, b'{'], io::ErrorKind::UnexpectedEof);
        check(&[0, 0, 0, 0, 9], io::ErrorKind::InvalidData);
        check(&[0xff, 0xff, 0xff, 0xff, 1], io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_hello_of_another_shape_still_names_its_version() {
        let hello: Hello =
            serde_json::from_value(json!({ "protocol": 9, "version": "9.0.0", "new": [1] })).unwrap();
        assert_eq!((hello.protocol, &*hello.version), (9, "9.0.0"));
        assert!(!hello.agrees_with(&Hello::of_this_process(String::new())));
    }
}
