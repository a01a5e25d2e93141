//! *Where is this entity in an index file?* By the hash of its name; in order of names by the map.
//!
//! **Invariant:** what was found through a hash is given only after the name beside it was compared.

use std::hint::black_box;

use fst::{IntoStreamer, Streamer};

use super::buckets::Buckets;
use super::file::{IndexFile, ListPlace};
use super::format::{Layout, Section};
use super::postings::{Malformed, take_varint};
use super::{EntityKey, bloom};
use crate::error::Result;
use crate::event::Version;

/// The entry of an entity in `stream_postings`.
struct Entry<'a> {
    /// Empty in a file of format version 1.
    name: &'a [u8],
    first_version: Version,
    list: ListPlace,
}

impl IndexFile {
    /// The place of an entity's list, with the version of its first event here.
    pub(super) fn entity(&self, entity: EntityKey<'_>) -> Result<Option<(ListPlace, Version)>> {
        let table = self.section(Section::Entities)?;
        if self.header().layout == Layout::Filtered {
            let may_be_here = bloom::may_contain(table, entity.hash);
            let at = if may_be_here { self.streams()?.get(entity.name) } else { None };
            return at.map(|at| self.entity_at(at)).transpose();
        }
        let (mut found, mut damage) = (None, None);
        self.buckets(table)?.look_up(entity.hash, |at| match self.entry_at(u64::from(at)) {
            Ok(entry) if entry.name == entity.name.as_bytes() => {
                found = Some((entry.list, entry.first_version));
            }
            Ok(_) => {}
            Err(error) => damage = Some(error),
        });
        damage.map_or(Ok(found), Err)
    }

    /// Puts into `out` (emptied first) the index of each entity, given by its hash, that may be here.
    pub(super) fn likely_entities(&self, hashes: &[u64], out: &mut Vec<usize>) -> Result<()> {
        let table = self.section(Section::Entities)?;
        out.clear();
        if self.header().layout == Layout::Filtered {
            let may_be_here = |(_, hash): &(usize, &u64)| bloom::may_contain(table, **hash);
            out.extend(hashes.iter().enumerate().filter(may_be_here).map(|(index, _)| index));
            return Ok(());
        }
        let (buckets, postings) = (self.buckets(table)?, self.section(Section::StreamPostings)?);
        buckets.load(hashes);
        let mut loaded = 0;
        for (index, hash) in hashes.iter().enumerate() {
            buckets.look_up(*hash, |at| {
                // So that who asks next for those that are here finds their entries loaded, too.
                loaded ^= postings.get(at as usize).copied().unwrap_or_default();
                if out.last() != Some(&index) {
                    out.push(index);
                }
            });
        }
        black_box(loaded);
        Ok(())
    }

    fn buckets<'a>(&self, table: &'a [u8]) -> Result<Buckets<'a>> {
        Buckets::of(table).map_err(|Malformed| self.corrupt(Section::Entities.name()))
    }

    /// The list of an entity whose entry begins at `at`, and the version of its first event here.
    pub(super) fn entity_at(&self, at: u64) -> Result<(ListPlace, Version)> {
        self.entry_at(at).map(|entry| (entry.list, entry.first_version))
    }

    fn entry_at(&self, at: u64) -> Result<Entry<'_>> {
        let postings = self.section(Section::StreamPostings)?;
        let read = || {
            let mut at = usize::try_from(at).map_err(|_| Malformed)?;
            let mut name: &[u8] = &[];
            if self.header().layout == Layout::Hashed {
                let len = usize::try_from(take_varint(postings, &mut at)?).map_err(|_| Malformed)?;
                let end = at.checked_add(len).ok_or(Malformed)?;
                name = postings.get(at..end).ok_or(Malformed)?;
                at = end;
            }
            let first_version = Version::new(take_varint(postings, &mut at)?);
            let count = u32::try_from(take_varint(postings, &mut at)?).map_err(|_| Malformed)?;
            Ok(Entry { name, first_version, list: ListPlace { at, count } })
        };
        read().map_err(|Malformed| self.corrupt(Section::StreamPostings.name()))
    }

    /// Calls `each` with every entity that has the prefix, in order of names, until it says no.
    pub(super) fn entities(
        &self,
        prefix: &str,
        mut each: impl FnMut(&str, ListPlace, Version) -> Result<bool>,
    ) -> Result<()> {
        let mut stream = self.streams()?.range().ge(prefix).into_stream();
        while let Some((name, at)) = stream.next() {
            if !name.starts_with(prefix.as_bytes()) {
                break;
            }
            let name = std::str::from_utf8(name).map_err(|_| self.corrupt(Section::Streams.name()))?;
            let (place, first_version) = self.entity_at(at)?;
            if !each(name, place, first_version)? {
                break;
            }
        }
        Ok(())
    }
}
