//! How large is an answer to the model that reads it, and how is it made to fit?
//!
//! Tokens are estimated without a tokenizer, in one pass and without memory of its own. A text is taken apart into runs of
//! one class, and each run has a price in tenths of a token. The prices were fitted by least squares to what the byte-pair
//! tokenizers with 100,000 and 200,000 entries (`cl100k_base`, `o200k_base`) give for answers as tables and as whole events
//! over loans, code hosting, Windows logs, chats, webhooks and abstracts, and then rounded. Over each of these the sum lies
//! between 7 % below and 9 % above the larger count, and a single answer between 8 % below and 17 % above it
//! (`scripts/measure_tokens.py` prints it for files). Other models cut text their own way: a budget is exact by this
//! measure, and a reader's count may differ by that much.

use serde_json::Value;

use super::Object;

/// The size of an answer in tokens when nothing else is asked for.
pub(crate) const TOKENS_DEFAULT: usize = 5_000;
/// The largest answer in tokens that may be asked for.
pub(crate) const TOKENS_MAX: usize = 10_000;
/// The smallest answer in tokens that may be asked for: an error with its example fits.
pub(crate) const TOKENS_MIN: usize = 500;

/// The most characters of a string in a concise row.
pub(crate) const CONCISE_CHARS_MAX: usize = 120;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Small,
    Capital,
    Digit,
    Space,
    Punctuation,
    NearLetter,
    FarLetter,
}

fn class(c: char) -> Class {
    match c {
        'a'..='z' => Class::Small,
        'A'..='Z' => Class::Capital,
        '0'..='9' => Class::Digit,
        c if c.is_ascii_whitespace() => Class::Space,
        c if c.is_ascii() => Class::Punctuation,
        '\u{80}'..='\u{7ff}' => Class::NearLetter,
        _ => Class::FarLetter,
    }
}

/// The estimated tokens of a text.
pub fn tokens(text: &str) -> usize {
    let mut tenths = 0;
    let mut run: Option<Class> = None;
    let mut length = 0_usize;
    let mut before: Option<Class> = None;
    for c in text.chars() {
        let next = class(c);
        let goes_on =
            run == Some(next) || (run == Some(Class::Capital) && length == 1 && next == Class::Small);
        if goes_on {
            length += 1;
        } else {
            let beside_digit = before == Some(Class::Digit) || next == Class::Digit;
            tenths += price(run, length, beside_digit);
            (before, length) = (run, 1);
        }
        run = Some(next);
    }
    (tenths + price(run, length, before == Some(Class::Digit))).div_ceil(10)
}

/// What a run costs, in tenths of a token.
fn price(run: Option<Class>, length: usize, beside_digit: bool) -> usize {
    match run {
        None => 0,
        // Letters among digits are parts of ids and hashes, not words.
        Some(Class::Small | Class::Capital) if beside_digit => 10 * length.div_ceil(3),
        Some(Class::Small) if length <= 8 => 10,
        Some(Class::Small) => 13 + 13 * (length - 8) / 8,
        Some(Class::Capital) if length == 1 => 20,
        Some(Class::Capital) => 11 * length.div_ceil(3),
        Some(Class::Digit) => 12 * length.div_ceil(3),
        // A single space belongs to the word behind it.
        Some(Class::Space) if length == 1 => 0,
        Some(Class::Space) => 10 * length.div_ceil(8),
        Some(Class::Punctuation) if length == 1 => 6,
        Some(Class::Punctuation) => 11 * length.div_ceil(4),
        Some(Class::NearLetter) => 10 * length.div_ceil(2),
        Some(Class::FarLetter) => 12 * length,
    }
}

/// The estimated tokens of a JSON value as it is sent.
pub(crate) fn tokens_of(value: &Value) -> usize {
    tokens(&value.to_string())
}

/// The estimated tokens of one more member of an object: its name, its value, and what stands between.
pub(crate) fn tokens_of_member(name: &str, value: &Value) -> usize {
    tokens(name) + tokens_of(value) + 3
}

/// The estimated tokens of an object as it is sent.
pub(crate) fn tokens_of_object(object: &Object) -> usize {
    2 + object.iter().map(|(name, value)| tokens_of_member(name, value)).sum::<usize>()
}

/// The text's first `chars_max` characters; what is cut is counted: `…+2311`.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((at, _)) => {
            let (shown, rest) = text.split_at(at);
            format!("{shown}…+{}", rest.chars().count())
        }
    }
}

/// The value with every string at most `chars_max` characters long, and whether anything was cut.
pub(crate) fn cut_strings(value: Value, chars_max: usize) -> (Value, bool) {
    let bounds = Bounds { chars: chars_max, items: usize::MAX, depth: usize::MAX };
    let mut was_cut = false;
    (bound(value, bounds, &mut was_cut), was_cut)
}

