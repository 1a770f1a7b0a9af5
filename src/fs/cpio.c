/*
 * Unpacks cpio archives in the "new ASCII" format (magic 070701, 070702; cpio(5)) below
 * the root: the initial RAM disk. Archives may follow one another, padded with zeroes.
 * The archive is not trusted: every size is checked before it is used. Runs once, at boot.
 */
#include "internal.h"
#include "lib/printf.h"
#include "mm/kmalloc.h"

#define HEADER_BYTES 110u
#define TRAILER "TRAILER!!!"
#define LINK_BUCKETS 64u
#define PIECE_BYTES 65536u /* of a file, between two calls of have_read() */

struct header {
	uint32_t ino, mode, uid, gid, nlink, mtime, size, dev_major, dev_minor, rdev_major, rdev_minor,
		name_len, check;
};

/* A file with several names: the first one met. */
struct first_name {
	struct first_name *next;
	uint32_t ino, major, minor;
	char name[];
};

struct unpack {
	const char *name; /* of the archive, for messages */
	const uint8_t *data;
	size_t size, at; /* at: of the current header */
	void (*have_read)(size_t size_bytes);
	struct first_name *links[LINK_BUCKETS];
};

static bool parse_hex(const uint8_t *text, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 8; i++) {
		uint8_t c = text[i];
		uint32_t digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10u;
		else if (c >= 'A' && c <= 'F')
			digit = c - 'A' + 10u;
		else
			return false;
		*out = *out << 4 | digit;
	}
	return true;
}

static int bad(const struct unpack *u, const char *what)
{
	kprintf("%s: %s at byte %llu\n", u->name, what, (unsigned long long)u->at);
	return -EINVAL;
}

static int parse_header(const struct unpack *u, struct header *h)
{
	uint32_t *fields[13] = {
		&h->ino,       &h->mode,       &h->uid,        &h->gid,      &h->nlink, &h->mtime, &h->size,
		&h->dev_major, &h->dev_minor, &h->rdev_major, &h->rdev_minor, &h->name_len, &h->check,
	};
	const uint8_t *p = u->data + u->at;

	if (u->size - u->at < HEADER_BYTES)
		return bad(u, "truncated cpio header");
	if (memcmp(p, "070701", 6) != 0 && memcmp(p, "070702", 6) != 0)
		return bad(u, p[0] == 0x1f && p[1] == 0x8b ? "gzip data (unpack the archive first)"
							   : "no cpio header (newc format)");
	for (unsigned i = 0; i < 13; i++)
		if (!parse_hex(p + 6 + i * 8, fields[i]))
			return bad(u, "bad number in a cpio header");
	if (h->name_len == 0 || h->name_len > PATH_MAX_BYTES)
		return bad(u, "bad name length in a cpio header");
	return 0;
}

/* The first name of a file that has several, remembered now if it is the first. NULL: no memory. */
static struct first_name *find_link(struct unpack *u, const struct header *h, const char *name,
				    bool *is_first)
{
	struct first_name **bucket = &u->links[(h->ino ^ h->dev_minor) % LINK_BUCKETS], *l;
	size_t len = strlen(name) + 1;

	*is_first = false;
	for (l = *bucket; l != NULL; l = l->next)
		if (l->ino == h->ino && l->major == h->dev_major && l->minor == h->dev_minor)
			return l;
	l = kmalloc(sizeof(*l) + len);
	if (l == NULL)
		return NULL;
	*is_first = true;
	l->ino = h->ino;
	l->major = h->dev_major;
	l->minor = h->dev_minor;
	memcpy(l->name, name, len);
	l->next = *bucket;
	*bucket = l;
	return l;
}

static void forget_links(struct unpack *u)
{
	for (unsigned i = 0; i < LINK_BUCKETS; i++)
		while (u->links[i] != NULL) {
			struct first_name *l = u->links[i];

			u->links[i] = l->next;
			kfree(l);
		}
}

