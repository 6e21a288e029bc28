// viem, which shares no code with us: hashes typed data and signs it.
//   node viem.mjs <folder of node_modules> < jobs.json > answers.json
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const from = createRequire(join(resolve(process.argv[2]), "package.json"));
const load = (name) => import(pathToFileURL(from.resolve(name)));
const { concatHex, hashTypedData, keccak256, numberToHex } = await load("viem");
const { privateKeyToAccount } = await load("viem/accounts");

const fields = (type) =>
  type.slice(type.indexOf("(") + 1, -1).split(",").map((field) => {
    const [kind, name] = field.split(" ");
    return { type: kind, name };
  });
// viem knows the domain of a contract on its own, but no salt in it.
const domainTypes = {
  name: "string", version: "string", chainId: "uint256", verifyingContract: "address", salt: "bytes32",
};
const typed = ({ domain, type, message }) => {
  const primaryType = type.slice(0, type.indexOf("("));
  const EIP712Domain = Object.keys(domainTypes)
    .filter((name) => name in domain)
    .map((name) => ({ name, type: domainTypes[name] }));
  if ("chainId" in domain) domain = { ...domain, chainId: BigInt(domain.chainId) };
  return { domain, types: { EIP712Domain, [primaryType]: fields(type) }, primaryType, message };
};

const does = {
  hash: (job) => hashTypedData(typed(job)),
  sign: (job) => privateKeyToAccount(job.secret).signTypedData(typed(job)),
  // All of an authorization from its JSON, as a wallet in a browser would make it.
  authorize: async ({ secret, authorization, client, types }) => {
    const { chain, payer, receiver, node, opening, expires_at, withdraw_delay_secs, limit_units } =
      authorization;
    const domain = {
      name: "x402 Batch Settlement", version: "1",
      chainId: chain.chain_id, verifyingContract: chain.contract,
    };
    const expiry = numberToHex(BigInt(expires_at), { size: 8 });
    const channelId = hashTypedData(typed({
      domain,
      type: types.channel,
      message: {
        payer, payerAuthorizer: payer, receiver, receiverAuthorizer: receiver, token: chain.token,
        withdrawDelay: Number(withdraw_delay_secs),
        salt: keccak256(concatHex([client, node, opening, expiry])),
      },
    }));
    const message = { channelId, maxClaimableAmount: BigInt(limit_units) };
    return privateKeyToAccount(secret).signTypedData(typed({ domain, type: types.voucher, message }));
  },
};

const answers = [];
for (const job of JSON.parse(await text(process.stdin))) answers.push(await does[job.op](job));
console.log(JSON.stringify(answers));
