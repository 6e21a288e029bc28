// Writes a JSON array of messages that OpenPGP.js makes, of every kind that it can make:
// {name, message (base64), recipients, session: {algorithm, key (base64)}, content (base64)}.
import { openpgp } from './openpgp.mjs';

const { enums } = openpgp;
const key = async (name, options, config) => {
  const made = await openpgp.generateKey({
    userIDs: [{ name }], format: 'object', ...options, config: { ...openpgp.config, ...config },
  });
  return made.privateKey;
};

const legacy = await key('legacy', { type: 'ecc', curve: 'curve25519Legacy' });
const rsa = await key('rsa', { type: 'rsa', rsaBits: 2048 });
const nist = await key('nist', { type: 'ecc', curve: 'nistP256' });
const modern = await key('modern', { type: 'curve25519' }, { aeadProtect: true });
const six = await key('six', { type: 'curve25519' }, { v6Keys: true, aeadProtect: true });
const six448 = await key('six448', { type: 'curve448' }, { v6Keys: true, aeadProtect: true });

const text = new TextEncoder().encode('Hello Bobo');
const big = new Uint8Array(1_000_000).map((_, i) => i % 251);
const aead = { aeadProtect: true };
const gcm = { ...aead, preferredAEADAlgorithm: enums.aead.gcm };

const made = [];
const make = async (name, keys, { content = text, config = {}, stream = false, ...options } = {}) => {
  const settings = { ...openpgp.config, ...config };
  const sessionKey = await openpgp.generateSessionKey({ encryptionKeys: keys, config: settings });
  const binary = stream
    ? new ReadableStream({
      start(controller) {
        for (let at = 0; at < content.length; at += 10_007) {
          controller.enqueue(content.subarray(at, at + 10_007));
        }
        controller.close();
      },
    })
    : content;
  const message = await openpgp.createMessage({ binary });
  let octets = await openpgp.encrypt({
    message, encryptionKeys: keys, sessionKey, format: 'binary', config: settings, ...options,
  });
  if (stream) octets = await new Response(octets).arrayBuffer();
  const six = sessionKey.aeadAlgorithm !== undefined && sessionKey.aeadAlgorithm !== null;
  const recipients = [];
  for (const one of keys) {
    const { keyPacket } = await one.getEncryptionKey();
    recipients.push(options.wildcard ? 'wildcard'
      : six ? keyPacket.getFingerprint() : keyPacket.getKeyID().toHex());
  }
  made.push({
    name,
    message: Buffer.from(octets).toString('base64'),
    recipients,
    session: {
      algorithm: enums.write(enums.symmetric, sessionKey.algorithm),
      key: Buffer.from(sessionKey.data).toString('base64'),
    },
    content: Buffer.from(content).toString('base64'),
  });
};

await make('v4 Curve25519Legacy', [legacy]);
await make('v4 RSA', [rsa]);
await make('v4 NIST P-256', [nist]);
await make('v4 X25519', [modern], { config: aead });
await make('v6 X25519', [six], { config: aead });
await make('v6 X25519 with GCM', [six], { config: gcm });
await make('v6 X448', [six448], { config: aead });
await make('v6 and v4, several', [six, modern, six448], { config: aead });
await make('v6 and an old key: without AEAD', [six, legacy, rsa]);
await make('anonymous v4', [legacy, rsa], { wildcard: true });
await make('anonymous v6', [six], { wildcard: true, config: aead });
await make('signed', [legacy], { signingKeys: [rsa, six] });
await make('signed v6', [six], { signingKeys: [six, legacy], config: aead });
await make('1 MB', [legacy], { content: big });
await make('1 MB with AEAD', [six], { content: big, config: gcm });
await make('1 MB in a stream', [legacy], { content: big, stream: true });
await make('1 MB in a stream with AEAD', [six], { content: big, stream: true, config: gcm });
await make('empty', [six], { content: new Uint8Array(0), config: aead });
process.stdout.write(JSON.stringify(made));
