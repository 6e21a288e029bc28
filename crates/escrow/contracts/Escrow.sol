// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20, Token} from "./Token.sol";

/// @title Escrow of payment channels
/// @notice A payer deposits an ERC-20 token for one receiver; the receiver claims what cumulative
/// vouchers allow, many channels in one call, and is paid in one transfer. Channels and vouchers
/// are the typed data of x402's `batch-settlement` scheme, so an authorization that a node holds
/// is redeemed as it is.
/// @dev Nobody owns this contract and nothing in it can be changed.
///
/// A channel is one storage slot. Its key commits to the channel's id, to whoever signs its
/// vouchers, and to the payee (receiver, receiver's authorizer, token). A claim therefore carries
/// neither the channel's configuration nor reads a second slot: a voucher by another signer, or a
/// channel of another payee, leads to an empty slot and is refused.
contract Escrow {
    using Token for IERC20;

    /// @notice The terms of a channel. Their typed-data hash is the channel's id.
    struct ChannelConfig {
        /// Gets back what is not claimed.
        address payer;
        /// Signs vouchers. A key, not a contract.
        address payerAuthorizer;
        /// Is paid.
        address receiver;
        /// May claim and refund in the receiver's name.
        address receiverAuthorizer;
        address token;
        /// Seconds between a withdrawal's announcement and its execution.
        uint40 withdrawDelay;
        bytes32 salt;
    }

    /// @notice Whom a batch of claims is for.
    struct Payee {
        address receiver;
        address receiverAuthorizer;
        address token;
    }

    /// @notice One channel of a batch.
    struct Claim {
        bytes32 channelId;
        /// What the voucher allows in its upper half, the total that is claimed in its lower half;
        /// both cumulative, in units of the token.
        uint256 maxAndTotal;
        /// The voucher's signature in the compact form of EIP-2098.
        bytes32 r;
        bytes32 vs;
    }

    /// @dev One slot. `claimed <= balance`.
    struct Channel {
        /// All deposits, less what was withdrawn and refunded.
        uint128 balance;
        /// Cumulative.
        uint128 claimed;
    }

    /// @dev One slot.
    struct Withdrawal {
        uint128 amount;
        /// Unix time from which it may be executed; 0 if none is announced.
        uint40 maturesAt;
    }

    /// @dev One slot, never emptied, so that each batch but the first writes over a value.
    struct Earnings {
        uint128 claimed;
        uint128 settled;
    }

    uint40 public constant MIN_WITHDRAW_DELAY = 15 minutes;
    uint40 public constant MAX_WITHDRAW_DELAY = 30 days;

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME_HASH = keccak256("x402 Batch Settlement");
    bytes32 private constant VERSION_HASH = keccak256("1");
    bytes32 public constant CHANNEL_CONFIG_TYPEHASH = keccak256(
        "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)"
    );
    bytes32 public constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");
    /// @dev Half the order of secp256k1: the largest `s` of a signature that has no twin.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    uint256 private immutable chainIdAtDeployment = block.chainid;
    bytes32 private immutable separatorAtDeployment = separator();

    mapping(bytes32 key => Channel) private channels;
    mapping(bytes32 key => Withdrawal) private withdrawals;
    mapping(address receiver => mapping(address token => Earnings)) private earnings;
    bool private transient entered;

    event Deposited(
        bytes32 indexed channelId, address indexed payer, address indexed receiver, address token, uint128 amount
    );
    /// @dev One for a whole batch: what each channel was charged stands in the call's data and in
    /// its slot, and an event for each would cost more than a tenth of the claim.
    event Claimed(address indexed receiver, address indexed token, uint256 channels, uint128 amount);
    event Settled(address indexed receiver, address indexed token, uint128 amount);
    event Refunded(bytes32 indexed channelId, uint128 amount);
    event WithdrawalAnnounced(bytes32 indexed channelId, uint128 amount, uint40 maturesAt);
    event WithdrawalCancelled(bytes32 indexed channelId);
    event Withdrawn(bytes32 indexed channelId, uint128 amount);

    /// A party is the zero address, or the withdraw delay is out of bounds.
    error BadConfig();
    error ZeroAmount();
    /// The caller may not do this for this channel.
    error NotAuthorized(address caller);
    /// `s` is in the upper half of the order, or the signature fits no key.
    error BadSignature(bytes32 channelId);
    /// No deposit on this channel for this signer and this payee.
    error NoChannel(bytes32 channelId, address signer);
    /// More is claimed than the voucher allows.
    error OverLimit(bytes32 channelId);
    /// More is asked for than the channel holds.
    error OverDeposit(bytes32 channelId);
    /// Every total of the batch was claimed before.
    error NothingToClaim();
    error NothingToSettle();
    /// The sum of a batch does not fit: only a token of absurd supply gets there.
    error Overflow();
    error NoWithdrawal(bytes32 channelId);
    error NotYet(uint40 maturesAt);
    error Reentered();

    /// @dev For what calls a token, which may call back.
    modifier once() {
        if (entered) revert Reentered();
        entered = true;
        _;
        entered = false;
    }

    // ---- payer ----

    /// @notice Moves `amount` from the caller into a channel. Anybody may pay into any channel; what
    /// is not claimed goes back to its payer.
    /// @dev A token that delivers less than it was told to is refused.
    function deposit(ChannelConfig calldata config, uint128 amount) external once {
        if (
            config.payer == address(0) || config.payerAuthorizer == address(0) || config.receiver == address(0)
                || config.receiverAuthorizer == address(0) || config.token == address(0)
                || config.withdrawDelay < MIN_WITHDRAW_DELAY || config.withdrawDelay > MAX_WITHDRAW_DELAY
        ) revert BadConfig();
        if (amount == 0) revert ZeroAmount();
        (bytes32 id, bytes32 key) = locate(config);
        channels[key].balance += amount;
        emit Deposited(id, config.payer, config.receiver, config.token, amount);
        IERC20(config.token).pull(msg.sender, amount);
    }

    /// @notice Announces that up to `amount` will be taken back after the channel's delay, in which
    /// the receiver can still claim. A new announcement replaces an older one and starts the delay again.
    function announceWithdrawal(ChannelConfig calldata config, uint128 amount) external {
        onlyPayer(config);
        if (amount == 0) revert ZeroAmount();
        (bytes32 id, bytes32 key) = locate(config);
        if (amount > available(channels[key])) revert OverDeposit(id);
        uint40 maturesAt = uint40(block.timestamp) + config.withdrawDelay;
        withdrawals[key] = Withdrawal(amount, maturesAt);
        emit WithdrawalAnnounced(id, amount, maturesAt);
    }

    /// @notice Takes an announcement back, so that the deposit backs vouchers again.
    function cancelWithdrawal(ChannelConfig calldata config) external {
        onlyPayer(config);
        (bytes32 id, bytes32 key) = locate(config);
        if (withdrawals[key].maturesAt == 0) revert NoWithdrawal(id);
        delete withdrawals[key];
        emit WithdrawalCancelled(id);
    }

    /// @notice Pays the payer what was announced, or as much of it as was not claimed meanwhile.
    function withdraw(ChannelConfig calldata config) external once {
        onlyPayer(config);
        (bytes32 id, bytes32 key) = locate(config);
        Withdrawal memory announced = withdrawals[key];
        if (announced.maturesAt == 0) revert NoWithdrawal(id);
        if (block.timestamp < announced.maturesAt) revert NotYet(announced.maturesAt);
        delete withdrawals[key];
        uint128 rest = available(channels[key]);
        uint128 amount = announced.amount < rest ? announced.amount : rest;
        channels[key].balance -= amount;
        emit Withdrawn(id, amount);
        IERC20(config.token).push(config.payer, amount);
    }

    // ---- receiver ----

    /// @notice Claims, for each channel, the increase over what was claimed before. No token moves:
    /// see `settle`.
    /// @dev A total that was claimed before adds nothing, so a repeated row is harmless and a
    /// repeated batch is refused. A row that is wrong refuses the batch and names itself.
    function claim(Payee calldata payee, Claim[] calldata claims) external {
        if (msg.sender != payee.receiver && msg.sender != payee.receiverAuthorizer) {
            revert NotAuthorized(msg.sender);
        }
        bytes32 payeeHash = hashOf(payee.receiver, payee.receiverAuthorizer, payee.token);
        bytes32 domain = domainSeparator();
        uint256 sum;
        unchecked {
            // Each increase is below 2^128 and there are far fewer than 2^128 rows.
            for (uint256 i; i < claims.length; ++i) {
                sum += claimOne(claims[i], payeeHash, domain);
            }
        }
        if (sum == 0) revert NothingToClaim();
        if (sum > type(uint128).max) revert Overflow();
        earnings[payee.receiver][payee.token].claimed += uint128(sum);
        emit Claimed(payee.receiver, payee.token, claims.length, uint128(sum));
    }

    /// @notice Transfers to the receiver all that was claimed and not settled yet. Anybody may call it.
    function settle(address receiver, address token) external once returns (uint128 amount) {
        Earnings storage earned = earnings[receiver][token];
        amount = earned.claimed - earned.settled;
        if (amount == 0) revert NothingToSettle();
        earned.settled = earned.claimed;
        emit Settled(receiver, token, amount);
        IERC20(token).push(receiver, amount);
    }

    /// @notice Gives the payer back at once what the receiver does not claim.
    function refund(ChannelConfig calldata config, uint128 amount) external once {
        if (msg.sender != config.receiver && msg.sender != config.receiverAuthorizer) {
            revert NotAuthorized(msg.sender);
        }
        if (amount == 0) revert ZeroAmount();
        (bytes32 id, bytes32 key) = locate(config);
        if (amount > available(channels[key])) revert OverDeposit(id);
        channels[key].balance -= amount;
        emit Refunded(id, amount);
        IERC20(config.token).push(config.payer, amount);
    }

    // ---- to read ----

    /// @notice What a channel holds, was claimed from it, and is announced to be withdrawn.
    function channel(ChannelConfig calldata config)
        external
        view
        returns (uint128 balance, uint128 claimed, uint128 withdrawing, uint40 maturesAt)
    {
        (, bytes32 key) = locate(config);
        Channel storage held = channels[key];
        Withdrawal storage announced = withdrawals[key];
        return (held.balance, held.claimed, announced.amount, announced.maturesAt);
    }

    /// @notice What was claimed for a receiver, ever, and how much of it was settled.
    function earningsOf(address receiver, address token) external view returns (uint128 claimed, uint128 settled) {
        Earnings storage earned = earnings[receiver][token];
        return (earned.claimed, earned.settled);
    }

    /// @notice The typed-data hash of a channel's terms, in the domain of this contract and chain.
    function channelId(ChannelConfig calldata config) public view returns (bytes32) {
        return typedDataHash(
            domainSeparator(),
            keccak256(
                abi.encode(
                    CHANNEL_CONFIG_TYPEHASH,
                    config.payer,
                    config.payerAuthorizer,
                    config.receiver,
                    config.receiverAuthorizer,
                    config.token,
                    config.withdrawDelay,
                    config.salt
                )
            )
        );
    }

    /// @notice The domain that vouchers are signed for. After a fork of the chain it is another one.
    function domainSeparator() public view returns (bytes32) {
        return block.chainid == chainIdAtDeployment ? separatorAtDeployment : separator();
    }

    // ---- inside ----

    /// @dev The hot path: two hashes of the voucher, two of the key, one recovery, one slot read and
    /// written. Uses the memory from the free pointer on and leaves the pointer where it was.
    function claimOne(Claim calldata row, bytes32 payeeHash, bytes32 domain) private returns (uint256 increase) {
        uint256 maxAndTotal = row.maxAndTotal;
        uint256 total = uint128(maxAndTotal);
        uint256 vs = uint256(row.vs);
        if (total > maxAndTotal >> 128) revert OverLimit(row.channelId);
        if (vs & (type(uint256).max >> 1) > HALF_ORDER) revert BadSignature(row.channelId);
        bytes32 voucherTypehash = VOUCHER_TYPEHASH;
        address signer;
        uint256 slot;
        uint256 held;
        assembly ("memory-safe") {
            let at := mload(0x40)
            let id := calldataload(row)
            // hashStruct(voucher)
            mstore(at, voucherTypehash)
            mstore(add(at, 0x20), id)
            mstore(add(at, 0x40), shr(128, maxAndTotal))
            let structHash := keccak256(at, 0x60)
            // 0x1901 ‖ domain ‖ hashStruct
            mstore(at, shl(240, 0x1901))
            mstore(add(at, 0x02), domain)
            mstore(add(at, 0x22), structHash)
            // The signer: hash, v, r, s. What returns nothing is no signer.
            mstore(at, keccak256(at, 0x42))
            mstore(add(at, 0x20), add(27, shr(255, vs)))
            mstore(add(at, 0x40), calldataload(add(row, 0x40)))
            mstore(add(at, 0x60), shr(1, shl(1, vs)))
            mstore(0x00, 0)
            pop(staticcall(gas(), 1, at, 0x80, 0x00, 0x20))
            signer := mload(0x00)
            // The key as in `locate`, then its slot as a mapping finds it.
            mstore(at, id)
            mstore(add(at, 0x20), signer)
            mstore(add(at, 0x40), payeeHash)
            mstore(0x00, keccak256(at, 0x60))
            mstore(0x20, channels.slot)
            slot := keccak256(0x00, 0x40)
            held := sload(slot)
        }
        if (signer == address(0)) revert BadSignature(row.channelId);
        // As `Channel` is packed: the balance below, what was claimed above.
        uint256 deposited = uint128(held);
        uint256 claimed = held >> 128;
        if (total > deposited) {
            if (deposited == 0) revert NoChannel(row.channelId, signer);
            revert OverDeposit(row.channelId);
        }
        if (total <= claimed) return 0;
        assembly ("memory-safe") {
            sstore(slot, or(shl(128, total), deposited))
        }
        unchecked {
            return total - claimed;
        }
    }

    function locate(ChannelConfig calldata config) private view returns (bytes32 id, bytes32 key) {
        id = channelId(config);
        bytes32 payeeHash = hashOf(config.receiver, config.receiverAuthorizer, config.token);
        key = keccak256(abi.encode(id, config.payerAuthorizer, payeeHash));
    }

    function hashOf(address receiver, address receiverAuthorizer, address token) private pure returns (bytes32) {
        return keccak256(abi.encode(receiver, receiverAuthorizer, token));
    }

    function onlyPayer(ChannelConfig calldata config) private view {
        if (msg.sender != config.payer && msg.sender != config.payerAuthorizer) {
            revert NotAuthorized(msg.sender);
        }
    }

    function available(Channel storage held) private view returns (uint128) {
        return held.balance - held.claimed;
    }

    function separator() private view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, address(this)));
    }

    function typedDataHash(bytes32 domain, bytes32 structHash) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }
}
