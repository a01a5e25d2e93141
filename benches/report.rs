//! Times single calls for criterion, keeps every time, and says what they come to.

use std::time::{Duration, Instant};

use criterion::Criterion;

/// What a bench found.
pub struct Times {
    calls: Vec<Duration>,
    wall: Duration,
}

impl Times {
    /// Calls a second, over everything that was measured.
    pub fn rate(&self) -> f64 {
        self.calls.len() as f64 / self.wall.as_secs_f64()
    }

    /// The time that this many of a hundred calls stayed below; `None` when nothing was measured.
    fn percentile(&mut self, percent: usize) -> Option<Duration> {
        self.calls.sort_unstable();
        let last = self.calls.len().checked_sub(1)?;
        Some(self.calls[(self.calls.len() * percent / 100).min(last)])
    }

    /// Prints the times beside their limit: what the machine needs at least for one call.
    pub fn print(&mut self, name: &str, limit: Duration, of: &str) {
        let (Some(p50), Some(p99)) = (self.percentile(50), self.percentile(99)) else { return };
        let ratio = p50.as_secs_f64() / limit.as_secs_f64();
        println!("{name}: p50 {p50:?}, p99 {p99:?}; p50 is {ratio:.2} times {of} ({limit:?})");
    }
}

/// Times `call`, each time on what `prepare` makes outside of the time.
pub fn time<T>(
    criterion: &mut Criterion,
    name: &str,
    mut prepare: impl FnMut() -> T,
    mut call: impl FnMut(T),
) -> Times {
    let mut times = Times { calls: Vec::new(), wall: Duration::ZERO };
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|calls| {
            let mut total = Duration::ZERO;
            for _ in 0..calls {
                let input = prepare();
                let began = Instant::now();
                call(input);
                let took = began.elapsed();
                times.calls.push(took);
                total += took;
            }
            times.wall += total;
            total
        });
    });
    times
}

/// Times `call` from `callers` threads at once; the time of a call is the wall's, divided by the calls in it.
pub fn time_together<T: Send>(
    criterion: &mut Criterion,
    name: &str,
    callers: u32,
    prepare: impl Fn() -> T + Sync,
    call: impl Fn(T) + Sync,
) -> Times {
    let mut times = Times { calls: Vec::new(), wall: Duration::ZERO };
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|calls| {
            let each = calls.div_ceil(u64::from(callers));
            let began = Instant::now();
            std::thread::scope(|scope| {
                let caller = || {
                    let time_one = |_| {
                        let input = prepare();
                        let began = Instant::now();
                        call(input);
                        began.elapsed()
                    };
                    (0..each).map(time_one).collect::<Vec<_>>()
                };
                let threads: Vec<_> = (0..callers).map(|_| scope.spawn(caller)).collect();
                for thread in threads {
                    times.calls.extend(thread.join().expect("no caller panics"));
                }
            });
            let wall = began.elapsed();
            times.wall += wall;
            wall.mul_f64(calls as f64 / (each * u64::from(callers)) as f64)
        });
    });
    times
}
