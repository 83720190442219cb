/* Logs what a process does to the files of one folder, so that a power cut can be played on it.
 *
 *     cc -shared -fPIC -pthread -o power.so power.c
 *     LD_PRELOAD=power.so POWER_FOLDER=... POWER_LOG=... program
 *
 * Every call is passed on and then appended to the log, both under one lock: the log has the order
 * of the disk, across threads. One record is a struct, the file's name within the folder (empty
 * for the folder itself), and the data of a write.
 *
 * System calls are made directly: nothing is to be looked up, and nothing can be intercepted twice.
 * For 64-bit Linux, where an offset is one argument.
 */
#undef _FILE_OFFSET_BITS /* with it open() would be another name of open64() */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CREATE = 'c', WRITE = 'w', TRUNCATE = 't', SYNC = 's', UNLINK = 'u' };

struct record {
    int64_t offset; /* of a write; of a truncation, the new size */
    uint32_t size;  /* of the data that follows the name */
    uint16_t name_size;
    uint8_t operation;
    uint8_t padding;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static int log_file = -1;

/* Before the program has a second thread. */
__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("POWER_LOG");
    folder = getenv("POWER_FOLDER");
    if (folder && name)
        log_file = syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                           0600);
}

/* Returns the name of a file within the folder, or NULL for any other file. */
static const char *inside(const char *path)
{
    size_t size = folder ? strlen(folder) : 0;
    if (log_file < 0 || strncmp(path, folder, size) != 0)
        return NULL;
    if (path[size] == '\0')
        return "";
    return path[size] == '/' ? path + size + 1 : NULL;
}

/* The same for an open file. Asked of the kernel each time: no table that could go wrong. */
static const char *inside_open(int file, char path[4096])
{
    char entry[64];
    snprintf(entry, sizeof entry, "/proc/self/fd/%d", file);
    ssize_t size = syscall(SYS_readlinkat, AT_FDCWD, entry, path, 4095);
    if (size < 0)
        return NULL;
    path[size] = '\0';
    return inside(path);
}

static void note(int operation, const char *name, int64_t offset, const void *data, size_t size)
{
    struct record record = {offset, size, strlen(name), operation, 0};
    struct iovec parts[] = {
        {&record, sizeof record}, {(void *)name, record.name_size}, {(void *)data, size}};
    size_t whole = sizeof record + record.name_size + size;
    /* A log with a hole would prove anything: better no program than no log. */
    if (syscall(SYS_writev, log_file, parts, 3) != (ssize_t)whole)
        abort();
}

static int opened(int place, const char *path, int flags, int mode)
{
    char buffer[4096];
    pthread_mutex_lock(&lock);
    int file = syscall(SYS_openat, place, path, flags, mode);
    int saved = errno;
    if (file >= 0 && flags & O_CREAT) {
        const char *name = inside_open(file, buffer);
        if (name)
            note(CREATE, name, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
    return file;
}

/* An offset below 0 is where the file stands. */
static ssize_t written(int file, const void *data, size_t size, off_t offset)
{
    char buffer[4096];
    pthread_mutex_lock(&lock);
    off_t place = offset < 0 ? lseek(file, 0, SEEK_CUR) : offset;
    ssize_t done = offset < 0 ? syscall(SYS_write, file, data, size)
                              : syscall(SYS_pwrite64, file, data, size, offset);
    int saved = errno;
    const char *name = done > 0 ? inside_open(file, buffer) : NULL;
    if (name)
        note(WRITE, name, place, data, done);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return done;
}

/* Makes a call that takes a file and at most a size, and has nothing to log but that. */
static int called(long number, int operation, int file, off_t size)
{
    char buffer[4096];
    pthread_mutex_lock(&lock);
    int result = syscall(number, file, size);
    int saved = errno;
    const char *name = result == 0 ? inside_open(file, buffer) : NULL;
    if (name)
        note(operation, name, size, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}

/* The mode may be missing; the kernel looks at it only where it is not. */
#define OPEN(place)                                                                                \
    va_list rest;                                                                                  \
    va_start(rest, flags);                                                                         \
    int mode = va_arg(rest, int);                                                                  \
    va_end(rest);                                                                                  \
    return opened(place, path, flags, mode)

int open(const char *path, int flags, ...) { OPEN(AT_FDCWD); }
int open64(const char *path, int flags, ...) { OPEN(AT_FDCWD); }
int openat(int place, const char *path, int flags, ...) { OPEN(place); }
int openat64(int place, const char *path, int flags, ...) { OPEN(place); }

ssize_t write(int file, const void *data, size_t size) { return written(file, data, size, -1); }

ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    return written(file, data, size, offset);
}

ssize_t pwrite64(int file, const void *data, size_t size, off_t offset)
{
    return written(file, data, size, offset);
}

int ftruncate(int file, off_t size) { return called(SYS_ftruncate, TRUNCATE, file, size); }
int ftruncate64(int file, off_t size) { return called(SYS_ftruncate, TRUNCATE, file, size); }
int fsync(int file) { return called(SYS_fsync, SYNC, file, 0); }
int fdatasync(int file) { return called(SYS_fdatasync, SYNC, file, 0); }

int unlink(const char *path)
{
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    int saved = errno;
    const char *name = result == 0 ? inside(path) : NULL;
    if (name)
        note(UNLINK, name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}

/* Without this, a thread could be ended between a write and its record. Never unlocked again. */
void _exit(int status)
{
    pthread_mutex_lock(&lock);
    for (;;)
        syscall(SYS_exit_group, status);
}
