// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The batches of a queue, sent one after the other by libcurl's multi interface driven from outside: it says which sockets it waits
 * for and until when, the caller's loop waits.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/message.h"
#include "export/compress.h"
#include "export/sender_parts.h"
#include "lib/libktally.h"

/* For a slow disk to take the last batches. */
#define DESTROY_MS 2000

/* A batch that is not compressed, if some of it is to be sent again. */
#define SENDER_REST_MOST (64U << 20)

struct sender {
	const struct sender_protocol *protocol;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers[COMPRESSIONS];
	size_t body_kept;

	struct pollfd *sockets;
	size_t socket_count;
	uint64_t due;			/* when libcurl wants to be called; UINT64_MAX: no need */

	struct queue *queue;
	struct queue_batch batch;	/* the one under way */
	bool under_way;
	uint64_t next_attempt, interval;

	struct buffer body;
	size_t header_bytes, body_bytes;	/* of the answer, kept or not */
	char detail[CURL_ERROR_SIZE];
	struct sender_statistics statistics;
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
	struct sender *sender = context;
	short events = 0;
	size_t i = 0;

	(void)easy;
	(void)socket_context;
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= POLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= POLLOUT;
	while (i < sender->socket_count && sender->sockets[i].fd != fd)
		i++;
	if (what == CURL_POLL_REMOVE) {
		if (i < sender->socket_count)
			sender->sockets[i] = sender->sockets[--sender->socket_count];
		return 0;
	}
	if (i == sender->socket_count)
		sender->sockets = memory_resized(sender->sockets, ++sender->socket_count, sizeof(*sender->sockets));
	sender->sockets[i] = (struct pollfd){ .fd = fd, .events = events };
	return 0;
}

static int on_timer(CURLM *multi, long milliseconds, void *context)
{
	struct sender *sender = context;

	(void)multi;
	sender->due = milliseconds < 0 ? UINT64_MAX : now() + (uint64_t)milliseconds;
	return 0;
}

/* Of this and the next: returning anything but the number of bytes ends the transfer. */
static size_t on_header(char *data, size_t size, size_t count, void *context)
{
	struct sender *sender = context;

	(void)data;
	sender->header_bytes += size * count;
	return sender->header_bytes > SENDER_HEADERS_MOST ? 0 : size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct sender *sender = context;
	size_t bytes = size * count, room = sender->body_kept - sender->body.bytes;

	buffer_append(&sender->body, data, bytes < room ? bytes : room);
	sender->body_bytes += bytes;
	return sender->body_bytes > SENDER_BODY_MOST ? 0 : bytes;
}

/* ---- making and unmaking ---- */

static bool add_header(struct curl_slist **headers, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*headers, line);

	if (longer)
		*headers = longer;
	return longer;
}

/* For each compression, as batches of the spool may have another than those of today. */
static bool make_headers(struct sender *sender, const struct sender_options *options)
{
	char type[128], encoding[64];
	bool made = true;

	snprintf(type, sizeof(type), "Content-Type: %s", sender->protocol->content_type);
	for (unsigned int i = 0; i < COMPRESSIONS; i++) {
		struct curl_slist **headers = &sender->headers[i];

		snprintf(encoding, sizeof(encoding), "Content-Encoding: %s", compression_name(i));
		made &= add_header(headers, type) && add_header(headers, "Expect:") &&
			(i == COMPRESSION_NONE || add_header(headers, encoding)) && !sender_headers(options->headers, headers);
	}
	return made;
}

static bool set_up(struct sender *sender, const struct sender_options *options)
{
	long timeout = options->timeout_ms ? (long)options->timeout_ms : 10000;
	CURL *easy = sender->easy;
	char agent[64];
	bool failed;

	snprintf(agent, sizeof(agent), "ktally/%s OTel-OTLP-Exporter-C/%s", ktally_version(), ktally_version());
	failed = !make_headers(sender, options);
	/* Threads of a resolver must not keep the program from ending, and no signal may be taken from it. */
	failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) || curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	failed |= curl_easy_setopt(easy, CURLOPT_URL, options->endpoint) || curl_easy_setopt(easy, CURLOPT_USERAGENT, agent);
#if LIBCURL_VERSION_NUM >= 0x075500
	failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK;
#else
	failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) != CURLE_OK;
#endif
	failed |= curl_easy_setopt(easy, CURLOPT_PROXY, "") || curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	failed |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) != CURLE_OK;
	failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout) ||
		  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout);
	failed |= curl_easy_setopt(easy, CURLOPT_POST, 1L) || curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, sender->detail);
	failed |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) ||
		  curl_easy_setopt(easy, CURLOPT_HEADERDATA, sender);
	failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) || curl_easy_setopt(easy, CURLOPT_WRITEDATA, sender);
	if (options->method)
		failed |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, options->method) != CURLE_OK;
	if (options->certificate)
		failed |= curl_easy_setopt(easy, CURLOPT_CAINFO, options->certificate) != CURLE_OK;
	if (options->client_certificate)
		failed |= curl_easy_setopt(easy, CURLOPT_SSLCERT, options->client_certificate) != CURLE_OK;
	if (options->client_key)
		failed |= curl_easy_setopt(easy, CURLOPT_SSLKEY, options->client_key) != CURLE_OK;
	failed |= curl_multi_setopt(sender->multi, CURLMOPT_SOCKETFUNCTION, on_socket) ||
		  curl_multi_setopt(sender->multi, CURLMOPT_SOCKETDATA, sender) ||
		  curl_multi_setopt(sender->multi, CURLMOPT_TIMERFUNCTION, on_timer) ||
		  curl_multi_setopt(sender->multi, CURLMOPT_TIMERDATA, sender);
	return !failed;
}

