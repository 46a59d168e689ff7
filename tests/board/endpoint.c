#include "endpoint.h"

#include <stdio.h>
#include <string.h>

int eb_endpoint_open(struct eb_endpoint *endpoint, const char *where, char *why, size_t why_cap)
{
    static const char SOCKET[] = "socket:";
    static const char RFC2217[] = "rfc2217:";
    static const char USBIP[] = "usbip:";
    static const char PTY[] = "pty:";
    *endpoint = (struct eb_endpoint){.listen_fd = -1, .fd = -1};
    if (strncmp(where, SOCKET, strlen(SOCKET)) == 0)
        return eb_endpoint_open_socket(endpoint, where + strlen(SOCKET), why, why_cap);
    if (strncmp(where, RFC2217, strlen(RFC2217)) == 0)
        return eb_endpoint_open_rfc2217(endpoint, where + strlen(RFC2217), why, why_cap);
    if (strncmp(where, USBIP, strlen(USBIP)) == 0)
        return eb_endpoint_open_usbip(endpoint, where + strlen(USBIP), why, why_cap);
    if (strncmp(where, PTY, strlen(PTY)) == 0)
        return eb_endpoint_open_pty(endpoint, where + strlen(PTY), why, why_cap);
    snprintf(why, why_cap,
             "--listen wants socket:PORT, rfc2217:PORT, usbip:PORT or pty:LINK, not '%s'", where);
    return -1;
}
