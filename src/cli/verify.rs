//! `allsource verify`: is everything as it was written?

use std::path::Path;

use serde_json::Value;

use super::Terminal;
use super::import::grouped;
use super::outcome::{Ended, Exit};
use crate::door::Host;
use crate::engine::Caller;
use crate::tools::Object;

/// Runs `allsource verify`.
pub(super) fn run(host: &Host, caller: &Caller, terminal: &mut Terminal<'_>) -> Ended {
    let began = terminal.clock.elapsed();
    let report = host.operate("verify", &Object::new(), caller)?;
    let seconds = terminal.clock.elapsed().saturating_sub(began).as_secs_f64();
    let count = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    let damage = report.get("damage").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for place in damage {
        writeln!(terminal.out, "{}", damage_line(place))?;
    }
    let (events, files) = (grouped(count("events")), grouped(count("files")));
    writeln!(terminal.out, "{events} events in {files} files are as they were written · {seconds:.2} s")?;
    if damage.is_empty() {
        return Ok(Exit::Done);
    }
    let remedy = if damage.iter().all(is_derived) {
        "no event is lost: delete the files named above while nothing has the store open"
    } else {
        "keep a copy of the directory, then copy everything readable into a new store with `allsource salvage --to DIR`"
    };
    writeln!(terminal.err, "damaged places: {}; {remedy}", damage.len())?;
    Ok(Exit::Damage)
}

fn is_derived(place: &Value) -> bool {
    let file = place.get("file").and_then(Value::as_str).map(Path::new);
    file.and_then(Path::extension).is_some_and(|ending| ending == "index" || ending == "states")
}

fn damage_line(place: &Value) -> String {
    let text =
        |name: &str| place.get(name).map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
    let field = |name: &str| text(name).unwrap_or_else(|| "?".to_owned());
    let (first, last) = (field("first_position"), field("last_position"));
    if last == "0" {
        return format!("damaged: {}: {}", field("file"), field("reason"));
    }
    let positions =
        if first == last { format!("position {first}") } else { format!("positions {first} to {last}") };
    format!("damaged: {} at byte {}: {positions}: {}", field("file"), field("offset"), field("reason"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn damage_is_told_with_its_place() {
        let place = json!({"file": "log/1", "offset": 64, "first_position": 3, "last_position": 9, "reason": "bad sum"});
        assert_eq!(damage_line(&place), "damaged: log/1 at byte 64: positions 3 to 9: bad sum");
        let place = json!({"file": "manifest.json", "offset": 0, "first_position": 0, "last_position": 0, "reason": "it is missing"});
        assert_eq!(damage_line(&place), "damaged: manifest.json: it is missing");
    }
}