struct sender *sender_create(const struct sender_options *options)
{
	static bool initialized;
	struct queue_options queue_options = { .spool = options->spool, .spool_bytes = options->spool_bytes };
	struct sender *sender;

	if (!initialized && curl_global_init(CURL_GLOBAL_DEFAULT)) {
		message_error("libcurl cannot be used: is its TLS library installed?");
		return NULL;
	}
	initialized = true;
	if (sender_check_options(options))
		return NULL;
	sender = memory_zeroed(1, sizeof(*sender));
	sender->due = UINT64_MAX;
	sender->protocol = options->protocol;
	sender->body_kept = options->protocol->body_kept ? options->protocol->body_kept : SENDER_BODY_KEPT;
	sender->multi = curl_multi_init();
	sender->easy = curl_easy_init();
	if (!sender->multi || !sender->easy || !set_up(sender, options)) {
		message_error("libcurl lacks something that is needed to send %s to %s", options->protocol->name, options->endpoint);
		sender_destroy(sender);
		return NULL;
	}
	compression_parse(options->compression, &queue_options.compression);
	if (queue_create(&sender->queue, &queue_options)) {
		sender_destroy(sender);
		return NULL;
	}
	return sender;
}

void sender_destroy(struct sender *sender)
{
	if (!sender)
		return;
	if (sender->under_way)
		curl_multi_remove_handle(sender->multi, sender->easy);
	curl_easy_cleanup(sender->easy);
	curl_multi_cleanup(sender->multi);
	for (unsigned int i = 0; i < COMPRESSIONS; i++)
		curl_slist_free_all(sender->headers[i]);
	queue_destroy(sender->queue, DESTROY_MS);
	buffer_free(&sender->body);
	free(sender->sockets);
	free(sender);
}

/* ---- requests ---- */

static uint32_t random_number(void)
{
	uint32_t number;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		number = (uint32_t)now() * 2654435769U;		/* shortly after boot */
	return number;
}

static void wait(struct sender *sender, uint64_t retry_after_ms)
{
	uint64_t wait = sender_backoff(&sender->interval, random_number());

	if (retry_after_ms)
		wait = retry_after_ms < SENDER_RETRY_AFTER_MS_MOST ? retry_after_ms : SENDER_RETRY_AFTER_MS_MOST;
	sender->next_attempt = now() + wait;
	sender->statistics.retries++;
}

/*
 * What was not taken becomes a batch of its own before this one goes, so that nothing is lost in between; if the process ends there, some of it
 * arrives twice, as when an answer is lost. false: there is no such rest.
 */
static bool submit_rest(struct sender *sender)
{
	const struct queue_batch *batch = &sender->batch;
	struct buffer sent = { 0 }, rest = { 0 };
	size_t points = 0;

	if (!decompress_append(&sent, batch->compression, batch->data, batch->bytes, SENDER_REST_MOST))
		points = sender->protocol->select_rest(&rest, &sent, &sender->body);
	if (points)
		queue_add(sender->queue, rest.data, rest.bytes, points);
	buffer_free(&sent);
	buffer_free(&rest);
	return points;
}

/* false: nothing of it is to be sent again after all, or nobody knows what. */
static bool conclude_partly(struct sender *sender, const struct sender_answer *answer, uint64_t retry_after_ms)
{
	struct sender_statistics *statistics = &sender->statistics;

	if (!submit_rest(sender))
		return false;
	statistics->failures++;
	statistics->batches_accepted++;
	statistics->points_rejected += answer->rejected < sender->batch.points ? answer->rejected : sender->batch.points;
	if (answer->rejected)
		snprintf(statistics->last_rejection, sizeof(statistics->last_rejection), "%s", answer->message);
	queue_remove(sender->queue);
	wait(sender, retry_after_ms);
	return true;
}

static void conclude(struct sender *sender, const struct sender_answer *answer, uint64_t retry_after_ms)
{
	struct sender_statistics *statistics = &sender->statistics;
	bool accepted = answer->verdict == SENDER_ACCEPTED || answer->verdict == SENDER_PARTLY;
	uint64_t points = sender->batch.points;

	snprintf(statistics->last_error, sizeof(statistics->last_error), "%s", accepted ? "" : answer->message);
	if (answer->verdict == SENDER_TRY_AGAIN) {
		statistics->failures++;
		queue_put_back(sender->queue);
		wait(sender, retry_after_ms);
		return;
	}
	if (answer->verdict == SENDER_PARTLY && conclude_partly(sender, answer, retry_after_ms))
		return;
	sender->interval = 0;
	if (accepted) {
		statistics->batches_accepted++;
		statistics->points_rejected += answer->rejected < points ? answer->rejected : points;
	} else {
		statistics->failures++;
		statistics->batches_refused++;
		statistics->points_refused += points;
	}
	if (accepted && (answer->rejected || *answer->message))
		snprintf(statistics->last_rejection, sizeof(statistics->last_rejection), "%s", answer->message);
	queue_remove(sender->queue);
}

