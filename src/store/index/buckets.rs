//! *Where is what has this name?* A hash table that answers with one wait for memory, and needs none to be opened.
//!
//! ```text
//!  0  4  count        entries
//!  4  4  buckets
//!  8 40  zero, so that a bucket is one cache line of the mapped file
//! 48     per bucket, 64 bytes:
//!          1  entries in it, at most 10
//!          3  how many buckets further on its own entries end: 0 when it has all of them
//!         60  per entry: 2 bits 32 to 47 of the hash, 4 number
//! ```
//!
//! The first 32 bits of a hash name its bucket; an entry that finds no room goes into the next bucket that has some,
//! the last one's into the first. Different names may share an entry's bits.
//!
//! **Invariant:** an answer is a candidate: whoever asks compares the name there with the one meant.

use std::hint::black_box;

use super::format::{HEADER_BYTES as FILE_HEADER_BYTES, u32_at};
use super::postings::Malformed;

const HEADER_BYTES: usize = BUCKET_BYTES - FILE_HEADER_BYTES % BUCKET_BYTES;
const BUCKET_BYTES: usize = 64;
const BUCKET_HEADER_BYTES: usize = 4;
const ENTRY_BYTES: usize = 6;
const ENTRIES_MAX: usize = (BUCKET_BYTES - BUCKET_HEADER_BYTES) / ENTRY_BYTES;
/// How many entries a bucket gets in the mean, so that few overflow: 6.
const ENTRIES_MEAN: usize = 6;

/// The table of `entries` (hash, number); nothing for none.
pub(super) fn encode(entries: &[(u64, u32)]) -> Vec<u8> {
    if entries.is_empty() {
        return Vec::new();
    }
    let buckets = entries.len().div_ceil(ENTRIES_MEAN);
    let mut places: Vec<Vec<(u16, u32)>> = vec![Vec::new(); buckets];
    let mut reaches = vec![0_u32; buckets];
    let mut sorted = entries.to_vec();
    sorted.sort_unstable();
    for (hash, number) in sorted {
        let own = bucket_of(hash, buckets);
        let free = (0..buckets)
            .find(|step| places.get((own + step) % buckets).is_some_and(|bucket| bucket.len() < ENTRIES_MAX));
        let step = free.unwrap_or_default();
        if let (Some(bucket), Some(reach)) = (places.get_mut((own + step) % buckets), reaches.get_mut(own)) {
            bucket.push((mark_of(hash), number));
            *reach = (*reach).max(step as u32);
        }
    }
    let mut out = Vec::with_capacity(HEADER_BYTES + buckets * BUCKET_BYTES);
    out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    out.extend_from_slice(&(buckets as u32).to_le_bytes());
    out.resize(HEADER_BYTES, 0);
    for (bucket, reach) in places.iter().zip(reaches) {
        let end = out.len() + BUCKET_BYTES;
        let [low, middle, high, _] = reach.to_le_bytes();
        out.extend_from_slice(&[bucket.len() as u8, low, middle, high]);
        for (mark, number) in bucket {
            out.extend_from_slice(&mark.to_le_bytes());
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.resize(end, 0);
    }
    out
}

/// A table that was written by [`encode`].
#[derive(Clone, Copy)]
pub(super) struct Buckets<'a> {
    buckets: &'a [[u8; BUCKET_BYTES]],
}

