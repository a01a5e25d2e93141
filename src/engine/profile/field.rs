//! What the fields of a document look like.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use serde_json::Value;

use crate::event::filter::{Path, Root, Step};
use crate::event::{Json, TimeZone, Timestamp};

/// The most fields told apart in one event type.
const FIELDS_MAX: usize = 120;
/// How deep fields are looked for.
const DEPTH_MAX: usize = 6;
/// The most elements of an array that are looked at.
const ELEMENTS_MAX: usize = 8;
/// The most different values that are counted.
const VALUES_MAX: usize = 600;
/// Examples kept of a field, and of one that is a category.
const EXAMPLES_MAX: usize = 3;
const CATEGORY_EXAMPLES_MAX: usize = 12;
/// The most characters of an example.
pub(super) const EXAMPLE_CHARS_MAX: usize = 40;

/// What a field seems to be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Names a thing or a person.
    Id,
    /// One of a few values.
    Category,
    /// A number that varies.
    Amount,
    /// A point in time.
    Time,
    /// True or false.
    Flag,
    /// Words.
    Text,
    /// None of these.
    Other,
}

/// One field of a document.
#[derive(Clone, Debug)]
pub(crate) struct FieldProfile {
    /// Its path, as conditions write it.
    pub(crate) path: String,
    /// `string`, `number`, `boolean`, `array`, `object`, `null`; several joined by `|`.
    pub(crate) kinds: String,
    /// The share of the sampled events that have it, from 0 to 1.
    pub(crate) share: f64,
    /// How many different values were seen.
    pub(crate) distinct: usize,
    /// Some values, cut to 40 characters: three, or up to twelve of a category.
    pub(crate) examples: Vec<String>,
    /// What it seems to be for.
    pub(crate) role: Role,
    /// A value that only one in ten exceeds, of an amount.
    pub(crate) high: Option<f64>,
}

impl FieldProfile {
    /// The last key of its path, without quotes or indexes.
    pub(crate) fn name(&self) -> &str {
        let stem = self.path.trim_end_matches("[*]");
        stem.rsplit(['.', '"']).find(|part| !part.is_empty() && *part != "]").unwrap_or(stem)
    }
}

/// The fields of one kind of document, while they are being gathered.
pub(super) struct Fields {
    root: Root,
    seen: Vec<Seen>,
    places: HashMap<String, usize>,
    documents: usize,
}

#[derive(Default)]
struct Seen {
    path: String,
    kinds: Vec<&'static str>,
    /// The last document that had it, counted from 1, and how many had it.
    document: usize,
    present: usize,
    scalars: usize,
    values: HashSet<u64>,
    examples: Vec<String>,
    numbers: Vec<f64>,
    characters: usize,
    times: usize,
    ids: usize,
}

impl Fields {
    pub(super) fn new(root: Root) -> Self {
        Self { root, seen: Vec::new(), places: HashMap::new(), documents: 0 }
    }

    /// Looks at one document; none counts as one without fields.
    pub(super) fn add(&mut self, document: Option<&Json>) {
        self.documents += 1;
        let value = document.map(Json::to_value).unwrap_or_default();
        let mut path = Path::Json { root: self.root, steps: Vec::new() }.to_string();
        if !value.is_null() {
            self.walk(&value, &mut path, 0);
        }
    }

    fn walk(&mut self, value: &Value, path: &mut String, depth: usize) {
        let length = path.len();
        match value {
            Value::Object(object) if depth < DEPTH_MAX && !object.is_empty() => {
                for (key, value) in object {
                    let _ = write!(path, "{}", Step::Key(key.clone()));
                    self.walk(value, path, depth + 1);
                    path.truncate(length);
                }
            }
            Value::Array(elements) if depth < DEPTH_MAX && !elements.is_empty() => {
                path.push_str("[*]");
                for element in elements.iter().take(ELEMENTS_MAX) {
                    self.walk(element, path, depth + 1);
                }
                path.truncate(length);
            }
            leaf => self.leaf(leaf, path),
        }
    }

    fn leaf(&mut self, value: &Value, path: &str) {
        let place = match self.places.get(path) {
            Some(place) => *place,
            None if self.seen.len() >= FIELDS_MAX => return,
            None => {
                self.places.insert(path.to_owned(), self.seen.len());
                self.seen.push(Seen { path: path.to_owned(), ..Seen::default() });
                self.seen.len() - 1
            }
        };
        let document = self.documents;
        if let Some(seen) = self.seen.get_mut(place) {
            seen.take(value, document);
        }
    }

    pub(super) fn finish(self) -> Vec<FieldProfile> {
        let documents = self.documents;
        self.seen.into_iter().map(|seen| seen.finish(documents)).collect()
    }
}

impl Seen {
    fn take(&mut self, value: &Value, document: usize) {
        if self.document != document {
            self.document = document;
            self.present += 1;
        }
        let (kind, text) = match value {
            Value::Null => ("null", None),
            Value::Bool(value) => ("boolean", Some(value.to_string())),
            Value::Number(number) => ("number", Some(number.to_string())),
            Value::String(text) => ("string", Some(text.clone())),
            Value::Array(_) => ("array", None),
            Value::Object(_) => ("object", None),
        };
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
        let Some(text) = text else { return };
        self.scalars += 1;
        self.characters += text.chars().count();
        if let Some(number) = value.as_number().and_then(|number| number.as_str().parse().ok()) {
            self.numbers.push(number);
        }
        if value.is_string() {
            self.times += usize::from(is_time(&text));
            self.ids += usize::from(is_id(&text));
        }
        let is_new =
            self.values.len() < VALUES_MAX && self.values.insert(xxhash_rust::xxh3::xxh3_64(text.as_bytes()));
        if is_new && self.examples.len() < CATEGORY_EXAMPLES_MAX {
            self.examples.push(text.chars().take(EXAMPLE_CHARS_MAX).collect());
        }
    }

