//! Ninety days of a web shop, the same on every machine: what the demo plays on where there is no git history.
//!
//! Some 450 orders with their payments, shipments and returns, and one incident worth finding: on the sixty-first day
//! a payment gateway answered too late, its callers tried again, and cards were charged twice. Support refunded those
//! who wrote in; the others still wait.

use serde_json::{Value, json};

use crate::clock::{IdSource, SeededIds};
use crate::error::Result;
use crate::event::{EventDraft, EventId, Timestamp};

const SEED: u64 = 20_250_301;
/// 2025-03-01T00:00:00Z, in minutes since 1970.
const BEGINS: u64 = 29_013_120;
const DAYS: u64 = 90;
const DAY: u64 = 24 * 60;
const CUSTOMERS: u64 = 240;
const ORDERS: u64 = 445;
/// Minutes from the beginning: the sixty-first day, 14:00 to 18:00.
const INCIDENT: std::ops::Range<u64> = 60 * DAY + 14 * 60..60 * DAY + 18 * 60;
/// Orders that are placed while the incident lasts.
const INCIDENT_ORDERS: u64 = 31;

const PRODUCTS: [(&str, u64); 8] = [
    ("kettle", 4_900),
    ("espresso cups, set of 4", 3_250),
    ("grinder", 12_900),
    ("filter papers, 100", 690),
    ("beans, 1 kg", 2_190),
    ("scale", 5_400),
    ("travel mug", 2_490),
    ("descaler", 1_150),
];
const CITIES: [&str; 6] = ["Hamburg", "København", "Gdańsk", "Lyon", "Zürich", "Porto"];
const CARRIERS: [&str; 3] = ["northline", "parcelhub", "velo"];

/// The shop's events, oldest first.
pub(super) fn events() -> Result<Vec<EventDraft>> {
    let mut shop = Shop { random: SeededIds::new(SEED), events: Vec::with_capacity(5_500) };
    for customer in 1..=CUSTOMERS {
        shop.customer(customer)?;
    }
    for order in 0..ORDERS {
        shop.order(order)?;
    }
    // What happened first stands first; the sort keeps the order of what shares a minute.
    shop.events.sort_by_key(|event| event.timestamp);
    Ok(shop.events)
}

/// A number of minutes since the shop's beginning.
type Minute = u64;

/// What happens to one order, and who caused what.
struct Purchase {
    id: u64,
    customer: String,
    total: u64,
    placed: EventId,
}

struct Shop {
    random: SeededIds,
    events: Vec<EventDraft>,
}

impl Shop {
    fn below(&self, bound: u64) -> u64 {
        self.random.next_u64() % bound.max(1)
    }

    fn one_in(&self, odds: u64) -> bool {
        self.below(odds) == 0
    }

    fn one_of<T: Copy>(&self, choices: &[T], otherwise: T) -> T {
        let at = self.below(choices.len() as u64);
        usize::try_from(at).ok().and_then(|at| choices.get(at)).copied().unwrap_or(otherwise)
    }

