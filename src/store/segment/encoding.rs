//! Decoding the encodings that our Parquet pages use
//! (<https://parquet.apache.org/docs/file-format/data-pages/encodings/>).
//!
//! The crate `parquet` decodes text into one reference-counted handle per value. A look-up needs one value of a page, so
//! these give the page as it is, with the place of each value in it.
//!
//! **Invariant:** whatever the bytes are, the answer is values or `None`, never a panic, and never more values than were
//! asked for.

pub(super) const PLAIN: i64 = 0;
pub(super) const DELTA_BINARY_PACKED: i64 = 5;
pub(super) const DELTA_LENGTH_BYTE_ARRAY: i64 = 6;
pub(super) const DELTA_BYTE_ARRAY: i64 = 7;
pub(super) const RLE_DICTIONARY: i64 = 8;

/// Takes a variable-length number off the front of `rest`.
pub(super) fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The signed number that was folded into an unsigned one: 0, -1, 1, -2, …
pub(super) fn zigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Takes `DELTA_BINARY_PACKED` numbers off the front of `rest`; they must be `count`.
pub(super) fn take_deltas(rest: &mut &[u8], count: usize) -> Option<Vec<i64>> {
    let block_values = usize::try_from(take_varint(rest)?).ok()?;
    let miniblocks = usize::try_from(take_varint(rest)?).ok()?;
    let total = usize::try_from(take_varint(rest)?).ok()?;
    let mut value = zigzag(take_varint(rest)?);
    let miniblock_values = block_values.checked_div(miniblocks)?;
    if total != count || miniblock_values == 0 || !miniblock_values.is_multiple_of(8) {
        return None;
    }
    let mut values = Vec::with_capacity(count);
    if count > 0 {
        values.push(value);
    }
    while values.len() < count {
        let least = zigzag(take_varint(rest)?);
        let (widths, after) = rest.split_at_checked(miniblocks)?;
        *rest = after;
        for &width in widths {
            let wanted = (count - values.len()).min(miniblock_values);
            if wanted == 0 {
                break;
            }
            if width > 64 {
                return None;
            }
            let bytes = miniblock_values.checked_mul(usize::from(width))? / 8;
            let (packed, after) = rest.split_at_checked(bytes)?;
            *rest = after;
            for index in 0..wanted {
                let delta = bits_at(packed, index * usize::from(width), u32::from(width));
                value = value.wrapping_add(least).wrapping_add(delta.cast_signed());
                values.push(value);
            }
        }
    }
    Some(values)
}

/// The `width` bits, 64 at most, that begin at `bit`; beyond the end there are zeros.
fn bits_at(bytes: &[u8], bit: usize, width: u32) -> u64 {
    if width == 0 {
        return 0;
    }
    let (at, shift) = (bit / 8, (bit % 8) as u32);
    let tail = bytes.get(at..).unwrap_or_default();
    let word = match tail.first_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word),
        None => tail.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    };
    let mut bits = word >> shift;
    if shift + width > 64 {
        bits |= u64::from(tail.get(8).copied().unwrap_or_default()) << (64 - shift);
    }
    bits & (u64::MAX >> (64 - width))
}

/// `count` numbers of `width` bits in runs and packed groups.
pub(super) fn runs(mut rest: &[u8], width: u32, count: usize) -> Option<Vec<u32>> {
    if width > 32 {
        return None;
    }
    let mut values = Vec::with_capacity(count);
    while values.len() < count {
        let head = take_varint(&mut rest)?;
        let wanted = count - values.len();
        let length = usize::try_from(head >> 1).ok()?;
        if head & 1 == 1 {
            let bytes = length.checked_mul(width as usize)?;
            let (packed, after) = rest.split_at_checked(bytes)?;
            rest = after;
            let wanted = wanted.min(length.checked_mul(8)?);
            values.extend((0..wanted).map(|index| bits_at(packed, index * width as usize, width) as u32));
        } else {
            let (bytes, after) = rest.split_at_checked(width.div_ceil(8) as usize)?;
            rest = after;
            let value = bits_at(bytes, 0, width) as u32;
            values.extend(std::iter::repeat_n(value, wanted.min(length)));
        }
        if length == 0 {
            return None;
        }
    }
    Some(values)
}

/// The lengths of `count` values of `DELTA_LENGTH_BYTE_ARRAY`, as the places where they begin in `bytes`, and where the
/// last one ends.
pub(super) fn lengths(bytes: &[u8], count: usize) -> Option<Vec<u32>> {
    let mut rest = bytes;
    let lengths = take_deltas(&mut rest, count)?;
    let mut at = u32::try_from(bytes.len() - rest.len()).ok()?;
    let mut places = Vec::with_capacity(count + 1);
    places.push(at);
    for length in lengths {
        at = at.checked_add(u32::try_from(length).ok()?)?;
        places.push(at);
    }
    (at as usize <= bytes.len()).then_some(places)
}

/// The places of `count` values of `PLAIN`: where each begins and ends.
pub(super) fn plain(bytes: &[u8], count: usize) -> Option<Vec<(u32, u32)>> {
    let mut at = 0_usize;
    let mut places = Vec::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        let start = at.checked_add(4)?;
        let length = u32::from_le_bytes(bytes.get(at..start)?.try_into().ok()?);
        at = start.checked_add(length as usize)?;
        if at > bytes.len() {
            return None;
        }
        places.push((u32::try_from(start).ok()?, u32::try_from(at).ok()?));
    }
    Some(places)
}

/// `count` values of `DELTA_BYTE_ARRAY`, one behind the other, at most `bytes_max` bytes, and the places where they begin.
pub(super) fn prefixed(bytes: &[u8], count: usize, bytes_max: usize) -> Option<(Vec<u8>, Vec<u32>)> {
    let mut rest = bytes;
    let prefixes = take_deltas(&mut rest, count)?;
    let suffixes = lengths(rest, count)?;
    let mut out = Vec::new();
    let mut places = Vec::with_capacity(count + 1);
    places.push(0);
    let mut previous = 0..0;
    for (prefix, suffix) in prefixes.into_iter().zip(suffixes.windows(2)) {
        let &[from, to] = suffix else { return None };
        let prefix = usize::try_from(prefix).ok().filter(|&prefix| prefix <= previous.len())?;
        let start = out.len();
        out.extend_from_within(previous.start..previous.start + prefix);
        out.extend_from_slice(rest.get(from as usize..to as usize)?);
        if out.len() > bytes_max {
            return None;
        }
        previous = start..out.len();
        places.push(u32::try_from(out.len()).ok()?);
    }
    Some((out, places))
}
