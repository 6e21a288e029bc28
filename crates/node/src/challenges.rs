//! Registrations whose proof of possession is awaited: few for each invite, and of strangers never so
//! many that a client could not renew. Anybody may begin one, so the oldest makes room for the next.

use std::collections::{BTreeMap, HashMap};

use layer_minus_wallet::Address;

/// Who may have which share of the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Share {
    /// Whoever is no client yet.
    Strangers,
    /// Clients who renew.
    Clients,
}

/// What one challenge is counted by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(crate) share: Share,
    /// Digest of the invite that it would use.
    pub(crate) invite: Option<[u8; 32]>,
}

#[derive(Debug)]
struct Open<T> {
    ticket: Ticket,
    order: u64,
    challenge: T,
}

/// The open challenges, one for each wallet and for each invite.
#[derive(Debug)]
pub(crate) struct Challenges<T> {
    open: HashMap<Address, Open<T>>,
    by_invite: HashMap<[u8; 32], Address>,
    /// Oldest first, each share for itself.
    by_age: BTreeMap<(Share, u64), Address>,
    next_order: u64,
}

impl<T> Default for Challenges<T> {
    fn default() -> Self {
        Self {
            open: HashMap::new(),
            by_invite: HashMap::new(),
            by_age: BTreeMap::new(),
            next_order: 0,
        }
    }
}

impl<T> Challenges<T> {
    /// Opens a challenge in place of the wallet's earlier one, of another wallet's with the same invite,
    /// and if the share has `share_max` of the oldest in it.
    pub(crate) fn insert(
        &mut self,
        wallet: Address,
        ticket: Ticket,
        challenge: T,
        share_max: usize,
    ) {
        self.remove(&wallet);
        let rival = ticket.invite.and_then(|invite| self.by_invite.get(&invite));
        if let Some(rival) = rival.copied() {
            self.remove(&rival);
        }
        let share = (ticket.share, 0)..=(ticket.share, u64::MAX);
        let mut of_share = self.by_age.range(share);
        let oldest = of_share.next().map(|(_, wallet)| *wallet);
        if let Some(oldest) = oldest
            && 1 + of_share.count() >= share_max
        {
            self.remove(&oldest);
        }
        let order = self.next_order;
        self.next_order += 1;
        self.by_age.insert((ticket.share, order), wallet);
        if let Some(invite) = ticket.invite {
            self.by_invite.insert(invite, wallet);
        }
        let open = Open {
            ticket,
            order,
            challenge,
        };
        self.open.insert(wallet, open);
    }

    /// Takes the wallet's challenge out.
    pub(crate) fn remove(&mut self, wallet: &Address) -> Option<T> {
        let Open {
            ticket,
            order,
            challenge,
        } = self.open.remove(wallet)?;
        self.by_age.remove(&(ticket.share, order));
        if let Some(invite) = ticket.invite {
            self.by_invite.remove(&invite);
        }
        Some(challenge)
    }

    /// Forgets those that are not to be kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        let over: Vec<Address> = self
            .open
            .iter()
            .filter(|(_, open)| !keep(&open.challenge))
            .map(|(wallet, _)| *wallet)
            .collect();
        for wallet in over {
            self.remove(&wallet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 8;

    fn wallet(number: u16) -> Address {
        Address::left_padding_from(&number.to_be_bytes())
    }

    fn ticket(share: Share, invite: Option<u8>) -> Ticket {
        let invite = invite.map(|byte| [byte; 32]);
        Ticket { share, invite }
    }

    #[test]
    fn one_invite_has_one_challenge_whoever_shows_it() {
        let mut challenges = Challenges::default();
        for number in 0..100 {
            let of_invite = ticket(Share::Strangers, Some(7));
            challenges.insert(wallet(number), of_invite, number, MAX);
        }
        assert_eq!(challenges.open.len(), 1);
        assert_eq!(challenges.remove(&wallet(98)), None);
        assert_eq!(challenges.remove(&wallet(99)), Some(99));
        assert!(challenges.by_invite.is_empty() && challenges.by_age.is_empty());
    }

    #[test]
    fn the_oldest_strangers_make_room_and_clients_keep_theirs() {
        let mut challenges = Challenges::default();
        let (stranger, client) = (ticket(Share::Strangers, None), ticket(Share::Clients, None));
        challenges.insert(wallet(1_000), client, 1_000, MAX);
        for number in 0..100 {
            challenges.insert(wallet(number), stranger, number, MAX);
        }
        assert_eq!(challenges.open.len(), MAX + 1);
        assert_eq!(challenges.remove(&wallet(91)), None);
        assert_eq!(challenges.remove(&wallet(92)), Some(92));
        assert_eq!(challenges.remove(&wallet(1_000)), Some(1_000));
    }

    #[test]
    fn a_wallet_has_one_and_what_is_over_is_forgotten() {
        let mut challenges = Challenges::default();
        let stranger = ticket(Share::Strangers, Some(1));
        challenges.insert(wallet(1), stranger, 1, MAX);
        challenges.insert(wallet(1), ticket(Share::Clients, None), 2, MAX);
        assert_eq!((challenges.open.len(), challenges.by_age.len()), (1, 1));
        assert!(challenges.by_invite.is_empty());
        challenges.retain(|number| *number != 2);
        assert!(challenges.open.is_empty() && challenges.by_age.is_empty());
    }
}
