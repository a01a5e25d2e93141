//! What of an event is embedded.

use super::words::Words;
use crate::event::Event;
use crate::search::leaves::{Leaf, each_leaf};

/// The longest text of an event: 8 KiB. No model here reads as much: the cut that counts is the model's
/// ([`tokens_max`](super::Embedder::tokens_max)), and this one only keeps a payload of 1 MiB cheap.
pub const TEXT_BYTES_MAX: usize = 8 << 10;

/// A text of fewer words than this gets its key before it: 6.
const WORDS_ALONE_MIN: usize = 6;
/// The most numbers and flags of an event that are embedded: 32. A series of measurements is not what an event is about.
const NUMBERS_MAX: usize = 32;
/// The longest number that is embedded as it is written: 8 characters.
const NUMBER_CHARS_MAX: usize = 8;
/// The longest run of digits before a point that is an amount: 6 digits. Longer ones are ids and epochs.
const INTEGER_DIGITS_MAX: usize = 6;

/// Keys whose text speaks for itself.
const SILENT_KEYS: [&str; 16] = [
    "body",
    "comment",
    "content",
    "data",
    "description",
    "detail",
    "details",
    "message",
    "msg",
    "name",
    "note",
    "subject",
    "summary",
    "text",
    "title",
    "value",
];

/// The keys of metadata that tell what an event is about or who spoke; the rest is about transport.
const METADATA_KEYS: [&str; 20] = [
    "actor",
    "agent",
    "author",
    "category",
    "channel",
    "comment",
    "description",
    "label",
    "labels",
    "note",
    "notes",
    "reason",
    "source",
    "subject",
    "summary",
    "tag",
    "tags",
    "title",
    "topic",
    "user",
];

/// The text of an event that stands for it when events are searched by meaning.
///
/// In this order, in words, up to [`TEXT_BYTES_MAX`]:
///
/// 1. Its type: `order.placed` and `OrderPlaced` are both written as two words.
/// 2. The texts of its payload in the order of the document. One of fewer than six words has its key before it
///    (`status pending`), unless the key says nothing (`title`, `text`, `message` …).
/// 3. Numbers and flags of its payload among them, always with their key (`amount 120`, `urgent true`), at most 32.
/// 4. From its metadata, what tells what it is about or who spoke: `tags`, `topic`, `summary`, `user`, `agent` and the like.
///
/// Left out wherever they stand: ids (keys that end in `id`), UUIDs, hashes, blobs, long numbers, dates and times. They
/// have no meaning that a model could know, and a keyword finds them. An identifier inside a text (`userName`,
/// `src/main.rs`) is written in words.
///
/// An event whose payload is a document of `title` and `text` comes out as its type, its title and its text.
#[must_use]
pub fn text_of(event: &Event) -> String {
    let mut text = String::new();
    text_into(event, &mut text);
    text
}

/// Writes what [`text_of`] gives into `text`, in place of what it held.
pub fn text_into(event: &Event, text: &mut String) {
    text.clear();
    let mut words = Words::new(text, TEXT_BYTES_MAX);
    words.identifier(event.event_type.as_str());
    let mut writer = Writer { words, numbers: 0, key: String::new() };
    each_leaf(event.payload.as_str(), &mut |path, leaf| writer.payload(path, leaf));
    if let Some(metadata) = &event.metadata {
        each_leaf(metadata.as_str(), &mut |path, leaf| writer.metadata(path, leaf));
    }
}

/// What a query is embedded as: its words, written as those of an event are.
#[must_use]
pub fn text_of_query(query: &str) -> String {
    let mut text = String::new();
    Words::new(&mut text, TEXT_BYTES_MAX).prose(query);
    text
}

struct Writer<'t> {
    words: Words<'t>,
    numbers: usize,
    /// The key that was written last, so that the elements of an array share one.
    key: String,
}

