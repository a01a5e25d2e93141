//! `allsource retention`: how long payloads are kept.

use serde_json::Value;

use super::Terminal;
use super::outcome::{Ended, Exit};
use super::quantity::{bytes, seconds};
use crate::door::Host;
use crate::engine::Caller;
use crate::event::grouped;
use crate::event::quote;
use crate::tools::Object;

pub(super) const LONG_ABOUT: &str = "\
Say how long the payloads of an event type are kept, and empty those that are not kept any longer.

Nothing is ever emptied unless a policy says so. A policy names an event type, or a prefix with a trailing star \
('order.*'), and at least one limit: an age (by the event's timestamp), a number of events, or a number of bytes of payload \
and metadata; the last two hold for each type by itself, and the newest are kept. An event beyond any limit loses payload \
and metadata. Its row stays: positions, versions, ids, types, times and counts do not change, and an append that is sent \
again is still known.

A running server carries policies out in the background: when log files have become Parquet, and ages 24 times in their \
length, at least daily. `retention run` does it at once. Every run first stores an event of the type \
allsource.retention.applied for the entity allsource:retention, which says what goes; these events are never emptied. \
Backups that were made before keep what they have. It cannot be undone.

Examples:
  allsource retention set 'session.*' --max-age 30d
  allsource retention set log.line --max-events 1000000 --max-bytes 512MiB
  allsource retention run --dry-run
  allsource retention list
  allsource retention clear 'session.*'";

/// The subcommands of `allsource retention`.
#[derive(Debug, clap::Args)]
pub(super) struct RetentionArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Set the policy of an event type, in the place of one that it has
    Set(SetArgs),
    /// Take the policy of an event type away
    Clear {
        /// The event type or prefix, exactly as it was set
        #[arg(value_name = "TYPE")]
        event_type: String,
    },
    /// Show the policies
    List,
    /// Empty what the policies leave out now
    Run {
        /// Only say what would be emptied
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, clap::Args)]
struct SetArgs {
    /// The event type, or a prefix with a trailing star
    #[arg(value_name = "TYPE")]
    event_type: String,
    /// Keep what is younger by its timestamp, such as 30d (s, m, h, d, w)
    #[arg(long, value_name = "AGE", value_parser = seconds)]
    #[arg(required_unless_present_any = ["max_events", "max_bytes"])]
    max_age: Option<u64>,
    /// Keep so many events of each type
    #[arg(long, value_name = "COUNT")]
    max_events: Option<u64>,
    /// Keep so many bytes of each type, such as 512MiB
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    max_bytes: Option<u64>,
}

/// Runs `allsource retention`.
pub(super) fn run(
    arguments: &RetentionArgs,
    host: &Host,
    caller: &Caller,
    terminal: &mut Terminal<'_>,
) -> Ended {
    match &arguments.action {
        Action::Set(set) => {
            let mut asked = named(&set.event_type);
            let limits = [
                ("max_age_seconds", set.max_age),
                ("max_events", set.max_events),
                ("max_bytes", set.max_bytes),
            ];
            for (name, limit) in limits {
                asked.extend(limit.map(|limit| (name.to_owned(), Value::from(limit))));
            }
            show(&host.operate("retention_set", &asked, caller)?, terminal)
        }
        Action::Clear { event_type } => {
            let done = host.operate("retention_clear", &named(event_type), caller)?;
            if done.get("cleared").and_then(Value::as_bool).unwrap_or(false) {
                writeln!(terminal.out, "cleared: {}", quote(event_type))?;
                return Ok(Exit::Done);
            }
            writeln!(terminal.err, "there is no policy for {}", quote(event_type))?;
            Ok(Exit::Failed)
        }
        Action::List => show(&host.operate("retention_list", &Object::new(), caller)?, terminal),
        Action::Run { dry_run } => {
            let asked = Object::from_iter([("dry_run".to_owned(), Value::from(*dry_run))]);
            let done = host.operate("retention_run", &asked, caller)?;
            let emptied = list(&done, "emptied");
            let verb = if *dry_run { "would empty" } else { "emptied" };
            for one in emptied {
                let count = |name: &str| grouped(one.get(name).and_then(Value::as_u64).unwrap_or(0));
                let policy = one.get("policy").map(line).unwrap_or_default();
                writeln!(
                    terminal.out,
                    "{verb} {} events, {} bytes: {policy}",
                    count("events"),
                    count("bytes")
                )?;
            }
            if emptied.is_empty() {
                writeln!(terminal.out, "nothing to empty")?;
            }
            Ok(Exit::Done)
        }
    }
}

fn named(event_type: &str) -> Object {
    Object::from_iter([("event_type".to_owned(), Value::from(event_type))])
}

fn show(answer: &Object, terminal: &mut Terminal<'_>) -> Ended {
    let policies = list(answer, "policies");
    for policy in policies {
        writeln!(terminal.out, "{}", line(policy))?;
    }
    if policies.is_empty() {
        writeln!(terminal.out, "no policies: everything is kept")?;
    }
    Ok(Exit::Done)
}

fn list<'a>(answer: &'a Object, name: &str) -> &'a [Value] {
    answer.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn line(policy: &Value) -> String {
    let name = policy.get("event_type").and_then(Value::as_str).unwrap_or_default();
    let limit = |name: &str, unit: &str| {
        let limit = policy.get(name).and_then(Value::as_u64)?;
        Some(format!("{} {unit}", grouped(limit)))
    };
    let limits =
        [limit("max_age_seconds", "seconds"), limit("max_events", "events"), limit("max_bytes", "bytes")];
    let limits: Vec<_> = limits.into_iter().flatten().collect();
    format!("{} keeps {}", quote(name), limits.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_told_in_a_line() {
        let policy = json!({"event_type": "order.*", "max_age_seconds": 2_592_000, "max_bytes": 5});
        assert_eq!(line(&policy), "\"order.*\" keeps 2,592,000 seconds, 5 bytes");
    }
}
