// Does with OpenPGP.js what a JSON array of jobs on stdin asks for; answers with an array.
// The folder of the shared installation is the only argument. All octets are base64.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const openpgp = createRequire(join(process.argv[2], 'package.json'))('openpgp');
const octets = (base64) => new Uint8Array(Buffer.from(base64, 'base64'));
const base64 = (bytes) => Buffer.from(bytes).toString('base64');

const encrypt = async ({ certificates, content, config = {}, armor, signed, stream }) => {
  const encryptionKeys = await Promise.all(
    certificates.map((one) => openpgp.readKey({ binaryKey: octets(one) })),
  );
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
  const signingKeys = signed
    ? (await openpgp.generateKey({ userIDs: [{ name: 'signer' }], format: 'object' })).privateKey
    : undefined;
  const made = await openpgp.encrypt({
    message: await openpgp.createMessage({ binary }),
    encryptionKeys,
    signingKeys,
    format: armor ? 'armored' : 'binary',
    config: { ...openpgp.config, ...config },
  });
  return stream ? new Uint8Array(await new Response(made).arrayBuffer()) : Buffer.from(made);
};

// OpenPGP.js writes AEAD in partial lengths (RFC 9580 §4.2.1.4); a layer is in one piece.
const whole = (message) => {
  const done = [];
  let at = 0;
  while (at < message.length) {
    const tag = message[at];
    at += 1;
    const body = [];
    let partial = true;
    while (partial) {
      const first = message[at];
      at += 1;
      let length = first;
      partial = first >= 224 && first < 255;
      if (partial) {
        length = 2 ** (first & 31);
      } else if (first === 255) {
        length = message.readUInt32BE(at);
        at += 4;
      } else if (first >= 192) {
        length = (first - 192) * 256 + message[at] + 192;
        at += 1;
      }
      body.push(message.subarray(at, at + length));
      at += length;
    }
    const joined = Buffer.concat(body);
    const header = Buffer.from([tag, 255, 0, 0, 0, 0]);
    header.writeUInt32BE(joined.length, 2);
    done.push(header, joined);
  }
  return Buffer.concat(done);
};

const jobs = {
  encrypt: async (job) => base64(await encrypt({ ...job, content: octets(job.content) })),

  // A layer of an exact size: the content, then zeros until the packet is as long as it should be.
  layer: async ({ content, size, ...job }) => {
    const body = octets(content);
    let length = size - 500;
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const padded = new Uint8Array(length);
      padded.set(body);
      const made = whole(await encrypt({ ...job, content: padded }));
      if (made.length === size) return base64(made);
      length += size - made.length;
    }
    throw new Error(`no packet of ${size} octets`);
  },

  decrypt: async ({ secret, message }) => {
    const { data } = await openpgp.decrypt({
      message: await openpgp.readMessage({ binaryMessage: octets(message) }),
      decryptionKeys: await openpgp.readPrivateKey({ armoredKey: secret }),
      format: 'binary',
    });
    return base64(data);
  },

  open: async ({ password, message }) => {
    const { data } = await openpgp.decrypt({
      message: await openpgp.readMessage({ binaryMessage: octets(message) }),
      passwords: [password],
      format: 'binary',
    });
    return base64(data);
  },

  generate: async ({ options, config = {} }) => {
    const { privateKey } = await openpgp.generateKey({
      userIDs: [{ name: 'Peter' }], format: 'object', ...options,
      config: { ...openpgp.config, ...config },
    });
    const { keyPacket } = await privateKey.getEncryptionKey();
    return {
      secret: privateKey.armor(),
      certificate: base64(privateKey.toPublic().write()),
      encryptionKey: keyPacket.getFingerprint(),
    };
  },
};

const parts = [];
for await (const part of process.stdin) parts.push(part);
const answers = [];
for (const { op, ...job } of JSON.parse(Buffer.concat(parts).toString())) {
  answers.push(await jobs[op](job));
}
process.stdout.write(JSON.stringify(answers));
