// The part of the platform layer that is the same on every POSIX system.
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "platform.h"

namespace lograft::platform {
namespace {

// Linux moves at most 2 GiB - 4 KiB a call; other systems refuse more than INT_MAX.
constexpr size_t kTransferMax = size_t{1} << 30;

#if defined(IOV_MAX)
constexpr size_t kPartsMax = IOV_MAX;
#else
constexpr size_t kPartsMax = 1024;
#endif

// Drops `taken` bytes from the front of a list of parts.
void Consume(iovec** parts, size_t* count, size_t taken) {
  while (*count > 0 && taken >= (*parts)->iov_len) {
    taken -= (*parts)->iov_len;
    (*parts)++;
    (*count)--;
  }
  if (taken == 0) return;
  (*parts)->iov_base = static_cast<uint8_t*>((*parts)->iov_base) + taken;
  (*parts)->iov_len -= taken;
}

int SetOption(int fd, int level, int name) {
  const int on = 1;
  return setsockopt(fd, level, name, &on, sizeof on) == 0 ? 0 : errno;
}

}  // namespace

int WriteAll(int fd, const uint8_t* bytes, size_t length, uint64_t position) {
  while (length > 0) {
    const size_t wanted = std::min(length, kTransferMax);
    const ssize_t done = pwrite(fd, bytes, wanted, static_cast<off_t>(position));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    if (done == 0) return EIO;  // never seen; without this line it would loop for ever
    bytes += done;
    length -= static_cast<size_t>(done);
    position += static_cast<uint64_t>(done);
  }
  return 0;
}

int WriteAllParts(int fd, iovec* parts, size_t count, uint64_t position) {
  Consume(&parts, &count, 0);
  while (count > 0) {
    const int batch = static_cast<int>(std::min(count, kPartsMax));
    const ssize_t done = pwritev(fd, parts, batch, static_cast<off_t>(position));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    if (done == 0) return EIO;
    position += static_cast<uint64_t>(done);
    Consume(&parts, &count, static_cast<size_t>(done));
  }
  return 0;
}

int64_t ReadAll(int fd, uint8_t* bytes, size_t length, uint64_t position) {
  size_t total = 0;
  while (total < length) {
    const size_t wanted = std::min(length - total, kTransferMax);
    const ssize_t done = pread(fd, bytes + total, wanted, static_cast<off_t>(position + total));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return -errno;
    if (done == 0) break;
    total += static_cast<size_t>(done);
  }
  return static_cast<int64_t>(total);
}

int SyncDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  return error;
}

int OpenLocked(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return -errno;
  int done;
  do {
    done = flock(fd, LOCK_EX | LOCK_NB);
  } while (done != 0 && errno == EINTR);
  if (done == 0) return fd;
  const int error = errno;
  close(fd);
  return -error;
}

int64_t FreeBytes(const std::string& path) {
  struct statvfs info;
  if (statvfs(path.c_str(), &info) != 0) return -errno;
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
}

int SetSendBuffer(int fd, int bytes) {
  return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0 ? 0 : errno;
}

int PrepareConnection(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return errno;
  // Turns are already gathered writes: waiting for more would only add latency.
  const int error = SetOption(fd, IPPROTO_TCP, TCP_NODELAY);
  if (error != 0) return error;
#if defined(SO_NOSIGPIPE)
  SetOption(fd, SOL_SOCKET, SO_NOSIGPIPE);
#endif
  return SetOption(fd, SOL_SOCKET, SO_KEEPALIVE);
}

ssize_t Send(int fd, iovec* parts, size_t count, bool more_follows) {
  int flags = 0;
#if defined(MSG_NOSIGNAL)
  flags |= MSG_NOSIGNAL;
#endif
#if defined(MSG_MORE)
  if (more_follows) flags |= MSG_MORE;
#else
  static_cast<void>(more_follows);
#endif
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
  ssize_t done;
  do {
    done = sendmsg(fd, &message, flags);
  } while (done < 0 && errno == EINTR);
  return done < 0 ? -errno : done;
}

int DescriptorsMax() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX) return INT_MAX;
  return static_cast<int>(limit.rlim_cur);
}

int StartThread(pthread_t* thread, void* (*run)(void*), void* argument) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(thread, nullptr, run, argument);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return error;
}

int Duplicate(int fd) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return copy < 0 ? -errno : copy;
}

}  // namespace lograft::platform
