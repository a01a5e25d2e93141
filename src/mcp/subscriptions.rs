//! *Who is told when a resource changes?* One task watches the store for all subscriptions of a client, and tells each what it
//! touched: `resources/subscribe` of the older eras, `subscriptions/listen` of the newer.
//!
//! Changes are gathered for [`TOLD_EVERY`], so that a resource is told of at most once in that time however many events come. The
//! overview changes with every event on `main`, an entity and a type with their own, the latest queries with every query.
//!
//! **Invariant:** a change behind the answer to a subscription is told of; one that is told of may have been there before.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rmcp::RoleServer;
use rmcp::model::{ErrorData, ResourceUpdatedNotificationParam, SubscriptionFilter};
use rmcp::service::{Peer, SubscriptionContext};
use serde_json::Value;
use tokio::sync::broadcast::{Receiver, Sender, channel, error::RecvError};
use tokio::task::JoinHandle;

use super::uri::Target;
use crate::door::Host;
use crate::engine::{Caller, Cancel};
use crate::event::quote;
use crate::tools::Object;

/// How long changes are gathered before they are told: 500 ms.
const TOLD_EVERY: Duration = Duration::from_millis(500);
/// How long the store is watched at a time, in milliseconds; then it is looked whether anybody still listens.
const WATCH_MS: u64 = 1_000;
/// How long the watch stands still when the store does not answer: 5 s.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// The reports that wait for a subscription that is slow to send; it is told of everything when there are more.
const REPORTS_MAX: usize = 16;
/// The most resources that one client subscribes to, or names in one subscription: 64.
const ADDRESSES_MAX: usize = 64;
/// The most subscriptions that one client listens to at once: 16.
const LISTENING_MAX: usize = 16;

/// The subscriptions of one client.
pub(crate) struct Subscriptions {
    reports: Sender<Arc<Touched>>,
    /// Whether the task that watches is running.
    is_watching: Arc<tokio::sync::Mutex<bool>>,
    /// What `resources/subscribe` has named, and the task that tells of it.
    named: Arc<Mutex<BTreeSet<String>>>,
    telling: Mutex<Option<JoinHandle<()>>>,
    listening: AtomicUsize,
    /// Ends the watch with the conversation.
    ending: Cancel,
}

/// What has changed.
#[derive(Debug, Default, PartialEq)]
struct Touched {
    /// There are new events.
    is_committed: bool,
    /// They are too many to name.
    everything: bool,
    entities: HashSet<String>,
    types: HashSet<String>,
    /// A query was asked.
    is_asked: bool,
}

/// Where the watch stands.
#[derive(Clone, Copy)]
struct Seen {
    head: u64,
    asked_at: i64,
}

impl Touched {
    fn all() -> Self {
        Self { is_committed: true, everything: true, is_asked: true, ..Self::default() }
    }

    fn touches(&self, address: &str) -> bool {
        match Target::parse(address) {
            Some(Target::Overview) => self.is_committed,
            Some(Target::Queries) => self.is_asked,
            Some(Target::Entity(id)) => self.everything || self.entities.contains(&id),
            Some(Target::Type(name)) => self.everything || self.types.contains(&name),
            None => false,
        }
    }

    /// What lies between what was seen and an answer of the operation `touched`.
    fn between(seen: Seen, now: Seen, answer: &Object) -> Self {
        let names = |field: &str| -> HashSet<String> {
            let names = answer.get(field).and_then(Value::as_array).into_iter().flatten();
            names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
        };
        Self {
            is_committed: now.head != seen.head,
            everything: answer.get("everything").is_some(),
            entities: names("entities"),
            types: names("types"),
            is_asked: now.asked_at != seen.asked_at,
        }
    }
}

