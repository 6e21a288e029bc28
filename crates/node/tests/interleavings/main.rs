//! Whatever happens in whatever order: no client is charged or reserved beyond what it signed, nor
//! beyond what stands behind it.
//!
//! The model knows the papers, grants and deposits; the node is asked nothing but its rows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../world/mod.rs"]
mod world;

mod money;

use std::collections::{BTreeMap, BTreeSet};

use layer_minus_delivery::Mode;
use layer_minus_ledger::Account;
use layer_minus_message::{Answer, Authorization, Chain, Command, LaneParty};
use layer_minus_node::{Event, NodeConfig, Store as _, Table, admin, money as books};
use proptest::prelude::*;
use world::{LARGE, Person, SMALL, Stream, World};

const UNIT_PUSD: u128 = 1_000_000;
const HOUR_SECS: u64 = 3_600;
const DAY_SECS: u64 = 24 * HOUR_SECS;
/// Of the papers here: short, so that they expire while mail waits.
const PAPER_SECS: u64 = 4 * DAY_SECS;

#[derive(Clone, Copy, Debug)]
enum Step {
    Mail {
        small: bool,
    },
    Listen,
    Hand,
    Ack,
    Close,
    Status,
    /// A new limit on the same channel: raised or lowered.
    Sign {
        units: u64,
    },
    /// A paper on a new channel, with a deposit of its own or without.
    Replace {
        units: u64,
        paid: bool,
    },
    /// Back to the first channel.
    Return {
        units: u64,
    },
    Revoke,
    Grant {
        units: u64,
    },
    Deposit {
        units: u64,
        secs: u64,
    },
    /// A channel that was left is looked at.
    Look {
        which: usize,
        units: u64,
    },
    /// The payer takes back what was not claimed, whether or not the node claimed before.
    Withdraw {
        claimed: bool,
    },
    Leave,
    Register,
    Clock {
        secs: u64,
    },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    // A small letter to its end is about one unit, a large one 42.
    let units = || prop_oneof![3 => 1_u64..20, 3 => 20_u64..200, 1 => 200_u64..2_000];
    prop_oneof![
        10 => any::<bool>().prop_map(|small| Step::Mail { small }),
        5 => Just(Step::Listen),
        6 => Just(Step::Hand),
        3 => Just(Step::Ack),
        4 => Just(Step::Close),
        3 => Just(Step::Status),
        4 => units().prop_map(|units| Step::Sign { units }),
        4 => (units(), any::<bool>()).prop_map(|(units, paid)| Step::Replace { units, paid }),
        1 => units().prop_map(|units| Step::Return { units }),
        1 => Just(Step::Revoke),
        2 => (1_u64..60).prop_map(|units| Step::Grant { units }),
        5 => (prop_oneof![0_u64..20, 20_u64..300], HOUR_SECS..3 * DAY_SECS)
            .prop_map(|(units, secs)| Step::Deposit { units, secs }),
        3 => any::<bool>().prop_map(|claimed| Step::Withdraw { claimed }),
        3 => (0_usize..4, prop_oneof![0_u64..20, 20_u64..300])
            .prop_map(|(which, units)| Step::Look { which, units }),
        1 => Just(Step::Leave),
        2 => Just(Step::Register),
        3 => prop_oneof![0..HOUR_SECS, HOUR_SECS..2 * DAY_SECS].prop_map(|secs| Step::Clock { secs }),
        1 => Just(Step::Restart),
    ]
}

/// What a channel is known to have cost when it was not in use.
#[derive(Clone, Copy, Debug, Default)]
struct Past {
    charged: u128,
    unsecured: u128,
}

/// The paper that counts, as the model has it.
#[derive(Clone, Copy, Debug)]
struct Paper {
    channel: [u8; 32],
    limit: u128,
    base: u128,
    expires_at: u64,
    revoked: bool,
}

struct Client {
    person: Person,
    first: Authorization,
    paper: Option<Paper>,
    past: BTreeMap<[u8; 32], Past>,
    /// Charged on channels that were forgotten: the grant pays for it.
    forgotten: u128,
    revoked: BTreeSet<[u8; 32]>,
    granted: u128,
    stream: Option<Stream>,
    /// Numbers that wait, with the end of their retention.
    waiting: BTreeMap<u64, u64>,
}

