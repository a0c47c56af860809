// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A queue of requests, sent one after the other in the order of their windows, by libcurl's multi interface driven from
 * outside: it says which sockets it waits for and until when, the caller's loop waits. A request that did not get
 * through stays at the head; the ones behind it wait, as they would fare no better.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <zlib.h>

#include "base/message.h"
#include "export/otlp.h"
#include "lib/libktally.h"

/* Requests that wait, compressed. A host makes about 20 KiB of them in 30 seconds. */
#define QUEUE_BYTES_MOST	(8U << 20)

struct batch {
	struct batch *next;
	unsigned char *data;
	size_t bytes, points;
	uint64_t first_attempt;		/* 0: none yet */
};

struct otlp {
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	bool gzip;

	struct pollfd *sockets;
	size_t socket_count;
	uint64_t due;			/* when libcurl wants to be called; UINT64_MAX: no need */

	struct batch *first, **last;	/* first is the one under way */
	size_t queued_bytes;
	bool under_way;
	uint64_t next_attempt, interval;

	struct buffer body;
	size_t header_bytes, body_bytes;	/* of the answer, kept or not */
	char detail[CURL_ERROR_SIZE];
	struct otlp_statistics statistics;
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* ---- what libcurl calls ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
	struct otlp *otlp = context;
	short events = 0;
	size_t i = 0;

	(void)easy;
	(void)socket_context;
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= POLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= POLLOUT;
	while (i < otlp->socket_count && otlp->sockets[i].fd != fd)
		i++;
	if (what == CURL_POLL_REMOVE) {
		if (i < otlp->socket_count)
			otlp->sockets[i] = otlp->sockets[--otlp->socket_count];
		return 0;
	}
	if (i == otlp->socket_count)
		otlp->sockets = memory_resized(otlp->sockets, ++otlp->socket_count, sizeof(*otlp->sockets));
	otlp->sockets[i] = (struct pollfd){ .fd = fd, .events = events };
	return 0;
}

static int on_timer(CURLM *multi, long milliseconds, void *context)
{
	struct otlp *otlp = context;

	(void)multi;
	otlp->due = milliseconds < 0 ? UINT64_MAX : now() + (uint64_t)milliseconds;
	return 0;
}

/* Of this and the next: returning anything but the number of bytes ends the transfer. */
static size_t on_header(char *data, size_t size, size_t count, void *context)
{
	struct otlp *otlp = context;

	(void)data;
	otlp->header_bytes += size * count;
	return otlp->header_bytes > OTLP_HEADERS_MOST ? 0 : size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct otlp *otlp = context;
	size_t bytes = size * count, room = OTLP_BODY_KEPT - otlp->body.bytes;

	buffer_append(&otlp->body, data, bytes < room ? bytes : room);
	otlp->body_bytes += bytes;
	return otlp->body_bytes > OTLP_BODY_MOST ? 0 : bytes;
}

/* ---- making and unmaking ---- */

static bool add_header(struct otlp *otlp, const char *line)
{
	struct curl_slist *longer = curl_slist_append(otlp->headers, line);

	if (longer)
		otlp->headers = longer;
	return longer;
}

static bool set_up(struct otlp *otlp, const struct otlp_options *options)
{
	long timeout = options->timeout_ms ? (long)options->timeout_ms : 10000;
	const char *endpoint = options->endpoint ? options->endpoint : "http://localhost:4318/v1/metrics";
	CURL *easy = otlp->easy;
	char agent[64];
	bool failed;

	snprintf(agent, sizeof(agent), "ktally/%s OTel-OTLP-Exporter-C/%s", ktally_version(), ktally_version());
	failed = !add_header(otlp, "Content-Type: application/x-protobuf") || !add_header(otlp, "Expect:") ||
		 (otlp->gzip && !add_header(otlp, "Content-Encoding: gzip")) ||
		 otlp_headers(options->headers, &otlp->headers);
	/* Threads of a resolver must not keep the program from ending, and no signal may be taken from it. */
	failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) || curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	failed |= curl_easy_setopt(easy, CURLOPT_URL, endpoint) || curl_easy_setopt(easy, CURLOPT_USERAGENT, agent);
#if LIBCURL_VERSION_NUM >= 0x075500
	failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK;
#else
	failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) != CURLE_OK;
#endif
	failed |= curl_easy_setopt(easy, CURLOPT_PROXY, "") || curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	failed |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, otlp->headers) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout) ||
		  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout);
	failed |= curl_easy_setopt(easy, CURLOPT_POST, 1L) || curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, otlp->detail);
	failed |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) ||
		  curl_easy_setopt(easy, CURLOPT_HEADERDATA, otlp);
	failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) || curl_easy_setopt(easy, CURLOPT_WRITEDATA, otlp);
	if (options->certificate)
		failed |= curl_easy_setopt(easy, CURLOPT_CAINFO, options->certificate) != CURLE_OK;
	if (options->client_certificate)
		failed |= curl_easy_setopt(easy, CURLOPT_SSLCERT, options->client_certificate) != CURLE_OK;
	if (options->client_key)
		failed |= curl_easy_setopt(easy, CURLOPT_SSLKEY, options->client_key) != CURLE_OK;
	failed |= curl_multi_setopt(otlp->multi, CURLMOPT_SOCKETFUNCTION, on_socket) ||
		  curl_multi_setopt(otlp->multi, CURLMOPT_SOCKETDATA, otlp) ||
		  curl_multi_setopt(otlp->multi, CURLMOPT_TIMERFUNCTION, on_timer) ||
		  curl_multi_setopt(otlp->multi, CURLMOPT_TIMERDATA, otlp);
	return !failed;
}

