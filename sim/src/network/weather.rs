//! The state of the links, and the fate of what travels on them.
//!
//! Latency is weather: a hash of the link, of what kind of thing travels, of the 10 ms in which it is sent and of its ordinal among
//! its like in these 10 ms. Cuts are counted, so that overlapping faults nest; added latencies add up.

use brokerlab::types::{Duration, Time};

use super::Host;
use super::shaper::Shaper;
use crate::scenario::model::Network as Climate;
use crate::world::chance::{Chance, Dice, Tag};

/// Width of a bucket.
const BUCKET_NS: u64 = 10_000_000;
/// APIs above this share a place in the table of ordinals.
const API_MAX: usize = 99;
/// Places in the table of ordinals of one link: each API's requests and responses, and everything that is not a frame.
const PLACES: usize = 2 * (API_MAX + 1) + 1;

/// What a chunk of bytes belongs to, for its fate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label {
    /// Kafka's API key, or -1.
    pub api_key: i16,
    /// A response to such a request.
    pub response: bool,
}

/// One direction between two hosts.
#[derive(Clone, Debug, Default)]
struct Link {
    cuts: u32,
    extra: Duration,
    /// The last fault that cut or slowed it.
    fault: u64,
    wire: Shaper,
    ordinals: Vec<(u32, u32)>,
}

/// All links.
#[derive(Debug)]
pub struct Weather {
    chance: Chance,
    climate: Climate,
    hosts: usize,
    links: Vec<Link>,
    /// What each host sends and what it receives, over all its links.
    ports: Vec<[Shaper; 2]>,
    /// Whether anything has a bandwidth.
    is_shaped: bool,
}

impl Weather {
    /// Fair weather between so many hosts.
    #[must_use]
    pub fn new(chance: Chance, climate: Climate, hosts: usize) -> Weather {
        Weather {
            chance,
            hosts,
            links: vec![Link::default(); hosts * hosts],
            ports: vec![<[Shaper; 2]>::default(); hosts],
            is_shaped: climate.bandwidth.is_some(),
            climate,
        }
    }

    /// Cuts one direction once more.
    pub fn cut(&mut self, from: Host, to: Host, fault: u64) {
        let link = self.link_mut(from, to);
        link.cuts += 1;
        link.fault = fault;
    }

    /// Takes back one cut.
    pub fn heal(&mut self, from: Host, to: Host) {
        let link = self.link_mut(from, to);
        assert!(link.cuts > 0, "a link is healed no more often than cut");
        link.cuts -= 1;
    }

    /// Slows one direction down by that much more.
    pub fn slow(&mut self, from: Host, to: Host, by: Duration, fault: u64) {
        let link = self.link_mut(from, to);
        link.extra.0 += by.0;
        link.fault = fault;
    }

    /// Takes back what [`Weather::slow`] added.
    pub fn hasten(&mut self, from: Host, to: Host, by: Duration) {
        let link = self.link_mut(from, to);
        assert!(link.extra >= by, "a link is hastened no more than it was slowed");
        link.extra.0 -= by.0;
    }

    /// One direction carries no more than so many bytes per second; without a receiver, everything that `from` sends together, and
    /// everything that it receives.
    pub fn narrow(&mut self, from: Host, to: Option<Host>, rate: u64, fault: u64) {
        self.is_shaped = true;
        self.wires(from, to).for_each(|wire| wire.narrow(fault, rate));
    }

    /// Takes back [`Weather::narrow`].
    pub fn widen(&mut self, from: Host, to: Option<Host>, fault: u64) {
        self.wires(from, to).for_each(|wire| wire.widen(fault));
    }

    fn wires(&mut self, from: Host, to: Option<Host>) -> impl Iterator<Item = &mut Shaper> {
        let (link, ports) = match to {
            Some(to) => (Some(usize::from(from.0) * self.hosts + usize::from(to.0)), None),
            None => (None, Some(usize::from(from.0))),
        };
        let link = link.and_then(|at| self.links.get_mut(at)).map(|link| &mut link.wire);
        link.into_iter().chain(ports.and_then(|at| self.ports.get_mut(at)).into_iter().flatten())
    }

    /// How long so many bytes wait until the last of them has left, and which fault holds them up: that one, unless it is narrowness.
    pub fn carry(&mut self, from: Host, to: Host, bytes: u64, fault: u64, now: Time) -> (Duration, u64) {
        if !self.is_shaped || bytes == 0 {
            return (Duration::ZERO, fault);
        }
        let (mut at, mut held) = (now, fault);
        let usual = self.climate.bandwidth;
        let [sent, _] = &mut self.ports[usize::from(from.0)];
        let (left, by_port) = sent.pass(None, bytes, at);
        let (passed, by_link) = self.link_mut(from, to).wire.pass(usual, bytes, left);
        let [_, received] = &mut self.ports[usize::from(to.0)];
        let (arrived, by_peer) = received.pass(None, bytes, passed);
        at = at.max(arrived);
        held = [by_port, by_link, by_peer].into_iter().find(|fault| *fault != 0).unwrap_or(held);
        (at.since(now), held)
    }

