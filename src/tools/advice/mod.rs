//! *How should this question be asked of this store?* A plan of calls that can be sent as they are, what to beware of,
//! and the craft behind it, made of the store's own names.
//!
//! A question goes: words → a use case and the types, fields, times and numbers it names ([`question`], [`said`]) → the calls for those
//! ([`named`], [`analyses`]) and [`plans`] over [`facts`] →
//! [`pitfalls`] and [`craft`], chosen by what the data shows.
//!
//! **Invariant:** pure over a [`Profile`](crate::engine::Profile): the same store and question give the same advice. Every call names a tool of
//! the table and only names that are stored.

mod analyses;
mod craft;
mod estimate;
mod facts;
mod named;
mod pitfalls;
mod plans;
mod question;
mod said;
mod statements;

pub(crate) use facts::Facts;
pub(crate) use question::Question;

use plans::PlanStep;
use serde_json::Value;

/// The most calls in a plan.
const PLAN_MAX: usize = 6;

/// What is advised.
pub(crate) struct Advice {
    /// The calls, in the order in which to send them, with what each costs.
    pub(crate) plan: Vec<Value>,
    /// What would lead to a wrong answer here.
    pub(crate) pitfalls: Vec<String>,
    /// Short sections of Markdown.
    pub(crate) craft: Vec<&'static str>,
}

/// Advises on a question about the store behind `facts`.
pub(crate) fn advise(facts: &Facts<'_>, question: &Question) -> Advice {
    let mut plan: Vec<PlanStep> = Vec::new();
    for step in named::named(facts, question).into_iter().chain(plans::of(facts, question.use_case)) {
        let step = named::within(step, question);
        if step.is_offered() && plan.iter().all(|known| !known.is_same_call(&step)) {
            plan.push(step);
        }
    }
    plan.truncate(PLAN_MAX);
    let plan = plan.iter().map(|step| step.to_value(facts)).collect();
    let pitfalls = pitfalls::of(facts, question.use_case);
    let craft = craft::sections(question.use_case, &pitfalls, question.is_design, question.is_about_shapes);
    Advice { plan, pitfalls: pitfalls.into_iter().map(|pitfall| pitfall.text).collect(), craft }
}
