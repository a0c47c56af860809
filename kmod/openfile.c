// SPDX-License-Identifier: GPL-2.0
#include "openfile.h"

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "files.h"
#include "gate.h"
#include "vdso.h"

static const char deleted[] = " (deleted)";

/* A file whose path cannot be told is still worth having: its path is empty then. */
static const char *path_of(const struct path *path, char *buffer, u32 *status)
{
	char *text = d_path(path, buffer, PATH_MAX), *end;

	if (IS_ERR(text))
		return "";
	if (d_unlinked(path->dentry)) {
		*status |= KTALLY_FILE_DELETED;
		end = text + strlen(text) - strlen(deleted);
		if (end > text && !strcmp(end, deleted))
			*end = '\0';
	}
	return text;
}

static int write_path(const struct ktally_borrowed *held, struct ktally_open_file *request)
{
	char *buffer;
	const char *text;
	u32 bytes;
	int err = 0;

	buffer = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	text = ktally_vdso_is(held->file) ? KTALLY_VDSO_PATH :
					    path_of(ktally_file_user_path(held->seen), buffer, &request->status);
	bytes = strlen(text) + 1;
	if (request->path && bytes > request->path_bytes)
		err = -ENAMETOOLONG;
	else if (request->path && copy_to_user(u64_to_user_ptr(request->path), text, bytes))
		err = -EFAULT;
	request->path_bytes = bytes;
	kfree(buffer);
	return err;
}

/*
 * Whoever asks must be allowed to read the file, wherever it lies: of the directories on the way
 * only the process needed to know. Of a union file system, what is found by the path may be another
 * file by now, which was copied up.
 *
 * Nobody is waited for who has a lease of the file, which any process can have of its own ones, and give up as late as
 * the kernel lets it: 45 seconds, of whoever opens files. That he is to is told him all the same.
 */
static struct file *open_again(const struct path *path, const struct ktally_file *record)
{
	struct file *file;
	int err;

	err = path_permission(path, MAY_READ);
	if (err)
		return ERR_PTR(err);
	file = dentry_open(path, O_RDONLY | O_LARGEFILE | O_NONBLOCK, current_cred());
	if (IS_ERR(file))
		return file;
	file->f_flags &= ~O_NONBLOCK;
	if (ktally_file_is_unwritten(record, file))
		return file;
	fput(file);
	return ERR_PTR(-ESTALE);
}

int ktally_file_open(const struct ktally_gate *gate, struct ktally_open_file *request, struct ktally_opened *opened)
{
	struct ktally_borrowed held;
	struct ktally_file record;
	int err;

	if (request->flags)
		return -EINVAL;
	err = ktally_gate_check_host(gate, KTALLY_RIGHT_OPEN_FILE);
	if (!err && !capable(CAP_SYS_PTRACE))
		err = -EPERM;
	if (!err)
		err = ktally_file_borrow(request->file, &held, &record);
	if (err)
		return err;

	err = -ESTALE;
	if (!ktally_file_is_unwritten(&record, held.file))
		goto out;
	request->status = 0;
	err = write_path(&held, request);
	if (err)
		goto out;
	opened->fd = get_unused_fd_flags(O_CLOEXEC);
	if (opened->fd < 0) {
		err = opened->fd;
		goto out;
	}
	opened->file = open_again(&held.file->f_path, &record);
	if (IS_ERR(opened->file)) {
		err = PTR_ERR(opened->file);
		put_unused_fd(opened->fd);
		goto out;
	}
	request->fd = opened->fd;
out:
	ktally_hold_return(&held);
	return err;
}

void ktally_file_give(const struct ktally_opened *opened)
{
	fd_install(opened->fd, opened->file);
}

void ktally_file_give_up(const struct ktally_opened *opened)
{
	put_unused_fd(opened->fd);
	fput(opened->file);
}