    /// Adds an event and gives its id.
    fn happens(
        &mut self,
        at: Minute,
        entity: &str,
        kind: &str,
        payload: &Value,
        metadata: &Value,
    ) -> Result<EventId> {
        let bits = u128::from(self.random.next_u64()) << 64 | u128::from(self.random.next_u64());
        let id =
            EventId::from_u128(uuid::Builder::from_custom_bytes(bits.to_be_bytes()).into_uuid().as_u128());
        let second = self.below(60);
        let micros = ((BEGINS + at) * 60 + second) * 1_000_000;
        let event = EventDraft::new(entity, kind, payload.to_string())?
            .with_metadata(metadata.to_string())?
            .with_event_id(id.clone())
            .at(Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX)));
        self.events.push(event);
        Ok(id)
    }

    fn customer(&mut self, number: u64) -> Result<()> {
        let entity = format!("customer/{}", 1_000 + number);
        let at = self.below(20 * DAY);
        let city = self.one_of(&CITIES, "Hamburg");
        let registered = json!({"city": city, "newsletter": self.one_in(3)});
        let cause =
            self.happens(at, &entity, "customer.registered", &registered, &json!({"actor": "web"}))?;
        if self.one_in(6) {
            let moved = json!({"city": self.one_of(&CITIES, "Lyon")});
            let metadata = json!({"actor": "web", "causation_id": cause.to_string()});
            self.happens(at + 2 * DAY + self.below(60 * DAY), &entity, "customer.moved", &moved, &metadata)?;
        }
        Ok(())
    }

    fn order(&mut self, number: u64) -> Result<()> {
        let during = number < INCIDENT_ORDERS;
        let at = if during {
            INCIDENT.start + self.below(INCIDENT.end - INCIDENT.start)
        } else {
            20 * DAY + self.below((DAYS - 36) * DAY)
        };
        // A number that does not tell the incident's orders apart.
        let id = 20_000 + (number * 337) % 1_000;
        let customer = format!("customer/{}", 1_001 + self.below(CUSTOMERS));
        let mut items = Vec::new();
        let mut total = 0;
        for _ in 0..=self.below(3) {
            let (product, price) = self.one_of(&PRODUCTS, ("kettle", 4_900));
            let quantity = 1 + self.below(2);
            total += price * quantity;
            items.push(json!({"product": product, "quantity": quantity, "price_cents": price}));
        }
        let payload = json!({
            "status": "placed", "customer": customer, "items": items, "total_cents": total, "currency": "EUR",
        });
        let metadata = json!({"actor": customer, "correlation_id": id.to_string()});
        let placed = self.happens(at, &format!("order/{id}"), "order.placed", &payload, &metadata)?;
        let purchase = Purchase { id, customer, total, placed };
        match self.payment(&purchase, at + 1, during)? {
            Some((paid_at, paid)) => self.delivery(&purchase, paid_at, &paid),
            None => self.cancelled(&purchase, at + DAY),
        }
    }

    /// Charges the card; gives when and by which event, or nothing when the card was declined.
    fn payment(&mut self, order: &Purchase, at: Minute, during: bool) -> Result<Option<(Minute, EventId)>> {
        let entity = format!("payment/{}", order.id);
        let gateway = if during || self.one_in(2) { "eu-2" } else { "eu-1" };
        let by = |actor: &str, cause: &EventId| json!({"actor": actor, "causation_id": cause.to_string(), "correlation_id": order.id.to_string()});
        let started = json!({"status": "authorized", "order": format!("order/{}", order.id),
            "amount_cents": order.total, "provider": "cardworks", "gateway": gateway});
        if !during && self.one_in(18) {
            let declined = json!({"status": "declined", "reason": "insufficient_funds", "gateway": gateway,
                "amount_cents": order.total});
            self.happens(at, &entity, "payment.declined", &declined, &by("cardworks", &order.placed))?;
            return Ok(None);
        }
        let authorized =
            self.happens(at, &entity, "payment.authorized", &started, &by("cardworks", &order.placed))?;
        let captured =
            json!({"status": "captured", "amount_cents": order.total, "gateway": gateway, "attempt": 1});
        let metadata = by("cardworks", &authorized);
        if !during {
            let paid = self.happens(at + 1, &entity, "payment.captured", &captured, &metadata)?;
            return Ok(Some((at + 1, paid)));
        }
        let late = json!({"status": "unknown", "reason": "gateway_timeout", "gateway": gateway,
            "waited_ms": 30_000 + self.below(900), "attempt": 1});
        let timeout = self.happens(at + 1, &entity, "payment.timed_out", &late, &metadata)?;
        let again =
            json!({"status": "captured", "amount_cents": order.total, "gateway": gateway, "attempt": 2});
        let paid =
            self.happens(at + 3, &entity, "payment.captured", &again, &by("retry-worker", &timeout))?;
        if !self.one_in(4) {
            self.charged_twice(order, at + 9, &captured, &metadata)?;
        }
        Ok(Some((at + 3, paid)))
    }

    /// The first attempt went through after all, unnoticed.
    fn charged_twice(
        &mut self,
        order: &Purchase,
        at: Minute,
        captured: &Value,
        metadata: &Value,
    ) -> Result<()> {
        let entity = format!("payment/{}", order.id);
        let second = self.happens(at, &entity, "payment.captured", captured, metadata)?;
        if !self.one_in(3) {
            return Ok(());
        }
        let written_at = at + DAY + self.below(3 * DAY);
        let ticket =
            json!({"status": "open", "order": format!("order/{}", order.id), "subject": "charged twice"});
        let metadata = json!({"actor": order.customer, "correlation_id": order.id.to_string()});
        let ticket =
            self.happens(written_at, &format!("ticket/{}", order.id), "ticket.opened", &ticket, &metadata)?;
        let refund =
            json!({"status": "refunded", "refunded_cents": order.total, "charge": second.to_string()});
        let metadata = json!({"actor": "support", "causation_id": ticket.to_string(),
            "correlation_id": order.id.to_string()});
        self.happens(written_at + 300, &entity, "payment.refunded", &refund, &metadata)?;
        Ok(())
    }

    fn cancelled(&mut self, order: &Purchase, at: Minute) -> Result<()> {
        let payload = json!({"status": "cancelled", "reason": "not paid"});
        let metadata = json!({"actor": "nightly", "causation_id": order.placed.to_string(),
            "correlation_id": order.id.to_string()});
        self.happens(at, &format!("order/{}", order.id), "order.cancelled", &payload, &metadata)?;
        Ok(())
    }

    fn delivery(&mut self, order: &Purchase, paid_at: Minute, paid: &EventId) -> Result<()> {
        let (entity, shipment) = (format!("order/{}", order.id), format!("shipment/{}", order.id));
        let by = |actor: &str, cause: &EventId| json!({"actor": actor, "causation_id": cause.to_string(), "correlation_id": order.id.to_string()});
        let carrier = self.one_of(&CARRIERS, "velo");
        let paid =
            self.happens(paid_at + 1, &entity, "order.paid", &json!({"status": "paid"}), &by("shop", paid))?;
        let mut at = paid_at + 60 + self.below(DAY);
        let packed = json!({"status": "packed", "parcel_grams": 300 + self.below(4_000)});
        let packed = self.happens(at, &entity, "order.packed", &packed, &by("warehouse", &paid))?;
        at += 30 + self.below(600);
        let sent = json!({"status": "dispatched", "order": entity, "carrier": carrier});
        let sent = self.happens(at, &shipment, "shipment.dispatched", &sent, &by("warehouse", &packed))?;
        let shipped = json!({"status": "shipped", "shipment": shipment, "carrier": carrier});
        self.happens(at, &entity, "order.shipped", &shipped, &by("shop", &sent))?;
        for hub in 0..=self.below(2) {
            at += 200 + self.below(DAY);
            let seen = json!({"status": "in_transit", "hub": self.one_of(&CITIES, "Lyon"), "leg": hub + 1});
            self.happens(at, &shipment, "shipment.scanned", &seen, &by(carrier, &sent))?;
        }
        at += 200 + self.below(DAY);
        let arrived = json!({"status": "delivered", "signed": self.one_in(2)});
        let arrived = self.happens(at, &shipment, "shipment.delivered", &arrived, &by(carrier, &sent))?;
        let done = json!({"status": "delivered"});
        let done = self.happens(at, &entity, "order.delivered", &done, &by("shop", &arrived))?;
        if self.one_in(9) {
            self.returned(order, at + DAY + self.below(5 * DAY), &done)?;
        }
        Ok(())
    }

    fn returned(&mut self, order: &Purchase, at: Minute, cause: &EventId) -> Result<()> {
        let by = |actor: &str, cause: &EventId| json!({"actor": actor, "causation_id": cause.to_string(), "correlation_id": order.id.to_string()});
        let reason =
            self.one_of(&["does not fit", "broken on arrival", "changed my mind"], "changed my mind");
        let entity = format!("order/{}", order.id);
        let wish = json!({"status": "return_requested", "return_reason": reason});
        let wish = self.happens(at, &entity, "return.requested", &wish, &by(&order.customer, cause))?;
        let back = json!({"status": "returned"});
        let back = self.happens(at + 3 * DAY, &entity, "return.received", &back, &by("warehouse", &wish))?;
        let refund = json!({"status": "refunded", "refunded_cents": order.total});
        let payment = format!("payment/{}", order.id);
        self.happens(at + 3 * DAY + 60, &payment, "payment.refunded", &refund, &by("shop", &back))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_shop_is_the_same_every_time() {
        let (first, second) = (events().expect("events"), events().expect("events"));
        assert_eq!(first, second);
        assert!((4_500..5_500).contains(&first.len()), "{}", first.len());
        let ids: HashSet<_> = first.iter().map(|event| event.event_id.clone()).collect();
        assert_eq!(ids.len(), first.len());
    }

    #[test]
    fn time_does_not_run_backwards_and_spans_ninety_days() {
        let events = events().expect("events");
        assert!(events.is_sorted_by_key(|event| event.timestamp));
        let day =
            |event: Option<&EventDraft>| event.and_then(|event| event.timestamp).map(|at| at.to_string());
        assert!(
            day(events.first()).is_some_and(|at| at.starts_with("2025-03-01")),
            "{:?}",
            day(events.first())
        );
        let last = day(events.last()).expect("a last event");
        assert!(last.as_str() < "2025-05-30", "{last}");
    }

    #[test]
    fn some_who_were_charged_twice_still_wait_for_their_money() {
        let events = events().expect("events");
        let mut charged = std::collections::HashMap::new();
        for event in events.iter().filter(|event| event.event_type.as_str() == "payment.captured") {
            *charged.entry(event.entity_id.to_string()).or_insert(0) += 1;
        }
        let twice: Vec<_> =
            charged.iter().filter(|(_, count)| **count > 1).map(|(entity, _)| entity).collect();
        let refunded = |entity: &str| {
            events.iter().any(|event| {
                event.event_type.as_str() == "payment.refunded" && event.entity_id.as_str() == entity
            })
        };
        let waiting = twice.iter().filter(|entity| !refunded(entity)).count();
        assert!(twice.len() > 15 && waiting > 5 && waiting < twice.len(), "{} {waiting}", twice.len());
    }
}
