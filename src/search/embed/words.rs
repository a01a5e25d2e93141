//! Words out of identifiers, and identifiers out of words.
//!
//! A model knows words. `OrderPlaced`, `order_placed` and `order.placed` hold two of them; a UUID, a hash or a blob holds
//! none, and only blurs the vector of the text around it. Those are found by keyword.

/// Names that are written like two words and are one.
const ONE_WORD: [&str; 24] = [
    "BitBucket",
    "DevOps",
    "DynamoDB",
    "FaceBook",
    "GitHub",
    "GitLab",
    "GraphQL",
    "JavaScript",
    "LinkedIn",
    "MongoDB",
    "MySQL",
    "NoSQL",
    "OAuth",
    "OpenAI",
    "PayPal",
    "PostgreSQL",
    "PowerPoint",
    "RabbitMQ",
    "SQLite",
    "TypeScript",
    "WhatsApp",
    "WiFi",
    "WordPress",
    "YouTube",
];

/// Hexadecimal text from this length on is a hash: 16 characters. Shorter text is one if it has digits among its letters.
const HASH_CHARS_MIN: usize = 16;
/// The longest run of digits that is an amount: 6. Longer ones are ids and epochs.
const DIGITS_MAX: usize = 6;

/// Writes words into a text up to a number of bytes.
pub(super) struct Words<'t> {
    text: &'t mut String,
    bytes_max: usize,
}

impl<'t> Words<'t> {
    /// Appends to `text`, until it has `bytes_max` bytes.
    pub(super) fn new(text: &'t mut String, bytes_max: usize) -> Self {
        Self { text, bytes_max }
    }

    /// Whether nothing more is taken.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= self.bytes_max
    }

    /// How many bytes were written so far.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Takes back what was written behind the first `len` bytes.
    pub(super) fn cut(&mut self, len: usize) {
        self.text.truncate(len);
    }

    /// Writes what a person may have written: words as they are, identifiers in parts, what only machines read left out.
    pub(super) fn prose(&mut self, text: &str) {
        for token in text.split_whitespace() {
            if self.is_full() {
                return;
            }
            self.token(token);
        }
    }

    /// Writes the words of an identifier, such as the type of an event or a key.
    pub(super) fn identifier(&mut self, identifier: &str) {
        if is_uuid(identifier) || is_day(identifier) {
            return;
        }
        for part in identifier.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
            if !is_for_machines(part) {
                self.humps(part);
            }
        }
    }

    /// Writes a word as it is, as far as there is room for all of it.
    pub(super) fn word(&mut self, word: &str) {
        let gap = usize::from(!self.text.is_empty());
        if self.text.len() + gap + word.len() > self.bytes_max {
            // A word is written whole or not at all, and nothing after it: what is embedded is a beginning.
            self.bytes_max = self.text.len();
            return;
        }
        if gap > 0 {
            self.text.push(' ');
        }
        self.text.push_str(word);
    }

    fn token(&mut self, token: &str) {
        // Nearly every token of a text ends here.
        if is_plain(token) {
            self.word(token);
            return;
        }
        let core = token.trim_matches(|c: char| !c.is_alphanumeric());
        if core.is_empty() {
            return;
        }
        if !core.contains(char::is_alphabetic) {
            let digits = core.bytes().filter(u8::is_ascii_digit).count();
            let groups = core.split(|c: char| !c.is_numeric()).filter(|group| !group.is_empty()).count();
            // An amount, a clock time, a version; not a date, an address or a telephone number.
            if digits <= DIGITS_MAX && groups <= 3 {
                self.word(token);
            }
        } else if let Some((_, address)) = core.split_once("://") {
            self.identifier(address.split(['?', '#']).next().unwrap_or_default());
        } else if is_compound(core) {
            self.identifier(core);
        } else if !is_for_machines(core) {
            self.word(token);
        }
    }

    /// Writes `orderPlaced` as two words, `HTTPServer` too, `APIs` and `GitHub` as one.
    fn humps(&mut self, word: &str) {
        let mut start = 0;
        for end in hump_ends(word) {
            let (Some(hump), Some(rest)) = (word.get(start..end), word.get(start..)) else { return };
            if ONE_WORD.iter().any(|name| name.len() > hump.len() && rest.starts_with(name)) {
                continue;
            }
            self.word(hump);
            start = end;
        }
        if let Some(rest) = word.get(start..).filter(|rest| !rest.is_empty()) {
            self.word(rest);
        }
    }
}

/// Whether a token is a word with nothing to look at: ASCII letters, too few for a hash and small but for the first, and
/// one mark at its end.
fn is_plain(token: &str) -> bool {
    let bytes = token.as_bytes();
    if bytes.len() >= HASH_CHARS_MIN {
        return false;
    }
    let body = match bytes.split_last() {
        Some((b'.' | b',' | b';' | b':' | b'!' | b'?', body)) => body,
        _ => bytes,
    };
    match body.split_first() {
        Some((first, rest)) => first.is_ascii_alphabetic() && rest.iter().all(u8::is_ascii_lowercase),
        None => false,
    }
}

