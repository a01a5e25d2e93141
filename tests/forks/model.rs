//! The model machine for forks: appends, forks, promotions, resets and all the rest on a store and on plain lists, which must
//! agree on every branch after every step.

mod plan;
mod promotion;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use allsource::clock::SeededIds;
use allsource::event::{EventId, Filter, NamePattern, Position};
use allsource::store::disk::RealDisk;
use allsource::store::{
    Append, AppendCondition, Appended, ForkId, NewFork, Options, Order, Scan, Snapshot, Store,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::machines::model::plain::Model;
use crate::machines::model::plan::Plan;
use crate::machines::model::{everything_in, pages, rng};
use crate::machines::scratch;
use crate::machines::workload::small_options;
use plan::{Pick, Step, step};

type Checked = Result<(), TestCaseError>;

/// A branch as anyone would write it: a whole history of its own.
pub struct Line {
    /// `None` of main.
    pub id: Option<ForkId>,
    /// The line that it stands on.
    pub parent: usize,
    pub depth: usize,
    pub cut: usize,
    pub model: Model,
    /// Of each append since the cut: its events, and what it rested on.
    pub appends: Vec<(Vec<EventId>, Vec<AppendCondition>)>,
    pub is_discarded: bool,
    tags: BTreeMap<String, Position>,
}

impl Line {
    fn main() -> Self {
        Self {
            id: None,
            parent: 0,
            depth: 0,
            cut: 0,
            model: Model::default(),
            appends: Vec::new(),
            is_discarded: false,
            tags: BTreeMap::new(),
        }
    }

    fn id(&self) -> &ForkId {
        self.id.as_ref().expect("a fork")
    }
}

/// What a fork sees that is cut off a branch there: a call of which a part lies behind the cut was not made.
fn cut_off(model: &Model, cut: usize) -> Model {
    let is_whole = |appended: &Appended| {
        let mut fresh = appended.events.iter().filter(|event| !event.already_stored);
        fresh.all(|event| event.position.get() <= cut as u64)
    };
    let calls = model.calls.iter().filter(|(_, (_, appended))| is_whole(appended));
    Model {
        events: model.events[..cut].to_vec(),
        calls: calls.map(|(key, call)| (key.clone(), call.clone())).collect(),
    }
}

/// The store and the lines, side by side.
pub struct World<'a> {
    dir: &'a Path,
    store: Option<Store>,
    pub lines: Vec<Line>,
    sent: Vec<Append>,
    /// Nothing is left to be done in the background, so that whatever changes main's files is a fork's doing.
    is_quiet: bool,
}

