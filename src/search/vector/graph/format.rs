//! The file of a graph, byte by byte. Everything is a little-endian 32-bit number, so that it is read where it is mapped.
//!
//! ```text
//!  0  8  "ASGRAPH1"
//!  8  4  CRC-32C of everything from byte 12 on
//! 12  4  CRC-32C of the `vectors` that it is over
//! 16  4  n, how many ordinals they have
//! 20  4  the ordinal at which a search begins
//! 24  4  s, how many ordinals a search does not reach
//! 28  4  how many layers follow
//! 32  4 × s  the ordinals that a search does not reach, rising
//!
//! each layer, the one with everybody first:
//!     4          m, how many have neighbours here
//!     4          e, how many neighbours that are
//!     4 × m      who they are, rising (left out in the first layer: everybody)
//!     4 × (m+1)  where the neighbours of each begin among those that follow, and where the last ones end
//!     4 × e      the neighbours
//! ```

use bytes::Bytes;

use super::super::format::{count, u32_at};

const MAGIC: [u8; 8] = *b"ASGRAPH1";
/// Where the checksummed part begins.
const PROVED_FROM: usize = 12;
/// The size of the header, in numbers.
const HEADER_NUMBERS: usize = 8;

/// Who is whose neighbour.
#[derive(Debug, Default, PartialEq)]
pub(in super::super) struct Parts {
    /// The ordinal at which a search begins.
    pub(super) entry: u32,
    /// The ordinals that a search does not reach, rising.
    pub(super) side: Vec<u32>,
    /// The layers, the one with everybody first: who, rising, and their neighbours.
    pub(super) layers: Vec<Vec<(u32, Vec<u32>)>>,
}

impl Parts {
    /// The file of a graph over vectors with that checksum.
    pub(super) fn encode(&self, vectors_crc: u32) -> Vec<u8> {
        let ordinals = self.layers.first().map_or(0, Vec::len);
        let mut numbers = vec![0, vectors_crc, count(ordinals), self.entry];
        numbers.extend([count(self.side.len()), count(self.layers.len())]);
        numbers.extend(&self.side);
        for (level, layer) in self.layers.iter().enumerate() {
            numbers.push(count(layer.len()));
            numbers.push(count(layer.iter().map(|(_, neighbours)| neighbours.len()).sum()));
            if level > 0 {
                numbers.extend(layer.iter().map(|(ordinal, _)| ordinal));
            }
            let mut end = 0;
            numbers.push(end);
            numbers.extend(layer.iter().map(|(_, neighbours)| {
                end += count(neighbours.len());
                end
            }));
            numbers.extend(layer.iter().flat_map(|(_, neighbours)| neighbours));
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        let crc = bytes.get(PROVED_FROM..).map_or(0, crc32c::crc32c);
        if let Some(field) = bytes.get_mut(MAGIC.len()..PROVED_FROM) {
            field.copy_from_slice(&crc.to_le_bytes());
        }
        bytes
    }
}

/// A graph whose checksum was proved.
#[derive(Debug)]
pub(in super::super) struct Graph {
    bytes: Bytes,
    /// How many ordinals it is over.
    pub(super) ordinals: u32,
    /// The ordinal at which a search begins.
    pub(super) entry: u32,
    side: u32,
    layers: Vec<Layer>,
}

/// Where the parts of a layer begin, in numbers.
#[derive(Debug)]
struct Layer {
    members: u32,
    /// Where the members are listed, unless they are everybody.
    who: Option<usize>,
    ends: usize,
    neighbours: usize,
}

impl Graph {
    /// The graph in a file, if it is whole and over these vectors.
    pub(super) fn of(bytes: Bytes, ordinals: u32, vectors_crc: u32) -> Option<Self> {
        let number = |index| u32_at(&bytes, index);
        let whole = bytes.starts_with(&MAGIC) && number(2)? == crc32c::crc32c(bytes.get(PROVED_FROM..)?);
        if !whole || number(3)? != vectors_crc || number(4)? != ordinals {
            return None;
        }
        let (entry, side) = (number(5)?, number(6)?);
        let mut layers = Vec::new();
        let mut at = HEADER_NUMBERS + side as usize;
        for level in 0..number(7)? {
            let (members, all) = (number(at)?, number(at + 1)? as usize);
            let who = (level > 0).then_some(at + 2);
            let ends = at + 2 + who.map_or(0, |_| members as usize);
            let neighbours = ends + members as usize + 1;
            at = neighbours + all;
            layers.push(Layer { members, who, ends, neighbours });
        }
        (at * 4 == bytes.len()).then_some(Self { bytes, ordinals, entry, side, layers })
    }

    /// The size of the file.
    pub(in super::super) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// How many layers there are.
    pub(super) fn levels(&self) -> usize {
        self.layers.len()
    }

    /// The ordinals that a search does not reach.
    pub(in super::super) fn side(&self) -> impl Iterator<Item = u32> + '_ {
        self.numbers(HEADER_NUMBERS, self.side as usize)
    }

    /// The neighbours of an ordinal in a layer.
    #[inline]
    pub(super) fn neighbours(&self, level: usize, ordinal: u32) -> impl Iterator<Item = u32> + '_ {
        let (from, many) =
            self.layers.get(level).and_then(|layer| self.list(layer, ordinal)).unwrap_or_default();
        self.numbers(from, many)
    }

    /// Where the neighbours of an ordinal begin, and how many they are.
    #[inline]
    fn list(&self, layer: &Layer, ordinal: u32) -> Option<(usize, usize)> {
        let member = match layer.who {
            None => ordinal as usize,
            Some(who) => {
                let members = self.slice(who, layer.members as usize)?;
                members.binary_search_by_key(&ordinal, |number| u32::from_le_bytes(*number)).ok()?
            }
        };
        let from = u32_at(&self.bytes, layer.ends + member)? as usize;
        let to = u32_at(&self.bytes, layer.ends + member + 1)? as usize;
        Some((layer.neighbours + from, to.checked_sub(from)?))
    }

    #[inline]
    fn numbers(&self, from: usize, many: usize) -> impl Iterator<Item = u32> + '_ {
        self.slice(from, many).unwrap_or_default().iter().map(|number| u32::from_le_bytes(*number))
    }

    #[inline]
    fn slice(&self, from: usize, many: usize) -> Option<&[[u8; 4]]> {
        self.bytes.as_chunks().0.get(from..)?.get(..many)
    }
}
