// The platform layer's Linux half.
#if defined(__linux__)

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "platform.h"

namespace lograft::platform {

const bool kHasSendfile = true;

int SyncData(int fd) {
  int done;
  do {
    done = fdatasync(fd);
  } while (done != 0 && errno == EINTR);
  return done == 0 ? 0 : errno;
}

int Allocate(int fd, uint64_t from, uint64_t length, bool keep_size) {
  int done;
  do {
    done = fallocate(fd, keep_size ? FALLOC_FL_KEEP_SIZE : 0, static_cast<off_t>(from),
                     static_cast<off_t>(length));
  } while (done != 0 && errno == EINTR);
  if (done == 0) return 0;
  if (errno != EOPNOTSUPP && errno != ENOSYS) return errno;
  if (keep_size) return 0;
  struct stat info;
  if (fstat(fd, &info) != 0) return errno;
  const off_t end = static_cast<off_t>(from + length);
  if (info.st_size >= end) return 0;
  return ftruncate(fd, end) == 0 ? 0 : errno;
}

// The number that /proc shows (STATX_MNT_ID) goes to the next mount as soon as one is gone: a disk
// that was unmounted and mounted again has the same one.
uint64_t UniqueMountId(const std::string& path) {
  // Spelled out, for the headers of an older system know neither the flag nor the field.
  constexpr unsigned kMountIdUnique = 0x00004000U;
  constexpr size_t kMountIdWord = 18;
  uint64_t statx_words[32] = {};
  if (syscall(SYS_statx, AT_FDCWD, path.c_str(), 0, kMountIdUnique, statx_words) != 0) return 0;
  uint32_t mask;
  std::memcpy(&mask, statx_words, sizeof mask);
  return (mask & kMountIdUnique) != 0 ? statx_words[kMountIdWord] : 0;
}

int64_t ReadResident(int fd, uint8_t* bytes, size_t length, uint64_t position) {
  iovec part = {bytes, length};
  ssize_t done;
  do {
    done = preadv2(fd, &part, 1, static_cast<off_t>(position), RWF_NOWAIT);
  } while (done < 0 && errno == EINTR);
  if (done >= 0 || errno == EAGAIN) return done < 0 ? -EAGAIN : done;
  return ReadAll(fd, bytes, length, position);
}

// cachestat(2), Linux 6.5. Spelled out, for older headers know neither its number nor its types.
bool IsResident(int fd, uint64_t position, size_t length) {
  constexpr long kCachestat = 451;
  constexpr uint64_t kPageBytes = 4096;
  struct {
    uint64_t offset;
    uint64_t length;
  } range = {position, length};
  struct {
    uint64_t cached;
    uint64_t others[4];  // dirty, in write-back, evicted, evicted lately
  } pages = {};
  if (length == 0 || syscall(kCachestat, fd, &range, &pages, 0) != 0) return true;
  const uint64_t first = position / kPageBytes;
  const uint64_t last = (position + length - 1) / kPageBytes;
  if (pages.cached < last - first + 1) return false;
  // Pages count from when their read begins; the last one tells whether it has ended.
  uint8_t byte;
  return ReadResident(fd, &byte, 1, position + length - 1) != -EAGAIN;
}

void WillRead(int fd, uint64_t position, size_t length) {
  posix_fadvise(fd, static_cast<off_t>(position), static_cast<off_t>(length),
                POSIX_FADV_WILLNEED);
}

int64_t VoluntarySwitches() {
  struct rusage usage;
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nvcsw : -1;
}

int OpenSocket(int family) {
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd < 0 ? -errno : fd;
}

int Accept(int listener) {
  int fd;
  do {
    fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  return fd < 0 ? -errno : fd;
}

ssize_t SendFile(int socket, int file, uint64_t position, size_t length) {
  off_t at = static_cast<off_t>(position);
  ssize_t done;
  do {
    done = sendfile(socket, file, &at, length);
  } while (done < 0 && errno == EINTR);
  return done < 0 ? -errno : done;
}

}  // namespace lograft::platform

#endif  // __linux__
