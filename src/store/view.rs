//! Which files and indexes hold which positions, at one moment.

use std::sync::Arc;

use super::index::RangeIndex;
use super::log::LogFile;

/// A stretch of positions with its bytes and its index; several stretches may share a log file.
pub(crate) struct Range {
    pub log: Arc<LogFile>,
    pub index: RangeIndex,
}

/// Every stretch of a branch, oldest first, without a gap from position 1.
#[derive(Clone, Default)]
pub(crate) struct View {
    pub ranges: Vec<Arc<Range>>,
}
