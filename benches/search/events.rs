//! The events: generated ones with payloads of about 250 bytes, or the lines of a file.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use allsource::event::{EventDraft, Timestamp};
use allsource::store::{Append, Store};
use flate2::read::GzDecoder;

/// Events appended at once.
pub const BATCH: usize = 1_000;
/// The size that a generated payload grows to, in bytes.
const PAYLOAD_BYTES: usize = 244;
/// The first event's timestamp; each later one comes a second later.
const BEGIN_US: i64 = 1_700_000_000_000_000;
const SECOND_US: i64 = 1_000_000;
/// The entities of generated events.
const ENTITIES: f64 = 1_000_000.0;
/// The entities that the lines of a file are spread over.
const FILE_ENTITIES: usize = 1_000;

/// The types of generated events.
const TYPES: [&str; 10] = [
    "order.placed",
    "order.paid",
    "order.shipped",
    "order.returned",
    "ticket.opened",
    "ticket.answered",
    "payment.refused",
    "account.locked",
    "delivery.delayed",
    "review.written",
];

/// What notes are made of; the first come most often.
const WORDS: &str = "the to customer and a of order for was is parcel with please not on address be in payment card has \
    number after by delivery it this from at again second invoice been no will before when contact second box return \
    refund wrong floor damaged neighbour morning warehouse because missing account could still confirmed driver phone \
    mail paid waiting reminder signed street bank city amount due evening twice today email tomorrow arrived item label \
    package opened broken password reset locked charge dispute cancel cancelled subscription renewal price discount \
    voucher expired shipping customs duty weight tracking scan depot route truck late storm traffic holiday gate code bell \
    garden garage shop pickup station locker agent called promised escalated manager complaint polite angry satisfied \
    review stars colour size shirt shoes jacket lamp table chair kitchen knife coffee machine filter spare part manual \
    warranty repair technician appointment battery charger cable screen laptop printer ink paper camera lens tripod \
    bicycle helmet tyre pump tent sleeping bag stove boots rope guitar strings violin bow piano lesson ticket concert \
    museum train platform seat window luggage airport flight gate boarding passport visa hotel room breakfast towel \
    invoice currency exchange transfer account statement fee interest loan mortgage rent deposit lease tenant landlord \
    heating boiler leak pipe plumber electric meter reading fuse light switch carpet paint wall ceiling roof tile brick \
    doctor prescription pharmacy tablet fever cough vaccine clinic nurse dentist tooth glasses insurance claim accident \
    school teacher pupil homework exam grade library book novel author translation edition cover page chapter";

/// Where events come from.
pub struct Source {
    lines: Option<Vec<String>>,
    events: usize,
    words: Vec<&'static str>,
}

impl Source {
    /// The lines of a file, or generated events, at most so many.
    pub fn new(file: Option<&Path>, events: usize) -> Self {
        let lines: Option<Vec<String>> = file.map(|path| lines(path).take(events).collect());
        let events = lines.as_ref().map_or(events, Vec::len);
        Self { lines, events, words: WORDS.split_whitespace().collect() }
    }

    /// How many events there are; more than these can be asked for, a file's begin anew.
    pub fn len(&self) -> usize {
        self.events
    }

    /// What they are, in words.
    pub fn describe(&self) -> String {
        let sample = self.len().min(BATCH);
        let bytes: usize = (0..sample).map(|n| self.payload(n).len()).sum();
        let origin = if self.lines.is_some() { "of a file" } else { "made of English words" };
        format!("{origin}, with payloads of about {} bytes", bytes / sample.max(1))
    }

    /// The n-th event.
    pub fn draft(&self, n: usize) -> EventDraft {
        if self.lines.is_none() {
            return self.generated(n);
        }
        let entity = format!("source-{}", n % FILE_ENTITIES);
        EventDraft::new(&entity, self.event_type(n), self.payload(n)).expect("a valid draft").at(time(n))
    }

    /// The n-th event as it is made, whether there is a file or not.
    pub fn generated(&self, n: usize) -> EventDraft {
        // Rank r comes about 1/r times as often as rank 1.
        let entity = format!("order-{:.0}", ENTITIES.powf(Random::of(n).unit()));
        EventDraft::new(&entity, generated_type(n), self.generated_payload(n))
            .expect("a valid draft")
            .at(time(n))
    }

    /// The type of the n-th event.
    pub fn event_type(&self, n: usize) -> &'static str {
        if self.lines.is_some() { "log.record" } else { generated_type(n) }
    }

    /// A batch from the n-th event on.
    pub fn batch(&self, first: usize, events: usize) -> Append {
        Append { events: (first..first + events).map(|n| self.draft(n)).collect(), ..Append::default() }
    }

    /// Appends all events.
    pub fn fill(&self, store: &Store) {
        for first in (0..self.len()).step_by(BATCH) {
            store.append(self.batch(first, BATCH.min(self.len() - first))).expect("a healthy disk");
        }
    }

    /// Two to five words that follow each other in the text of the n-th event.
    pub fn query(&self, n: usize) -> String {
        let mut random = Random::of(n ^ 0x5eed);
        let payload = self.payload(n);
        let is_word = |word: &&str| word.len() > 3 && word.chars().all(|c| c.is_ascii_alphabetic());
        let words: Vec<&str> =
            payload.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_word).skip(3).collect();
        let wanted = 2 + random.below(4);
        let from = random.below(words.len().saturating_sub(wanted).max(1));
        words.iter().skip(from).take(wanted).copied().collect::<Vec<_>>().join(" ")
    }

    fn payload(&self, n: usize) -> String {
        match &self.lines {
            Some(lines) => lines[n % lines.len()].clone(),
            None => self.generated_payload(n),
        }
    }

    fn generated_payload(&self, n: usize) -> String {
        let mut random = Random::of(n);
        let mut payload = format!(
            "{{\"order\":{n},\"customer\":\"customer-{}\",\"amount\":{}.{:02},\"currency\":\"EUR\",\"note\":\"",
            random.below(50_000),
            random.below(500),
            random.below(100)
        );
        while payload.len() < PAYLOAD_BYTES {
            let place = (self.words.len() as f64).powf(random.unit()) - 1.0;
            payload.push_str(self.words.get(place as usize).copied().unwrap_or_default());
            payload.push(' ');
        }
        payload.push_str("\"}");
        payload
    }
}

/// The time of the n-th event.
pub fn time(n: usize) -> Timestamp {
    Timestamp::from_micros(BEGIN_US + SECOND_US * i64::try_from(n).expect("small"))
}

fn generated_type(n: usize) -> &'static str {
    TYPES[Random::of(n ^ 0x7e57).below(TYPES.len())]
}

fn lines(path: &Path) -> impl Iterator<Item = String> {
    let file = File::open(path).unwrap_or_else(|error| panic!("failed to open {}: {error}", path.display()));
    let is_packed = path.extension().is_some_and(|ending| ending == "gz");
    let reader: Box<dyn Read> = if is_packed { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    BufReader::new(reader).lines().map(|line| line.expect("text")).filter(|line| !line.trim().is_empty())
}

/// `SplitMix64` (Steele, Lea and Flood, 2014).
pub struct Random(u64);

impl Random {
    /// The numbers that belong to n.
    pub fn of(n: usize) -> Self {
        Self((n as u64).wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("small")
    }

    /// From 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
