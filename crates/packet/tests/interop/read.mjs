// Reads a JSON array of base64 messages from stdin; writes, for each, whom OpenPGP.js says its
// PKESKs name: a fingerprint, a key ID, or "wildcard".
import { openpgp, input } from './openpgp.mjs';

const recipients = async (base64) => {
  const binaryMessage = new Uint8Array(Buffer.from(base64, 'base64'));
  const { packets } = await openpgp.readMessage({ binaryMessage });
  const tag = openpgp.enums.packet.publicKeyEncryptedSessionKey;
  return packets.filterByTag(tag).map((pkesk) => {
    if (pkesk.version === 6) {
      const fingerprint = pkesk.publicKeyFingerprint;
      return fingerprint ? Buffer.from(fingerprint).toString('hex') : 'wildcard';
    }
    return pkesk.publicKeyID.isWildcard() ? 'wildcard' : pkesk.publicKeyID.toHex();
  });
};

const answers = [];
for (const message of JSON.parse(await input())) answers.push(await recipients(message));
process.stdout.write(JSON.stringify(answers));
