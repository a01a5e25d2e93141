//! `import_events`: brings in a file that lies below the directory that whoever started the server named.

use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{Reply, Step};
use super::argument::{Argument, BUDGET, Field, Kind, LIMIT_DEFAULT};
use super::budget::cut_strings;
use super::call::Call;
use super::{Hints, Object, Tool};
use crate::engine::{Caller, Engine};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventDraft, IdempotencyKey, Position, quote};
use crate::import::{
    BadLine, Chunk, Format, Intake, Item, Ledger, Mapping, Message, Source, Wanted, read_chunks,
};
use crate::store::Append;

/// The longest that one call imports: 20 s. What is stored by then stays, and the next call goes on behind it.
const TIME_MAX: Duration = Duration::from_secs(20);
/// How many batches may wait for the store.
const CHUNKS_WAITING_MAX: usize = 2;
/// The bad lines that are named; all are counted.
const BAD_LINES_MAX: usize = 10;
/// The events that a dry run shows.
const EXAMPLES_MAX: usize = 3;
/// The most characters of a text in an example.
const EXAMPLE_CHARS_MAX: usize = 80;

/// What `mapping` may say, and the flag of the command line that says the same.
const PLACES: [(&str, &str); 5] = [
    ("entity_id", "--entity"),
    ("event_type", "--type"),
    ("timestamp", "--timestamp"),
    ("event_id", "--event-id"),
    ("actor", "--actor"),
];

const ARGUMENTS: &[Argument] = &[
    Argument::required("path", Kind::Text, "File below the import root"),
    Argument::optional("mapping", Kind::Raw, "Field of each part: {\"entity_id\": \"/user\"}"),
    Argument::optional("format", Kind::Choice(&["auto", "jsonl", "csv"]), "How rows are written"),
    Argument::optional("dry_run", Kind::Flag, "Say what would be added; default true"),
    Argument::optional("branch", Kind::Text, "Branch to write; main"),
];

/// The tool.
pub(super) const TOOL: Tool = Tool {
    name: "import_events",
    title: "Import events",
    toolset: "write",
    description: "Bring in a file of JSON Lines or CSV (plain, gzip, zstd) from the import root. mapping names a JSON pointer, a \
                  column or =constant for entity_id, event_type, timestamp, event_id, actor; what you leave out is guessed. The \
                  first call is a dry run: mapping, counts, bad lines, examples. Then send it with dry_run false. Importing again \
                  adds nothing; a call that ends with complete false goes on when it is sent again.",
    hints: Hints { read_only: false, destructive: false, idempotent: true, open_world: false },
    arguments: &[ARGUMENTS, BUDGET],
    fields: &[
        Field::new("dry_run", "boolean"),
        Field::new("mapping", "string"),
        Field::new("added", "integer"),
        Field::new("there_before", "integer"),
        Field::new("bad_count", "integer"),
        Field::new("bad_lines", "array"),
        Field::new("examples", "array"),
    ],
    limit_default: LIMIT_DEFAULT,
    example: r#"{"path": "orders.jsonl", "mapping": {"entity_id": "/id", "event_type": "=order.placed"}}"#,
    run,
};

fn run(call: &mut Call<'_>) -> Result<Reply> {
    let path = file(call)?;
    call.check_is_head()?;
    call.engine.check_writes(call.caller)?;
    let dry = call.arguments.object().get("dry_run") != Some(&Value::Bool(false));
    let wanted = wanted(call)?;
    let format = call.arguments.text("format").and_then(Format::named);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let source = Source::open(&path.to_string_lossy())?;
    let branch = Branch { engine: &call.engine, caller: call.caller, dry };
    let mut import = Import { intake: Intake::new(&branch, true), found: Found::default() };
    let clock = call.engine.clock();
    let until = clock.elapsed().saturating_add(TIME_MAX);
    let (to, from) = sync_channel(CHUNKS_WAITING_MAX);
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| read_chunks(&name, source, format, &wanted, &{ to }));
        // Owned here, so that an early end closes the channel and the reading thread ends too.
        let from = from;
        for message in from {
            import.take(message)?;
            call.caller.progress.tell(import.found.rows(), None, "rows looked at");
            if clock.elapsed() > until {
                return Ok(false);
            }
        }
        Ok(true)
    });
    let complete = ended.map_err(|error| renamed(&error))?;
    let head = call.engine.store().snapshot().head();
    Ok(tell(call, &import.found, dry, complete, head))
}

