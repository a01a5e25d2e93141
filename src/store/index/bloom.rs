//! *Is this entity surely not here?* A split-block Bloom filter over the entity ids of a file of format version 1.
//!
//! The filter of Apache Parquet (<https://parquet.apache.org/docs/file-format/bloomfilter/>, after Putze, Sanders
//! and Singler, *Cache-, hash- and space-efficient Bloom filters*, 2007), fed with XXH3-64: blocks of 256 bits, 8 of
//! them set per key, one cache line per question. With 10 bits a key about one absent key in a hundred passes.
//!
//! **Invariant:** a key that was put in is never denied.

const BITS_PER_KEY: usize = 10;
const BLOCK_BYTES: usize = 32;
const SALT: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// The filter that holds `hashes`.
pub(super) fn encode(hashes: impl ExactSizeIterator<Item = u64>) -> Vec<u8> {
    let blocks = (hashes.len() * BITS_PER_KEY).div_ceil(BLOCK_BYTES * 8);
    let mut bytes = vec![0; blocks * BLOCK_BYTES];
    for hash in hashes {
        let at = block_of(hash, blocks);
        for (word, bit) in bits(hash).enumerate() {
            let place = at + word * 4 + (bit / 8) as usize;
            if let Some(byte) = bytes.get_mut(place) {
                *byte |= 1 << (bit % 8);
            }
        }
    }
    bytes
}

/// Whether the key with this hash may be in the filter.
pub(super) fn may_contain(bytes: &[u8], hash: u64) -> bool {
    let at = block_of(hash, bytes.len() / BLOCK_BYTES);
    let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk::<BLOCK_BYTES>) else { return false };
    // All eight words, although one tells: with a branch that nobody can foretell behind each, one question would wait
    // for the memory of the question before.
    let words = block.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
    bits(hash).zip(words).fold(0, |missing, (bit, word)| missing | (!word & (1 << bit))) == 0
}

fn block_of(hash: u64, blocks: usize) -> usize {
    (((hash >> 32) * blocks as u64) >> 32) as usize * BLOCK_BYTES
}

/// The bit that the key sets in each of the eight words of its block.
fn bits(hash: u64) -> impl Iterator<Item = u32> {
    let key = hash as u32;
    SALT.iter().map(move |salt| key.wrapping_mul(*salt) >> 27)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::index::format::hash_of;

    #[test]
    fn no_key_is_denied_and_few_strangers_pass() {
        let hashes: Vec<u64> = (0..20_000).map(|i| hash_of(format!("order-{i}").as_bytes())).collect();
        let bytes = encode(hashes.iter().copied());
        assert!(hashes.iter().all(|&hash| may_contain(&bytes, hash)));
        let passed = (0..20_000).filter(|i| may_contain(&bytes, hash_of(format!("guest-{i}").as_bytes())));
        assert!(passed.count() < 500);
    }

    #[test]
    fn an_empty_filter_denies_everything() {
        assert!(!may_contain(&encode(std::iter::empty()), 7));
    }
}