impl World<'_> {
    pub fn store(&mut self) -> Store {
        let dir = self.dir;
        self.store.get_or_insert_with(|| open(dir)).clone()
    }

    /// The branch of a line.
    pub fn branch(&mut self, line: usize) -> Store {
        let store = self.store();
        self.lines[line].id.as_ref().map_or_else(|| store.main(), |id| store.fork(id).expect("a live fork"))
    }

    fn live(&self, pick: &Pick, with_main: bool) -> Option<usize> {
        let lines = self.lines.iter().enumerate().skip(usize::from(!with_main));
        let live: Vec<usize> = lines.filter(|(_, line)| !line.is_discarded).map(|(at, _)| at).collect();
        pick.of(&live)
    }

    fn perform(&mut self, step: &Step) -> Checked {
        match step {
            Step::Append(pick, plan) => self.append_planned(pick, plan),
            Step::Again(pick, which) if !self.sent.is_empty() => {
                let (line, append) = (self.live(pick, true).expect("main"), which.get(&self.sent).clone());
                self.append(line, &append)
            }
            Step::Again(..) => Ok(()),
            Step::Fork(pick, cut) => self.fork(pick, cut.as_ref()),
            Step::Reset(pick) => self.reset(pick),
            Step::Promote(pick, chosen) => match self.live(pick, false) {
                Some(line) => self.promote(line, chosen),
                None => Ok(()),
            },
            Step::Discard(pick) => self.discard(pick),
            Step::Restore(pick) => self.restore(pick),
            Step::Tag(pick, at) => self.tag(pick, *at),
            Step::Compact => {
                self.store().compact_to(0).expect("a healthy disk");
                self.is_quiet = true;
                self.everything()
            }
            Step::Reopen => {
                drop(self.store.take());
                self.is_quiet = false;
                self.everything()
            }
        }
    }

    /// Does something to a fork, by which no file of main changes.
    fn beside_main(&mut self, line: usize, act: impl FnOnce(&mut Self) -> Checked) -> Checked {
        let before = (self.is_quiet && line != 0).then(|| files(self.dir));
        self.is_quiet &= line != 0;
        act(self)?;
        if let Some(before) = before {
            prop_assert_eq!(files(self.dir), before, "a file of main changed");
        }
        Ok(())
    }

    fn append_planned(&mut self, pick: &Pick, plan: &Plan) -> Checked {
        let line = self.live(pick, true).expect("main");
        let append = plan.append(&self.lines[line].model);
        self.append(line, &append)
    }

    fn append(&mut self, line: usize, append: &Append) -> Checked {
        let branch = self.branch(line);
        self.beside_main(line, |world| {
            let of_line = &mut world.lines[line];
            let (refusal, before) = (of_line.model.refusal(append), branch.snapshot().head());
            match branch.append(append.clone()) {
                Err(error) => {
                    prop_assert_eq!(Some(error.code()), refusal, "{}", error);
                    prop_assert_eq!(branch.snapshot().head(), before);
                }
                Ok(_) if append.dry_run => {
                    prop_assert_eq!(refusal, None);
                    prop_assert_eq!(branch.snapshot().head(), before, "a dry run wrote");
                }
                Ok(appended) => {
                    prop_assert_eq!(refusal, None, "{:?} was taken", append);
                    let len = of_line.model.events.len();
                    of_line.model.take(append, &appended)?;
                    of_line.model.remember(append, &appended);
                    let ids = of_line.model.events[len..].iter().map(|event| event.event_id.clone());
                    of_line.appends.push((ids.collect(), append.conditions.clone()));
                    world.sent.push(append.clone());
                }
            }
            Ok(())
        })?;
        self.agrees(line)
    }

    fn fork(&mut self, pick: &Pick, cut: Option<&prop::sample::Index>) -> Checked {
        let parent = self.live(pick, true).expect("main");
        let branch = self.branch(parent);
        self.beside_main(usize::MAX, |world| {
            let (len, depth) = (world.lines[parent].model.events.len(), world.lines[parent].depth + 1);
            let cut = cut.map_or(len, |index| index.index(len + 1));
            let new = NewFork { cut: Some(Position::new(cut as u64)), ..NewFork::default() };
            let made = branch.create_fork(new);
            if depth > 8 {
                let error = made.expect_err("too deep");
                prop_assert_eq!(error.code(), "fork_too_deep");
                return Ok(());
            }
            let made = made.expect("a healthy disk");
            prop_assert_eq!((made.head.get(), made.cut.get(), made.bytes), (cut as u64, cut as u64, 0));
            let model = cut_off(&world.lines[parent].model, cut);
            world.lines.push(Line { id: Some(made.id), parent, depth, cut, model, ..Line::main() });
            Ok(())
        })?;
        self.agrees(self.lines.len() - 1)
    }

    fn reset(&mut self, pick: &Pick) -> Checked {
        let Some(line) = self.live(pick, false) else { return Ok(()) };
        let store = self.store();
        self.beside_main(line, |world| {
            let reset = store.reset_fork(world.lines[line].id());
            if world.lines.iter().skip(1).any(|other| other.parent == line) {
                let error = reset.expect_err("others stand on it");
                prop_assert_eq!(error.code(), "fork_has_children");
                return Ok(());
            }
            let parent = &world.lines[world.lines[line].parent].model;
            let (cut, model) = (parent.events.len(), cut_off(parent, parent.events.len()));
            prop_assert_eq!(reset.expect("a healthy disk").head.get(), cut as u64);
            let of_line = &mut world.lines[line];
            (of_line.cut, of_line.model) = (cut, model);
            of_line.appends.clear();
            of_line.tags.clear();
            Ok(())
        })?;
        self.agrees(line)
    }

    fn discard(&mut self, pick: &Pick) -> Checked {
        let Some(line) = self.live(pick, false) else { return Ok(()) };
        let (store, held) = (self.store(), self.branch(line));
        self.beside_main(line, |world| {
            let id = world.lines[line].id().clone();
            store.discard_fork(&id).expect("a healthy disk");
            prop_assert_eq!(
                store.fork(&id).err().map(|error| error.code().to_owned()),
                Some("fork_discarded".to_owned())
            );
            // Who reads it reads on.
            everything_in(&world.lines[line].model, &held.snapshot())?;
            prop_assert!(held.create_fork(NewFork::default()).is_err());
            world.lines[line].is_discarded = true;
            Ok(())
        })
    }

    fn restore(&mut self, pick: &Pick) -> Checked {
        let lines = self.lines.iter().enumerate();
        let discarded: Vec<usize> = lines.filter(|(_, line)| line.is_discarded).map(|(at, _)| at).collect();
        let Some(line) = pick.of(&discarded) else { return Ok(()) };
        let store = self.store();
        self.beside_main(line, |world| {
            store.restore_fork(world.lines[line].id()).expect("a healthy disk");
            world.lines[line].is_discarded = false;
            Ok(())
        })?;
        self.agrees(line)
    }

    fn tag(&mut self, pick: &Pick, at: prop::sample::Index) -> Checked {
        let line = self.live(pick, true).expect("main");
        let branch = self.branch(line);
        self.beside_main(line, |world| {
            let of_line = &mut world.lines[line];
            let position = at.index(of_line.model.events.len() + 1);
            let (name, position) = (format!("t{}", position % 3), Position::new(position as u64));
            branch.tag(&name, Some(position)).expect("a healthy disk");
            of_line.tags.insert(name, position);
            Ok(())
        })?;
        self.agrees(line)
    }

    /// Every live branch is as its line: the one that was touched in every way to read, the others by what they hold.
    pub fn agrees(&mut self, touched: usize) -> Checked {
        for line in 0..self.lines.len() {
            if self.lines[line].is_discarded {
                continue;
            }
            let (branch, of_line) = (self.branch(line), &self.lines[line]);
            let snapshot = branch.snapshot();
            prop_assert_eq!(pages(&snapshot, Scan::default(), 1_000)?, of_line.model.events.clone());
            prop_assert_eq!(&branch.tags(), &of_line.tags);
            if line == touched {
                everything_in(&of_line.model, &snapshot)?;
                other_ways(&of_line.model, &snapshot)?;
            }
        }
        Ok(())
    }

    fn everything(&mut self) -> Checked {
        for line in 0..self.lines.len() {
            if !self.lines[line].is_discarded {
                self.agrees(line)?;
            }
        }
        prop_assert_eq!(self.store().main().verify().damage, Vec::new());
        prop_assert_eq!(self.store().fork_ids().expect("listed").len(), self.lines.len() - 1);
        Ok(())
    }
}

