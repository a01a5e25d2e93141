//! The write path above the store: who may write, and what the server adds.

use serde_json::{Value, json};

use super::{Caller, Engine, Writes};
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventDraft;
use crate::store::{Append, Appended, FORK_STAMP};

/// The metadata member that only the server writes: who really sent the event.
const CLIENT: &str = "$client";
/// The most characters that are kept of a client's name, and of its version.
const CLIENT_CHARS_MAX: usize = 64;

impl Engine {
    /// Appends to the branch on behalf of `caller`:
    ///
    /// 1. refuses a caller that may not change it;
    /// 2. refuses `metadata.$client` and `metadata.$fork`, which are the server's to write, and stamps the first when the
    ///    caller has a client; and names that the [schema registry](crate::schema) alone writes;
    /// 3. checks payloads by the schemas of the branch, where they are enforced;
    /// 4. stores all events or none.
    ///
    /// What only is to be warned of goes to the log of the process; [`append_warned`](Self::append_warned) gives it back.
    ///
    /// # Errors
    /// `Denied` (`writes_denied`), `Exhausted` (`client_limit`), `Invalid` (`reserved_metadata`, `reserved_name`,
    /// `schema_violation`), and those of
    /// [`Store::append`](crate::store::Store::append).
    pub fn append(&self, append: Append, caller: &Caller) -> Result<Appended> {
        let (appended, warnings) = self.append_warned(append, caller)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        Ok(appended)
    }

    /// The same, and which events do not fit a schema that only warns.
    ///
    /// # Errors
    /// Those of [`append`](Self::append).
    pub fn append_warned(&self, append: Append, caller: &Caller) -> Result<(Appended, Vec<String>)> {
        self.check_writes(caller)?;
        caller.limits.check_append(&append.events)?;
        Self::check_names(&append.events)?;
        let append = stamped_all(append, caller)?;
        let warnings = self.check_payloads(&append)?;
        caller.check_waits()?;
        Ok((self.store().append(append)?, warnings))
    }

    /// Appends what the engine itself has to say, on behalf of `caller`.
    ///
    /// # Errors
    /// Those of [`append`](Self::append) but for names and schemas.
    pub(in crate::engine) fn append_own(&self, append: Append, caller: &Caller) -> Result<Appended> {
        self.check_writes(caller)?;
        self.store().append(stamped_all(append, caller)?)
    }

    /// Appends to the branch exactly what is given, for imports: [`Writes`] and schemas are checked, names are not, so that a copy
    /// of a store keeps its schemas.
    ///
    /// # Errors
    /// `Denied` (`writes_denied`), `Invalid` (`schema_violation`) and those of
    /// [`Store::append`](crate::store::Store::append).
    pub(crate) fn append_as_given(&self, append: Append, caller: &Caller) -> Result<Appended> {
        self.check_writes(caller)?;
        // Of a file of a million lines nobody reads a warning for each: validate_events counts what does not fit.
        let _warned = self.check_payloads(&append)?;
        self.store().append(append)
    }

    /// Refuses a caller that may not change the branch.
    ///
    /// # Errors
    /// `Denied` (`writes_denied`, `audit_is_read_only`).
    pub(crate) fn check_writes(&self, caller: &Caller) -> Result<()> {
        self.check_not_audit()?;
        if self.store().is_fork() { check_fork_writes(caller) } else { check_main_writes(caller) }
    }
}

/// The append, each event stamped with who sent it.
fn stamped_all(mut append: Append, caller: &Caller) -> Result<Append> {
    let stamp = client_stamp(caller);
    append.events = append
        .events
        .into_iter()
        .enumerate()
        .map(|(index, draft)| {
            stamped(draft, stamp.as_ref()).map_err(|error| error.context(format!("events[{index}]")))
        })
        .collect::<Result<_>>()?;
    Ok(append)
}

/// Refuses a caller that may not change `main`.
///
/// # Errors
/// `Denied` (`writes_denied`).
pub(crate) fn check_main_writes(caller: &Caller) -> Result<()> {
    let (why, remedy) = match caller.writes {
        Writes::All => return Ok(()),
        Writes::None => ("this server was started with --writes none", ""),
        Writes::Forks => (
            "this server was started with --writes forks, which leaves main as it is",
            "; append to a fork (create_sandbox_fork)",
        ),
    };
    let message = format!("change branch \"main\": {why}; --writes all allows it{remedy}");
    Err(Error::new(ErrorKind::Denied, "writes_denied", message).with("allowed_by", "--writes all"))
}

