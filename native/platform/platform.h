// What differs between operating systems, and the loops over short transfers that do not.
// Functions return 0 or an errno value (a byte count where noted, negative errno on failure) and
// keep no state. Any thread; those marked "blocks" may wait for a disk.
//
//   posix.cc    everything that POSIX has, for every system
//   linux.cc    accept4, fdatasync, fallocate, sendfile, what is in the page cache
//   generic.cc  the same without them (macOS: F_FULLFSYNC, F_PREALLOCATE)
#pragma once

#include <pthread.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace lograft::platform {

// Blocks. Writes everything, or stops at the first error.
int WriteAll(int fd, const uint8_t* bytes, size_t length, uint64_t position);

// Blocks. Writes all parts one behind the other; `parts` is used up. Returns an errno value.
int WriteAllParts(int fd, iovec* parts, size_t count, uint64_t position);

// Blocks. Bytes read (fewer than `length` only at the end of the file) or a negative errno.
int64_t ReadAll(int fd, uint8_t* bytes, size_t length, uint64_t position);

// Bytes read without waiting for a disk: fewer than `length` at the end of the file, or where the
// rest is not in the page cache (-EAGAIN: none of it is). Reads as ReadAll does where the system
// cannot say.
int64_t ReadResident(int fd, uint8_t* bytes, size_t length, uint64_t position);

// Whether all of a range is in the page cache; true where the system does not say.
bool IsResident(int fd, uint64_t position, size_t length);

// A hint: this range is about to be read.
void WillRead(int fd, uint64_t position, size_t length);

// Blocks. Makes the data of a file, and the metadata needed to read it, durable.
int SyncData(int fd);

// Blocks. The same for a folder's entries.
int SyncDirectory(const std::string& path);

// Reserves blocks; without `keep_size` the file reaches to the range's end afterwards. A file
// system that cannot reserve is no error.
int Allocate(int fd, uint64_t from, uint64_t length, bool keep_size);

// Opens (creates) and locks a file without waiting; the descriptor or a negative errno.
int OpenLocked(const std::string& path);

// Bytes an unprivileged process may write; -errno on failure.
int64_t FreeBytes(const std::string& path);

// A number of the mount that holds `path` which no other mount has until the next boot;
// 0 where the system has no such number (Linux before 6.8, other systems).
uint64_t UniqueMountId(const std::string& path);

// A non-blocking, close-on-exec stream socket; the descriptor or a negative errno.
int OpenSocket(int family);

// The next waiting connection (non-blocking, close-on-exec), or a negative errno.
int Accept(int listener);

// Non-blocking mode and the options every connection of ours has.
int PrepareConnection(int fd);

// How many sent bytes the kernel keeps for a socket; 0 or an errno.
int SetSendBuffer(int fd, int bytes);

// Sends without SIGPIPE; `more_follows` asks the kernel to wait with a short last packet. Bytes or
// a negative errno.
ssize_t Send(int fd, iovec* parts, size_t count, bool more_follows);

// Sends from a file; bytes (0: the file has ended) or a negative errno. Only where kHasSendfile.
ssize_t SendFile(int socket, int file, uint64_t position, size_t length);

extern const bool kHasSendfile;

// How often the calling thread gave its processor away because it had to wait for something; -1
// where the system does not say.
int64_t VoluntarySwitches();

// How many descriptors this process may have; INT_MAX when there is no limit.
int DescriptorsMax();

// Begins a thread that hears no signals: they belong to the main thread. Returns an errno value.
int StartThread(pthread_t* thread, void* (*run)(void*), void* argument);

// A second descriptor of the same open file, or a negative errno.
int Duplicate(int fd);

}  // namespace lograft::platform
