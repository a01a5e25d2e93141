//! `allsource verify`: is everything as it was written?

use serde_json::Value;

use super::Terminal;
use super::outcome::{Ended, Exit};
use crate::door::Host;
use crate::engine::Caller;
use crate::event::grouped;
use crate::tools::Object;

pub(super) const LONG_ABOUT: &str = "\
Read every byte of the store, check every checksum, and prove that positions and versions have no gap, that every index \
says what its events say, and that a segment says what its log file says where both are there.

Damage is printed with file, offset and positions, and the exit code is 4. With --repair, files that are derived from \
others are built anew (indexes) or removed (saved states, which are folded again), beside a running server too; the log, the segments and the manifest are never touched. \
Opening a store does the same with an index that cannot be opened, and removes what a crash left over: both is told.

A store with damage in its log, a segment or the manifest can still be read: `allsource restore` makes one from a backup, \
`allsource salvage` copies everything readable into a new one.

Examples:
  allsource verify --data ./events
  allsource verify --data ./events --repair
  allsource salvage --data ./events --to ./events-salvaged";

/// What `verify` takes.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// Build anew, or remove, what is damaged and derived from what is whole
    #[arg(long)]
    repair: bool,
    /// Prove this fork alone, without the branches that it stands on [default: main and all forks]
    #[arg(long, value_name = "BRANCH", conflicts_with = "repair")]
    branch: Option<String>,
}

/// Runs `allsource verify`.
pub(super) fn run(
    arguments: &VerifyArgs,
    host: &Host,
    caller: &Caller,
    terminal: &mut Terminal<'_>,
) -> Ended {
    let began = terminal.clock.elapsed();
    let mut asked = Object::from_iter([("repair".to_owned(), Value::from(arguments.repair))]);
    asked.extend(arguments.branch.as_deref().map(|branch| ("branch".to_owned(), Value::from(branch))));
    let report = host.operate("verify", &asked, caller)?;
    let seconds = terminal.clock.elapsed().saturating_sub(began).as_secs_f64();
    let count = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    let places = |name: &str| report.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let damage = places("damage");
    for place in damage {
        writeln!(terminal.out, "damaged: {}", place_line(place))?;
    }
    for place in places("repaired") {
        writeln!(terminal.out, "repaired: {}", place_line(place))?;
    }
    let (events, files) = (grouped(count("events")), grouped(count("files")));
    writeln!(terminal.out, "{events} events in {files} files are as they were written · {seconds:.2} s")?;
    if damage.is_empty() {
        return Ok(Exit::Done);
    }
    if let Some(reason) = report.get("not_repaired").and_then(Value::as_str) {
        writeln!(terminal.err, "nothing was repaired: failed to {reason}")?;
    }
    let is_derived = |place: &Value| place.get("derived").and_then(Value::as_bool).unwrap_or(false);
    let remedy = if damage.iter().all(is_derived) {
        "no event is lost: `allsource verify --repair` builds these files anew, or removes those with saved states"
    } else {
        "keep a copy of the directory, then make a store from a backup with `allsource restore`, or copy everything readable into \
         a new one with `allsource salvage --to DIR`"
    };
    writeln!(terminal.err, "damaged places: {}; {remedy}", damage.len())?;
    Ok(Exit::Damage)
}

fn place_line(place: &Value) -> String {
    let text =
        |name: &str| place.get(name).map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
    let field = |name: &str| text(name).unwrap_or_else(|| "?".to_owned());
    let (first, last) = (field("first_position"), field("last_position"));
    if last == "0" {
        let at = if field("offset") == "0" { String::new() } else { format!(" at byte {}", field("offset")) };
        return format!("{}{at}: {}", field("file"), field("reason"));
    }
    let positions =
        if first == last { format!("position {first}") } else { format!("positions {first} to {last}") };
    format!("{} at byte {}: {positions}: {}", field("file"), field("offset"), field("reason"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn damage_is_told_with_its_place() {
        let place = json!({"file": "log/1", "offset": 64, "first_position": 3, "last_position": 9, "reason": "bad sum"});
        assert_eq!(place_line(&place), "log/1 at byte 64: positions 3 to 9: bad sum");
        let place = json!({"file": "manifest.json", "offset": 0, "first_position": 0, "last_position": 0, "reason": "it is missing"});
        assert_eq!(place_line(&place), "manifest.json: it is missing");
    }
}
