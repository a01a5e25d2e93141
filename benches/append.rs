//! Appending: one by one and in batches of 1,000, by one caller and by eight, synced and at intervals.

use std::sync::atomic::{AtomicUsize, Ordering};

use allsource::event::EventDraft;
use allsource::store::{Append, Durability, Options, Store};
use criterion::Criterion;

use crate::limit::write;
use crate::report::{time, time_together};
use crate::scratch;

/// Batches that are made beforehand and appended over and over.
const BATCHES: usize = 64;
/// Entities that the events belong to.
const ENTITIES: usize = 20_000;

/// Appends of `events` events each, with payloads of about 250 bytes.
pub fn batches(events: usize) -> Vec<Append> {
    let draft = |n: usize| {
        let entity = format!("order-{}", n.wrapping_mul(2_654_435_761) % ENTITIES);
        let event_type = ["order.placed", "order.paid", "order.shipped", "order.returned"][n % 4];
        let payload = format!(
            "{{\"order\":{n},\"customer\":\"customer-{}\",\"amount\":{}.5,\"currency\":\"EUR\",\"lines\":[\
             {{\"sku\":\"A-{n}\",\"quantity\":2,\"price\":19.9}},{{\"sku\":\"B-{n}\",\"quantity\":1,\"price\":5.0}}],\
             \"note\":\"leave it with the neighbour on the second floor, please, as always\"}}",
            n % 977,
            n % 500,
        );
        EventDraft::new(&entity, event_type, payload).expect("a valid draft")
    };
    let batch = |at: usize| Append {
        events: (0..events).map(|n| draft(at * events + n)).collect(),
        ..Append::default()
    };
    (0..BATCHES).map(batch).collect()
}

/// The bytes that a batch takes in the log, headers included.
fn frame_bytes(store: &Store, append: &Append) -> usize {
    let before = store.snapshot().stats().expect("readable").log_bytes;
    store.append(append.clone()).expect("a healthy disk");
    usize::try_from(store.snapshot().stats().expect("readable").log_bytes - before).expect("small")
}

struct Case {
    durability: Durability,
    events: usize,
    callers: u32,
}

impl Case {
    fn name(&self) -> String {
        let durability = if self.durability == Durability::Fsync { "fsync" } else { "interval" };
        format!("append/{durability}/{} events/{} callers", self.events, self.callers)
    }

    /// Measures the case and prints it; gives events a second, NaN when a filter left it out.
    fn measure(&self, criterion: &mut Criterion) -> f64 {
        let dir = scratch();
        let options = Options { durability: self.durability, ..Options::default() };
        let store = Store::open(dir.path(), options).expect("a healthy disk");
        let appends = batches(self.events);
        let bytes = frame_bytes(&store, &appends[0]);
        let synced = self.durability == Durability::Fsync;
        let limit = write(bytes, synced);

        let next = AtomicUsize::new(1);
        let prepare = || appends[next.fetch_add(1, Ordering::Relaxed) % BATCHES].clone();
        let call = |append| drop(store.append(append).expect("a healthy disk"));
        let mut times = match self.callers {
            1 => time(criterion, &self.name(), prepare, call),
            callers => time_together(criterion, &self.name(), callers, prepare, call),
        };
        let of = if synced {
            "one raw write + fdatasync of as many bytes"
        } else {
            "one raw write of as many bytes"
        };
        times.print(&self.name(), limit, of);
        let rate = times.rate() * self.events as f64;
        let limit = self.events as f64 / limit.as_secs_f64();
        println!("{}: {rate:.0} events/s = {:.1} % of {limit:.0}/s", self.name(), 100.0 * rate / limit);
        rate
    }
}

/// Measures every case.
pub fn measure(criterion: &mut Criterion) {
    let fsync = |events, callers| Case { durability: Durability::Fsync, events, callers };
    let alone = fsync(1, 1).measure(criterion);
    let together = fsync(1, 8).measure(criterion);
    println!("append/fsync/1 events: 8 callers store {:.1} times as much as one", together / alone);
    fsync(1_000, 1).measure(criterion);
    fsync(1_000, 8).measure(criterion);
    Case { durability: Durability::Interval { ms: 100 }, events: 1_000, callers: 1 }.measure(criterion);
}
