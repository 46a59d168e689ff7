/* info.txt: what board this is, as fixed `Key: value` lines. */
#include "text_handle.h"

#include "espflashfs/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIB = 1024 * 1024 };

static void print_address(FILE *out, const char *key, const uint8_t *bytes, size_t len)
{
    fprintf(out, "%s:", key);
    for (size_t i = 0; i < len; i++)
        fprintf(out, "%c%02x", i ? ':' : ' ', bytes[i]);
    fprintf(out, "\n");
}

/* Chips with 802.15.4 have an 8-byte address, and the 6-byte one in its ends. */
static void print_mac(FILE *out, const struct ef_identity *id)
{
    uint8_t eui64[8];
    if (!id->has_mac_ext) {
        print_address(out, "MAC", id->mac, sizeof(id->mac));
        return;
    }
    memcpy(eui64, id->mac, 3);
    memcpy(eui64 + 3, id->mac_ext, 2);
    memcpy(eui64 + 5, id->mac + 3, 3);
    print_address(out, "MAC", eui64, sizeof(eui64));
    print_address(out, "BASE MAC", id->mac, sizeof(id->mac));
    print_address(out, "MAC_EXT", id->mac_ext, sizeof(id->mac_ext));
}

static void print_chip(FILE *out, const struct ef_identity *id)
{
    fprintf(out, "Chip: %s\n", id->description);
    if (!id->registers_read) {
        fprintf(out, "Features: unknown\nCrystal: unknown\nMAC: unknown\n");
        return;
    }
    fprintf(out, "Features: %s\n", id->features);
    fprintf(out, "Crystal: %s\n", id->crystal);
    print_mac(out, id);
}

/* "4MB", as other tools say it. */
static void print_size(FILE *out, const char *key, uint64_t size, const char *remark)
{
    bool whole = size % MIB == 0;
    fprintf(out, "%s: %llu%s%s\n", key, (unsigned long long)(whole ? size / MIB : size / 1024),
            whole ? "MB" : "KB", remark);
}

static void print_id(FILE *out, const struct ef_session *s)
{
    if (s->guard.secure_download) {
        fprintf(out, "Manufacturer: unknown\nDevice: unknown\n");
        return;
    }
    fprintf(out, "Manufacturer: %02x (%s)\n", s->flash_id & 0xFFU, ef_flash_id_maker(s->flash_id));
    fprintf(out, "Device: %02x%02x\n", s->flash_id >> 8 & 0xFFU, s->flash_id >> 16 & 0xFFU);
}

static void print_flash(FILE *out, const struct ef_session *s)
{
    uint32_t size = s->flash_size;
    print_id(out, s);
    if (s->flash_size_by_id)
        print_size(out, "Flash size by id", s->flash_size_by_id,
                   s->flash_repeats ? " (doubtful: the contents repeat)" : "");
    else
        fprintf(out, "Flash size by id: unknown\n");
    if (size == 0) {
        fprintf(out, "Detected flash size: unknown\nFlash size in bytes: unknown\n"
                     "Flash size in hex: unknown\n");
        return;
    }
    print_size(out, "Detected flash size", size, "");
    fprintf(out, "Flash size in bytes: %u\n", size);
    fprintf(out, "Flash size in hex: 0x%x\n", size);
    if (s->identity.flash_type[0])
        fprintf(out, "Flash type set in eFuse: %s\n", s->identity.flash_type);
    if (s->identity.flash_voltage[0])
        fprintf(out, "Flash voltage: %s\n", s->identity.flash_voltage);
}

static void print_security(FILE *out, const struct ef_session *s, bool read_only)
{
    char state[EF_GUARD_TEXT_MAX];
    ef_guard_state_text(&s->guard, state, sizeof(state));
    fprintf(out, "Security: %s\n", state);
    if (s->no_flash_why)
        fprintf(out, "Flash access: none: %s\n", s->no_flash_why);
    else
        fprintf(out, "Flash access: %s\n", ef_guard_access_text(&s->guard, read_only));
}

static void print_connection(FILE *out, const struct ef_session *s)
{
    char port[4 * EF_PORT_NAME_MAX + 1];
    char stub[4 * sizeof(s->stub.path) + 1];
    ef_text_escape(port, sizeof(port), s->config.port);
    ef_text_escape(stub, sizeof(stub), s->stub.path);
    fprintf(out, "Port: %s\n", port);
    uint32_t baud = s->baud;
    if (s->wire != EF_WIRE_UART)
        fprintf(out, "Baud: none (built-in USB)\n");
    else if (baud)
        fprintf(out, "Baud: %u\n", baud);
    else
        fprintf(out, "Baud: set at the far end\n");
    if (!s->with_stub)
        fprintf(out, "Loader: ROM\n");
    else if (s->stub.path[0])
        fprintf(out, "Loader: stub (%s)\n", stub);
    else
        fprintf(out, "Loader: stub (was already running)\n");
}

char *ef_info_text(const struct ef_session *s, bool read_only)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    print_chip(out, &s->identity);
    print_flash(out, s);
    print_connection(out, s);
    print_security(out, s, read_only);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static uint64_t info_size(struct ef_node *node)
{
    char *text = ef_info_text(node->mount->session, node->mount->read_only);
    uint64_t size = text ? strlen(text) : 0;
    free(text);
    return size;
}

static int info_open(struct ef_node *node, int flags, void **handle)
{
    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    return ef_text_handle_open(ef_info_text(node->mount->session, node->mount->read_only), handle);
}

const struct ef_node_ops EF_INFO_NODE = {.size = info_size,
                                         .open = info_open,
                                         .read = ef_text_handle_read,
                                         .release = ef_text_handle_release};
