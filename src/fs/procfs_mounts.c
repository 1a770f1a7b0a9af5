/*
 * /proc/PID/mounts and mountinfo: the mount tree as the process's root shows it. No
 * state of its own; the list of mounts changes only without sleeping.
 */
#include "fs/proc.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

#define ESCAPED " \t\n#"
#define OPTIONS_BYTES 256

/* The target as seen from the reader's root; NULL: outside of it. */
static const char *mount_target(struct mount *m, char *page)
{
	const struct path root = {m, m->root};
	const char *name = path_name(&root, page, PATH_MAX_BYTES);

	return name == NULL || name[0] != '/' ? NULL : name;
}

static void put_super_options(struct seqbuf *s, struct superblock *sb)
{
	char options[OPTIONS_BYTES];

	if (sb->show_options != NULL && sb->show_options(sb, options, sizeof(options)) > 0)
		seq_puts(s, options);
}

static void put_mounts_line(struct seqbuf *s, struct mount *m, const char *target)
{
	seq_escape(s, m->source != NULL ? m->source : "none", ESCAPED);
	seq_puts(s, " ");
	seq_escape(s, target, ESCAPED);
	seq_printf(s, " %s %s,relatime", m->sb->fstype, m->is_readonly || m->sb->is_readonly ? "ro" : "rw");
	put_super_options(s, m->sb);
	seq_puts(s, " 0 0\n");
}

/* The part of its file system a (bind) mount shows. */
static void put_root_in_fs(struct seqbuf *s, const struct dentry *d)
{
	const struct dentry *names[64];
	unsigned nr = 0;

	for (; d->parent != NULL && nr < ARRAY_SIZE(names); d = d->parent)
		names[nr++] = d;
	if (nr == 0)
		seq_puts(s, "/");
	while (nr > 0) {
		seq_puts(s, "/");
		seq_escape(s, names[--nr]->name, ESCAPED);
	}
}

static void put_mountinfo_line(struct seqbuf *s, struct mount *m, const char *target)
{
	seq_printf(s, "%d %d %u:%u ", m->id, m->parent != NULL ? m->parent->id : m->id, dev_major(m->sb->dev),
		   dev_minor(m->sb->dev));
	put_root_in_fs(s, m->root);
	seq_puts(s, " ");
	seq_escape(s, target, ESCAPED);
	seq_printf(s, " %s,relatime - %s ", m->is_readonly ? "ro" : "rw", m->sb->fstype);
	seq_escape(s, m->source != NULL ? m->source : "none", ESCAPED);
	seq_puts(s, m->sb->is_readonly ? " ro" : " rw");
	put_super_options(s, m->sb);
	seq_puts(s, "\n");
}

static int show(struct seqbuf *s, void (*put_line)(struct seqbuf *s, struct mount *m, const char *target))
{
	char *page = kmalloc(PATH_MAX_BYTES);
	struct mount *m;

	if (page == NULL)
		return -ENOMEM;
	LIST_FOR_EACH(m, &vfs_mounts, link) {
		const char *target = mount_target(m, page);

		if (target != NULL)
			put_line(s, m, target);
	}
	kfree(page);
	return 0;
}

int proc_show_mounts(struct seqbuf *s, const struct proc_target *t)
{
	(void)t;
	return show(s, put_mounts_line);
}

int proc_show_mountinfo(struct seqbuf *s, const struct proc_target *t)
{
	(void)t;
	return show(s, put_mountinfo_line);
}
