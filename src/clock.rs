//! Where time and randomness enter: through [`Clock`] and [`IdSource`] alone, so that tests can hold both still.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::event::Timestamp;

/// Tells the time, for stamps ([`now`](Self::now)) and for limits ([`elapsed`](Self::elapsed)).
pub trait Clock: Send + Sync {
    /// The world's time, to the microsecond; it may step backwards.
    fn now(&self) -> Timestamp;
    /// The time since this clock was made; it never steps backwards.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
pub struct SystemClock(Instant);

impl SystemClock {
    /// A shared handle to the machine's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one door through which monotonic time enters")]
    pub fn shared() -> Arc<dyn Clock> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one door through which wall time enters")]
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(chrono::Utc::now().timestamp_micros())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that a test moves by hand; both of its times advance together.
pub struct ManualClock {
    now_us: AtomicI64,
    elapsed_us: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { now_us: AtomicI64::new(now.as_micros()), elapsed_us: AtomicU64::new(0) }
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        self.elapsed_us.fetch_add(micros, Ordering::Relaxed);
        self.now_us.fetch_add(i64::try_from(micros).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Sets the world's time, backwards too.
    pub fn set(&self, now: Timestamp) {
        self.now_us.store(now.as_micros(), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now_us.load(Ordering::Relaxed))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.elapsed_us.load(Ordering::Relaxed))
    }
}

/// Gives the random numbers behind keys and tokens.
pub trait IdSource: Send + Sync {
    /// The next 64 random bits.
    fn next_u64(&self) -> u64;
}

/// The operating system's randomness.
pub struct SystemIds;

impl IdSource for SystemIds {
    fn next_u64(&self) -> u64 {
        // A machine without randomness still gets distinct numbers from its address space and the counter.
        static FALLBACK: AtomicU64 = AtomicU64::new(0x9e37_79b9_7f4a_7c15);
        getrandom::u64().unwrap_or_else(|_| FALLBACK.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }
}

/// Numbers that a test can foresee: a counter through the `SplitMix64` finaliser.
pub struct SeededIds(AtomicU64);

impl SeededIds {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl IdSource for SeededIds {
    fn next_u64(&self) -> u64 {
        let mut z =
            self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
