#include "host.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <zlib.h>

/* The C library gives these functions no place to keep it. */
static atomic_bool armed;
static atomic_uint asked;
static atomic_uint refused_at;
static _Thread_local int passing;

void sw_host_arm(uint32_t fail_at)
{
    atomic_store(&asked, 0);
    atomic_store(&refused_at, fail_at);
    atomic_store(&armed, true);
}

uint32_t sw_host_disarm(void)
{
    atomic_store(&armed, false);
    return atomic_load(&asked);
}

void sw_host_pass(int by)
{
    passing += by;
}

static bool refuses(void)
{
    if (passing || !atomic_load(&armed))
        return false;
    return atomic_fetch_add(&asked, 1) + 1 == atomic_load(&refused_at);
}

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *old, size_t len);
char *__real_strdup(const char *text);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
                          void *arg);
int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
                                  const struct timespec *until);
int __real_compress2(Bytef *dest, uLongf *dest_len, const Bytef *source, uLong len, int level);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);
char *__wrap_strdup(const char *text);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
                          void *arg);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
                                  const struct timespec *until);
int __wrap_compress2(Bytef *dest, uLongf *dest_len, const Bytef *source, uLong len, int level);

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *__wrap_malloc(size_t len)
{
    return refuses() ? no_memory() : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    return refuses() ? no_memory() : __real_calloc(count, len);
}

void *__wrap_realloc(void *old, size_t len)
{
    return refuses() ? no_memory() : __real_realloc(old, len);
}

char *__wrap_strdup(const char *text)
{
    return refuses() ? no_memory() : __real_strdup(text);
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
    if (!refuses())
        return __real_mmap(at, len, prot, flags, fd, off);
    errno = ENOMEM;
    return MAP_FAILED;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
                          void *arg)
{
    return refuses() ? EAGAIN : __real_pthread_create(thread, attr, body, arg);
}

/* It allocates inside the library. */
int __wrap_compress2(Bytef *dest, uLongf *dest_len, const Bytef *source, uLong len, int level)
{
    return refuses() ? Z_MEM_ERROR : __real_compress2(dest, dest_len, source, len, level);
}

/*
 * Who waits for another thread waits in real time, a slice of it: `until` may be the sweep's own
 * time, which does not pass by itself.
 */
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
                                  const struct timespec *until)
{
    enum { SLICE_NS = 100000000, NS_PER_S = 1000000000 };
    struct timespec soon;
    (void)until;
    clock_gettime(CLOCK_MONOTONIC, &soon);
    soon.tv_nsec += SLICE_NS;
    soon.tv_sec += soon.tv_nsec / NS_PER_S;
    soon.tv_nsec %= NS_PER_S;
    return __real_pthread_cond_timedwait(cond, lock, &soon);
}