/// Refuses a caller that may not make or change forks.
///
/// # Errors
/// `Denied` (`writes_denied`).
pub(crate) fn check_fork_writes(caller: &Caller) -> Result<()> {
    if caller.writes >= Writes::Forks {
        return Ok(());
    }
    let message = "change a fork: this server was started with --writes none; --writes forks allows it";
    Err(Error::new(ErrorKind::Denied, "writes_denied", message).with("allowed_by", "--writes forks"))
}

/// What a caller says of itself is kept, but not at any length: a stamp must not push metadata over its limit.
pub(super) fn client_stamp(caller: &Caller) -> Option<Value> {
    let short = |text: &str| text.chars().take(CLIENT_CHARS_MAX).collect::<String>();
    let name = short(caller.client.as_deref()?);
    Some(match caller.client_version.as_deref().map(short) {
        Some(version) => json!({"name": name, "version": version}),
        None => json!({"name": name}),
    })
}

fn stamped(draft: EventDraft, stamp: Option<&Value>) -> Result<EventDraft> {
    let given = draft.metadata().map(|metadata| metadata.as_str().trim().to_owned());
    if let Some(name) = given.as_deref().and_then(claimed) {
        let message =
            format!("metadata.{name} is written by the server alone; use another name, such as actor");
        return Err(Error::invalid("reserved_metadata", message));
    }
    let Some(stamp) = stamp else { return Ok(draft) };
    // Spliced as text, so that what the caller gave keeps its bytes.
    let inside = given.as_deref().and_then(|text| text.strip_prefix('{')?.strip_suffix('}')).unwrap_or("");
    let comma = if inside.trim().is_empty() { "" } else { "," };
    draft.with_metadata(format!("{{{inside}{comma}\"{CLIENT}\":{stamp}}}"))
}

/// The member of metadata that is not the caller's to write, if it is there.
fn claimed(metadata: &str) -> Option<&'static str> {
    let reserved = [CLIENT, FORK_STAMP];
    // The escape is looked for as text first: metadata is parsed only when a name may be there.
    if !metadata.contains("\\u") && !reserved.iter().any(|name| metadata.contains(name)) {
        return None;
    }
    let value: Value = serde_json::from_str(metadata).ok()?;
    reserved.into_iter().find(|name| value.get(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(metadata: Option<&str>) -> EventDraft {
        let draft = EventDraft::new("order-7", "order.placed", "{}").expect("a draft");
        match metadata {
            Some(metadata) => draft.with_metadata(metadata).expect("good metadata"),
            None => draft,
        }
    }

    #[track_caller]
    fn check(metadata: Option<&str>, client: Option<&str>, expected: Option<&str>) {
        let caller = Caller { client: client.map(str::to_owned), ..Caller::default() };
        let stamp = client_stamp(&caller);
        let stamped = stamped(draft(metadata), stamp.as_ref()).expect("stamped");
        assert_eq!(stamped.metadata().map(crate::event::Json::as_str), expected);
    }

    #[test]
    fn the_client_is_stamped_and_the_rest_keeps_its_bytes() {
        check(None, None, None);
        check(Some("{ \"a\":1e2 }"), None, Some("{ \"a\":1e2 }"));
        check(None, Some("claude"), Some(r#"{"$client":{"name":"claude"}}"#));
        check(Some("{}"), Some("claude"), Some(r#"{"$client":{"name":"claude"}}"#));
        check(Some(" { \"a\":1e2 } "), Some("c\"}"), Some(r#"{ "a":1e2 ,"$client":{"name":"c\"}"}}"#));
    }

    #[test]
    fn a_claimed_client_is_refused() {
        for metadata in [r#"{"$client":{"name":"me"}}"#, r#"{"\u0024client":1}"#] {
            let error = stamped(draft(Some(metadata)), None).expect_err("a claim");
            assert_eq!(error.code(), "reserved_metadata");
        }
        assert!(stamped(draft(Some(r#"{"note":"$client","in":{"$client":1}}"#)), None).is_ok());
    }

    #[test]
    fn only_writes_all_changes_main() {
        for (writes, allowed) in [(Writes::None, false), (Writes::Forks, false), (Writes::All, true)] {
            let verdict = check_main_writes(&Caller { writes, ..Caller::default() });
            assert_eq!(verdict.is_ok(), allowed);
            if let Err(error) = verdict {
                assert_eq!(error.code(), "writes_denied");
                assert!(error.message().contains("--writes all"));
            }
        }
    }
}
