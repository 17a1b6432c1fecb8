// Hangs on command, in each of the ways that a watch knows, and lives on otherwise. A line of
// standard input is a command; each is answered by "ok".
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// --- a window, by the X protocol alone -----------------------------------------------------------

static int display = -1;
static uint32_t root, window, protocols, ping, owner;
static volatile int answers = 1;

static void put(const void* bytes, size_t size) {
    if (write(display, bytes, size) != (ssize_t)size) _exit(3);
}
static void get(void* bytes, size_t size) {
    for (size_t at = 0; at < size;) {
        const ssize_t got = read(display, (char*)bytes + at, size - at);
        if (got <= 0) _exit(4);
        at += (size_t)got;
    }
}
static uint32_t atom(const char* name) {
    uint8_t request[64] = {16, 0};
    const uint16_t size = (uint16_t)strlen(name), units = (uint16_t)(2 + (size + 3) / 4);
    memcpy(request + 2, &units, 2);
    memcpy(request + 4, &size, 2);
    memcpy(request + 8, name, size);
    put(request, units * 4u);
    uint32_t reply[8];
    get(reply, sizeof reply);
    return reply[2];
}
static void property(uint32_t name, uint32_t type, uint32_t value) {
    uint32_t request[7] = {18 | 7u << 16, window, name, type, 32, 1, value};
    put(request, sizeof request);
}

static void* serve(void* unused) {
    for (;;) {
        uint32_t event[8];
        get(event, sizeof event);
        // ClientMessage: WM_PROTOCOLS, _NET_WM_PING. The answer is the same message, to the root.
        if ((event[0] & 0x7f) != 33 || event[2] != protocols || event[3] != ping) continue;
        if (!answers) continue;
        uint32_t request[11] = {25 | 11u << 16, root, 1u << 19 | 1u << 20};
        memcpy(request + 3, event, sizeof event);
        request[4] = root;
        put(request, sizeof request);
    }
    return unused;
}

/// As other clients of X do: by the abstract name, which nobody can delete, else by the file.
static int connectTo(const char* number) {
    for (int abstract = 1; abstract >= 0; --abstract) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        const int size = snprintf(address.sun_path + abstract, sizeof address.sun_path - 1,
                                  "/tmp/.X11-unix/X%s", number);
        const socklen_t length =
            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)size + 1);
        const int server = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(server, (struct sockaddr*)&address, length) == 0) return server;
        close(server);
    }
    return -1;
}

static void openWindow(const char* number) {
    for (int i = 0; i < 100 && display < 0; ++i) {
        display = connectTo(number);
        if (display < 0) usleep(50000);  // it has only just begun
    }
    if (display < 0) {
        puts("no display");
        return;
    }
    const uint16_t hello[6] = {'l', 11};
    put(hello, sizeof hello);
    uint8_t head[8];
    get(head, sizeof head);
    uint16_t units, vendor;
    memcpy(&units, head + 6, 2);
    uint8_t* setup = malloc(units * 4u);
    get(setup, units * 4u);
    uint32_t base;
    memcpy(&base, setup + 4, 4);
    memcpy(&vendor, setup + 16, 2);
    memcpy(&root, setup + 32 + (vendor + 3) / 4 * 4 + setup[21] * 8, 4);
    free(setup);
    window = base + 1;
    uint32_t create[8] = {1 | 8u << 16, window, root, 0, 100 | 100u << 16, 1u << 16, 0, 0};
    put(create, sizeof create);
    protocols = atom("WM_PROTOCOLS");
    ping = atom("_NET_WM_PING");
    owner = atom("_NET_WM_PID");
    property(protocols, 4, ping);
    property(owner, 6, (uint32_t)getpid());
    uint8_t title[28] = {18, 0, 7, 0};
    const uint32_t name[5] = {window, 39, 31, 8, 4};
    memcpy(title + 4, name, sizeof name);
    memcpy(title + 24, "pane", 4);
    put(title, sizeof title);
    const uint32_t map[2] = {8 | 2u << 16, window};
    put(map, sizeof map);
    pthread_t thread;
    pthread_create(&thread, NULL, serve, NULL);
}

// --- the process as a whole ----------------------------------------------------------------------

/// A parent that has called vfork waits in the kernel, uninterruptibly, until its child execs or
/// ends.
static void vforkFor(unsigned seconds) {
    if (vfork() == 0) {
        sleep(seconds);
        _exit(0);
    }
    wait(NULL);
}

/// Something lies unread at a socket of ours, and nobody comes for it.
static void leaveUnread(void) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 || write(ends[0], "hello", 5) != 5) _exit(5);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    char line[256];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        const char* argument = strchr(line, ' ');
        argument = argument != NULL ? argument + 1 : "";
        if (strncmp(line, "window", 6) == 0) openWindow(argument);
        if (strcmp(line, "deaf") == 0) answers = 0;
        if (strcmp(line, "unread") == 0) leaveUnread();
        if (strncmp(line, "vfork", 5) == 0) {
            puts("ok");
            vforkFor((unsigned)atoi(argument));
            continue;
        }
        puts("ok");
    }
    return 0;
}