    /// Whether nothing gets through.
    #[must_use]
    pub fn is_cut(&self, from: Host, to: Host) -> bool {
        self.link(from, to).cuts > 0
    }

    /// The last fault that struck this direction.
    #[must_use]
    pub fn fault(&self, from: Host, to: Host) -> u64 {
        self.link(from, to).fault
    }

    /// The fault that slows this direction now, 0 if none does.
    #[must_use]
    pub fn slowed_by(&self, from: Host, to: Host) -> u64 {
        let link = self.link(from, to);
        if link.extra == Duration::ZERO { 0 } else { link.fault }
    }

    /// How long the bytes of a frame take, and the dice for cutting them into pieces.
    pub fn frame(&mut self, from: Host, to: Host, label: Label, now: Time) -> (Duration, Dice) {
        let api = usize::try_from(label.api_key).map_or(API_MAX, |api| api.min(API_MAX));
        let place = 2 * api + usize::from(label.response);
        let key = self.key(from, to, place, now);
        let mut dice = self.chance.about(Tag::Frame, key);
        (self.latency(from, to, &mut dice), dice)
    }

    /// How long what opens, closes and keeps up a connection takes.
    pub fn control(&mut self, from: Host, to: Host, now: Time) -> Duration {
        let key = self.key(from, to, PLACES - 1, now);
        let mut dice = self.chance.about(Tag::Control, key);
        self.latency(from, to, &mut dice)
    }

    /// Into how many pieces bytes of a frame are cut: mostly one.
    pub fn pieces(&self, dice: &mut Dice) -> u64 {
        if dice.one_in(self.climate.split_one_in) { 2 + dice.up_to(1) } else { 1 }
    }

    fn latency(&self, from: Host, to: Host, dice: &mut Dice) -> Duration {
        let climate = &self.climate;
        let usual = climate.latency.0 + dice.up_to(climate.jitter.0);
        let taken = if dice.one_in(climate.tail_one_in) { climate.tail.0 + usual } else { usual };
        Duration(taken + self.link(from, to).extra.0)
    }

    fn key(&mut self, from: Host, to: Host, place: usize, now: Time) -> [u64; 4] {
        let bucket = now.0 / BUCKET_NS;
        let link = self.link_mut(from, to);
        if link.ordinals.is_empty() {
            link.ordinals.resize(PLACES, (0, 0));
        }
        let (last, ordinal) = &mut link.ordinals[place];
        // Buckets wrap after sixteen months of simulated time.
        let short = (bucket & u64::from(u32::MAX)) as u32;
        *ordinal = if *last == short { *ordinal + 1 } else { 0 };
        *last = short;
        [u64::from(from.0) << 16 | u64::from(to.0), place as u64, bucket, u64::from(*ordinal)]
    }

    fn link(&self, from: Host, to: Host) -> &Link {
        &self.links[usize::from(from.0) * self.hosts + usize::from(to.0)]
    }

    fn link_mut(&mut self, from: Host, to: Host) -> &mut Link {
        &mut self.links[usize::from(from.0) * self.hosts + usize::from(to.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FETCH: Label = Label { api_key: 1, response: false };
    const PRODUCE: Label = Label { api_key: 0, response: false };

    fn weather() -> Weather {
        Weather::new(Chance::new(1), Climate::default(), 3)
    }

    #[test]
    fn the_fate_of_a_frame_does_not_depend_on_others() {
        let at = Time(123_000_000);
        let alone = weather().frame(Host(0), Host(1), FETCH, at).0;
        let mut busy = weather();
        busy.frame(Host(0), Host(1), PRODUCE, at);
        busy.frame(Host(1), Host(0), FETCH, at);
        busy.control(Host(0), Host(1), at);
        assert_eq!(busy.frame(Host(0), Host(1), FETCH, at).0, alone);
        assert_ne!(busy.frame(Host(0), Host(1), FETCH, at).0, alone);
    }

    #[test]
    fn overlapping_cuts_nest() {
        let mut weather = weather();
        weather.cut(Host(0), Host(1), 1);
        weather.cut(Host(0), Host(1), 2);
        assert!(weather.is_cut(Host(0), Host(1)) && !weather.is_cut(Host(1), Host(0)));
        weather.heal(Host(0), Host(1));
        assert!(weather.is_cut(Host(0), Host(1)));
        weather.heal(Host(0), Host(1));
        assert!(!weather.is_cut(Host(0), Host(1)));
    }

    #[test]
    fn latency_lies_in_the_climate() {
        let mut weather = weather();
        let mut tails = 0;
        for i in 0..10_000 {
            let (latency, _) = weather.frame(Host(0), Host(1), FETCH, Time(i * 1_000_000));
            assert!(latency >= Duration::micros(300) && latency <= Duration::micros(20_700), "{latency}");
            tails += u32::from(latency >= Duration::millis(20));
        }
        assert!((20..100).contains(&tails), "{tails}");
    }
}
