//! A decoded page: the values of some neighbouring rows in one column.

use std::sync::Arc;

use bytes::Bytes;
use zstd::bulk::Decompressor;

use super::column::Column;
use super::encoding::{
    DELTA_BINARY_PACKED, DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY, PLAIN, RLE_DICTIONARY, lengths, plain,
    prefixed, runs, take_deltas,
};
use super::thrift::PageHeader;

/// The largest page that is decoded: 4 MiB, four times the largest payload.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// The most values in a page that is decoded: 65,536.
const PAGE_VALUES_MAX: usize = 1 << 16;

/// A decoded page.
#[derive(Debug)]
pub(super) enum Page {
    Numbers(Vec<i64>),
    /// Text that lies in `bytes`, each from one place to the next.
    Texts {
        bytes: Bytes,
        places: Vec<u32>,
        /// Which rows have a value, where some have none.
        present: Option<Vec<bool>>,
    },
    /// What each text of a dictionary begins and ends with.
    Dictionary {
        bytes: Bytes,
        places: Vec<(u32, u32)>,
    },
    /// Text that stands in a dictionary.
    Picked {
        dictionary: Arc<Page>,
        picks: Vec<u32>,
    },
}

impl Page {
    /// The number of a row.
    pub(super) fn number(&self, row: usize) -> Option<i64> {
        match self {
            Self::Numbers(numbers) => numbers.get(row).copied(),
            _ => None,
        }
    }

    /// Whether a row has a value.
    pub(super) fn is_present(&self, row: usize) -> bool {
        match self {
            Self::Texts { present: Some(present), .. } => present.get(row).copied().unwrap_or_default(),
            _ => true,
        }
    }

    /// The bytes of a row's text.
    pub(super) fn text(&self, row: usize) -> Option<&[u8]> {
        let (bytes, from, to) = self.place(row)?;
        bytes.get(from..to)
    }

    /// The same, sharing the memory of the page.
    pub(super) fn shared_text(&self, row: usize) -> Option<Bytes> {
        let (bytes, from, to) = self.place(row)?;
        (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
    }

    fn place(&self, row: usize) -> Option<(&Bytes, usize, usize)> {
        match self {
            Self::Numbers(_) => None,
            Self::Texts { bytes, places, .. } => {
                Some((bytes, *places.get(row)? as usize, *places.get(row + 1)? as usize))
            }
            Self::Dictionary { bytes, places } => {
                let (from, to) = *places.get(row)?;
                Some((bytes, from as usize, to as usize))
            }
            Self::Picked { dictionary, picks } => dictionary.entry(*picks.get(row)? as usize),
        }
    }

    /// The place of an entry of a dictionary, which is never itself picked from another.
    fn entry(&self, entry: usize) -> Option<(&Bytes, usize, usize)> {
        match self {
            Self::Dictionary { bytes, places } => {
                let (from, to) = *places.get(entry)?;
                Some((bytes, from as usize, to as usize))
            }
            _ => None,
        }
    }

    /// The memory it takes, in bytes; a dictionary is counted where it lies.
    pub(super) fn weight(&self) -> usize {
        let held = match self {
            Self::Numbers(numbers) => numbers.len() * 8,
            Self::Texts { bytes, places, present } => {
                bytes.len() + places.len() * 4 + present.as_ref().map_or(0, Vec::len)
            }
            Self::Dictionary { bytes, places } => bytes.len() + places.len() * 8,
            Self::Picked { picks, .. } => picks.len() * 4,
        };
        held + size_of::<Self>()
    }
}

/// Decodes the dictionary of a column, which begins `bytes`.
pub(super) fn dictionary(bytes: &[u8], zstd: &mut Decompressor<'static>) -> Option<Page> {
    let (header, body) = header(bytes)?;
    if !header.is_dictionary || header.encoding != PLAIN {
        return None;
    }
    let bytes = unpack(&header, body, zstd)?;
    let places = plain(&bytes, header.values)?;
    Some(Page::Dictionary { bytes, places })
}

/// Decodes the page that begins `bytes` and holds `rows` rows of `column`.
pub(super) fn decode(
    column: Column,
    rows: usize,
    bytes: &[u8],
    dictionary: Option<&Arc<Page>>,
    zstd: &mut Decompressor<'static>,
) -> Option<Page> {
    let (header, body) = header(bytes)?;
    if header.is_dictionary || header.values != rows || header.nulls > rows {
        return None;
    }
    let (levels, _) = body.split_at_checked(header.levels_bytes)?;
    let present = if column.is_optional() && header.nulls > 0 {
        let present: Vec<bool> = runs(levels, 1, rows)?.into_iter().map(|level| level == 1).collect();
        let absent = present.iter().filter(|present| !**present).count();
        (absent == header.nulls).then_some(Some(present))?
    } else {
        None
    };
    let values = rows - header.nulls;
    let bytes = unpack(&header, body, zstd)?;
    match header.encoding {
        DELTA_BINARY_PACKED if column.is_number() => {
            take_deltas(&mut bytes.as_ref(), values).map(Page::Numbers)
        }
        _ if column.is_number() => None,
        DELTA_LENGTH_BYTE_ARRAY => {
            let places = spread(lengths(&bytes, values)?, present.as_deref());
            Some(Page::Texts { bytes, places, present })
        }
        DELTA_BYTE_ARRAY => {
            let (bytes, places) = prefixed(&bytes, values, PAGE_BYTES_MAX)?;
            let places = spread(places, present.as_deref());
            Some(Page::Texts { bytes: Bytes::from(bytes), places, present })
        }
        RLE_DICTIONARY => {
            let (&width, packed) = bytes.split_first()?;
            let picks = runs(packed, u32::from(width), values)?;
            Some(Page::Picked { dictionary: Arc::clone(dictionary?), picks })
        }
        _ => None,
    }
}

/// The header of the page that begins `bytes`, and its body.
fn header(bytes: &[u8]) -> Option<(PageHeader, &[u8])> {
    let (header, at) = PageHeader::read(bytes)?;
    let body = bytes.get(at..at.checked_add(header.stored_bytes)?)?;
    (header.plain_bytes <= PAGE_BYTES_MAX && header.values <= PAGE_VALUES_MAX).then_some((header, body))
}

/// The values of a page, decompressed.
fn unpack(header: &PageHeader, body: &[u8], zstd: &mut Decompressor<'static>) -> Option<Bytes> {
    let packed = body.get(header.levels_bytes..)?;
    let plain_bytes = header.plain_bytes.checked_sub(header.levels_bytes)?;
    if !header.is_compressed || plain_bytes == 0 {
        return (packed.len() == plain_bytes).then(|| Bytes::copy_from_slice(packed));
    }
    let plain = zstd.decompress(packed, plain_bytes).ok()?;
    (plain.len() == plain_bytes).then(|| Bytes::from(plain))
}

/// The places of all rows, from those of the rows that have a value.
fn spread(places: Vec<u32>, present: Option<&[bool]>) -> Vec<u32> {
    let Some(present) = present else { return places };
    let mut places = places.into_iter();
    let mut at = places.next().unwrap_or_default();
    let mut spread = Vec::with_capacity(present.len() + 1);
    spread.push(at);
    for &is_present in present {
        if is_present {
            at = places.next().unwrap_or(at);
        }
        spread.push(at);
    }
    spread
}
