//! Group commit: many callers, one at a time commits for all that wait.
//!
//! A caller that finds nobody committing does it on its own thread, at once. While it does, others queue; when it is
//! done, the first of them commits for the whole queue. One order, one committer: nothing is assigned before it is
//! visible. (The scheme is that of the writer queue in LevelDB.)

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::clock::Clock;

/// How long a leader waits at most for the callers of the last group to come back: 200 µs.
///
/// Without the wait, eight callers fall into a pattern of one, seven, one, seven, and half of all syncs carry one event.
const GATHER_MAX: Duration = Duration::from_micros(200);
/// The part of the last commit's time that the wait takes at most: half. On a fast disk a longer wait costs more than a sync.
const GATHER_SHARE: u32 = 2;

/// What became of a request in its group.
pub(crate) enum Outcome<T, R> {
    /// It was decided.
    Done(R),
    /// It depends on an earlier one of the group and must wait for the next.
    Again(T),
}

/// The queue in front of a committer.
pub(crate) struct GroupCommit<T, R> {
    queue: Mutex<Queue<T, R>>,
    arrived: Condvar,
    clock: Arc<dyn Clock>,
}

struct Queue<T, R> {
    waiting: VecDeque<Arc<Ticket<T, R>>>,
    /// Somebody is committing.
    led: bool,
    last_group: usize,
    last_took: Duration,
}

struct Ticket<T, R> {
    place: Mutex<Place<T, R>>,
    called: Condvar,
}

enum Place<T, R> {
    Waiting(T),
    /// Still waiting, and to commit for the others.
    Leads(T),
    Committing,
    Answered(R),
    /// The leader panicked.
    Abandoned,
}

impl<T, R> GroupCommit<T, R> {
    /// An empty queue; the clock tells how long commits take.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let queue = Queue { waiting: VecDeque::new(), led: false, last_group: 0, last_took: GATHER_MAX };
        Self { queue: Mutex::new(queue), arrived: Condvar::new(), clock }
    }

    /// Has `request` committed, by this thread or by another; `None` when the thread that did it panicked.
    ///
    /// `commit` gives one outcome for each request, in their order; the first must be [`Outcome::Done`].
    pub(crate) fn submit(&self, request: T, commit: impl FnOnce(Vec<T>) -> Vec<Outcome<T, R>>) -> Option<R> {
        let ticket = Arc::new(Ticket { place: Mutex::new(Place::Waiting(request)), called: Condvar::new() });
        let promoted = !self.enter(&ticket);
        if promoted && let Some(answer) = ticket.wait() {
            return answer.ok();
        }
        let lead = Leadership { commit: self, group: self.gather(promoted), passed_on: false };
        let requests = lead.group.iter().filter_map(|ticket| ticket.take()).collect();
        let began = self.clock.elapsed();
        let outcomes = commit(requests);
        lead.answer(outcomes, self.clock.elapsed().saturating_sub(began));
        ticket.wait().and_then(Result::ok)
    }

    /// Queues a ticket; true when its thread commits.
    fn enter(&self, ticket: &Arc<Ticket<T, R>>) -> bool {
        let mut queue = self.queue.lock();
        queue.waiting.push_back(Arc::clone(ticket));
        self.arrived.notify_one();
        !std::mem::replace(&mut queue.led, true)
    }

    /// Everybody who waits, after a short wait for those who were answered a moment ago.
    fn gather(&self, promoted: bool) -> Vec<Arc<Ticket<T, R>>> {
        let mut queue = self.queue.lock();
        let coming = match queue.last_group {
            _ if promoted => queue.last_group + queue.waiting.len(),
            1 => 0,
            several => several,
        };
        let patience = GATHER_MAX.min(queue.last_took / GATHER_SHARE);
        self.arrived.wait_while_for(&mut queue, |queue| queue.waiting.len() < coming, patience);
        queue.last_group = queue.waiting.len();
        queue.waiting.drain(..).collect()
    }
}

/// The right to commit: passed on when dropped, also by a panic.
struct Leadership<'a, T, R> {
    commit: &'a GroupCommit<T, R>,
    group: Vec<Arc<Ticket<T, R>>>,
    passed_on: bool,
}

