//! The EIP-712 types of the protocol. Each names what is signed, for whom and when; the bulk of a
//! document enters as the keccak-256 of its exact bytes.

use alloy_sol_types::sol;

sol! {
    /// What device keys sign: commands, letters, acceptances, lane openings.
    #[derive(Debug)]
    struct Statement {
        string purpose;
        address wallet;
        address audience;
        uint64 time;
        bytes16 nonce;
        bytes32 digest;
    }

    /// A person's card.
    #[derive(Debug)]
    struct Card {
        address wallet;
        address node;
        uint64 validFrom;
        uint64 validUntil;
        uint64 version;
        bytes32 digest;
    }

    /// A node's record.
    #[derive(Debug)]
    struct NodeRecord {
        address node;
        uint64 validFrom;
        uint64 validUntil;
        uint64 sequence;
        bytes32 digest;
    }

    /// A payment channel, as in x402's `batch-settlement` scheme; its hash is the channel id.
    #[derive(Debug)]
    struct ChannelConfig {
        address payer;
        address payerAuthorizer;
        address receiver;
        address receiverAuthorizer;
        address token;
        uint40 withdrawDelay;
        bytes32 salt;
    }

    /// A cumulative voucher on a channel, as in x402's `batch-settlement` scheme.
    #[derive(Debug)]
    struct Voucher {
        bytes32 channelId;
        uint128 maxClaimableAmount;
    }
}