struct Play {
    world: World,
    clients: Vec<Client>,
    /// What the escrow holds: units and until when it is believed.
    deposits: BTreeMap<[u8; 32], (u64, u64)>,
    /// The most that it ever held.
    deposits_max: BTreeMap<[u8; 32], u64>,
    letters: u64,
    letters_to: BTreeMap<u64, layer_minus_wallet::Address>,
}

impl Play {
    fn new() -> Self {
        let mut world = World::new(NodeConfig::default());
        let clients = (0..2).map(|_| {
            let mut person = world.person();
            person.authorization = sign(&mut world, &person, 150);
            Client {
                first: person.authorization.clone(),
                person,
                paper: None,
                past: BTreeMap::new(),
                forgotten: 0,
                revoked: BTreeSet::new(),
                granted: 0,
                stream: None,
                waiting: BTreeMap::new(),
            }
        });
        let clients = clients.collect();
        let mut play = Self {
            world,
            clients,
            deposits: BTreeMap::new(),
            deposits_max: BTreeMap::new(),
            letters: 0,
            letters_to: BTreeMap::new(),
        };
        for who in 0..2 {
            // More is signed than is granted: when the escrow is gone the paper is worth less.
            play.step(who, Step::Grant { units: 10 });
            let (units, secs) = (150, DAY_SECS);
            play.step(who, Step::Deposit { units, secs });
            play.step(who, Step::Register);
            assert!(play.clients[who].paper.is_some());
        }
        play
    }

    fn account(&self, who: usize) -> (u128, u128) {
        let id = books::client_account(&self.clients[who].person.address());
        let row = self.world.node.store().get(Table::Accounts, id.as_bytes());
        let account = row.unwrap().map(|row| Account::from_bytes(&row).unwrap());
        account.map_or((0, 0), |account| (account.debits_posted, account.used()))
    }

    /// The channel in use is left: what was charged on it stays its, if that is worth anything.
    fn leave_channel(&mut self, who: usize, charged: u128) {
        let Some(paper) = self.clients[who].paper.take() else {
            return;
        };
        let on_it = charged - paper.base;
        let unsecured = on_it.saturating_sub(self.deposit(&paper.channel));
        let paid = self.taken(who, &paper.channel) + on_it <= self.clients[who].granted;
        let client = &mut self.clients[who];
        if on_it < UNIT_PUSD && paid && !paper.revoked {
            client.forgotten += on_it;
            client.past.remove(&paper.channel);
            return;
        }
        let past = Past {
            charged: on_it,
            unsecured,
        };
        client.past.insert(paper.channel, past);
    }

    /// The node took a paper; `before` is what was charged when it did.
    fn took(&mut self, who: usize, authorization: &Authorization, before: u128) {
        let address = self.clients[who].person.address();
        let channel = authorization.channel_id(address).unwrap().0;
        let limit = authorization.limit_pusd();
        let expires_at = authorization.expires_at;
        let same = self.clients[who]
            .paper
            .filter(|paper| paper.channel == channel);
        let base = match same {
            Some(paper) => paper.base,
            None => {
                // The command that brought the paper is charged on the new channel.
                self.leave_channel(who, before);
                let past = self.clients[who].past.get(&channel);
                before - past.map_or(0, |past| past.charged)
            }
        };
        let client = &mut self.clients[who];
        assert!(
            !client.revoked.contains(&channel),
            "a revoked channel was taken"
        );
        client.person.authorization = authorization.clone();
        client.paper = Some(Paper {
            channel,
            limit,
            base,
            expires_at,
            revoked: false,
        });
        if same.is_none() {
            let (used, worth) = (self.account(who).1, self.worth(who));
            assert!(used <= worth, "{used} p$ moved to paper worth {worth} p$");
        }
    }

    fn authorize(
        &mut self,
        who: usize,
        authorization: &Authorization,
    ) -> Vec<layer_minus_node::Effect> {
        let (before, _) = self.account(who);
        let address = self.clients[who].person.address();
        let command = Command::Authorize(Box::new(authorization.clone()));
        let (id, effects) = self.world.command_on(address, command, None);
        if matches!(world::answer_to(&effects, id), Answer::Authorized(_)) {
            self.took(who, authorization, before);
        }
        effects
    }

