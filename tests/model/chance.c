#include "chance.h"

#include <stdlib.h>
#include <string.h>

void chance_init(struct chance *c, uint32_t size)
{
    c->size = size;
    c->base = calloc(1, size);
    c->more = calloc(size / CHANCE_SECTOR, sizeof(struct chance_more *));
    if (!c->base || !c->more)
        abort();
}

void chance_free(struct chance *c)
{
    for (uint32_t s = 0; c->more && s < c->size / CHANCE_SECTOR; s++)
        free(c->more[s]);
    free(c->more);
    free(c->base);
    memset(c, 0, sizeof(*c));
}

static uint32_t in_sector(uint32_t off, uint32_t len)
{
    uint32_t left = CHANCE_SECTOR - off % CHANCE_SECTOR;
    return len < left ? len : left;
}

/* True where nothing of the sector is open. */
static bool is_settled(const struct chance_more *m)
{
    static const uint8_t NONE[CHANCE_SECTOR];
    return memcmp(m->count, NONE, sizeof(NONE)) == 0;
}

void chance_put(struct chance *c, uint32_t off, uint32_t len, const uint8_t *data)
{
    memcpy(c->base + off, data, len);
    while (len > 0) {
        uint32_t n = in_sector(off, len);
        struct chance_more **m = &c->more[off / CHANCE_SECTOR];
        if (*m) {
            memset((*m)->count + off % CHANCE_SECTOR, 0, n);
            if (is_settled(*m)) {
                free(*m);
                *m = NULL;
            }
        }
        off += n;
        len -= n;
    }
}

static void add(struct chance_more *m, uint32_t at, uint8_t value)
{
    uint8_t count = m->count[at];
    for (uint8_t k = 0; k < count && k < CHANCE_MAX; k++)
        if (m->value[k][at] == value)
            return;
    if (count < CHANCE_MAX)
        m->value[count][at] = value;
    if (count <= CHANCE_MAX)
        m->count[at]++;
}

void chance_may(struct chance *c, uint32_t off, uint32_t len, const uint8_t *data)
{
    for (uint32_t i = 0; i < len; i++) {
        struct chance_more **m = &c->more[(off + i) / CHANCE_SECTOR];
        if (data[i] == c->base[off + i])
            continue;
        if (!*m && !(*m = calloc(1, sizeof(**m))))
            abort();
        add(*m, (off + i) % CHANCE_SECTOR, data[i]);
    }
}

bool chance_allows(const struct chance *c, uint32_t off, uint8_t byte)
{
    const struct chance_more *m = c->more[off / CHANCE_SECTOR];
    uint32_t at = off % CHANCE_SECTOR;
    if (byte == c->base[off] || (m && m->count[at] > CHANCE_MAX))
        return true;
    for (uint8_t k = 0; m && k < m->count[at]; k++)
        if (m->value[k][at] == byte)
            return true;
    return false;
}

bool chance_match(const struct chance *c, uint32_t off, uint32_t len, const uint8_t *data,
                  uint32_t *at)
{
    if (memcmp(c->base + off, data, len) == 0)
        return true;
    for (uint32_t i = 0; i < len; i++) {
        if (!chance_allows(c, off + i, data[i])) {
            *at = off + i;
            return false;
        }
    }
    return true;
}

bool chance_is_open(const struct chance *c, uint32_t off, uint32_t len)
{
    for (uint32_t i = off; i < off + len; i++) {
        const struct chance_more *m = c->more[i / CHANCE_SECTOR];
        if (m && m->count[i % CHANCE_SECTOR] > CHANCE_MAX)
            return true;
    }
    return false;
}

bool chance_is_certain(const struct chance *c, uint32_t off, uint32_t len)
{
    for (uint32_t i = off; i < off + len; i++) {
        const struct chance_more *m = c->more[i / CHANCE_SECTOR];
        if (m && m->count[i % CHANCE_SECTOR] > 0)
            return false;
    }
    return true;
}