struct otlp *otlp_create(const struct otlp_options *options)
{
	static bool initialized;
	struct otlp *otlp;

	if (!initialized && curl_global_init(CURL_GLOBAL_DEFAULT)) {
		message_error("libcurl cannot be used: is its TLS library installed?");
		return NULL;
	}
	initialized = true;
	if (otlp_check_options(options))
		return NULL;
	otlp = memory_zeroed(1, sizeof(*otlp));
	otlp->last = &otlp->first;
	otlp->due = UINT64_MAX;
	otlp->gzip = !options->compression || !strcmp(options->compression, "gzip");
	otlp->multi = curl_multi_init();
	otlp->easy = curl_easy_init();
	if (!otlp->multi || !otlp->easy || !set_up(otlp, options)) {
		message_error("libcurl lacks something that is needed to send metrics to %s",
			      options->endpoint ? options->endpoint : "a collector");
		otlp_destroy(otlp);
		return NULL;
	}
	return otlp;
}

static void free_batch(struct batch *batch)
{
	free(batch->data);
	free(batch);
}

void otlp_destroy(struct otlp *otlp)
{
	if (!otlp)
		return;
	if (otlp->under_way)
		curl_multi_remove_handle(otlp->multi, otlp->easy);
	curl_easy_cleanup(otlp->easy);
	curl_multi_cleanup(otlp->multi);
	curl_slist_free_all(otlp->headers);
	while (otlp->first) {
		struct batch *batch = otlp->first;

		otlp->first = batch->next;
		free_batch(batch);
	}
	buffer_free(&otlp->body);
	free(otlp->sockets);
	free(otlp);
}

/* ---- the queue ---- */

static void remove_batch(struct otlp *otlp, struct batch **place)
{
	struct batch *batch = *place;

	*place = batch->next;
	if (otlp->last == &batch->next)
		otlp->last = place;
	otlp->queued_bytes -= batch->bytes;
	free_batch(batch);
}

static void drop(struct otlp *otlp, struct batch **place)
{
	otlp->statistics.batches_dropped++;
	otlp->statistics.points_dropped += (*place)->points;
	remove_batch(otlp, place);
}

static void compress_batch(struct batch *batch, const void *data, size_t bytes)
{
	z_stream stream = { .next_in = (void *)data, .avail_in = (uInt)bytes };

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		message_fatal(EXIT_FAILED, "out of memory");
	batch->bytes = deflateBound(&stream, bytes);
	batch->data = memory_zeroed(batch->bytes, 1);
	stream.next_out = batch->data;
	stream.avail_out = (uInt)batch->bytes;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		message_fatal(EXIT_FAILED, "zlib cannot compress %zu bytes: is it another version?", bytes);
	batch->bytes = stream.total_out;
	deflateEnd(&stream);
	batch->data = memory_resized(batch->data, batch->bytes, 1);
}

int otlp_submit(struct otlp *otlp, const void *data, size_t bytes, size_t points)
{
	struct batch *batch;
	int result = 0;

	if (!bytes)
		return 0;
	if (bytes > QUEUE_BYTES_MOST) {
		otlp->statistics.batches_dropped++;
		otlp->statistics.points_dropped += points;
		return -EMSGSIZE;
	}
	batch = memory_zeroed(1, sizeof(*batch));
	batch->points = points;
	if (otlp->gzip) {
		compress_batch(batch, data, bytes);
	} else {
		batch->data = memory_zeroed(bytes, 1);
		memcpy(batch->data, data, bytes);
		batch->bytes = bytes;
	}
	/* What is under way cannot be taken back; it counts all the same. */
	while (otlp->queued_bytes + batch->bytes > QUEUE_BYTES_MOST) {
		struct batch **oldest = otlp->under_way ? &otlp->first->next : &otlp->first;

		if (!*oldest)
			break;
		drop(otlp, oldest);
		result = -ENOBUFS;
	}
	otlp->queued_bytes += batch->bytes;
	*otlp->last = batch;
	otlp->last = &batch->next;
	return result;
}

bool otlp_idle(const struct otlp *otlp)
{
	return !otlp->first;
}

/* ---- requests ---- */

static uint32_t random_number(void)
{
	uint32_t number;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		number = (uint32_t)now() * 2654435769U;		/* shortly after boot */
	return number;
}

static void try_again(struct otlp *otlp, uint64_t retry_after_ms)
{
	uint64_t wait = otlp_backoff(&otlp->interval, random_number());

	if (retry_after_ms)
		wait = retry_after_ms < OTLP_RETRY_AFTER_MS_MOST ? retry_after_ms : OTLP_RETRY_AFTER_MS_MOST;
	otlp->next_attempt = now() + wait;
	if (otlp->next_attempt > otlp->first->first_attempt + OTLP_GIVE_UP_MS)
		drop(otlp, &otlp->first);
	else
		otlp->statistics.retries++;
}

