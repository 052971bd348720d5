// A disk that fails on demand: preloaded into a node, it stands between the node and the system
// calls that write and sync files. Only files under $DISK_SHIM_ROOT/node-<id>/ are touched, and
// never lograft.log, which belongs to whoever looks at the node. Any thread.
//
// $DISK_SHIM_CONTROL is a file that is mapped by all processes: one slot of 64 numbers per node id.
// The test writes the orders, this file the counters, which are the proof that a fault happened.
//
//   slot:  0 syncEio   1 writeEio   2 shortWrites   3 tornWrites     how often still (~0: always)
//          4 syncDelayMs  5 writeDelayMs                             0: none
//          6 kinds (bits: 1 write-ahead log, 2 segment, 4 other)     7 skip so many calls first
//         16 … counters, in the order of enum Counter
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { kSlots = 32, kSlotWords = 64, kFailedMax = 256, kPartsMax = 1024 };
enum Order { kSyncEio, kWriteEio, kShort, kTorn, kSyncDelay, kWriteDelay, kKinds, kSkip };
enum Kind { kWal = 1, kSegment = 2, kOther = 4 };
enum Counter {
  kSyncs = 16,
  kWrites,
  kSyncEioDone,
  kWriteEioDone,
  kShortDone,
  kTornDone,
  kDelayDone,
  kSyncAgain,  // syncs of a file whose sync had failed in the same process
  kBytesWithheld,
};

typedef struct {
  uint64_t* slot;
  enum Kind kind;
} Target;

static uint64_t* control;
static char root[PATH_MAX];
static size_t root_length;

// Files whose sync was failed; a process ends soon after, so they are never forgotten.
static struct { dev_t device; ino_t inode; } failed[kFailedMax];
static int failed_count;

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static ssize_t (*real_write)(int, const void*, size_t);
static ssize_t (*real_pwrite)(int, const void*, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec*, int);
static ssize_t (*real_pwritev)(int, const struct iovec*, int, off_t);

