//! Which events a command is about: the filters of the tools as flags.

use serde_json::Value;

use crate::tools::Object;

/// The filters that `query`, `stats` and `export` share.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Which events")]
pub(super) struct FilterArgs {
    /// Only this entity; a trailing * takes all that begin so
    #[arg(long, value_name = "ID")]
    entity: Option<String>,
    /// Only this event type; a trailing * takes all that begin so
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// From this time on: RFC 3339, a date, now, now-7d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only where this holds, such as "payload.amount > 100"; may be given up to 16 times, all must hold
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<String>,
    /// As the world was at this time: no event with a later timestamp
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// As the store knew it at this time: no event recorded later
    #[arg(long, value_name = "TIME")]
    known_at: Option<String>,
    /// As the store was at this position
    #[arg(long, value_name = "POSITION")]
    as_of_position: Option<u64>,
    /// The branch to read: main, a fork's id, or BRANCH@TAG [default: main]
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// The zone of dates without a time [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

impl FilterArgs {
    /// The filters as a tool takes them.
    pub(super) fn to_arguments(&self) -> Object {
        let mut arguments = Object::new();
        let texts = [
            ("entity_id", &self.entity),
            ("event_type", &self.event_type),
            ("since", &self.since),
            ("until", &self.until),
            ("as_of", &self.as_of),
            ("known_at", &self.known_at),
            ("branch", &self.branch),
            ("time_zone", &self.time_zone),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                arguments.insert(name.to_owned(), Value::from(text.as_str()));
            }
        }
        if !self.conditions.is_empty() {
            arguments.insert("where".to_owned(), Value::from(self.conditions.clone()));
        }
        if let Some(position) = self.as_of_position {
            arguments.insert("as_of_position".to_owned(), Value::from(position));
        }
        arguments
    }
}
