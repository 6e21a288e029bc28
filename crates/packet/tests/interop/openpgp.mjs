// Finds OpenPGP.js in the folder that the caller names: the shared installation of the
// interoperability tests.
import { createRequire } from 'node:module';
import { join } from 'node:path';

export const openpgp = createRequire(join(process.argv[2], 'package.json'))('openpgp');

export const input = async () => {
  const parts = [];
  for await (const part of process.stdin) parts.push(part);
  return Buffer.concat(parts).toString();
};