impl Default for Subscriptions {
    fn default() -> Self {
        Self {
            reports: channel(REPORTS_MAX).0,
            is_watching: Arc::default(),
            named: Arc::default(),
            telling: Mutex::default(),
            listening: AtomicUsize::new(0),
            ending: Cancel::default(),
        }
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

/// Of what a client wants to be told the part that it is told: the addresses that name a resource, at most 64.
pub(crate) fn accepted(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let addresses = requested.resource_subscriptions.iter().flatten();
    let known = addresses.filter(|address| Target::parse(address).is_some()).take(ADDRESSES_MAX);
    SubscriptionFilter::builder().resource_subscriptions(known.cloned()).build()
}

impl Subscriptions {
    /// Tells of a resource from now on, as the older eras ask for it.
    ///
    /// # Errors
    /// When no resource has the address, or there are 64 already.
    pub(crate) async fn subscribe(
        &self,
        host: &Arc<Host>,
        caller: Caller,
        address: String,
        peer: Peer<RoleServer>,
    ) -> Result<(), ErrorData> {
        if Target::parse(&address).is_none() {
            let message = format!("subscribe to {}: it is the address of no resource", quote(&address));
            return Err(ErrorData::resource_not_found(message, None));
        }
        {
            let mut named = self.named.lock();
            if named.len() >= ADDRESSES_MAX && !named.contains(&address) {
                let message = format!(
                    "subscribe to {}: {ADDRESSES_MAX} resources are subscribed to already; unsubscribe from one",
                    quote(&address)
                );
                return Err(ErrorData::invalid_params(message, None));
            }
            named.insert(address);
        }
        let reports = self.watch(host, caller).await?;
        let mut telling = self.telling.lock();
        if telling.is_none() {
            *telling = Some(tokio::spawn(tell(reports, Arc::clone(&self.named), peer)));
        }
        Ok(())
    }

    /// Tells of a resource no longer.
    pub(crate) fn unsubscribe(&self, address: &str) {
        let mut named = self.named.lock();
        named.remove(address);
        if named.is_empty()
            && let Some(telling) = self.telling.lock().take()
        {
            telling.abort();
        }
    }

    /// Tells of the accepted resources until the client cancels that; first of each once, because it may have changed while this
    /// began.
    ///
    /// # Errors
    /// When the client listens to 16 others, or the store does not answer.
    pub(crate) async fn listen(
        &self,
        host: &Arc<Host>,
        caller: Caller,
        context: &SubscriptionContext,
    ) -> Result<(), ErrorData> {
        let _place = Place::take(&self.listening)?;
        let addresses = context.accepted().resource_subscriptions.clone().unwrap_or_default();
        if addresses.is_empty() {
            context.cancelled().await;
            return Ok(());
        }
        let mut reports = self.watch(host, caller).await?;
        let mut touched = Arc::new(Touched::all());
        loop {
            for address in addresses.iter().filter(|address| touched.touches(address)) {
                if context.sink().notify_resource_updated(address.as_str()).await.is_err() {
                    return Ok(());
                }
            }
            let next = tokio::select! {
                next = next(&mut reports) => next,
                () = context.cancelled() => None,
            };
            let Some(next) = next else { return Ok(()) };
            touched = next;
        }
    }

    /// What changes from now on; starts the watch where there is none.
    async fn watch(&self, host: &Arc<Host>, caller: Caller) -> Result<Receiver<Arc<Touched>>, ErrorData> {
        // Ordering: before the look at the watch, which ends when it sees no receiver.
        let reports = self.reports.subscribe();
        let mut is_watching = self.is_watching.lock().await;
        if !*is_watching {
            let caller = Caller { cancel: self.ending.clone(), ..caller };
            let failed = |reason: String| {
                ErrorData::internal_error(format!("failed to watch the store: {reason}"), None)
            };
            let (seen, _) = look(host, &caller, None).await.map_err(failed)?;
            let watch = Watch {
                host: Arc::clone(host),
                caller,
                reports: self.reports.clone(),
                is_watching: Arc::clone(&self.is_watching),
            };
            tokio::spawn(watch.run(seen));
            *is_watching = true;
        }
        Ok(reports)
    }
}

/// A place among the subscriptions that are listened to.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(listening: &'a AtomicUsize) -> Result<Self, ErrorData> {
        let (before, place) = (listening.fetch_add(1, Ordering::Relaxed), Self(listening));
        if before < LISTENING_MAX {
            return Ok(place);
        }
        let message = format!(
            "listen: {LISTENING_MAX} subscriptions are open already; cancel one, or name more resources in one"
        );
        Err(ErrorData::invalid_request(message, None))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The task that watches the store.
struct Watch {
    host: Arc<Host>,
    caller: Caller,
    reports: Sender<Arc<Touched>>,
    is_watching: Arc<tokio::sync::Mutex<bool>>,
}

impl Watch {
    async fn run(self, mut seen: Seen) {
        loop {
            if self.reports.receiver_count() == 0 {
                let mut is_watching = self.is_watching.lock().await;
                if self.reports.receiver_count() == 0 {
                    *is_watching = false;
                    return;
                }
            }
            match look(&self.host, &self.caller, Some(seen)).await {
                Ok((now, touched)) if touched != Touched::default() => {
                    seen = now;
                    // Nobody may listen any more: that is seen above.
                    let _ = self.reports.send(Arc::new(touched));
                    tokio::time::sleep(TOLD_EVERY).await;
                }
                Ok(_) => {}
                Err(reason) => {
                    tracing::debug!(%reason, "failed to watch the store; it is tried again");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }
}

/// Waits a while for changes; without `seen` only says where the store stands.
async fn look(host: &Arc<Host>, caller: &Caller, seen: Option<Seen>) -> Result<(Seen, Touched), String> {
    let mut question = Object::new();
    if let Some(seen) = seen {
        question.insert("after_position".to_owned(), seen.head.into());
        question.insert("asked_at".to_owned(), seen.asked_at.into());
        question.insert("wait_ms".to_owned(), WATCH_MS.into());
    }
    let (host, caller) = (Arc::clone(host), caller.clone());
    let looking = tokio::task::spawn_blocking(move || host.operate("touched", &question, &caller));
    let answer = looking.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let now = Seen {
        head: answer.get("head_position").and_then(Value::as_u64).unwrap_or_default(),
        asked_at: answer.get("asked_at").and_then(Value::as_i64).unwrap_or_default(),
    };
    let touched = seen.map(|seen| Touched::between(seen, now, &answer)).unwrap_or_default();
    Ok((now, touched))
}

/// The next report; of everything when some were missed, and none when there will be no more.
async fn next(reports: &mut Receiver<Arc<Touched>>) -> Option<Arc<Touched>> {
    match reports.recv().await {
        Ok(touched) => Some(touched),
        Err(RecvError::Lagged(_)) => Some(Arc::new(Touched::all())),
        Err(RecvError::Closed) => None,
    }
}

/// Tells a client of an older era of the resources that it named.
async fn tell(
    mut reports: Receiver<Arc<Touched>>,
    named: Arc<Mutex<BTreeSet<String>>>,
    peer: Peer<RoleServer>,
) {
    while let Some(touched) = next(&mut reports).await {
        let addresses: Vec<String> =
            named.lock().iter().filter(|address| touched.touches(address)).cloned().collect();
        for address in addresses {
            let told = peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(address)).await;
            if told.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(answer: &Value, touched: &[&str]) {
        let (seen, now) = (Seen { head: 7, asked_at: 1 }, Seen { head: 9, asked_at: 1 });
        let report = Touched::between(seen, now, answer.as_object().expect("an object"));
        let known =
            ["overview", "queries", "entity/order%2D1", "entity/order-2", "type/order.paid", "fork/x"];
        let found: Vec<&str> =
            known.into_iter().filter(|name| report.touches(&format!("allsource://{name}"))).collect();
        assert_eq!(found, touched, "{answer}");
    }

    #[test]
    fn a_resource_is_touched_by_what_it_shows() {
        check(
            &json!({"entities": ["order-1"], "types": ["order.placed"]}),
            &["overview", "entity/order%2D1"],
        );
        check(&json!({"entities": ["x"], "types": ["order.paid"]}), &["overview", "type/order.paid"]);
        check(
            &json!({"everything": true}),
            &["overview", "entity/order%2D1", "entity/order-2", "type/order.paid"],
        );
    }

    #[test]
    fn only_addresses_of_resources_are_accepted_and_so_many() {
        let named = ["allsource://overview", "file:///etc/passwd", "allsource://entity/a"].map(str::to_owned);
        let many = (0..100).map(|number| format!("allsource://entity/{number}"));
        let requested =
            SubscriptionFilter::builder().resource_subscriptions(named.into_iter().chain(many)).build();
        let accepted = accepted(&requested).resource_subscriptions.expect("addresses");
        assert_eq!(accepted.len(), ADDRESSES_MAX);
        assert_eq!(
            accepted.get(..3).expect("three"),
            ["allsource://overview", "allsource://entity/a", "allsource://entity/0"]
        );
    }
}
