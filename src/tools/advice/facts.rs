//! What the plans are made of: the store's own types, fields, entities and times.

use crate::engine::{FieldProfile, Profile, Role, TypeProfile, words};
use crate::event::{EntityId, Timestamp};

/// Words of types that say that something went wrong, or was taken back.
const FAILURES: [&str; 22] = [
    "fail",
    "error",
    "declin",
    "cancel",
    "reject",
    "denied",
    "deny",
    "abort",
    "timeout",
    "exception",
    "refus",
    "expire",
    "invalid",
    "delet",
    "revert",
    "rollback",
    "refund",
    "crash",
    "lost",
    "breach",
    "terminat",
    "block",
];
/// Words of fields that hold personal data.
const PERSONAL: [&str; 15] = [
    "email",
    "mail",
    "phone",
    "mobile",
    "address",
    "birth",
    "birthday",
    "birthdate",
    "firstname",
    "lastname",
    "surname",
    "ssn",
    "iban",
    "passport",
    "dob",
];

/// What is known about a store, seen from a question.
pub(crate) struct Facts<'p> {
    pub(crate) profile: &'p Profile,
    /// The entity that the caller spoke of, with its number of events.
    pub(crate) spoken_of: Option<(EntityId, u64)>,
}

impl<'p> Facts<'p> {
    pub(crate) fn new(profile: &'p Profile) -> Self {
        Self { profile, spoken_of: None }
    }

    /// An entity whose story can be read, and its number of events.
    pub(crate) fn entity(&self) -> Option<(&EntityId, u64)> {
        match &self.spoken_of {
            Some((id, events)) => Some((id, *events)),
            None => self.profile.entities.readable(),
        }
    }

    /// The time at which the last tenth of the whole time begins, if the events have some extent.
    pub(crate) fn lately(&self) -> Option<Timestamp> {
        let (first, last) = self.profile.stats.time_range?;
        let whole = last.as_micros().checked_sub(first.as_micros()).filter(|whole| *whole > 0)?;
        // To the second: a plan is read by people too.
        let from = last.as_micros() - whole / 10;
        Some(Timestamp::from_micros(from - from.rem_euclid(1_000_000)))
    }

    /// Types by which something failed or was taken back, the most frequent first.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &'p TypeProfile> {
        self.profile.types.iter().filter(|one| is_failure(one.event_type.as_str()))
    }

    /// The type with which most entities begin.
    pub(crate) fn first_type(&self) -> Option<&'p TypeProfile> {
        self.profile.types.iter().max_by_key(|one| one.first).filter(|one| one.first > 0)
    }

    /// The type with which most entities end, other than the one with which they begin.
    pub(crate) fn last_type(&self) -> Option<&'p TypeProfile> {
        let first = self.first_type().map(|one| &one.event_type);
        let others = self.profile.types.iter().filter(|one| Some(&one.event_type) != first);
        others.max_by_key(|one| one.last).filter(|one| one.last > 0)
    }

    pub(crate) fn rarest_type(&self) -> Option<&'p TypeProfile> {
        self.profile.types.iter().min_by_key(|one| one.count).filter(|_| self.profile.types.len() > 1)
    }

    /// The best field of a role: in many events, and near the top of the payload.
    pub(crate) fn field(&self, role: Role) -> Option<(&'p TypeProfile, &'p FieldProfile)> {
        let fields =
            self.profile.fields().into_iter().filter(|(_, field)| field.role == role && field.share > 0.2);
        fields.max_by(|a, b| weight(a).total_cmp(&weight(b)))
    }

    /// A value of a category that says that something went wrong, with the field's path.
    pub(crate) fn failed_value(&self) -> Option<(&'p FieldProfile, &'p str)> {
        let fields = self.profile.fields().into_iter().map(|(_, field)| field);
        fields.filter(|field| field.role == Role::Category && field.kinds == "string").find_map(|field| {
            let failed = field.examples.iter().find(|value| is_failure(value));
            failed.map(|value| (field, value.as_str()))
        })
    }

    /// A field that seems to hold personal data.
    pub(crate) fn personal(&self) -> Option<&'p FieldProfile> {
        let fields = self.profile.fields().into_iter().map(|(_, field)| field);
        fields
            .into_iter()
            .find(|field| words(field.name()).iter().any(|word| PERSONAL.contains(&word.as_str())))
    }

    /// The few fields that say most about an event of this type, for `fields`.
    pub(crate) fn telling_fields(&self, of: &TypeProfile, max: usize) -> Vec<String> {
        let actor = self.profile.actor().map(|field| field.path.clone());
        let mut paths: Vec<String> = actor.into_iter().collect();
        let worth = |role: Role| match role {
            Role::Category => 0,
            Role::Amount => 1,
            Role::Flag => 2,
            _ => 3,
        };
        let mut fields: Vec<&FieldProfile> = of.fields.iter().filter(|field| field.distinct > 1).collect();
        fields.sort_by_key(|field| worth(field.role));
        for field in fields {
            if paths.len() < max && !paths.contains(&field.path) {
                paths.push(field.path.clone());
            }
        }
        paths
    }
}

fn weight((one, field): &(&TypeProfile, &FieldProfile)) -> f64 {
    let depth = field.path.matches(['.', '[']).count();
    let events = f64::from(u32::try_from(one.count).unwrap_or(u32::MAX));
    events * field.share / f64::from(u32::try_from(depth.max(1)).unwrap_or(1))
}

fn is_failure(name: &str) -> bool {
    words(name).iter().any(|word| FAILURES.iter().any(|sign| word.starts_with(sign)))
}