/// What is cut, step by step, until a value fits.
const FIT_STEPS: [Bounds; 12] = [
    Bounds { chars: 32_000, items: 2_000, depth: 32 },
    Bounds { chars: 16_000, items: 1_000, depth: 32 },
    Bounds { chars: 8_000, items: 500, depth: 32 },
    Bounds { chars: 2_000, items: 200, depth: 16 },
    Bounds { chars: 1_000, items: 100, depth: 12 },
    Bounds { chars: 500, items: 60, depth: 8 },
    Bounds { chars: 250, items: 40, depth: 6 },
    Bounds { chars: 120, items: 25, depth: 5 },
    Bounds { chars: 64, items: 15, depth: 4 },
    Bounds { chars: 32, items: 8, depth: 3 },
    Bounds { chars: 16, items: 4, depth: 2 },
    Bounds { chars: 8, items: 2, depth: 1 },
];

/// The value made to fit into `tokens_max`, and whether anything was cut: first long strings go, then the ends of
/// long lists and objects, then depth. Every cut leaves a mark that counts what is gone.
pub(crate) fn fit(value: Value, tokens_max: usize) -> (Value, bool) {
    if tokens_of(&value) <= tokens_max {
        return (value, false);
    }
    for step in FIT_STEPS {
        let candidate = bound(value.clone(), step, &mut false);
        if tokens_of(&candidate) <= tokens_max {
            return (candidate, true);
        }
    }
    // The kind stays, because answers promise it.
    let smallest = match value {
        Value::Array(items) => Value::Array(vec![format!("…+{}", items.len()).into()]),
        Value::Object(members) => serde_json::json!({"…": format!("+{}", members.len())}),
        _ => Value::from("…"),
    };
    (smallest, true)
}

#[derive(Clone, Copy)]
struct Bounds {
    chars: usize,
    items: usize,
    depth: usize,
}

fn bound(value: Value, bounds: Bounds, was_cut: &mut bool) -> Value {
    match value {
        Value::String(text) => {
            let short = cut(&text, bounds.chars);
            *was_cut |= short.len() != text.len();
            Value::String(short)
        }
        Value::Number(number) if number.to_string().len() > bounds.chars => {
            *was_cut = true;
            Value::String(cut(&number.to_string(), bounds.chars))
        }
        Value::Array(items) if !items.is_empty() && bounds.depth == 0 => {
            *was_cut = true;
            Value::String(format!("[…+{}]", items.len()))
        }
        Value::Object(members) if !members.is_empty() && bounds.depth == 0 => {
            *was_cut = true;
            Value::String(format!("{{…+{}}}", members.len()))
        }
        Value::Array(items) => bound_array(items, bounds, was_cut),
        Value::Object(members) => bound_object(members, bounds, was_cut),
        other => other,
    }
}

fn bound_array(items: Vec<Value>, bounds: Bounds, was_cut: &mut bool) -> Value {
    let inner = Bounds { depth: bounds.depth.saturating_sub(1), ..bounds };
    let beyond = items.len().saturating_sub(bounds.items);
    let mut kept: Vec<Value> =
        items.into_iter().take(bounds.items).map(|item| bound(item, inner, was_cut)).collect();
    if beyond > 0 {
        *was_cut = true;
        kept.push(Value::String(format!("…+{beyond}")));
    }
    Value::Array(kept)
}

fn bound_object(members: Object, bounds: Bounds, was_cut: &mut bool) -> Value {
    let inner = Bounds { depth: bounds.depth.saturating_sub(1), ..bounds };
    let beyond = members.len().saturating_sub(bounds.items);
    let mut kept: Object = members
        .into_iter()
        .take(bounds.items)
        .map(|(name, value)| (cut(&name, bounds.chars.max(16)), bound(value, inner, was_cut)))
        .collect();
    if beyond > 0 {
        *was_cut = true;
        kept.insert("…".to_owned(), Value::String(format!("+{beyond}")));
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(text: &str, expected: usize) {
        assert_eq!(tokens(text), expected, "{text}");
    }

    #[test]
    fn words_numbers_and_punctuation_are_counted_by_their_pieces() {
        check("", 0);
        check("order", 1);
        check("the order was placed", 4);
        check("camelCase", 2);
        check("HTTPServer", 4);
        check("1234567", 4);
        check("\"a\":1,", 5);
        check("Müller", 4);
        check("東京", 3);
    }

    #[test]
    fn a_long_value_is_cut_until_it_fits() {
        let long = json!({
            "text": "word ".repeat(10_000),
            "list": (0..5_000).collect::<Vec<_>>(),
            "deep": {"a": {"b": {"c": {"d": {"e": {"f": {"g": [1, 2, 3]}}}}}}},
        });
        for budget in [10, 50, 200, 5_000] {
            let (short, was_cut) = fit(long.clone(), budget);
            assert!(was_cut);
            assert!(tokens_of(&short) <= budget, "{budget}: {short}");
        }
    }

    #[test]
    fn a_cut_string_counts_what_is_gone() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 4), "abcd…+2");
        assert_eq!(cut("ääää", 1), "ä…+3");
    }

    #[test]
    fn a_value_that_fits_stays_as_it_is() {
        let value = json!({"n": serde_json::from_str::<Value>("12345678901234567890123").expect("a number")});
        assert_eq!(fit(value.clone(), 50), (value, false));
    }
}
