// Makes docs/spec/vectors/authorization.json with viem, which shares no code with us:
//   npm install viem && node authorization.mjs > ../../../../docs/spec/vectors/authorization.json
// Types and domain are those of x402's `batch-settlement` scheme for EVM chains.
import {
  concatHex, hashDomain, hashTypedData, keccak256, numberToHex, pad, toHex,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";

const types = {
  ChannelConfig: [
    { name: "payer", type: "address" },
    { name: "payerAuthorizer", type: "address" },
    { name: "receiver", type: "address" },
    { name: "receiverAuthorizer", type: "address" },
    { name: "token", type: "address" },
    { name: "withdrawDelay", type: "uint40" },
    { name: "salt", type: "bytes32" },
  ],
  Voucher: [
    { name: "channelId", type: "bytes32" },
    { name: "maxClaimableAmount", type: "uint128" },
  ],
};
const typeString = (name) =>
  `${name}(${types[name].map((field) => `${field.type} ${field.name}`).join(",")})`;
const ZERO = "0x0000000000000000000000000000000000000000";

const cases = [];
for (const input of [
  {
    name: "no chain: credit between the two parties",
    chain: { chain_id: "0", contract: ZERO, token: ZERO },
    payer_secret: pad("0x01", { size: 32 }),
    receiver: privateKeyToAccount(pad("0x02", { size: 32 })).address,
    node: privateKeyToAccount(pad("0x04", { size: 32 })).address,
    client: privateKeyToAccount(pad("0x03", { size: 32 })).address,
    withdraw_delay_secs: "86400",
    opening: pad("0x0a11ce", { size: 32 }),
    expires_at: "1800086400",
    limit_units: "336000",
  },
  {
    name: "Base Sepolia, the settlement contract and USDC there",
    chain: {
      chain_id: "84532",
      contract: "0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003",
      token: "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
    },
    payer_secret: keccak256(toHex("payer")),
    receiver: privateKeyToAccount(keccak256(toHex("receiver"))).address,
    node: privateKeyToAccount(keccak256(toHex("node"))).address,
    client: privateKeyToAccount(keccak256(toHex("client"))).address,
    withdraw_delay_secs: "2592000",
    opening: keccak256(toHex("opening")),
    expires_at: "18446744073709551615",
    limit_units: "18446744073709551615",
  },
]) {
  const account = privateKeyToAccount(input.payer_secret);
  const domain = {
    name: "x402 Batch Settlement",
    version: "1",
    // Older versions of viem leave a chain id out of the domain when it is a BigInt.
    chainId: Number(input.chain.chain_id),
    verifyingContract: input.chain.contract,
  };
  const salt = keccak256(
    concatHex([
      input.client, input.node, input.opening, numberToHex(BigInt(input.expires_at), { size: 8 }),
    ]),
  );
  const config = {
    payer: account.address,
    payerAuthorizer: account.address,
    receiver: input.receiver,
    receiverAuthorizer: input.receiver,
    token: input.chain.token,
    withdrawDelay: Number(input.withdraw_delay_secs),
    salt,
  };
  const channelId = hashTypedData({ domain, types, primaryType: "ChannelConfig", message: config });
  const voucher = {
    domain,
    types,
    primaryType: "Voucher",
    message: { channelId, maxClaimableAmount: BigInt(input.limit_units) },
  };
  cases.push({
    ...input,
    payer: account.address,
    domain_separator: hashDomain({
      domain,
      types: {
        EIP712Domain: [
          { name: "name", type: "string" },
          { name: "version", type: "string" },
          { name: "chainId", type: "uint256" },
          { name: "verifyingContract", type: "address" },
        ],
      },
    }),
    salt,
    channel_id: channelId,
    voucher_hash: hashTypedData(voucher),
    signature: await account.signTypedData(voucher),
  });
}

console.log(JSON.stringify({
  about: "Authorizations: the salt commits to client, node, opening and expiry (20 + 20 + 32 + 8 " +
    "bytes, big-endian, keccak-256); the channel id is the EIP-712 signing hash of the ChannelConfig; " +
    "the payer signs the Voucher. Both authorizers are the parties themselves. Made with viem.",
  type_hashes: Object.fromEntries(Object.keys(types).map((name) => [name, {
    type: typeString(name), hash: keccak256(toHex(typeString(name))),
  }])),
  cases,
}, null, 2));
