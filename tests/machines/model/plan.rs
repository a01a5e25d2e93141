//! What to do to the store and to the model, in small numbers that shrink well.

use allsource::event::{
    EntityId, EventDraft, EventId, Expected, Filter, IdempotencyKey, NamePattern, Position, Timestamp,
    Version,
};
use allsource::store::{Append, AppendCondition};
use proptest::prelude::*;

use super::plain::Model;
use crate::machines::workload::NEW_YEAR;

/// One thing to do to both.
#[derive(Clone, Debug)]
pub enum Operation {
    Append(Plan),
    /// Sends an earlier append again, as it was.
    SendAgain(prop::sample::Index),
    Reopen,
    /// Makes segments of everything, and deletes the log files that are beyond the hot window.
    Compact,
    /// Moves the clock, backwards too.
    Clock {
        seconds: i64,
    },
    Read(ReadPlan),
}

/// An append, in small numbers from which [`Plan::append`] makes names.
#[derive(Clone, Debug)]
pub struct Plan {
    pub drafts: Vec<DraftPlan>,
    pub expected: Option<(u8, ExpectedPlan)>,
    pub condition: Option<(u8, prop::sample::Index)>,
    pub key: Option<u8>,
    pub dry_run: bool,
}

#[derive(Clone, Debug)]
pub struct DraftPlan {
    pub entity: u8,
    pub event_type: u8,
    pub payload: u8,
    pub id: Option<u8>,
    pub seconds_ago: Option<i64>,
    pub metadata: bool,
}

#[derive(Clone, Debug)]
pub enum ExpectedPlan {
    New,
    Exists,
    Any,
    Exactly { off_by: u64 },
}

#[derive(Clone, Debug)]
pub struct ReadPlan {
    pub entity: Option<(u8, bool)>,
    pub event_type: Option<(u8, bool)>,
    pub since: Option<i64>,
    pub until: Option<i64>,
    pub as_of: Option<i64>,
    pub cut: Option<prop::sample::Index>,
    pub known_at: Option<prop::sample::Index>,
    pub descending: bool,
    pub after: prop::sample::Index,
    pub before: Option<prop::sample::Index>,
    pub events_max: usize,
}

pub fn draft_plan() -> impl Strategy<Value = DraftPlan> {
    let id = prop::option::weighted(0.3, 0..12_u8);
    let seconds_ago = prop::option::weighted(0.4, 0..50_i64);
    (0..6_u8, 0..4_u8, any::<u8>(), id, seconds_ago, any::<bool>()).prop_map(
        |(entity, event_type, payload, id, seconds_ago, metadata)| DraftPlan {
            entity,
            event_type,
            // The same id must sometimes come with the same content.
            payload: if id.is_some() { payload % 2 } else { payload },
            id,
            seconds_ago,
            metadata,
        },
    )
}

pub fn plan() -> impl Strategy<Value = Plan> {
    let expectation = prop_oneof![
        Just(ExpectedPlan::New),
        Just(ExpectedPlan::Exists),
        Just(ExpectedPlan::Any),
        (0..3_u64).prop_map(|off_by| ExpectedPlan::Exactly { off_by: off_by / 2 }),
    ];
    (
        prop::collection::vec(draft_plan(), 1..7),
        prop::option::weighted(0.4, (0..7_u8, expectation)),
        prop::option::weighted(0.2, (0..5_u8, any::<prop::sample::Index>())),
        prop::option::weighted(0.3, 0..8_u8),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(drafts, expected, condition, key, dry_run)| Plan {
            drafts,
            expected,
            condition,
            key,
            dry_run,
        })
}

pub fn read_plan() -> impl Strategy<Value = ReadPlan> {
    let seconds = || prop::option::weighted(0.2, -60..60_i64);
    let index = || prop::option::weighted(0.25, any::<prop::sample::Index>());
    (
        (prop::option::of((0..7_u8, any::<bool>())), prop::option::of((0..5_u8, any::<bool>()))),
        (seconds(), seconds(), seconds()),
        (index(), index(), index()),
        (any::<bool>(), any::<prop::sample::Index>(), 1..20_usize),
    )
        .prop_map(|((entity, event_type), (since, until, as_of), (cut, known_at, before), rest)| {
            let (descending, after, events_max) = rest;
            ReadPlan {
                entity,
                event_type,
                since,
                until,
                as_of,
                cut,
                known_at,
                descending,
                after,
                before,
                events_max,
            }
        })
}

pub fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        12 => plan().prop_map(Operation::Append),
        2 => any::<prop::sample::Index>().prop_map(Operation::SendAgain),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Compact),
        1 => (-20..40_i64).prop_map(|seconds| Operation::Clock { seconds }),
        6 => read_plan().prop_map(Operation::Read),
    ]
}

pub fn entity(number: u8) -> EntityId {
    // One name is the beginning of another, so that prefixes mean something.
    EntityId::new(["order-1", "order-12", "Müller", "a/b", "x", "order", "nobody"][usize::from(number)])
        .expect("a name")
}

pub const TYPES: [&str; 5] = ["placed", "placed.twice", "Bezahlt am Tag", "SHIPPED", "never"];

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(NEW_YEAR.as_micros() + seconds * 1_000_000)
}

pub fn pattern((number, prefix): (u8, bool), name: impl Fn(u8) -> String) -> NamePattern {
    let name = name(number);
    if prefix { NamePattern::Prefix(name.chars().take(5).collect()) } else { NamePattern::Exact(name) }
}

impl Plan {
    /// The append, over what the model holds.
    pub fn append(&self, model: &Model) -> Append {
        let expected = self.expected.as_ref().map(|(number, expected)| {
            let entity = entity(*number);
            let version = model.version(&entity).get();
            let expected = match expected {
                ExpectedPlan::New => Expected::New,
                ExpectedPlan::Exists => Expected::Exists,
                ExpectedPlan::Any => Expected::Any,
                ExpectedPlan::Exactly { off_by } => Expected::Exactly(Version::new(version + off_by)),
            };
            (entity, expected)
        });
        let condition = self.condition.as_ref().map(|(number, after)| AppendCondition {
            filter: Filter {
                event_type: Some(NamePattern::Exact(TYPES[usize::from(*number)].to_owned())),
                ..Filter::default()
            },
            after: Position::new(after.index(model.events.len() + 1) as u64),
        });
        Append {
            events: self.drafts.iter().map(DraftPlan::draft).collect(),
            expected: expected.into_iter().collect(),
            conditions: condition.into_iter().collect(),
            idempotency_key: self.key.map(|key| IdempotencyKey::new(format!("key {key}")).expect("a key")),
            dry_run: self.dry_run,
        }
    }
}

impl DraftPlan {
    pub fn draft(&self) -> EventDraft {
        let text = "x".repeat(usize::from(self.payload) * 3);
        let payload =
            format!("{{ \"n\":{},\"text\":\"{text}\",\"long\":12345678901234567890123}}", self.payload);
        let event_type = TYPES[usize::from(self.event_type)];
        let mut draft =
            EventDraft::new(entity(self.entity).as_str(), event_type, payload).expect("a valid draft");
        if let Some(id) = self.id {
            draft = draft.with_event_id(EventId::new(format!("id {id}")).expect("an id"));
        }
        if let Some(seconds) = self.seconds_ago {
            draft = draft.at(at(-seconds));
        }
        if self.metadata {
            draft = draft.with_metadata("{\"actor\": \"someone\"}").expect("an object");
        }
        draft
    }
}
