// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/message.h"
#include "cli/screen.h"

#define ENTER		"\033[?1049h\033[?25l"	/* the other page, no cursor */
#define LEAVE		"\033[?25h\033[?1049l"
#define HOME		"\033[H"
#define CLEAR_LINE	"\033[K"
#define CLEAR_BELOW	"\033[J"
#define BRIGHT		"\033[1m"
#define PLAIN		"\033[0m"
#define ESCAPE		'\033'

#define ROWS_DEFAULT	24
#define COLUMNS_DEFAULT	80

struct terminal {
	struct termios former;
};

static void put(const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t written = write(STDOUT_FILENO, data, bytes);

		if (written < 0 && errno == EAGAIN)
			poll(&(struct pollfd){ .fd = STDOUT_FILENO, .events = POLLOUT }, 1, -1);
		else if (written < 0 && errno != EINTR)
			return;		/* the terminal is gone; its hang-up signal comes */
		if (written > 0) {
			data += written;
			bytes -= (size_t)written;
		}
	}
}

int screen_open(struct screen *screen)
{
	struct terminal *terminal = memory_zeroed(1, sizeof(*terminal));
	struct termios raw;
	int error;

	*screen = (struct screen){ .terminal = terminal };
	if (tcgetattr(STDIN_FILENO, &terminal->former))
		goto failed;
	raw = terminal->former;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;		/* a read returns at once with what there is */
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw))
		goto failed;
	put(ENTER, strlen(ENTER));
	return 0;

failed:
	error = -errno;
	screen->terminal = NULL;
	free(terminal);
	return error;
}

void screen_close(struct screen *screen)
{
	if (!screen->terminal)
		return;
	put(LEAVE, strlen(LEAVE));
	tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->terminal->former);
	free(screen->terminal);
	screen->terminal = NULL;
	buffer_free(&screen->frame);
}

void screen_begin(struct screen *screen)
{
	struct winsize size = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	screen->rows = size.ws_row ? size.ws_row : ROWS_DEFAULT;
	screen->columns = size.ws_col ? size.ws_col : COLUMNS_DEFAULT;
	screen->row = 0;
	buffer_clear(&screen->frame);
	buffer_string(&screen->frame, HOME);
}

size_t screen_fit(const char *text, unsigned int columns)
{
	size_t bytes = 0;

	while (text[bytes]) {
		/* Bytes that go on with a character take no column. */
		if (((unsigned char)text[bytes] & 0xc0) != 0x80 && !columns--)
			break;
		bytes++;
	}
	return bytes;
}

void screen_line(struct screen *screen, const char *text, bool bright)
{
	if (screen->row >= screen->rows)
		return;
	if (screen->row++)
		buffer_string(&screen->frame, "\r\n");
	if (bright)
		buffer_string(&screen->frame, BRIGHT);
	buffer_append(&screen->frame, text, screen_fit(text, screen->columns));
	if (bright)
		buffer_string(&screen->frame, PLAIN);
	buffer_string(&screen->frame, CLEAR_LINE);
}

/* One write, so that no half-drawn frame is seen. */
void screen_end(struct screen *screen)
{
	buffer_string(&screen->frame, CLEAR_BELOW);
	put(screen->frame.data, screen->frame.bytes);
}

int screen_key(struct screen *screen)
{
	unsigned char key, rest[16];

	(void)screen;
	if (read(STDIN_FILENO, &key, 1) != 1)
		return 0;
	/* What follows Escape at once is the rest of a function key. */
	if (key == ESCAPE && read(STDIN_FILENO, rest, sizeof(rest)) > 0)
		return screen_key(screen);
	return key;
}
