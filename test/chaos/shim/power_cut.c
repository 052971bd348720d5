// power_cut DIR …: the mounted ext4 file systems lose power, as nearly at once as a loop can do it.
// Into each a canary is written that nobody syncs; then the file system is shut down without a
// flush of its journal: what was synced stays on its disk, what was not is gone at the next mount.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EXT4_IOC_SHUTDOWN 0x8004587d
enum { kNoLogFlush = 2, kDisksMax = 16, kCanaryBytes = 65536 };

int main(int count, char** arguments) {
  static char canary[kCanaryBytes];
  int disks[kDisksMax];
  memset(canary, 'c', sizeof canary);
  count--;
  arguments++;
  if (count < 1 || count > kDisksMax) return 2;
  for (int i = 0; i < count; i++) {
    disks[i] = open(arguments[i], O_RDONLY | O_DIRECTORY);
    const int fd = disks[i] < 0 ? -1 : openat(disks[i], "canary", O_CREAT | O_WRONLY, 0600);
    if (fd < 0 || write(fd, canary, sizeof canary) != (ssize_t)sizeof canary) {
      perror(arguments[i]);
      return 1;
    }
    close(fd);
  }
  for (int i = 0; i < count; i++) {
    uint32_t how = kNoLogFlush;
    if (ioctl(disks[i], EXT4_IOC_SHUTDOWN, &how) == 0) continue;
    perror(arguments[i]);
    return 1;
  }
  return 0;
}