impl<T, R> Leadership<'_, T, R> {
    /// Passes the right on, then answers: the next group is on its way to the disk while this one is being woken.
    fn answer(mut self, outcomes: Vec<Outcome<T, R>>, took: Duration) {
        let (mut answered, mut again) = (Vec::with_capacity(self.group.len()), Vec::new());
        for (ticket, outcome) in self.group.drain(..).zip(outcomes) {
            match outcome {
                Outcome::Done(answer) => answered.push((ticket, answer)),
                Outcome::Again(request) => {
                    *ticket.place.lock() = Place::Waiting(request);
                    again.push(ticket);
                }
            }
        }
        self.commit.queue.lock().last_took = took;
        self.pass_on(again);
        for (ticket, answer) in answered {
            ticket.call(Place::Answered(answer));
        }
    }

    fn pass_on(&mut self, again: Vec<Arc<Ticket<T, R>>>) {
        self.passed_on = true;
        let mut queue = self.commit.queue.lock();
        for ticket in again.into_iter().rev() {
            queue.waiting.push_front(ticket);
        }
        match queue.waiting.front() {
            Some(next) => next.promote(),
            None => queue.led = false,
        }
    }
}

impl<T, R> Drop for Leadership<'_, T, R> {
    fn drop(&mut self) {
        for ticket in self.group.drain(..) {
            ticket.call(Place::Abandoned);
        }
        if !self.passed_on {
            self.pass_on(Vec::new());
        }
    }
}

impl<T, R> Ticket<T, R> {
    /// Waits for the answer; `None` when this ticket's thread is to commit.
    fn wait(&self) -> Option<Result<R, ()>> {
        let mut place = self.place.lock();
        loop {
            match std::mem::replace(&mut *place, Place::Committing) {
                Place::Answered(answer) => return Some(Ok(answer)),
                Place::Abandoned => return Some(Err(())),
                Place::Leads(request) => {
                    *place = Place::Leads(request);
                    return None;
                }
                waiting => *place = waiting,
            }
            self.called.wait(&mut place);
        }
    }

    fn take(&self) -> Option<T> {
        match std::mem::replace(&mut *self.place.lock(), Place::Committing) {
            Place::Waiting(request) | Place::Leads(request) => Some(request),
            Place::Committing | Place::Answered(_) | Place::Abandoned => None,
        }
    }

    fn call(&self, place: Place<T, R>) {
        *self.place.lock() = place;
        self.called.notify_one();
    }

    fn promote(&self) {
        let mut place = self.place.lock();
        if let Place::Waiting(request) = std::mem::replace(&mut *place, Place::Committing) {
            *place = Place::Leads(request);
        }
        self.called.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::clock::SystemClock;

    fn queue<R>() -> GroupCommit<u32, R> {
        GroupCommit::new(SystemClock::shared())
    }

    fn double(requests: Vec<u32>) -> Vec<Outcome<u32, u32>> {
        requests.into_iter().map(|n| Outcome::Done(n * 2)).collect()
    }

    #[test]
    fn a_lone_caller_commits_at_once() {
        assert_eq!(queue().submit(21, double), Some(42));
    }

    #[test]
    fn every_caller_gets_its_own_answer_and_one_commits_at_a_time() {
        let (commit, inside) = (queue(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for caller in 0..8_u32 {
                let (commit, inside) = (&commit, &inside);
                scope.spawn(move || {
                    for round in 0..200 {
                        let request = caller * 1_000 + round;
                        let answer = commit.submit(request, |requests| {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two leaders");
                            let outcomes = double(requests);
                            inside.fetch_sub(1, Ordering::SeqCst);
                            outcomes
                        });
                        assert_eq!(answer, Some(request * 2));
                    }
                });
            }
        });
    }

    #[test]
    fn a_request_that_must_wait_is_decided_in_the_next_group() {
        let commit = queue();
        let only_first = |requests: Vec<u32>| {
            let each = requests.into_iter().enumerate();
            each.map(|(i, n)| if i == 0 { Outcome::Done(n * 2) } else { Outcome::Again(n) }).collect()
        };
        std::thread::scope(|scope| {
            for n in 0..6_u32 {
                let commit = &commit;
                scope.spawn(move || assert_eq!(commit.submit(n, only_first), Some(n * 2)));
            }
        });
    }

    #[test]
    fn a_panic_of_the_leader_abandons_its_group_and_nobody_else() {
        let commit = queue::<u32>();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            commit.submit(1, |_| panic!("planted"))
        }));
        assert!(panicked.is_err());
        assert_eq!(commit.submit(2, double), Some(4));
    }
}
