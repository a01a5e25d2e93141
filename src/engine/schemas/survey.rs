//! Which stored events fit? Goes through them, for as long as there is time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Engine, View};
use crate::error::Result;
use crate::event::{Event, Filter, NamePattern, Position};
use crate::schema::{
    Checker, Entry, Inference, Registry, SAMPLE_EVENTS_MAX, Subject, Violation, is_reserved,
};
use crate::store::{Order, Scan, ScanLimits};

/// The longest that events are gone through: 2 s.
const TIME_MAX: Duration = Duration::from_secs(2);
/// The events read at a time.
const STEP: usize = 1_000;

/// What was found out.
#[derive(Default)]
pub(crate) struct Survey {
    /// How many events were checked.
    pub checked: u64,
    /// How many of them do not fit.
    pub failed: u64,
    /// Those that no schema is registered for, or that retention has emptied.
    pub passed_over: u64,
    /// How far it went, when it did not go to the end.
    pub scanned_to: Option<Position>,
    /// The first that do not fit.
    pub failures: Vec<Failure>,
}

/// An event that does not fit.
pub(crate) struct Failure {
    pub event: Event,
    /// The first thing that is wrong with it.
    pub violation: Violation,
}

/// By what events are checked.
pub(crate) enum Measure<'m> {
    /// By the schema that is registered for their type.
    Registered(&'m Registry),
    /// By this one, whatever their type; what the registry itself wrote is left out.
    Draft(&'m Checker),
    /// By this one, where the subject would be the nearest of those registered.
    Of { subject: &'m Subject, registry: &'m Registry, checker: &'m Checker },
}

impl Engine {
    /// Checks the stored events of a view, newest first, up to `failures_max` failures told and `events_max` looked at.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn survey(
        &self,
        view: &View,
        measure: &Measure<'_>,
        before: Option<Position>,
        events_max: u64,
        failures_max: usize,
    ) -> Result<Survey> {
        let started = self.clock().elapsed();
        let mut survey = Survey::default();
        let mut checkers: HashMap<String, Option<Arc<Checker>>> = HashMap::new();
        let mut scan =
            Scan { filter: view.filter.clone(), order: Order::Descending, before, ..Scan::default() };
        let mut looked = 0_u64;
        loop {
            let left = usize::try_from(events_max.saturating_sub(looked)).unwrap_or(STEP).min(STEP);
            let time_max = TIME_MAX.saturating_sub(self.clock().elapsed().saturating_sub(started));
            if left == 0 || time_max.is_zero() {
                survey.scanned_to = scan.before;
                return Ok(survey);
            }
            let limits = ScanLimits { events_max: left, time_max, ..ScanLimits::default() };
            let page = view.snapshot.replay(&scan, &limits)?;
            looked += page.events.len() as u64;
            for event in page.events {
                let checker = match measure {
                    _ if event.emptied => None,
                    Measure::Draft(checker) => {
                        let is_own = is_reserved(event.entity_id.as_str(), event.event_type.as_str());
                        (!is_own).then_some(*checker)
                    }
                    Measure::Of { subject, registry, checker } => {
                        is_for(registry, subject, event.event_type.as_str()).then_some(*checker)
                    }
                    Measure::Registered(registry) => checkers
                        .entry(event.event_type.as_str().to_owned())
                        .or_insert_with(|| {
                            self.checker(registry.of_type(event.event_type.as_str())?.newest()?)
                        })
                        .as_deref(),
                };
                survey.take(event, checker, failures_max);
            }
            match page.scanned_to {
                Some(scanned_to) if !page.complete => scan.before = Some(scanned_to),
                _ => return Ok(survey),
            }
        }
    }

    /// What the newest events of a subject look like in a view, up to 10,000 of them, and how far was looked when time ran out.
    ///
    /// # Errors
    /// `Corrupt` when stored bytes are not what was written.
    pub(crate) fn infer(&self, view: &View, subject: &Subject) -> Result<(Inference, Option<Position>)> {
        let started = self.clock().elapsed();
        let mut inference = Inference::default();
        let mut scan = Scan { filter: view.filter.clone(), order: Order::Descending, ..Scan::default() };
        loop {
            let limits = ScanLimits { events_max: STEP, time_max: TIME_MAX, ..ScanLimits::default() };
            let page = view.snapshot.replay(&scan, &limits)?;
            let is_meant = |event: &&Event| !event.emptied && subject.matches(event.event_type.as_str());
            let kept = page.events.iter().filter(is_meant);
            kept.for_each(|event| inference.look(&event.payload.to_value()));
            match page.scanned_to {
                Some(scanned_to) if !page.complete => scan.before = Some(scanned_to),
                _ => return Ok((inference, None)),
            }
            if inference.looked_at() >= SAMPLE_EVENTS_MAX as u64 {
                return Ok((inference, None));
            }
            if self.clock().elapsed().saturating_sub(started) > TIME_MAX {
                return Ok((inference, page.scanned_to));
            }
        }
    }
}

/// Whether a subject's schema is, or would be, the one for events of a type: none that is registered is nearer.
fn is_for(registry: &Registry, subject: &Subject, event_type: &str) -> bool {
    let is_nearer = |entry: &Entry| entry.subject.rank() > subject.rank();
    subject.matches(event_type) && !registry.of_type(event_type).is_some_and(is_nearer)
}

impl Survey {
    fn take(&mut self, event: Event, checker: Option<&Checker>, failures_max: usize) {
        let Some(checker) = checker else {
            self.passed_over += 1;
            return;
        };
        self.checked += 1;
        let payload = event.payload.as_str();
        if checker.is_valid(payload) {
            return;
        }
        self.failed += 1;
        if self.failures.len() < failures_max {
            let violation = checker.violations(payload).into_iter().next();
            self.failures.extend(violation.map(|violation| Failure { event, violation }));
        }
    }
}

/// The filter that selects a subject's events.
pub(crate) fn filter_of(subject: &Subject) -> Filter {
    let pattern: NamePattern = subject.pattern().clone();
    Filter { event_type: Some(pattern), ..Filter::default() }
}
