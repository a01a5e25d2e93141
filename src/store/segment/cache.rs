//! Decoded pages, shared by all segments of a store.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use zstd::bulk::Decompressor;

use super::page::Page;

/// The most idle decompressors that are kept: 8, of about 150 KiB each.
const DECOMPRESSORS_MAX: usize = 8;
/// The most pages that are kept for those who read everything, in parts: 32.
const HALF_READ_MAX: usize = 32;
/// The largest of these: 64 KiB.
const HALF_READ_BYTES_MAX: usize = 64 << 10;
/// What a page is expected to take, so that the cache makes room for as many: 16 KiB.
const PAGE_BYTES_EXPECTED: u64 = 16 << 10;

/// Names a page: which segment of this process, which column, which page of it; a dictionary has the number of its
/// group of rows, counted down from the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PageKey {
    pub segment: u64,
    pub column: u8,
    pub page: u32,
}

/// Decoded pages, at most `bytes_max` of them ([`Options::page_cache_bytes_max`](super::super::Options)).
pub(crate) struct PageCache {
    pages: Option<Cache<PageKey, Arc<Page>, Weigh>>,
    /// Where those who read everything, in parts, stopped; what they read must not push out what others look up.
    half_read: Mutex<VecDeque<(PageKey, Arc<Page>)>>,
    decompressors: Mutex<Vec<Decompressor<'static>>>,
    segments: AtomicU64,
}

#[derive(Clone)]
struct Weigh;

impl Weighter<PageKey, Arc<Page>> for Weigh {
    fn weight(&self, _: &PageKey, page: &Arc<Page>) -> u64 {
        page.weight() as u64
    }
}

impl PageCache {
    /// A cache of at most `bytes_max` bytes; with 0 nothing is kept.
    pub(crate) fn new(bytes_max: u64) -> Self {
        let items = usize::try_from(bytes_max / PAGE_BYTES_EXPECTED).unwrap_or(usize::MAX).max(16);
        Self {
            pages: (bytes_max > 0).then(|| Cache::with_weighter(items, bytes_max, Weigh)),
            half_read: Mutex::default(),
            decompressors: Mutex::new(Vec::new()),
            segments: AtomicU64::new(0),
        }
    }

    /// A number that no other segment of this cache has.
    pub(super) fn next_segment(&self) -> u64 {
        self.segments.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn get(&self, key: PageKey) -> Option<Arc<Page>> {
        self.pages.as_ref()?.get(&key)
    }

    pub(super) fn put(&self, key: PageKey, page: &Arc<Page>) {
        if let Some(pages) = &self.pages {
            pages.insert(key, Arc::clone(page));
        }
    }

    /// Takes the page that somebody who reads everything stopped in.
    pub(super) fn take_half_read(&self, key: PageKey) -> Option<Arc<Page>> {
        let mut half_read = self.half_read.lock();
        let at = half_read.iter().position(|(left, _)| *left == key)?;
        half_read.remove(at).map(|(_, page)| page)
    }

    /// Leaves a page to whoever goes on there.
    pub(super) fn put_half_read(&self, key: PageKey, page: &Arc<Page>) {
        if self.pages.is_none() || page.weight() > HALF_READ_BYTES_MAX {
            return;
        }
        let mut half_read = self.half_read.lock();
        if half_read.len() >= HALF_READ_MAX {
            half_read.pop_front();
        }
        half_read.push_back((key, Arc::clone(page)));
    }

    /// A decompressor, for as long as it is needed: making one takes longer than decompressing a page.
    pub(super) fn decompressor(&self) -> std::io::Result<Decompressor<'static>> {
        match self.decompressors.lock().pop() {
            Some(idle) => Ok(idle),
            None => Decompressor::new(),
        }
    }

    pub(super) fn put_back(&self, decompressor: Decompressor<'static>) {
        let mut idle = self.decompressors.lock();
        if idle.len() < DECOMPRESSORS_MAX {
            idle.push(decompressor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_stays_below_its_limit_and_one_of_nothing_keeps_nothing() {
        let page = Arc::new(Page::Numbers(vec![7; 1_000]));
        let key = |page| PageKey { segment: 0, column: 0, page };
        let cache = PageCache::new(100_000);
        for number in 0..100 {
            cache.put(key(number), &page);
        }
        let kept = (0..100).filter(|&number| cache.get(key(number)).is_some()).count();
        assert!(kept > 0 && kept * page.weight() <= 100_000, "{kept} pages");

        let off = PageCache::new(0);
        off.put(key(1), &page);
        assert!(off.get(key(1)).is_none());
    }
}
