// Compiles the contracts with npm's `solc`:
//   node compile.mjs <folder of node_modules> [--check]
// writes artifacts/*.json, or with --check says whether they are what the sources give.
// The metadata is left out of the bytecode: it would hold a hash of every comment.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const solc = createRequire(join(resolve(process.argv[2]), "package.json"))("solc");
const files = ["Escrow.sol", "Token.sol", "test/TestToken.sol"];
const wanted = { Escrow: "Escrow.sol", TestToken: "test/TestToken.sol" };

const settings = {
  // Each channel of each batch runs this code; it is deployed once.
  optimizer: { enabled: true, runs: 1_000_000 },
  viaIR: true,
  evmVersion: "cancun",
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
};
const sources = Object.fromEntries(
  files.map((file) => [file, { content: readFileSync(join(here, file), "utf8") }]),
);
const output = JSON.parse(
  solc.compile(JSON.stringify({ language: "Solidity", sources, settings })),
);
for (const { formattedMessage } of output.errors ?? []) console.error(formattedMessage);
if (output.errors?.length) process.exit(1);

let stale = false;
for (const [contract, file] of Object.entries(wanted)) {
  const { abi, evm } = output.contracts[file][contract];
  const artifact = {
    contract,
    compiler: solc.version(),
    abi,
    bytecode: `0x${evm.bytecode.object}`,
  };
  const text = `${JSON.stringify(artifact, null, 1)}\n`;
  const path = join(here, "artifacts", `${contract}.json`);
  if (process.argv[3] !== "--check") {
    writeFileSync(path, text);
  } else if (readFileSync(path, "utf8") !== text) {
    console.error(`${path} is not what the sources give`);
    stale = true;
  }
}
process.exit(stale ? 1 : 0);