/// The file that is meant, below the import root whatever links lead there.
fn file(call: &Call<'_>) -> Result<PathBuf> {
    let given = call.arguments.text("path").unwrap_or_default();
    let Some(root) = call.caller.import_root.as_deref() else {
        let message = "import a file: this server was started without --import-root DIR; append_events takes events themselves";
        return Err(Error::new(ErrorKind::Denied, "no_import_root", message));
    };
    let outside = || {
        let message = format!("import {}: it lies outside the import root", quote(given));
        Error::new(ErrorKind::Denied, "outside_import_root", message)
            .with("argument", "path")
            .with("files", files(root))
    };
    let root = root.canonicalize().map_err(|error| missing(given, root, &error))?;
    // Before anything is looked for, so that no answer tells what is there.
    let inside = Path::new(given).strip_prefix(&root).unwrap_or(Path::new(given));
    if !inside.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(outside());
    }
    let path = root.join(inside).canonicalize().map_err(|error| missing(given, &root, &error))?;
    if path.starts_with(&root) { Ok(path) } else { Err(outside()) }
}

fn missing(given: &str, root: &Path, error: &std::io::Error) -> Error {
    let message = format!("import {}: {error}; it must be a file below the import root", quote(given));
    Error::new(ErrorKind::NotFound, "unreadable_file", message)
        .with("argument", "path")
        .with("files", files(root))
}

/// Some files of the import root, by name.
fn files(root: &Path) -> Vec<String> {
    const FILES_MAX: usize = 20;
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.truncate(FILES_MAX);
    names
}

fn wanted(call: &Call<'_>) -> Result<Wanted> {
    let mut places: Object = call.arguments.map("mapping").cloned().unwrap_or_default();
    let mut place = |name: &str| match places.shift_remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(place)) => Ok(Some(place)),
        Some(other) => {
            let message = format!("mapping.{name} must be a string such as \"/user\" but is {other}");
            Err(Error::invalid("bad_argument", message).with("argument", "mapping"))
        }
    };
    let wanted = Wanted {
        entity: place("entity_id")?,
        event_type: place("event_type")?,
        timestamp: place("timestamp")?,
        event_id: place("event_id")?,
        actor: place("actor")?,
    };
    match places.keys().next() {
        None => Ok(wanted),
        Some(unknown) => {
            let known: Vec<&str> = PLACES.iter().map(|(name, _)| *name).collect();
            let message = format!("mapping has no part {}; it takes {}", quote(unknown), known.join(", "));
            Err(Error::invalid("bad_argument", message).with("argument", "mapping"))
        }
    }
}

/// The error, its message in the words of this tool.
fn renamed(error: &Error) -> Error {
    let again = Error::new(error.kind(), error.code().to_owned(), in_our_words(error.message()));
    let again = error.details().iter().fold(again, |error, (name, value)| error.with(name, value.clone()));
    again.with("argument", "mapping")
}

/// What is said of an import, with the names of arguments where the command line has flags.
fn in_our_words(said: &str) -> String {
    let said = said.replace(", or --again to store the lines a second time", "");
    PLACES.iter().fold(said, |said, (name, flag)| said.replace(flag, &format!("mapping.{name}")))
}

/// The branch that is written to, or that a dry run looks at.
struct Branch<'a> {
    engine: &'a Engine,
    caller: &'a Caller,
    dry: bool,
}

impl Ledger for Branch<'_> {
    fn known(&self, keys: &[String]) -> Result<Vec<Option<u64>>> {
        let snapshot = self.engine.store().snapshot();
        let position =
            |key: &String| Ok(snapshot.call(&IdempotencyKey::new(key.as_str())?)?.map(Position::get));
        keys.iter().map(position).collect()
    }

    fn event_at(&self, position: u64) -> Result<Option<EventDraft>> {
        let Some(event) = self.engine.store().snapshot().event(Position::new(position))? else {
            return Ok(None);
        };
        let mut draft =
            EventDraft::new(event.entity_id.as_str(), event.event_type.as_str(), event.payload.as_str())?
                .at(event.timestamp);
        if let Some(metadata) = &event.metadata {
            draft = draft.with_metadata(metadata.as_str())?;
        }
        Ok(Some(draft.with_event_id(event.event_id)))
    }

    fn append(&self, items: &[Item], key: Option<&str>) -> Result<u64> {
        if self.dry {
            return Ok(0);
        }
        let events: Vec<EventDraft> = items.iter().map(|item| item.event.clone()).collect();
        let idempotency_key = key.map(IdempotencyKey::new).transpose()?;
        let appended =
            self.engine.append(Append { events, idempotency_key, ..Append::default() }, self.caller)?;
        let known = appended.events.iter().filter(|one| one.already_stored).count();
        Ok(if appended.duplicate { items.len() } else { known } as u64)
    }
}

