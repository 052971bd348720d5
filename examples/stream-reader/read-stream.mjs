/** Reads the stream of a partition, checks the CRC-32C of each batch and counts the records. */
const TABLE = Uint32Array.from({ length: 256 }, (_, entry) => {
  let value = entry;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0x82f63b78 : 0);
  return value;
});

function crc32c(bytes) {
  let crc = -1;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

const { status, headers, body } = await fetch(process.argv[2]);
if (status !== 200) throw new Error(`the node answered ${status}`);
let reached = Number(headers.get('lograft-first-offset'));
let [batches, records, unread] = [0, 0, Buffer.alloc(0)];
for await (const bytes of body) {
  unread = Buffer.concat([unread, bytes]);
  while (unread.length >= 61 && unread.length >= 12 + unread.readInt32BE(8)) {
    const batch = unread.subarray(0, 12 + unread.readInt32BE(8));
    if (crc32c(batch.subarray(21)) !== batch.readUInt32BE(17))
      throw new Error(`damaged: ${reached}`);
    reached = Number(batch.readBigInt64BE()) + batch.readInt32BE(23) + 1;
    records += batch.readInt32BE(57);
    batches += 1;
    unread = unread.subarray(batch.length);
  }
}
const end = Number(headers.get('lograft-next-offset') ?? reached);
if (unread.length > 0 || reached !== end) throw new Error(`cut off at offset ${reached}`);
process.stdout.write(`${records} records in ${batches} batches, next offset ${reached}\n`);
