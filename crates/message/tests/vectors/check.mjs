// Checks the typed data of the vectors with viem, which shares no code with us: every hash, every
// signer, every digest of a signed text.
//   npm install viem && node check.mjs ../../../../docs/spec/vectors
import { readFileSync } from "node:fs";
import { hashTypedData, keccak256, recoverAddress, stringToHex } from "viem";

const folder = process.argv[2];
let checked = 0;

const fields = (type) =>
  type.slice(type.indexOf("(") + 1, -1).split(",").map((field) => {
    const [kind, name] = field.split(" ");
    return { type: kind, name };
  });

// viem derives the domain's type from what is in it, but knows no salt on its own.
const EIP712Domain = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "salt", type: "bytes32" },
];

async function check(network, statement, signature, text) {
  if (!statement) return;
  const primaryType = statement.type.slice(0, statement.type.indexOf("("));
  const hash = hashTypedData({
    domain: { name: "Layer Minus", version: "1", salt: keccak256(stringToHex(network)) },
    types: { EIP712Domain, [primaryType]: fields(statement.type) },
    primaryType,
    message: statement.message,
  });
  if (hash !== statement.signing_hash) throw new Error(`hash of ${primaryType}: ${hash}`);
  const signer = await recoverAddress({ hash, signature });
  if (signer !== statement.signer) throw new Error(`signer of ${primaryType}: ${signer}`);
  if (text !== undefined && keccak256(stringToHex(text)) !== statement.message.digest)
    throw new Error(`digest of ${primaryType}`);
  checked += 1;
  if (statement.delegation)
    await check(network, statement.delegation, statement.delegation.signature);
}

const read = (name) => JSON.parse(readFileSync(`${folder}/${name}.json`, "utf8"));
const command = read("command");
for (const it of command.commands)
  await check(command.network, it.statement, it.statement?.signature, it.payload);
const letter = read("letter");
for (const it of letter.letters)
  await check(letter.network, it.statement, it.statement.signature, it.claims);
const answer = read("answer");
await check(answer.network, answer.acceptance, answer.acceptance.signature);
for (const name of ["card", "record"]) {
  const it = read(name);
  await check(it.network, it.statement, it.signed.signature, it.signed.document);
}
console.log(`${checked} signatures agree`);
