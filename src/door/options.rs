//! How two processes on one directory meet: plain data.

use std::path::PathBuf;
use std::time::Duration;

/// How long an owner that was silent is given to say hello, before a call fails again: 1 s.
const PROBE_MAX: Duration = Duration::from_secs(1);

/// How a [`Host`](super::Host) deals with the other processes on its directory.
#[derive(Clone, Debug)]
pub struct DoorOptions {
    /// How long the other side may show no sign of life before it is called stuck: 5,000 ms.
    pub silence_ms_max: u64,
    /// How long a call waits between two owners, and an opening for an owner that has the lock but does not yet
    /// listen: 10,000 ms.
    pub takeover_ms_max: u64,
    /// Where the socket is, instead of the user's runtime directory; this user's alone (mode 0700).
    pub runtime_dir: Option<PathBuf>,
}

impl Default for DoorOptions {
    fn default() -> Self {
        Self { silence_ms_max: 5_000, takeover_ms_max: 10_000, runtime_dir: None }
    }
}

impl DoorOptions {
    /// At least a millisecond, for the operating system takes zero for *never*.
    pub(super) fn silence_max(&self) -> Duration {
        Duration::from_millis(self.silence_ms_max.max(1))
    }

    pub(super) fn probe_max(&self) -> Duration {
        self.silence_max().min(PROBE_MAX)
    }

    pub(super) fn takeover_max(&self) -> Duration {
        Duration::from_millis(self.takeover_ms_max)
    }
}
