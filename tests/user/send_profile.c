// SPDX-License-Identifier: GPL-2.0-or-later
/* Profiles that are sent, because somebody asked or because ktallyd was told to take one: as they arrive. */
#include <zlib.h>

#include "daemon/demand.h"
#include "demand.h"
#include "profile_rules.h"

static const char arrived[] = "_v1development_profiles_application_x-protobuf";

/* One that ktallyd takes because it was told to. */
static void check_own(int port)
{
	struct buffer data = { 0 }, findings = { 0 };
	struct rules rules = { 0 };
	char option[128];

	snprintf(option, sizeof(option), "--endpoint http://127.0.0.1:%d --profile 2s --profile-rate 199", port);
	start(option);
	check(says("asked for a profile of every process at 199 Hz for 2 s, to be sent"), "a profile is taken at the start");
	check_ask("--for 1 -o @x.folded", EXIT_BUSY, "another profile is being taken", "and no other meanwhile");
	check(says("asked for has ended, with 0"), "it ends by itself");
	stop();
	check(!buffer_read_file(&data, path_of(arrived), 1 << 20) && !rules_check(&rules, data.data, data.bytes, &findings), "it arrives");
	check_number(rules.value, 14000000, "with all the time");
	unlink(path_of(arrived));
	unlink(path_of("_v1_metrics_application_x-protobuf"));
	buffer_free(&findings);
	buffer_free(&data);

	unlink(log_path);
	check_number(end_of(start_daemon(log_path, "--profile 1")), EXIT_USAGE, "without a collector there is nowhere to send it to");
	check(says("nowhere to send it to: give --endpoint"), "which is said");
	unlink(log_path);
	check_number(end_of(start_daemon(log_path, "--profile 1 --control none --endpoint http://127.0.0.1:1")), EXIT_USAGE,
		     "without a control socket there is nobody to take it");
	check(says("no control socket, which profiles need: give --control"), "which is said, too");
}

/* Owners and categories of the daemon's configuration are in what is taken on demand, too. */
static void check_configured(int port)
{
	static const char configuration[] =
		"level: service\nattribute: { team: cart }\n"
		"categories:\n  - { name: unmapped, match: [ { frame_type: native } ] }\n  - { name: nothing, match: [ { function: nothing } ] }\n";
	static char text[65536];
	struct buffer data = { 0 };
	char option[256], config[128];
	gzFile pprof;
	FILE *file;
	int bytes;

	snprintf(config, sizeof(config), "%s", path_of("config.yaml"));
	file = fopen(config, "w");
	if (!file || fputs(configuration, file) < 0 || fclose(file))
		message_fatal(EXIT_FAILED, "cannot write %s", config);
	snprintf(option, sizeof(option), "--config %s --category-sets none --endpoint http://127.0.0.1:%d", config, port);
	start(option);
	check_ask("--for 200ms -o @own.pb.gz --send", EXIT_OK, "on their way", "a profile by a configuration");
	stop();
	buffer_append(&data, "", 0);
	check(!buffer_read_file(&data, path_of(arrived), 1 << 20) && data.bytes, "the collector has it");
	check(memmem(data.data, data.bytes, "ktally.category", 15) && memmem(data.data, data.bytes, "unmapped", 8) &&
	      !memmem(data.data, data.bytes, "nothing", 7), "with its categories");
	check(memmem(data.data, data.bytes, "service.name\x12\x08\x0a\x06victim", 22), "its owners");
	check(memmem(data.data, data.bytes, "team\x12\x06\x0a\x04" "cart", 12), "and what is to be said of everything");
	pprof = gzopen(path_of("own.pb.gz"), "r");
	bytes = pprof ? gzread(pprof, text, sizeof(text)) : -1;
	check(bytes > 0 && memmem(text, (size_t)bytes, "unmapped", 8) && memmem(text, (size_t)bytes, "service", 7), "so has the file, as labels");
	gzclose(pprof);
	unlink(config), unlink(path_of("own.pb.gz")), unlink(path_of(arrived)), unlink(path_of("_v1_metrics_application_x-protobuf"));
	buffer_free(&data);
}

static void check_sending(void)
{
	struct buffer data = { 0 }, findings = { 0 };
	struct rules rules = { 0 };
	char option[256], *lines;
	int port;
	pid_t child = start_collector(&port);

	snprintf(option, sizeof(option), "--endpoint http://127.0.0.1:%d --json-lines %s", port, path_of("lines"));
	start(option);
	check_ask("--for 200ms --off-cpu -o @sent.otlp --send", EXIT_OK, "4 samples of stacks are on their way, in 1 requests", "a profile is sent");
	stop();
	check(!buffer_read_file(&data, path_of(arrived), 1 << 20) && data.bytes, "the collector has it");
	check_number(rules_check(&rules, data.data, data.bytes, &findings), 0, "it breaks no rule%s%s", findings.bytes ? ": " : "",
		     findings.bytes ? findings.data : "");
	check_number(rules.value, 19000000, "and has all the time");
	buffer_clear(&data);
	buffer_clear(&findings);
	check(!buffer_read_file(&data, path_of("sent.otlp"), 1 << 20) && !rules_check(&rules, data.data, data.bytes, &findings), "so does the file");
	check_number(rules.value, 19000000, "which has it too");
	unlink(path_of(arrived)), unlink(path_of("sent.otlp"));
	check(!unlink(path_of("_v1_metrics_application_x-protobuf")), "it has the metrics too");
	lines = contents(path_of("lines"));
	check(strstr(lines, "\"metric\":\"ktally.cpu.time\",\"unit\":\"s\",\"value\":0.004000000,"), "and so have lines in a file");
	free(lines);
	unlink(path_of("lines"));
	check_own(port);
	check_configured(port);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	buffer_free(&findings);
	buffer_free(&data);
}

int main(int argc, char **argv)
{
	take_profile_if_told(argc, argv);
	begin();
	check_sending();
	end();
	return check_end();
}
