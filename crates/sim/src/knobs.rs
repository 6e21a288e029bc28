//! How large a world is and how much breaks in it, drawn from the seed.

use crate::{
    cast::{DEVICES, NODES, PEOPLE, RELAYS},
    chance::Chance,
};

/// Sizes, and faults in cases of 1,000.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Knobs {
    /// Nothing breaks: what was charged must be exact.
    pub(crate) calm: bool,
    pub(crate) nodes: usize,
    pub(crate) relays: usize,
    pub(crate) people: usize,
    pub(crate) devices: usize,
    /// Letters that each device writes.
    pub(crate) letters: u64,
    /// How long things go on before they heal, seconds.
    pub(crate) active_secs: u64,
    /// Packets and answers lost.
    pub(crate) lost: u32,
    /// Packets that come a second time.
    pub(crate) twice: u32,
    /// Packets and records that take seconds.
    pub(crate) late: u32,
    /// Records on which a stream breaks.
    pub(crate) breaks: u32,
    /// Receptions at which a client crashes.
    pub(crate) client_crash: u32,
    /// Milliseconds between faults of nodes, links and clocks.
    pub(crate) fault_ms: u64,
    /// Whether hours go by at times.
    pub(crate) sleeps: bool,
    /// Whether clients leave at times.
    pub(crate) leaves: bool,
    /// What a node owes a relay before it promises it, picodollars.
    pub(crate) pay_at_pusd: u64,
    /// What a relay lets a node owe beyond its promises, picodollars. More than the smallest promise, or
    /// there would be no way out.
    pub(crate) unpromised_max_pusd: u64,
    /// What a relay lets a node promise and not settle, picodollars.
    pub(crate) credit_pusd: u64,
}

impl Knobs {
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let calm = chance.permille(100);
        let faults = !calm;
        let mut of = |most: u64| {
            let value = chance.between(0, most);
            if faults {
                u32::try_from(value).unwrap_or_default()
            } else {
                0
            }
        };
        let (lost, twice, late) = (of(120), of(120), of(150));
        let (breaks, client_crash) = (of(80), of(80));
        Self {
            calm,
            nodes: 1 + chance.index(NODES),
            relays: 1 + chance.index(RELAYS),
            people: 2 + chance.index(PEOPLE - 1),
            devices: 1 + chance.index(DEVICES),
            letters: chance.between(2, 6),
            active_secs: chance.between(30, 120),
            lost,
            twice,
            late,
            breaks,
            client_crash,
            fault_ms: chance.between(800, 8_000),
            sleeps: chance.permille(400),
            leaves: chance.permille(300),
            pay_at_pusd: chance.between(1, 6_000_000),
            unpromised_max_pusd: chance.between(2_000_000, 12_000_000),
            credit_pusd: chance.between(2_000_000, 60_000_000),
        }
    }
}
