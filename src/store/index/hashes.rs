//! *Where may the event with this id, the call with this key, stand?* Hashes of names to positions.
//!
//! ```text
//!  0  4  count
//!  4  1  bucket_bits    the first bits of a hash name its bucket
//!  5  1  row_bytes      bytes of a position: 3 or 4
//!  6  2  zero
//!  8     per bucket, and once more behind the last: 4 index of its first entry
//!        per entry, in order of hashes: 2 the next 16 bits of the hash, row_bytes position
//! ```
//!
//! Two reads answer, whatever the size. Different names may share an entry's bits.
//!
//! **Invariant:** an answer is a candidate: whoever asks compares the name in the record with the one meant.

use std::hint::black_box;

use super::format::u32_at;
use super::postings::Malformed;

const HEADER_BYTES: usize = 8;
/// How many entries a bucket holds in the mean, at most.
const BUCKET_ENTRIES: usize = 4;
const BUCKET_BITS_MAX: u32 = 24;
const MARK_BYTES: usize = 2;

/// The table of `entries` (hash, position); nothing for none.
pub(super) fn encode(mut entries: Vec<(u64, u32)>) -> Vec<u8> {
    if entries.is_empty() {
        return Vec::new();
    }
    entries.sort_unstable();
    let bits = (entries.len() / BUCKET_ENTRIES).max(1).ilog2().min(BUCKET_BITS_MAX);
    let row_bytes = if entries.iter().all(|&(_, row)| row < 1 << 24) { 3 } else { 4 };
    let mut out =
        Vec::with_capacity(HEADER_BYTES + (4 << bits) + 4 + entries.len() * (MARK_BYTES + row_bytes));
    out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    out.extend_from_slice(&[bits as u8, row_bytes as u8, 0, 0]);
    for bucket in 0..=1_u64 << bits {
        let first = entries.partition_point(|&(hash, _)| bucket_of(hash, bits) < bucket);
        out.extend_from_slice(&(first as u32).to_le_bytes());
    }
    for (hash, row) in entries {
        out.extend_from_slice(&mark_of(hash, bits).to_le_bytes());
        out.extend(row.to_le_bytes().into_iter().take(row_bytes));
    }
    out
}

/// Calls `each` with every position that may be meant by `hash`.
pub(super) fn look_up(bytes: &[u8], hash: u64, each: impl FnMut(u32)) -> Result<(), Malformed> {
    match Table::of(bytes)? {
        Some(table) => table.look_up(hash, each),
        None => Ok(()),
    }
}

/// Puts into `out` (emptied first) the index of each of `hashes` by which some position may be meant.
pub(super) fn likely(bytes: &[u8], hashes: &[u64], out: &mut Vec<usize>) -> Result<(), Malformed> {
    out.clear();
    let Some(table) = Table::of(bytes)? else { return Ok(()) };
    // Each question costs two waits for memory. Asked first without a look at the answers, all wait at the same time.
    black_box(hashes.iter().fold(0, |loaded, &hash| loaded ^ table.entries(hash).map_or(0, touch)));
    for (index, &hash) in hashes.iter().enumerate() {
        let mut is_likely = false;
        table.look_up(hash, |_| is_likely = true)?;
        if is_likely {
            out.push(index);
        }
    }
    Ok(())
}

fn touch(entries: &[u8]) -> u8 {
    entries.first().copied().unwrap_or_default()
}

/// A table that was written by [`encode`].
struct Table<'a> {
    bytes: &'a [u8],
    bits: u32,
    row_bytes: usize,
}

impl<'a> Table<'a> {
    /// `None` when it is empty.
    fn of(bytes: &'a [u8]) -> Result<Option<Self>, Malformed> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let bits = u32::from(*bytes.get(4).ok_or(Malformed)?);
        let row_bytes = usize::from(*bytes.get(5).ok_or(Malformed)?);
        let is_sound = bits <= BUCKET_BITS_MAX && (3..=4).contains(&row_bytes);
        if is_sound { Ok(Some(Self { bytes, bits, row_bytes })) } else { Err(Malformed) }
    }

    /// The entries of the bucket in which a hash belongs.
    fn entries(&self, hash: u64) -> Option<&'a [u8]> {
        let bucket = HEADER_BYTES + bucket_of(hash, self.bits) as usize * 4;
        let from = u32_at(self.bytes, bucket)? as usize;
        let to = u32_at(self.bytes, bucket + 4)? as usize;
        let entries = HEADER_BYTES + (4 << self.bits) + 4;
        let width = MARK_BYTES + self.row_bytes;
        self.bytes.get(entries + from * width..entries + to * width)
    }

    fn look_up(&self, hash: u64, mut each: impl FnMut(u32)) -> Result<(), Malformed> {
        let mark = mark_of(hash, self.bits).to_le_bytes();
        for entry in self.entries(hash).ok_or(Malformed)?.chunks_exact(MARK_BYTES + self.row_bytes) {
            let Some(row) = entry.strip_prefix(&mark) else { continue };
            let mut number = [0; 4];
            number.iter_mut().zip(row).for_each(|(place, byte)| *place = *byte);
            each(u32::from_le_bytes(number));
        }
        Ok(())
    }
}

fn bucket_of(hash: u64, bits: u32) -> u64 {
    hash.checked_shr(64 - bits).unwrap_or_default()
}

fn mark_of(hash: u64, bits: u32) -> u16 {
    (hash >> (48 - bits)) as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::index::format::hash_of;

    fn found(bytes: &[u8], hash: u64) -> Vec<u32> {
        let mut rows = Vec::new();
        look_up(bytes, hash, |row| rows.push(row)).expect("a table");
        rows
    }

    #[track_caller]
    fn check(count: u32, first: u32) {
        let entries: Vec<_> = (0..count).map(|i| (hash_of(&i.to_le_bytes()), first + i)).collect();
        let bytes = encode(entries.clone());
        let hashes: Vec<_> = entries.iter().map(|entry| entry.0).collect();
        let mut found_likely = Vec::new();
        likely(&bytes, &hashes, &mut found_likely).expect("a table");
        assert_eq!(found_likely, (0..hashes.len()).collect::<Vec<_>>());
        for (hash, row) in entries {
            assert!(found(&bytes, hash).contains(&row), "{count} entries, row {row}");
        }
    }

    #[test]
    fn every_name_is_found_again() {
        for count in [1, 2, 7, 8, 9, 5_000] {
            check(count, 0);
            check(count, 1 << 25);
        }
    }

    #[test]
    fn a_stranger_is_seldom_a_candidate_and_an_entry_costs_six_bytes() {
        let bytes = encode((0..50_000_u32).map(|i| (hash_of(&i.to_le_bytes()), i)).collect());
        let candidates: usize =
            (50_000..60_000_u32).map(|i| found(&bytes, hash_of(&i.to_le_bytes())).len()).sum();
        assert!(candidates < 20, "{candidates} candidates");
        assert!(bytes.len() <= 50_000 * 6 + 64, "{} bytes", bytes.len());
    }

    #[test]
    fn an_empty_table_holds_nothing() {
        assert!(found(&encode(Vec::new()), 1).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn bytes_that_are_no_table_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..64), bits in 0_u8..30, hash in any::<u64>(),
        ) {
            let mut bytes = bytes;
            if let Some(place) = bytes.get_mut(4) { *place = bits }
            if let Some(place) = bytes.get_mut(5) { *place = 3 }
            let _ = look_up(&bytes, hash, |_| ());
            let _ = likely(&bytes, &[hash, !hash], &mut Vec::new());
        }
    }
}
