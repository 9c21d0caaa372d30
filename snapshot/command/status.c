/*
 * litesnap status: what a mount of litesnapfs says of itself, in two extended attributes of its root:
 *
 *   user.litesnapfs.status   one JSON object, for people and programs:
 *     "version"               of litesnapfs
 *     "source", "engine"      what tree, and by what engine
 *     "since"                 when it was mounted, UTC
 *     "served"                opens of databases that were answered with a snapshot
 *     "refused"               {cause: number}; the causes: "busy", "corrupt", "no_room", "not_permitted",
 * "unsafe" "last_refused"          the last ten: [{"when", "path", "cause"}], newest first "copies",
 * "copied_bytes"   snapshots that took room, and what they were "room"                  {"in_use_bytes",
 * "largest_bytes", "limit_bytes"} (0: no limit) "longest_wait_seconds"  of an open "pins" {"held",
 * "oldest_seconds"}: read transactions on sources user.litesnapfs.metrics  the same numbers as Prometheus
 * text, names beginning with litesnapfs_
 *
 * People get each member as a line, whatever its name, so that newer mounts can say more.
 */
#include "snapshot/command/command.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define VALUE_MAX 65536 /* the kernel's limit */

/* The value, to be freed, with a NUL behind it; NULL with errno. */
static char *read_xattr(const char *mount, const char *name) {
        char *text = malloc(VALUE_MAX + 1);
        ssize_t n = text ? getxattr(mount, name, text, VALUE_MAX) : -1;

        if (n < 0) {
                free(text);
                return NULL;
        }
        text[n] = 0;
        return text;
}

/* Says why a mount has no answer. */
static int no_answer(const char *mount, int error) {
        if (error == ENODATA || error == ENOTSUP) {
                base_log(BASE_LOG_ERROR, "%s: is no mount of litesnapfs that tells its status", mount);
                return STATUS_NOTHING;
        }
        if (error == ENOTCONN || error == ECONNABORTED) {
                base_log(BASE_LOG_ERROR,
                         "%s: the mount is dead: its daemon is gone (umount it, look into the log, mount "
                         "it again)",
                         mount);
                return STATUS_FAILED;
        }
        return command_failed(mount, "cannot read its status", -error);
}

/* ---- mounts ------------------------------------------------------------------------------------- */

/* \040 and the like, in place. */
static void unescape(char *text) {
        char *to = text;

        for (const char *from = text; *from; to++) {
                unsigned byte;

                if (*from == '\\' && sscanf(from, "\\%3o", &byte) == 1) {
                        *to = (char)byte;
                        from += 4;
                } else {
                        *to = *from++;
                }
        }
        *to = 0;
}

static void free_mounts(char **mounts) {
        for (char **mount = mounts; mount && *mount; mount++)
                free(*mount);
        free(mounts);
}

/* The mounts of litesnapfs, as arguments: a list that ends with NULL, for free_mounts(). */
static char **find_mounts(void) {
        FILE *file = fopen("/proc/self/mountinfo", "re");
        char **mounts = calloc(1, sizeof(*mounts)), *line = NULL;
        size_t n = 0, size = 0;

        while (file && mounts && getline(&line, &size, file) > 0) {
                char *place = line, **more;

                if (!strstr(line, " - fuse.litesnapfs "))
                        continue;
                /* The fifth field. */
                for (int i = 0; place && i < 4; i++)
                        place = strchr(place, ' ') ? strchr(place, ' ') + 1 : NULL;
                more = place ? reallocarray(mounts, n + 2, sizeof(*mounts)) : NULL;
                if (!more)
                        break;
                mounts = more;
                mounts[n] = strndup(place, strcspn(place, " "));
                if (mounts[n])
                        unescape(mounts[n++]);
                mounts[n] = NULL;
        }
        free(line);
        if (file)
                fclose(file);
        return mounts;
}

/* ---- for people --------------------------------------------------------------------------------- */

/* Copies a JSON string without its quotes and escapes (but for \u, which is shown as it is). Returns what is
 * behind it. */
static const char *take_string(const char *p, char *out, size_t size) {
        size_t n = 0;

        for (p++; *p && *p != '"'; p++) {
                if (*p == '\\' && p[1] && p[1] != 'u')
                        p++;
                if (n + 1 < size)
                        out[n++] = *p;
        }
        out[n] = 0;
        return *p ? p + 1 : p;
}