static void conclude(struct otlp *otlp, const struct otlp_answer *answer, uint64_t retry_after_ms)
{
	struct otlp_statistics *statistics = &otlp->statistics;
	bool accepted = answer->verdict == OTLP_ACCEPTED;

	snprintf(statistics->last_error, sizeof(statistics->last_error), "%s", accepted ? "" : answer->message);
	if (answer->verdict == OTLP_TRY_AGAIN) {
		statistics->failures++;
		try_again(otlp, retry_after_ms);
		return;
	}
	otlp->interval = 0;
	if (!accepted) {
		statistics->failures++;
		drop(otlp, &otlp->first);
		return;
	}
	if (answer->rejected || *answer->message)
		snprintf(statistics->last_rejection, sizeof(statistics->last_rejection), "%s", answer->message);
	statistics->points_rejected += answer->rejected < otlp->first->points ? answer->rejected : otlp->first->points;
	remove_batch(otlp, &otlp->first);
}

/* Whether a request came to its end. */
static bool finish(struct otlp *otlp)
{
	struct otlp_answer answer;
	curl_off_t retry_after = 0;
	CURLcode code = CURLE_OK;
	CURLMsg *message;
	const char *type = NULL;
	bool done = false;
	long status = 0;
	int left;

	while ((message = curl_multi_info_read(otlp->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		done = true;
		code = message->data.result;
	}
	if (!done)
		return false;
	curl_easy_getinfo(otlp->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(otlp->easy, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(otlp->easy, CURLINFO_RETRY_AFTER, &retry_after);
	if (code == CURLE_OK)
		otlp_read_answer(&answer, status, type, &otlp->body);
	else
		otlp_read_failure(&answer, code, otlp->detail);
	curl_multi_remove_handle(otlp->multi, otlp->easy);
	otlp->under_way = false;
	if (retry_after < 0 || code != CURLE_OK)
		retry_after = 0;
	if (retry_after > OTLP_RETRY_AFTER_MS_MOST / 1000)
		retry_after = OTLP_RETRY_AFTER_MS_MOST / 1000;
	conclude(otlp, &answer, (uint64_t)retry_after * 1000);
	return true;
}

/* Whether a request was begun. */
static bool begin(struct otlp *otlp)
{
	struct batch *batch = otlp->first;

	if (otlp->under_way || !batch || now() < otlp->next_attempt)
		return false;
	if (!batch->first_attempt)
		batch->first_attempt = now();
	buffer_clear(&otlp->body);
	otlp->header_bytes = 0;
	otlp->body_bytes = 0;
	otlp->detail[0] = '\0';
	curl_easy_setopt(otlp->easy, CURLOPT_POSTFIELDS, batch->data);
	curl_easy_setopt(otlp->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)batch->bytes);
	if (curl_multi_add_handle(otlp->multi, otlp->easy))
		message_fatal(EXIT_FAILED, "libcurl does not take a request: out of memory");
	otlp->under_way = true;
	otlp->statistics.requests++;
	return true;
}

static void act(struct otlp *otlp)
{
	struct pollfd ready[8];
	size_t count = otlp_fds(otlp, ready, sizeof(ready) / sizeof(ready[0]));
	int running;

	if (count && poll(ready, count, 0) > 0) {
		for (size_t i = 0; i < count; i++) {
			int what = (ready[i].revents & (POLLIN | POLLHUP) ? CURL_CSELECT_IN : 0) |
				   (ready[i].revents & POLLOUT ? CURL_CSELECT_OUT : 0) |
				   (ready[i].revents & (POLLERR | POLLNVAL) ? CURL_CSELECT_ERR : 0);

			if (what)
				curl_multi_socket_action(otlp->multi, ready[i].fd, what, &running);
		}
	}
	if (now() >= otlp->due) {
		otlp->due = UINT64_MAX;
		curl_multi_socket_action(otlp->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
}

void otlp_run(struct otlp *otlp)
{
	bool finished, begun;

	do {
		act(otlp);
		finished = finish(otlp);
		begun = begin(otlp);
	} while (finished || begun);
}

int otlp_timeout(struct otlp *otlp)
{
	uint64_t due = otlp->due, time = now();

	if (otlp->first && !otlp->under_way && otlp->next_attempt < due)
		due = otlp->next_attempt;
	if (due == UINT64_MAX)
		return -1;
	if (due <= time)
		return 0;
	return due - time < INT_MAX ? (int)(due - time) : INT_MAX;
}

size_t otlp_fds(struct otlp *otlp, struct pollfd *fds, size_t most)
{
	size_t count = otlp->socket_count < most ? otlp->socket_count : most;

	if (count)
		memcpy(fds, otlp->sockets, count * sizeof(*fds));
	return count;
}

void otlp_get_statistics(const struct otlp *otlp, struct otlp_statistics *statistics)
{
	*statistics = otlp->statistics;
}
