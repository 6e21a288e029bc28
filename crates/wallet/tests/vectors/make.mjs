// Makes the vectors beside this file with two implementations that share no code with ours, and
// stops if they disagree. Anywhere outside of the repository:
//   npm init -y && npm install ethers@6.17.0 viem@2.21.0
//   cp .../tests/vectors/make.mjs . && node make.mjs .../tests/vectors
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as ethers from "ethers";
import * as viem from "viem";
import { mnemonicToSeedSync } from "@scure/bip39"; // of viem
import { HDKey, hdKeyToAccount, privateKeyToAccount } from "viem/accounts";

const out = process.argv[2];
const made = "made by make.mjs with ethers 6.17.0, checked there against viem 2.21.0";
const write = (name, value) =>
  writeFileSync(join(out, name), JSON.stringify({ comment: made, ...value }, null, 2) + "\n");

const types = {
  Delegation: [
    { name: "wallet", type: "address" },
    { name: "device", type: "address" },
    { name: "scope", type: "string" },
    { name: "validFrom", type: "uint64" },
    { name: "expiresAt", type: "uint64" },
    { name: "nonce", type: "bytes16" },
  ],
};
const cases = [
  ["ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80", "devnet", "request,message",
    1800000000n, 1802592000n, "000102030405060708090a0b0c0d0e0f"],
  ["59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d", "layer-minus", "message",
    0n, 34560000n, "ffffffffffffffffffffffffffffffff"],
  ["0000000000000000000000000000000000000000000000000000000000000001", "Grüße", "request",
    18446744073709551614n, 18446744073709551615n, "00000000000000000000000000000000"],
];
const delegations = [];
for (const [secret, network, scope, validFrom, expiresAt, nonce] of cases) {
  const wallet = new ethers.Wallet("0x" + secret);
  const device = ethers.computeAddress(ethers.keccak256("0x" + secret));
  const domain = { name: "Layer Minus", version: "1", salt: ethers.id(network) };
  const message = { wallet: wallet.address, device, scope, validFrom, expiresAt, nonce: "0x" + nonce };
  const signing_hash = ethers.TypedDataEncoder.hash(domain, types, message);
  const signature = await wallet.signTypedData(domain, types, message);
  const typed = { domain, types, primaryType: "Delegation", message };
  assert.equal(viem.hashTypedData(typed), signing_hash);
  assert.equal(await privateKeyToAccount("0x" + secret).signTypedData(typed), signature);
  delegations.push({
    secret: "0x" + secret,
    network,
    salt: domain.salt,
    domain_separator: ethers.TypedDataEncoder.hashDomain(domain),
    type_hash: ethers.id(ethers.TypedDataEncoder.from(types).encodeType("Delegation")),
    struct_hash: ethers.TypedDataEncoder.hashStruct("Delegation", types, message),
    signing_hash,
    json: {
      wallet: wallet.address,
      device,
      scope,
      valid_from: validFrom.toString(),
      expires_at: expiresAt.toString(),
      nonce: "0x" + nonce,
      signature,
    },
  });
}
write("delegations.json", { delegations });

const phrases = [
  ["test test test test test test test test test test test junk", "", [0, 1, 2147483647]],
  ["abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
    "TREZOR", [0, 7]],
  ["legal winner thank year wave sausage worth useful legal winner thank yellow", "café ﬁ Å", [0]],
  ["gravity machine north sort system female filter attitude volume fold club stay feature office " +
    "ecology stable narrow fog", "TREZOR", [0]],
  ["void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen " +
    "patrol group space point ten exist slush involve unfold", "", [0, 1]],
];
const wallets = [];
for (const [phrase, passphrase, indices] of phrases) {
  for (const index of indices) {
    const path = `m/44'/60'/0'/0/${index}`;
    const wallet = ethers.HDNodeWallet.fromPhrase(phrase, passphrase, path);
    const root = HDKey.fromMasterSeed(mnemonicToSeedSync(phrase, passphrase));
    const account = hdKeyToAccount(root, { path });
    assert.equal(account.address, wallet.address);
    wallets.push({ phrase, passphrase, index, secret: wallet.privateKey, address: wallet.address });
  }
}
write("phrases.json", { wallets });

const account = { address: wallets[0].address, privateKey: wallets[0].secret };
const scrypt = { N: 8192, r: 8, p: 1 };
const keystore = ethers.encryptKeystoreJsonSync(account, "pässword", { scrypt });
writeFileSync(join(out, "keystore-ethers.json"), JSON.stringify(JSON.parse(keystore), null, 2) + "\n");

for (const name of ["scrypt", "pbkdf2", "standard"]) {
  const file = join(out, `keystore-ours-${name}.json`);
  if (!existsSync(file)) continue;
  const opened = ethers.decryptKeystoreJsonSync(readFileSync(file, "utf8"), "pässword");
  assert.equal(opened.privateKey, "0x" + "42".repeat(32));
}