/// Backwards, by entity, by type, as it was, and as it was known.
fn other_ways(model: &Model, snapshot: &Snapshot) -> Checked {
    let backwards = Scan { order: Order::Descending, ..Scan::default() };
    prop_assert!(pages(snapshot, backwards, 7)?.iter().eq(model.events.iter().rev()));
    let Some(event) = model.events.get(model.events.len() / 2) else { return Ok(()) };
    let exactly = |name: &str| Some(NamePattern::Exact(name.to_owned()));
    let of_entity = Filter { entity_id: exactly(event.entity_id.as_str()), ..Filter::default() };
    let of_type = Filter { event_type: exactly(event.event_type.as_str()), ..Filter::default() };
    for filter in [of_entity, of_type] {
        let found = pages(snapshot, Scan { filter: filter.clone(), ..Scan::default() }, 5)?;
        prop_assert!(found.iter().eq(model.events.iter().filter(|event| filter.matches(event))));
        prop_assert_eq!(snapshot.count(&filter).expect("readable"), Some(found.len() as u64));
    }
    let known = model.events.iter().rev().find(|other| other.recorded_at <= event.recorded_at);
    let found = snapshot.position_known_at(event.recorded_at).expect("readable");
    prop_assert_eq!(Some(found), known.map(|known| known.position));
    let at = usize::try_from(event.position.get()).expect("small");
    everything_in(&cut_off(model, at), &snapshot.up_to(event.position))
}

fn open(dir: &Path) -> Store {
    let options = Options {
        ids: Arc::new(SeededIds::new(7)),
        log_file_bytes: 4 << 10,
        run_bytes: 1 << 10,
        head_cache_entries_max: 2,
        ..small_options(Arc::new(RealDisk), 7)
    };
    Store::open(dir, options).expect("a healthy store opens")
}

/// Every file of main, with what it holds.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![dir.join("tenants/default/main")];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
            } else {
                found.insert(path.clone(), std::fs::read(&path).expect("readable"));
            }
        }
    }
    found
}

#[test]
fn forks_answer_as_plain_lists_would() {
    let config = Config { cases: 24, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let steps = prop::collection::vec(step(), 15..50);
    let outcome = TestRunner::new_with_rng(config, rng()).run(&steps, |steps| {
        let root = scratch();
        let mut world = World {
            dir: &root.path().join("store"),
            store: None,
            lines: vec![Line::main()],
            sent: Vec::new(),
            is_quiet: false,
        };
        for step in &steps {
            world.perform(step)?;
        }
        world.perform(&Step::Compact)?;
        world.perform(&Step::Reopen)
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
