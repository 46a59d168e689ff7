/* A real mount: the driver and the board are processes, and operations are system calls. */
#include "programs.h"
#include "proxy.h"
#include "subject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct fuse_mount {
    struct subject subject; /* first */
    const struct plan *plan;
    struct programs programs;
    struct proxy proxy;
    bool proxied;
    char file[PROGRAMS_PATH + 16], erase[PROGRAMS_PATH + 16], parts[PROGRAMS_PATH + 16];
    uint8_t *chip;
    enum breakage breakage;
    _Atomic uint32_t change_at; /* 0: nowhere */
};

enum { CHIP_SECTOR = 4096 };

/* Files of partitions/ that are there whatever the table's sector holds. */
static const char *const PARTS[] = {"bootloader.bin", "partition-table.bin"};

enum { PARTS_COUNT = 2, TABLE_AT = 0x8000 };

struct handle {
    int fd;
    bool plain;            /* neither O_TRUNC nor O_APPEND */
    int part[PARTS_COUNT]; /* opened when first used, else -1 */
    void *map;             /* NULL until it is wanted */
    int through; /* a file in memory: a page that cannot be had is an error there, no signal */
};

static struct fuse_mount *mount_of(struct subject *s)
{
    return (struct fuse_mount *)s;
}

static int mount_open(struct subject *s, enum open_how how, struct handle **out)
{
    static const int FLAGS[] = {[OPEN_PLAIN] = O_RDWR,
                                [OPEN_TRUNC] = O_RDWR | O_TRUNC,
                                [OPEN_APPEND] = O_WRONLY | O_APPEND};
    struct handle *h = calloc(1, sizeof(*h));
    if (!h)
        abort();
    h->through = -1;
    h->plain = how == OPEN_PLAIN;
    for (int i = 0; i < PARTS_COUNT; i++)
        h->part[i] = -1;
    h->fd = open(mount_of(s)->file, FLAGS[how] | O_CLOEXEC);
    if (h->fd < 0) {
        int rc = -errno;
        free(h);
        return rc;
    }
    *out = h;
    return 0;
}

static int mount_close(struct subject *s, struct handle *h)
{
    if (h->map)
        munmap(h->map, mount_of(s)->plan->size);
    if (h->through >= 0)
        close(h->through);
    int rc = close(h->fd) == 0 ? 0 : -errno;
    for (int i = 0; i < PARTS_COUNT; i++)
        if (h->part[i] >= 0 && close(h->part[i]) != 0 && rc == 0)
            rc = -errno;
    free(h);
    return rc;
}

static int open_part(struct fuse_mount *m, struct handle *h, int i)
{
    char path[sizeof(m->parts) + 32];
    snprintf(path, sizeof(path), "%s/%s", m->parts, PARTS[i]);
    if (h->part[i] < 0)
        h->part[i] = open(path, O_RDWR | O_CLOEXEC);
    return h->part[i];
}

/*
 * Every other access that lies inside one of these files goes through it: it is the same flash.
 * The descriptor, and how much *off is less there.
 */
static int way_to(struct subject *s, struct handle *h, uint32_t len, uint32_t *off)
{
    struct fuse_mount *m = mount_of(s);
    struct stat st;
    int i = *off >= TABLE_AT;
    if (!h->plain || strcmp(m->plan->chip, "esp8266") == 0 || (*off / CHIP_SECTOR + len) % 2 ||
        *off >= TABLE_AT + CHIP_SECTOR)
        return h->fd;
    int fd = open_part(m, h, i);
    if (fd < 0 || fstat(fd, &st) != 0)
        return h->fd;
    uint32_t base = i == 1 ? TABLE_AT : TABLE_AT - (uint32_t)st.st_size;
    if (*off < base || *off - base + len > (uint32_t)st.st_size)
        return h->fd;
    *off -= base;
    return fd;
}

static ssize_t mount_read(struct subject *s, struct handle *h, uint8_t *buf, uint32_t len,
                          uint32_t off)
{
    int fd = way_to(s, h, len, &off);
    ssize_t n = pread(fd, buf, len, off);
    return n < 0 ? -errno : n;
}

static int make_map(struct subject *s, struct handle *h)
{
    uint32_t size = mount_of(s)->plan->size;
    h->through = h->through < 0 ? memfd_create("model", MFD_CLOEXEC) : h->through;
    if (h->through < 0)
        return -errno;
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, h->fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    h->map = map;
    return 0;
}

static ssize_t mount_map_read(struct subject *s, struct handle *h, uint8_t *buf, uint32_t len,
                              uint32_t off)
{
    struct stat st;
    int rc = h->map ? 0 : make_map(s, h);
    /* A map of one file shows what was written through another once somebody asks for its time. */
    if (rc == 0 && fstat(h->fd, &st) != 0)
        rc = -errno;
    if (rc < 0)
        return rc;
    ssize_t n = pwrite(h->through, (uint8_t *)h->map + off, len, 0);
    if (n > 0)
        n = pread(h->through, buf, (size_t)n, 0);
    return n < 0 ? -errno : n;
}

/* A write of one sector of so many has it change, once it is proven. */
static void note_write(struct fuse_mount *m, uint32_t off)
{
    enum { EVERY = 8, THE = 5 };
    if (m->breakage == BREAK_CHANGE && off / CHIP_SECTOR % EVERY == THE)
        m->change_at = off;
}

static ssize_t mount_write(struct subject *s, struct handle *h, const uint8_t *buf, uint32_t len,
                           uint32_t off)
{
    uint32_t at = off;
    int fd = way_to(s, h, len, &at);
    ssize_t n = pwrite(fd, buf, len, at);
    note_write(mount_of(s), off);
    return n < 0 ? -errno : n;
}