/* A member's name tells its unit. */
static void print_value(const char *key, const char *value) {
        char *end, size[16];
        double number = strtod(value, &end);
        size_t length = strlen(key);

        if (*end == 0 && length > 6 && strcmp(key + length - 6, "_bytes") == 0)
                printf(": %s\n", human_size(size, (uint64_t)number));
        else if (*end == 0 && length > 8 && strcmp(key + length - 8, "_seconds") == 0)
                printf(": %.3g s\n", number);
        else {
                fputs(": ", stdout);
                text_print(stdout, value);
                putchar('\n');
        }
}

/* One line for each member, indented as deep as it lies; nothing but the shape of JSON is known here. */
static void print_status(const char *p) {
        char key[128] = "", value[8192];
        int depth = 0;
        bool named = false;

        while (*p) {
                if (strchr("{[}]", *p)) {
                        depth += *p == '{' || *p == '[' ? 1 : -1;
                        if ((*p == '{' || *p == '[') && named)
                                puts(":");
                        named = false;
                        p++;
                } else if (*p == '"' && !named) {
                        p = take_string(p, key, sizeof(key));
                        p += strspn(p, " \t\n");
                        named = *p == ':';
                        printf("%*s", 2 * depth, "");
                        for (const char *c = key; *c; c++)
                                putchar(*c == '_' ? ' ' : isprint((unsigned char)*c) ? *c : '?');
                        if (!named)
                                putchar('\n');
                } else if (strchr(" \t\r\n,:", *p)) {
                        p++;
                } else {
                        size_t n = strcspn(p, ",]} \n");

                        if (*p == '"') {
                                p = take_string(p, value, sizeof(value));
                        } else {
                                snprintf(value, sizeof(value), "%.*s", (int)n, p);
                                p += n;
                        }
                        print_value(named ? key : "", value);
                        named = false;
                }
        }
}

static int show(const char *mount, bool json) {
        _cleanup_(base_freep) char *text = read_xattr(mount, "user.litesnapfs.status");

        if (!text)
                return no_answer(mount, errno);
        if (json) {
                puts(text);
        } else {
                text_print(stdout, mount);
                putchar('\n');
                print_status(text);
        }
        return STATUS_OK;
}

/* ---- for node_exporter -------------------------------------------------------------------------- */

/* A mount that does not answer is said in the file, too: an old file would look like a mount that rests. */
static int write_metrics(const char *mount, const char *file) {
        _cleanup_(base_freep) char *text = read_xattr(mount, "user.litesnapfs.metrics"), *all = NULL;
        _cleanup_(place_deinit) struct place place = PLACE_NULL;
        _cleanup_(draft_deinit) struct draft draft = DRAFT_NULL;
        int status = text ? STATUS_OK : no_answer(mount, errno), n, r;

        n = asprintf(&all,
                     "# HELP litesnapfs_up Whether the mount answers.\n# TYPE litesnapfs_up gauge\n"
                     "litesnapfs_up %d\n%s",
                     text ? 1 : 0, text ? text : "");
        r = n < 0 ? -ENOMEM : place_init(&place, file);
        if (r == 0)
                r = draft_init(&draft, place.file.dirfd);
        if (r == 0)
                r = base_pwrite(draft.fd, all, (size_t)n, 0);
        /* node_exporter is another user. */
        if (r == 0 && fchmod(draft.fd, 0644) < 0)
                r = -errno;
        if (r == 0)
                r = draft_commit(&draft, place.file.name);
        return r < 0 ? command_failed(file, "cannot be written", r) : status;
}

int run_status(const struct command_options *options, char **arguments) {
        char **found = arguments[0] ? NULL : find_mounts(), **mounts = found ? found : arguments;
        int status = STATUS_OK;

        if (!mounts[0]) {
                base_log(BASE_LOG_ERROR, "no litesnapfs is mounted here");
                status = STATUS_NOTHING;
        } else if (options->prometheus && mounts[1]) {
                base_log(BASE_LOG_ERROR, "there are several mounts: name the one for %s",
                         options->prometheus);
                status = STATUS_USAGE;
        }
        for (; status != STATUS_USAGE && *mounts; mounts++) {
                int r = options->prometheus ? write_metrics(*mounts, options->prometheus)
                                            : show(*mounts, options->json);

                status = status == STATUS_OK ? r : status;
        }
        free_mounts(found);
        return status;
}
