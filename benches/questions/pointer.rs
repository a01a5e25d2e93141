//! Where in the answers does a question's answer stand? A JSON pointer into the last answer (`/table/rows/0/0`), or into the
//! n-th (`1/fork_id`); with `~` in front, anywhere below that place, also as a part of a text.

use serde_json::{Value, json};

/// How far two numbers may lie apart, as a share of the larger: they come from different programs.
const TOLERANCE: f64 = 1e-9;

/// The value at a place of the answers so far.
pub fn at<'v>(place: &str, answers: &'v [Value]) -> Option<&'v Value> {
    let (number, pointer) = place.find('/').map_or((place, ""), |slash| place.split_at(slash));
    let answer = match number {
        "" => answers.last()?,
        number => answers.get(number.parse::<usize>().ok()?.checked_sub(1)?)?,
    };
    answer.pointer(pointer)
}

/// Whether what stands at `place` is, or with `~` holds, the expected value.
pub fn holds(place: &str, expected: &Value, answers: &[Value]) -> bool {
    match place.strip_prefix('~') {
        Some(place) => at(place, answers).is_some_and(|found| is_within(expected, found)),
        None => at(place, answers).is_some_and(|found| is_same(expected, found)),
    }
}

/// The arguments with each text `{n/pointer}` replaced by what the n-th answer has there.
pub fn filled(arguments: &Value, answers: &[Value]) -> Value {
    match arguments {
        Value::String(text) => {
            let place = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
            place.and_then(|place| at(place, answers)).unwrap_or(arguments).clone()
        }
        Value::Array(items) => items.iter().map(|item| filled(item, answers)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), filled(member, answers))).collect()
        }
        other => other.clone(),
    }
}

fn is_same(expected: &Value, found: &Value) -> bool {
    match (expected.as_f64(), found.as_f64()) {
        (Some(expected), Some(found)) => {
            (expected - found).abs() <= TOLERANCE * expected.abs().max(found.abs())
        }
        _ => expected == found,
    }
}

fn is_within(expected: &Value, found: &Value) -> bool {
    match found {
        Value::Array(items) => items.iter().any(|item| is_within(expected, item)),
        Value::Object(members) => {
            members.iter().any(|(name, member)| expected == name || is_within(expected, member))
        }
        Value::String(text) => expected.as_str().is_some_and(|part| text.contains(part)),
        other => is_same(expected, other),
    }
}

/// Compares with cases decided by hand.
pub fn prove() {
    let answers = [json!({"fork_id": "f-1"}), json!({"table": {"rows": [["a\\b c", 2.5]]}, "s": {"x.y": 1}})];
    assert!(holds("/table/rows/0/1", &json!(2.5), &answers));
    assert!(!holds("/table/rows/0/1", &json!(2.6), &answers));
    assert!(holds("1/fork_id", &json!("f-1"), &answers));
    assert!(holds("~/table", &json!("a\\b"), &answers) && !holds("/table/rows/0/0", &json!("a"), &answers));
    assert!(holds("/s/x.y", &json!(1.0), &answers) && holds("~/s", &json!("x.y"), &answers));
    assert!(!holds("/nowhere", &Value::Null, &answers));
    assert_eq!(
        filled(&json!({"branch": "{1/fork_id}", "n": [1]}), &answers),
        json!({"branch": "f-1", "n": [1]})
    );
}