/// What an import came to so far.
#[derive(Default)]
struct Found {
    mapping: Option<Mapping>,
    added: u64,
    there_before: u64,
    bad_count: u64,
    bad_lines: Vec<BadLine>,
    examples: Vec<EventDraft>,
    lacking: Vec<String>,
}

struct Import<'b> {
    intake: Intake<'b, Branch<'b>>,
    found: Found,
}

impl Import<'_> {
    fn take(&mut self, message: Message) -> Result<()> {
        let found = &mut self.found;
        match message {
            Message::Failed(error) => return Err(error),
            Message::Mapping(mapping) => found.mapping = Some(mapping),
            Message::Lacking(lacking) => found.lacking.push(lacking),
            Message::Chunk(chunk) => {
                found.show(&chunk);
                let outcome = self.intake.take(chunk)?;
                found.added += outcome.added;
                found.there_before += outcome.there_before;
                found.bad_count += outcome.bad.len() as u64;
                let room = BAD_LINES_MAX.saturating_sub(found.bad_lines.len());
                found.bad_lines.extend(outcome.bad.into_iter().take(room));
            }
        }
        Ok(())
    }
}

impl Found {
    /// How many rows were looked at.
    fn rows(&self) -> u64 {
        self.added + self.there_before + self.bad_count
    }

    fn show(&mut self, chunk: &Chunk) {
        let room = EXAMPLES_MAX.saturating_sub(self.examples.len());
        self.examples.extend(chunk.items.iter().take(room).map(|item| item.event.clone()));
    }
}

fn tell(call: &Call<'_>, found: &Found, dry: bool, complete: bool, head: Position) -> Reply {
    let mut reply = Reply { head_position: Some(head), incomplete: !complete, ..Reply::default() };
    reply.warnings.extend(found.lacking.iter().map(|lacking| in_our_words(lacking)));
    if dry {
        reply.field("dry_run", true);
    }
    if let Some(mapping) = &found.mapping {
        reply.untrusted.push("/mapping");
        reply.field("mapping", mapping.to_string());
    }
    reply.field("added", found.added);
    for (name, count) in [("there_before", found.there_before), ("bad_count", found.bad_count)] {
        if count > 0 {
            reply.field(name, count);
        }
    }
    if !found.bad_lines.is_empty() {
        let line = |bad: &BadLine| json!({"line": bad.line, "reason": bad.reason});
        reply.untrusted.push("/bad_lines");
        reply.field("bad_lines", found.bad_lines.iter().map(line).collect::<Vec<_>>());
    }
    if dry {
        reply.untrusted.push("/examples");
        reply.field("examples", found.examples.iter().map(example).collect::<Vec<_>>());
    }
    let mut again = call.arguments.object().clone();
    if dry && found.added > 0 {
        again.insert("dry_run".to_owned(), false.into());
        reply.next_steps.push(Step::new("import_events", again.into(), "stores them"));
    } else if !complete {
        reply.next_steps.push(Step::new("import_events", again.into(), "goes on behind what is stored"));
    }
    reply
}

