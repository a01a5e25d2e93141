//! Where does the next page begin? A cursor says it in some 30 characters that work in every process and after a
//! restart; one that goes on in a ranking carries the ranking's next positions.
//!
//! **Invariant:** a cursor holds no argument of the query, only the query's hash: what it continues cannot be edited.
//!
//! The bytes, before they become URL-safe base 64 without padding:
//!
//! ```text
//! flags u8 | query u64 LE | epoch varint | bound varint | place varint | [now varint] | [count varint | position varint …]
//!          | CRC-32C of all before, u32 LE
//!   bit 0: newest first    bit 1: `now` is there: the time that relative times of the query count from
//!   bit 2: positions of a ranking are there, each as what it lies below the bound
//! ```

use crate::engine::QueryId;
use crate::error::{Error, Result};
use crate::event::{Position, Timestamp};

/// A place in the answer to a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The query that is continued.
    pub query: QueryId,
    /// The branch's epoch when the first page was read.
    pub epoch: u64,
    /// The head when the first page was read: later events belong to no page.
    pub bound: Position,
    /// The last position that was shown or passed over; zero when none was. Of an analysis, whose rows have no positions,
    /// the number of rows shown.
    pub place: Position,
    /// Newest first.
    pub descending: bool,
    /// What `now` meant on the first page.
    pub now: Option<Timestamp>,
    /// What a ranking shows next, none of it above the bound.
    pub ranked: Vec<Position>,
}

const DESCENDING: u8 = 1;
const WITH_NOW: u8 = 2;
const WITH_RANKED: u8 = 4;
/// The most positions of a ranking in a cursor: as many as are ranked.
const RANKED_MAX: u64 = 200;

impl Cursor {
    /// The cursor as text.
    pub(crate) fn encode(&self) -> String {
        let mut flags = 0;
        if self.descending {
            flags |= DESCENDING;
        }
        if self.now.is_some() {
            flags |= WITH_NOW;
        }
        if !self.ranked.is_empty() {
            flags |= WITH_RANKED;
        }
        let mut bytes = vec![flags];
        bytes.extend(self.query.number().to_le_bytes());
        for number in [self.epoch, self.bound.get(), self.place.get()] {
            push_varint(&mut bytes, number);
        }
        if let Some(now) = self.now {
            push_varint(&mut bytes, now.as_micros().cast_unsigned());
        }
        if !self.ranked.is_empty() {
            push_varint(&mut bytes, self.ranked.len() as u64);
            for position in &self.ranked {
                push_varint(&mut bytes, self.bound.get().saturating_sub(position.get()));
            }
        }
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend(checksum.to_le_bytes());
        to_base64(&bytes)
    }

    /// Reads a cursor.
    ///
    /// # Errors
    /// `Invalid` (`bad_cursor`) when it is not one, or was mistyped.
    pub(crate) fn decode(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            let message = "read the cursor: it is not one that this store gave, or a character of it is lost; \
                           copy next_cursor whole, or send the query again without cursor";
            Error::invalid("bad_cursor", message)
        })
    }
}

fn parse(text: &str) -> Option<Cursor> {
    let bytes = from_base64(text.trim())?;
    let (body, checksum) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (&flags, rest) = body.split_first()?;
    let (query, mut rest) = rest.split_first_chunk::<8>()?;
    let mut number = || take_varint(&mut rest);
    let mut cursor = Cursor {
        query: QueryId::from_number(u64::from_le_bytes(*query)),
        epoch: number()?,
        bound: Position::new(number()?),
        place: Position::new(number()?),
        descending: flags & DESCENDING != 0,
        now: match flags & WITH_NOW {
            0 => None,
            _ => Some(Timestamp::from_micros(number()?.cast_signed())),
        },
        ranked: Vec::new(),
    };
    if flags & WITH_RANKED != 0 {
        let count = number()?.min(RANKED_MAX);
        let bound = cursor.bound.get();
        let mut below = || Some(Position::new(bound.saturating_sub(number()?)));
        cursor.ranked = (0..count).map(|_| below()).collect::<Option<_>>()?;
    }
    Some(cursor)
}

fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    bytes.push(low_byte(number));
}

fn low_byte(number: u64) -> u8 {
    let [low, ..] = number.to_le_bytes();
    low
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        for (slot, byte) in group.iter_mut().skip(1).zip(chunk) {
            *slot = *byte;
        }
        let bits = u32::from_be_bytes(group);
        for index in 0..=chunk.len() {
            let six = bits >> (18 - 6 * index) & 63;
            let letter = usize::try_from(six).ok().and_then(|six| ALPHABET.get(six));
            text.extend(letter.map(|letter| char::from(*letter)));
        }
    }
    text
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0_u32, 0);
    for letter in text.bytes() {
        let six = ALPHABET.iter().position(|known| *known == letter)?;
        bits = (bits << 6 | u32::try_from(six).ok()?) & 0x3fff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(low_byte(u64::from(bits >> held)));
        }
    }
    // Left-over bits must be zero, or two texts would mean the same cursor.
    (bits & ((1 << held) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> Cursor {
        Cursor {
            query: QueryId::of("query_events", "{}"),
            epoch: 3,
            bound: Position::new(262_200),
            place: Position::new(17),
            descending: true,
            now: None,
            ranked: Vec::new(),
        }
    }

    #[track_caller]
    fn check(cursor: &Cursor) {
        let text = cursor.encode();
        assert!(text.bytes().all(|byte| ALPHABET.contains(&byte)), "{text}");
        assert_eq!(Cursor::decode(&text).expect("a cursor"), *cursor, "{text}");
    }

    #[test]
    fn a_cursor_reads_back_as_it_was() {
        check(&cursor());
        check(&Cursor { now: Some(Timestamp::from_micros(1_700_000_000_000_000)), ..cursor() });
        let ranked = [262_200, 1, 77, 262_199].map(Position::new).to_vec();
        check(&Cursor { ranked, now: Some(Timestamp::from_micros(7)), ..cursor() });
        check(&Cursor {
            now: Some(Timestamp::from_micros(-1)),
            epoch: u64::MAX,
            descending: false,
            ..cursor()
        });
    }

    #[test]
    fn a_mistyped_cursor_is_refused() {
        let text = cursor().encode();
        for at in 0..text.len() {
            let mut letters: Vec<char> = text.chars().collect();
            letters[at] = if letters[at] == 'x' { 'y' } else { 'x' };
            let mistyped: String = letters.iter().collect();
            assert_eq!(Cursor::decode(&mistyped).expect_err("a mistyped cursor").code(), "bad_cursor");
            letters.remove(at);
            let short: String = letters.iter().collect();
            assert_eq!(Cursor::decode(&short).expect_err("a short cursor").code(), "bad_cursor");
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "x", "abc def", "q-0123456789ab", "💥"] {
            assert_eq!(Cursor::decode(text).expect_err("no cursor").code(), "bad_cursor");
        }
    }
}