static int mount_truncate(struct subject *s, struct handle *h, uint32_t size)
{
    int rc = h ? ftruncate(h->fd, size) : truncate(mount_of(s)->file, size);
    return rc == 0 ? 0 : -errno;
}

static int mount_fallocate(struct subject *s, struct handle *h, uint32_t off, uint32_t len)
{
    (void)s;
    return fallocate(h->fd, 0, off, len) == 0 ? 0 : -errno;
}

static void change_a_byte(struct fuse_mount *m)
{
    uint32_t at = m->change_at;
    if (at != 0)
        m->chip[at] ^= 1;
    m->change_at = 0;
}

static int mount_fsync(struct subject *s, struct handle *h)
{
    int rc = fsync(h->fd) == 0 ? 0 : -errno;
    change_a_byte(mount_of(s));
    return rc;
}

static int mount_erase(struct subject *s, const char *request)
{
    int fd = open(mount_of(s)->erase, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, request, strlen(request));
    int rc = n < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static int mount_punch(struct subject *s, uint32_t off, uint32_t len)
{
    int fd = open(mount_of(s)->file, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len) == 0 ? 0 : -errno;
    close(fd);
    return rc;
}

static void mount_fault(struct subject *s, const struct op *op)
{
    proxy_ask(&mount_of(s)->proxy, op);
}

/* Faults wait until the board is mounted. */
static int mount_again(struct fuse_mount *m)
{
    bool calm = m->proxy.calm;
    m->proxy.calm = true;
    int rc = programs_mount(&m->programs, m->proxy.port);
    m->proxy.victim = m->programs.driver;
    m->proxy.calm = calm;
    return rc == 0 ? 0 : -EIO;
}

static int mount_remount(struct subject *s)
{
    struct fuse_mount *m = mount_of(s);
    int status = programs_unmount(&m->programs);
    m->proxy.victim = 0;
    if (status < 0)
        programs_kill_driver(&m->programs);
    int rc = mount_again(m);
    return status == 0 ? rc : -EIO;
}

static int mount_kill(struct subject *s, uint32_t seed)
{
    enum { SOON = 4096, LATER = 300 * 1024 };
    struct fuse_mount *m = mount_of(s);
    int fd = open(m->file, O_RDWR | O_CLOEXEC);
    if (seed % 2)
        m->proxy.kill_after = seed / 4 % (seed & 2 ? SOON : LATER);
    if (fd >= 0) {
        fsync(fd);
        programs_kill_driver(&m->programs);
        close(fd);
    }
    m->proxy.kill_after = -1;
    m->proxy.victim = 0;
    programs_kill_driver(&m->programs);
    return mount_again(m);
}

static void mount_calm(struct subject *s, bool calm)
{
    mount_of(s)->proxy.calm = calm;
}

static uint64_t mount_strays(struct subject *s)
{
    return programs_count_strays(&mount_of(s)->programs);
}

static void mount_free(struct subject *s, struct subject_sums *sums)
{
    struct fuse_mount *m = mount_of(s);
    *sums = (struct subject_sums){.strays = programs_count_strays(&m->programs)};
    programs_kill_driver(&m->programs);
    if (m->proxied)
        proxy_stop(&m->proxy);
    sums->wire_bytes = m->proxy.bytes;
    sums->faults = m->proxy.happened;
    programs_free(&m->programs);
    if (m->chip)
        munmap(m->chip, m->plan->size);
    free(m);
}

static const struct subject_ops MOUNT = {.open = mount_open,
                                         .close = mount_close,
                                         .read = mount_read,
                                         .map_read = mount_map_read,
                                         .write = mount_write,
                                         .truncate = mount_truncate,
                                         .fallocate = mount_fallocate,
                                         .fsync = mount_fsync,
                                         .erase = mount_erase,
                                         .punch = mount_punch,
                                         .fault = mount_fault,
                                         .remount = mount_remount,
                                         .kill = mount_kill,
                                         .calm = mount_calm,
                                         .strays = mount_strays,
                                         .free = mount_free};

static bool map_chip(struct fuse_mount *m)
{
    int fd = open(m->programs.flash, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    void *map = mmap(NULL, m->plan->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    m->chip = map == MAP_FAILED ? NULL : map;
    m->subject.chip = m->chip;
    return m->chip != NULL;
}

static bool set_up(struct fuse_mount *m, const char *folder)
{
    if (programs_init(&m->programs, m->plan, folder) != 0 || !map_chip(m) ||
        programs_start_board(&m->programs) != 0)
        return false;
    m->programs.no_journal = m->breakage == BREAK_TORN;
    m->proxied = proxy_start(&m->proxy, m->programs.board_port) == 0;
    if (!m->proxied)
        return false;
    m->proxy.board_pid = m->programs.board;
    snprintf(m->file, sizeof(m->file), "%s/flash.bin", m->programs.mountpoint);
    snprintf(m->erase, sizeof(m->erase), "%s/erase", m->programs.mountpoint);
    snprintf(m->parts, sizeof(m->parts), "%s/partitions", m->programs.mountpoint);
    return mount_again(m) == 0;
}

struct subject *subject_mount_new(const struct plan *plan, enum breakage breakage,
                                  const char *folder)
{
    struct fuse_mount *m = calloc(1, sizeof(*m));
    if (!m)
        abort();
    m->subject.ops = &MOUNT;
    m->plan = plan;
    m->breakage = breakage;
    m->subject.finishes_writes = plan->keeps_journal;
    if (set_up(m, folder))
        return &m->subject;
    struct subject_sums sums;
    mount_free(&m->subject, &sums);
    return NULL;
}