impl Writer<'_> {
    fn payload(&mut self, path: &str, leaf: Leaf<'_>) {
        if self.words.is_full() {
            return;
        }
        let key = key_of(path);
        match leaf {
            Leaf::Text(text) => self.text(key, text),
            Leaf::Number(number) => {
                let number = amount(number).filter(|_| !names_an_id(key));
                if let Some(number) = number {
                    self.number(key, number);
                }
            }
            Leaf::Flag(flag) => self.number(key, if flag { "true" } else { "false" }),
        }
    }

    fn metadata(&mut self, path: &str, leaf: Leaf<'_>) {
        let key = key_of(path);
        if let Leaf::Text(text) = leaf
            && METADATA_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
            && !self.words.is_full()
        {
            self.text(key, text);
        }
    }

    fn text(&mut self, key: &str, text: &str) {
        let is_short = text.split_whitespace().nth(WORDS_ALONE_MIN - 1).is_none();
        if is_short && names_an_id(key) {
            return;
        }
        if !is_short || SILENT_KEYS.iter().any(|silent| silent.eq_ignore_ascii_case(key)) {
            self.key.clear();
            self.words.prose(text);
            return;
        }
        self.keyed(key, |words| words.prose(text));
    }

    fn number(&mut self, key: &str, number: &str) {
        if self.numbers < NUMBERS_MAX {
            self.numbers += 1;
            self.keyed(key, |words| words.word(number));
        }
    }

    /// Writes a value with its key before it, unless that was written last; a value of nothing leaves no key behind.
    fn keyed(&mut self, key: &str, value: impl FnOnce(&mut Words<'_>)) {
        let before = self.words.len();
        if self.key != key {
            self.words.identifier(key);
        }
        let between = self.words.len();
        value(&mut self.words);
        if self.words.len() == between {
            self.words.cut(before);
        } else if self.key != key {
            self.key.clear();
            self.key.push_str(key);
        }
    }
}

/// The last key of a path.
fn key_of(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// Whether a key names something that is only there to tell one thing from another: `id`, `order_id`, `userId`, `sha`.
fn names_an_id(key: &str) -> bool {
    const IDS: [&str; 10] =
        ["checksum", "digest", "etag", "guid", "hash", "id", "ids", "sha", "signature", "uuid"];
    let ends_in_id = |end: &str| {
        key.strip_suffix(end)
            .is_some_and(|rest| rest.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()))
    };
    let last = key.rsplit(['_', '-', '.', ':']).next().unwrap_or(key);
    IDS.iter().any(|id| id.eq_ignore_ascii_case(last))
        || ends_in_id("Id")
        || ends_in_id("ID")
        || ends_in_id("Ids")
}

