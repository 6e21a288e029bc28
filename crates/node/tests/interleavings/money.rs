//! What the papers, grants and deposits of the model come to, and that the node keeps to it.

use std::collections::BTreeSet;

use layer_minus_node::{Effect, Event, Store as _, Table};

use super::{Play, UNIT_PUSD};

impl Play {
    pub(super) fn deposit(&self, channel: &[u8; 32]) -> u128 {
        let held = self.deposits.get(channel);
        let units = held
            .filter(|held| held.1 >= self.world.now)
            .map_or(0, |held| held.0);
        u128::from(units) * UNIT_PUSD
    }

    /// By the definitions: up to how much the account may be used.
    pub(super) fn ceiling(&self, who: usize) -> u128 {
        match self.clients[who].paper {
            Some(paper) if !paper.revoked && paper.expires_at >= self.world.now => self.worth(who),
            _ => 0,
        }
    }

    /// What can still be claimed, also on paper that expired or was taken back.
    pub(super) fn worth(&self, who: usize) -> u128 {
        let client = &self.clients[who];
        let Some(paper) = client.paper else { return 0 };
        let taken = self.taken(who, &paper.channel);
        let backed = self.deposit(&paper.channel) + client.granted.saturating_sub(taken);
        paper.base + paper.limit.min(backed)
    }

    /// What other channels than this took of the grant.
    pub(super) fn taken(&self, who: usize, channel: &[u8; 32]) -> u128 {
        let client = &self.clients[who];
        let others = client.past.iter().filter(|(id, _)| *id != channel);
        let taken: u128 = others.map(|(_, past)| past.unsecured).sum();
        client.forgotten + taken
    }

    /// No push is begun that cannot be claimed once it is charged. A client has one stream here.
    pub(super) fn check_pushes(&self, who: usize, effects: &[Effect], charged: u128) {
        let address = self.clients[who].person.address();
        for effect in effects {
            let Effect::Push {
                packet, size_bytes, ..
            } = effect
            else {
                continue;
            };
            let letter: [u8; 8] = packet.message.as_ref().try_into().unwrap();
            if self.letters_to[&u64::from_be_bytes(letter)] != address {
                continue;
            }
            let (price, worth) = (20 * u128::from(*size_bytes), self.worth(who));
            assert!(
                charged + price <= worth,
                "pushed at {charged} + {price} p$ charged, {worth} p$ can be claimed"
            );
        }
    }

    pub(super) fn check(&self, who: usize, used_before: u128, ceiling_before: u128) {
        let client = &self.clients[who];
        let (charged, used) = self.account(who);
        // Taking a paper back is charged under it; else what counts is what counts now.
        let ceiling = self.ceiling(who).max(ceiling_before);
        assert!(
            used <= used_before || used <= ceiling,
            "{used} p$ used of {ceiling} p$"
        );
        if let Some(paper) = client.paper {
            assert!(used <= paper.base + paper.limit, "beyond the signature");
        }
        let mut backing = client.granted;
        let mut channels: BTreeSet<_> = client.past.keys().copied().collect();
        channels.extend(client.paper.map(|paper| paper.channel));
        for channel in &channels {
            let most = self.deposits_max.get(channel).copied().unwrap_or(0);
            backing += u128::from(most) * UNIT_PUSD;
        }
        assert!(
            charged <= backing,
            "charged {charged} p$ of {backing} p$ in all"
        );
        // Nothing is dropped before its retention ends.
        let key = client.person.address();
        let row = self
            .world
            .node
            .store()
            .get(Table::Mailboxes, key.as_slice())
            .unwrap();
        if let Some(row) = row {
            let row: serde_json::Value = serde_json::from_slice(&row).unwrap();
            let count = row["mailbox"]["count"].as_u64().unwrap();
            let kept = client
                .waiting
                .values()
                .filter(|until| **until >= self.world.now);
            assert!(count >= kept.count() as u64, "mail was dropped");
        }
    }

    /// Whole units that are charged on the client's channel, and that its deposit covers now.
    pub(super) fn claimable(&self, who: usize) -> u64 {
        let Some(paper) = self.clients[who].paper else {
            return 0;
        };
        let units = (self.account(who).0 - paper.base).min(self.deposit(&paper.channel));
        u64::try_from(units / UNIT_PUSD).unwrap()
    }

    /// The chain was looked at: so much can be claimed on the client's channel in all.
    pub(super) fn deposit_is(&mut self, who: usize, units: u64, secs: u64) -> Vec<Effect> {
        let person = &self.clients[who].person;
        let channel = person.authorization.channel_id(person.address()).unwrap().0;
        self.escrow_holds(who, channel, units, secs)
    }

    pub(super) fn escrow_holds(
        &mut self,
        who: usize,
        channel: [u8; 32],
        units: u64,
        secs: u64,
    ) -> Vec<Effect> {
        let until = self.world.now + secs;
        self.deposits.insert(channel, (units, until));
        // Of a channel that was left, what the escrow does not hold was taken from the grant.
        let client = &mut self.clients[who];
        let in_use = client.paper.map(|paper| paper.channel);
        if let Some(past) = client
            .past
            .get_mut(&channel)
            .filter(|_| in_use != Some(channel))
        {
            past.unsecured = past.charged.saturating_sub(u128::from(units) * UNIT_PUSD);
        }
        let most = self.deposits_max.entry(channel).or_default();
        *most = units.max(*most);
        self.world.run(vec![Event::Backing {
            channel,
            units,
            until,
        }])
    }
}
