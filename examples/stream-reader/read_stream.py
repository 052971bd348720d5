"""Reads the stream of a partition, checks the CRC-32C of each batch and counts the records."""
import struct
import sys
import urllib.request

TABLE = []
for entry in range(256):
    for _ in range(8):
        entry = entry >> 1 ^ (0x82F63B78 if entry & 1 else 0)
    TABLE.append(entry)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


batches = records = 0
with urllib.request.urlopen(sys.argv[1]) as stream:
    reached = int(stream.headers["Lograft-First-Offset"])
    while head := stream.read(12):
        batch = head + stream.read(int.from_bytes(head[8:], "big"))
        if len(batch) < 61 or crc32c(batch[21:]) != int.from_bytes(batch[17:21], "big"):
            sys.exit(f"the batch at offset {reached} is damaged or cut off")
        base_offset, last_delta = struct.unpack_from(">q15xi", batch)
        reached = base_offset + last_delta + 1
        records += int.from_bytes(batch[57:61], "big")
        batches += 1
    if reached != int(stream.headers.get("Lograft-Next-Offset", reached)):
        sys.exit(f"the stream was cut off at offset {reached}")
print(f"{records} records in {batches} batches, next offset {reached}")