impl<'a> Buckets<'a> {
    /// The table in these bytes.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.is_empty() {
            return Ok(Self { buckets: &[] });
        }
        let count = u32_at(bytes, 4).ok_or(Malformed)? as usize;
        let (buckets, rest) = bytes.get(HEADER_BYTES..).ok_or(Malformed)?.as_chunks::<BUCKET_BYTES>();
        if rest.is_empty() && buckets.len() == count { Ok(Self { buckets }) } else { Err(Malformed) }
    }

    /// Calls `each` with every number that may be meant by `hash`.
    pub(super) fn look_up(self, hash: u64, mut each: impl FnMut(u32)) {
        let own = bucket_of(hash, self.buckets.len());
        let Some(bucket) = self.buckets.get(own) else { return };
        let mark = mark_of(hash).to_le_bytes();
        let [_, low, middle, high, ..] = *bucket;
        let reach = u32::from_le_bytes([low, middle, high, 0]);
        look_in(bucket, mark, &mut each);
        for step in 1..=(reach as usize).min(self.buckets.len() - 1) {
            if let Some(bucket) = self.buckets.get((own + step) % self.buckets.len()) {
                look_in(bucket, mark, &mut each);
            }
        }
    }

    /// Has the processor load what is asked of `hashes`, all at the same time: one after the other, each would wait.
    pub(super) fn load(self, hashes: &[u64]) {
        let first =
            |&hash: &u64| self.buckets.get(bucket_of(hash, self.buckets.len())).map_or(0, |[byte, ..]| *byte);
        black_box(hashes.iter().map(first).fold(0, |loaded, byte| loaded ^ byte));
    }
}

fn look_in(bucket: &[u8; BUCKET_BYTES], mark: [u8; 2], each: &mut impl FnMut(u32)) {
    let [count, _, _, _, entries @ ..] = bucket;
    for [low, high, number @ ..] in entries.as_chunks::<ENTRY_BYTES>().0.iter().take(usize::from(*count)) {
        if [*low, *high] == mark {
            each(u32::from_le_bytes(*number));
        }
    }
}

fn bucket_of(hash: u64, buckets: usize) -> usize {
    (((hash >> 32) * buckets as u64) >> 32) as usize
}

fn mark_of(hash: u64) -> u16 {
    (hash >> 16) as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::index::format::hash_of;

    fn found(bytes: &[u8], hash: u64) -> Vec<u32> {
        let mut numbers = Vec::new();
        Buckets::of(bytes).expect("a table").look_up(hash, |number| numbers.push(number));
        numbers
    }

    fn entries(count: u32) -> Vec<(u64, u32)> {
        (0..count).map(|i| (hash_of(&i.to_le_bytes()), i * 50)).collect()
    }

    #[test]
    fn every_name_is_found_again() {
        for count in [1, 2, 7, 61, 5_000] {
            let entries = entries(count);
            let bytes = encode(&entries);
            for (hash, number) in entries {
                assert!(found(&bytes, hash).contains(&number), "{count} entries, number {number}");
            }
        }
    }

    #[test]
    fn names_that_crowd_into_one_bucket_go_on_into_the_next() {
        let crowd: Vec<_> =
            (0..4_000_u64).map(|i| (u64::MAX - (i << 16), u32::try_from(i).expect("small"))).collect();
        let bytes = encode(&crowd);
        for &(hash, number) in &crowd {
            assert_eq!(found(&bytes, hash), [number]);
        }
        assert!(found(&bytes, 1 << 20).is_empty());
    }

    #[test]
    fn a_stranger_is_seldom_a_candidate_and_an_entry_costs_eleven_bytes() {
        let bytes = encode(&entries(50_000));
        let strangers = (50_000..60_000_u32).map(|i| found(&bytes, hash_of(&i.to_le_bytes())).len());
        assert!(strangers.sum::<usize>() < 20);
        assert!(bytes.len() <= 50_000 * 11 + HEADER_BYTES, "{} bytes", bytes.len());
        assert_eq!((HEADER_BYTES, encode(&[]).len()), (48, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn bytes_that_are_no_table_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200), buckets in 0_u8..4, hash in any::<u64>(),
        ) {
            let mut bytes = bytes;
            if let Some(place) = bytes.get_mut(4..8) { place.copy_from_slice(&[buckets, 0, 0, 0]) }
            if let Ok(table) = Buckets::of(&bytes) {
                table.load(&[hash, !hash]);
                table.look_up(hash, |_| ());
            }
        }
    }
}