/// Whether a token is put together from words: with marks that stand in identifiers, or with humps.
fn is_compound(core: &str) -> bool {
    let is_joint =
        |c: char| matches!(c, '_' | '/' | '\\' | '.' | ':' | '=' | '@' | '#' | '{' | '}' | '"' | '|');
    core.contains(is_joint)
        || is_uuid(core)
        || is_day(core)
        || (core.contains('-') && core.contains(|c: char| c.is_ascii_digit()))
        || (hump_ends(core).next().is_some() && !ONE_WORD.contains(&core))
}

/// Where a hump ends and another begins: before a capital that follows a small letter, or that a small letter follows
/// after other capitals.
fn hump_ends(word: &str) -> impl Iterator<Item = usize> + '_ {
    let bytes = word.as_bytes();
    let at = |i: usize| bytes.get(i).copied().unwrap_or_default();
    (1..bytes.len()).filter(move |&i| {
        let (before, here, after) = (at(i - 1), at(i), at(i + 1));
        if !here.is_ascii_uppercase() {
            return false;
        }
        let follows_small = before.is_ascii_lowercase() || before.is_ascii_digit();
        // One small letter before a capital is a name (iPhone, eBay), not a hump.
        let is_name = i == 1;
        // `APIs` ends in the s of many.
        let is_many = after == b's' && !at(i + 2).is_ascii_alphanumeric();
        (follows_small && !is_name) || (before.is_ascii_uppercase() && after.is_ascii_lowercase() && !is_many)
    })
}

/// Whether a run of letters and digits was made by a machine: a hash, a random id, a long number.
fn is_for_machines(part: &str) -> bool {
    let bytes = part.as_bytes();
    if !part.is_ascii() {
        return false;
    }
    let digits = bytes.iter().filter(|b| b.is_ascii_digit()).count();
    if digits == bytes.len() {
        return digits > DIGITS_MAX;
    }
    let pairs = || bytes.windows(2).filter_map(|pair| Some((pair.first()?, pair.last()?)));
    let changes = pairs().filter(|(a, b)| a.is_ascii_digit() != b.is_ascii_digit()).count();
    let is_hex = bytes.iter().all(u8::is_ascii_hexdigit);
    let humps = pairs().filter(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase()).count();
    (is_hex && (bytes.len() >= HASH_CHARS_MIN || (bytes.len() > DIGITS_MAX && changes >= 2)))
        || (bytes.len() >= 8 && changes >= 3)
        || digits > DIGITS_MAX
        || (humps >= 3 && bytes.len() < humps * 4)
}

/// Whether a text is a UUID as it is usually written.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether a text begins with a day as ISO 8601 writes it, and goes on with nothing or a time.
fn is_day(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_day = bytes.len() >= 10
        && bytes.iter().take(10).enumerate().all(|(i, byte)| match i {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    is_day && matches!(bytes.get(10), None | Some(b'T' | b't' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut written = String::new();
        Words::new(&mut written, 1_000).prose(text);
        assert_eq!(written, expected, "{text}");
    }

    #[test]
    fn a_text_stays_as_it_is() {
        for text in [
            "Card declined by the issuing bank.",
            "Don't retry; it's a well-known failure (see the notes), \"again\"!",
            "Paid 12.50 of 300 at 12:30:05, version 1.2.3, 40%",
            "Größere Äpfel, naïve café 你好 世界",
            "iPhone, eBay, APIs, GitHub, HTTP, A B",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn an_identifier_is_written_in_words() {
        check("OrderPlaced", "Order Placed");
        check("order_placed order.placed", "order placed order placed");
        check("parseHTTPRequest2xx", "parse HTTP Request2xx");
        check("GitHubIssueOpened userID", "GitHub Issue Opened user ID");
        check("src/search/leaves.rs:12", "src search leaves rs 12");
        check(r"C:\Windows\System32\cmd.exe", "C Windows System32 cmd exe");
        check("anna.smith@example.com,", "anna smith example com");
        check("https://docs.example.com/payments/retry?token=abc#top", "docs example com payments retry");
        check("order-123 add-42-login", "order 123 add 42 login");
    }

    #[test]
    fn what_only_machines_read_is_left_out() {
        for text in [
            "018f3c1e-7b1a-7c3e-9f00-1234567890ab",
            "{018F3C1E-7B1A-7C3E-9F00-1234567890AB}",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "deadbeefdeadbeef cf5980b a02ec37",
            "1732689306123 4111111111111111 10.0.0.1 192.168.0.12",
            "2026-11-27 2026-11-27T06:35:06.123Z",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "aGVsbG8gd29ybGQ= eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
            "--- *** =>",
        ] {
            check(text, "");
        }
        check("commit 9f86d081884c7d659a2feaa0c55ad015 failed", "commit failed");
        check("usr_8fK2mQ9x signed in", "usr signed in");
    }

    #[test]
    fn words_are_written_whole_up_to_the_limit() {
        let mut text = String::new();
        Words::new(&mut text, 13).prose("one two three four a b");
        assert_eq!(text, "one two three");
        let mut text = String::new();
        Words::new(&mut text, 12).prose("one two three four a b");
        assert_eq!(text, "one two");
    }
}
