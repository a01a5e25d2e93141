//! *Is a line a message?* Looks at the envelope (`jsonrpc`, `id`, `method`) before the protocol's types see the line.
//!
//! **Invariant:** what is refused carries the id of the line only where that id is one: a text or a whole number.

use rmcp::model::{ClientJsonRpcMessage, ErrorCode, ErrorData, RequestId};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::is_deeper_than;
use crate::event::limits::MESSAGE_DEPTH_MAX;

/// The longest id: 1,024 bytes. It is kept while the request runs and comes back with the answer.
const ID_BYTES_MAX: usize = 1_024;
const VERSION: &str = "\"2.0\"";

/// Why a line goes no further.
#[derive(Debug)]
pub(super) enum Refused {
    /// The client is told.
    Answer(Option<RequestId>, Box<ErrorData>),
    /// Nobody waits for an answer: it is logged.
    Silent(String),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// A member that is there, `null` included.
fn given<'de: 'a, 'a, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// The message in a line that is neither empty nor surrounded by spaces.
pub(super) fn open(line: &[u8]) -> Result<ClientJsonRpcMessage, Refused> {
    match line.first() {
        Some(b'{') => {}
        Some(b'[') => return Err(batch(line)),
        _ => return Err(Refused::Silent("the line is no JSON object".to_owned())),
    }
    // Skipping the other members takes no recursion, so this also reads what is nested too deeply.
    let Envelope { jsonrpc, id, method, result, error } =
        serde_json::from_slice(line).map_err(|error| not_json(&error))?;
    if method.is_none() && (result.is_some() || error.is_some()) {
        // An answer is never answered: a peer that echoes would make a storm of it.
        return message(line).map_err(Refused::Silent);
    }
    let known = id.and_then(|id| id_of(id.get()));
    let refuse =
        |reason: String| Refused::Answer(known.clone(), ErrorData::invalid_request(reason, None).into());
    if jsonrpc.is_none_or(|version| version.get() != VERSION) {
        let reason = "the line is no message: jsonrpc must be \"2.0\", the version spoken here";
        return Err(refuse(reason.to_owned()));
    }
    if method.is_none() {
        return Err(refuse("the line is no request of this protocol: it has no method".to_owned()));
    }
    if id.is_some() && known.is_none() {
        let reason = format!("the id must be a whole number or a text of at most {ID_BYTES_MAX} bytes");
        return Err(refuse(reason));
    }
    message(line).map_err(|reason| match known {
        Some(_) => refuse(format!("the line is no request of this protocol: {reason}")),
        None => Refused::Silent(reason),
    })
}

fn message(line: &[u8]) -> Result<ClientJsonRpcMessage, String> {
    if is_deeper_than(line, MESSAGE_DEPTH_MAX) {
        return Err(format!("it is nested more than {MESSAGE_DEPTH_MAX} levels deep"));
    }
    let mut reader = serde_json::Deserializer::from_slice(line);
    // The levels were counted above: a payload that is too deep is refused by its call, which can say where.
    reader.disable_recursion_limit();
    ClientJsonRpcMessage::deserialize(&mut reader).map_err(|error| error.to_string())
}

fn batch(line: &[u8]) -> Refused {
    match serde_json::from_slice::<serde::de::IgnoredAny>(line) {
        Ok(_) => {
            let reason = "the line is a batch or a list; send one message per line";
            Refused::Answer(None, ErrorData::invalid_request(reason, None).into())
        }
        Err(error) => not_json(&error),
    }
}

fn not_json(error: &serde_json::Error) -> Refused {
    let code = if error.is_data() { ErrorCode::INVALID_REQUEST } else { ErrorCode::PARSE_ERROR };
    Refused::Answer(None, ErrorData::new(code, format!("the line is no message: {error}"), None).into())
}

fn id_of(json: &str) -> Option<RequestId> {
    (json.len() <= ID_BYTES_MAX).then(|| serde_json::from_str(json).ok()).flatten()
}

/// The id in the beginning of a line of which the rest is not there.
pub(super) fn id_in(beginning: &[u8]) -> Option<RequestId> {
    let (mut depth, mut text_starts, mut escaped) = (0_usize, None, false);
    let mut is_key = false;
    for (at, byte) in beginning.iter().enumerate() {
        match (byte, text_starts) {
            (_, Some(_)) if escaped => escaped = false,
            (b'\\', Some(_)) => escaped = true,
            (b'"', Some(start)) => {
                is_key = depth == 1 && beginning.get(start..=at) == Some(b"\"id\"");
                text_starts = None;
            }
            (_, Some(_)) => {}
            (b'"', None) => text_starts = Some(at),
            (b'{' | b'[', None) => depth += 1,
            (b'}' | b']', None) => depth = depth.saturating_sub(1),
            (b':', None) if is_key => return first_id(beginning.get(at + 1..)?),
            (byte, None) => is_key = is_key && byte.is_ascii_whitespace(),
        }
    }
    None
}

fn first_id(json: &[u8]) -> Option<RequestId> {
    let value: &RawValue = serde_json::Deserializer::from_slice(json).into_iter().next()?.ok()?;
    id_of(value.get())
}

#[cfg(test)]
mod tests {
    use rmcp::model::NumberOrString;

    use super::*;

    #[track_caller]
    fn check(line: &str, id: Option<RequestId>, code: i32) {
        match open(line.as_bytes()) {
            Err(Refused::Answer(found, error)) => assert_eq!((found, error.code.0), (id, code), "{line}"),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_is_no_message_is_answered_with_its_id_or_none() {
        check(r#"{"jsonrpc":"2.0""#, None, -32700);
        check("[1,", None, -32700);
        check("[]", None, -32600);
        check(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, None, -32600);
        check("{}", None, -32600);
        check(r#"{"jsonrpc":"2.0","id":5}"#, Some(NumberOrString::Number(5)), -32600);
        check(r#"{"id":5,"method":"ping"}"#, Some(NumberOrString::Number(5)), -32600);
        check(
            r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#,
            Some(NumberOrString::String("a".into())),
            -32600,
        );
        check(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, None, -32600);
    }

    #[test]
    fn an_odd_id_is_none() {
        for id in ["null", "1.5", "true", "{}", "123456789012345678901234567890"] {
            check(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#), None, -32600);
        }
        check(&format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "x".repeat(2_000)), None, -32600);
    }

    #[test]
    fn an_answer_and_noise_are_not_answered() {
        for line in ["asdf", "5", r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"m"}}"#] {
            assert!(!matches!(open(line.as_bytes()), Err(Refused::Answer(..))), "{line}");
        }
    }

    #[test]
    fn the_id_of_a_line_that_is_cut_is_the_one_at_the_top() {
        #[track_caller]
        fn check(beginning: &str, id: Option<i64>) {
            assert_eq!(id_in(beginning.as_bytes()), id.map(NumberOrString::Number), "{beginning}");
        }
        check(r#"{"jsonrpc":"2.0","id" : 7,"params":{"a":"xxx"#, Some(7));
        check(r#"{"params":{"id":8,"b":["id"]},"x":"id","id":9,"y"#, Some(9));
        check(r#"{"params":{"id":8,"b":"\"id\":1"#, None);
        check("xxx", None);
    }
}
