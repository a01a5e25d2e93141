//! *At which positions?* Rising lists of positions, small and searchable from both ends.
//!
//! ```text
//! a list of fewer than 128 positions
//!   varint first, then per further position: varint (position − previous − 1)
//!
//! a list of 128 and more, in blocks of 128; the last block may be short
//!   per block: 4 first, 4 offset of the block behind this directory
//!   a full block:  1 bits, then 16 × bits bytes: 128 strict differences (`BitPacker4x`)
//!   a short block: per position behind its first: varint (position − previous − 1)
//! ```
//!
//! Positions are counted from the first of the file, from 0. A varint is LEB128. How many there are is told beside
//! the list. Bit packing after Lemire and Boytsov, *Decoding billions of integers per second through
//! vectorization*, 2015.
//!
//! **Invariant:** every access is checked: bytes that are no list give [`Malformed`], never a panic.

use bitpacking::{BitPacker, BitPacker4x};

use super::format::u32_at;
use crate::store::read::Order;

/// The positions in a block.
const BLOCK: usize = BitPacker4x::BLOCK_LEN;
/// A block's entry in the directory: its first position and its offset.
const ENTRY_BYTES: usize = 8;

/// Bytes that are not what they are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not what was written")]
pub(crate) struct Malformed;

/// How many positions of a list lie at or before some position, and the last of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rank {
    pub count: u32,
    pub last: Option<u32>,
}

/// Positions of a range, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub low: u32,
    pub high: u32,
}

impl Span {
    pub(crate) fn contains(self, position: u32) -> bool {
        (self.low..=self.high).contains(&position)
    }
}

/// Appends a LEB128 number.
pub(super) fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a LEB128 number at `at` and moves `at` behind it.
pub(super) fn take_varint(bytes: &[u8], at: &mut usize) -> Result<u64, Malformed> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at).ok_or(Malformed)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Malformed)
}

/// Appends the list of `positions`, which rise strictly.
pub(super) fn encode(positions: &[u32], out: &mut Vec<u8>) {
    let Some(&first) = positions.first() else { return };
    if positions.len() < BLOCK {
        put_varint(u64::from(first), out);
        encode_short(positions, out);
        return;
    }
    let mut directory = Vec::with_capacity(positions.len().div_ceil(BLOCK) * ENTRY_BYTES);
    let mut blocks = Vec::with_capacity(positions.len());
    for block in positions.chunks(BLOCK) {
        let first = block.first().copied().unwrap_or_default();
        directory.extend_from_slice(&first.to_le_bytes());
        directory.extend_from_slice(&(blocks.len() as u32).to_le_bytes());
        if block.len() < BLOCK {
            encode_short(block, &mut blocks);
            continue;
        }
        let codec = BitPacker4x::new();
        let before = first.checked_sub(1);
        let bits = codec.num_bits_strictly_sorted(before, block);
        let mut packed = [0; BLOCK * 4];
        let len = codec.compress_strictly_sorted(before, block, &mut packed, bits);
        blocks.push(bits);
        blocks.extend_from_slice(packed.get(..len).unwrap_or_default());
    }
    out.append(&mut directory);
    out.append(&mut blocks);
}

fn encode_short(positions: &[u32], out: &mut Vec<u8>) {
    for (previous, position) in positions.iter().zip(positions.iter().skip(1)) {
        put_varint(u64::from(position - previous - 1), out);
    }
}

/// A list in the bytes of a file.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    bytes: &'a [u8],
    count: u32,
}

impl<'a> List<'a> {
    /// The list of `count` positions that begins where `bytes` begins.
    pub(super) fn new(bytes: &'a [u8], count: u32) -> Self {
        Self { bytes, count }
    }