/// A number that says how much, short: at most two places behind the point.
fn amount(number: &str) -> Option<&str> {
    let end = number.find('.').map_or(number.len(), |point| (point + 3).min(number.len()));
    let is_exponential = number.contains(['e', 'E']);
    let number = if is_exponential { number } else { number.get(..end)? };
    let digits = number.split('.').next()?.trim_start_matches('-').len();
    (digits <= INTEGER_DIGITS_MAX && number.len() <= NUMBER_CHARS_MAX + 2).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EntityId, EventId, EventType, Json, Position, Text, Timestamp, Version};

    fn event(event_type: &str, payload: &str, metadata: Option<&str>) -> Event {
        Event {
            position: Position::new(1),
            version: Version::new(1),
            timestamp: Timestamp::from_micros(0),
            recorded_at: Timestamp::from_micros(0),
            event_id: EventId::new("e-1").expect("an id"),
            entity_id: EntityId::new("order-7").expect("an id"),
            event_type: EventType::new(event_type).expect("a type"),
            payload: Json::parse(payload, "payload", 2 << 20).expect("JSON"),
            metadata: metadata.map(|metadata| Json::trusted(Text::from(metadata))),
            emptied: false,
        }
    }

    #[track_caller]
    fn check(event_type: &str, payload: &str, metadata: Option<&str>, expected: &str) {
        assert_eq!(text_of(&event(event_type, payload, metadata)), expected, "{payload}");
    }

    #[test]
    fn the_type_comes_first_in_words() {
        check("order.placed", "{}", None, "order placed");
        check("OrderPlaced", "null", None, "Order Placed");
        check("com.example/user_signed-in", "[]", None, "com example user signed in");
    }

    #[test]
    fn a_document_is_its_title_and_its_text() {
        check(
            "document",
            r#"{"title":"Flow past a wing","text":"The flow past a thin wing is found, and compared."}"#,
            None,
            "document Flow past a wing The flow past a thin wing is found, and compared.",
        );
    }

    #[test]
    fn a_key_helps_a_short_value() {
        check(
            "order.placed",
            r#"{"status":"pending","shipTo":{"city":"Berlin"},"tags":["gift","fragile"],
                "reason":"the card was declined by the issuing bank","total":120.5,"urgent":true}"#,
            None,
            "order placed status pending city Berlin tags gift fragile the card was declined by the issuing bank \
             total 120.5 urgent true",
        );
    }

    #[test]
    fn what_has_no_meaning_is_left_out_with_its_key() {
        check(
            "order.paid",
            r#"{"id":"order-7","orderId":"anna","customer_id":17,"ids":["a"],"request":"018f3c1e-7b1a-7c3e-9f00-1234567890ab",
                "sha":"abc","at":"2026-11-27T06:35:06Z","epoch":1732689306123,"nothing":null,"empty":"","paid":"yes"}"#,
            None,
            "order paid paid yes",
        );
    }

    #[test]
    fn a_word_that_ends_in_id_is_no_id() {
        check("a", r#"{"paid":5,"grid":"wide","valid":true}"#, None, "a paid 5 grid wide valid true");
    }

    #[test]
    fn a_number_is_an_amount_if_it_is_short() {
        check(
            "m",
            r#"{"a":1.23456,"b":-40,"c":123456,"d":1234567,"e":1e+6,"f":0.000012345678901234}"#,
            None,
            "m a 1.23 b -40 c 123456 e 1e+6 f 0.00",
        );
    }

    #[test]
    fn metadata_says_who_and_what_about() {
        check(
            "note",
            r#"{"text":"hello"}"#,
            Some(
                r#"{"$client":"x/1","correlation_id":"c-1","user":"Anna","tags":["travel"],"retries":3,"trace":"abc"}"#,
            ),
            "note hello user Anna tags travel",
        );
    }

    /// A series of measurements would fill the text before what they are about is reached.
    #[test]
    fn many_numbers_leave_room_for_words() {
        let numbers = vec!["1"; 50_000].join(",");
        let text =
            text_of(&event("sensor.read", &format!(r#"{{"values":[{numbers}],"note":"too hot"}}"#), None));
        assert!(text.len() < 200 && text.ends_with(" 1 1 too hot"), "{text}");
    }

    #[test]
    fn a_long_text_is_cut_at_a_word() {
        let payload = format!(r#"{{"text":"{}","after":"nothing of this"}}"#, "überall ".repeat(130_000));
        let text = text_of(&event("note", &payload, None));
        assert!(text.len() <= TEXT_BYTES_MAX && text.len() > TEXT_BYTES_MAX - 10, "{}", text.len());
        assert!(text.ends_with("überall"));
    }

    #[test]
    fn a_query_is_written_as_events_are() {
        assert_eq!(text_of_query("OrderPlaced by order_7"), "Order Placed by order 7");
        assert_eq!(text_of_query("018f3c1e-7b1a-7c3e-9f00-1234567890ab"), "");
    }

    #[test]
    fn a_buffer_is_used_again() {
        let mut text = "what was there".to_owned();
        text_into(&event("a.b", "{}", None), &mut text);
        assert_eq!(text, "a b");
    }
}
