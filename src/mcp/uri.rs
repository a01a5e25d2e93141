//! *Which thing does a resource's address name?* `allsource://overview`, `allsource://queries`,
//! `allsource://entity/{entity_id}`, `allsource://type/{event_type}`; the names are percent-encoded, since they may hold anything.

/// The address of the store as a whole.
pub(crate) const OVERVIEW: &str = "allsource://overview";
/// The address of the queries that were asked lately.
pub(crate) const QUERIES: &str = "allsource://queries";
/// The template of an entity's address.
pub(crate) const ENTITY: &str = "allsource://entity/{entity_id}";
/// The template of an event type's address.
pub(crate) const TYPE: &str = "allsource://type/{event_type}";

/// What an address names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The store as a whole.
    Overview,
    /// The queries that were asked lately.
    Queries,
    /// An entity, by its id.
    Entity(String),
    /// An event type, by its name.
    Type(String),
}

impl Target {
    /// What the address names; none when it is no address of ours.
    pub(crate) fn parse(address: &str) -> Option<Self> {
        if address == OVERVIEW {
            return Some(Self::Overview);
        }
        if address == QUERIES {
            return Some(Self::Queries);
        }
        let (kind, name) = address.strip_prefix("allsource://")?.split_once('/')?;
        let name = decode(name).filter(|name| !name.is_empty())?;
        match kind {
            "entity" => Some(Self::Entity(name)),
            "type" => Some(Self::Type(name)),
            _ => None,
        }
    }
}

/// The text behind a percent-encoding. What needs no encoding may still come bare, a slash too.
fn decode(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expected: &Target) {
        assert_eq!(Target::parse(address).as_ref(), Some(expected), "{address}");
    }

    #[test]
    fn names_come_back_as_they_were_stored() {
        let entity = |id: &str| Target::Entity(id.to_owned());
        let event_type = |name: &str| Target::Type(name.to_owned());
        check("allsource://overview", &Target::Overview);
        check("allsource://queries", &Target::Queries);
        check("allsource://entity/order-7", &entity("order-7"));
        check("allsource://entity/owner%2Frepo", &entity("owner/repo"));
        check("allsource://entity/owner/repo", &entity("owner/repo"));
        check("allsource://type/W_Completeren%20aanvraag", &event_type("W_Completeren aanvraag"));
        check("allsource://type/M%C3%BCller", &event_type("Müller"));
        check("allsource://type/100%25", &event_type("100%"));
    }

    #[test]
    fn other_addresses_name_nothing() {
        for address in ["overview", "file:///etc/passwd", "allsource://entity/", "allsource://fork/1"] {
            assert_eq!(Target::parse(address), None, "{address}");
        }
        for undecodable in ["%", "%4", "%+1", "%ff"] {
            assert_eq!(Target::parse(&format!("allsource://type/{undecodable}")), None, "{undecodable}");
        }
    }
}
