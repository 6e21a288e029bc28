// Encrypts the file argv[2] to the armored certificate argv[1], into the file argv[3].
import { readFile, writeFile } from 'node:fs/promises';
import { createMessage, encrypt, readKey } from 'openpgp';

const [certificate, plain, out] = process.argv.slice(1);
const encryptionKeys = await readKey({ armoredKey: await readFile(certificate, 'utf8') });
const message = await createMessage({ text: await readFile(plain, 'utf8') });
await writeFile(out, await encrypt({ message, encryptionKeys, format: 'binary' }));