fn example(draft: &EventDraft) -> Value {
    let payload = serde_json::from_str(draft.payload().as_str()).unwrap_or_default();
    let mut example = json!({"entity_id": draft.entity_id.as_str(), "event_type": draft.event_type.as_str()});
    if let Some(members) = example.as_object_mut() {
        members.extend(draft.timestamp.map(|at| ("timestamp".to_owned(), at.to_string().into())));
        members.insert("payload".to_owned(), payload);
    }
    cut_strings(example, EXAMPLE_CHARS_MAX).0
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::tools::fixture::Shop;

    const ROWS: &str = "{\"user\":\"ada\",\"what\":\"login\",\"at\":\"2026-01-01T00:00:00Z\",\"ip\":\"::1\"}\n\
                        {\"user\":\"bob\",\"what\":\"login\",\"at\":\"2026-01-02T00:00:00Z\"}\n\
                        {\"user\":\"bob\",\"what\":\"logout\",\"at\":\"never\"}\n";

    fn asked(dry_run: bool) -> Value {
        json!({
            "path": "logins.jsonl",
            "mapping": {"entity_id": "/user", "event_type": "/what", "timestamp": "/at"},
            "dry_run": dry_run,
        })
    }

    fn with_file() -> Shop {
        let shop = Shop::with_orders();
        shop.put_file("logins.jsonl", ROWS);
        shop
    }

    #[test]
    fn a_dry_run_says_what_would_come_in_and_stores_nothing() {
        let shop = with_file();
        let mut first = asked(true);
        first.as_object_mut().expect("an object").remove("dry_run");
        let dry = shop.ask("import_events", &first);
        assert_eq!((&dry["dry_run"], &dry["added"], &dry["bad_count"]), (&json!(true), &json!(2), &json!(1)));
        assert_eq!(dry["examples"][0]["entity_id"], "ada");
        assert_eq!(dry["examples"][0]["payload"], json!({"ip": "::1"}));
        assert_eq!(dry["bad_lines"][0]["line"], 3);
        assert_eq!(shop.ask("quick_stats", &json!({}))["counts"]["events"], 270);
        let done = shop.follow(&dry);
        assert_eq!((done.get("dry_run"), &done["added"]), (None, &json!(2)));
        assert_eq!(shop.ask("quick_stats", &json!({}))["counts"]["events"], 272);
    }

    #[test]
    fn importing_again_adds_nothing_and_another_mapping_is_refused() {
        let shop = with_file();
        shop.ask("import_events", &asked(false));
        let again = shop.ask("import_events", &asked(false));
        assert_eq!((&again["added"], &again["there_before"]), (&json!(0), &json!(2)));
        let mut other = asked(false);
        other["mapping"]["entity_id"] = json!("/what");
        let refused = shop.refused("import_events", &other, "other_mapping");
        assert!(!refused["error"]["message"].as_str().expect("words").contains("--"), "{refused:?}");
    }

    #[test]
    fn nothing_outside_the_root_is_read() {
        let shop = with_file();
        for path in ["/etc/passwd", "/no/such/file", "../../etc/passwd", "../orders.jsonl", ".."] {
            let mut call = asked(true);
            call["path"] = json!(path);
            shop.refused("import_events", &call, "outside_import_root");
        }
        let missing = shop.refused("import_events", &json!({"path": "login.jsonl"}), "unreadable_file");
        assert!(
            missing["error"]["files"].as_array().is_some_and(|files| files.contains(&json!("logins.jsonl")))
        );
        let mut without = with_file();
        without.caller.import_root = None;
        without.refused("import_events", &asked(true), "no_import_root");
    }

    #[test]
    fn a_mapping_is_explained_in_the_words_of_the_tool() {
        let shop = with_file();
        let lost = json!({"path": "logins.jsonl", "mapping": {"entity_id": "/usr", "event_type": "/what"}});
        let refused = shop.refused("import_events", &lost, "no_such_place");
        let message = refused["error"]["message"].as_str().expect("words");
        assert!(message.contains("mapping.entity_id /usr") && message.contains("/user"), "{message}");
        let unknown = json!({"path": "logins.jsonl", "mapping": {"who": "/user"}});
        shop.refused("import_events", &unknown, "bad_argument");
    }

    #[test]
    fn what_is_reserved_is_a_bad_line() {
        let shop = Shop::with_orders();
        shop.put_file(
            "own.jsonl",
            "{\"entity_id\":\"a\",\"event_type\":\"b\",\"payload\":{},\"metadata\":{\"$client\":{}}}\n",
        );
        let done = shop.ask("import_events", &json!({"path": "own.jsonl", "dry_run": false}));
        assert_eq!((&done["added"], &done["bad_count"]), (&json!(0), &json!(1)), "{done}");
    }
}
