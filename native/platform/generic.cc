// The platform layer elsewhere (written for macOS): plain reads instead of sendfile.
#if !defined(__linux__)

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "platform.h"

namespace lograft::platform {
namespace {

int WithFlags(int fd) {
  if (fd < 0) return -errno;
  const int flags = fcntl(fd, F_GETFL);
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && flags >= 0 &&
      fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  return -error;
}

}  // namespace

const bool kHasSendfile = false;

int64_t ReadResident(int fd, uint8_t* bytes, size_t length, uint64_t position) {
  return ReadAll(fd, bytes, length, position);
}

bool IsResident(int, uint64_t, size_t) { return true; }

void WillRead(int, uint64_t, size_t) {}

int64_t VoluntarySwitches() { return -1; }

int SyncData(int fd) {
  int done;
  do {
#if defined(F_FULLFSYNC)
    done = fcntl(fd, F_FULLFSYNC);
    // Some file systems lack it; fsync is all they have.
    if (done != 0 && (errno == ENOTSUP || errno == EINVAL)) done = fsync(fd);
#else
    done = fsync(fd);
#endif
  } while (done != 0 && errno == EINTR);
  return done == 0 ? 0 : errno;
}

int Allocate(int fd, uint64_t from, uint64_t length, bool keep_size) {
  struct stat info;
  if (fstat(fd, &info) != 0) return errno;
  const off_t end = static_cast<off_t>(from + length);
#if defined(F_PREALLOCATE)
  if (end > info.st_size) {
    fstore_t store = {F_ALLOCATEALL, F_PEOFPOSMODE, 0, end - info.st_size, 0};
    if (fcntl(fd, F_PREALLOCATE, &store) != 0 && errno == ENOSPC) return ENOSPC;
  }
#endif
  if (keep_size || info.st_size >= end) return 0;
  return ftruncate(fd, end) == 0 ? 0 : errno;
}

uint64_t UniqueMountId(const std::string&) { return 0; }

int OpenSocket(int family) { return WithFlags(socket(family, SOCK_STREAM, 0)); }

int Accept(int listener) {
  int fd;
  do {
    fd = accept(listener, nullptr, nullptr);
  } while (fd < 0 && errno == EINTR);
  return WithFlags(fd);
}

ssize_t SendFile(int, int, uint64_t, size_t) { return -ENOSYS; }

}  // namespace lograft::platform

#endif  // !__linux__