    fn finish(mut self, documents: usize) -> FieldProfile {
        let role = self.role();
        if role != Role::Category {
            self.examples.truncate(EXAMPLES_MAX);
        }
        self.numbers.sort_by(f64::total_cmp);
        let tenth = self.numbers.len() - self.numbers.len() / 10;
        let high = self.numbers.get(tenth.saturating_sub(1)).copied().filter(|_| role == Role::Amount);
        FieldProfile {
            role,
            high,
            share: share(self.present, documents),
            distinct: self.values.len(),
            kinds: self.kinds.join("|"),
            path: self.path,
            examples: self.examples,
        }
    }

    fn role(&self) -> Role {
        let (distinct, scalars) = (self.values.len(), self.scalars);
        let mostly = |count: usize| scalars > 0 && count * 10 >= scalars * 8;
        let named = words(&self.path).last().cloned().unwrap_or_default();
        let is_named_id =
            ["id", "ids", "guid", "uuid", "key", "ref", "hash", "sha"].contains(&named.as_str());
        let is_few = distinct <= 12 && (distinct * 3 <= scalars || scalars < 6);
        match () {
            () if scalars == 0 => Role::Other,
            () if self.kinds.contains(&"boolean") => Role::Flag,
            () if mostly(self.times) => Role::Time,
            () if is_named_id || mostly(self.ids) => Role::Id,
            () if mostly(self.numbers.len()) && distinct > 5 => Role::Amount,
            () if is_few => Role::Category,
            () if self.characters > scalars * 40 => Role::Text,
            () if mostly(self.numbers.len()) => Role::Category,
            () if self.characters > scalars * 24 && distinct * 2 > scalars => Role::Text,
            () => Role::Other,
        }
    }
}

/// A part of a whole, from 0 to 1.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(part) / number(whole.max(1))
}

/// The words of a name: `SubjectUserName`, `user_id` and `user-id` are made of words too.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        let starts = !c.is_alphanumeric() || (c.is_uppercase() && was_small);
        if starts && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().into_iter().for_each(|word| word.extend(c.to_lowercase()));
        }
        was_small = c.is_lowercase() || c.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_time(text: &str) -> bool {
    (8..=35).contains(&text.len())
        && text.contains(['-', '/', ':'])
        && Timestamp::parse_lenient(text, TimeZone::UTC).is_ok()
}

/// A UUID, in braces or not, or a long hexadecimal text.
fn is_id(text: &str) -> bool {
    let bare = text.trim_matches(['{', '}']);
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    uuid::Uuid::try_parse(bare).is_ok() || (text.len() >= 24 && is_hex(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn profile(documents: &[Value]) -> Vec<FieldProfile> {
        let mut fields = Fields::new(Root::Payload);
        for document in documents {
            fields.add(Some(&Json::from(document)));
        }
        fields.finish()
    }

    #[track_caller]
    fn check(fields: &[FieldProfile], path: &str, kinds: &str, role: Role) {
        let field = fields.iter().find(|field| field.path == path).expect(path);
        assert_eq!((field.kinds.as_str(), field.role), (kinds, role), "{path}");
    }

    #[test]
    fn fields_are_told_apart_by_what_they_hold() {
        let documents: Vec<Value> = (0..40_u32)
            .map(|n| {
                json!({
                    "status": if n % 3 == 0 { "open" } else { "closed" },
                    "amount": n * 17 % 29,
                    "due": format!("2020-08-{:02} 10:00:00", n % 28 + 1),
                    "customerId": n,
                    "guid": format!("{{9f85ce58-5a6a-5f2b-a900-{n:012}}}"),
                    "paid": n % 2 == 0,
                    "note": format!("the {n}th time that somebody wrote a long remark here"),
                    "lines": [{"sku": format!("S{}", n % 2)}],
                    "odd key": null,
                })
            })
            .collect();
        let fields = profile(&documents);
        check(&fields, "payload.status", "string", Role::Category);
        check(&fields, "payload.amount", "number", Role::Amount);
        check(&fields, "payload.due", "string", Role::Time);
        check(&fields, "payload.customerId", "number", Role::Id);
        check(&fields, "payload.guid", "string", Role::Id);
        check(&fields, "payload.paid", "boolean", Role::Flag);
        check(&fields, "payload.note", "string", Role::Text);
        check(&fields, "payload.lines[*].sku", "string", Role::Category);
        check(&fields, "payload[\"odd key\"]", "null", Role::Other);
        assert_eq!(fields.first().expect("a field").distinct, 2);
    }

    #[test]
    fn shares_count_documents_not_elements() {
        let fields =
            profile(&[json!({"a": [1, 2, 3]}), json!({"b": 1}), json!({"b": 2}), json!({"b": null})]);
        let share = |path: &str| fields.iter().find(|field| field.path == path).expect(path).share;
        assert!((share("payload.a[*]") - 0.25).abs() < 1e-9);
        assert!((share("payload.b") - 0.75).abs() < 1e-9);
    }

    #[test]
    fn names_are_made_of_words() {
        assert_eq!(words("SubjectUserName"), ["subject", "user", "name"]);
        assert_eq!(words("A_SUBMITTED"), ["a", "submitted"]);
        assert_eq!(words("payload[\"odd key\"]"), ["payload", "odd", "key"]);
    }
}