    fn step(&mut self, who: usize, step: Step) {
        let before: Vec<_> = (0..self.clients.len())
            .map(|who| (self.account(who).1, self.ceiling(who)))
            .collect();
        let charged_before: Vec<_> = (0..self.clients.len())
            .map(|who| self.account(who).0)
            .collect();
        let effects = self.act(who, step);
        for (who, charged_before) in charged_before.into_iter().enumerate() {
            // A tick begins pushes first, and charges what expires then.
            let charged = match step {
                Step::Clock { .. } => charged_before,
                _ => self.account(who).0,
            };
            self.check_pushes(who, &effects, charged);
        }
        for client in &mut self.clients {
            if let Some(stream) = &mut client.stream {
                stream.take(&effects);
                if stream.closed {
                    client.stream = None;
                }
            }
        }
        for (who, (used_before, ceiling_before)) in before.into_iter().enumerate() {
            self.check(who, used_before, ceiling_before);
        }
    }

    #[allow(clippy::too_many_lines)] // one arm for each step
    fn act(&mut self, who: usize, step: Step) -> Vec<layer_minus_node::Effect> {
        let address = self.clients[who].person.address();
        match step {
            Step::Mail { small } => {
                self.letters += 1;
                self.letters_to.insert(self.letters, address);
                let message = self.letters.to_be_bytes();
                let size = if small { SMALL } else { LARGE };
                let client = &mut self.clients[who];
                let (answer, effects) = self.world.mail_effects(&client.person, &message, size);
                if let Answer::Accepted(_) = answer {
                    let row = rows_of(&self.world, &client.person);
                    let (seq, until) = row.into_iter().next_back().unwrap();
                    client.waiting.insert(seq, until);
                }
                effects
            }
            Step::Listen => {
                let command = Command::Listen(layer_minus_message::Listen {
                    consumer: layer_minus_delivery::ConsumerId::new([1; 16]),
                    mode: Mode::Each,
                });
                let (id, effects) = self.world.command_on(address, command, None);
                let opened = effects.iter().any(|effect| {
                    matches!(effect, layer_minus_node::Effect::Stream { request, .. } if *request == id)
                });
                if opened {
                    self.clients[who].stream = Some(Stream {
                        id: layer_minus_node::ConnectionId(id.0),
                        control: Vec::new(),
                        pushed: Vec::new(),
                        closed: false,
                    });
                }
                effects
            }
            Step::Hand => {
                let Some(stream) = &self.clients[who].stream else {
                    return Vec::new();
                };
                let Some((seq, _)) = stream.pushed.last() else {
                    return Vec::new();
                };
                let (connection, seq) = (stream.id, *seq);
                self.world.run(vec![Event::Handed { connection, seq }])
            }
            Step::Ack => {
                let stream = self.clients[who].stream.as_ref();
                let Some((seq, _)) = stream.and_then(|stream| stream.pushed.last()) else {
                    return Vec::new();
                };
                let seq = *seq;
                let command = self.world.ack(1, Some(seq), &[]);
                let (id, effects) = self.world.command_on(address, command, None);
                if world::answer_to(&effects, id) == Answer::Acknowledged {
                    self.clients[who].waiting.retain(|number, _| *number > seq);
                }
                effects
            }
            Step::Close => match self.clients[who].stream.take() {
                Some(stream) => self.world.close(&stream),
                None => Vec::new(),
            },
            Step::Status => {
                let (id, effects) = self.world.command_on(address, Command::Status, None);
                if let Answer::Status(standing) = world::answer_to(&effects, id) {
                    assert_eq!(u128::from(standing.limit_pusd), self.ceiling(who));
                }
                effects
            }
            Step::Sign { units } => {
                let person = &self.clients[who].person;
                let mut paper = person.authorization.clone();
                paper.resign(&person.cash, address, units).unwrap();
                self.authorize(who, &paper)
            }
            Step::Replace { units, paid } => {
                let paper = sign(&mut self.world, &self.clients[who].person, units);
                if paid {
                    let channel = paper.channel_id(address).unwrap().0;
                    self.escrow_holds(who, channel, units, DAY_SECS);
                }
                self.authorize(who, &paper)
            }
            Step::Return { units } => {
                let mut paper = self.clients[who].first.clone();
                let cash = &self.clients[who].person.cash;
                paper.resign(cash, address, units).unwrap();
                self.authorize(who, &paper)
            }
            Step::Revoke => {
                let (id, effects) = self.world.command_on(address, Command::Revoke, None);
                if let Answer::Revoked(_) = world::answer_to(&effects, id) {
                    let client = &mut self.clients[who];
                    let paper = client.paper.as_mut().unwrap();
                    paper.revoked = true;
                    client.revoked.insert(paper.channel);
                }
                effects
            }
            Step::Grant { units } => {
                let pusd = units * UNIT_PUSD as u64;
                admin::grant(self.world.node.store_mut(), address, pusd).unwrap();
                self.clients[who].granted += u128::from(pusd);
                Vec::new()
            }
            Step::Deposit { units, secs } => self.deposit_is(who, units, secs),
            Step::Look { which, units } => {
                let channel = self.clients[who].past.keys().nth(which).copied();
                channel.map_or_else(Vec::new, |channel| {
                    self.escrow_holds(who, channel, units, DAY_SECS)
                })
            }
            Step::Withdraw { claimed } => {
                let units = if claimed { self.claimable(who) } else { 0 };
                self.deposit_is(who, units, DAY_SECS)
            }
            Step::Leave => {
                let (id, effects) = self.world.command_on(address, Command::Unregister, None);
                if world::answer_to(&effects, id) == Answer::Unregistered {
                    let (charged, _) = self.account(who);
                    self.leave_channel(who, charged);
                    self.clients[who].stream = None;
                    self.clients[who].waiting.clear();
                }
                effects
            }
            Step::Register => self.register(who),
            Step::Clock { secs } => self.world.tick(secs),
            Step::Restart => {
                self.world.restart();
                self.clients
                    .iter_mut()
                    .for_each(|client| client.stream = None);
                Vec::new()
            }
        }
    }