    /// Puts into `out` (emptied first) at most `max` positions of `span`, those that come first in `order`.
    pub(super) fn chunk(
        self,
        span: Span,
        order: Order,
        max: usize,
        out: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        out.clear();
        if self.count == 0 || span.low > span.high || max == 0 {
            return Ok(());
        }
        let mut block = [0; BLOCK];
        match order {
            Order::Ascending => {
                for index in self.block_of(span.low)?..self.blocks() {
                    if self.first_of(index)? > span.high || out.len() >= max {
                        break;
                    }
                    let positions = self.decode(index, &mut block)?;
                    let wanted = positions.iter().copied().filter(|&position| span.contains(position));
                    out.extend(wanted.take(max - out.len()));
                }
            }
            Order::Descending => {
                for index in (0..=self.block_of(span.high)?).rev() {
                    let positions = self.decode(index, &mut block)?;
                    let wanted = positions.iter().rev().copied().filter(|&position| span.contains(position));
                    out.extend(wanted.take(max - out.len()));
                    if out.len() >= max || self.first_of(index)? <= span.low {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// How many positions are at or before `through`, and the last of them.
    pub(super) fn rank(self, through: u32) -> Result<Rank, Malformed> {
        if self.count == 0 {
            return Ok(Rank::default());
        }
        let index = self.block_of(through)?;
        let mut block = [0; BLOCK];
        let positions = self.decode(index, &mut block)?;
        let inside = positions.partition_point(|&position| position <= through);
        let last = inside.checked_sub(1).and_then(|at| positions.get(at)).copied();
        Ok(Rank { count: (index * BLOCK + inside) as u32, last })
    }

    fn blocks(self) -> usize {
        (self.count as usize).div_ceil(BLOCK)
    }

    fn first_of(self, index: usize) -> Result<u32, Malformed> {
        if self.count as usize >= BLOCK {
            return u32_at(self.bytes, index * ENTRY_BYTES).ok_or(Malformed);
        }
        u32::try_from(take_varint(self.bytes, &mut 0)?).map_err(|_| Malformed)
    }

    /// The last block that begins at or before `position`; the first when all begin behind it.
    fn block_of(self, position: u32) -> Result<usize, Malformed> {
        let (mut low, mut high) = (0, self.blocks());
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.first_of(middle)? <= position { low = middle } else { high = middle }
        }
        Ok(low)
    }

    fn decode(self, index: usize, block: &mut [u32; BLOCK]) -> Result<&[u32], Malformed> {
        let count = (self.count as usize).checked_sub(index * BLOCK).ok_or(Malformed)?.min(BLOCK);
        let first = self.first_of(index)?;
        let mut at = if self.count as usize >= BLOCK {
            let offset = u32_at(self.bytes, index * ENTRY_BYTES + 4).ok_or(Malformed)?;
            self.blocks() * ENTRY_BYTES + offset as usize
        } else {
            let mut at = 0;
            take_varint(self.bytes, &mut at)?;
            at
        };
        if count == BLOCK {
            let bits = *self.bytes.get(at).ok_or(Malformed)?;
            let len = BitPacker4x::compressed_block_size(bits);
            let packed = self.bytes.get(at + 1..at + 1 + len).ok_or(Malformed)?;
            if bits > 32 {
                return Err(Malformed);
            }
            BitPacker4x::new().decompress_strictly_sorted(first.checked_sub(1), packed, block, bits);
            return Ok(block);
        }
        let mut position = first;
        for (index, place) in block.iter_mut().take(count).enumerate() {
            if index > 0 {
                let step = u32::try_from(take_varint(self.bytes, &mut at)?).map_err(|_| Malformed)?;
                position = position.checked_add(step).and_then(|p| p.checked_add(1)).ok_or(Malformed)?;
            }
            *place = position;
        }
        block.get(..count).ok_or(Malformed)
    }
}

/// The same questions to a rising slice in memory: what is at or before `through`.
pub(super) fn rank_in(positions: &[u32], through: u32) -> Rank {
    let count = positions.partition_point(|&position| position <= through);
    let last = count.checked_sub(1).and_then(|at| positions.get(at)).copied();
    Rank { count: count as u32, last }
}

/// The same questions to a rising slice in memory: at most `max` positions of `span`, first in `order` first.
pub(super) fn chunk_in(positions: &[u32], span: Span, order: Order, max: usize, out: &mut Vec<u32>) {
    out.clear();
    let from = positions.partition_point(|&position| position < span.low);
    let to = positions.partition_point(|&position| position <= span.high);
    let inside = positions.get(from..to).unwrap_or_default();
    match order {
        Order::Ascending => out.extend(inside.iter().take(max)),
        Order::Descending => out.extend(inside.iter().rev().take(max)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(positions: &[u32], span: Span, max: usize) {
        let mut bytes = Vec::new();
        encode(positions, &mut bytes);
        let list = List::new(&bytes, positions.len() as u32);
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        for order in [Order::Ascending, Order::Descending] {
            list.chunk(span, order, max, &mut found).expect("a list");
            chunk_in(positions, span, order, max, &mut expected);
            assert_eq!(found, expected, "{order:?} {span:?} at most {max}");
        }
        for through in [0, span.low, span.high, u32::MAX] {
            assert_eq!(list.rank(through).expect("a list"), rank_in(positions, through), "through {through}");
        }
    }

    #[test]
    fn lists_of_every_block_length_read_back() {
        for count in [0, 1, 2, 127, 128, 129, 255, 256, 257, 1_000] {
            let positions: Vec<u32> = (0..count).map(|i| i * 3 + i % 3).collect();
            for span in [Span { low: 0, high: u32::MAX }, Span { low: 380, high: 390 }] {
                check(&positions, span, 256);
                check(&positions, span, 1);
            }
        }
        check(&[u32::MAX], Span { low: 0, high: u32::MAX }, 2);
    }

    #[test]
    fn a_dense_list_costs_almost_nothing() {
        let mut bytes = Vec::new();
        encode(&(0..128_000).collect::<Vec<_>>(), &mut bytes);
        assert!(bytes.len() < 128_000 / 10, "{} bytes", bytes.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_span_reads_as_from_memory(
            steps in prop::collection::vec(0_u32..5_000, 0..600),
            low in 0_u32..1_000_000, width in 0_u32..1_000_000, max in 0_usize..300,
        ) {
            let mut next = 0;
            let positions: Vec<u32> = steps.iter().map(|step| { next += step + 1; next }).collect();
            check(&positions, Span { low, high: low + width }, max);
        }

        #[test]
        fn bytes_that_are_no_list_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0_u32..127, at in any::<u32>(),
        ) {
            let list = List::new(&bytes, count);
            let mut out = Vec::new();
            let _ = list.chunk(Span { low: 0, high: at }, Order::Ascending, 256, &mut out);
            let _ = list.chunk(Span { low: at, high: u32::MAX }, Order::Descending, 256, &mut out);
            let _ = list.rank(at);
        }
    }
}