__attribute__((constructor)) static void Begin(void) {
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_writev = dlsym(RTLD_NEXT, "writev");
  real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
  const char* folder = getenv("DISK_SHIM_ROOT");
  const char* path = getenv("DISK_SHIM_CONTROL");
  if (folder == NULL || path == NULL) return;
  root_length = (size_t)snprintf(root, sizeof root, "%s/node-", folder);
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* map = mmap(NULL, kSlots * kSlotWords * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (map != MAP_FAILED) control = map;
}

static void Add(uint64_t* word, uint64_t n) { __atomic_fetch_add(word, n, __ATOMIC_RELAXED); }
static uint64_t Get(const uint64_t* word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }

// Takes one from an order; 0 when it is used up.
static int Take(uint64_t* word) {
  uint64_t left = Get(word);
  while (left != 0) {
    if (left == UINT64_MAX) return 1;
    if (__atomic_compare_exchange_n(word, &left, left - 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
      return 1;
  }
  return 0;
}

static int EndsWith(const char* path, const char* end) {
  const size_t length = strlen(path), wanted = strlen(end);
  return length >= wanted && strcmp(path + length - wanted, end) == 0;
}

// The orders for a descriptor, or a target without a slot when it is none of ours.
static Target Find(int fd) {
  Target none = {NULL, kOther};
  if (control == NULL) return none;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < (ssize_t)root_length) return none;
  path[length] = 0;
  if (strncmp(path, root, root_length) != 0 || EndsWith(path, "/lograft.log")) return none;
  const long node = strtol(path + root_length, NULL, 10);
  if (node < 1 || node >= kSlots) return none;
  const int is_wal = strstr(path + root_length, "/wal/") != NULL;
  Target found = {control + node * kSlotWords,
                  is_wal ? kWal : EndsWith(path, ".log") ? kSegment : kOther};
  return found;
}

// True when orders are given for this kind of file and the calls to be skipped are over.
static int IsWanted(Target target) {
  if ((Get(&target.slot[kKinds]) & target.kind) == 0) return 0;
  return !Take(&target.slot[kSkip]);
}

static void Sleep(Target target, enum Order delay) {
  const uint64_t ms = Get(&target.slot[delay]);
  if (ms == 0) return;
  struct timespec wait = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
  Add(&target.slot[kDelayDone], 1);
  while (nanosleep(&wait, &wait) != 0 && errno == EINTR) continue;
}

static void RememberFailed(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return;
  const int at = __atomic_fetch_add(&failed_count, 1, __ATOMIC_RELAXED);
  if (at >= kFailedMax) return;
  failed[at].device = info.st_dev;
  failed[at].inode = info.st_ino;
}

static int HasFailed(int fd) {
  const int count = __atomic_load_n(&failed_count, __ATOMIC_RELAXED);
  struct stat info;
  if (count == 0 || fstat(fd, &info) != 0) return 0;
  for (int i = 0; i < count && i < kFailedMax; i++)
    if (failed[i].device == info.st_dev && failed[i].inode == info.st_ino) return 1;
  return 0;
}

static int Sync(int fd, int (*real)(int)) {
  const Target target = Find(fd);
  if (target.slot == NULL) return real(fd);
  Add(&target.slot[kSyncs], 1);
  if (HasFailed(fd)) Add(&target.slot[kSyncAgain], 1);
  if (!IsWanted(target)) return real(fd);
  Sleep(target, kSyncDelay);
  if (!Take(&target.slot[kSyncEio])) return real(fd);
  Add(&target.slot[kSyncEioDone], 1);
  RememberFailed(fd);
  errno = EIO;
  return -1;
}

int fsync(int fd) { return Sync(fd, real_fsync); }
int fdatasync(int fd) { return Sync(fd, real_fdatasync); }

// Looks at a write of `length` bytes. Returns how many of them may be written, 0 for EIO; sets
// `is_torn` when the process must not live to see the answer.
static size_t Judge(int fd, size_t length, int* is_torn) {
  *is_torn = 0;
  if (length == 0) return length;
  const Target target = Find(fd);
  if (target.slot == NULL) return length;
  Add(&target.slot[kWrites], 1);
  if (!IsWanted(target)) return length;
  Sleep(target, kWriteDelay);
  if (Take(&target.slot[kWriteEio])) {
    Add(&target.slot[kWriteEioDone], 1);
    return 0;
  }
  if (length < 2) return length;
  // Somewhere inside: which byte follows from how much was written before.
  const size_t part = 1 + (size_t)((Get(&target.slot[kWrites]) * 2654435761u) % (length - 1));
  if (Take(&target.slot[kShort])) {
    Add(&target.slot[kShortDone], 1);
  } else if (Take(&target.slot[kTorn])) {
    Add(&target.slot[kTornDone], 1);
    *is_torn = 1;
  } else {
    return length;
  }
  Add(&target.slot[kBytesWithheld], length - part);
  return part;
}

static ssize_t End(ssize_t done, int is_torn) {
  if (is_torn) kill(getpid(), SIGKILL);
  while (is_torn) pause();
  return done;
}

static ssize_t Fail(void) {
  errno = EIO;
  return -1;
}

ssize_t write(int fd, const void* bytes, size_t length) {
  int is_torn;
  const size_t part = Judge(fd, length, &is_torn);
  if (part == 0 && length > 0) return Fail();
  return End(real_write(fd, bytes, part), is_torn);
}

ssize_t pwrite64(int fd, const void* bytes, size_t length, off_t position) {
  int is_torn;
  const size_t part = Judge(fd, length, &is_torn);
  if (part == 0 && length > 0) return Fail();
  return End(real_pwrite(fd, bytes, part, position), is_torn);
}

ssize_t pwrite(int fd, const void* bytes, size_t length, off_t position) {
  return pwrite64(fd, bytes, length, position);
}

// The first `length` bytes of a list of parts; returns how many parts that are.
static int Shorten(const struct iovec* parts, int count, size_t length, struct iovec* into) {
  int used = 0;
  for (; used < count && used < kPartsMax && length > 0; used++) {
    into[used] = parts[used];
    if (into[used].iov_len > length) into[used].iov_len = length;
    length -= into[used].iov_len;
  }
  return used;
}

static ssize_t WriteParts(int fd, const struct iovec* parts, int count, const off_t* position) {
  size_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  int is_torn;
  const size_t part = Judge(fd, length, &is_torn);
  if (part == 0 && length > 0) return Fail();
  struct iovec shorter[kPartsMax];
  if (part < length) {
    count = Shorten(parts, count, part, shorter);
    parts = shorter;
  }
  const ssize_t done = position == NULL ? real_writev(fd, parts, count)
                                        : real_pwritev(fd, parts, count, *position);
  return End(done, is_torn);
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  return WriteParts(fd, parts, count, NULL);
}

ssize_t pwritev64(int fd, const struct iovec* parts, int count, off_t position) {
  return WriteParts(fd, parts, count, &position);
}

ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t position) {
  return WriteParts(fd, parts, count, &position);
}
