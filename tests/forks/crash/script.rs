//! A life with forks, and what it leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use allsource::ErrorKind;
use allsource::clock::{Clock, ManualClock};
use allsource::event::{EventDraft, IdempotencyKey};
use allsource::store::{Append, ForkId, ForkState, NewFork, Promotion, Store};

use crate::machines::ledger::Violation;

/// How long a discarded fork can be restored, in microseconds.
const RESTORABLE_US: i64 = 86_400_000_000;

/// One thing to do; forks go by letters.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// A batch on a branch: `main` or a fork.
    Append(&'static str, &'static [&'static str]),
    /// A fork of a branch, for so many seconds; 0 keeps it.
    Fork(&'static str, &'static str, u64),
    Promote(&'static str),
    Discard(&'static str),
    Restore(&'static str),
    Reset(&'static str),
    Tag(&'static str),
    /// So many seconds pass.
    Pass(u64),
    Sweep,
    Reopen,
}

/// More than the log of a fork has room for at first.
const LONG: &str = "long";

pub const SCRIPT: &[Act] = &[
    Act::Append("main", &["m1", "m2"]),
    Act::Fork("A", "main", 0),
    Act::Append("A", &["a1"]),
    Act::Append("A", &["a2", "a3"]),
    Act::Fork("B", "main", 0),
    Act::Append("main", &["m3"]),
    Act::Fork("C", "A", 0),
    Act::Append("C", &["c1", "c2"]),
    Act::Promote("C"),
    Act::Promote("A"),
    Act::Discard("C"),
    Act::Restore("C"),
    Act::Append("C", &["c3"]),
    Act::Discard("B"),
    Act::Fork("D", "main", 0),
    Act::Append("D", &["d1"]),
    Act::Append("main", &["m4"]),
    Act::Reset("D"),
    Act::Append("D", &["d2"]),
    Act::Tag("D"),
    Act::Reopen,
    Act::Reset("D"),
    Act::Append("D", &["d3"]),
    Act::Append("A", &["a4"]),
    Act::Fork("E", "main", 60),
    Act::Append("E", &["e1"]),
    Act::Fork("F", "main", 60),
    Act::Discard("C"),
    Act::Pass(90_000),
    Act::Sweep,
    Act::Append("A", &["a5", LONG]),
    Act::Promote("A"),
];

/// What is known of a fork.
#[derive(Clone, Debug)]
pub struct Fork {
    pub id: ForkId,
    parent: &'static str,
    cut: usize,
    pub told: Vec<String>,
    expires_at: Option<i64>,
    discarded_at: Option<i64>,
    /// Whether it may not be missing.
    is_durable: bool,
    is_tagged: bool,
}

impl Fork {
    pub fn is_live(&self) -> bool {
        self.discarded_at.is_none()
    }

    fn is_over(&self, now: i64) -> bool {
        self.discarded_at.map_or(self.expires_at, |at| Some(at + RESTORABLE_US)).is_some_and(|at| at < now)
    }
}

/// What main and every fork hold.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    pub main: Vec<String>,
    pub forks: BTreeMap<&'static str, Fork>,
}

/// A payload, short enough to be told.
pub fn short(payload: &str) -> String {
    payload.chars().take(20).collect()
}

fn payload(text: &str) -> String {
    if text == LONG { format!("\"{}\"", "long ".repeat(60_000)) } else { format!("\"{text}\"") }
}

/// Does it; gives the id of a fork that was made.
pub fn perform(
    store: &Store,
    act: &Act,
    shape: &Shape,
    clock: &ManualClock,
) -> Result<Option<ForkId>, Violation> {
    let on = |name: &str| match shape.forks.get(name) {
        Some(fork) => store.fork(&fork.id),
        None => Ok(store.main()),
    };
    let id = |name: &str| &shape.forks[name].id;
    let done = match *act {
        Act::Append(name, texts) => on(name).and_then(|branch| {
            let draft =
                |text: &&str| EventDraft::new(&format!("of {name}"), "said", payload(text)).expect("a draft");
            let key = IdempotencyKey::new(format!("append {texts:?}")).expect("a key");
            let events = texts.iter().map(draft).collect();
            branch.append(Append { events, idempotency_key: Some(key), ..Append::default() }).map(|_| None)
        }),
        Act::Fork(name, parent, ttl_seconds) => on(parent).and_then(|branch| {
            let key = IdempotencyKey::new(format!("fork {name}")).expect("a key");
            let new = NewFork { ttl_seconds, idempotency_key: Some(key), ..NewFork::default() };
            branch.create_fork(new).map(|made| Some(made.id))
        }),
        Act::Promote(name) => store.promote_fork(id(name), &Promotion::default()).map(|_| None),
        Act::Discard(name) => store.discard_fork(id(name)).map(|_| None),
        Act::Restore(name) => store.restore_fork(id(name)).map(|_| None),
        Act::Reset(name) => store.reset_fork(id(name)).map(|_| None),
        Act::Tag(name) => on(name).and_then(|branch| branch.tag("here", None)).map(|_| None),
        Act::Pass(seconds) => {
            clock.advance(Duration::from_secs(seconds));
            Ok(None)
        }
        Act::Sweep => store.sweep_forks().map(|_| None),
        Act::Reopen => Ok(None),
    };
    match done {
        // It was discarded by the call that seemed to fail.
        Err(error) if matches!(act, Act::Discard(_)) && error.code() == "fork_discarded" => Ok(None),
        done => done.map_err(|error| error.to_string()),
    }
}

impl Shape {
    /// What it is once that is done.
    pub fn after(&self, act: &Act, made: Option<ForkId>, clock: &ManualClock) -> Self {
        let (mut next, now) = (self.clone(), clock.now().as_micros());
        match *act {
            Act::Append(name, texts) => {
                let texts = texts.iter().map(|text| short(&payload(text)));
                next.told_by(name).extend(texts);
                next.change(name, |fork| fork.is_durable = true);
            }
            Act::Fork(name, parent, ttl_seconds) => {
                let told = next.told_by(parent).clone();
                next.change(parent, |fork| fork.is_durable = true);
                let expires_at =
                    (ttl_seconds > 0).then(|| now + i64::try_from(ttl_seconds).expect("small") * 1_000_000);
                if let Some(id) = made {
                    let (cut, discarded_at) = (told.len(), None);
                    let (is_durable, is_tagged) = (false, false);
                    next.forks.insert(
                        name,
                        Fork { id, parent, cut, told, expires_at, discarded_at, is_durable, is_tagged },
                    );
                }
            }
            Act::Promote(name) => next.promote(name),
            Act::Discard(name) => {
                next.change(name, |fork| (fork.discarded_at, fork.is_durable) = (Some(now), true));
            }
            Act::Restore(name) => next.change(name, |fork| fork.discarded_at = None),
            Act::Reset(name) => {
                let told = next.told_by(next.forks[name].parent).clone();
                next.change(name, |fork| {
                    (fork.cut, fork.told) = (told.len(), told);
                    (fork.is_tagged, fork.is_durable) = (false, true);
                });
            }
            Act::Tag(name) => next.change(name, |fork| (fork.is_tagged, fork.is_durable) = (true, true)),
            Act::Sweep => next.forks.retain(|_, fork| !fork.is_over(now)),
            Act::Pass(_) | Act::Reopen => {}
        }
        next
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut Fork)) {
        if let Some(fork) = self.forks.get_mut(name) {
            change(fork);
        }
    }

    fn told_by(&mut self, name: &str) -> &mut Vec<String> {
        self.forks.get_mut(name).map_or(&mut self.main, |fork| &mut fork.told)
    }

    pub fn live(&self) -> Vec<&'static str> {
        self.forks.iter().filter(|(_, fork)| fork.is_live()).map(|(name, _)| *name).collect()
    }

    /// What a fork added and its parent does not have goes behind what that has.
    pub fn promote(&mut self, name: &str) {
        let fork = &self.forks[name];
        let (parent, own) = (fork.parent, fork.told[fork.cut..].to_vec());
        let told = self.told_by(parent);
        for text in own {
            if !told.contains(&text) {
                told.push(text);
            }
        }
    }

    /// Fails when a store holds anything else; where an act had no answer, what that would have made is as good.
    pub fn is_kept(
        &self,
        store: &Store,
        open_end: Option<&Self>,
        clock: &ManualClock,
    ) -> Result<(), Violation> {
        let main = super::told(&store.main())?;
        if main != self.main && open_end.is_none_or(|other| main != other.main) {
            return Err(format!("main holds {main:?} instead of {:?} or {open_end:?}", self.main));
        }
        for (name, fork) in &self.forks {
            let other = open_end.and_then(|other| other.forks.get(name));
            let may_go = open_end.is_some() && other.is_none();
            let wrong = |what: String| Err(format!("{name} ({fork:?}, or {other:?}) {what}"));
            let info = match store.fork_info(&fork.id) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let is_over = fork.is_over(clock.now().as_micros());
                    if !fork.is_durable || may_go || is_over {
                        continue;
                    }
                    return wrong("is gone".to_owned());
                }
                info => info.map_err(|error| format!("{name}: {error}"))?,
            };
            let is_live = info.state == ForkState::Live;
            let mut likely = [Some(fork), other].into_iter().flatten().filter(|one| {
                one.is_live() == is_live
                    && info.head.get() == one.told.len() as u64
                    && info.cut.get() == one.cut as u64
                    && one.is_tagged != info.tags.is_empty()
            });
            let Some(expected) = likely.next() else { return wrong(format!("is {info:?}")) };
            if is_live {
                let found = store
                    .fork(&fork.id)
                    .map_err(|error| error.to_string())
                    .and_then(|fork| super::told(&fork))?;
                if found != expected.told {
                    return wrong(format!("holds {found:?}"));
                }
            }
        }
        Ok(())
    }

    /// Takes what a store holds, which was found good, for what it must hold from now on.
    pub fn settle(&mut self, store: &Store) -> Result<(), Violation> {
        self.main = super::told(&store.main())?;
        let mut gone = Vec::new();
        for (name, fork) in &mut self.forks {
            match store.fork_info(&fork.id) {
                Ok(info) if info.state == ForkState::Live => {
                    fork.told = store
                        .fork(&fork.id)
                        .map_err(|error| error.to_string())
                        .and_then(|fork| super::told(&fork))?;
                    fork.cut = usize::try_from(info.cut.get()).expect("small");
                    (fork.discarded_at, fork.is_tagged) = (None, !info.tags.is_empty());
                }
                Ok(_) => {
                    // It can be restored, and holds what it did.
                    store.restore_fork(&fork.id).map_err(|error| format!("restore {name}: {error}"))?;
                    let found = store
                        .fork(&fork.id)
                        .map_err(|error| error.to_string())
                        .and_then(|fork| super::told(&fork))?;
                    if found != fork.told {
                        return Err(format!("{name}, restored, holds {found:?} instead of {:?}", fork.told));
                    }
                    fork.discarded_at = None;
                }
                Err(_) => gone.push(*name),
            }
            fork.is_durable = true;
        }
        self.forks.retain(|name, _| !gone.contains(name));
        Ok(())
    }
}