    fn register(&mut self, who: usize) -> Vec<layer_minus_node::Effect> {
        let address = self.clients[who].person.address();
        let command = self.world.registration(&self.clients[who].person, None);
        let (id, effects) = self.world.command_on(address, command, None);
        let Answer::Challenge { sealed } = world::answer_to(&effects, id) else {
            return effects;
        };
        let challenge = world::open_challenge(&self.clients[who].person, &sealed);
        let (before, _) = self.account(who);
        let confirm = Command::Confirm {
            challenge,
            listen: None,
        };
        let (id, effects) = self.world.command_on(address, confirm, None);
        if matches!(world::answer_to(&effects, id), Answer::Registered(_)) {
            let paper = self.clients[who].person.authorization.clone();
            self.took(who, &paper, before);
        }
        effects
    }
}

fn sign(world: &mut World, person: &Person, units: u64) -> Authorization {
    let client = person.address();
    let receiver = LaneParty {
        node: world.keys.wallet.address(),
        cash: world.keys.cash,
    };
    let (chain, expires_at) = (Chain::default(), world.now + PAPER_SECS);
    let rng = &mut world.rng;
    Authorization::sign(
        &person.cash,
        client,
        receiver,
        chain,
        units,
        expires_at,
        rng,
    )
    .unwrap()
}

/// Numbers and ends of what is stored for a person.
fn rows_of(world: &World, person: &Person) -> Vec<(u64, u64)> {
    let mut to = person.address().to_vec();
    to.extend_from_slice(&[0xff; 9]);
    let from = person.address();
    let rows = world
        .node
        .store()
        .scan(Table::Packets, from.as_slice(), &to, usize::MAX);
    let read = |(key, value): (Vec<u8>, Vec<u8>)| {
        let row: serde_json::Value = serde_json::from_slice(&value).unwrap();
        let seq = u64::from_be_bytes(key[20..].try_into().unwrap());
        (seq, row["kept_until"].as_u64().unwrap())
    };
    rows.unwrap().into_iter().map(read).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_charged_beyond_signature_or_backing(
        steps in proptest::collection::vec((0_usize..2, step()), 10..80),
    ) {
        let mut play = Play::new();
        for (who, step) in steps {
            play.step(who, step);
        }
        // All that was reserved ends in time.
        play.world.restart();
        play.clients.iter_mut().for_each(|client| client.stream = None);
        play.step(0, Step::Clock { secs: 40 * DAY_SECS });
        for who in 0..2 {
            let (charged, used) = play.account(who);
            prop_assert_eq!(charged, used);
        }
    }
}
