/* The file of a board's image: what is kept, for whom, how long, and what is refused. */
#include "image_room.h"

#include "espflashfs/folder.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void what_is_saved_is_loaded(void **state)
{
    struct room *room = *state;
    memset(room->map + 3, EF_IMAGE_NOTHING, 20);
    memset(room->map + 40, EF_IMAGE_BLANK, 100);
    save(room);
    memset(room->map, 0x77, SECTORS);
    assert_true(load(room));
    for (uint32_t s = 0; s < SECTORS; s++) {
        size_t at = (size_t)s * EF_SECTOR;
        enum ef_image_sector kept = EF_IMAGE_BYTES;
        if (s >= 3 && s < 23)
            kept = EF_IMAGE_NOTHING;
        if (s >= 40 && s < 140)
            kept = EF_IMAGE_BLANK;
        assert_int_equal(room->map[s], kept);
        if (kept == EF_IMAGE_BYTES)
            assert_memory_equal(room->buf + at, room->image + at, EF_SECTOR);
        else
            assert_int_equal(room->buf[at + 17], kept == EF_IMAGE_BLANK ? 0xFF : 0x55);
    }
}

static void it_is_its_users_alone(void **state)
{
    struct room *room = *state;
    struct stat st;
    umask(0);
    save(room);
    assert_int_equal(stat(room->board, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(room->file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    /* One that was opened to others is closed again. */
    assert_int_equal(chmod(room->board, 0777), 0);
    save(room);
    assert_int_equal(stat(room->board, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void blank_flash_takes_no_room(void **state)
{
    struct room *room = *state;
    struct stat st;
    memset(room->map, EF_IMAGE_BLANK, SECTORS);
    save(room);
    assert_int_equal(stat(room->file, &st), 0);
    assert_true(st.st_blocks * 512 <= CONTENTS + EF_SECTOR);
}

static void of_another_board_or_flash(void **state)
{
    struct room *room = *state;
    save(room);
    room->key.flash_id++;
    assert_false(load(room));
    room->key.flash_id--;
    room->key.flash_size /= 2;
    assert_false(load(room));
    room->key.flash_size *= 2;
    room->key.mac[0] ^= 2;
    assert_false(load(room));
    room->key.mac[0] ^= 2;
    assert_true(load(room));
    /* The folder of the other MAC was made. */
    char other[96];
    snprintf(other, sizeof(other), "%s/260ac4001122", room->folder);
    rmdir(other);
}

static void a_damaged_head_or_a_short_file(void **state)
{
    struct room *room = *state;
    save(room);
    int fd = open(room->file, O_RDWR);
    for (off_t at = 0; at < HEAD; at += at < 64 ? 1 : 37) {
        uint8_t byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x04;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_false(load(room));
        assert_int_equal(room->map[0], EF_IMAGE_NOTHING);
        byte ^= 0x04;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_true(load(room));
    assert_int_equal(ftruncate(fd, SIZE), 0);
    assert_false(load(room));
    assert_int_equal(room->map[0], EF_IMAGE_NOTHING);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_false(load(room));
    close(fd);
}

static void a_damaged_sector_is_not_used(void **state)
{
    struct room *room = *state;
    uint8_t byte;
    save(room);
    int fd = open(room->file, O_RDWR);
    off_t at = CONTENTS + 7 * EF_SECTOR + 4095;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
    assert_true(load(room));
    for (uint32_t s = 0; s < SECTORS; s++)
        assert_int_equal(room->map[s], s == 7 ? EF_IMAGE_NOTHING : EF_IMAGE_BYTES);
    assert_memory_equal(room->buf, room->image, 7 * EF_SECTOR);
}

static void age(const char *file, time_t at_s)
{
    struct timespec times[2] = {{.tv_sec = at_s}, {.tv_sec = at_s}};
    assert_int_equal(utimensat(AT_FDCWD, file, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void make_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static void what_is_used_is_young(void **state)
{
    struct room *room = *state;
    struct stat st;
    save(room);
    age(room->file, 1000);
    assert_true(load(room));
    assert_int_equal(stat(room->file, &st), 0);
    assert_true(st.st_mtim.tv_sec > 1000);
}

static bool write_and_die(void *user, int fd)
{
    (void)user;
    if (ef_file_write(fd, "torn", 4, 0))
        _exit(7);
    return false;
}

static void killed_while_saving(void **state)
{
    struct room *room = *state;
    char torn[160];
    int status;
    save(room);
    pid_t child = fork();
    if (child == 0) {
        int board = open(room->board, O_RDONLY | O_DIRECTORY);
        ef_folder_replace(board, "image", write_and_die, NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    assert_true(load(room));
    assert_memory_equal(room->buf, room->image, SIZE);
    snprintf(torn, sizeof(torn), "%s/.image.%d.0", room->board, (int)child);
    assert_true(is_there(torn));
    /* Somebody may be writing it; nobody is after an hour, by whatever clock. */
    save(room);
    assert_true(is_there(torn));
    age(torn, time(NULL) - 2 * 3600);
    save(room);
    assert_false(is_there(torn));
    make_file(torn);
    age(torn, time(NULL) + 2 * 3600);
    save(room);
    assert_false(is_there(torn));
}

static void what_others_left_unfinished_goes(void **state)
{
    struct room *room = *state;
    char torn[160];
    char kept[160];
    save(room);
    snprintf(torn, sizeof(torn), "%s/.image.77.0", room->board);
    snprintf(kept, sizeof(kept), "%s/.image.mine", room->board);
    make_file(torn);
    make_file(kept);
    age(torn, 1000);
    age(kept, 1000);
    room->key.mac[5]++;
    save(room);
    assert_false(is_there(torn));
    assert_true(is_there(kept));
    unlink(kept);
    char other[96];
    char file[112];
    snprintf(other, sizeof(other), "%s/240ac4001123", room->folder);
    snprintf(file, sizeof(file), "%s/image", other);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(other), 0);
}

/* A file that may not grow is as good as a full disk. */
static void a_full_disk_keeps_the_old_one(void **state)
{
    struct room *room = *state;
    struct rlimit before;
    save(room);
    memset(room->image, 0x42, SIZE);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = SIZE / 2, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool saved = ef_image_save(&room->key, NULL, room->image, room->map);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_false(saved);
    assert_true(load(room));
    assert_memory_equal(room->buf, room->mem->bytes, SIZE);
    /* room_close finds no file that was begun */
}

static void a_folder_of_others_is_not_used(void **state)
{
    struct room *room = *state;
    save(room);
    static const mode_t SHARED[] = {0777, 0770, 0720, 0702};
    for (size_t i = 0; i < sizeof(SHARED) / sizeof(SHARED[0]); i++) {
        assert_int_equal(chmod(room->folder, SHARED[i]), 0);
        assert_false(load(room));
        assert_false(ef_image_save(&room->key, NULL, room->image, room->map));
    }
    assert_int_equal(chmod(room->folder, 01777), 0);
    assert_true(load(room));
    assert_int_equal(chmod(room->folder, 0755), 0);
    assert_true(load(room));
    if (geteuid() != 0)
        return;
    assert_int_equal(chown(room->file, 1, (gid_t)-1), 0);
    assert_false(load(room));
    assert_int_equal(chown(room->board, 1, (gid_t)-1), 0);
    assert_false(ef_image_save(&room->key, NULL, room->image, room->map));
    assert_int_equal(chown(room->board, 0, (gid_t)-1), 0);
    assert_int_equal(chown(room->folder, 1, (gid_t)-1), 0);
    assert_false(ef_image_save(&room->key, NULL, room->image, room->map));
    assert_int_equal(chown(room->folder, 0, (gid_t)-1), 0);
    save(room);
    assert_true(load(room));
}

static void links_are_not_followed(void **state)
{
    struct room *room = *state;
    char target[112];
    struct stat st;
    snprintf(target, sizeof(target), "%s/target", room->folder);
    int fd = open(target, O_RDWR | O_CREAT, 0600);
    assert_int_equal(mkdir(room->board, 0700), 0);
    assert_int_equal(symlink(target, room->file), 0);
    assert_false(load(room));
    save(room);
    assert_int_equal(lstat(room->file, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 0);
    close(fd);
    unlink(target);
    /* Nor in the folder's place. */
    unlink(room->file);
    rmdir(room->board);
    assert_int_equal(symlink("/tmp", room->board), 0);
    assert_false(ef_image_save(&room->key, NULL, room->image, room->map));
    assert_false(load(room));
}

static void a_folder_in_the_files_place(void **state)
{
    struct room *room = *state;
    assert_int_equal(mkdir(room->board, 0700), 0);
    assert_int_equal(mkdir(room->file, 0700), 0);
    assert_false(load(room));
    assert_false(ef_image_save(&room->key, NULL, room->image, room->map));
}

static void a_fifo_is_not_waited_for(void **state)
{
    struct room *room = *state;
    assert_int_equal(mkdir(room->board, 0700), 0);
    assert_int_equal(mkfifo(room->file, 0600), 0);
    assert_false(load(room));
    save(room);
    assert_true(load(room));
}

static void the_oldest_go(void **state)
{
    struct room *room = *state;
    enum { BOARDS = EF_IMAGE_FOLDER_MAX_MIB / 2 + 3 };
    struct stat st;
    unsigned kept = 0;
    /* The oldest of all, but behind a link, and so not one of ours. */
    char away[96];
    char precious[112];
    char link[96];
    snprintf(away, sizeof(away), "%s/away", room->folder);
    snprintf(precious, sizeof(precious), "%s/image", away);
    snprintf(link, sizeof(link), "%s/0123456789ab", room->folder);
    assert_int_equal(mkdir(away, 0700), 0);
    make_file(precious);
    age(precious, 10);
    assert_int_equal(symlink(away, link), 0);
    for (unsigned i = 0; i < BOARDS; i++) {
        room->key.mac[5] = (uint8_t)i;
        save(room);
        snprintf(room->file, sizeof(room->file), "%s/240ac40011%02x/image", room->folder, i);
        age(room->file, 1000 + i);
    }
    assert_true(is_there(precious));
    unlink(precious);
    rmdir(away);
    unlink(link);
    for (unsigned i = 0; i < BOARDS; i++) {
        snprintf(room->board, sizeof(room->board), "%s/240ac40011%02x", room->folder, i);
        snprintf(room->file, sizeof(room->file), "%s/image", room->board);
        bool there = stat(room->file, &st) == 0;
        assert_true(there || i < BOARDS / 2);
        kept += there;
        unlink(room->file);
        rmdir(room->board);
    }
    assert_in_range(kept, BOARDS - 8, BOARDS - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, room_open, room_close)
    const struct CMUnitTest tests[] = {
        TEST(what_is_saved_is_loaded),
        TEST(it_is_its_users_alone),
        TEST(blank_flash_takes_no_room),
        TEST(of_another_board_or_flash),
        TEST(a_damaged_head_or_a_short_file),
        TEST(a_damaged_sector_is_not_used),
        TEST(what_is_used_is_young),
        TEST(killed_while_saving),
        TEST(what_others_left_unfinished_goes),
        TEST(a_full_disk_keeps_the_old_one),
        TEST(a_folder_of_others_is_not_used),
        TEST(links_are_not_followed),
        TEST(a_folder_in_the_files_place),
        TEST(a_fifo_is_not_waited_for),
        TEST(the_oldest_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