/* Whether a request came to its end. */
static bool finish(struct sender *sender)
{
	struct sender_answer answer;
	curl_off_t retry_after = 0;
	CURLcode code = CURLE_OK;
	CURLMsg *message;
	const char *type = NULL;
	bool done = false;
	long status = 0;
	int left;

	while ((message = curl_multi_info_read(sender->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		done = true;
		code = message->data.result;
	}
	if (!done)
		return false;
	curl_easy_getinfo(sender->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(sender->easy, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(sender->easy, CURLINFO_RETRY_AFTER, &retry_after);
	if (code == CURLE_OK)
		sender->protocol->read_answer(&answer, status, type, &sender->body);
	else
		sender_read_failure(&answer, code, sender->detail);
	curl_multi_remove_handle(sender->multi, sender->easy);
	sender->under_way = false;
	if (retry_after < 0 || code != CURLE_OK)
		retry_after = 0;
	if (retry_after > SENDER_RETRY_AFTER_MS_MOST / 1000)
		retry_after = SENDER_RETRY_AFTER_MS_MOST / 1000;
	conclude(sender, &answer, (uint64_t)retry_after * 1000);
	return true;
}

/* Whether a request was begun. */
static bool begin(struct sender *sender)
{
	if (sender->under_way || now() < sender->next_attempt || !queue_take(sender->queue, &sender->batch))
		return false;
	buffer_clear(&sender->body);
	sender->header_bytes = 0;
	sender->body_bytes = 0;
	sender->detail[0] = '\0';
	curl_easy_setopt(sender->easy, CURLOPT_HTTPHEADER, sender->headers[sender->batch.compression]);
	curl_easy_setopt(sender->easy, CURLOPT_POSTFIELDS, sender->batch.data);
	curl_easy_setopt(sender->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)sender->batch.bytes);
	if (curl_multi_add_handle(sender->multi, sender->easy))
		message_fatal(EXIT_FAILED, "libcurl does not take a request: out of memory");
	sender->under_way = true;
	sender->statistics.requests++;
	return true;
}

static size_t sockets(const struct sender *sender, struct pollfd *fds, size_t most)
{
	size_t count = sender->socket_count < most ? sender->socket_count : most;

	if (count)
		memcpy(fds, sender->sockets, count * sizeof(*fds));
	return count;
}

static void act(struct sender *sender)
{
	struct pollfd ready[SENDER_FDS_MOST];
	size_t count = sockets(sender, ready, SENDER_FDS_MOST);
	int running;

	if (count && poll(ready, count, 0) > 0) {
		for (size_t i = 0; i < count; i++) {
			int what = (ready[i].revents & (POLLIN | POLLHUP) ? CURL_CSELECT_IN : 0) |
				   (ready[i].revents & POLLOUT ? CURL_CSELECT_OUT : 0) |
				   (ready[i].revents & (POLLERR | POLLNVAL) ? CURL_CSELECT_ERR : 0);

			if (what)
				curl_multi_socket_action(sender->multi, ready[i].fd, what, &running);
		}
	}
	if (now() >= sender->due) {
		sender->due = UINT64_MAX;
		curl_multi_socket_action(sender->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
}

/* ---- what its owner calls ---- */

int sender_submit(struct sender *sender, const void *data, size_t bytes, size_t points)
{
	return queue_add(sender->queue, data, bytes, points);
}

void sender_run(struct sender *sender)
{
	bool finished, begun;

	queue_run(sender->queue);
	do {
		act(sender);
		finished = finish(sender);
		begun = begin(sender);
	} while (finished || begun);
}

int sender_timeout(struct sender *sender)
{
	uint64_t due = sender->due, time = now();

	/* The queue's descriptor tells when a batch becomes ready. */
	if (queue_is_ready(sender->queue) && sender->next_attempt < due)
		due = sender->next_attempt;
	if (due == UINT64_MAX)
		return -1;
	if (due <= time)
		return 0;
	return due - time < INT_MAX ? (int)(due - time) : INT_MAX;
}

size_t sender_fds(struct sender *sender, struct pollfd *fds, size_t most)
{
	if (!most)
		return 0;
	fds[0] = (struct pollfd){ .fd = queue_fd(sender->queue), .events = POLLIN };
	return 1 + sockets(sender, fds + 1, most - 1);
}

bool sender_idle(const struct sender *sender)
{
	return queue_is_empty(sender->queue);
}

bool sender_is_safe(const struct sender *sender)
{
	return queue_is_safe(sender->queue);
}

void sender_get_statistics(const struct sender *sender, struct sender_statistics *statistics)
{
	*statistics = sender->statistics;
	queue_get_statistics(sender->queue, &statistics->queue);
}
