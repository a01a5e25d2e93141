//! The header before each page of a Parquet file: Thrift's compact protocol, as much of it as our pages use.
//!
//! The crate `parquet` reads headers only as part of a reader that is made anew, with a zstd context of its own, for each
//! page; a look-up that decodes one page a column would spend most of its time on that.

use super::encoding::take_varint;

const DICTIONARY_PAGE: i64 = 2;
const DATA_PAGE_V2: i64 = 3;

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const I8: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const STRUCT: u8 = 12;

/// What a page says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub is_dictionary: bool,
    /// The size of the page's body, without this header.
    pub stored_bytes: usize,
    /// The size of the body when it is decompressed.
    pub plain_bytes: usize,
    /// How many values there are, those that are not there counted in.
    pub values: usize,
    /// How many of them are not there.
    pub nulls: usize,
    /// The number of the encoding.
    pub encoding: i64,
    /// The size of what says which values are there; it comes first and is never compressed.
    pub levels_bytes: usize,
    pub is_compressed: bool,
}

impl PageHeader {
    /// The header at the start of `bytes` and its size; `None` when it is none of ours.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut rest = bytes;
        let mut header = Self { is_compressed: true, ..Self::default() };
        let mut kind = -1;
        fields(&mut rest, |field, value, rest| {
            match (field, value) {
                (1, Some(number)) => kind = number,
                (2, Some(number)) => header.plain_bytes = usize::try_from(number).ok()?,
                (3, Some(number)) => header.stored_bytes = usize::try_from(number).ok()?,
                (7, None) => header.read_dictionary(rest)?,
                (8, None) => header.read_data(rest)?,
                (_, Some(_)) => {}
                (_, None) => return None,
            }
            Some(())
        })?;
        header.is_dictionary = kind == DICTIONARY_PAGE;
        (header.is_dictionary || kind == DATA_PAGE_V2).then_some((header, bytes.len() - rest.len()))
    }

    fn read_dictionary(&mut self, rest: &mut &[u8]) -> Option<()> {
        fields(rest, |field, value, _| {
            match field {
                1 => self.values = usize::try_from(value?).ok()?,
                2 => self.encoding = value?,
                _ => {}
            }
            value.map(|_| ())
        })
    }

    fn read_data(&mut self, rest: &mut &[u8]) -> Option<()> {
        fields(rest, |field, value, _| {
            match field {
                1 => self.values = usize::try_from(value?).ok()?,
                2 => self.nulls = usize::try_from(value?).ok()?,
                4 => self.encoding = value?,
                5 => self.levels_bytes = usize::try_from(value?).ok()?,
                7 => self.is_compressed = value? != 0,
                _ => {}
            }
            value.map(|_| ())
        })
    }
}

/// Shows each field of a struct to `each`: its number and, unless it is a struct that `each` has to read, its value.
fn fields(rest: &mut &[u8], mut each: impl FnMut(i64, Option<i64>, &mut &[u8]) -> Option<()>) -> Option<()> {
    let mut field = 0;
    loop {
        let (&head, after) = rest.split_first()?;
        *rest = after;
        if head == 0 {
            return Some(());
        }
        field = match head >> 4 {
            0 => take_zigzag(rest)?,
            step => field + i64::from(step),
        };
        let value = match head & 0xf {
            TRUE => Some(1),
            FALSE => Some(0),
            I8 => {
                let (&byte, after) = rest.split_first()?;
                *rest = after;
                Some(i64::from(byte))
            }
            I16 | I32 | I64 => Some(take_zigzag(rest)?),
            STRUCT => None,
            _ => return None,
        };
        each(field, value, rest)?;
    }
}

fn take_zigzag(rest: &mut &[u8]) -> Option<i64> {
    take_varint(rest).map(super::encoding::zigzag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_a_short_or_strange_one_is_refused() {
        // type = 3, uncompressed = 100, compressed = 60, V2 { values 10, nulls 1, rows 10, encoding 6, levels 2, 0, compressed }
        let bytes = [
            0x15, 6, 0x15, 200, 1, 0x15, 120, 0x5c, 0x15, 20, 0x15, 2, 0x15, 20, 0x15, 12, 0x15, 4, 0x15, 0,
            0x11, 0, 0, 0xff,
        ];
        let (header, len) = PageHeader::read(&bytes).expect("a header");
        let expected = PageHeader {
            is_dictionary: false,
            stored_bytes: 60,
            plain_bytes: 100,
            values: 10,
            nulls: 1,
            encoding: 6,
            levels_bytes: 2,
            is_compressed: true,
        };
        assert_eq!((header, len), (expected, bytes.len() - 1));
        for end in 0..len {
            assert_eq!(PageHeader::read(&bytes[..end]), None, "{end} bytes");
        }
        assert_eq!(PageHeader::read(&[0x19, 1]), None);
    }
}
