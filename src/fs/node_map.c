/* map.txt: the flash drawn, as far as it is known. Never asks the line. */
#include "text_handle.h"

#include "espflashfs/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELL_SECTORS = 4, /* a character: 16 KiB */
    ROW_CELLS = 64,   /* a row: 1 MiB */
    ROW_SECTORS = ROW_CELLS * CELL_SECTORS
};

static const char LEGEND[] =
    "#  data          .  blank (FF)\n"
    "?  not seen yet  !  not on the chip yet\n"
    "One character: 16 KiB. One row: 1 MiB, and what of partitions/ begins in it.\n\n";

/* Of several sectors: what is not on the chip yet, then data, then what was not seen. */
static char cell_of(const struct ef_look *look, uint32_t count)
{
    bool data = false;
    bool unseen = false;
    for (uint32_t i = 0; i < count; i++) {
        if (look[i].dirty)
            return '!';
        data = data || look[i].kind == EF_LOOK_DATA || look[i].kind == EF_LOOK_ZEROS;
        unseen = unseen || look[i].kind == EF_LOOK_UNSEEN;
    }
    if (data)
        return '#';
    return unseen ? '?' : '.';
}

struct names {
    unsigned count;
    struct ef_partition list[EF_PARTS_MAX];
};

/* The partitions that begin in the row, as their files in partitions/ are called. */
static void print_names(FILE *out, const struct names *names, uint32_t addr, uint32_t len)
{
    bool any = false;
    for (unsigned i = 0; i < names->count; i++) {
        const struct ef_partition *p = &names->list[i];
        if (p->addr < addr || p->addr - addr >= len)
            continue;
        fprintf(out, "%s%.*s 0x%x", any ? ", " : "  ", (int)(strlen(p->name) - strlen(".bin")),
                p->name, (unsigned)p->addr);
        any = true;
    }
}

static void print_row(FILE *out, struct ef_cache *cache, const struct names *names, uint32_t first,
                      uint32_t count)
{
    struct ef_look look[ROW_SECTORS];
    fprintf(out, "%08lx  ", (unsigned long)first * EF_SECTOR);
    ef_cache_look(cache, first, count, look);
    for (uint32_t s = 0; s < count; s += CELL_SECTORS)
        fputc(cell_of(look + s, s + CELL_SECTORS < count ? CELL_SECTORS : count - s), out);
    if (count < ROW_SECTORS && names->count > 0)
        fprintf(out, "%*s", (int)(ROW_CELLS - (count + CELL_SECTORS - 1) / CELL_SECTORS), "");
    print_names(out, names, first * EF_SECTOR, count * EF_SECTOR);
    fputc('\n', out);
}

static char *map_text(struct ef_mount *m)
{
    char *text = NULL;
    size_t len = 0;
    uint32_t sectors = m->session->flash_size / EF_SECTOR;
    struct names names;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    ef_parts_refresh(m);
    names.count = ef_parts_copy(m, names.list);
    fputs(LEGEND, out);
    for (uint32_t s = 0; s < sectors; s += ROW_SECTORS)
        print_row(out, m->cache, &names, s, s + ROW_SECTORS < sectors ? ROW_SECTORS : sectors - s);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static uint64_t map_size(struct ef_node *node)
{
    char *text = map_text(node->mount);
    uint64_t size = text ? strlen(text) : 0;
    free(text);
    return size;
}

static int map_open(struct ef_node *node, int flags, void **handle)
{
    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    return ef_text_handle_open(map_text(node->mount), handle);
}

const struct ef_node_ops EF_MAP_NODE = {.size = map_size,
                                        .open = map_open,
                                        .read = ef_text_handle_read,
                                        .release = ef_text_handle_release};