/* Directories above name that the archive did not bring. */
static int make_parents(char *name)
{
	for (char *p = strchr(name + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		int error;

		*p = '\0';
		error = vfs_mkdirat(AT_FDCWD, name, 0755);
		*p = '/';
		if (error != 0 && error != -EEXIST)
			return error;
	}
	return 0;
}

static int set_attributes(const char *name, const struct header *h)
{
	struct timestamp times[2] = {{h->mtime, 0}, {h->mtime, 0}};
	struct path p;
	int error = path_lookup(AT_FDCWD, name, 0, &p);

	if (error != 0)
		return error;
	error = vfs_chown(&p, h->uid, h->gid);
	if (error == 0 && !S_ISLNK(h->mode))
		error = vfs_chmod(&p, h->mode & S_IALLUGO);
	if (error == 0)
		error = vfs_utimes(&p, times);
	path_put(&p);
	return error;
}

static void report(const struct unpack *u, size_t have_read)
{
	if (u->have_read != NULL)
		u->have_read(have_read);
}

static int write_file(const struct unpack *u, const char *name, const struct header *h, const uint8_t *body)
{
	struct file *file;
	int error = vfs_openat(AT_FDCWD, name, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600, &file);

	if (error != 0)
		return error;
	for (uint32_t done = 0; done < h->size && error == 0;) {
		int64_t n = vfs_write_kernel(file, body + done, MIN(h->size - done, PIECE_BYTES), done);

		if (n <= 0)
			error = n < 0 ? (int)n : -ENOSPC;
		else
			report(u, (size_t)(body - u->data) + (done += (uint32_t)n));
	}
	file_put(file);
	return error;
}

static int make_regular(struct unpack *u, const char *name, const struct header *h, const uint8_t *body)
{
	bool is_first = true;

	if (h->nlink > 1) {
		const struct first_name *l = find_link(u, h, name, &is_first);
		int error;

		if (l == NULL)
			return -ENOMEM;
		if (!is_first) {
			error = vfs_linkat(AT_FDCWD, l->name, AT_FDCWD, name, 0);
			/* the data comes with one of the names, usually the last */
			if (error != 0 || h->size == 0)
				return error;
		}
	}
	return write_file(u, name, h, body);
}

static int make_symlink(const char *name, const struct header *h, const uint8_t *body)
{
	char *target;
	int error;

	if (h->size == 0 || h->size >= PATH_MAX_BYTES || memchr(body, 0, h->size) != NULL)
		return -EINVAL;
	target = kmalloc(h->size + 1);
	if (target == NULL)
		return -ENOMEM;
	memcpy(target, body, h->size);
	target[h->size] = '\0';
	error = vfs_symlinkat(target, AT_FDCWD, name);
	kfree(target);
	return error;
}

/* A later archive replaces what an earlier one brought, unless both are directories. */
static int make_node(struct unpack *u, const char *name, const struct header *h, const uint8_t *body)
{
	int error;

	if (!S_ISDIR(h->mode)) {
		error = vfs_unlinkat(AT_FDCWD, name, false);
		if (error != 0 && error != -ENOENT)
			return error;
	}
	switch (h->mode & S_IFMT) {
	case S_IFREG: return make_regular(u, name, h, body);
	case S_IFDIR: error = vfs_mkdirat(AT_FDCWD, name, 0755); return error == -EEXIST ? 0 : error;
	case S_IFLNK: return make_symlink(name, h, body);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK: return vfs_mknodat(AT_FDCWD, name, h->mode, dev_make(h->rdev_major, h->rdev_minor));
	default: return -EINVAL;
	}
}

static int unpack_member(struct unpack *u, const char *raw_name, const struct header *h, const uint8_t *body)
{
	char *name;
	int error;

	while (raw_name[0] == '/' || (raw_name[0] == '.' && raw_name[1] == '/'))
		raw_name++;
	if (raw_name[0] == '\0' || strcmp(raw_name, ".") == 0)
		return set_attributes("/", h);
	name = kmalloc(strlen(raw_name) + 2);
	if (name == NULL)
		return -ENOMEM;
	name[0] = '/';
	memcpy(name + 1, raw_name, strlen(raw_name) + 1);
	error = make_parents(name);
	if (error == 0)
		error = make_node(u, name, h, body);
	if (error == 0)
		error = set_attributes(name, h);
	if (error != 0)
		kprintf("%s: cannot make %s: error %d\n", u->name, name, -error);
	kfree(name);
	return error;
}

/* One header, name and body at u->at; moves it on. */
static int unpack_one(struct unpack *u)
{
	struct header h;
	const char *name;
	uint64_t body, end;
	int error = parse_header(u, &h);

	if (error != 0)
		return error;
	body = ALIGN_UP((uint64_t)u->at + HEADER_BYTES + h.name_len, 4);
	end = body + h.size;
	if (body > u->size || end > u->size)
		return bad(u, body > u->size ? "truncated name in the cpio archive"
					     : "truncated file in the cpio archive");
	name = (const char *)u->data + u->at + HEADER_BYTES;
	if (name[h.name_len - 1] != '\0' || strlen(name) != h.name_len - 1)
		return bad(u, "bad name in the cpio archive");
	if (strcmp(name, TRAILER) == 0) {
		forget_links(u);
	} else {
		error = unpack_member(u, name, &h, u->data + body);
		if (error != 0)
			return error == -EINVAL ? bad(u, "bad member of the cpio archive") : error;
	}
	u->at = (size_t)MIN(ALIGN_UP(end, 4), u->size);
	report(u, u->at);
	return 0;
}

int cpio_unpack(const char *archive_name, const void *archive, size_t size_bytes,
		void (*have_read)(size_t size_bytes))
{
	struct unpack *u = kzalloc(sizeof(*u));
	int error = 0;

	if (u == NULL)
		return -ENOMEM;
	u->name = archive_name;
	u->data = archive;
	u->size = size_bytes;
	u->have_read = have_read;
	while (error == 0) {
		while (u->at < u->size && u->data[u->at] == 0)
			u->at++;
		if (u->at == u->size)
			break;
		error = unpack_one(u);
	}
	forget_links(u);
	kfree(u);
	return error;
}
